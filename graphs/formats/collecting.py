"""Collects nodes and edges as a reader meets them, in linear time, and makes the graph."""

from collections.abc import Mapping
from typing import final

from causalnet.errors import FormatError, GraphError
from causalnet.graphs.admg import ADMG
from causalnet.graphs.formats.carried import EXTRA, roles_of, unpacked
from causalnet.graphs.formats.graph_file import RESERVED, EdgeKey, GraphFile
from causalnet.graphs.formats.json_text import parse_json
from causalnet.graphs.formats.source import Source
from causalnet.graphs.formats.values import FrozenMapping, Json

__all__ = ["Collector"]


@final
class Collector:
    """The nodes and edges of one text, as far as they have been read.

    Every method takes the place `at` which it read, for the message if something is wrong.
    """

    def __init__(self, source: Source) -> None:
        """Begin with no nodes."""
        self.source = source
        self.graph_attributes: dict[str, Json] = {}
        self.extra: dict[str, Json] = {}
        self.notes: dict[str, None] = {}
        self._numbers: dict[str, int] = {}
        self._attributes: dict[int, dict[str, Json]] = {}
        self._places: dict[int, int | str] = {}
        self._roles: dict[str, set[str]] = {}
        self._edges: dict[tuple[int, str, int], FrozenMapping | None] = {}

    def __contains__(self, name: str) -> bool:
        """Return whether a node of this name has been met."""
        return name in self._numbers

    def note(self, text: str) -> None:
        """Keep in words, once, what the file says and the graph does not keep."""
        self.notes[text] = None

    def node(self, name: str, at: int | str) -> int:
        """Return the number of a node, which is new or has been met before.

        Raises:
            FormatError: A name without characters.
        """
        if not name:
            raise self.source.error(
                at, "A node without a name.", "Names have at least one character.", "Name the node."
            )
        return self._numbers.setdefault(name, len(self._numbers))

    def new_node(self, name: str, at: int | str) -> int:
        """Return the number of a node that must be new.

        Raises:
            FormatError: A second node of one name.
        """
        if name in self._numbers:
            raise self.source.error(
                at, f"A second node {name!r}.", "Each node has its own name.", "Rename one of them."
            )
        return self.node(name, at)

    def role(self, name: str, role: str) -> None:
        """Give a node a role: exposure, outcome, latent or adjusted."""
        self._roles.setdefault(role, set()).add(name)

    def describe(self, number: int, attributes: Mapping[str, Json], at: int | str) -> None:
        """Add attributes to a node; a later value of one name replaces an earlier one."""
        if attributes:
            self._attributes.setdefault(number, {}).update(attributes)
            self._places[number] = at

    def edge(
        self, a: int, b: int, *, bidirected: bool, attributes: Mapping[str, Json], at: int | str
    ) -> None:
        """Add the edge a -> b or a <-> b.

        Raises:
            FormatError: An edge from a node to itself, or one that is there already.
        """
        mark = "<->" if bidirected else "->"
        key = (min(a, b), mark, max(a, b)) if bidirected else (a, mark, b)
        if a == b or key in self._edges:
            names = list(self._numbers)
            raise self.source.error(
                at,
                f"The edge {names[a]} {mark} {names[b]} "
                + ("leads from a node to itself." if a == b else "is there twice."),
                "A graph has each edge once, between two nodes.",
                "Delete it.",
            )
        kept = unpacked(self.source, at, attributes) if attributes else {}
        self._check_free(kept, at)
        self._edges[key] = FrozenMapping(kept) if kept else None

    def _check_free(self, attributes: Mapping[str, Json], at: int | str | None) -> None:
        for name in attributes:
            if name.startswith(RESERVED):
                raise self.source.error(
                    at,
                    f"An attribute {name!r}.",
                    f"Names that begin with {RESERVED!r} have a meaning, and this one has none.",
                    "Rename the attribute.",
                )

    def file(self) -> GraphFile:
        """Return the graph with everything that was collected.

        Raises:
            FormatError: A cycle, a role that is unknown, or attributes that cannot be read.
        """
        names = list(self._numbers)
        nodes = self._node_attributes(names)
        graph_attributes = self._graph_attributes()
        try:
            graph = self._graph(names)
            return GraphFile(
                graph,
                self._with("exposure"),
                self._with("outcome"),
                self._with("latent"),
                self._with("adjusted"),
                graph_attributes,
                nodes,
                self._edge_attributes(names),
                FrozenMapping(self.extra),
                tuple(self.notes),
            )
        except GraphError as error:
            raise FormatError(
                f"{self.source.name}: {error.came}", error.possible, error.write
            ) from error

    def _with(self, role: str) -> frozenset[str]:
        return frozenset(self._roles.get(role, ()))

    def _graph(self, names: list[str]) -> ADMG:
        arrows = [(a, b) for a, mark, b in self._edges if mark == "->"]
        arcs = [(a, b) for a, mark, b in self._edges if mark == "<->"]
        return ADMG.from_arrays(
            names,
            [a for a, _ in arrows],
            [b for _, b in arrows],
            [a for a, _ in arcs],
            [b for _, b in arcs],
        )

    def _node_attributes(self, names: list[str]) -> dict[str, FrozenMapping]:
        found = {}
        for number in sorted(self._attributes):
            at, name = self._places[number], names[number]
            attributes = unpacked(self.source, at, self._attributes[number])
            for role in roles_of(self.source, at, attributes):
                self.role(name, role)
            self._check_free(attributes, at)
            if attributes:
                found[name] = FrozenMapping(attributes)
        return found

    def _edge_attributes(self, names: list[str]) -> dict[EdgeKey, FrozenMapping]:
        return {
            (names[a], mark, names[b]): attributes
            for (a, mark, b), attributes in self._edges.items()
            if attributes is not None
        }

    def _graph_attributes(self) -> FrozenMapping:
        attributes = unpacked(self.source, None, self.graph_attributes)
        extra = attributes.pop(EXTRA, None)
        if extra is not None:
            read = parse_json(Source(self.source.name, str(extra)), EXTRA)
            if not isinstance(read, FrozenMapping):
                raise self.source.error(
                    EXTRA, f"It is {extra!r:.60}.", "It holds a JSON object.", "Delete it."
                )
            self.extra.update(read)
        self._check_free(attributes, None)
        return FrozenMapping(attributes)
