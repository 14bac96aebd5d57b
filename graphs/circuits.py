"""A circuit as two different things: a model in which the rest is set, and a marginal of the whole.

| type | what it is | made by |
|---|---|---|
| `RestrictedCircuit` | an interventional model: every other node is set | `restrict` |
| `ProjectedCircuit` | an ADMG: the other nodes go on working, unseen | `project` |

What a circuit does with the rest ablated says nothing of how its nodes hang together in the whole
network, and the other way round; the two types cannot be confused.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Generic, TypeAlias, TypeVar, final, overload

from causalnet.errors import ParameterError, TermError
from causalnet.graphs.admg import ADMG, Edge, Names, check_admg
from causalnet.graphs.paths import PathSet
from causalnet.graphs.projection import OmittedPaths, latent_projection
from causalnet.graphs.walks import Step

__all__ = [
    "ProjectedArc",
    "ProjectedCircuit",
    "ProjectedEdge",
    "RestrictedCircuit",
    "project",
    "restrict",
]

Value = TypeVar("Value")
_SHOWN = 5


@final
@dataclass(frozen=True, slots=True)
class RestrictedCircuit(Generic[Value]):
    """A circuit with its complement ablated.

    Attributes:
        whole: The graph of the network.
        graph: The graph of the circuit: the kept nodes and the edges between them.  What is set
            causes nothing to vary, so it leaves no bidirected edge.
        settings: Every other node, with the value to which it is set.
    """

    whole: ADMG
    graph: ADMG
    settings: tuple[tuple[str, Value], ...]

    @property
    def boundary(self) -> tuple[Edge, ...]:
        """Return the edges through which the circuit reads a value that was set."""
        return tuple(
            edge
            for edge in self.whole.directed
            if edge[0] not in self.graph and edge[1] in self.graph
        )

    def __str__(self) -> str:
        """Return what is kept, and what is set to which value and read."""
        read = {tail for tail, _ in self.boundary}
        lines = [f"{self.graph!r} with {len(self.settings)} other nodes set; it reads"]
        lines += [f"  {node} = {value}" for node, value in self.settings if node in read]
        return "\n".join(lines if read else [lines[0].replace("; it reads", "; it reads none")])


@final
@dataclass(frozen=True, slots=True)
class ProjectedEdge:
    """A directed edge of a projected circuit.

    Attributes:
        tail: The cause.
        head: The effect.
        is_direct: Whether the whole graph has this edge.
        is_through_omitted: Whether it stands for paths through omitted nodes, so that its effect is
            theirs too.
    """

    tail: str
    head: str
    is_direct: bool
    is_through_omitted: bool

    def __str__(self) -> str:
        """Return the edge and what it stands for."""
        return f"{self.tail} -> {self.head}: {_kind(self.is_direct, self.is_through_omitted)}"


@final
@dataclass(frozen=True, slots=True)
class ProjectedArc:
    """A bidirected edge of a projected circuit: association that no edge of the circuit explains.

    Attributes:
        ends: Two kept nodes, in the order of the graph.
        is_direct: Whether the whole graph has this bidirected edge.
        is_through_omitted: Whether the two have a common cause among, or by way of, omitted nodes.
    """

    ends: Edge
    is_direct: bool
    is_through_omitted: bool

    def __str__(self) -> str:
        """Return the pair and where its association comes from."""
        return (
            f"{self.ends[0]} <-> {self.ends[1]}: {_kind(self.is_direct, self.is_through_omitted)}"
        )


@final
@dataclass(frozen=True, slots=True)
class ProjectedCircuit:
    """A circuit as the marginal of the whole network: its latent projection.

    Attributes:
        whole: The graph of the network.
        graph: The projection onto the circuit's nodes.
        edges: Its directed edges, with what each stands for.
        arcs: Its bidirected edges, with where each comes from.
    """

    whole: ADMG
    graph: ADMG
    edges: tuple[ProjectedEdge, ...]
    arcs: tuple[ProjectedArc, ...]

    def omitted_paths(self, tail: str, head: str) -> PathSet:
        """Return the paths between two kept nodes whose interior is omitted, and not empty.

        Raises:
            UnknownMediatorError: A node that the circuit does not keep.
            ParameterError: Twice the same node.
        """
        self.graph.index(tail), self.graph.index(head)
        others = [node for node in self.graph.nodes if node not in (tail, head)]
        seen = PathSet.through(self.whole, tail, head, others)
        return ~seen - PathSet.direct(self.whole, tail, head)

    def common_cause(self, a: str, b: str) -> tuple[Step, ...]:
        """Return a shortest path that explains a bidirected edge, down to both from a common cause.

        Its interior is omitted and has no collider; it is one step if the whole graph has the edge.

        Raises:
            UnknownMediatorError: A node that the circuit does not keep.
            TermError: No bidirected edge between the two.
        """
        if not self.graph.has_bidirected(a, b):
            arcs = ", ".join(" <-> ".join(arc.ends) for arc in self.arcs[:_SHOWN]) or "none"
            raise TermError(
                f"{a} and {b} have no bidirected edge.",
                f"The first bidirected edges are: {arcs}.",
                "Ask for one of .arcs.",
            )
        above = _above(self.whole, self.graph, a), _above(self.whole, self.graph, b)
        _, one, two = min(_tops(self.whole, *above))
        up = [Step(child, "<-", parent) for parent, child in pairwise(_down(one, above[0]))]
        arc = [Step(one, "<->", two)] if one != two else []
        down = [Step(parent, "->", child) for parent, child in pairwise(_down(two, above[1]))]
        return (*reversed(up), *arc, *down)

    def __str__(self) -> str:
        """Return each edge with what it stands for."""
        omitted = len(self.whole) - len(self.graph)
        lines = [f"circuit of {len(self.graph)} nodes, {omitted} omitted"]
        return "\n".join(lines + [f"  {edge}" for edge in (*self.edges, *self.arcs)])


@overload
def restrict(
    graph: ADMG, kept: Names, complement: Mapping[str, Value]
) -> RestrictedCircuit[Value]: ...


@overload
def restrict(graph: ADMG, kept: Names, complement: Value) -> RestrictedCircuit[Value]: ...


def restrict(graph: ADMG, kept: Names, complement: Any) -> RestrictedCircuit[Any]:
    """Keep a circuit and set every other node of the network to a stated value.

    Args:
        graph: The whole network.
        kept: The nodes of the circuit.
        complement: For each other node what it is set to; or one value for all of them, such as the
            name of an ablation.

    Raises:
        UnknownMediatorError: A node that is not in the graph.
        ParameterError: Another node for which no value is stated, or a value for a kept one.

    >>> graph = ADMG.of(directed=[("X", "A"), ("X", "B"), ("A", "Y"), ("B", "Y")])
    >>> circuit = restrict(graph, ["X", "A", "Y"], complement="zero")
    >>> circuit.graph, circuit.settings, circuit.boundary
    (ADMG(X -> A, A -> Y), (('B', 'zero'),), (('B', 'Y'),))
    """
    check_admg(graph)
    inside = graph.induced(kept)
    outside = [node for node in graph.nodes if node not in inside]
    if isinstance(complement, Mapping):
        values = _checked(graph, outside, complement)
    else:
        values = dict.fromkeys(outside, complement)
    return RestrictedCircuit(graph, inside, tuple((node, values[node]) for node in outside))


def project(graph: ADMG, kept: Names) -> ProjectedCircuit:
    """Look at a circuit's nodes only, while the rest of the network goes on working.

    Args:
        graph: The whole network.
        kept: The nodes of the circuit.

    Raises:
        UnknownMediatorError: A node that is not in the graph.

    >>> edges = [("X", "A"), ("X", "Z"), ("Z", "B"), ("A", "Y"), ("B", "Y")]
    >>> print(project(ADMG.of(directed=edges), ["X", "A", "B", "Y"]))
    circuit of 4 nodes, 1 omitted
      X -> A: direct
      X -> B: through omitted nodes
      A -> Y: direct
      B -> Y: direct
    >>> print(project(ADMG.of(directed=edges), ["A", "Z", "Y"]).arcs[0])
    A <-> Z: through omitted nodes
    """
    projected = latent_projection(graph, kept)
    paths = OmittedPaths.of(graph, projected.nodes)
    through = {node: paths.through(node) for node in paths.kept}
    hidden = set(paths.arcs())
    return ProjectedCircuit(
        graph,
        projected,
        tuple(
            ProjectedEdge(
                tail,
                head,
                graph.has_edge(tail, head),
                graph.index(head) in through[graph.index(tail)],
            )
            for tail, head in projected.directed
        ),
        tuple(
            ProjectedArc(
                ends,
                graph.has_bidirected(*ends),
                (graph.index(ends[0]), graph.index(ends[1])) in hidden,
            )
            for ends in projected.bidirected
        ),
    )


def _checked(graph: ADMG, outside: list[str], values: Mapping[str, Value]) -> Mapping[str, Value]:
    for node in values:
        graph.index(node)
    missing = [node for node in outside if node not in values]
    extra = sorted(set(values).difference(outside))
    if missing or extra:
        kind, nodes = (
            ("no value for a node", missing) if missing else ("a value for a kept node", extra)
        )
        shown = ", ".join(nodes[:_SHOWN]) + (", …" if len(nodes) > _SHOWN else "")
        raise ParameterError(
            f"The complement has {kind}: {shown}.",
            "Every node outside the circuit is set, and no node inside.",
            "State a value for each node outside, or one value for all.",
        )
    return values


def _kind(direct: bool, through: bool) -> str:
    if direct and through:
        return "direct, and through omitted nodes"
    return "direct" if direct else "through omitted nodes"


_Above: TypeAlias = dict[str, tuple[int, str]]  # the distance to a node, and the next one down


def _above(whole: ADMG, kept: ADMG, end: str) -> _Above:
    """Find the omitted ancestors of a kept node, nearest first."""
    above = {end: (0, end)}
    queue = [end]
    for node in queue:
        for parent in whole.parents(node):
            if parent not in above and parent not in kept:
                above[parent] = (above[node][0] + 1, node)
                queue.append(parent)
    return above


def _tops(whole: ADMG, above_a: _Above, above_b: _Above) -> Iterator[tuple[int, str, str]]:
    """Yield what joins a path up from a with a path down to b, each with the length in all.

    The shortest never meets a node twice: where two paths down meet, they have a lower top.
    """
    for top in above_a.keys() & above_b.keys():
        yield above_a[top][0] + above_b[top][0], top, top
    for pair in whole.bidirected:
        for one, two in (pair, pair[::-1]):
            if one in above_a and two in above_b:
                yield above_a[one][0] + 1 + above_b[two][0], one, two


def _down(top: str, above: _Above) -> Iterator[str]:
    """Walk down from an ancestor to the node whose ancestors these are."""
    yield top
    while above[top][0]:
        top = above[top][1]
        yield top
