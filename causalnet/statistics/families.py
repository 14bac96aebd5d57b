"""Many hypotheses at once: which of them can be rejected together.

| function | what it bounds | takes | source |
|---|---|---|---|
| `holm` | the probability of any false rejection | p-values | Holm 1979 |
| `e_benjamini_hochberg` | the expected share of false ones | e-values | Wang and Ramdas 2022 |

Both hold under any dependence.

An anytime-valid p-value may be the smallest so far: Ville's inequality is about the largest value
that an e-process ever has.  The largest e-value so far is no e-value, since its mean may exceed 1:
`e_benjamini_hochberg` takes the values at the moment of stopping.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from causalnet.errors import ParameterError
from causalnet.statistics.samples import Array, check_alpha

__all__ = ["e_benjamini_hochberg", "holm", "p_values"]

Rejected = NDArray[np.bool_]


def holm(p: ArrayLike, alpha: float = 0.05) -> Rejected:
    """Return which hypotheses are rejected, with any false one among them at most `alpha` often.

    Args:
        p: p-values, shape (..., hypotheses); 1 where nothing is known.
        alpha: Family-wise error rate.

    Returns:
        True where rejected, the same shape.

    Raises:
        ParameterError: A number that is no p-value, or alpha outside (0, 0.5).

    >>> holm([0.001, 0.02, 0.3, 0.01]).tolist()
    [True, True, False, True]
    """
    values, alpha = _checked(p, "p-value", 1.0), check_alpha(alpha)
    return np.asarray(adjusted(values) <= alpha)


def adjusted(p: ArrayLike) -> Array:
    """Return Holm's adjusted p-values: the smallest level at which each is rejected.

    >>> adjusted([0.01, 0.04, 0.02]).tolist()
    [0.03, 0.04, 0.04]
    """
    values = _checked(p, "p-value", 1.0)
    size = values.shape[-1]
    order = np.argsort(values, axis=-1, kind="stable")
    scaled = np.take_along_axis(values, order, axis=-1) * np.arange(size, 0, -1)
    stepped = np.minimum(np.maximum.accumulate(scaled, axis=-1), 1.0)
    result = np.empty_like(values)
    np.put_along_axis(result, order, stepped, axis=-1)
    return result


def e_benjamini_hochberg(e: ArrayLike, alpha: float = 0.05) -> Rejected:
    """Return which hypotheses are rejected, at most a share `alpha` of them falsely on average.

    The k largest e-values are rejected for the largest k whose k-th reaches hypotheses / (alpha k).

    Args:
        e: e-values at the moment of stopping, shape (..., hypotheses); 0 where nothing is known.
        alpha: False discovery rate.

    Returns:
        True where rejected, the same shape.

    Raises:
        ParameterError: A number that is no e-value, or alpha outside (0, 0.5).

    >>> e_benjamini_hochberg([100.0, 1.0, 45.0, 2.0], alpha=0.05).tolist()
    [True, False, True, False]
    """
    values, alpha = _checked(e, "e-value", np.inf), check_alpha(alpha)
    size = values.shape[-1]
    ordered = -np.sort(-values, axis=-1)
    ranks = np.arange(1, size + 1)
    enough = ordered * ranks >= size / alpha
    count = np.where(enough, ranks, 0).max(axis=-1, keepdims=True)
    bar = size / (alpha * np.maximum(count, 1))
    return np.asarray((count > 0) & (values >= bar))


def p_values(e: ArrayLike) -> Array:
    """Return the p-values of e-values: 1/e, and at most 1.

    >>> p_values([0.5, 20.0, float("inf")]).tolist()
    [1.0, 0.05, 0.0]
    """
    values = _checked(e, "e-value", np.inf)
    return np.asarray(1.0 / np.maximum(values, 1.0))


def _checked(values: ArrayLike, name: str, most: float) -> Array:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim == 0 or array.shape[-1] == 0:
        raise ParameterError(
            came=f"The {name}s have the shape {array.shape}.",
            possible="There is at least one hypothesis, on the last axis.",
            write=f"Give one {name} per hypothesis.",
        )
    bad = ~((array >= 0) & (array <= most))
    if bad.any():
        raise ParameterError(
            came=f"A {name} is {array[bad][0]!r}.",
            possible=f"A {name} lies between 0 and {most:g}.",
            write=f"Write {0 if most > 1 else 1} where nothing is known about a hypothesis.",
        )
    return array
