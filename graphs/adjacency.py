"""Neighbours as rows of numbers: compressed sparse rows, and what can be reached along them.

A search starts as a plain loop, which is fastest while it stays small, and goes over to compiled
code once it has looked at `PATIENCE` nodes and edges.  Neither recurses, and both are linear.
"""

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["PATIENCE", "Flags", "Numbers", "Rows", "breadth_first", "components", "flags", "reach"]

Numbers: TypeAlias = NDArray[np.int32]
Flags: TypeAlias = NDArray[np.bool_]

PATIENCE = 4096  # about where the compiled search, with its fixed cost, has caught up


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """The neighbours of every node, sorted, each once.

    Attributes:
        starts: Where the row of each node begins in `ends`, and the length of `ends`.
        ends: The rows, one after the other.

    >>> rows = Rows.of(3, np.array([0, 2, 0, 0]), np.array([2, 1, 1, 2]))
    >>> rows.row(0).tolist(), rows.row(1).tolist(), len(rows)
    ([1, 2], [], 3)
    """

    starts: NDArray[np.int64]
    ends: Numbers

    def __post_init__(self) -> None:
        """Close the arrays to writing."""
        self.starts.flags.writeable = False
        self.ends.flags.writeable = False

    @classmethod
    def of(cls, count: int, sources: ArrayLike, targets: ArrayLike) -> "Rows":
        """Return the rows of the edges source -> target among `count` nodes; equal edges merge."""
        wide = np.int64(max(count, 1))
        keys = np.sort(np.asarray(sources, np.int64) * wide + np.asarray(targets, np.int64))
        if keys.size:
            keys = keys[np.concatenate(([True], keys[1:] != keys[:-1]))]
        starts = np.zeros(count + 1, np.int64)
        np.cumsum(np.bincount(keys // wide, minlength=count)[:count], out=starts[1:])
        return cls(starts, (keys % wide).astype(np.int32))

    def __len__(self) -> int:
        """Return the number of edges."""
        return int(self.ends.size)

    @property
    def count(self) -> int:
        """Return the number of nodes."""
        return int(self.starts.size) - 1

    @property
    def sources(self) -> Numbers:
        """Return the node at the start of each edge, edge by edge."""
        return np.repeat(np.arange(self.count, dtype=np.int32), np.diff(self.starts))

    def row(self, node: int) -> Numbers:
        """Return the neighbours of a node."""
        return self.ends[self.starts[node] : self.starts[node + 1]]

    def has(self, source: int, target: int) -> bool:
        """Return whether there is an edge from source to target, by bisection."""
        row = self.row(source)
        place = int(np.searchsorted(row, target))
        return place < row.size and int(row[place]) == target

    def equals(self, other: "Rows") -> bool:
        """Return whether the edges are the same."""
        return np.array_equal(self.starts, other.starts) and np.array_equal(self.ends, other.ends)


def flags(count: int, members: ArrayLike) -> Flags:
    """Return which of `count` nodes are members.

    >>> flags(4, [0, 2]).tolist()
    [True, False, True, False]
    """
    found = np.zeros(count, np.bool_)
    found[np.asarray(members, np.int64)] = True
    return found


def reach(rows: Rows, seeds: ArrayLike, patience: int = PATIENCE) -> Numbers:
    """Return the nodes that can be reached from the seeds, seeds included, in ascending order.

    >>> reach(Rows.of(4, np.array([0, 1, 3]), np.array([1, 2, 2])), [1]).tolist()
    [1, 2]
    """
    return _reach(rows, np.asarray(seeds, np.int32), patience)[0]


def _reach(rows: Rows, first: Numbers, patience: int) -> tuple[Numbers, int]:
    """Return the nodes that can be reached, and how many nodes and edges were looked at."""
    if first.size > patience:
        return _compiled_reach(rows, first)
    starts, ends = rows.starts.data, rows.ends.data
    seen = set(first.tolist())
    waiting = list(seen)
    looked = 0
    while waiting:
        node = waiting.pop()
        begin, end = starts[node], starts[node + 1]
        looked += 1 + end - begin
        if looked > patience:
            found, more = _compiled_reach(rows, first)
            return found, looked + more
        for neighbour in ends[begin:end]:
            if neighbour not in seen:
                seen.add(neighbour)
                waiting.append(neighbour)
    return np.array(sorted(seen), np.int32), looked


def _compiled_reach(rows: Rows, first: Numbers) -> tuple[Numbers, int]:
    order = breadth_first(rows.starts, rows.ends, first)[0]
    found = np.flatnonzero(flags(rows.count, order)).astype(np.int32)
    return found, found.size + int((rows.starts[found + 1] - rows.starts[found]).sum())


def breadth_first(
    starts: NDArray[np.int64], ends: Numbers, seeds: Numbers
) -> tuple[Numbers, Numbers]:
    """Return the nodes reached from the seeds, nearest first, and the node each is reached from.

    The second array is indexed by node and negative for seeds and for nodes out of reach.
    """
    from scipy.sparse.csgraph import breadth_first_order

    count = starts.size - 1
    matrix = _matrix(  # one node more, from which the seeds are reached
        np.concatenate((starts, [starts[-1] + seeds.size])), np.concatenate((ends, seeds))
    )
    order, before = breadth_first_order(matrix, count, directed=True)
    before = before[:count]
    before[before == count] = -1
    return order[1:], before


def components(rows: Rows, patience: int = PATIENCE) -> Numbers:
    """Return the number of each node's connected component; rows must be symmetric.

    Components are numbered in the order of their first nodes.

    >>> components(Rows.of(4, np.array([0, 3]), np.array([3, 0]))).tolist()
    [0, 1, 2, 0]
    """
    if rows.count + len(rows) > patience:
        from scipy.sparse.csgraph import connected_components

        labels = connected_components(_matrix(rows.starts, rows.ends), directed=False)[1]
        first = np.unique(labels, return_index=True)[1]
        rank: Numbers = np.empty(first.size, np.int32)
        rank[np.argsort(first)] = np.arange(first.size, dtype=np.int32)
        ranked: Numbers = rank[labels]
        return ranked
    found = np.full(rows.count, -1, np.int32)
    number = 0
    for node in range(rows.count):
        if found[node] < 0:
            found[reach(rows, [node])] = number
            number += 1
    return found


def _matrix(starts: NDArray[np.int64], ends: Numbers) -> Any:
    from scipy.sparse import csr_array

    count = starts.size - 1
    ones = np.ones(ends.size, np.float64)  # the type that csgraph would otherwise convert to
    return csr_array((ones, ends, starts.astype(np.int32)), shape=(count, count))
