"""What an effect leaves to adjustment: causal nodes, forbidden nodes, the proper back-door graph.

| name | what |
|---|---|
| `ProperBackDoor` | these three, and the candidates for adjustment |
| `proper_back_door_graph` | the graph without the first edges of proper causal paths |
| `check_disjoint`, `allowed_among` | refuse a node with two roles, or one that is not allowed |
| `directed_path` | a shortest directed path between numbered nodes |
| `without_edges` | rows without some of their edges |

A causal path from a set of treatments is proper if only its first node is a treatment.
Van der Zander, Liśkiewicz and Textor (2019), "Separators and adjustment sets in causal graphs";
Perković, Textor, Kalisch and Maathuis (2018), "Complete graphical characterization and construction
of adjustment sets".  All takes linear time.
"""

from dataclasses import dataclass
from itertools import combinations
from typing import final

import numpy as np

from causalnet.errors import TermError
from causalnet.graphs.adjacency import Flags, Numbers, Rows, breadth_first, flags, reach
from causalnet.graphs.admg import ADMG, Names, check_admg

__all__ = [
    "ProperBackDoor",
    "allowed_among",
    "check_disjoint",
    "directed_path",
    "proper_back_door_graph",
    "without_edges",
]


@final
@dataclass(frozen=True, slots=True, eq=False)
class ProperBackDoor:
    """An effect in a graph, and what is left when its causal paths are cut at their first edges.

    Attributes:
        graph: The whole graph.
        xs: The numbers of the treatments.
        ys: The numbers of the outcomes.
        causal: The nodes on proper causal paths, without the treatments; outcomes among them.
        forbidden: Those nodes and all that descends from them.
        remainder: The proper back-door graph.
    """

    graph: ADMG
    xs: Numbers
    ys: Numbers
    causal: Flags
    forbidden: Flags
    remainder: ADMG

    @classmethod
    def of(cls, graph: ADMG, xs: Names, ys: Names) -> "ProperBackDoor":
        """Find all that lies on proper causal paths and cut it off, in linear time.

        Raises:
            UnknownMediatorError: No such node.
            TermError: A node that is treatment and outcome.
        """
        check_admg(graph)
        sources, ends = np.unique(graph.indices(xs)), np.unique(graph.indices(ys))
        count = len(graph)
        check_disjoint(graph, xs=sources, ys=ends)
        down, up = graph.child_rows, graph.parent_rows
        treated = flags(count, sources)
        # Perković et al. (2018), forb(X, Y); van der Zander et al. (2019), Dpcp(X, Y)
        # No treatment is an outcome or has an edge here, and a path from one that meets another is
        # a path from that one.
        below = flags(count, reach(down, sources))
        above = flags(count, reach(without_edges(up, treated[up.ends]), ends))
        causal = below & above
        forbidden = flags(count, reach(down, np.flatnonzero(causal)))
        remainder = ADMG(
            graph.nodes,
            without_edges(down, treated[down.sources] & causal[down.ends]),
            without_edges(up, causal[up.sources] & treated[up.ends]),
            graph.sibling_rows,
        )
        return cls(graph, sources, ends, causal, forbidden, remainder)

    def candidates(self, within: Names | None) -> Flags:
        """Return the nodes that may be adjusted for: allowed, without a role, not forbidden.

        Raises:
            UnknownMediatorError: No such node.
        """
        allowed = allowed_among(self.graph, np.zeros(0, np.int32), within)
        allowed[np.concatenate((self.xs, self.ys))] = False
        return allowed & ~self.forbidden

    def forced(self, including: Names, within: Names | None) -> Numbers:
        """Return the numbers of nodes that must be adjusted for.

        Raises:
            UnknownMediatorError: No such node.
            TermError: One of them is a treatment or an outcome, or is not allowed.
        """
        numbers = self.graph.indices(including)
        check_disjoint(self.graph, xs=self.xs, ys=self.ys, including=numbers)
        allowed_among(self.graph, numbers, within)
        return numbers


def proper_back_door_graph(graph: ADMG, xs: Names, ys: Names) -> ADMG:
    """Return the graph without the edges with which proper causal paths begin, in linear time.

    Separation in it, given nodes that descend from no causal path, is what adjustment needs.

    Raises:
        UnknownMediatorError: No such node.
        TermError: A node that is treatment and outcome.

    >>> graph = ADMG.of(directed=[("C", "X"), ("C", "Y"), ("X", "M"), ("M", "Y"), ("X", "D")])
    >>> proper_back_door_graph(graph, "X", "Y")
    ADMG(C -> X, C -> Y, X -> D, M -> Y)
    """
    return ProperBackDoor.of(graph, xs, ys).remainder


def proper_rows(graph: ADMG, treated: Flags) -> Rows:
    """Return the children without treatments, along which causal paths stay proper."""
    return without_edges(graph.child_rows, treated[graph.child_rows.ends])


def without_edges(rows: Rows, cut: Flags) -> Rows:
    """Return rows without the edges that are flagged, in linear time.

    >>> rows = Rows.of(2, np.array([0, 0, 1]), np.array([0, 1, 0]))
    >>> without_edges(rows, np.array([True, False, False])).ends.tolist()
    [1, 0]
    """
    before = np.concatenate((np.zeros(1, np.int64), np.cumsum(~cut, dtype=np.int64)))
    return Rows(before[rows.starts], rows.ends[~cut])


def directed_path(rows: Rows, sources: Numbers, targets: Flags) -> tuple[int, ...]:
    """Return a shortest path along the rows from a source to a target; empty if there is none.

    >>> rows = Rows.of(3, np.array([0, 1]), np.array([1, 2]))
    >>> directed_path(rows, np.array([0]), np.array([False, False, True]))
    (0, 1, 2)
    """
    order, before = breadth_first(rows.starts, rows.ends, sources.astype(np.int32))
    hits = order[targets[order]]
    path: list[int] = []
    node = int(hits[0]) if hits.size else -1
    while node >= 0:
        path.append(node)
        node = int(before[node])
    return tuple(reversed(path))


def allowed_among(graph: ADMG, forced: Numbers, within: Names | None) -> Flags:
    """Return which nodes are allowed, all of them unless it is said; refuse others that are forced.

    Raises:
        UnknownMediatorError: No such node.
        TermError: A forced node that is not allowed.
    """
    if within is None:
        return np.ones(len(graph), np.bool_)
    allowed = flags(len(graph), graph.indices(within))
    outside = forced[~allowed[forced]]
    if outside.size:
        raise TermError(
            f"{graph.nodes[int(outside[0])]!r} is in `including` but not in `within`.",
            "What a set must have, it may have.",
            "Add it there.",
        )
    return allowed


def check_disjoint(graph: ADMG, **roles: Numbers) -> None:
    """Refuse a node with two roles.

    Raises:
        TermError: Such a node.
    """
    for (first, some), (second, others) in combinations(roles.items(), 2):
        both = others[flags(len(graph), some)[others]]
        if both.size:
            raise TermError(
                f"{graph.nodes[int(both[0])]!r} is in both `{first}` and `{second}`.",
                "A node has one role.",
                "Take it out of one of them.",
            )
