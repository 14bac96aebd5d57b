"""How many standard errors a confidence sequence needs: a normal mixture of t statistics.

The sequence comes from one Bayes factor: an effect size of 0 against an effect size drawn from a
normal distribution of variance g, with the right Haar prior on the spread (Goenen et al. 2005).
For Gaussian data of unknown variance it is an e-process (Wang and Ramdas 2024), so that, after
any number of looks, the probability that the sequence ever leaves out the true mean is at most
its error probability.  For n to infinity it becomes the asymptotic confidence sequence of
Waudby-Smith et al. (2021), which needs a finite variance only:

    mean +- sd sqrt( 2 (n g + 1) / (n^2 g) ln( sqrt(n g + 1) / a ) ).
"""

import math

import numpy as np

from causalnet.statistics.samples import Array

__all__ = ["MINIMUM_N", "expected_stop", "mixture_multiplier", "skewness_allowance"]

# A sequence says nothing before this many observations: the central limit theorem needs some.
MINIMUM_N = 32


def mixture_multiplier(n: int, alpha: float, expected_n: int) -> float:
    """Return the half-width of the sequence in standard errors of the mean.

    Args:
        n: Observations so far.
        alpha: Error probability of each of the two ends.
        expected_n: The sample size at which the sequence is made narrowest.

    Returns:
        Infinity where so few observations cannot exclude anything.

    >>> [round(mixture_multiplier(n, alpha=0.05, expected_n=200), 2) for n in (32, 200, 2000)]
    [3.68, 2.79, 2.99]
    """
    both = 2 * alpha
    g = (-2 * math.log(both) + math.log(1 - 2 * math.log(both))) / expected_n
    ratio = 1 + n * g
    # (1 + t^2/v) / (1 + t^2/(v ratio)) = growth, solved for t^2, v = n - 1
    growth = math.exp(2 / n * math.log(math.sqrt(ratio) / both))
    if n < 2 or growth >= ratio:
        return math.inf
    return math.sqrt((n - 1) * (growth - 1) / (1 - growth / ratio))


def skewness_allowance(skewness: Array, multiplier: float, n: int) -> tuple[Array, Array]:
    """Return by how many standard errors skewness widens the low and the high end.

    The mean and the spread of a skewed sample go together, so that its t statistic errs to one
    side; the size is the first-order term of Johnson (1978).  Only the endangered end moves, and
    only outwards.

    Args:
        skewness: Of the observations, shape (...).
        multiplier: The half-width in standard errors.
        n: Observations so far.
    """
    size = (1 + 2 * multiplier**2) / (6 * math.sqrt(n))
    return np.maximum(-skewness, 0) * size, np.maximum(skewness, 0) * size


def expected_stop(effect_size: float, alpha: float, expected_n: int) -> int | None:
    """Return after how many observations the sequence would exclude a mean that far away.

    Args:
        effect_size: Distance of the mean from the threshold in standard deviations.
        alpha: Error probability of each end.
        expected_n: As in `mixture_multiplier`.

    Returns:
        None above a hundred thousand.

    >>> expected_stop(0.37, alpha=0.05, expected_n=200)
    67
    """
    low, high = MINIMUM_N - 1, 100_000
    if not _excludes(high, effect_size, alpha, expected_n):
        return None
    while high - low > 1:
        middle = (low + high) // 2
        if _excludes(middle, effect_size, alpha, expected_n):
            high = middle
        else:
            low = middle
    return high


def _excludes(n: int, effect_size: float, alpha: float, expected_n: int) -> bool:
    return mixture_multiplier(n, alpha, expected_n) / math.sqrt(n) < abs(effect_size)
