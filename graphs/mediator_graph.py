"""The mediator graph: typed nodes, slots, and implicit edges.

A network is a deterministic causal model: every node is a function of its slots.  In a residual
network a receiver's slot is the sum of all earlier writers of a stream, so the edges into it are a
prefix of one ordered list of writers.  Edges are kept as that prefix, never as a list, so that
graphs of neurons and positions stay possible.
"""

import hashlib
import html
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from numbers import Integral
from typing import TYPE_CHECKING, Any, final

from causalnet.errors import TermError, UnknownMediatorError
from causalnet.graphs.arguments import check_whole, quoted
from causalnet.graphs.grains import Grain
from causalnet.graphs.lookup import no_edge, unknown_mediator
from causalnet.graphs.mediators import Kind, Mediator
from causalnet.graphs.names import canonical
from causalnet.graphs.nodes import Axis, Cut, MediatorEdge, Node, Slot, Stream
from causalnet.graphs.shape import TransformerShape
from causalnet.graphs.wellformed import all_of, check_graph

if TYPE_CHECKING:
    from causalnet.graphs.admg import ADMG

__all__ = ["MediatorGraph"]


@final
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class MediatorGraph:
    """An immutable typed graph of mediators in topological order; equal by content.

    Attributes:
        nodes: Every node, parents first.
        streams: The streams that nodes write into, with their writers in order.
        cuts: The named points of the streams.
        sizes: The sizes of the transformer that was laid out, or None for another graph.
        grain: What the nodes of that transformer are; None for another graph.
        tokens: The number of positions of a graph of positions; None for whole sequences.
        origin: How a graph came about that was not laid out from sizes: `traced ...` for one that
            was read off a network, `declared ...` for one that rests on what somebody said.

    Raises:
        GraphError: A name twice, a parent that does not come before its child, or a slot, stream
            or cut that is not one.

    >>> from causalnet.graphs import plain_graph
    >>> graph = plain_graph({"X": (), "M": ("X",), "Y": ("X", "M")})
    >>> graph.parents("Y")
    ('X', 'M')
    """

    nodes: tuple[Node, ...]
    streams: tuple[Stream, ...] = ()
    cuts: tuple[Cut, ...] = ()
    sizes: TransformerShape | None = None
    grain: Grain | None = None
    tokens: int | None = None
    origin: str = ""
    _order: Mapping[str, int] = field(init=False)
    _cut: Mapping[str, Cut] = field(init=False)
    _stream: Mapping[str, Stream] = field(init=False)
    _writer: Mapping[str, Mapping[str, int]] = field(init=False)
    _digest: list[str] = field(init=False)

    def __post_init__(self) -> None:
        """Index the nodes by name, and refuse what is not a graph in topological order."""
        for name, kind in (("nodes", Node), ("streams", Stream), ("cuts", Cut)):
            object.__setattr__(self, name, all_of(getattr(self, name), kind))
        order = {node.mediator.name: index for index, node in enumerate(self.nodes)}
        check_graph(self.nodes, self.streams, self.cuts, order)
        object.__setattr__(self, "_order", order)
        object.__setattr__(self, "_cut", {cut.name: cut for cut in self.cuts})
        object.__setattr__(self, "_stream", {stream.name: stream for stream in self.streams})
        written = {
            stream.name: {name: index for index, name in enumerate(stream.writers)}
            for stream in self.streams
        }
        object.__setattr__(self, "_writer", written)
        object.__setattr__(self, "_digest", [])

    # -- identity --------------------------------------------------------------------------------

    def fingerprint(self) -> str:
        """Return a sha256 of the graph's content; equal graphs have equal fingerprints."""
        if not self._digest:
            parts = (self.sizes, self.grain, self.tokens, self.nodes, self.streams, self.cuts)
            content = repr((*parts, self.origin) if self.origin else parts)
            self._digest.append(hashlib.sha256(content.encode()).hexdigest())
        return self._digest[0]

    def __eq__(self, other: object) -> bool:
        """Return whether two graphs have the same content."""
        if not isinstance(other, MediatorGraph):
            return NotImplemented
        return self is other or self.fingerprint() == other.fingerprint()

    def __hash__(self) -> int:
        """Return a hash of the content."""
        return hash(self.fingerprint())

    def __repr__(self) -> str:
        """Return one line."""
        if self.sizes is None:
            edges = sum(len(self.parents(node.mediator)) for node in self.nodes)
            origin = f", {self.origin}" if self.origin else ""
            return f"MediatorGraph({len(self.nodes)} nodes, {edges} edges{origin})"
        shape = self.sizes
        sharing = f", {shape.kv_heads} K/V groups" if shape.shares_keys else ""
        grain = "" if self.grain in (None, Grain.CHANNELS) else f", grain {self.grain}"
        tokens = "" if self.tokens is None else f", {self.tokens} positions"
        return (
            f"MediatorGraph({shape.layers} layers x {shape.heads} heads{sharing}{grain}{tokens}, "
            f"{len(self.nodes)} nodes, {self.count_edges()} residual edges)"
        )

    @property
    def shape(self) -> TransformerShape:
        """The sizes of the transformer.

        Raises:
            TermError: The graph is not that of a transformer.
        """
        if self.sizes is None:
            raise TermError(
                "This graph is not that of a transformer.",
                "It has no layers, heads or widths.",
                "Lay one out with transformer_graph(shape).",
            )
        return self.sizes

    @property
    def writers(self) -> tuple[str, ...]:
        """The writers of the first stream, in order; none where there is no stream."""
        return self.streams[0].writers if self.streams else ()

    # -- lookup ----------------------------------------------------------------------------------

    def find(self, name: str | Mediator) -> Mediator:
        """Return the mediator of a name; other libraries' spellings are understood.

        Raises:
            UnknownMediatorError: No such mediator (nearest names are given), or a key or value
                asked of a head that shares it (the group is named).
        """
        known = self._order.get(str(name))
        if known is not None:  # spelt as the graph does, as nearly always
            return self.nodes[known].mediator
        for wanted in (str(name), canonical(str(name))):
            if wanted in self._order:
                return self.nodes[self._order[wanted]].mediator
            if wanted in self._cut:
                layer = wanted[1:].split(".")[0]
                return Mediator(wanted, Kind.RESIDUAL, int(layer) if layer.isdecimal() else None)
        raise unknown_mediator(
            canonical(str(name)), self.names(), len(self.nodes), self.sizes, self.grain
        )

    def names(self) -> tuple[str, ...]:
        """Return every name that `find` accepts, nodes first, then residual cuts."""
        return (*self._order, *self._cut)

    def node(self, name: str | Mediator) -> Node:
        """Return the node of a name; a residual cut is not a node.

        Raises:
            UnknownMediatorError: No such mediator.
            TermError: A residual cut.
        """
        mediator = self.find(name)
        if mediator.name in self._cut:
            raise TermError(
                f"{mediator.name!r} is a cut of the residual stream, not a node.",
                "It stands for all earlier writers into all later receivers.",
            )
        return self.nodes[self._order[mediator.name]]

    def rank(self, name: str | Mediator) -> int:
        """Return a node's place in the topological order.

        A cut has the place of the last writer before it, -1 where there is none.

        Raises:
            UnknownMediatorError: No such mediator.
        """
        mediator = self.find(name)
        cut = self._cut.get(mediator.name)
        if cut is None:
            return self._order[mediator.name]
        before = self._stream[cut.stream].writers[: cut.writers_before]
        return self._order[before[-1]] if before else -1

    def cut(self, name: str | Mediator) -> Cut:
        """Return the cut of a name.

        Raises:
            UnknownMediatorError: No such mediator.
            TermError: A node.
        """
        mediator = self.find(name)
        if mediator.name not in self._cut:
            raise TermError(f"{mediator.name!r} is a node, not a cut of a stream.")
        return self._cut[mediator.name]

    def axes(self, name: str | Mediator) -> tuple[Axis, ...]:
        """Return the axes of a node's value; those of a cut are its writers'.

        Raises:
            UnknownMediatorError: No such mediator.
        """
        mediator = self.find(name)
        cut = self._cut.get(mediator.name)
        if cut is None:
            return self.nodes[self._order[mediator.name]].axes
        writers = self._stream[cut.stream].writers
        return self.node(writers[0]).axes if writers else ()

    def heads(self, layer: int | None = None) -> tuple[Mediator, ...]:
        """Return all heads, or those of one layer, in order.

        Raises:
            UnknownMediatorError: A layer that is not there.
        """
        return self._of_kind(Kind.HEAD, layer)

    def mlps(self, layer: int | None = None) -> tuple[Mediator, ...]:
        """Return all MLPs, or that of one layer, in order.

        Raises:
            UnknownMediatorError: A layer that is not there.
        """
        return self._of_kind(Kind.MLP, layer)

    def _of_kind(self, kind: Kind, layer: int | None) -> tuple[Mediator, ...]:
        if layer is not None and not (
            isinstance(layer, Integral) and 0 <= layer < self.shape.layers
        ):
            raise UnknownMediatorError(
                f"No layer {quoted(layer)}.", f"Layers are 0..{self.shape.layers - 1}."
            )
        return tuple(
            node.mediator
            for node in self.nodes
            if node.mediator.kind is kind and layer in (None, node.mediator.layer)
        )

    # -- edges -----------------------------------------------------------------------------------

    def senders(self, slot: Slot) -> tuple[str, ...]:
        """Return the nodes that enter a slot, in order."""
        if not slot.stream:
            return slot.parents
        return self._stream[slot.stream].writers[: slot.writers_before]

    def edge(
        self, sender: str | Mediator, receiver: str | Mediator, slot: str | None = None
    ) -> MediatorEdge:
        """Return the edge between two nodes, or into one slot of the receiver.

        Raises:
            UnknownMediatorError: No such mediator.
            TermError: No such edge, or an end that is a cut or reads another node's slot.
        """
        slots = self.edge_slots(sender, receiver, slot)
        return MediatorEdge(self.find(sender), self.find(receiver), slots)

    def edge_slots(
        self, sender: str | Mediator, receiver: str | Mediator, slot: str | None = None
    ) -> tuple[Slot, ...]:
        """Return the receiver's own slots that a sender enters.

        Args:
            sender: The node whose value enters.
            receiver: The node that reads it.
            slot: One slot of the receiver; default every slot that the sender enters.

        Raises:
            UnknownMediatorError: No such mediator.
            TermError: No such edge, or an end that is a cut or reads another node's slot.
        """
        start, end = self.node(sender), self.node(receiver)
        shared = [own for own in end.slots if own.owner]
        if shared and not [own for own in end.slots if not own.owner]:
            raise TermError(
                f"{end.mediator} reads what {shared[0].owner} reads.",
                f"An edge into {shared[0].owner} reaches both.",
                f"Write '{start.mediator} -> {shared[0].owner}'.",
            )
        found = tuple(
            own
            for own in end.slots
            if not own.owner and slot in (None, own.name) and self._enters(start.mediator.name, own)
        )
        if not found:
            own = [each for each in end.slots if not each.owner]
            names = [name for each in own for name in self.senders(each)]
            raise no_edge(start.mediator, end, slot, names)
        return found

    def _enters(self, sender: str, slot: Slot) -> bool:
        if not slot.stream:
            return sender in slot.parents
        index = self._writer[slot.stream].get(sender, slot.writers_before)
        return index < slot.writers_before

    def writers_before(self, name: str | Mediator) -> tuple[str, ...]:
        """Return the writers whose sum a receiver or a residual cut reads.

        Raises:
            UnknownMediatorError: No such mediator.
        """
        mediator = self.find(name)
        cut = self._cut.get(mediator.name)
        if cut is not None:
            return self._stream[cut.stream].writers[: cut.writers_before]
        slots = [slot for slot in self.nodes[self._order[mediator.name]].slots if slot.stream]
        longest = max(slots, key=lambda slot: slot.writers_before, default=None)
        return () if longest is None else self.senders(longest)

    def parents(self, name: str | Mediator) -> tuple[str, ...]:
        """Return the direct parents of a node, slot by slot.

        Raises:
            UnknownMediatorError: No such mediator.
        """
        slots = self.node(name).slots
        return tuple(dict.fromkeys(sender for slot in slots for sender in self.senders(slot)))

    def ancestors(self, name: str | Mediator) -> frozenset[str]:
        """Return the node and all its ancestors, in time linear in their number.

        Those of a residual cut are the writers before it and their ancestors; cuts are not nodes
        and are never among them.

        Raises:
            UnknownMediatorError: No such mediator.
        """
        mediator = self.find(name)
        seen: set[str] = set()
        entered = dict.fromkeys(self._stream, 0)  # writers[:entered] are on the stack or done
        stack: list[str] = [mediator.name]
        cut = self._cut.get(mediator.name)
        if cut is not None:
            entered[cut.stream] = cut.writers_before
            stack = list(self._stream[cut.stream].writers[: cut.writers_before])
        while stack:
            current = stack.pop()
            if current in seen:
                continue
            seen.add(current)
            for slot in self.nodes[self._order[current]].slots:
                stack.extend(slot.parents)
                if slot.stream:
                    writers, before = self._stream[slot.stream].writers, entered[slot.stream]
                    stack.extend(writers[before : slot.writers_before])
                    entered[slot.stream] = max(before, slot.writers_before)
        return frozenset(seen)

    def is_ancestor(self, earlier: str | Mediator, later: str | Mediator) -> bool:
        """Return whether a directed path leads from one mediator to another, or they are equal.

        From a residual cut a path leads through a receiver that reads past it; into a cut, through
        a writer before it.

        Raises:
            UnknownMediatorError: No such mediator.
        """
        start, end = self.find(earlier), self.find(later)
        if start == end:
            return True
        if start.name not in self._cut:
            return start.name in self.ancestors(end)
        # A cut acts on the receivers after it: some receiver on the way to `end` must read past it.
        here, there = self._cut[start.name], self._cut.get(end.name)
        if there is not None and there.stream == here.stream:
            return here.writers_before <= there.writers_before
        reads = (self.nodes[self._order[name]].slots for name in self.ancestors(end))
        return any(
            slot.stream == here.stream and slot.writers_before >= here.writers_before
            for slots in reads
            for slot in slots
        )

    def count_edges(self) -> int:
        """Return the number of edges from writers into receivers, without making them."""
        return sum(slot.writers_before for _, slot in self._stream_slots())

    def _stream_slots(self) -> Iterator[tuple[Node, Slot]]:
        for node in self.nodes:
            for slot in node.slots:
                if slot.stream and not slot.owner:
                    yield node, slot

    def edges(self, at_most: int = 100_000) -> tuple[tuple[str, str], ...]:
        """Return the residual edges (writer, receiver), which are otherwise implicit.

        Raises:
            TermError: More edges than `at_most`.
        """
        check_whole(at_most, "at_most")
        count = self.count_edges()
        if count > at_most:
            raise TermError(
                f"The graph has {count} residual edges.",
                f"At most {at_most} are listed.",
                f"Write edges(at_most={count}).",
            )
        pairs = (
            (writer, node.mediator.name)
            for node, slot in self._stream_slots()
            for writer in self.senders(slot)
        )
        return tuple(islice(pairs, count))

    # -- other forms -----------------------------------------------------------------------------

    def draw(self) -> str:
        """Return the graph as text, layer by layer where it is large (`drawing.draw`)."""
        from causalnet.graphs.drawing import draw

        return draw(self)

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(self.draw())}</pre>"

    def to_dot(self, at_most: int = 10_000, sums: bool = False) -> str:
        """Return the graph in the DOT language (`drawing.to_dot`).

        Args:
            at_most: How many edges are written.
            sums: Whether streams are drawn as a line of partial sums.

        Raises:
            TermError: More edges than `at_most`.
        """
        from causalnet.graphs.drawing import to_dot

        return to_dot(self, at_most, sums)

    def to_json(self) -> str:
        """Return the graph as JSON of a versioned schema, streams implicit (`graph_json`)."""
        from causalnet.graphs.graph_json import to_json

        return to_json(self)

    @staticmethod
    def from_json(text: str) -> "MediatorGraph":
        """Read a graph that `to_json` wrote.

        Raises:
            FormatError: What is not such a graph; the key is named.
        """
        from causalnet.graphs.graph_json import from_json

        return from_json(text)

    def to_networkx(self, at_most: int = 1_000_000) -> Any:
        """Return a `networkx.MultiDiGraph` (`conversions.to_networkx`).

        Raises:
            TermError: More edges than `at_most`.
        """
        from causalnet.graphs.conversions import to_networkx

        return to_networkx(self, at_most)

    def to_admg(self, at_most: int = 10_000_000) -> "ADMG":
        """Return the causal diagram: noise that is shared is an arc (`conversions.to_admg`).

        Raises:
            TermError: More edges than `at_most`.
        """
        from causalnet.graphs.conversions import to_admg

        return to_admg(self, at_most)
