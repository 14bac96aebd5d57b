"""Many simulated sweeps at once: how often a judge errs, and how many prompts it takes.

A sweep is one run of a judge over fresh prompts, looked at after every batch up to a budget.  All
sweeps go through the very moments and bounds that the judges use, with one leading axis, so that
what is measured here holds for them.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from causalnet.errors import ParameterError
from causalnet.statistics.betting import log_capitals, log_gains, stakes
from causalnet.statistics.bounds import mean_sequence_bounds, ratio_sequence_bounds
from causalnet.statistics.moments import Moments, moments_of
from causalnet.statistics.samples import Array

__all__ = ["Draw", "Sweeps", "sweep_bounded", "sweep_means", "sweep_ratios"]

# Draws (sweeps, batch) values for means, or (sweeps, batch, 2) pairs for ratios.
Draw = Callable[[np.random.Generator, int, int], Array]


@dataclass(frozen=True, slots=True, eq=False)
class Sweeps:
    """What the sequence of every sweep says at every look.

    Attributes:
        n: Observations at each look, shape (looks,).
        low: Low ends, shape (looks, sweeps); NaN where there is no interval.
        high: High ends, alike.
    """

    n: Array
    low: Array
    high: Array

    def rate_above(self, threshold: float) -> float:
        """Return the share of sweeps that at some look lay wholly above a threshold."""
        return float((self.low > threshold).any(axis=0).mean())

    def rate_below(self, threshold: float) -> float:
        """Return the share of sweeps that at some look lay wholly below a threshold."""
        return float((self.high < threshold).any(axis=0).mean())

    def rate_inside(self, low: float, high: float) -> float:
        """Return the share of sweeps that at some look lay wholly inside a band."""
        return float(((self.low > low) & (self.high < high)).any(axis=0).mean())

    def rate_outside(self, low: float, high: float) -> float:
        """Return the share of sweeps that at some look lay wholly outside a band."""
        return float(((self.low > high) | (self.high < low)).any(axis=0).mean())

    def coverage(self, truth: float) -> float:
        """Return the share of sweeps whose every interval holds the truth."""
        return 1.0 - float(self._misses(truth).any(axis=0).mean())

    def coverage_when_stopped(self, truth: float, threshold: float) -> float:
        """Return the share of sweeps whose printed interval, when settled, holds the truth."""
        looks, sweeps = self._stops(threshold), np.arange(self.low.shape[1])
        return 1.0 - float(self._misses(truth)[looks, sweeps].mean())

    def stopping_n(self, threshold: float) -> Array:
        """Return after how many observations each sweep settles; infinite where it does not."""
        decided = self._decided(threshold).any(axis=0)
        return np.where(decided, self.n[self._stops(threshold)], np.inf)

    def _misses(self, truth: float) -> Array:
        return np.asarray((self.low > truth) | (self.high < truth))

    def _decided(self, threshold: float) -> Array:
        return np.asarray((self.low > threshold) | (self.high < threshold))

    def _stops(self, threshold: float) -> Array:
        decided = self._decided(threshold)
        return np.where(decided.any(axis=0), decided.argmax(axis=0), len(self.n) - 1)


def sweep_means(
    draw: Draw,
    rng: np.random.Generator,
    *,
    sweeps: int,
    budget: int,
    batch: int = 8,
    alpha: float = 0.05,
    expected_n: int = 200,
) -> Sweeps:
    """Run `MeanSequence` over many sweeps.

    Args:
        draw: Draws a batch of values for all sweeps.
        rng: Where the chance comes from.
        sweeps: How many.
        budget: Observations of each sweep.
        batch: Observations between two looks.
        alpha: Error probability of each end.
        expected_n: The sample size at which the sequence is made narrowest.

    >>> import numpy as np
    >>> normal = lambda rng, sweeps, batch: rng.normal(size=(sweeps, batch))
    >>> looked = sweep_means(normal, np.random.default_rng(0), sweeps=500, budget=200)
    >>> looked.rate_above(0.0) <= 0.05
    True
    """

    def bounds(moments: Moments) -> tuple[Array, Array]:
        return mean_sequence_bounds(moments, alpha, expected_n)

    def draw_one_number(rng: np.random.Generator, sweeps: int, batch: int) -> Array:
        return draw(rng, sweeps, batch)[..., None]

    return _sweep(draw_one_number, rng, sweeps, budget, batch, bounds)


def sweep_ratios(
    draw: Draw,
    rng: np.random.Generator,
    *,
    sweeps: int,
    budget: int,
    batch: int = 8,
    alpha: float = 0.05,
    gate_alpha: float = 0.005,
    expected_n: int = 200,
) -> Sweeps:
    """Run `RatioSequence` behind the gate of `RatioJudge` over many sweeps.

    Args:
        draw: Draws a batch of (numerator, denominator) pairs for all sweeps.
        rng: Where the chance comes from.
        sweeps: How many.
        budget: Pairs of each sweep.
        batch: Pairs between two looks.
        alpha: Error probability of each end.
        gate_alpha: Error probability of the gate.
        expected_n: The sample size at which the sequence is made narrowest.
    """
    is_open = np.zeros(sweeps, dtype=bool)

    def bounds(moments: Moments) -> tuple[Array, Array]:
        denominators = Moments(
            moments.n,
            moments.mean[..., 1:],
            moments.second[..., 1:, 1:],
            moments.third[..., 1:, 1:, 1:],
        )
        is_open[:] |= mean_sequence_bounds(denominators, gate_alpha, expected_n)[0] > 0
        low, high = ratio_sequence_bounds(moments, alpha, expected_n)
        return np.where(is_open, low, np.nan), np.where(is_open, high, np.nan)

    return _sweep(draw, rng, sweeps, budget, batch, bounds)


def sweep_bounded(
    draw: Draw,
    rng: np.random.Generator,
    *,
    null: float,
    sweeps: int,
    budget: int,
    batch: int = 8,
    alpha: float = 0.05,
) -> tuple[Array, Array]:
    """Run the bets of `BoundedSequence` over many sweeps of numbers in [0, 1].

    Args:
        draw: Draws a batch of values for all sweeps.
        rng: Where the chance comes from.
        null: The mean that is bet against.
        sweeps: How many.
        budget: Observations of each sweep.
        batch: Observations between two looks.
        alpha: Error probability of each end.

    Returns:
        After how many observations each sweep first lies above the null, and below it; infinite
        where it never does, shape (sweeps,) each.

    >>> coin = lambda rng, sweeps, batch: rng.integers(2, size=(sweeps, batch)).astype(float)
    >>> above, below = sweep_bounded(
    ...     coin, np.random.default_rng(0), null=0.5, sweeps=500, budget=200
    ... )
    >>> bool(np.isfinite(above).mean() <= 0.05)
    True
    """
    _check_looks(sweeps, budget, batch)
    stops = np.full((2, sweeps), np.inf)
    gains = np.zeros((2, sweeps, len(stakes()[0])))
    for look in range(1, budget // batch + 1):
        values = draw(rng, sweeps, batch)
        for side, (x, q) in enumerate(((values, null), (1 - values, 1 - null))):
            gains[side] += log_gains(x, np.full(sweeps, q))
            hit = (log_capitals(gains[side]) >= -np.log(alpha)) & np.isinf(stops[side])
            stops[side, hit] = look * batch
    return stops[0], stops[1]


def _check_looks(sweeps: int, budget: int, batch: int) -> None:
    if not 1 <= batch <= budget or sweeps < 1:
        raise ParameterError(
            came=f"{sweeps} sweeps of {budget} observations in batches of {batch}.",
            possible="There is at least one sweep, and the budget holds at least one batch.",
            write="Write for example sweeps=2000, budget=200, batch=8.",
        )


def _sweep(
    draw: Draw,
    rng: np.random.Generator,
    sweeps: int,
    budget: int,
    batch: int,
    bounds: Callable[[Moments], tuple[Array, Array]],
) -> Sweeps:
    _check_looks(sweeps, budget, batch)
    moments = moments_of(draw(rng, sweeps, batch))
    ends = [bounds(moments)]
    for _ in range(budget // batch - 1):
        moments = moments.merge(moments_of(draw(rng, sweeps, batch)))
        ends.append(bounds(moments))
    n = np.arange(1, len(ends) + 1, dtype=np.float64) * batch
    return Sweeps(n, np.stack([low for low, _ in ends]), np.stack([high for _, high in ends]))
