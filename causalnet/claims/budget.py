"""Budgets: how much a verification may run before it stops and says how it stands."""

import re
import time
from dataclasses import dataclass, field
from typing import final

from causalnet.errors import ParameterError

__all__ = ["Budget", "OutOfBudget", "Spending"]

_FORWARDS = {"fe": 1.0, "forward": 1.0, "forwards": 1.0}
_SECONDS = {"s": 1.0, "sec": 1.0, "seconds": 1.0, "min": 60.0, "minutes": 60.0, "h": 3600.0}
_THOUSANDS = {"": 1.0, "k": 1e3, "M": 1e6}
_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*(k|M)?\s*([a-z]+)")


@dataclass(frozen=True, slots=True)
class Budget:
    """What a verification may run; what runs out first counts.

    Attributes:
        forwards: Forward passes, each over one batch of prompts, that are run and not found in a
            ledger; None for no bound.
        cpu_seconds: Seconds of processor time, of all cores together; None for no bound.
    """

    forwards: float | None = None
    cpu_seconds: float | None = None

    @classmethod
    def of(cls, text: "str | Budget") -> "Budget":
        """Read a budget.

        Args:
            text: `300fe` (forward passes; also `50k forwards`), `10min`, `90s` or `2h` of
                processor time, or one of each with a comma between.

        Raises:
            ParameterError: Anything else, or nothing to spend.

        >>> Budget.of("50k forwards, 10min")
        Budget(forwards=50000.0, cpu_seconds=600.0)
        """
        if isinstance(text, Budget):
            return text
        found: dict[str, float] = {}
        for part in text.split(","):
            match = _PART.fullmatch(part.strip())
            if match is None:
                raise _refused(text)
            number, scale, unit = float(match[1]), match[2] or "", match[3]
            kind = "forwards" if unit in _FORWARDS else "cpu_seconds"
            is_scaled_time = bool(scale) and kind == "cpu_seconds"
            if unit not in _FORWARDS | _SECONDS or is_scaled_time or kind in found:
                raise _refused(text)
            found[kind] = number * _THOUSANDS[scale] * (_FORWARDS | _SECONDS)[unit]
        if not all(0 < value < 1e12 for value in found.values()):
            raise _refused(text)
        return cls(**found)

    def __str__(self) -> str:
        """Return the budget in words."""
        parts = []
        if self.forwards is not None:
            parts.append(f"{self.forwards:,.0f} forwards")
        if self.cpu_seconds is not None:
            parts.append(f"{self.cpu_seconds:,.0f} s of CPU")
        return " or ".join(parts) or "no bound"


def _refused(text: str) -> ParameterError:
    return ParameterError(
        f"The budget {text!r} is none.",
        "It is a number above 0 of forward passes or of processor time, or one of each.",
        "Write for example --budget 300fe, --budget '50k forwards', --budget 10min or "
        "--budget 300fe,90s.",
    )


class OutOfBudget(Exception):  # a way out, not a mistake
    """Nothing more may be run; claims that are not settled are INCONCLUSIVE."""


@final
@dataclass(slots=True)
class Spending:
    """What was spent of a budget, over all files that are verified together.

    Attributes:
        budget: What may be spent.
        forwards: Forward passes that were run.
        is_out: Whether something was refused.
    """

    budget: Budget = field(default_factory=Budget)
    forwards: int = 0
    is_out: bool = False
    _started: float = field(default_factory=time.process_time)

    def count(self) -> None:
        """Count one forward pass."""
        self.forwards += 1

    def check(self) -> None:
        """Refuse to begin a call once the budget is spent; a call that was begun is finished.

        Raises:
            OutOfBudget: It is spent.
        """
        most, seconds = self.budget.forwards, self.budget.cpu_seconds
        over = most is not None and self.forwards >= most
        if over or (seconds is not None and time.process_time() - self._started >= seconds):
            self.is_out = True
            raise OutOfBudget
