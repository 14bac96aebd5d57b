"""From values to places in a drawing."""

import math
from dataclasses import dataclass

__all__ = ["LogScale", "Scale"]


@dataclass(frozen=True, slots=True)
class Scale:
    """A line from a range of values to a range of pixels; what lies outside is held at its end.

    >>> Scale(0.0, 1.0, 10.0, 110.0)(0.5)
    60.0
    """

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """Return the place of a value."""
        held = min(max(value, self.low), self.high)
        return self.start + (held - self.low) / (self.high - self.low) * (self.end - self.start)


@dataclass(frozen=True, slots=True)
class LogScale:
    """The same for sizes, each doubling as far as the one before.

    >>> LogScale(1.0, 100.0, 0.0, 100.0)(10.0)
    50.0
    """

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """Return the place of a value above 0."""
        line = Scale(math.log(self.low), math.log(self.high), self.start, self.end)
        return line(math.log(max(value, self.low)))
