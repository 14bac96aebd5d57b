"""Names and edges as they are given: checked, or refused with what to write."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from causalnet.errors import GraphError
from causalnet.graphs.adjacency import Numbers
from causalnet.graphs.arguments import quoted

__all__ = ["SHOWN", "Edge", "check_names", "named_edges", "numbered_edges", "shown"]

Edge: TypeAlias = tuple[str, str]

SHOWN = 8  # nodes or edges in a repr or a message


def named_edges(edges: Iterable[Edge], mark: str) -> list[Edge]:
    """Return the edges as a list, each a pair of names; `mark` is what an error draws them with.

    Raises:
        GraphError: Something that is not a pair of names.
    """
    if not isinstance(edges, Iterable):
        raise GraphError(
            f"{quoted(edges)} is not a list of edges.", "", f"Write [('X', 'Y')] for X {mark} Y."
        )
    found = []
    for edge in edges:
        pair = () if isinstance(edge, str) or not isinstance(edge, Iterable) else tuple(edge)
        if len(pair) != 2 or not all(isinstance(end, str) for end in pair):
            raise GraphError(
                f"{quoted(edge)} is not an edge.", "", f"Write ('X', 'Y') for X {mark} Y."
            )
        found.append((pair[0], pair[1]))
    return found


def check_names(names: tuple[str, ...], distinct: bool = False) -> None:
    """Check that names are text that is not empty, and that none comes twice if they are distinct.

    Raises:
        GraphError: A name that cannot be one.
    """
    for name in names:
        if not isinstance(name, str) or not name:
            raise GraphError(
                f"{quoted(name)} is not a name.", "A node's name is text that is not empty."
            )
    if distinct and len(set(names)) < len(names):
        twice = Counter(names).most_common(1)[0][0]
        raise GraphError(f"Two nodes are called {twice!r}.", "Each node has its own name.")


def numbered_edges(
    nodes: tuple[str, ...], ends_a: ArrayLike, ends_b: ArrayLike, mark: str
) -> tuple[Numbers, Numbers]:
    """Return the two ends of numbered edges between nodes.

    Raises:
        GraphError: Arrays of unequal length, a number that is no node's, an edge to itself.
    """
    try:
        a, b = np.asarray(ends_a), np.asarray(ends_b)
    except ValueError as error:
        raise GraphError(f"The ends of the {mark} edges are no arrays: {error}.") from None
    if a.ndim != 1 or a.shape != b.shape:
        raise GraphError(
            f"The ends of the {mark} edges have shapes {a.shape} and {b.shape}.",
            "They are two lists of node numbers of one length.",
        )
    if a.size == 0:
        return np.zeros(0, np.int32), np.zeros(0, np.int32)
    for ends in (a, b):
        if ends.dtype.kind not in "iu" or ends.min() < 0 or ends.max() >= len(nodes):
            raise GraphError(
                f"An end of a {mark} edge is no node's number.",
                f"Numbers are integers from 0 to {len(nodes) - 1}.",
            )
    if bool((a == b).any()):
        name = nodes[int(a[a == b][0])]
        raise GraphError(
            f"An edge leads from a node to itself: {name} {mark} {name}.", "An ADMG has none."
        )
    return a.astype(np.int32), b.astype(np.int32)


def shown(names: Sequence[str], joint: str, count: int | None = None) -> str:
    """Return names joined, the middle of many left out.

    With `count`, names are only the first of so many, and the end is left out.

    >>> shown("ABC", " -> "), shown("ABCDEFGHI", ", ", 20)
    ('A -> B -> C', 'A, B, C, D, E, F, G, H, … 12 more')
    """
    total = len(names) if count is None else count
    if total <= SHOWN:
        return joint.join(names)
    if count is not None:
        return joint.join([*names[:SHOWN], f"… {total - SHOWN} more"])
    half = SHOWN // 2
    return joint.join([*names[:half], f"… {total - 2 * half} more …", *names[-half:]])
