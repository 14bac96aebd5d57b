"""How many prompts a wanted error rate needs, before and while they are spent."""

import math

import numpy as np

from causalnet.errors import ParameterError
from causalnet.statistics.betting import log_capitals, log_gains
from causalnet.statistics.mixture import MINIMUM_N, expected_stop, mixture_multiplier
from causalnet.statistics.samples import check_alpha, check_band, check_expected_n

__all__ = ["fewest_prompts", "needed_bounded_prompts", "needed_prompts"]

MOST = 100_000


def needed_prompts(
    effect_size: float,
    alpha: float = 0.05,
    *,
    miss: float = 0.1,
    family: int = 1,
    expected_n: int = 200,
) -> int | None:
    """Return how many prompts show a mean beyond its threshold, at the wanted error rates.

    Args:
        effect_size: Distance of the mean from the threshold in standard deviations.
        alpha: Probability of a false verdict.
        miss: Probability that the true effect is not shown by then, in the normal approximation;
            0.5 gives the number at which the sequence would decide if the sample were its own
            expectation.
        family: Among how many mediators the error is shared.
        expected_n: As in `MeanSequence`.

    Returns:
        None above a hundred thousand.

    Raises:
        ParameterError: A probability outside (0, 0.5), of `miss` outside (0, 0.5], a family below
            1, or an effect size that is NaN.

    >>> needed_prompts(0.37), needed_prompts(0.37, miss=0.5), needed_prompts(0.37, family=270)
    (124, 67, 248)
    """
    from scipy.special import ndtri

    alpha = check_alpha(alpha) / _checked_family(family)
    check_expected_n(expected_n)
    if math.isnan(effect_size) or not 0 < miss <= 0.5:
        raise ParameterError(
            came=f"The effect size is {effect_size!r} and miss {miss!r}.",
            possible="An effect size is a number, and miss lies above 0 and is at most 0.5.",
            write="Write for example effect_size=0.5, miss=0.1.",
        )
    if miss == 0.5:
        return expected_stop(effect_size, alpha, expected_n)
    slack, size = -float(ndtri(miss)), abs(effect_size)

    def shows(n: int) -> bool:
        return (mixture_multiplier(n, alpha, expected_n) + slack) / math.sqrt(n) < size

    if not shows(MOST):
        return None
    low, high = MINIMUM_N - 1, MOST
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if shows(middle) else (middle, high)
    return high


def fewest_prompts(alpha: float = 0.05, *, family: int = 1, expected_n: int = 200) -> int:
    """Return from how many prompts on a mean or ratio can be decided at all.

    Raises:
        ParameterError: alpha outside (0, 0.5), or a family below 1.

    >>> fewest_prompts(0.05), fewest_prompts(0.05, family=270)
    (32, 32)
    """
    alpha = check_alpha(alpha) / _checked_family(family)
    n = MINIMUM_N
    while mixture_multiplier(n, alpha, expected_n) == math.inf:
        n += 1
    return n


def needed_bounded_prompts(
    mean: float,
    threshold: float,
    alpha: float = 0.05,
    *,
    low: float = 0.0,
    high: float = 1.0,
    family: int = 1,
) -> int | None:
    """Return how many equal numbers show a bounded mean beyond a threshold: the fewest there are.

    Args:
        mean: What every prompt gives; numbers that vary about it need more.
        threshold: What the mean is compared with.
        alpha: Probability of a false verdict.
        low: The smallest number that can come.
        high: The largest.
        family: Among how many mediators the error is shared.

    Returns:
        None above a hundred thousand, or where the mean is the threshold.

    Raises:
        ParameterError: alpha outside (0, 0.5), a range that is none, or numbers outside it.

    >>> needed_bounded_prompts(1.0, 0.9), needed_bounded_prompts(0.964, 0.9)
    (33, 51)
    """
    low, high = check_band(low, high, "range")
    alpha = check_alpha(alpha) / _checked_family(family)
    if not (low <= mean <= high and low < threshold < high):
        raise ParameterError(
            came=f"The mean is {mean!r} and the threshold {threshold!r}, of [{low:g}, {high:g}].",
            possible="The mean lies in the range and the threshold inside it.",
            write="Give both in the units of the range.",
        )
    value, null = ((one - low) / (high - low) for one in (mean, threshold))
    if value < null:
        value, null = 1 - value, 1 - null
    gains = log_gains(np.array([value]), null)
    if value == null or float(log_capitals(MOST * gains)) < -math.log(alpha):
        return None
    first, last = 0, MOST
    while last - first > 1:
        middle = (first + last) // 2
        if float(log_capitals(middle * gains)) >= -math.log(alpha):
            last = middle
        else:
            first = middle
    return last


def _checked_family(family: int) -> int:
    if family < 1:
        raise ParameterError(
            came=f"The family has {family!r} members.",
            possible="It has at least one.",
            write="Write the number of mediators that are judged together.",
        )
    return family
