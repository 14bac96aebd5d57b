"""An interval with the level that it was made for."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from causalnet.statistics.digits import fixed, shared_decimals
from causalnet.statistics.json_fields import number, optional_number, text

__all__ = ["Interval"]


@dataclass(frozen=True, slots=True)
class Interval:
    """A closed interval for one number.

    Attributes:
        low: Lower end; minus infinity where the data put no bound below.
        high: Upper end; infinity where the data put no bound above.
        level: The coverage that was asked for, in (0, 1).
        method: How it was made, e.g. ``student_t`` or ``student_mixture_sequence``.

    >>> interval = Interval(0.91, 1.04, level=0.9, method="student_t")
    >>> print(interval)
    [0.910, 1.040] (90 %)
    >>> 1.0 in interval
    True
    >>> Interval.from_json(interval.to_json()) == interval
    True
    """

    low: float
    high: float
    level: float
    method: str

    def __contains__(self, value: float) -> bool:
        """Say whether `value` lies between the ends, ends included."""
        return self.low <= value <= self.high

    def __str__(self) -> str:
        """Print the ends and the level."""
        return self.written()

    def written(self, threshold: float | None = None, *, sign: bool = False) -> str:
        """Print the ends and the level, so that both ends stay on their side of a threshold."""
        decimals = shared_decimals(self.low, self.high, threshold)
        low, high = (fixed(end, decimals, sign=sign) for end in (self.low, self.high))
        return f"[{low}, {high}] ({100 * self.level:.6g} %)"

    def estimate_written(
        self, value: float, threshold: float | None = None, *, sign: bool = False
    ) -> str:
        """Print an estimate with the digits of its interval."""
        return fixed(value, shared_decimals(self.low, self.high, threshold), sign=sign)

    @property
    def width(self) -> float:
        """The distance between the ends."""
        return self.high - self.low

    def to_json(self) -> dict[str, object]:
        """Give JSON values; an infinite end becomes null, which JSON has no number for."""
        return {
            "low": self.low if math.isfinite(self.low) else None,
            "high": self.high if math.isfinite(self.high) else None,
            "level": self.level,
            "method": self.method,
        }

    @staticmethod
    def from_json(record: Mapping[str, object]) -> "Interval":
        """Read what `to_json` gave.

        Raises:
            FormatError: A field is missing or of another type.
        """
        low, high = optional_number(record, "low"), optional_number(record, "high")
        return Interval(
            -math.inf if low is None else low,
            math.inf if high is None else high,
            level=number(record, "level"),
            method=text(record, "method"),
        )
