"""How much memory a run may take."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from causalnet.errors import ParameterError

__all__ = ["Budget", "bytes_text"]

_UNITS: Final = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_UNITS_OF_2: Final = {f"{unit}i": 2 ** (10 * power) for power, unit in enumerate("KMGT", 1)}
_TEXT = re.compile(r"\s*([0-9]*\.?[0-9]+)\s*([KMGT]i?|)B?\s*", re.IGNORECASE)
_MEMORY = Path("/proc/meminfo")


@dataclass(frozen=True, slots=True)
class Budget:
    """The bytes that a run may take beside the model's own weights.

    Attributes:
        bytes: How many; None where it is not known what is there.
        origin: Who says so: `given`, or what was measured.
    """

    bytes: int | None
    origin: str = "given"

    @classmethod
    def of(cls, given: "str | int | Budget | None" = None) -> "Budget":
        """Return a budget from its text, its bytes, or half of what is available.

        Args:
            given: Such as `"2GB"` or `"500 MiB"`; a number of bytes; None for half of what the
                machine has left.

        Raises:
            ParameterError: A text that is no number of bytes, or fewer than one.

        >>> Budget.of("2GB").bytes, Budget.of("1.5 MiB").bytes
        (2000000000, 1572864)
        """
        if isinstance(given, Budget):
            return given
        if given is None:
            return cls._available()
        count = given if isinstance(given, int) and not isinstance(given, bool) else _read(given)
        if count is None or count < 1:
            raise ParameterError(
                f"The budget {given!r} is no amount of memory.",
                "It is a number of bytes of at least 1, with a unit or without.",
                "Write budget='2GB', budget='500MiB' or budget=None for half of what is there.",
            )
        return cls(count)

    @classmethod
    def _available(cls) -> "Budget":
        """Return half of what Linux calls available; without it, no bound."""
        if not _MEMORY.is_file():
            return cls(None, "not known on this machine")
        lines = dict(line.split(":", 1) for line in _MEMORY.read_text().splitlines())
        free = int(lines.get("MemAvailable", lines["MemFree"]).split()[0]) * 1024
        return cls(free // 2, f"half of the {bytes_text(free)} available")

    def __str__(self) -> str:
        """Return the amount and who says so."""
        return f"{bytes_text(self.bytes)} ({self.origin})" if self.bytes else self.origin


def _read(text: object) -> int | None:
    match = _TEXT.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        return None
    unit = match[2]
    scale = _UNITS_OF_2[unit[0].upper() + "i"] if unit[1:].lower() == "i" else _UNITS[unit.upper()]
    return int(float(match[1]) * scale)


def bytes_text(count: float) -> str:
    """Return an amount of memory with three digits.

    >>> bytes_text(41_300_000), bytes_text(950)
    ('41.3 MB', '950 B')
    """
    for unit, size in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= size:
            return f"{count / size:.3g} {unit}"
    return f"{count:.0f} B"
