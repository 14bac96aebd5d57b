"""Several numbers against one bound: all of them within it, or some beyond."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, final

import numpy as np
from numpy.typing import NDArray

from causalnet.statistics import Interval

__all__ = ["EQUAL", "Several", "size_of"]

EQUAL = (
    "All prompts gave the same numbers, so that nothing is known about their spread; a declared "
    "'range' judges them exactly."
)
"""What is said where no number has an interval."""

Array = NDArray[np.float64]


class ConfidenceSequence(Protocol):
    """What the numbers are followed by."""

    @property
    def estimate(self) -> float:
        """The estimate so far."""

    @property
    def interval(self) -> Interval | None:
        """The interval so far, if there is one."""

    @property
    def add(self) -> Callable[..., None]:
        """Takes in one batch of columns."""


@final
class Several:
    """Numbers by name, each within a bound, or some of them beyond it.

    All are within at error `alpha` if each is at `alpha` (intersection-union, Berger 1982).  Those
    beyond are named by Holm's steps, so that any false one among them comes at most `alpha` often.

    Args:
        names: The numbers.
        make: Makes a sequence with an error probability at each end.
        alpha: See above.
        bound: The bound, above 0.
        both_sides: Whether numbers below minus the bound are beyond it too.
    """

    def __init__(
        self,
        names: Sequence[str],
        make: Callable[[float], ConfidenceSequence],
        alpha: float,
        bound: float,
        *,
        both_sides: bool,
    ) -> None:
        """Start without observations."""
        self.names, self._bound, self._both = tuple(names), bound, both_sides
        self._make, self._alpha = make, alpha
        # The union's level, and that of Holm's first step; the others are for naming the rest.
        self._each = {name: make(alpha) for name in self.names}
        self._first = {name: make(alpha / len(self.names)) for name in self.names}
        self._seen: dict[str, list[tuple[Array, ...]]] = {name: [] for name in self.names}

    def add(self, name: str, *columns: Array) -> None:
        """Take in one batch of a number."""
        self._each[name].add(*columns)
        self._first[name].add(*columns)
        self._seen[name].append(columns)

    def estimate(self, name: str) -> float:
        """Return what a number is estimated to be; NaN where it is undefined."""
        return self._each[name].estimate

    def interval(self, name: str, *, corrected: bool = False) -> Interval | None:
        """Return what is known of a number: at `alpha`, or corrected for all of them."""
        return (self._first if corrected else self._each)[name].interval

    def are_within(self) -> bool:
        """Whether all of them were shown to be within the bound."""
        return all(self._is_within(self.interval(name)) for name in self.names)

    def beyond(self) -> tuple[str, ...]:
        """Return those that were shown to be beyond the bound, the largest first."""
        found: list[str] = []
        left, shown = list(self.names), [True]
        while left and any(shown):
            intervals = [self._at_step(name, len(left)) for name in left]
            shown = [self._is_beyond(one) for one in intervals]
            found += [name for name, is_shown in zip(left, shown, strict=True) if is_shown]
            left = [name for name in left if name not in found]
        return tuple(sorted(found, key=lambda name: -self.size(name)))

    def _at_step(self, name: str, left: int) -> Interval | None:
        """Return the interval of a number at Holm's step with so many left."""
        if left == len(self.names):
            return self._first[name].interval
        if not self._seen[name]:
            return None
        sequence = self._make(self._alpha / left)
        sequence.add(*map(np.concatenate, zip(*self._seen[name], strict=True)))
        return sequence.interval

    def open(self) -> tuple[str, ...]:
        """Return those that are neither shown to be within nor beyond."""
        shown = self.beyond()
        return tuple(
            name
            for name in self.names
            if name not in shown and not self._is_within(self.interval(name))
        )

    def worst(self) -> str:
        """Return the number that is the furthest out; one without an estimate counts as far in."""
        return max(self.names, key=self.size)

    def size(self, name: str) -> float:
        """Return how far out a number is."""
        estimate = self.estimate(name)
        if np.isnan(estimate):
            return -np.inf
        return abs(estimate) if self._both else estimate

    def reach(self, name: str, *, corrected: bool = False) -> Interval | None:
        """Return the interval of how far out a number is."""
        found = self.interval(name, corrected=corrected)
        return size_of(found) if found is not None and self._both else found

    @property
    def is_unknown(self) -> bool:
        """Whether no number has an interval."""
        return all(self.interval(name) is None for name in self.names)

    def to_json(self) -> list[Mapping[str, object]]:
        """Return every number with its interval, and whether it was shown to be beyond."""
        beyond = self.beyond()
        rows: list[Mapping[str, object]] = []
        for name in self.names:
            found, number = self.interval(name), self.estimate(name)
            rows.append(
                {
                    "name": name,
                    "estimate": number if np.isfinite(number) else None,
                    "interval": None if found is None else found.to_json(),
                    "is_within": self._is_within(found),
                    "is_beyond": name in beyond,
                }
            )
        return rows

    def _is_within(self, interval: Interval | None) -> bool:
        if interval is None:
            return False
        return interval.high < self._bound and (not self._both or interval.low > -self._bound)

    def _is_beyond(self, interval: Interval | None) -> bool:
        if interval is None:
            return False
        return interval.low > self._bound or (self._both and interval.high < -self._bound)


def size_of(interval: Interval) -> Interval:
    """Return the interval of the absolute value of a number.

    >>> print(size_of(Interval(-0.25, 0.125, 0.9, "student_mixture_sequence")))
    [0.000, 0.250] (90 %)
    """
    low, high = interval.low, interval.high
    return Interval(max(low, -high, 0.0), max(-low, high), interval.level, interval.method)
