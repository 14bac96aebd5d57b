"""An exact confidence sequence for a ratio of means, of pairs whose ranges are declared.

With E[denominator] > 0 a ratio F exceeds f exactly if the mean of D(f) = numerator - f denominator
is above 0.  D(f) lies in a range that follows from the declared ones, so that `betting` gives an
e-process against "F is at most f" for every f.  The true ratio is one of them: with probability
1 - alpha it is never excluded, which makes the set of all f that are not excluded a confidence set.
It is taken on a grid that holds every claimed bound, and read from outside inwards to the first f
that stays.
"""

import math
from typing import final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from causalnet.errors import ParameterError
from causalnet.statistics.betting import BoundedSequence, log_capitals, log_product, stakes
from causalnet.statistics.fixed_sample import paired_samples
from causalnet.statistics.interval import Interval
from causalnet.statistics.samples import Array, check_alpha, check_band

__all__ = ["BoundedRatioSequence"]

# Ratios over the whole reach, and more of them about each claimed bound.
GRID, NEAR, NEAR_GRID = 91, 0.15, 31
# An end decides once it is beyond the bound: so near is the next ratio that can be one.
NEXT = 1e-3


@final
class BoundedRatioSequence:
    """A confidence sequence for E[numerator] / E[denominator], exact at any number of looks.

    It says nothing until the mean denominator is shown to be above 0, by a sequence of its own.
    Numbers outside their declared range are clipped and counted; the ratio is then one of the
    means of the clipped numbers.

    Args:
        numerators: The smallest and the largest numerator that can come.
        denominators: The same for denominators.
        alpha: Error probability of each end.
        gate_alpha: Probability of taking a mean denominator for positive that is not.
        ratios: Where the ends are looked for; beyond it they are infinite.
        bounds: Ratios that are compared with, which the grid then holds.

    Raises:
        ParameterError: A probability or a range that is none, or a denominator that cannot be
            above 0.

    >>> rng = np.random.default_rng(0)
    >>> sequence = BoundedRatioSequence((0.0, 1.0), (0.0, 1.0))
    >>> denominators = rng.uniform(0.6, 1.0, size=200)
    >>> sequence.add(denominators * rng.uniform(0.9, 1.0, size=200), denominators)
    >>> print(sequence.interval)
    [0.900, 1.000] (90 %)
    """

    def __init__(
        self,
        numerators: tuple[float, float],
        denominators: tuple[float, float],
        alpha: float = 0.05,
        gate_alpha: float = 0.005,
        *,
        ratios: tuple[float, float] = (-1.0, 2.0),
        bounds: tuple[float, ...] = (),
    ) -> None:
        """Start without observations."""
        self.alpha = check_alpha(alpha)
        self.numerators = check_band(*numerators, "numerators")
        self.denominators = check_band(*denominators, "denominators")
        check_band(*ratios, "ratios")
        if self.denominators[1] <= 0:
            raise ParameterError(
                came=f"The denominators lie in {self.denominators}.",
                possible="A ratio needs a mean denominator above 0.",
                write="Write a range whose upper end is above 0.",
            )
        self.gate = BoundedSequence(check_alpha(gate_alpha, "gate_alpha"), *self.denominators)
        self.clipped = 0
        self._sums = np.zeros(2)
        near = [np.linspace(bound - NEAR, bound + NEAR, NEAR_GRID) for bound in bounds]
        beside = [bound + step for bound in bounds for step in (-NEXT, 0.0, NEXT)]
        self._grid = np.unique(np.concatenate([np.linspace(*ratios, GRID), *near, beside]))
        # Against "F is at most f" and against "F is at least f", every bet at every f.
        self._gains = np.zeros((2, len(self._grid), len(stakes()[0])))
        self._is_open = False

    def add(self, numerators: ArrayLike, denominators: ArrayLike) -> None:
        """Take in one batch of pairs.

        Raises:
            ParameterError: The batch is empty, not one-dimensional, or of unequal lengths.
            NumericalError: It holds NaN or an infinity.
        """
        pairs = paired_samples(numerators, denominators)
        low, high = np.stack([self.numerators, self.denominators], axis=-1)
        kept = np.clip(pairs, low, high)
        self.clipped += int((kept != pairs).any(axis=-1).sum())
        self.gate.add(kept[:, 1])
        self._sums += kept.sum(axis=0)
        f = self._grid[:, None]
        d = kept[:, 0] - f * kept[:, 1]
        worst, best = _ends(self._grid, self.numerators, self.denominators)
        self._gains[0] += _gains(d, worst)
        self._gains[1] += _gains(-d, -best)
        self._is_open = self._is_open or self._gate_shows(above=True)

    @property
    def n(self) -> int:
        """Pairs so far."""
        return self.gate.n

    @property
    def is_open(self) -> bool:
        """Whether the mean denominator was shown to be above 0."""
        return self._is_open

    @property
    def is_absent(self) -> bool:
        """Whether the mean denominator is shown not to be above 0."""
        return not self._is_open and self.n > 0 and self._gate_shows(above=False)

    @property
    def estimate(self) -> float:
        """The ratio of the clipped means so far; NaN where the denominator is not above 0."""
        return float(self._sums[0] / self._sums[1]) if self._sums[1] > 0 else math.nan

    @property
    def interval(self) -> Interval | None:
        """What the sequence says after these pairs; None while the gate is shut."""
        if not self._is_open:
            return None
        bar, estimate = -math.log(self.alpha), self.estimate
        is_low, is_high = (log_capitals(gains) >= bar for gains in self._gains)
        low, high = _last_of_run(self._grid, is_low), _last_of_run(self._grid[::-1], is_high[::-1])
        return Interval(
            -math.inf if low is None else min(low, estimate),
            math.inf if high is None else max(high, estimate),
            1 - 2 * self.alpha,
            "betting_ratio_sequence",
        )

    def _gate_shows(self, *, above: bool) -> bool:
        """Whether 0 is excluded as the mean denominator, from one side."""
        if self.denominators[0] >= 0:  # the sum tells: no denominator takes anything back
            return above and bool(self._sums[1] > 0)
        return self.gate.log_evidence(0.0, above=above) >= -math.log(self.gate.alpha)

    def excludes(self, point: float) -> int | None:
        """Return after how many pairs like these a ratio on the grid would be excluded.

        Returns:
            None above a hundred thousand, or where the estimate equals the point.
        """
        if not self.n or math.isnan(self.estimate) or point == self.estimate:
            return None
        nearest = int(np.abs(self._grid - point).argmin())
        per_one = self._gains[0 if point < self.estimate else 1, nearest] / self.n
        sizes = np.unique(np.geomspace(1, 100_000, 400).astype(int))
        enough = log_capitals(sizes[:, None] * per_one) >= -math.log(self.alpha)
        return int(sizes[enough.argmax()]) if enough.any() else None


def _ends(
    grid: Array, numerators: tuple[float, float], denominators: tuple[float, float]
) -> tuple[Array, Array]:
    """Return the smallest and the largest D(f) that can come, shape (grid,) each."""
    corners = np.stack([n - grid * d for n in numerators for d in denominators])
    return corners.min(axis=0), corners.max(axis=0)


def _gains(d: Array, worst: Array) -> Array:
    """Return what every bet gains that the mean of `d`, at least `worst`, is above 0."""
    fractions, _ = stakes()
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        # Where D cannot be below 0 the null says that it is 0 always: one above 0 refutes it.
        sure = np.where(d > 0, np.inf, 0.0)
        odds = np.where(worst[:, None] < 0, d / -worst[:, None], sure)
        return log_product(fractions[:, None] * odds[:, None, :])


def _last_of_run(grid: Array, excluded: NDArray[np.bool_]) -> float | None:
    """Return the last ratio of the first unbroken run that is excluded."""
    kept = np.flatnonzero(~excluded)
    first = int(kept[0]) if kept.size else len(grid)
    return float(grid[first - 1]) if first else None
