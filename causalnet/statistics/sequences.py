"""Confidence sequences: intervals that stay valid however often one looks and stops.

A sequence with error probability `alpha` at each end has the level 1 - 2 alpha: with at least
that probability it holds the true number at every look at once.  Which guarantee is exact and
which is asymptotic is said in `mixture` and `wins`.

For means and ratios it was tried (`bench/verdict_error_rates.py`, 2,000 sweeps, a look after every
8 prompts, up to 200 and up to 1,000) at alpha = 0.05.  The larger of false SUPPORTED and false
REFUTED was

| noise | 200 prompts | 1,000 prompts |
|---|---|---|
| Gaussian; t with 4 or 3 degrees | 0.015 | 0.029 |
| exponential (skewness 2), either way | 0.030 | 0.044 |
| log-normal (skewness 6.2), either way | 0.059 | 0.080 |
| perfect but for 1 prompt in 20 | 0.197 | 0.205 |
| for comparison: a t test at every look, Gaussian | 0.233 | 0.300 |

So it holds up to moderate skewness, is off by a little under extreme skewness, and cannot know of
failures so rare that the first 32 prompts may show none.  Where failures are rare and large, judge
a rate with `WinSequence`, or numbers in a declared range with `BoundedSequence`: both are exact.
"""

from typing import final

import numpy as np
from numpy.typing import ArrayLike

from causalnet.statistics.bounds import mean_sequence_bounds, ratio_sequence_bounds
from causalnet.statistics.fixed_sample import paired_samples
from causalnet.statistics.interval import Interval
from causalnet.statistics.moments import Moments, moments_of
from causalnet.statistics.samples import Array, check_alpha, check_expected_n, sample

__all__ = ["MeanSequence", "RatioSequence"]


@final
class MeanSequence:
    """A confidence sequence for a mean.

    It starts after 32 observations.  Observations that are all equal say nothing about their
    spread, so that they give no interval.

    Args:
        alpha: Error probability of each end.
        expected_n: The sample size at which the sequence is made narrowest.

    Raises:
        ParameterError: alpha outside (0, 0.5), or expected_n below 1.

    >>> import numpy as np
    >>> sequence = MeanSequence(alpha=0.05)
    >>> sequence.add(np.random.default_rng(0).normal(1.0, 2.0, size=100))
    >>> print(sequence.interval)
    [0.61, 1.72] (90 %)
    """

    def __init__(self, alpha: float = 0.05, expected_n: int = 200) -> None:
        """Start without observations."""
        self.alpha = check_alpha(alpha)
        self.expected_n = check_expected_n(expected_n)
        self._moments: Moments | None = None

    def add(self, values: ArrayLike) -> None:
        """Take in one batch.

        Raises:
            ParameterError: The batch is empty or not one-dimensional.
            NumericalError: It holds NaN or an infinity.
        """
        self._moments = _merged(self._moments, sample(values)[:, None])

    @property
    def n(self) -> int:
        """Observations so far."""
        return 0 if self._moments is None else self._moments.n

    @property
    def estimate(self) -> float:
        """The mean so far; NaN without observations."""
        return np.nan if self._moments is None else float(self._moments.mean[0])

    @property
    def deviation(self) -> float:
        """The standard deviation so far; 0 below two observations."""
        return 0.0 if self._moments is None else float(self._moments.covariance()[0, 0]) ** 0.5

    @property
    def has_spread(self) -> bool:
        """Whether the observations differ at all."""
        return self._moments is not None and bool(self._moments.has_spread()[0])

    @property
    def interval(self) -> Interval | None:
        """What the sequence says after these observations; None while it says nothing."""
        if self._moments is None:
            return None
        low, high = mean_sequence_bounds(self._moments, self.alpha, self.expected_n)
        return _interval(low, high, self.alpha, "student_mixture_sequence")


@final
class RatioSequence:
    """A confidence sequence for a ratio of means E[numerator] / E[denominator] of pairs.

    It holds every f for which the sequence of D(f) = numerator - f denominator holds 0, so that
    no ratio of two numbers is ever averaged.

    Args:
        alpha: Error probability of each end.
        expected_n: The sample size at which the sequence is made narrowest.

    Raises:
        ParameterError: alpha outside (0, 0.5), or expected_n below 1.

    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> denominators = rng.normal(4.2, 2.7, size=200)
    >>> sequence = RatioSequence(alpha=0.05)
    >>> sequence.add(0.9 * denominators + rng.normal(0.0, 1.0, size=200), denominators)
    >>> print(sequence.interval)
    [0.8312, 0.9276] (90 %)
    """

    def __init__(self, alpha: float = 0.05, expected_n: int = 200) -> None:
        """Start without observations."""
        self.alpha = check_alpha(alpha)
        self.expected_n = check_expected_n(expected_n)
        self._moments: Moments | None = None

    def add(self, numerators: ArrayLike, denominators: ArrayLike) -> None:
        """Take in one batch of pairs.

        Raises:
            ParameterError: The batch is empty, not one-dimensional, or of unequal lengths.
            NumericalError: It holds NaN or an infinity.
        """
        self._moments = _merged(self._moments, paired_samples(numerators, denominators))

    @property
    def n(self) -> int:
        """Pairs so far."""
        return 0 if self._moments is None else self._moments.n

    @property
    def estimate(self) -> float:
        """The ratio of the means so far; NaN where the mean denominator is not above 0."""
        if self._moments is None or self._moments.mean[1] <= 0:
            return np.nan
        return float(self._moments.mean[0] / self._moments.mean[1])

    @property
    def has_spread(self) -> bool:
        """Whether the pairs differ at all."""
        return self._moments is not None and bool(self._moments.has_spread().any())

    @property
    def interval(self) -> Interval | None:
        """What the sequence says after these pairs; None while it says nothing or is unbounded."""
        if self._moments is None:
            return None
        low, high = ratio_sequence_bounds(self._moments, self.alpha, self.expected_n)
        return _interval(low, high, self.alpha, "fieller_mixture_sequence")

    def effect_size(self, threshold: float) -> float:
        """Return mean(D) / sd(D) at a threshold; 0 where D has no spread to tell them apart."""
        if self._moments is None:
            return 0.0
        weights = np.array([1.0, -threshold])
        mean = float(weights @ self._moments.mean)
        variance = float(weights @ self._moments.covariance() @ weights)
        return mean / variance**0.5 if variance > 0 else 0.0


def _merged(moments: Moments | None, batch: Array) -> Moments:
    fresh = moments_of(batch)
    return fresh if moments is None else moments.merge(fresh)


def _interval(low: Array, high: Array, alpha: float, method: str) -> Interval | None:
    if np.isnan(low):
        return None
    return Interval(float(low), float(high), 1 - 2 * alpha, method)
