"""What scores belong to: lists of nodes, and all residual edges without listing them."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import TypeAlias

from causalnet.errors import TermError, UnknownMediatorError
from causalnet.graphs import MediatorGraph, TransformerShape, canonical, nearest
from causalnet.interventions import Edge, Node, Position, Site

__all__ = ["EdgeSites", "NodeSites", "Sites", "edge_sites"]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class NodeSites:
    """Some nodes, each at some positions, in a fixed order.

    Attributes:
        sites: The nodes.
    """

    sites: tuple[Node, ...]
    _places: dict[str, int] = field(init=False)

    def __post_init__(self) -> None:
        """Number the nodes by their texts."""
        places = {str(site): index for index, site in enumerate(self.sites)}
        object.__setattr__(self, "_places", places)

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.sites)

    def __getitem__(self, index: int) -> Site:
        """Return one of them."""
        return self.sites[index]

    def __iter__(self) -> Iterator[Site]:
        """Go through them in order."""
        return iter(self.sites)

    def label(self, index: int) -> str:
        """Return what one of them is called."""
        return str(self.sites[index])

    def index(self, name: str) -> int:
        """Return the number of a node.

        Raises:
            UnknownMediatorError: None of them is called so; near names are given.
        """
        node, bracket, at = name.partition("[")
        for wanted in (name, canonical(node) + bracket + at):
            if wanted in self._places:
                return self._places[wanted]
        raise UnknownMediatorError(
            f"No score of {name!r}.", f"Nearest: {', '.join(nearest(name, self._places))}."
        )


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class EdgeSites:
    """Every edge of the residual stream, receiver after receiver, senders in order.

    Attributes:
        graph: The graph of the network.
        receivers: The receivers, in the order in which they are computed.
        counts: How many of the stream's writers each of them reads.
        at: Positions of the senders' values; none means all.
    """

    graph: MediatorGraph
    receivers: tuple[str, ...]
    counts: tuple[int, ...]
    at: tuple[Position, ...] = ()
    _starts: tuple[int, ...] = field(init=False)
    _writer: dict[str, int] = field(init=False)
    _receiver: dict[str, int] = field(init=False)

    def __post_init__(self) -> None:
        """Number senders and receivers."""
        object.__setattr__(self, "_starts", (0, *accumulate(self.counts)))
        for name, column in (("_writer", self.graph.writers), ("_receiver", self.receivers)):
            object.__setattr__(self, name, {each: index for index, each in enumerate(column)})

    def __len__(self) -> int:
        """Return how many there are."""
        return self._starts[-1]

    def __getitem__(self, index: int) -> Site:
        """Return one of them."""
        index = range(len(self))[index]
        receiver = bisect_right(self._starts, index) - 1
        sender = self.graph.writers[index - self._starts[receiver]]
        return Edge(sender, self.receivers[receiver], self.at)

    def __iter__(self) -> Iterator[Site]:
        """Go through them in order."""
        return (self[index] for index in range(len(self)))

    def label(self, index: int) -> str:
        """Return `sender -> receiver`, with the positions."""
        return str(self[index])

    def into(self, receiver: str) -> slice:
        """Return the numbers of the edges into a receiver, senders in order.

        Raises:
            UnknownMediatorError: No such mediator; near names are given.
            TermError: A mediator that does not read the stream.
        """
        name = self.graph.find(receiver).name
        if name not in self._receiver:
            raise TermError(
                f"{name} does not read the residual stream.",
                "Queries, keys, values, MLPs and the logits do.",
            )
        place = self._receiver[name]
        return slice(self._starts[place], self._starts[place + 1])

    def index(self, name: str) -> int:
        """Return the number of the edge that `sender -> receiver` names.

        Raises:
            UnknownMediatorError: No such sender or receiver; near names are given.
            TermError: The text is no edge, or the receiver does not read the sender.
        """
        sender, arrow, rest = (part.strip() for part in name.partition("->"))
        if not arrow:
            raise TermError(f"{name!r} is no edge.", "", "Write 'L9.H6 -> L20.H0.q'.")
        receiver = rest.partition("[")[0]
        block = self.into(receiver)
        edge = self.graph.edge(sender, receiver)
        return int(block.start) + self._writer[edge.sender.name]


Sites: TypeAlias = NodeSites | EdgeSites


def edge_sites(graph: MediatorGraph, at: Sequence[Position] = ()) -> EdgeSites:
    """Return every residual edge of a graph: into queries, K/V groups, MLPs and logits.

    Those of a silent head or MLP are none.

    >>> from causalnet.graphs import transformer_graph
    >>> edges = edge_sites(transformer_graph(TransformerShape(30, 9, 3, 576, 64, 1536, 49152)))
    >>> len(edges), str(edges[0]), edges.index("L29.mlp -> logits")
    (70651, 'embed -> L0.H0.q', 70650)
    """
    receivers = [name for layer in range(graph.shape.layers) for name in _of(graph.shape, layer)]
    receivers.append("logits")
    counts = tuple(len(graph.writers_before(name)) for name in receivers)
    return EdgeSites(graph, tuple(receivers), counts, tuple(at))


def _of(shape: TransformerShape, layer: int) -> Iterator[str]:
    """Yield the receivers of a layer: queries by head, keys and values by group, the MLP."""
    owner = "KV" if shape.shares_keys else "H"
    yield from (f"L{layer}.H{head}.q" for head in shape.heads_of(layer))
    yield from (f"L{layer}.{owner}{group}.k" for group in shape.groups_of(layer))
    yield from (f"L{layer}.{owner}{group}.v" for group in shape.groups_of(layer))
    if shape.has_mlp(layer):
        yield f"L{layer}.mlp"
