"""Acyclic directed mixed graphs: directed edges for causes, bidirected for hidden common causes.

Richardson (2003), "Markov properties for acyclic directed mixed graphs"; Tian and Pearl (2002)
for districts (there c-components).
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, islice
from typing import Any, TypeAlias, final

import numpy as np
from numpy.typing import ArrayLike

from causalnet.errors import GraphError, TermError, UnknownMediatorError
from causalnet.graphs.adjacency import Flags, Numbers, Rows, components, flags, reach
from causalnet.graphs.arguments import check_type, quoted
from causalnet.graphs.edge_lists import (
    SHOWN,
    Edge,
    check_names,
    named_edges,
    numbered_edges,
    shown,
)
from causalnet.graphs.names import nearest
from causalnet.graphs.topological import find_cycle, topological_order

__all__ = ["ADMG", "Edge", "Names", "check_admg"]

Names: TypeAlias = str | Iterable[str]

_COMPARED = 2_000  # names among which the nearest to an unknown one are sought


@final
@dataclass(frozen=True, eq=False, repr=False)  # no slots: what is made on request is kept
class ADMG:
    """An immutable acyclic directed mixed graph on arrays, equal and hashed by content.

    Two nodes may be joined by a directed and a bidirected edge at once (a bow).  Equal edges merge;
    the order of nodes and edges does not matter for equality, only for what is listed first.
    Ancestors, descendants and districts take linear time.

    Attributes:
        nodes: The names, in the order in which they were given.
        child_rows: Children by number of the node.
        parent_rows: Parents by number of the node.
        sibling_rows: Ends of bidirected edges, each from both sides, by number of the node.

    >>> ADMG.of(directed=[("X", "M"), ("M", "Y")], bidirected=[("X", "Y")])
    ADMG(X -> M, M -> Y, X <-> Y)
    """

    nodes: tuple[str, ...]
    child_rows: Rows
    parent_rows: Rows
    sibling_rows: Rows

    @classmethod
    def of(
        cls,
        directed: Iterable[Edge] = (),
        bidirected: Iterable[Edge] = (),
        nodes: Iterable[str] = (),
    ) -> "ADMG":
        """Return the graph of named edges; `nodes` come first, then names as edges mention them.

        Raises:
            GraphError: A cycle of directed edges, which is printed; an edge from a node to itself;
                an edge that is not a pair of names.

        >>> ADMG.of(directed=[("X", "Y")], nodes=["Y", "Z"]).nodes
        ('Y', 'Z', 'X')
        """
        arrows, arcs = named_edges(directed, "->"), named_edges(bidirected, "<->")
        if not isinstance(nodes, Iterable):
            raise GraphError(f"{quoted(nodes)} is not a list of names.", "", "Write nodes=['X'].")
        first = (nodes,) if isinstance(nodes, str) else tuple(nodes)
        check_names(first)
        names = tuple(dict.fromkeys(chain(first, *arrows, *arcs)))
        number = {name: place for place, name in enumerate(names)}
        return cls.from_arrays(
            names,
            [number[tail] for tail, _ in arrows],
            [number[head] for _, head in arrows],
            [number[end] for end, _ in arcs],
            [number[end] for _, end in arcs],
        )

    @classmethod
    def from_arrays(
        cls,
        names: Sequence[str],
        tails: ArrayLike,
        heads: ArrayLike,
        ends_a: ArrayLike = (),
        ends_b: ArrayLike = (),
    ) -> "ADMG":
        """Return the graph of numbered edges tails[i] -> heads[i] and ends_a[i] <-> ends_b[i].

        Node i has the name names[i].  This is the fast way in.

        Raises:
            GraphError: As `of`; also names that repeat, arrays of unequal length, numbers that are
                no node's.
        """
        if isinstance(names, str) or not isinstance(names, Iterable):
            raise GraphError(f"{quoted(names)} is not a list of names.", "", "Write ['X', 'Y'].")
        nodes = tuple(names)
        check_names(nodes, distinct=True)
        arrows = numbered_edges(nodes, tails, heads, "->")
        arcs = numbered_edges(nodes, ends_a, ends_b, "<->")
        graph = cls._laid_out(nodes, *arrows, *arcs)
        order = topological_order(graph.child_rows)
        if order.size < len(nodes):
            cycle = [nodes[place] for place in find_cycle(graph.parent_rows, order)]
            raise GraphError(
                f"The directed edges form a cycle: {shown([*cycle, cycle[0]], ' -> ')}.",
                "An ADMG has none.",
                "Leave one of these edges out, or make it bidirected if it stands for a hidden "
                "common cause.",
            )
        return graph

    @classmethod
    def _laid_out(
        cls, nodes: tuple[str, ...], tails: Numbers, heads: Numbers, a: Numbers, b: Numbers
    ) -> "ADMG":
        """Return the graph of edges that are known to be well formed."""
        return cls(
            nodes,
            Rows.of(len(nodes), tails, heads),
            Rows.of(len(nodes), heads, tails),
            Rows.of(len(nodes), np.concatenate((a, b)), np.concatenate((b, a))),
        )

    # What is in the graph.

    @cached_property
    def _place(self) -> dict[str, int]:
        return {name: place for place, name in enumerate(self.nodes)}

    @cached_property
    def directed(self) -> tuple[Edge, ...]:
        """Return the edges (tail, head), in the order of nodes; made on request."""
        rows = self.child_rows
        return self._edges(rows.sources, rows.ends)

    @cached_property
    def bidirected(self) -> tuple[Edge, ...]:
        """Return each bidirected edge once, the end that comes first among the nodes first."""
        return self._edges(*self._arcs())

    def _arcs(self) -> tuple[Numbers, Numbers]:
        ends_a, ends_b = self.sibling_rows.sources, self.sibling_rows.ends
        once = ends_a < ends_b
        return ends_a[once], ends_b[once]

    def _edges(self, ends_a: Numbers, ends_b: Numbers) -> tuple[Edge, ...]:
        return tuple(zip(self.names_of(ends_a), self.names_of(ends_b), strict=True))

    def __len__(self) -> int:
        """Return the number of nodes."""
        return len(self.nodes)

    def __contains__(self, node: object) -> bool:
        """Return whether a name is a node."""
        return isinstance(node, str) and node in self._place

    def __repr__(self) -> str:
        """Return one line: the edges of a small graph, the counts of a large one."""
        arrows, arcs = len(self.child_rows), len(self.sibling_rows) // 2
        if arrows + arcs > SHOWN or len(self) > 2 * SHOWN:
            return (
                f"ADMG({len(self)} nodes, {arrows} directed edges, {arcs} bidirected: "
                f"{shown(self.nodes[: SHOWN + 1], ', ', len(self))})"
            )
        joined = [f"{tail} -> {head}" for tail, head in self.directed]
        joined += [f"{a} <-> {b}" for a, b in self.bidirected]
        alone = set(self.nodes).difference(*self.directed, *self.bidirected)
        return f"ADMG({', '.join([*joined, *(node for node in self.nodes if node in alone)])})"

    def index(self, node: str) -> int:
        """Return the number of a node.

        Raises:
            UnknownMediatorError: No such node; the nearest names are given.
        """
        try:
            return self._place[node]
        except (KeyError, TypeError):  # TypeError: not hashable, so no name
            raise self._unknown(node) from None

    def indices(self, nodes: Names) -> Numbers:
        """Return the numbers of one node or of several, in the order in which they are given.

        Raises:
            UnknownMediatorError: No such node.
            TermError: Neither a name nor names.
        """
        if isinstance(nodes, str):
            nodes = (nodes,)
        if not isinstance(nodes, Iterable):
            raise TermError(
                f"{quoted(nodes)} is not a set of nodes.", "", "Write a name or several."
            )
        names = tuple(nodes)
        try:
            return np.array([*map(self._place.__getitem__, names)], np.int32)
        except (KeyError, TypeError):  # one of them is no node: `index` says which
            return np.array([*map(self.index, names)], np.int32)

    def names_of(self, numbers: ArrayLike) -> tuple[str, ...]:
        """Return the names of numbered nodes.

        Raises:
            UnknownMediatorError: A number that is no node's.
        """
        try:
            return tuple(map(self.nodes.__getitem__, np.asarray(numbers).tolist()))
        except (IndexError, TypeError, ValueError):
            raise UnknownMediatorError(
                f"{quoted(numbers)} are no numbers of nodes.",
                f"Numbers are integers from 0 to {len(self) - 1}.",
            ) from None

    def _unknown(self, node: object) -> UnknownMediatorError:
        name = str(node)
        like = (known for known in self.nodes if abs(len(known) - len(name)) <= 2)
        close = nearest(name, islice(like, _COMPARED))
        possible = (
            f"Nearest: {', '.join(map(repr, close))}."
            if close
            else f"The nodes are {shown(self.nodes[: SHOWN + 1], ', ', len(self)) or 'none'}."
        )
        return UnknownMediatorError(
            f"Unknown node {quoted(node)}.", possible, "List them with .nodes."
        )

    # Neighbours.

    def has_edge(self, tail: str, head: str) -> bool:
        """Return whether there is a directed edge from tail to head.

        Raises:
            UnknownMediatorError: No such node.
        """
        return self.child_rows.has(self.index(tail), self.index(head))

    def has_bidirected(self, a: str, b: str) -> bool:
        """Return whether there is a bidirected edge between two nodes.

        Raises:
            UnknownMediatorError: No such node.
        """
        return self.sibling_rows.has(self.index(a), self.index(b))

    def parents(self, node: str) -> tuple[str, ...]:
        """Return the parents of a node, in the order of nodes.

        Raises:
            UnknownMediatorError: No such node.
        """
        return self.names_of(self.parent_rows.row(self.index(node)))

    def children(self, node: str) -> tuple[str, ...]:
        """Return the children of a node, in the order of nodes.

        Raises:
            UnknownMediatorError: No such node.
        """
        return self.names_of(self.child_rows.row(self.index(node)))

    def siblings(self, node: str) -> tuple[str, ...]:
        """Return the nodes joined to a node by a bidirected edge, in the order of nodes.

        Raises:
            UnknownMediatorError: No such node.
        """
        return self.names_of(self.sibling_rows.row(self.index(node)))

    # What can be reached.

    def ancestors(self, nodes: Names) -> frozenset[str]:
        """Return the nodes and all their ancestors, in linear time.

        Raises:
            UnknownMediatorError: No such node.

        >>> sorted(ADMG.of(directed=[("X", "M"), ("M", "Y")]).ancestors("M"))
        ['M', 'X']
        """
        return frozenset(self.names_of(reach(self.parent_rows, self.indices(nodes))))

    def descendants(self, nodes: Names) -> frozenset[str]:
        """Return the nodes and all their descendants, in linear time.

        Raises:
            UnknownMediatorError: No such node.
        """
        return frozenset(self.names_of(reach(self.child_rows, self.indices(nodes))))

    def district(self, node: str) -> frozenset[str]:
        """Return all nodes joined to a node by bidirected paths, itself included, in linear time.

        Raises:
            UnknownMediatorError: No such node.
        """
        return frozenset(self.names_of(reach(self.sibling_rows, [self.index(node)])))

    def districts(self) -> tuple[frozenset[str], ...]:
        """Return the districts, which part the nodes, in the order of their first nodes.

        >>> graph = ADMG.of(directed=[("X", "M"), ("M", "Y")], bidirected=[("X", "Y")])
        >>> [sorted(district) for district in graph.districts()]
        [['X', 'Y'], ['M']]
        """
        labels = components(self.sibling_rows)
        order = np.argsort(labels, kind="stable")
        cuts = np.flatnonzero(np.diff(labels[order])) + 1
        parts = np.split(order, cuts) if len(self) else []
        return tuple(frozenset(self.names_of(part)) for part in parts)

    def topological_order(self) -> tuple[str, ...]:
        """Return the nodes, parents first and otherwise in the order of nodes."""
        return self.names_of(topological_order(self.child_rows))

    # Surgery.

    def cut_in(self, nodes: Names) -> "ADMG":
        """Return the graph without the edges that have an arrowhead at a node: do(nodes).

        Bidirected edges at a node go with the directed edges into it.

        Raises:
            UnknownMediatorError: No such node.

        >>> ADMG.of(directed=[("Z", "X"), ("X", "Y")], bidirected=[("X", "Y")]).cut_in("X")
        ADMG(X -> Y, Z)
        """
        free = ~flags(len(self), self.indices(nodes))
        rows, (a, b) = self.child_rows, self._arcs()
        return self._kept(free[rows.ends], free[a] & free[b])

    def cut_out(self, nodes: Names) -> "ADMG":
        """Return the graph without the directed edges out of the nodes; bidirected edges stay.

        Raises:
            UnknownMediatorError: No such node.

        >>> ADMG.of(directed=[("Z", "X"), ("X", "Y")], bidirected=[("X", "Y")]).cut_out("X")
        ADMG(Z -> X, X <-> Y)
        """
        free = ~flags(len(self), self.indices(nodes))
        return self._kept(free[self.child_rows.sources], np.ones(len(self.sibling_rows) // 2, bool))

    def _kept(self, arrows: Flags, arcs: Flags) -> "ADMG":
        """Return the graph with some of its edges and all of its nodes."""
        rows, (a, b) = self.child_rows, self._arcs()
        return self._laid_out(self.nodes, rows.sources[arrows], rows.ends[arrows], a[arcs], b[arcs])

    def induced(self, nodes: Names) -> "ADMG":
        """Return the subgraph of some nodes and all edges between them; their order stays.

        Raises:
            UnknownMediatorError: No such node.
        """
        kept = flags(len(self), self.indices(nodes))
        place = np.cumsum(kept, dtype=np.int32) - np.int32(1)
        rows, (a, b) = self.child_rows, self._arcs()
        arrows, arcs = kept[rows.sources] & kept[rows.ends], kept[a] & kept[b]
        return self._laid_out(
            self.names_of(np.flatnonzero(kept)),
            place[rows.sources[arrows]],
            place[rows.ends[arrows]],
            place[a[arcs]],
            place[b[arcs]],
        )

    # Identity, and other libraries.

    @cached_property
    def fingerprint(self) -> str:
        """Return a sha256 of the names and edges, whatever their order."""
        ranked = sorted(range(len(self)), key=self.nodes.__getitem__)
        rank = np.empty(len(self), np.int32)
        rank[ranked] = np.arange(len(self), dtype=np.int32)
        digest = hashlib.sha256(repr([self.nodes[place] for place in ranked]).encode())
        for rows in (self.child_rows, self.sibling_rows):
            sorted_rows = Rows.of(len(self), rank[rows.sources], rank[rows.ends])
            digest.update(sorted_rows.starts.astype("<i8").tobytes())
            digest.update(sorted_rows.ends.astype("<i4").tobytes())
        return digest.hexdigest()

    def __eq__(self, other: object) -> bool:
        """Return whether both have the same nodes and edges, in whatever order."""
        if not isinstance(other, ADMG):
            return NotImplemented
        if self.nodes != other.nodes:
            return len(self) == len(other) and self.fingerprint == other.fingerprint
        return self.child_rows.equals(other.child_rows) and self.sibling_rows.equals(
            other.sibling_rows
        )

    def __hash__(self) -> int:
        """Return the hash of the fingerprint."""
        return hash(self.fingerprint)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the names and edges only."""
        rows = self.child_rows
        return ADMG._laid_out, (self.nodes, rows.sources, rows.ends, *self._arcs())

    def to_networkx(self) -> Any:
        """Return a networkx MultiDiGraph with edge keys "directed" and "bidirected".

        A bidirected edge is there twice, once from each end.

        >>> graph = ADMG.of(directed=[("X", "Y")], bidirected=[("X", "Y")]).to_networkx()
        >>> sorted(graph.edges(keys=True))
        [('X', 'Y', 'bidirected'), ('X', 'Y', 'directed'), ('Y', 'X', 'bidirected')]
        """
        import networkx as nx

        graph = nx.MultiDiGraph()
        graph.add_nodes_from(self.nodes)
        graph.add_edges_from((*edge, "directed") for edge in self.directed)
        for a, b in self.bidirected:
            graph.add_edges_from([(a, b, "bidirected"), (b, a, "bidirected")])
        return graph


def check_admg(graph: object) -> None:
    """Refuse what is not an ADMG.

    Raises:
        ParameterError: Something else.

    >>> check_admg(None)
    Traceback (most recent call last):
    ...
    causalnet.errors.ParameterError: None is no ADMG. Write ADMG.of(directed=[('X', 'Y')]), or \
graph.to_admg() for a mediator graph.
    """
    write = "Write ADMG.of(directed=[('X', 'Y')]), or graph.to_admg() for a mediator graph."
    check_type(graph, ADMG, write)
