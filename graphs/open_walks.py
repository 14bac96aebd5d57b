"""The search for open walks on which m-separation rests, over numbered nodes.

A walk arrives at a node by an arrowhead or by a tail, and goes on through an arrowhead or a tail:
with two arrowheads the node is a collider there, otherwise not.  So a state is a node and how it
was entered, each is entered once, and the search is linear (Shachter 1998; van der Zander,
Liśkiewicz and Textor 2019).  Nothing is moralised, which would be quadratic in the size of a
district.
"""

from dataclasses import dataclass

import numpy as np

from causalnet.graphs.adjacency import PATIENCE, Flags, Numbers, breadth_first
from causalnet.graphs.admg import ADMG

__all__ = ["Found", "find_walk"]

# The compiled search runs over five copies of the nodes: three from which a walk leaves, to
# children, parents or siblings, and two into which it arrives.
_TO_CHILDREN, _TO_PARENTS, _TO_SIBLINGS, _BY_TAIL, _BY_HEAD = range(5)


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """What a search found.

    Attributes:
        walk: The nodes of a shortest open walk from a source to a target and whether each was
            entered by an arrowhead; empty if there is none.
        entered: The nodes that were entered, some twice.
        visited: How often a node was entered or an edge followed, at most 6(|V| + |E|).
    """

    walk: tuple[tuple[int, bool], ...]
    entered: Numbers
    visited: int


def find_walk(
    graph: ADMG,
    sources: Numbers,
    targets: Flags,
    passes: Flags,
    collides: Flags,
    patience: int = PATIENCE,
) -> Found:
    """Search breadth first from the sources, up to the first target.

    Args:
        graph: The graph.
        sources: Where walks begin; they leave through any edge.
        targets: Where walks end.
        passes: The nodes on which a walk goes on as through a non-collider.
        collides: The nodes on which a walk goes on as through a collider.
        patience: After how many visits the plain loop gives way to the compiled search.
    """
    count = len(graph)
    children = graph.child_rows.starts.data, graph.child_rows.ends.data
    parents = graph.parent_rows.starts.data, graph.parent_rows.ends.data
    siblings = graph.sibling_rows.starts.data, graph.sibling_rows.ends.data
    may_pass, may_collide, wanted = passes.data, collides.data, targets.data
    # State v: entered by a tail; count + v: by an arrowhead.  A source is as if entered by a tail.
    before = dict.fromkeys(sources.tolist(), -1)
    queue = list(before)
    visited = 0
    for state in queue:  # which grows while it is read
        by_head = state >= count
        node = state - count if by_head else state
        if wanted[node]:
            return Found(_walk_back(state, before, count), _nodes(before, count), visited)
        visited += 1
        reached = []
        if may_pass[node]:
            starts, ends = children
            reached += [count + child for child in ends[starts[node] : starts[node + 1]]]
        if (may_collide if by_head else may_pass)[node]:
            starts, ends = parents
            reached += ends[starts[node] : starts[node + 1]].tolist()
            starts, ends = siblings
            reached += [count + end for end in ends[starts[node] : starts[node + 1]]]
        visited += len(reached)
        for after in reached:
            if after not in before:
                before[after] = state
                queue.append(after)
        if visited > patience:
            return _compiled(graph, sources, targets, passes, collides, visited)
    return Found((), _nodes(before, count), visited)


def _nodes(states: dict[int, int], count: int) -> Numbers:
    return np.fromiter(states, np.int32, len(states)) % np.int32(count)


def _walk_back(state: int, before: dict[int, int], count: int) -> tuple[tuple[int, bool], ...]:
    walk = []
    while state >= 0:
        walk.append((state % count, state >= count))
        state = before[state]
    return tuple(reversed(walk))


def _compiled(
    graph: ADMG, sources: Numbers, targets: Flags, passes: Flags, collides: Flags, visited: int
) -> Found:
    """Search the whole graph of states in compiled code."""
    count = len(graph)
    starts, ends = _states(graph, passes, collides)
    order, before = breadth_first(starts, ends, sources + np.int32(_BY_TAIL * count))
    arrivals = order[order >= _BY_TAIL * count]
    leavings = order[order < _BY_TAIL * count]
    visited += arrivals.size + int((starts[leavings + 1] - starts[leavings]).sum())
    places = arrivals % np.int32(count)
    hits = arrivals[targets[places]]
    walk = []
    state = int(hits[0]) if hits.size else -1
    while state >= 0:
        walk.append((state % count, state >= _BY_HEAD * count))
        leaving = int(before[state])
        state = int(before[leaving]) if leaving >= 0 else -1
    return Found(tuple(reversed(walk)), places, visited)


def _states(
    graph: ADMG, passes: Flags, collides: Flags
) -> tuple[np.ndarray[tuple[int], np.dtype[np.int64]], Numbers]:
    """Return the rows of the graph of states."""
    count = len(graph)
    # Where one may leave a node to: its three leaving copies, as it was entered.
    leaving = np.arange(count, dtype=np.int32)[:, None] + np.array([0, 1, 2], np.int32) * count
    by_tail = np.repeat(passes[:, None], 3, axis=1)
    by_head = np.stack([passes, collides, collides], axis=1)
    rows = (graph.child_rows, graph.parent_rows, graph.sibling_rows)
    entering = (_BY_HEAD, _BY_TAIL, _BY_HEAD)
    ends = [row.ends + np.int32(copy * count) for row, copy in zip(rows, entering, strict=True)]
    lengths = [np.diff(row.starts) for row in rows] + [by_tail.sum(1), by_head.sum(1)]
    starts = np.zeros(5 * count + 1, np.int64)
    np.cumsum(np.concatenate(lengths), out=starts[1:])
    return starts, np.concatenate([*ends, leaving[by_tail], leaving[by_head]])
