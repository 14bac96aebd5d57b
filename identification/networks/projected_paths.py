"""Paths that carry a patch, as edges of the projection onto what was recorded."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import final

from causalnet.graphs.admg import ADMG, Edge
from causalnet.identification.networks.diagrams import Diagram

__all__ = ["MixedEdge", "projected_edges"]


@final
@dataclass(frozen=True, slots=True)
class MixedEdge:
    """An edge of the projection that stands for paths that carry a patch, and for others.

    Attributes:
        tail: Where it starts.
        head: Where it ends.
        between: A node on one of its paths, to be recorded.
    """

    tail: str
    head: str
    between: str

    def __str__(self) -> str:
        """Return what is mixed, and what to record."""
        return (
            f"paths from {self.tail} to {self.head} on which the patch acts, and others, are one "
            f"edge of the log; record what lies between, such as {self.between}"
        )


def projected_edges(
    diagram: Diagram, treatments: Sequence[str], outcome: str, carries: Callable[[Edge], bool]
) -> tuple[Edge, ...] | MixedEdge:
    """Return the edges of the projection along which a patch goes to the outcome.

    Args:
        diagram: The diagram, with what was recorded: the treatments and the outcome at least.
        treatments: Where the patch starts.
        outcome: Where it ends.
        carries: Whether an edge of the whole diagram carries the patch, if it reaches its tail.

    >>> from causalnet.graphs import plain_graph
    >>> from causalnet.identification.networks.access import Logs
    >>> from causalnet.identification.networks.diagrams import network_diagram
    >>> graph = plain_graph({"M": (), "Z": ("M",), "Y": ("M", "Z")})
    >>> for observed in ("MZY", "MY"):
    ...     diagram = network_diagram(graph, Logs(tuple(observed)))
    ...     print(projected_edges(diagram, ["M"], "Y", lambda edge: edge != ("M", "Y")))
    (('M', 'Z'), ('Z', 'Y'))
    paths from M to Y on which the patch acts, and others, are one edge of the log; record what \
lies between, such as Z
    """
    reach = _Reach.of(diagram, carries)
    above = diagram.graph.ancestors([outcome])
    waiting, seen, found = [*treatments], set(treatments), list[Edge]()
    while waiting:
        node = waiting.pop()
        for child in sorted(reach.on[node] & above - set(treatments)):
            if child in reach.off[node]:
                return MixedEdge(node, child, _between(node, child, reach, diagram))
            found.append((node, child))
            if child not in seen:
                seen.add(child)
                waiting.append(child)
    useful = ADMG.of(directed=found, nodes={*treatments, outcome}).ancestors([outcome])
    return tuple(edge for edge in found if edge[1] in useful)


def _between(tail: str, head: str, reach: "_Reach", diagram: Diagram) -> str:
    """Return an omitted node between two recorded ones; norms, seldom recorded, come last."""
    children = diagram.whole.children(tail)
    omitted = [each for each in children if head in reach.on[each] | reach.off[each]]
    return min(omitted, key=lambda name: name.endswith(".scale"))


@final
@dataclass(frozen=True, slots=True)
class _Reach:
    """The recorded nodes at the end of paths whose interior is omitted.

    Attributes:
        on: Those at the end of a path all of whose edges carry the active value.
        off: Those at the end of a path with another edge.
    """

    on: Mapping[str, frozenset[str]]
    off: Mapping[str, frozenset[str]]

    @staticmethod
    def of(diagram: Diagram, carries: Callable[[Edge], bool]) -> "_Reach":
        """Follow the diagram upwards."""
        kept = set(diagram.observed)
        on: dict[str, frozenset[str]] = {}
        off: dict[str, frozenset[str]] = {}
        known: dict[frozenset[str], frozenset[str]] = {}
        for node in reversed(diagram.whole.topological_order()):
            active, other = set[str](), set[str]()
            for child in diagram.whole.children(node):
                ends = frozenset([child]) if child in kept else on[child]
                beyond = frozenset[str]() if child in kept else off[child]
                (active if carries((node, child)) else other).update(ends)
                other |= beyond
            one, two = frozenset(active), frozenset(other)
            on[node], off[node] = known.setdefault(one, one), known.setdefault(two, two)
        return _Reach(on, off)
