"""The first k sites of a ranking, without breaking ties, and the k that a share stands for."""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from causalnet.discovery.scoring.conventions import Convention, Site, ranked_by
from causalnet.errors import ParameterError

__all__ = ["count_of", "counts_of", "top_sites"]


def top_sites(
    scores: Mapping[Site, float], count: int, *, convention: Convention
) -> frozenset[Site]:
    """Return the sites that rank among the first `count`, whatever the order of ties.

    Sites that tie across the cut are left out, all of them: which of them rank first is decided
    by nothing in the scores, and an order of names that two rankings share would make them
    overlap.  There are then fewer than `count` sites, at worst none.

    Raises:
        ParameterError: A count outside 1 ... sites, or scores that cannot be ranked.

    >>> sorted(top_sites({"a": 3.0, "b": 1.0, "c": 1.0}, 2, convention="signed"))
    ['a']
    """
    values = ranked_by(scores, convention)
    if not 1 <= count <= values.size:
        raise ParameterError(
            came=f"The first {count} sites of a ranking were asked for.",
            possible=f"It has {values.size} sites, and at least 1 is taken.",
            write="Write a smaller count, or a share such as 0.1.",
        )
    if count == values.size:
        return frozenset(scores)
    descending = np.sort(values)[::-1]
    last, next_one = descending[count - 1], descending[count]
    kept = values >= last if last > next_one else values > last
    return frozenset(site for site, keep in zip(scores, kept, strict=True) if keep)


def count_of(threshold: float, total: int) -> int:
    """Return how many of `total` sites a count or a share stands for.

    Args:
        threshold: A whole number is a count; a float in (0, 1] is a share, rounded to the nearest
            count (halves up), at least 1.
        total: All sites.

    Raises:
        ParameterError: A count or share outside its range.

    >>> [count_of(threshold, 270) for threshold in (0.01, 0.02, 0.05, 0.1, 1.0, 10, 1)]
    [3, 5, 14, 27, 270, 10, 1]
    """
    whole = isinstance(threshold, int | np.integer) and not isinstance(threshold, bool)
    if whole and 1 <= threshold <= total:
        return int(threshold)
    if isinstance(threshold, float | np.floating) and 0 < threshold <= 1:
        # Shares such as 0.05 are not binary fractions: what is a half in decimals rounds up.
        return max(1, math.floor(threshold * total + 0.5 + 1e-9))
    raise ParameterError(
        came=f"The threshold is {threshold!r}.",
        possible=f"It is a count from 1 to {total}, or a share: a float above 0, at most 1.",
        write="Write for example 0.05 for the first 5 %, or 10 for the first ten.",
    )


def counts_of(thresholds: Sequence[float], total: int) -> dict[int, float]:
    """Return the distinct counts of several thresholds, each with the first that asks for it.

    Two thresholds with the same count are one question, asked once.

    Raises:
        ParameterError: No thresholds, or one outside its range.

    >>> counts_of((0.01, 0.02, 0.05), 69)
    {1: 0.01, 3: 0.05}
    """
    if not thresholds:
        raise ParameterError(
            came="There are no thresholds.",
            possible="A sweep has at least one.",
            write="Write for example thresholds=(0.01, 0.02, 0.05, 0.1).",
        )
    counts: dict[int, float] = {}
    for threshold in thresholds:
        count = count_of(threshold, total)
        whole = isinstance(threshold, int | np.integer)
        counts.setdefault(count, count if whole else float(threshold))
    return counts
