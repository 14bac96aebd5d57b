"""How much many circuits agree, and how often something happened: Jaccard indices, Wilson."""

import math
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from causalnet.discovery.scoring.conventions import Array
from causalnet.statistics import Interval

__all__ = ["jaccard_with", "mean_of_pairs", "pairwise_jaccard", "wilson_interval"]

LEVEL = 0.95


def wilson_interval(count: int, n: int, level: float = LEVEL) -> Interval:
    """Return the score interval for a share (Wilson 1927); inside [0, 1], never of width 0.

    Args:
        count: How often it happened, 0 ... n.
        n: Out of how many, at least 1.
        level: The coverage, in (0, 1).

    >>> print(wilson_interval(33, 40))
    [0.681, 0.913] (95 %)
    """
    z2 = NormalDist().inv_cdf((1 + level) / 2) ** 2
    middle = (count + z2 / 2) / (n + z2)
    half = math.sqrt(z2 * (count * (n - count) / n + z2 / 4)) / (n + z2)
    low = 0.0 if count == 0 else middle - half
    high = 1.0 if count == n else middle + half
    return Interval(low, high, level, "wilson")


def pairwise_jaccard(circuits: NDArray[np.bool_]) -> Array:
    """Return the Jaccard index of every pair of circuits, 0 where both are empty.

    Args:
        circuits: Which sites each circuit holds, shape (circuits, sites).

    Returns:
        Shape (circuits, circuits).

    >>> pairwise_jaccard(np.array([[True, True, False], [False, True, True]])).round(3).tolist()
    [[1.0, 0.333], [0.333, 1.0]]
    """
    ever = circuits[:, circuits.any(axis=0)].astype(np.float64)  # counts stay exact
    shared = ever @ ever.T
    sizes = ever.sum(axis=1)
    either = sizes[:, None] + sizes[None, :] - shared
    index: Array = np.divide(shared, either, out=np.zeros_like(shared), where=either > 0)
    return index


def mean_of_pairs(pairs: Array) -> tuple[float, float]:
    """Return the mean off the diagonal and its jackknife error, each circuit left out once.

    Args:
        pairs: Symmetric, shape (circuits, circuits), at least 3.
    """
    n = len(pairs)
    rows = pairs.sum(axis=1) - np.diag(pairs)
    total = float(rows.sum())
    mean = total / (n * (n - 1))
    without = (total - 2 * rows) / ((n - 1) * (n - 2))
    return mean, math.sqrt((n - 1) / n * float(((without - without.mean()) ** 2).sum()))


def jaccard_with(circuits: NDArray[np.bool_], full: NDArray[np.bool_]) -> Array:
    """Return the Jaccard index of every circuit with one that is not empty; shape (circuits)."""
    shared = (circuits & full).sum(axis=1)
    either: Array = shared / (circuits | full).sum(axis=1)
    return either
