"""Order and cycles of directed edges."""

from heapq import heapify, heappop, heappush

import numpy as np

from causalnet.graphs.adjacency import Numbers, Rows

__all__ = ["find_cycle", "topological_order"]


def topological_order(children: Rows) -> Numbers:
    """Return the nodes, parents first and otherwise in ascending order; cut short by a cycle.

    Every node that is not returned lies on a cycle or after one.

    >>> topological_order(Rows.of(3, np.array([2, 1]), np.array([0, 0]))).tolist()
    [1, 2, 0]
    """
    count = children.count
    if bool((children.sources < children.ends).all()):
        return np.arange(count, dtype=np.int32)
    waits_for = np.bincount(children.ends, minlength=count)
    ready: list[int] = np.flatnonzero(waits_for == 0).tolist()
    heapify(ready)
    left: list[int] = waits_for.tolist()
    starts, ends = children.starts.data, children.ends.data
    order = []
    while ready:
        node = heappop(ready)
        order.append(node)
        for child in ends[starts[node] : starts[node + 1]]:
            left[child] -= 1
            if not left[child]:
                heappush(ready, child)
    return np.array(order, np.int32)


def find_cycle(parents: Rows, order: Numbers) -> tuple[int, ...]:
    """Return the nodes of a cycle along its edges, given the order that a cycle cut short.

    >>> children = Rows.of(3, np.array([0, 1, 2]), np.array([1, 2, 1]))
    >>> parents = Rows.of(3, np.array([1, 2, 1]), np.array([0, 1, 2]))
    >>> find_cycle(parents, topological_order(children))
    (1, 2)
    """
    ordered = np.zeros(parents.count, np.bool_)
    ordered[order] = True
    # Each node without a place has a parent without one: going up, some node comes twice.
    node = int(np.flatnonzero(~ordered)[0])
    place: dict[int, int] = {}
    while node not in place:
        place[node] = len(place)
        node = next(int(parent) for parent in parents.row(node) if not ordered[parent])
    cycle = list(place)[place[node] :][::-1]
    lowest = cycle.index(min(cycle))
    return tuple(cycle[lowest:] + cycle[:lowest])
