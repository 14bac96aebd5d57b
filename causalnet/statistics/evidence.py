"""e-values for means of any size: a Bayes factor on the t statistic, one-sided.

Against "the mean is at most m" the effect size is drawn from the positive half of a normal
distribution of variance g, with the right Haar prior on the spread.  The factor grows with the t
statistic, and a shift of all observations by the same amount shifts no spread: on every path it is
at most what it would be if the mean were m, where for Gaussian data it is a martingale (Wang and
Ramdas 2024).  So it is an e-process against the whole one-sided null, for any unknown variance, and
asymptotically for any distribution of finite variance.  The average of both sides is the two-sided
factor of `mixture`; skewness is allowed for in the same way.
"""

import math
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike

from causalnet.statistics.mixture import MINIMUM_N
from causalnet.statistics.samples import Array

__all__ = ["log_e_above", "one_sided_multiplier", "prior_variance", "without_skewness"]

HALVINGS = 60


def prior_variance(alpha: float, expected_n: int) -> float:
    """Return the variance g that makes an end with error `alpha` narrowest at `expected_n`.

    >>> round(prior_variance(0.05, 200), 4)
    0.0316
    """
    both = 2 * alpha
    return (-2 * math.log(both) + math.log(1 - 2 * math.log(both))) / expected_n


def log_e_above(n: ArrayLike, t: ArrayLike, g: float) -> Array:
    """Return the logarithm of the e-process against "the mean is at most m".

    Args:
        n: Observations, any shape.
        t: sqrt(n) (mean - m) / sd, the same shape.
        g: Variance of the effect size, fixed before looking.

    Returns:
        The same shape; minus infinity with fewer than 32 observations, which say nothing yet.

    >>> [round(float(log_e_above(100, t, 0.03)), 2) for t in (-2.0, 0.0, 2.0, 4.0)]
    [-1.66, -0.69, 1.43, 5.51]
    """
    from scipy.special import stdtr

    size, t = np.asarray(n, dtype=np.float64), np.asarray(t, dtype=np.float64)
    v = np.maximum(size - 1, 1.0)
    ratio = 1 + size * g
    factor = size / 2 * (np.log1p(t**2 / v) - np.log1p(t**2 / (v * ratio))) - np.log(ratio) / 2
    with np.errstate(divide="ignore"):
        side = np.log(2 * stdtr(size, t * size * math.sqrt(g) / np.sqrt(ratio * v + t**2)))
    return np.asarray(np.where(size >= MINIMUM_N, factor + side, -np.inf))


def without_skewness(n: ArrayLike, t: ArrayLike, skewness: ArrayLike) -> Array:
    """Return the t statistic less what skewness may have added to it: at most `t`.

    It is the number of standard errors whose `mixture.skewness_allowance` makes up the rest.

    Args:
        n: Observations, any shape.
        t: As for `log_e_above`.
        skewness: Of the observations.

    >>> bool(without_skewness(100, 3.0, -1.0) < 3.0), float(without_skewness(100, 3.0, 1.0))
    (True, 3.0)
    """
    size, t = np.asarray(n, dtype=np.float64), np.asarray(t, dtype=np.float64)
    unit = np.maximum(-np.asarray(skewness, dtype=np.float64), 0) / (6 * np.sqrt(size))
    # q + unit (1 + 2 q^2) = t, solved for q in a form that also holds for unit = 0
    rest = t - unit
    inside = np.maximum(1 + 8 * unit * rest, 0.0)
    return np.asarray(np.where(rest > 0, 2 * rest / (1 + np.sqrt(inside)), rest))


def one_sided_multiplier(n: ArrayLike, log_bar: float, g: float) -> Array:
    """Return the t statistic at which the e-process reaches a bar.

    Args:
        n: Observations, whole numbers of any shape.
        log_bar: Logarithm of the bar, e.g. of 1/alpha.
        g: As for `log_e_above`.

    Returns:
        The same shape; infinite where no t statistic would do.

    >>> round(float(one_sided_multiplier(200, math.log(20), prior_variance(0.05, 200))), 2)
    2.79
    """
    sizes, places = np.unique(np.asarray(n, dtype=np.int64), return_inverse=True)
    found = np.array([_multiplier(int(size), log_bar, g) for size in sizes])
    return np.asarray(found[places].reshape(np.shape(n)))


@lru_cache(maxsize=4096)
def _multiplier(n: int, log_bar: float, g: float) -> float:
    low, high = 0.0, 1e6
    if not log_e_above(n, high, g) >= log_bar:
        return math.inf
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if log_e_above(n, middle, g) >= log_bar else (middle, high)
    return high
