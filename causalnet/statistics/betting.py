"""Exact confidence sequences for means of numbers in a declared range, by betting.

With numbers x in [0, 1] and a null mean q, a gambler who stakes the fraction u of what may be lost
multiplies the capital by 1 + u (x/q - 1) per number.  Under every mean of at most q this is a
supermartingale whatever the distribution, so that by Ville's inequality the capital ever reaches
1/alpha with probability at most alpha (Waudby-Smith and Ramdas 2024).  An average over fractions is
one as well.  Here it has the density b (1 - u)^(b-1) on [0, 1], at the nodes of a Gauss-Jacobi
rule: b below 1 stakes much, as suits circuits that score near the top.  No order, no spread and no
minimal sample size enters.  The capital falls with q, so that the means that are excluded are those
below one number, the low end; the high end is the mirror image.

For x in {0, 1} and b = 1/2 it is the sequence of `wins`, up to the quadrature.
"""

import math
from functools import cache
from typing import final

import numpy as np
from numpy.typing import ArrayLike

from causalnet.statistics.interval import Interval
from causalnet.statistics.samples import Array, check_alpha, check_band, sample

__all__ = ["BoundedSequence", "log_capitals", "log_gains", "log_product", "stakes"]

# b: 44 equal scores of 0.964 are the fewest that any bet needs to show a mean above 0.9 at
# alpha = 0.05; this b takes 51, and half of it would cost a fair coin's rivals a fifth more.
SHAPE = 0.3
NODES = 24
HALVINGS = 36


@cache
def stakes() -> tuple[Array, Array]:
    """Return the fractions that are staked and the logarithms of their weights, shape (24,) each.

    >>> fractions, log_weights = stakes()
    >>> bool(0 < fractions.min() < fractions.max() < 1), round(float(np.exp(log_weights).sum()), 9)
    (True, 1.0)
    """
    from scipy.special import roots_jacobi

    nodes, weights = roots_jacobi(NODES, SHAPE - 1, 0.0)
    # Rounding of the weights' sum must not create capital.
    return (nodes + 1) / 2, np.log(weights / weights.sum()) - 1e-12


def log_gains(values: Array, null: ArrayLike, counts: Array | None = None) -> Array:
    """Return the logarithm of every bet's capital against "the mean is at most `null`".

    Args:
        values: Numbers in [0, 1], shape (..., n).
        null: The null mean in [0, 1], shape (...).
        counts: How often each value came, shape (..., n); once if None.

    Returns:
        Shape (..., 24); infinite where the null is 0 and a value is not.
    """
    fractions, _ = stakes()
    q = np.asarray(null, dtype=np.float64)[..., None]
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        odds = np.where(q > 0, values / q, np.where(values > 0, np.inf, 0.0)) - 1
        grown = fractions[:, None] * odds[..., None, :]
    if counts is None:
        return log_product(grown)
    return np.asarray((np.log1p(grown) * counts[..., None, :]).sum(axis=-1))


def log_product(grown: Array) -> Array:
    """Return the logarithms of the products of 1 + `grown` over the last axis.

    A logarithm costs as much as a dozen products: one is taken of every block of 8 factors, too
    few to leave the numbers of float64.

    >>> bool(np.isclose(log_product(np.full(20, 0.5)), 20 * np.log(1.5)))
    True
    """
    blocks = np.arange(0, grown.shape[-1], 8)
    with np.errstate(over="ignore", divide="ignore"):
        return np.asarray(np.log(np.multiply.reduceat(1 + grown, blocks, axis=-1)).sum(axis=-1))


def log_capitals(gains: Array) -> Array:
    """Return the logarithm of the average capital: an e-process against the null.

    Args:
        gains: Of every bet, shape (..., 24).
    """
    _, log_weights = stakes()
    total = gains + log_weights
    top = total.max(axis=-1)
    safe = np.where(np.isfinite(top), top, 0.0)
    spread = np.exp(np.minimum(total - safe[..., None], 0.0)).sum(axis=-1)
    return np.asarray(np.where(np.isfinite(top), safe + np.log(spread), top))


@final
class BoundedSequence:
    """A confidence sequence for the mean of numbers in a range, exact at any number of looks.

    The range is declared before looking.  Numbers outside it are moved to its nearer end and
    counted in `clipped`; the sequence is then one for the mean of the clipped numbers.

    Args:
        alpha: Error probability of each end.
        low: The smallest number that can come.
        high: The largest.

    Raises:
        ParameterError: alpha outside (0, 0.5), or a range that is empty or not finite.

    >>> sequence = BoundedSequence(alpha=0.05)
    >>> sequence.add([0.964] * 51)
    >>> print(sequence.interval)
    [0.9005, 0.9664] (90 %)
    """

    def __init__(self, alpha: float = 0.05, low: float = 0.0, high: float = 1.0) -> None:
        """Start without observations."""
        self.alpha = check_alpha(alpha)
        self.low, self.high = check_band(low, high, "range")
        self.clipped = 0
        self._values: Array = np.empty(0)
        self._counts: Array = np.empty(0)
        self._interval: Interval | None = None

    def add(self, values: ArrayLike) -> None:
        """Take in one batch, in the units of the range.

        Raises:
            ParameterError: The batch is empty or not one-dimensional.
            NumericalError: It holds NaN or an infinity.
        """
        batch = sample(values)
        kept = np.clip(batch, self.low, self.high)
        self.clipped += int((kept != batch).sum())
        scaled = np.clip((kept - self.low) / (self.high - self.low), 0.0, 1.0)
        # Bets do not depend on the order: equal numbers are staked on at once.
        both = np.concatenate([self._values, scaled])
        counts = np.concatenate([self._counts, np.ones(len(scaled))])
        self._values, places = np.unique(both, return_inverse=True)
        self._counts = np.bincount(places, weights=counts).astype(np.float64)
        self._interval = None

    @property
    def n(self) -> int:
        """Observations so far."""
        return int(self._counts.sum())

    @property
    def estimate(self) -> float:
        """The mean of the clipped numbers so far; NaN without observations."""
        return self._unscaled(self._mean) if self.n else math.nan

    @property
    def interval(self) -> Interval | None:
        """What the sequence says after these observations; None without any."""
        if self.n and self._interval is None:
            low = _low_end(self._values, self._counts, self._mean, self.alpha)
            above = _low_end(1 - self._values, self._counts, 1 - self._mean, self.alpha)
            ends = self._unscaled(low), self._unscaled(1 - above)
            # Rounding must not carry an end over the mean, which is never excluded.
            estimate = self.estimate
            self._interval = Interval(
                min(ends[0], estimate),
                max(ends[1], estimate),
                1 - 2 * self.alpha,
                "betting_sequence",
            )
        return self._interval

    def log_evidence(self, null: float, *, above: bool = True) -> float:
        """Return the logarithm of the e-process against a mean of at most (at least) `null`.

        Args:
            null: The null mean, in the units of the range.
            above: Bet that the mean is above the null; otherwise below.

        >>> sequence = BoundedSequence()
        >>> sequence.add([0.9, 0.8, 1.0])
        >>> sequence.log_evidence(0.5) > 0 > sequence.log_evidence(0.5, above=False)
        True
        """
        if not self.n:
            return 0.0
        return float(log_capitals(self._gains(null, above)))

    def excludes(self, point: float) -> int | None:
        """Return after how many observations like these a mean would be excluded.

        Returns:
            None above a hundred thousand, or where the estimate equals the point.
        """
        if not self.n or point == self.estimate:
            return None
        if not self.low < point < self.high:
            return self.n
        per_one = self._gains(point, above=point < self.estimate) / self.n
        fewest, most = 0, 100_000
        if float(log_capitals(most * per_one)) < -math.log(self.alpha):
            return None
        while most - fewest > 1:
            middle = (fewest + most) // 2
            if float(log_capitals(middle * per_one)) >= -math.log(self.alpha):
                most = middle
            else:
                fewest = middle
        return most

    @property
    def _mean(self) -> float:
        return float(self._values @ self._counts) / self.n

    def _gains(self, null: float, above: bool) -> Array:
        q = min(max((null - self.low) / (self.high - self.low), 0.0), 1.0)
        if above:
            return log_gains(self._values, q, self._counts)
        return log_gains(1 - self._values, 1 - q, self._counts)

    def _unscaled(self, value: float) -> float:
        return self.low + value * (self.high - self.low)


def _low_end(values: Array, counts: Array, mean: float, alpha: float) -> float:
    """Bisect for the largest excluded mean; the capital falls with it, see the module."""
    excluded, kept, bar = 0.0, mean, -math.log(alpha)
    for _ in range(HALVINGS):
        middle = (excluded + kept) / 2
        if middle > 0 and float(log_capitals(log_gains(values, middle, counts))) >= bar:
            excluded = middle
        else:
            kept = middle
    return excluded
