"""The ends of a confidence set for a mean and for a ratio of means, given moments."""

import numpy as np

from causalnet.statistics.mixture import MINIMUM_N, mixture_multiplier, skewness_allowance
from causalnet.statistics.moments import Moments
from causalnet.statistics.samples import Array

__all__ = ["fieller", "mean_sequence_bounds", "ratio_sequence_bounds"]

# Of products in float64.
ROUNDING = 1e-15


def fieller(moments: Moments, multiplier: Array) -> tuple[Array, Array]:
    """Return all f that D(f) = numerator - f denominator cannot exclude (Fieller 1954).

    An f stays when the mean of D(f) is at most `multiplier` standard errors away from 0, a
    quadratic inequality in f.

    Args:
        moments: Of (numerator, denominator) pairs, p = 2.
        multiplier: Standard errors, shape (...).

    Returns:
        Low and high ends, shape (...); NaN where the set is unbounded or the mean of the
        denominators is not above 0.
    """
    numerator, denominator = moments.mean[..., 0], moments.mean[..., 1]
    scale = multiplier**2 / moments.n
    s = moments.covariance()
    a = denominator**2 - scale * s[..., 1, 1]
    b = numerator * denominator - scale * s[..., 0, 1]
    c = numerator**2 - scale * s[..., 0, 0]
    bounded = (a > 0) & (denominator > 0)
    safe = np.where(bounded, a, 1.0)
    # The difference carries the rounding of its terms: proportional samples keep that width.
    root = np.sqrt(np.maximum(b**2 - a * c, ROUNDING * b**2))
    # The ratio itself is never excluded; rounding must not exclude it either.
    ratio = numerator / np.where(bounded, denominator, 1.0)
    low, high = np.minimum((b - root) / safe, ratio), np.maximum((b + root) / safe, ratio)
    return np.where(bounded, low, np.nan), np.where(bounded, high, np.nan)


def mean_sequence_bounds(
    moments: Moments, alpha: float, expected_n: int, minimum_n: int = MINIMUM_N
) -> tuple[Array, Array]:
    """Return the ends of the sequence for a mean, p = 1.

    Args:
        moments: Of single numbers, with any leading axes.
        alpha: Error probability of each end.
        expected_n: The sample size at which the sequence is made narrowest.
        minimum_n: Observations before which it says nothing; with fewer than `MINIMUM_N` it rests
            on the numbers being nearly normal, not on their mean being so.

    Returns:
        Low and high ends, shape (...); NaN where there are fewer than `minimum_n` observations,
        or where all of them are equal and say nothing about their spread.
    """
    mean, n = moments.mean[..., 0], moments.n
    multiplier = mixture_multiplier(n, alpha, expected_n)
    if n < minimum_n or multiplier == np.inf:
        return np.full(mean.shape, np.nan), np.full(mean.shape, np.nan)
    error = np.sqrt(moments.covariance()[..., 0, 0] / n)
    skewness = moments.skewness(np.ones_like(moments.mean))
    below, above = skewness_allowance(skewness, multiplier, n)
    known = moments.has_spread()[..., 0]
    low, high = mean - (multiplier + below) * error, mean + (multiplier + above) * error
    return np.where(known, low, np.nan), np.where(known, high, np.nan)


def ratio_sequence_bounds(moments: Moments, alpha: float, expected_n: int) -> tuple[Array, Array]:
    """Return the ends of the sequence for a ratio of means, p = 2.

    The sequence for the mean of D(f) is inverted at every f.  Its skewness is taken at the
    estimated ratio, next to the true one, which is the only f that must never be excluded.

    Returns:
        Low and high ends, shape (...); NaN as for `mean_sequence_bounds` and `fieller`.
    """
    n, shape = moments.n, moments.mean.shape[:-1]
    multiplier = mixture_multiplier(n, alpha, expected_n)
    if n < MINIMUM_N or multiplier == np.inf:
        return np.full(shape, np.nan), np.full(shape, np.nan)
    below, above = skewness_allowance(moments.skewness(_contrast(moments)), multiplier, n)
    known = moments.has_spread().any(axis=-1)
    low, high = fieller(moments, multiplier + below)[0], fieller(moments, multiplier + above)[1]
    bounded = known & ~np.isnan(low) & ~np.isnan(high)
    return np.where(bounded, low, np.nan), np.where(bounded, high, np.nan)


def _contrast(moments: Moments) -> Array:
    """Return the weights of D at the estimated ratio; of the numerator where there is none."""
    denominator = moments.mean[..., 1]
    positive = denominator > 0
    ratio = np.where(positive, moments.mean[..., 0] / np.where(positive, denominator, 1.0), 0.0)
    return np.stack([np.ones_like(ratio), -ratio], axis=-1)
