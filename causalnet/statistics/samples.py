"""Reading numbers: every sample is finite, not empty and of the expected shape."""

import math
from typing import get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from causalnet.errors import NumericalError, ParameterError
from causalnet.statistics.decision import Direction

__all__ = [
    "Array",
    "check_alpha",
    "check_band",
    "check_direction",
    "check_expected_n",
    "check_level",
    "check_margin",
    "check_threshold",
    "sample",
]

Array = NDArray[np.float64]


def sample(values: ArrayLike, name: str = "values") -> Array:
    """Read a one-dimensional sample as float64.

    Raises:
        ParameterError: It is empty or not one-dimensional.
        NumericalError: It holds NaN or an infinity; names the first one.
    """
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or array.size == 0:
        raise ParameterError(
            came=f"The {name} have the shape {array.shape}.",
            possible="A sample is one-dimensional and has at least one number.",
            write="Give one number per prompt.",
        )
    bad = np.flatnonzero(~np.isfinite(array))
    if bad.size:
        raise NumericalError(
            came=f"Number {bad[0]} of the {name} is {array[bad[0]]} ({bad.size} of {array.size}).",
            possible="Every number of a sample is finite.",
            write="Look at that prompt; a wider dtype, such as float32, often helps.",
        )
    return array


def check_alpha(alpha: float, name: str = "alpha") -> float:
    """Return an error probability inside (0, 0.5), or raise ParameterError."""
    if not 0 < alpha < 0.5:
        raise ParameterError(
            came=f"{name} is {alpha!r}.",
            possible="It lies above 0 and below 0.5.",
            write=f"Write for example {name}=0.05.",
        )
    return float(alpha)


def check_level(level: float) -> float:
    """Return a coverage inside (0, 1), or raise ParameterError."""
    if not 0 < level < 1:
        raise ParameterError(
            came=f"The level is {level!r}.",
            possible="It lies above 0 and below 1.",
            write="Write for example level=0.95.",
        )
    return float(level)


def check_expected_n(expected_n: int) -> int:
    """Return a planned sample size of at least 1, or raise ParameterError."""
    if expected_n < 1:
        raise ParameterError(
            came=f"expected_n is {expected_n!r}.",
            possible="It is a whole number of at least 1.",
            write="Write the number of prompts that you plan with, for example expected_n=200.",
        )
    return expected_n


def check_threshold(threshold: float) -> float:
    """Return a finite threshold, or raise ParameterError."""
    if not math.isfinite(threshold):
        raise ParameterError(
            came=f"The threshold is {threshold!r}.",
            possible="It is a finite number.",
            write="Write for example threshold=0.9.",
        )
    return float(threshold)


def check_direction(direction: Direction) -> Direction:
    """Return a direction, or raise ParameterError."""
    if direction not in get_args(Direction):
        raise ParameterError(
            came=f"The direction is {direction!r}.",
            possible=f"It is one of {', '.join(get_args(Direction))}.",
            write="Write direction='at_least'.",
        )
    return direction


def check_band(low: float, high: float, name: str = "within") -> tuple[float, float]:
    """Return two finite ends in order, or raise ParameterError."""
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise ParameterError(
            came=f"{name} is [{low!r}, {high!r}].",
            possible="It has two finite ends, the lower one first.",
            write=f"Write for example {name}=(0.9, 1.1).",
        )
    return float(low), float(high)


def check_margin(margin: float | None) -> float | None:
    """Return a margin above 0 or none, or raise ParameterError."""
    if margin is not None and not (math.isfinite(margin) and margin > 0):
        raise ParameterError(
            came=f"The margin is {margin!r}.",
            possible="It is a finite number above 0, in the units of the threshold.",
            write="Write for example margin=0.02, or leave it out.",
        )
    return None if margin is None else float(margin)
