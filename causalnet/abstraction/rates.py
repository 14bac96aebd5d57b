"""Rates of yes-or-no outcomes with exact intervals, and paired comparisons of two of them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from causalnet.statistics import Interval, WinSequence

__all__ = ["PairedWins", "Rate", "clopper_pearson"]


def clopper_pearson(hits: int, n: int, level: float) -> Interval:
    """Return the exact interval of a rate for a number of draws that was fixed beforehand.

    Args:
        hits: How often it was so.
        n: Of how many.
        level: The coverage, in (0, 1).

    >>> print(clopper_pearson(20, 20, level=0.9))
    [0.861, 1.000] (90 %)
    """
    from scipy.special import betaincinv

    tail = (1 - level) / 2
    low = 0.0 if hits == 0 else float(betaincinv(hits, n - hits + 1, tail))
    high = 1.0 if hits == n else float(betaincinv(hits + 1, n - hits, 1 - tail))
    return Interval(low, high, level, "clopper_pearson")


@dataclass(frozen=True, slots=True)
class Rate:
    """How often something was so.

    Attributes:
        hits: How often.
        n: Of how many.
        alpha: Error probability of each end of its intervals.

    >>> print(Rate(19, 20))
    0.950 [0.712, 1.000] (90 %), 19 of 20
    """

    hits: int
    n: int
    alpha: float = 0.05

    @classmethod
    def of(cls, outcomes: ArrayLike, alpha: float = 0.05) -> "Rate":
        """Return the rate of some outcomes, bool [n]."""
        listed = np.asarray(outcomes, dtype=bool)
        return cls(int(listed.sum()), int(listed.size), alpha)

    @property
    def estimate(self) -> float:
        """The share; NaN of nothing."""
        return self.hits / self.n if self.n else math.nan

    @property
    def interval(self) -> Interval | None:
        """The confidence sequence, valid at any number of looks; None of nothing."""
        if not self.n:
            return None
        sequence = WinSequence(self.alpha)
        sequence.add([True] * self.hits + [False] * (self.n - self.hits))
        return sequence.interval

    @property
    def at_fixed_n(self) -> Interval | None:
        """The narrower interval of Clopper and Pearson, for one look; None of nothing."""
        return clopper_pearson(self.hits, self.n, 1 - 2 * self.alpha) if self.n else None

    def to_json(self) -> dict[str, object]:
        """Return hits, n, estimate and interval."""
        interval = self.interval
        return {
            "hits": self.hits,
            "n": self.n,
            "estimate": self.estimate if self.n else None,
            "interval": None if interval is None else interval.to_json(),
        }

    def __str__(self) -> str:
        """Return the estimate, its confidence sequence and the counts."""
        if not self.n:
            return "none"
        return f"{self.estimate:.3f} {self.interval}, {self.hits} of {self.n}"


@dataclass(frozen=True, slots=True)
class PairedWins:
    """Two ways compared on the same pairs, by those on which one is right and the other is not.

    Attributes:
        wins: The first alone is right.
        losses: The second alone is right.
        both: Both are right.
        neither: Neither is.
        alpha: Error probability of each end.

    >>> paired = PairedWins.of([True] * 9, [False] * 9)
    >>> paired.is_above, paired.reversed().is_above
    (True, False)
    """

    wins: int
    losses: int
    both: int
    neither: int
    alpha: float = 0.05

    @classmethod
    def of(
        cls, first: Sequence[bool] | ArrayLike, second: ArrayLike, alpha: float = 0.05
    ) -> "PairedWins":
        """Return the comparison of two columns of outcomes, bool [n] each."""
        one, other = np.asarray(first, dtype=bool), np.asarray(second, dtype=bool)
        sides = (one & ~other, ~one & other, one & other, ~one & ~other)
        wins, losses, both, neither = (int(each.sum()) for each in sides)
        return cls(wins, losses, both, neither, alpha)

    @property
    def decided(self) -> Rate:
        """How often the first wins among the pairs that tell them apart."""
        return Rate(self.wins, self.wins + self.losses, self.alpha)

    @property
    def is_above(self) -> bool:
        """Whether the first is shown to be right more often than the second."""
        interval = self.decided.interval
        return interval is not None and interval.low > 0.5

    def reversed(self) -> "PairedWins":
        """Return the comparison the other way round."""
        return PairedWins(self.losses, self.wins, self.both, self.neither, self.alpha)

    def to_json(self) -> dict[str, object]:
        """Return the counts, and the rate among pairs that tell them apart."""
        return {
            "wins": self.wins,
            "losses": self.losses,
            "both": self.both,
            "neither": self.neither,
            "decided": self.decided.to_json(),
            "is_above": self.is_above,
        }

    def __str__(self) -> str:
        """Return wins against losses."""
        return f"{self.wins} : {self.losses}"
