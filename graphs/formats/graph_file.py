"""A graph as files carry it: with roles of nodes, attributes and notes."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias, final

from causalnet.errors import GraphError
from causalnet.graphs.admg import ADMG, check_admg
from causalnet.graphs.arguments import check_type, listed, mapped, quoted
from causalnet.graphs.formats.values import FrozenMapping, frozen_mapping

__all__ = ["RESERVED", "EdgeKey", "GraphFile", "edge_keys"]

EdgeKey: TypeAlias = tuple[str, str, str]
"""An edge: `("X", "->", "Y")` or `("X", "<->", "Y")`, the end first that is first among nodes."""

RESERVED = "causalnet_"
"""How the names of attributes begin that the formats keep for themselves."""

_EMPTY = FrozenMapping({})
_WRITE = "Write {'X': {'color': 'red'}}, or {('X', '->', 'Y'): {'weight': 1}}."


@final
@dataclass(frozen=True, slots=True)
class GraphFile:
    """A graph with what a file says beside its edges; make one with `GraphFile.of`.

    Attributes:
        graph: The nodes and edges.
        exposures: Nodes that are treatments.
        outcomes: Nodes that are outcomes.
        latents: Nodes that are not observed.
        adjusted: Nodes that are conditioned on.
        graph_attributes: What the file says of the graph, such as its `name`.
        node_attributes: Attributes of the nodes that have any.
        edge_attributes: Attributes of the edges that have any.
        extra: Fields of a JSON file that are not understood here and are written back.
        notes: What a file said that is not kept, in words; not part of equality.

    Raises:
        GraphError: A role or an attribute of a node or an edge that is not in the graph.

    >>> file = GraphFile.of(ADMG.of(directed=[("U", "X")]), latents=["U"])
    >>> file.latents
    frozenset({'U'})
    """

    graph: ADMG
    exposures: frozenset[str] = frozenset()
    outcomes: frozenset[str] = frozenset()
    latents: frozenset[str] = frozenset()
    adjusted: frozenset[str] = frozenset()
    graph_attributes: FrozenMapping = _EMPTY
    node_attributes: Mapping[str, FrozenMapping] = field(default_factory=dict)
    edge_attributes: Mapping[EdgeKey, FrozenMapping] = field(default_factory=dict)
    extra: FrozenMapping = _EMPTY
    notes: tuple[str, ...] = field(default=(), compare=False)

    @classmethod
    def of(
        cls,
        graph: ADMG,
        *,
        exposures: Iterable[str] = (),
        outcomes: Iterable[str] = (),
        latents: Iterable[str] = (),
        adjusted: Iterable[str] = (),
        graph_attributes: Mapping[str, object] = _EMPTY,
        node_attributes: Mapping[str, Mapping[str, object]] | None = None,
        edge_attributes: Mapping[EdgeKey, Mapping[str, object]] | None = None,
        extra: Mapping[str, object] = _EMPTY,
        notes: Iterable[str] = (),
    ) -> "GraphFile":
        """Return a graph with roles and attributes; attributes are any JSON values.

        A bidirected edge may be named from either end.

        Raises:
            GraphError: A role or an attribute of something that is not in the graph, an attribute
                whose name begins with `causalnet_`, or a value that is not JSON.

        >>> graph = ADMG.of(bidirected=[("X", "Y")])
        >>> GraphFile.of(graph, edge_attributes={("Y", "<->", "X"): {"why": "age"}}).edge_attributes
        {('X', '<->', 'Y'): {'why': 'age'}}
        """
        check_admg(graph)
        return cls(
            graph,
            _names(exposures),
            _names(outcomes),
            _names(latents),
            _names(adjusted),
            frozen_mapping(graph_attributes, "graph's attributes"),
            _of_nodes({} if node_attributes is None else node_attributes),
            _of_edges(graph, {} if edge_attributes is None else edge_attributes),
            frozen_mapping(extra, "extra fields"),
            listed(notes, "notes", "Write ['a note']."),
        )

    def __post_init__(self) -> None:
        """Check that roles and attributes are of nodes and edges of the graph."""
        self._check_names()
        if self.edge_attributes:
            known = set(edge_keys(self.graph))
            for edge in self.edge_attributes:
                if edge not in known:
                    raise GraphError(
                        f"An attribute of {quoted(edge)}, which is not an edge of the graph.",
                        "Edges are ('X', '->', 'Y') or ('X', '<->', 'Y').",
                        "Add the edge, or take the attribute away.",
                    )
        for attributes in (self.graph_attributes, *self.node_attributes.values()):
            _check_free(attributes)
        for attributes in self.edge_attributes.values():
            _check_free(attributes)

    def _check_names(self) -> None:
        try:
            "".join(self.graph.nodes).encode()
        except UnicodeEncodeError:
            raise GraphError(
                "The name of a node holds half of a surrogate pair.",
                "Names in files are Unicode.",
                "Rename the node.",
            ) from None
        roles = (self.exposures, self.outcomes, self.latents, self.adjusted)
        for name in frozenset().union(*roles, self.node_attributes):
            if name not in self.graph:
                raise GraphError(
                    f"A role or an attribute of {quoted(name)}, which is not a node.",
                    "Roles and attributes belong to nodes of the graph.",
                    "Add the node, or take it out of the roles.",
                )
        for name, attributes in self.node_attributes.items():
            if "observed" in attributes and (
                name in self.latents or attributes["observed"] == "no"
            ):
                raise GraphError(
                    f"The node {name!r} has the attribute observed={attributes['observed']!r:.60}.",
                    "Formats write observed='no' for latent nodes, and for no others.",
                    f"Take it away; write latents=[{name!r}] if the node is latent.",
                )

    def __hash__(self) -> int:
        """Return a hash of the graph: files of one graph are few."""
        return hash(self.graph)

    def __repr__(self) -> str:
        """Return one line: the graph and whatever else there is."""
        roles = ("exposures", "outcomes", "latents", "adjusted")
        parts = [f"{role}={sorted(names)}" for role in roles if (names := getattr(self, role))]
        parts += [f"attributes of {len(self.node_attributes)} nodes"] * bool(self.node_attributes)
        parts += [f"attributes of {len(self.edge_attributes)} edges"] * bool(self.edge_attributes)
        return f"GraphFile({', '.join([repr(self.graph), *parts])})"


def edge_keys(graph: ADMG) -> tuple[EdgeKey, ...]:
    """Return every edge as its key, directed edges first.

    >>> edge_keys(ADMG.of(directed=[("X", "Y")], bidirected=[("X", "Y")]))
    (('X', '->', 'Y'), ('X', '<->', 'Y'))
    """
    arrows = tuple((tail, "->", head) for tail, head in graph.directed)
    return arrows + tuple((a, "<->", b) for a, b in graph.bidirected)


def _names(names: Iterable[str]) -> frozenset[str]:
    given = (names,) if isinstance(names, str) else listed(names, "names", "Write ['X'].")
    for name in given:
        check_type(name, str, "Write ['X'].")
    return frozenset(given)


def _of_nodes(given: Mapping[str, Mapping[str, object]]) -> dict[str, FrozenMapping]:
    return {
        name: frozen_mapping(attributes, f"attributes of {quoted(name)}")
        for name, attributes in mapped(given, "nodes to attributes", _WRITE).items()
        if attributes
    }


def _of_edges(
    graph: ADMG, given: Mapping[EdgeKey, Mapping[str, object]]
) -> dict[EdgeKey, FrozenMapping]:
    return {
        _ordered(graph, edge): frozen_mapping(attributes, f"attributes of {quoted(edge)}")
        for edge, attributes in mapped(given, "edges to attributes", _WRITE).items()
        if attributes
    }


def _ordered(graph: ADMG, edge: EdgeKey) -> EdgeKey:
    """Return the key of an edge with the ends of a bidirected one in the order of nodes."""
    match edge:
        case (str(a), "<->", str(b)) if a in graph and b in graph:
            return edge if graph.index(a) < graph.index(b) else (b, "<->", a)
        case (str(), "->" | "<->", str()):
            return edge
    raise GraphError(
        f"{quoted(edge)} is not an edge.", "", "Write ('X', '->', 'Y') or ('X', '<->', 'Y')."
    )


def _check_free(attributes: FrozenMapping) -> None:
    for name in attributes:
        if name.startswith(RESERVED):
            raise GraphError(
                f"An attribute {name!r}.",
                f"Names that begin with {RESERVED!r} are kept for the formats.",
                "Choose another name.",
            )
