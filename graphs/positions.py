"""Graphs of positions: every node once for each token, by the causal roles of its axes."""

from collections.abc import Iterator

from causalnet.errors import GraphError
from causalnet.graphs.arguments import check_type, check_whole
from causalnet.graphs.coarsening import Coarsening
from causalnet.graphs.mediator_graph import MediatorGraph
from causalnet.graphs.mediators import Mediator
from causalnet.graphs.nodes import Axis, Cut, Merge, Node, Role, Slot, Stream
from causalnet.graphs.wellformed import check_size

__all__ = ["POSITION_AXIS", "at_positions"]

POSITION_AXIS = "pos"


def at_positions(graph: MediatorGraph, tokens: int) -> Coarsening:
    """Return a graph of positions, with nodes such as `L9.H6[3]`, and how it coarsens to the graph.

    A node that is pointwise along `pos` reads its own position; another reads the positions up to
    its own where the axis is causal, and all positions where it is free.  A node without the axis
    stays one node.  There is one stream for each position.

    Args:
        graph: A graph of whole sequences.
        tokens: The number of positions.

    Raises:
        GraphError: A graph of positions already, one without the axis `pos`, or too many nodes.
        ParameterError: No tokens.

    >>> from causalnet.graphs import TransformerShape, transformer_graph
    >>> graph = transformer_graph(TransformerShape(2, 1, 1, 4, 4, 8, 5))
    >>> at_positions(graph, 3).fine.parents("L0.H0.z[1]")
    ('L0.H0.pattern[1]', 'L0.H0.v[0]', 'L0.H0.v[1]')
    """
    check_type(graph, MediatorGraph, "Write transformer_graph(shape).")
    check_whole(tokens, "tokens", least=1)
    role = {node.mediator.name: _position_axis(node) for node in graph.nodes}
    if graph.tokens is not None or not any(role.values()):
        raise GraphError(
            f"{graph!r} cannot be laid out at {tokens} positions.",
            f"Some node has the axis {POSITION_AXIS!r}; a graph of positions has it no more.",
        )
    check_size(sum(tokens if axis else 1 for axis in role.values()))
    expansion = _Expansion(graph, tokens, role)
    return expansion.result()


def _position_axis(node: Node) -> Axis | None:
    return next((axis for axis in node.axes if axis.name == POSITION_AXIS), None)


class _Expansion:
    """One graph laid out at so many positions."""

    def __init__(self, graph: MediatorGraph, tokens: int, axis: dict[str, Axis | None]) -> None:
        self.graph, self.tokens, self.axis = graph, tokens, axis
        self.places = range(tokens)

    def result(self) -> Coarsening:
        members = {
            node.mediator.name: tuple(self.names(node.mediator.name)) for node in self.graph.nodes
        }
        fine = MediatorGraph(
            tuple(copy for node in self.graph.nodes for copy in self.copies(node)),
            tuple(self.streams()),
            tuple(
                Cut(f"{cut.name}[{at}]", f"{cut.stream}[{at}]", cut.writers_before)
                for cut in self.graph.cuts
                for at in self.places
            ),
            self.graph.sizes,
            self.graph.grain,
            self.tokens,
            self.graph.origin,
        )
        return Coarsening(fine, self.graph, members)

    def names(self, name: str) -> list[str]:
        return [f"{name}[{at}]" for at in self.places] if self.axis[name] else [name]

    def streams(self) -> Iterator[Stream]:
        for stream in self.graph.streams:
            still = next((name for name in stream.writers if not self.axis[name]), None)
            if still is not None:
                raise GraphError(
                    f"{still!r} writes into stream {stream.name!r} and has no axis "
                    f"{POSITION_AXIS!r}.",
                    "Every writer of a stream has one.",
                )
            for at in self.places:
                written = tuple(f"{name}[{at}]" for name in stream.writers)
                yield Stream(f"{stream.name}[{at}]", written)

    def copies(self, node: Node) -> Iterator[Node]:
        """Yield a node at every position, with what it reads there."""
        axis = self.axis[node.mediator.name]
        kept = tuple(each for each in node.axes if each is not axis)
        for at in self.places if axis else (None,):
            slots: list[Slot] = []
            linear, additive = [], []
            for slot in node.slots:
                made = tuple(self.slots(node, slot, at))
                slots += made
                linear += [each.name for each in made if slot.name in node.linear_in]
                additive += [each.name for each in made if slot.name in node.additive]
            pointwise = tuple(name for name in node.pointwise if name != POSITION_AXIS)
            yield Node(
                self.mediator(node.mediator, at),
                kept,
                tuple(slots),
                tuple(linear),
                tuple(additive),
                pointwise,
                node.pure,
                node.regimes,
            )

    def mediator(self, whole: Mediator, at: int | None) -> Mediator:
        name = whole.name if at is None else f"{whole.name}[{at}]"
        return Mediator(name, whole.kind, whole.layer, whole.index, at)

    def slots(self, node: Node, slot: Slot, here: int | None) -> Iterator[Slot]:
        """Yield what a slot becomes: for sums one slot for each position read, otherwise one."""
        at_own = POSITION_AXIS in (*node.pointwise, *slot.pointwise)
        places = self.places_read(node, at_own, here)
        owner = self.name(slot.owner, here) if slot.owner else ""
        pointwise = tuple(name for name in slot.pointwise if name != POSITION_AXIS)
        if slot.merge is not Merge.SUM:
            parents = tuple(
                name
                for parent in slot.parents
                for name in dict.fromkeys(self.name(parent, at) for at in places)
            )
            spread = not at_own and any(self.axis[parent] for parent in slot.parents)
            merge = Merge.CONCAT if spread else slot.merge
            yield Slot(slot.name, merge, parents, "", 0, owner, pointwise)
            return
        for at in places:
            name = slot.name if at_own else f"{slot.name}[{at}]"
            stream = f"{slot.stream}[{at}]" if slot.stream else ""
            summed = tuple(self.name(parent, at) for parent in slot.parents)
            yield Slot(name, slot.merge, summed, stream, slot.writers_before, owner, pointwise)

    def places_read(self, node: Node, at_own: bool, here: int | None) -> range:
        axis = self.axis[node.mediator.name]
        if axis is None or here is None:
            return self.places
        if at_own:
            return range(here, here + 1)
        return range(here + 1) if axis.role is Role.CAUSAL else self.places

    def name(self, whole: str, at: int | None) -> str:
        return whole if at is None or self.axis[whole] is None else f"{whole}[{at}]"
