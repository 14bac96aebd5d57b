"""By which value sites are ranked, and reading the scores that are ranked.

A ranking puts the largest value first.  `signed` ranks by the scores as they are given, so that an
importance (unpatched - patched) is what to give; `absolute` ranks by their absolute values.
"""

import math
from collections.abc import Collection, Hashable, Mapping
from typing import Literal, TypeVar, get_args

import numpy as np
from numpy.typing import NDArray

from causalnet.errors import ParameterError

__all__ = ["Array", "Convention", "Site", "check_convention", "check_known", "ranked_by"]

Array = NDArray[np.float64]
Convention = Literal["signed", "absolute"]
Site = TypeVar("Site", bound=Hashable)

NAMED_AT_MOST = 5


def check_convention(convention: Convention) -> Convention:
    """Return a convention, or raise ParameterError."""
    if convention not in get_args(Convention):
        raise ParameterError(
            came=f"The convention is {convention!r}.",
            possible=f"It is one of {', '.join(get_args(Convention))}.",
            write="Write convention='absolute', or 'signed' to rank importances.",
        )
    return convention


def check_known(
    members: Collection[Site], sites: Collection[Site], what: str, where: str = "The ranking"
) -> frozenset[Site]:
    """Return the members as a set, or raise ParameterError where one is not among the sites."""
    given = frozenset(members)
    if strangers := sorted(str(one) for one in given.difference(sites)):
        named = ", ".join(repr(one) for one in strangers[:NAMED_AT_MOST])
        raise ParameterError(
            came=f"{len(strangers)} of the {len(given)} sites of {what} are unknown: {named}.",
            possible=f"{where} knows {len(sites)} sites, such as {_some(sites)}.",
            write="Name the sites alike, at the same grain, and score every one of them.",
        )
    return given


def ranked_by(scores: Mapping[Site, float], convention: Convention) -> Array:
    """Return the values that sites are ranked by, largest first; shape (sites).

    An infinite score is a rank like any other (first or last); NaN is none.

    Raises:
        ParameterError: No scores, a score that is NaN, or an unknown convention.

    >>> ranked_by({"L0.H0": -2.0, "L0.H1": 1.0}, "absolute").tolist()
    [2.0, 1.0]
    """
    check_convention(convention)
    if not scores:
        raise ParameterError(
            came="There are no scores.",
            possible="A ranking has at least one site.",
            write="Give one score per site, for example dict(zip(sites, values)).",
        )
    undefined = [site for site, score in scores.items() if math.isnan(score)]
    if undefined:
        raise ParameterError(
            came=f"{len(undefined)} of {len(scores)} scores are NaN, first that of "
            f"{str(undefined[0])!r}.",
            possible="Every site has a score; a site without one has no place in a ranking.",
            write="Leave the site out of the graph, or look for the NaN in its activations.",
        )
    values = np.fromiter((float(score) for score in scores.values()), np.float64, len(scores))
    return np.abs(values) if convention == "absolute" else values


def _some(sites: Collection[Site]) -> str:
    return ", ".join(repr(name) for name in sorted(map(str, sites))[:3]) or "none"
