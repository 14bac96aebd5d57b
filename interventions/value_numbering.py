"""Value numbering over worlds: every value in every world gets the number of how it comes about.

The sweep goes node by node over columns of worlds.  In the base worlds every node is a call of its
mechanism.  The other worlds have their base's numbers up to the first place where a site acts; from
there on a world's call is numbered where an argument differs from the base's.  What sites assign is
then put in world by world, in reading order.  A residual stream is a chain of running sums that all
receivers share; a receiver into which edges are set has a sum of its own from the first such edge
on, and these sums are numbered together with the shared one, so that setting all edges out of a
node and setting the node meet again.
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from causalnet.graphs import Kind, MediatorGraph, Merge, Slot
from causalnet.graphs import Node as GraphNode
from causalnet.interventions.columns import Column, Level
from causalnet.interventions.mixes import mixed
from causalnet.interventions.numbering import EMPTY, Ids, Numbering, Table
from causalnet.interventions.places import CutPlace, EdgePlace, NodePlace, Place
from causalnet.interventions.reading_order import Layer, ReadingOrder
from causalnet.interventions.streams import ReceiverSums
from causalnet.interventions.views import Handle
from causalnet.interventions.worlds import At, Base, Const, Noise, Op, Self, Value, World

__all__ = ["ValueNumbering"]


class ValueNumbering:
    """The numbers of all mediators in all worlds of some terms.

    Args:
        worlds: The worlds that are asked for; those that they read are numbered too.
        graph: The graph.

    Raises:
        UnknownMediatorError: A site or a read names no mediator.
        TermError: A site on an edge that is not there.
    """

    def __init__(self, worlds: Iterable[World], graph: MediatorGraph) -> None:
        """Number the base worlds, then the others level by level."""
        self.graph = graph
        self.order = ReadingOrder(worlds, graph)
        self.numbering = Numbering()
        bases = (world.base for world in self.order.placed)
        self.bases = {base: index for index, base in enumerate(dict.fromkeys(bases))}
        self.tables = [Table(("call", node.mediator.name)) for node in graph.nodes]
        self.ground: list[Ids] = []
        self.ground_sums: dict[str, list[Ids]] = {}
        self.levels: list[Level] = []
        self._rows: dict[int, int] = {}
        self._handles: dict[str, Handle] = {}
        self.writes: dict[int, list[tuple[str, int]]] = {}
        for stream, writers in self.order.places.writers.items():
            for index, rank in enumerate(writers):
                self.writes.setdefault(rank, []).append((stream, index))
        self._number_bases()
        self._number_levels()

    def number(self, mediator: str, world: World) -> int:
        """Return the number of a mediator in a world that was numbered."""
        place, index = self.order.find(mediator, world)
        return self._read(place, index)

    def callers(self) -> NDArray[np.int64]:
        """Return for every number of a call the first world that makes it, [numbers].

        Worlds are counted as in the reading order, and the bases after them; -1 for other numbers.
        """
        worlds = len(self.order.placed)
        found = np.full(self.numbering.size, -1, dtype=np.int64)
        for level in reversed(self.levels):
            members = np.array(level.members, dtype=np.int64)
            for rank, column in enumerate(level.nodes):
                if self.graph.nodes[rank].slots:
                    ids, rows = level.calls(rank, column)
                    found[ids[::-1]] = members[rows][::-1]  # the last to be written is the first
        for rank, ids in enumerate(self.ground):
            if self.graph.nodes[rank].slots:
                found[ids[::-1]] = worlds + np.arange(len(ids))[::-1]
        return found

    # -- base worlds -----------------------------------------------------------------------------

    def _number_bases(self) -> None:
        nothing = np.full(len(self.bases), EMPTY, dtype=np.int32)
        self.ground_sums = {stream: [nothing] for stream in self.order.places.writers}
        for rank, node in enumerate(self.graph.nodes):
            if node.slots:
                arguments = [part for slot in node.slots for part in self._ground_slot(slot)]
                ids = self.numbering.number(self.tables[rank], arguments)
            else:
                inputs = [self.numbering.single(_input_key(node, base)) for base in self.bases]
                ids = np.array(inputs, dtype=np.int32)
            self.ground.append(ids)
            for stream, _ in self.writes.get(rank, ()):
                sums = self.ground_sums[stream]
                sums.append(self.numbering.plus(sums[-1], ids))
                self.numbering.shared[sums[-1]] = True
            self.numbering.shared[ids] = True

    def _ground_slot(self, slot: Slot) -> tuple[Ids, ...]:
        if slot.stream:
            return (self.ground_sums[slot.stream][slot.writers_before],)
        parents = tuple(self.ground[self.graph.rank(parent)] for parent in slot.parents)
        if slot.merge is not Merge.SUM:
            return parents
        total = self.ground_sum(len(parents), parents)
        return (total,)

    def ground_sum(self, count: int, parents: tuple[Ids, ...]) -> Ids:
        """Return the sum of the first parents of a slot in the base worlds, [bases]."""
        total = np.full(len(self.bases), EMPTY, dtype=np.int32)
        for parent in parents[:count]:
            total = self.numbering.plus(total, parent)
            self.numbering.shared[total] = True
        return total

    # -- the other worlds ------------------------------------------------------------------------

    def _number_levels(self) -> None:
        levels: dict[int, list[int]] = {}
        for index, world in enumerate(self.order.placed):
            if world.level >= 0:
                levels.setdefault(world.level, []).append(index)
        for number in range(len(levels)):
            members = [(index, self.order.placed[index]) for index in levels[number]]
            level = Level(members, self.bases)
            self.levels.append(level)
            self._rows.update({index: row for row, index in enumerate(level.members)})
            _Sweep(self, level).run()

    def _read(self, place: NodePlace | CutPlace, index: int) -> int:
        """Return the number at a place in a world."""
        world = self.order.placed[index]
        if world.level < 0:
            base = self.bases[world.base]
            if isinstance(place, NodePlace):
                return int(self.ground[place.rank][base])
            return int(self.ground_sums[place.stream][place.before][base])
        level = self.levels[world.level]
        if isinstance(place, NodePlace):
            return level.at(level.nodes[place.rank], self._rows[index])
        return level.at(level.streams[place.stream][place.before], self._rows[index])

    def assigned(self, value: Value, below: int) -> int:
        """Return the number of a value at a site where `below` stands."""
        single = self.numbering.single
        match value:
            case At(mediator, world):
                return self._read(*self.order.find(mediator, world))
            case Const(handle):
                return single(("const", None if handle is None else self._known_as(handle)))
            case Self():
                return below
            case Noise(key):
                return single(("noise", key))
            case Op():
                return self._operated(value, below)

    def _operated(self, operation: Op, below: int) -> int:
        """Return the number of an operation's result; operations may be nested to any depth."""
        done: dict[Value, int] = {}
        waiting: list[Value] = [operation]
        while waiting:
            current = waiting[-1]
            if not isinstance(current, Op):
                done[current] = self.assigned(current, below)
            elif missing := [part for part in current.arguments if part not in done]:
                waiting.extend(missing)
                continue
            else:
                inside = tuple(done[part] for part in current.arguments)
                static = tuple(
                    (key, self._known_as(to) if isinstance(to, Handle) else to)
                    for key, to in current.parameters
                )
                name = (current.name, current.version, static)
                done[current] = self.numbering.single(("op", *name, inside))
            waiting.pop()
        return done[operation]

    def _known_as(self, handle: Handle) -> Handle:
        """Return the first handle of a content: labels do not tell constants apart."""
        return self._handles.setdefault(handle.digest, handle)

    def folded(self, natural: int, layers: list[Layer]) -> int:
        """Return the number of a value after the layers at its place, the bottom one first."""
        known, current = self.numbering.size, natural
        for layer in layers:
            below = current
            for site in layer.sites:
                new = self.assigned(site.value, below)
                if site.view is None:
                    current = new
                else:
                    current = mixed(self.numbering, site.view, new, current, layer.apart)
        if current < known and current != natural:
            self.numbering.shared[current] = True  # it stands elsewhere, too
        return current


class _Sweep:
    """The numbering of one level."""

    def __init__(self, whole: ValueNumbering, level: Level) -> None:
        self.whole, self.level = whole, level
        self.graph, self.numbering = whole.graph, whole.numbering
        self.sites: dict[Place, list[tuple[int, list[Layer]]]] = {}
        for row in sorted(range(len(level.members)), key=level.members.__getitem__):
            for place, layers in level.worlds[row].places.items():
                self.sites.setdefault(place, []).append((row, layers))
        self.sums: dict[str, ReceiverSums] = {}
        for stream, writers in whole.order.places.writers.items():
            nothing = np.empty(0, dtype=np.int32)
            level.streams[stream] = [Column(nothing, whole.ground_sums[stream][0])]
            self.sums[stream] = ReceiverSums(
                stream, writers, self._entering, self.sites, self.numbering, whole.folded
            )

    def run(self) -> None:
        for rank, node in enumerate(self.graph.nodes):
            self._number_node(rank, node)
            for stream, index in self.whole.writes.get(rank, ()):
                self._add_writer(stream, index, rank)

    def _entering(self, receiver: int, slot: str) -> int:
        """Return how many writers enter a slot."""
        slots = self.graph.nodes[receiver].slots
        return next(own.writers_before for own in slots if own.name == slot)

    def _number_node(self, rank: int, node: GraphNode) -> None:
        level, ground = self.level, self.whole.ground[rank]
        count = level.differing(2 * rank)
        if node.slots:
            arguments = tuple(
                part
                for slot in node.slots
                for part in self._slot(slot, self.graph.rank(slot.owner) if slot.owner else rank)
            )
            table = self.whole.tables[rank]
            column = level.called(self.numbering, table, arguments, ground, count)
        else:
            column = Column(ground[level.grounds[:count]], ground)
        level.nodes.append(column)
        place = NodePlace(rank)
        if place in self.sites:
            level.set_[rank] = [(row, int(column.ids[row])) for row, _ in self.sites[place]]
        self._fold(place, column)

    def _fold(self, place: Place, column: Column) -> None:
        for row, layers in self.sites.get(place, ()):
            column.ids[row] = self.whole.folded(int(column.ids[row]), layers)

    # -- slots -----------------------------------------------------------------------------------

    def _slot(self, slot: Slot, owner: int) -> tuple[Column, ...]:
        """Return the columns of a slot's arguments, made when its first reader asks."""
        key = (owner, slot.name)
        if key not in self.level.slots:
            if slot.stream:
                columns: tuple[Column, ...] = (self._stream_slot(slot, owner),)
            else:
                parents = [self._sent(owner, slot.name, parent) for parent in slot.parents]
                columns = (self._sum(parents),) if slot.merge is Merge.SUM else tuple(parents)
            self.level.slots[key] = columns
        return self.level.slots[key]

    def _sent(self, receiver: int, slot: str, parent: str) -> Column:
        """Return what a node sends into a slot."""
        sender = self.graph.rank(parent)
        column = self.level.nodes[sender]
        place = EdgePlace(receiver, slot, sender, "")
        if place not in self.sites:
            return column
        count = self.level.differing(self.whole.order.places.diverges(place))
        sent = Column(self.level.first(column, count).copy(), column.ground)
        self._fold(place, sent)
        return sent

    def _sum(self, parents: list[Column]) -> Column:
        total = Column(np.empty(0, dtype=np.int32), self.whole.ground_sum(0, ()))
        count = max((len(parent.ids) for parent in parents), default=0)
        for parent in parents:
            total = self._added(total, parent, count)
        return total

    def _added(self, total: Column, term: Column, count: int) -> Column:
        there = self.level.grounds[:count]
        ground = self.numbering.plus(total.ground, term.ground)
        totals, terms = self.level.first(total, count), self.level.first(term, count)
        ids = ground[there]
        rows = np.flatnonzero((totals != total.ground[there]) | (terms != term.ground[there]))
        if len(rows):
            ids[rows] = self.numbering.plus(totals[rows], terms[rows])
        return Column(ids, ground)

    def _stream_slot(self, slot: Slot, owner: int) -> Column:
        shared = self.level.streams[slot.stream][slot.writers_before]
        own = self.sums[slot.stream].finished.get((owner, slot.name))
        if own is None:
            return shared
        first = self.whole.order.places.first_reader[owner, slot.name]
        column = Column(
            self.level.first(shared, self.level.differing(2 * first)).copy(), shared.ground
        )
        rows, ids = own
        column.ids[rows] = ids
        return column

    # -- streams ---------------------------------------------------------------------------------

    def _add_writer(self, stream: str, index: int, rank: int) -> None:
        """Add one more writer to a stream's running sums, the shared one and receivers' own."""
        level, sums = self.level, self.sums[stream]
        shared, term = level.streams[stream][-1], level.nodes[rank]
        count = level.differing(2 * rank + 1)
        there = level.grounds[:count]
        totals, terms = level.first(shared, count), level.first(term, count)
        ground = self.whole.ground_sums[stream][index + 1]
        dirty = (totals != shared.ground[there]) | (terms != term.ground[there])
        rows = np.flatnonzero(dirty)
        own = sums.entering(index, level, shared, term)
        ids = ground[there]
        if len(rows) or len(own):
            both = self.numbering.plus(
                np.concatenate([totals[rows], sums.totals]),
                np.concatenate([terms[rows], own]),
            )
            ids[rows] = both[: len(rows)]
            sums.totals = both[len(rows) :]
        column = Column(ids, ground)
        level.streams[stream].append(column)
        place = CutPlace(stream, index + 1)
        self._fold(place, column)
        sums.cut(place)
        sums.finish(index + 1)


def _input_key(node: GraphNode, base: Base) -> tuple[object, ...]:
    """Return what decides the value of a node that reads nothing."""
    name = node.mediator.name
    match node.mediator.kind:
        case Kind.NOISE:
            return ("noise variable", name, base.key or "")
        case Kind.ATTENTION_BIAS:
            return ("parameter", name)
        case _:
            return ("input", name, base.input)
