"""How sure an estimate is: samples, or clusters of them, drawn again.

| name | what |
|---|---|
| `Clusters` | which samples belong together, such as those of one prompt |
| `Resamples` | an estimate from each set of samples drawn again, and from all but one |
| `Interval` | a number with an interval around it |

Efron (1987), "Better bootstrap confidence intervals", for BCa.
"""

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from causalnet.errors import ParameterError

__all__ = ["Clusters", "Interval", "IntervalKind", "Resamples", "check_level_of_confidence"]

IntervalKind: TypeAlias = Literal["percentile", "bca"]
Numbers: TypeAlias = NDArray[np.float64]


@final
@dataclass(frozen=True, slots=True)
class Interval:
    """A number with an interval around it.

    Attributes:
        value: The number.
        low: Where the interval begins; nan where there is none.
        high: Where it ends.
    """

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        """Return the number and its interval.

        >>> print(Interval(0.25, 0.2, 0.3125))
        0.25 [0.2, 0.3125]
        """
        return f"{self.value:.4g} [{self.low:.4g}, {self.high:.4g}]"


@final
@dataclass(frozen=True, slots=True, eq=False)
class Clusters:
    """Which samples belong together; they are drawn, and left out, together.

    Attributes:
        of: For each sample the number of its cluster.
        count: How many clusters there are.
    """

    of: NDArray[np.int64]
    count: int

    @staticmethod
    def by(column: NDArray[np.generic] | None, number: int) -> "Clusters":
        """Return the clusters that a column names; without one each sample is its own.

        Raises:
            ParameterError: A column of another length, or one cluster only.
        """
        if column is None:
            return Clusters(np.arange(number), number)
        if column.shape != (number,):
            raise ParameterError(
                f"Clusters of shape {column.shape} for {number} samples.",
                "Each sample is in one cluster.",
            )
        names, of = np.unique(column, return_inverse=True)
        if len(names) < 2:
            raise ParameterError(
                "All samples are in one cluster.",
                "Whole clusters are drawn again, so there are at least two.",
                "Name the column that tells prompts apart, or leave clusters out.",
            )
        return Clusters(np.asarray(of, dtype=np.int64), len(names))

    def sums(self, columns: Numbers) -> Numbers:
        """Return the sum of each column over each cluster."""
        out = np.zeros((self.count, *columns.shape[1:]))
        np.add.at(out, self.of, columns)
        return out

    def drawn(self, times: int, draw: np.random.Generator) -> NDArray[np.int64]:
        """Return how often each cluster is drawn, for several draws of as many as there are."""
        chances = np.full(self.count, 1 / self.count)
        return draw.multinomial(self.count, chances, size=times)


@final
@dataclass(frozen=True, slots=True, eq=False)
class Resamples:
    """An estimate from each set of samples drawn again, and from all samples but one.

    Attributes:
        draws: One estimate for each set of samples, along the first axis.
        left_out: One for each sample, or cluster, that was left out; empty if there are none.
        counts: How many samples are alike in each of these.
    """

    draws: Numbers
    left_out: Numbers
    counts: Numbers

    def interval(self, value: Numbers, level: float, kind: IntervalKind) -> tuple[Numbers, Numbers]:
        """Return where the intervals begin and end; nan where there is no estimate.

        Args:
            value: The estimate.
            level: How often the interval should hold the truth, such as 0.95.
            kind: `percentile`, or `bca`, which corrects for bias and for skewness.
        """
        tails = np.array([(1 - level) / 2, (1 + level) / 2])
        shape = (2, *value.shape)
        levels = np.broadcast_to(tails.reshape(2, *[1] * value.ndim), shape)
        if kind == "bca":
            levels = self._corrected(value, tails)
        found = np.full(shape, np.nan)
        for at in np.ndindex(value.shape):
            draws = self.draws[:, *at]
            there = draws[~np.isnan(draws)]
            if len(there) and not np.isnan(value[at]):
                found[:, *at] = np.quantile(there, levels[:, *at])
        return found[0], found[1]

    def of(self, one: tuple[int, ...], other: tuple[int, ...]) -> "Resamples":
        """Return the resamples of the difference of two of the numbers."""
        ours: tuple[Any, ...] = (slice(None), *one)
        theirs: tuple[Any, ...] = (slice(None), *other)

        def off(numbers: Numbers) -> Numbers:
            return np.asarray(numbers[ours] - numbers[theirs])

        return Resamples(off(self.draws), off(self.left_out), self.counts)

    def _corrected(self, value: Numbers, tails: Numbers) -> Numbers:
        """Return the levels of quantiles, corrected for bias and acceleration."""
        from scipy.stats import norm

        there = ~np.isnan(self.draws)
        number = np.maximum(there.sum(axis=0), 1)
        below = ((self.draws < value) + 0.5 * (self.draws == value)).sum(axis=0)
        bias = norm.ppf(np.clip(below / number, 0.5 / number, 1 - 0.5 / number))
        ends = norm.ppf(tails).reshape(2, *[1] * value.ndim) + bias
        return np.asarray(norm.cdf(bias + ends / (1 - self._acceleration() * ends)))

    def _acceleration(self) -> Numbers:
        weights = self.counts.reshape(-1, *[1] * (self.left_out.ndim - 1))
        middle = (self.left_out * weights).sum(axis=0) / max(float(self.counts.sum()), 1.0)
        off = np.nan_to_num(middle - self.left_out)
        spread = (weights * off**2).sum(axis=0) ** 1.5
        out = np.zeros(spread.shape)
        skewness = np.divide((weights * off**3).sum(axis=0), 6 * spread, out=out, where=spread > 0)
        return np.asarray(skewness)


def check_level_of_confidence(level: float) -> None:
    """Refuse a level that is not between 0 and 1.

    Raises:
        ParameterError: The level.
    """
    if not 0 < level < 1:
        raise ParameterError(f"level={level}.", "It lies between 0 and 1.", "Write level=0.95.")
