"""Intervals for a sample whose size was fixed before looking."""

import math

import numpy as np
from numpy.typing import ArrayLike

from causalnet.errors import ParameterError
from causalnet.statistics.bounds import fieller
from causalnet.statistics.interval import Interval
from causalnet.statistics.moments import moments_of
from causalnet.statistics.samples import Array, check_level, sample

__all__ = ["paired_samples", "ratio_interval", "student_interval"]


def student_interval(values: ArrayLike, level: float = 0.95) -> Interval:
    """Return Student's t interval for the mean.

    A single value says nothing about the spread: its interval is the whole line.  Equal values
    give an interval of width 0, for example for an effect that is exactly 0 on every prompt.

    Args:
        values: One number per prompt, at least one.
        level: Coverage.

    Raises:
        ParameterError: No values, or a level outside (0, 1).
        NumericalError: NaN or infinity among the values.

    >>> print(student_interval([1.0, 2.0, 3.0, 4.0]))
    [0.45, 4.55] (95 %)
    """
    array, level = sample(values), check_level(level)
    mean = float(array.mean())
    if array.size == 1:
        return Interval(-math.inf, math.inf, level, "student_t")
    error = float(array.std(ddof=1)) / math.sqrt(array.size)
    half = _student_quantile(array.size - 1, level) * error
    return Interval(mean - half, mean + half, level, "student_t")


def ratio_interval(
    numerators: ArrayLike, denominators: ArrayLike, level: float = 0.95
) -> Interval | None:
    """Return Fieller's interval for the ratio of two means of paired samples.

    Args:
        numerators: One number per prompt.
        denominators: One number per prompt, in the same order.
        level: Coverage.

    Returns:
        None where the mean of the denominators is not clearly above 0, so that no bounded
        interval exists; and for a single pair.

    Raises:
        ParameterError: No values, unequal lengths, or a level outside (0, 1).
        NumericalError: NaN or infinity among the values.

    >>> print(ratio_interval([0.9, 2.1, 2.8, 4.1], [1.0, 2.0, 3.0, 4.0]))
    [0.716, 1.098] (95 %)
    >>> print(ratio_interval([1.0, -1.0], [1.0, -1.0]))
    None
    """
    pairs, level = paired_samples(numerators, denominators), check_level(level)
    if len(pairs) < 2:
        return None
    quantile = np.asarray(_student_quantile(len(pairs) - 1, level))
    low, high = fieller(moments_of(pairs), quantile)
    if np.isnan(low):
        return None
    return Interval(float(low), float(high), level, "fieller_t")


def paired_samples(numerators: ArrayLike, denominators: ArrayLike) -> Array:
    """Read two samples of equal length as one array of shape (n, 2)."""
    above, below = sample(numerators, "numerators"), sample(denominators, "denominators")
    if len(above) != len(below):
        raise ParameterError(
            came=f"{len(above)} numerators and {len(below)} denominators.",
            possible="They are paired, one of each per prompt.",
            write="Give two samples of the same length, in the same order.",
        )
    return np.stack([above, below], axis=-1)


def _student_quantile(degrees: int, level: float) -> float:
    from scipy.special import stdtrit

    return float(stdtrit(degrees, (1 + level) / 2))
