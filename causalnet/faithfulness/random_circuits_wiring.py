"""Which edges of a circuit lie on a path from the inputs to the logits.

In a graph without cycles every edge of a circuit lies on such a path exactly where each of its
edges has a sender that is an embedding or is entered by an edge of the circuit, and a receiver that
is the logits' or belongs to a node from which an edge of the circuit leaves: going on in either
direction, one such edge leads to the next.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from causalnet.errors import ParameterError
from causalnet.graphs import MediatorGraph
from causalnet.interventions import Cell, Edge
from causalnet.masked import Layout, layout_of

__all__ = ["Connection", "Wiring", "connection", "wiring_of"]

Numbers = NDArray[np.int64]
Marks = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Wiring:
    """Every edge of the residual stream by numbers of its ends.

    Attributes:
        layout: Senders, stages and edges.
        sender: The number of each edge's sender, [edges].
        receiver: The number of each edge's receiver, [edges].
        first: The number of the first edge into each receiver, [receivers].
        owners: The pairs (receiver, node) of receivers and the nodes that read them, [pairs, 2].
        alike: The class of each edge: layer and kind of the sender, layer and kind of the
            receiver, [edges].
    """

    layout: Layout
    sender: Numbers
    receiver: Numbers
    first: Numbers
    owners: Numbers
    alike: Numbers

    def number(self, edge: Edge) -> int:
        """Return the number of an edge.

        Raises:
            UnknownMediatorError: No such sender or receiver.
            TermError: The receiver does not read the sender.
        """
        return self.layout.sites.index(f"{edge.sender} -> {edge.receiver}")

    def numbers(self, circuit: Iterable[Edge]) -> Numbers:
        """Return the numbers of some edges, sorted, each once.

        Raises:
            ParameterError: A member that is no edge.
            UnknownMediatorError: No such sender or receiver.
            TermError: The receiver does not read the sender.
        """
        members = tuple(circuit)
        if strangers := [one for one in members if not isinstance(one, Edge)]:
            raise ParameterError(
                f"{strangers[0]} is no edge of the residual stream.",
                "A circuit is all nodes or all edges.",
                f"Write an edge such as '{self.layout.sites[0]}'.",
            )
        return np.unique(np.array([self.number(one) for one in members], dtype=np.int64))

    def edges(self, numbers: Iterable[int]) -> tuple[Edge, ...]:
        """Return the edges of some numbers, in order."""
        found = (self.layout.sites[int(number)] for number in sorted(numbers))
        return tuple(one for one in found if isinstance(one, Edge))

    def fed(self, circuit: Numbers) -> Marks:
        """Return which nodes write what an input or an edge of the circuit brings, [senders]."""
        entered = np.zeros(len(self.first), dtype=bool)
        entered[self.receiver[circuit]] = True
        found = np.zeros(len(self.layout.senders), dtype=bool)
        found[: self.layout.inputs] = True
        found[self.owners[entered[self.owners[:, 0]], 1]] = True
        return found

    def read(self, circuit: Numbers) -> Marks:
        """Return which receivers belong to the logits or to senders of the circuit, [receivers]."""
        sending = np.zeros(len(self.layout.senders), dtype=bool)
        sending[self.sender[circuit]] = True
        found = np.zeros(len(self.first), dtype=bool)
        found[-1] = True
        found[self.owners[sending[self.owners[:, 1]], 0]] = True
        return found

    def is_connected(self, circuit: Numbers) -> bool:
        """Return whether every edge of a circuit lies on a path of its edges."""
        is_fed = self.fed(circuit)[self.sender[circuit]].all()
        return bool(is_fed and self.read(circuit)[self.receiver[circuit]].all())

    def on_paths(self, circuit: Numbers) -> Numbers:
        """Return the edges of a circuit that lie on a path of its edges."""
        while True:
            fed, read = self.fed(circuit), self.read(circuit)
            left = circuit[fed[self.sender[circuit]] & read[self.receiver[circuit]]]
            if len(left) == len(circuit):
                return circuit
            circuit = left


def wiring_of(graph: MediatorGraph) -> Wiring:
    """Return every edge of a decoder's residual stream by numbers.

    >>> from causalnet.graphs import TransformerShape, transformer_graph
    >>> wiring = wiring_of(transformer_graph(TransformerShape(2, 4, 2, 8, 2, 8, 10)))
    >>> len(wiring.sender), len(wiring.first)
    (82, 19)
    """
    layout = layout_of(graph)
    counts = np.array(layout.sites.counts)
    senders = np.concatenate([np.arange(count) for count in counts])
    receivers = np.repeat(np.arange(len(counts)), counts)
    kinds: dict[tuple[str, int | None], int] = {}
    of_sender, of_receiver = (
        np.array([kinds.setdefault((each.kind.value, each.layer), len(kinds)) for each in found])
        for found in (
            [graph.find(name) for name in layout.senders],
            [graph.find(name) for name in layout.sites.receivers],
        )
    )
    return Wiring(
        layout,
        senders,
        receivers,
        np.array([0, *accumulate(layout.sites.counts)][:-1]),
        np.array(_owners(layout), dtype=np.int64).reshape(-1, 2),
        of_sender[senders] * len(kinds) + of_receiver[receivers],
    )


def _owners(layout: Layout) -> list[tuple[int, int]]:
    """Return the pairs of a receiver and a sender that is written from what it reads."""
    pairs: list[tuple[int, int]] = []
    shape, first = layout.graph.shape, 0
    for stage in layout.stages:
        many, groups = len(stage.queries), list(stage.groups)
        if stage.kind == "mlp":
            pairs.append((first, stage.writers.start))
        for place, head in enumerate(stage.queries):
            group = groups.index(shape.group_of(head))
            own = (place, many + group, many + len(groups) + group)
            pairs += [(first + each, stage.writers.start + place) for each in own]
        first += stage.receivers
    return pairs


@dataclass(frozen=True, slots=True)
class Connection:
    """Whether the edges of a circuit lie on paths from the inputs to the logits inside it.

    Attributes:
        size: How many members the circuit has.
        universe: How many there are.
        loose: Edges on no such path, in order: what they carry comes from no input, or reaches no
            logit, by the circuit's own edges.
        pruned: The edges that do lie on one; the whole circuit where it is connected.
        of_nodes: Whether it is a circuit of nodes, which the residual stream connects.
    """

    size: int
    universe: int
    loose: tuple[Edge, ...] = ()
    pruned: tuple[Edge, ...] = ()
    of_nodes: bool = False

    @property
    def is_connected(self) -> bool:
        """Whether no edge is loose; true of a circuit of nothing."""
        return not self.loose

    @property
    def is_empty(self) -> bool:
        """Whether it is a circuit of nothing."""
        return self.size == 0

    @property
    def is_whole(self) -> bool:
        """Whether it is a circuit of everything."""
        return self.size == self.universe

    def __str__(self) -> str:
        """Return it in a sentence."""
        if self.is_empty:
            return "The circuit is empty."
        if self.is_whole:
            return f"The circuit is everything, all {self.universe} members."
        if self.of_nodes:
            return "A circuit of nodes is connected: each reads and writes the residual stream."
        if self.is_connected:
            return f"Each of the {self.size} edges lies on a path from the inputs to the logits."
        named = ", ".join(map(str, self.loose[:5])) + (", …" if len(self.loose) > 5 else "")
        return (
            f"{len(self.loose)} of {self.size} edges lie on no path of the circuit from the inputs "
            f"to the logits: {named}."
        )


def connection(graph: MediatorGraph, circuit: Sequence[object]) -> Connection:
    """Return whether the edges of a circuit lie on paths from the inputs to the logits inside it.

    A head passes on what enters any of its query, key and value; a constant of attention (the bias
    of its output) is no input.  A circuit of nodes keeps all edges between them and is always
    connected.

    Args:
        graph: The graph of the network.
        circuit: Its edges, or its nodes.

    Raises:
        ParameterError: Nodes among edges.
        UnknownMediatorError: No such sender or receiver.
        TermError: An edge that is none of the residual stream.

    >>> from causalnet.graphs import TransformerShape, transformer_graph
    >>> graph = transformer_graph(TransformerShape(2, 4, 4, 8, 2, 8, 10))
    >>> print(connection(graph, [Edge("embed", "L0.H0.v"), Edge("L0.H1", "logits")]))
    2 of 2 edges lie on no path of the circuit from the inputs to the logits: embed -> L0.H0.v, \
L0.H1 -> logits.
    """
    if circuit and not any(isinstance(one, Edge) for one in circuit):
        places = {one.at for one in circuit if isinstance(one, Cell)}
        nodes = (len(graph.heads()) + len(graph.mlps())) * max(1, len(places))
        return Connection(len(circuit), nodes, of_nodes=True)
    wiring = wiring_of(graph)
    numbers = wiring.numbers(one for one in circuit)  # type: ignore[misc]  # checked there
    pruned = wiring.on_paths(numbers)
    return Connection(
        len(numbers),
        len(wiring.sender),
        wiring.edges(set(numbers.tolist()) - set(pruned.tolist())),
        wiring.edges(pruned.tolist()),
    )
