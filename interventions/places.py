"""Where on a graph the sites of worlds act, and in what order their values come to be known.

Time runs along the topological order: the node of rank r is known at time 2 r, and the running sum
of its stream with r as its last writer at 2 r + 1.
"""

from typing import NamedTuple, TypeAlias

from causalnet.errors import TermError
from causalnet.graphs import MediatorGraph, Merge
from causalnet.interventions.worlds import Edge, Site

__all__ = ["CutPlace", "EdgePlace", "NodePlace", "Place", "Places"]


class NodePlace(NamedTuple):
    """A node, by its rank."""

    rank: int


class CutPlace(NamedTuple):
    """A point of a stream: the sum of its first writers."""

    stream: str
    before: int


class EdgePlace(NamedTuple):
    """What one node sends into one slot; in a stream, the sender's place among the writers."""

    receiver: int
    slot: str
    sender: int
    stream: str


Place: TypeAlias = NodePlace | CutPlace | EdgePlace


class Places:
    """Looks places up on one graph, each name once."""

    def __init__(self, graph: MediatorGraph) -> None:
        """Note who reads every slot first."""
        self.graph = graph
        self.first_reader: dict[tuple[int, str], int] = {}
        self.writers: dict[str, tuple[int, ...]] = {
            stream.name: tuple(graph.rank(name) for name in stream.writers)
            for stream in graph.streams
        }
        self._cuts = {cut.name for cut in graph.cuts}
        self._known: dict[str, NodePlace | CutPlace] = {}
        self._edges: dict[tuple[str, str, str | None], tuple[EdgePlace, ...]] = {}
        for rank, node in enumerate(graph.nodes):
            for slot in node.slots:
                owner = graph.rank(slot.owner) if slot.owner else rank
                self.first_reader.setdefault((owner, slot.name), rank)

    def read(self, mediator: str) -> NodePlace | CutPlace:
        """Return where a mediator's value is found.

        Raises:
            UnknownMediatorError: No such mediator.
            TermError: A cut with nothing before it.
        """
        found = self._known.get(mediator)
        if found is None:
            found = self._known[mediator] = self._read(mediator)
        return found

    def _read(self, mediator: str) -> NodePlace | CutPlace:
        name = self.graph.find(mediator).name
        if name not in self._cuts:
            return NodePlace(self.graph.rank(name))
        cut = self.graph.cut(name)
        if cut.writers_before == 0:
            raise TermError(
                f"Nothing is written into {cut.stream!r} before {name}.",
                "A cut has the value of the writers before it.",
                "Choose a later cut.",
            )
        return CutPlace(cut.stream, cut.writers_before)

    def of(self, site: Site) -> tuple[Place, ...]:
        """Return where a site acts: an edge site on every slot that its sender enters.

        Raises:
            UnknownMediatorError: No such mediator.
            TermError: No such edge.
        """
        if not isinstance(site, Edge):
            return (self.read(site.mediator),)
        key = (site.sender, site.receiver, site.slot)
        found = self._edges.get(key)
        if found is None:
            found = self._edges[key] = self._edge(*key)
        return found

    def _edge(self, sender: str, receiver: str, slot: str | None) -> tuple[EdgePlace, ...]:
        slots = self.graph.edge_slots(sender, receiver, slot)
        start, end = self.graph.rank(sender), self.graph.rank(receiver)
        return tuple(
            EdgePlace(end, own.name, start, own.stream if own.merge is Merge.SUM else "")
            for own in slots
        )

    def time(self, place: NodePlace | CutPlace) -> int:
        """Return when a place's value is known."""
        if isinstance(place, NodePlace):
            return 2 * place.rank
        return 2 * self.writers[place.stream][place.before - 1] + 1

    def needed(self, place: Place) -> int:
        """Return by when the values that a site at a place reads must be known."""
        if not isinstance(place, EdgePlace):
            return self.time(place)
        if place.stream:
            return 2 * place.sender
        return 2 * self.first_reader[place.receiver, place.slot] - 1

    def is_late(self, read: NodePlace | CutPlace, place: Place) -> bool:
        """Return whether a value is not yet known when a site at a place reads it.

        A node that writes into two streams adds to one after the other.
        """
        time, needed = self.time(read), self.needed(place)
        if isinstance(read, CutPlace) and isinstance(place, CutPlace):
            return time > needed or (time == needed and read.stream != place.stream)
        return time > needed

    def diverges(self, place: Place) -> int:
        """Return the first time at which a world with a site at a place may differ."""
        if isinstance(place, EdgePlace):
            return 2 * self.first_reader[place.receiver, place.slot]
        return self.time(place)
