"""The variables of a network, as finely as a question or a log names them.

A residual cut that is named is a node between the writers before it and the receivers after it.  A
node that is named at a position is two variables, `L24.H4.end` and `L24.H4.rest`, with the same
parents and children.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from causalnet.errors import GraphError, TermError
from causalnet.graphs.admg import Edge
from causalnet.graphs.mediator_graph import MediatorGraph
from causalnet.graphs.mediators import Kind
from causalnet.graphs.nodes import Cut, Slot
from causalnet.graphs.nodes import Node as GraphNode
from causalnet.interventions.readouts import ReadOut
from causalnet.interventions.views import Position

__all__ = ["PROMPT", "NetworkVariables", "Place", "read_place"]

PROMPT = "prompt"
_REST = "rest"


class Place(NamedTuple):
    """A node or residual cut, at some positions; at none means everywhere."""

    node: str
    at: tuple[Position, ...] = ()


def read_place(graph: MediatorGraph, text: str) -> Place:
    """Return the node that a name stands for, with the positions in brackets behind it.

    The output of a head stands for its z, on which it is set.

    Raises:
        UnknownMediatorError: No such node.

    >>> from causalnet.graphs import TransformerShape, transformer_graph
    >>> graph = transformer_graph(TransformerShape(2, 2, 2, 8, 4, 16, 11))
    >>> read_place(graph, "L1.H0.z[end,3]")
    Place(node='L1.H0', at=('end', 3))
    """
    name, bracket, inside = text.partition("[")
    if not bracket or text in graph.names():
        return Place(_carrier(graph, graph.find(text).name))
    words = [word.strip() for word in inside.rstrip("]").split(",")]
    at = tuple(int(word) if word.lstrip("-").isdigit() else word for word in words)
    return Place(_carrier(graph, graph.find(name).name), at)


def _carrier(graph: MediatorGraph, name: str) -> str:
    """Return the head whose z this is: its value follows from z, and nothing else reads z."""
    mediator = graph.find(name)
    head = name.removesuffix(".z")
    return head if mediator.kind is Kind.Z and head in graph.names() else name


class NetworkVariables:
    """The variables and edges of a network.

    Attributes:
        variables: For each node its variables.
        edges: The edges between variables.
        inputs: The input nodes.
        noise: The exogenous noise nodes.
    """

    def __init__(self, graph: MediatorGraph, places: Iterable[Place]) -> None:
        """Lay out the variables of a graph, as finely as places name them."""
        self.graph = graph
        named = [*places]
        self.positions = _positions(named)
        wanted = {place.node for place in named}
        self.cuts = sorted(
            (cut for cut in graph.cuts if cut.name in wanted), key=lambda cut: cut.writers_before
        )
        self.variables: dict[str, tuple[str, ...]] = {}
        self.edges: list[Edge] = []
        self.inputs: list[str] = []
        self.noise: list[str] = []
        for name in (*(cut.name for cut in self.cuts), *(n.mediator.name for n in graph.nodes)):
            at = self.positions.get(name, ())
            self.variables[name] = (*(f"{name}.{each}" for each in at), *([f"{name}.{_REST}"]))
            if not at:
                self.variables[name] = (name,)
        for cut in self.cuts:
            before = self.earlier(cut)
            self.join(self.senders(cut.stream, cut.writers_before, before), cut.name, True)
        for node in graph.nodes:
            self.add(node)

    @property
    def nodes(self) -> Iterator[str]:
        """All variables so far, in some order."""
        for parts in self.variables.values():
            yield from parts

    def parts(self, place: Place) -> tuple[str, ...]:
        """Return the variables of a place."""
        wanted = tuple(f"{place.node}.{position}" for position in place.at)
        return wanted or self.variables[place.node]

    def add(self, node: GraphNode) -> None:
        """Add the edges into a node."""
        name = node.mediator.name
        if not node.slots:
            (self.noise if node.mediator.kind is Kind.NOISE else self.inputs).append(name)
        for slot in node.slots:
            pointwise = "pos" in node.pointwise or "pos" in slot.pointwise
            self.join(self.entering(slot), name, pointwise)

    def entering(self, slot: Slot) -> tuple[str, ...]:
        """Return what enters a slot, a named cut in place of the writers before it."""
        if not slot.stream:
            return slot.parents
        cuts = [c for c in self.cuts if c.stream == slot.stream]
        below = [c for c in cuts if c.writers_before <= slot.writers_before]
        return self.senders(slot.stream, slot.writers_before, below[-1] if below else None)

    def earlier(self, cut: Cut) -> Cut | None:
        """Return the named cut before another one of its stream."""
        before = self.cuts[: self.cuts.index(cut)]
        return next((c for c in reversed(before) if c.stream == cut.stream), None)

    def senders(self, stream: str, count: int, cut: Cut | None) -> tuple[str, ...]:
        """Return the writers that enter, those before a cut as the cut."""
        writers = next(each.writers for each in self.graph.streams if each.name == stream)
        if cut is None:
            return writers[:count]
        return (cut.name, *writers[cut.writers_before : count])

    def join(self, senders: Iterable[str], receiver: str, pointwise: bool) -> None:
        """Add edges between the parts of senders and those of a receiver."""
        at = self.positions.get(receiver, ())
        for sender in senders:
            same = pointwise and at and self.positions.get(sender, ()) == at
            for number, part in enumerate(self.variables[receiver]):
                sent = self.variables[sender]
                self.edges += [(each, part) for each in ((sent[number],) if same else sent)]

    def add_readouts(self, readouts: Mapping[str, ReadOut]) -> None:
        """Add a variable below the node of each read-out."""
        for name, readout in readouts.items():
            if name != readout.node:
                self.edges += [(part, name) for part in self.read(readout)]
                self.variables[name] = (name,)

    def read(self, readout: ReadOut) -> tuple[str, ...]:
        """Return the variables that a read-out is a function of."""
        node = self.graph.find(readout.node).name
        at = f"{node}.{readout.at}"
        return (at,) if at in self.variables[node] else self.variables[node]

    def add_prompt(self, labels: Iterable[str]) -> None:
        """Add the prompt, which drives all inputs, and recorded features of it."""
        if PROMPT in self.variables:
            raise GraphError(
                f"A node has the name {PROMPT!r}.", "It stands for what drives all inputs.",
                "Rename the node.",
            )  # fmt: skip
        driven = [part for name in self.inputs for part in self.variables[name]]
        self.variables[PROMPT] = (PROMPT,)
        for label in labels:
            self.variables[label] = (label,)
        self.edges += [(PROMPT, name) for name in (*driven, *labels)]


def _positions(places: Iterable[Place]) -> dict[str, tuple[Position, ...]]:
    """Return for each node the positions at which it is named."""
    found: dict[str, dict[Position, None]] = {}
    for place in places:
        found.setdefault(place.node, {}).update(dict.fromkeys(place.at))
    for node, at in found.items():
        if len({type(each) for each in at}) > 1 or any(isinstance(p, int) and p < 0 for p in at):
            raise TermError(
                f"{node} is named at the positions {', '.join(map(str, at))}.",
                "They may be the same position or not.",
                "Name positions in one way, by their names or by indices from 0.",
            )
    return {node: tuple(at) for node, at in found.items() if at}
