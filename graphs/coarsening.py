"""Coarser graphs: clusters of mediators as nodes.

A cluster graph is a causal graph only where it has no cycle (Anand et al. 2023, "Causal effect
identification in cluster DAGs"): one that sandwiches another mediator has one, and is refused with
the edges that close it.
"""

import heapq
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate, pairwise
from typing import final

from causalnet.errors import GraphError, InternalError
from causalnet.graphs.arguments import check_type, listed, mapped
from causalnet.graphs.mediator_graph import MediatorGraph
from causalnet.graphs.mediators import Kind, Mediator
from causalnet.graphs.nodes import Cut, Merge, Node, Slot, Stream

__all__ = ["Coarsening", "cluster_graph"]

_WRITE = "Write {'name': ['member', ...]}."


@final
@dataclass(frozen=True, slots=True, repr=False)
class Coarsening:
    """A graph, a coarser one, and which fine nodes each coarse node holds.

    Attributes:
        fine: The graph.
        coarse: The coarser graph.
        members: The fine nodes in each coarse one.  A fine node may lie in several, when nothing
            outside of them reads it: the key of a K/V group lies in each of its heads.
    """

    fine: MediatorGraph
    coarse: MediatorGraph
    members: Mapping[str, tuple[str, ...]] = field(hash=False)

    def refine(self) -> MediatorGraph:
        """Return the fine graph."""
        return self.fine

    def image(self, names: Iterable[str | Mediator] | str | Mediator) -> frozenset[str]:
        """Return the coarse nodes that hold one of some fine nodes.

        Raises:
            UnknownMediatorError: A name that the fine graph does not have.
        """
        wanted = {self.fine.find(name).name for name in _several(names)}
        return frozenset(
            name for name, inside in self.members.items() if not wanted.isdisjoint(inside)
        )

    def inside(self, names: Iterable[str | Mediator] | str | Mediator) -> frozenset[str]:
        """Return the fine nodes that some coarse nodes hold.

        Raises:
            UnknownMediatorError: A name that the coarse graph does not have.
            TermError: A cut.
        """
        wanted = [self.coarse.node(name).mediator.name for name in _several(names)]
        return frozenset(fine for name in wanted for fine in self.members[name])

    def __repr__(self) -> str:
        """Return one line."""
        return f"Coarsening({len(self.fine.nodes)} nodes into {len(self.coarse.nodes)})"


def _several(names: Iterable[str | Mediator] | str | Mediator) -> tuple[str | Mediator, ...]:
    if isinstance(names, str | Mediator):
        return (names,)
    return listed(names, "mediators", "Write one name or several.")


def cluster_graph(graph: MediatorGraph, clusters: Mapping[str, Sequence[str]]) -> Coarsening:
    """Return the graph whose nodes are clusters; a node in no cluster stays itself.

    Between two clusters there is an edge where there is one between their members.  Streams stay
    streams where a prefix of the fine writers is one of the coarse writers, and cuts stay where
    they cut no cluster in two.  Nothing is declared of a cluster of several nodes but that it is
    pointwise where all are.

    Args:
        graph: The fine graph.
        clusters: The members of every cluster by its name.

    Raises:
        GraphError: The clusters form a cycle (the fine edges that close it are named), one is
            empty, two share a node that others read, or a name is taken.
        UnknownMediatorError: A member that is not in the graph.
        TermError: A member that is a cut.

    >>> from causalnet.graphs import plain_graph
    >>> fine = plain_graph({"X": (), "A": ("X",), "B": ("A",), "Y": ("B", "X")})
    >>> cluster_graph(fine, {"M": ("A", "B")}).coarse.parents("Y")
    ('M', 'X')
    >>> cluster_graph(fine, {"M": ("X", "B")})
    Traceback (most recent call last):
    ...
    causalnet.errors.GraphError: The clusters form a cycle: M -> A -> M. \
X -> A leaves 'M' and A -> B closes the cycle. Keep X and B apart, or put A with them.
    """
    check_type(graph, MediatorGraph, "Write transformer_graph(shape) or plain_graph(parents).")
    clustering = _Clustering(graph, mapped(clusters, "clusters to members", _WRITE))
    if clustering.names == [*clustering.rank]:
        return Coarsening(graph, graph, {name: (name,) for name in clustering.names})
    return clustering.result()


class _Clustering:
    """One clustering; clusters and fine nodes are numbers."""

    def __init__(self, graph: MediatorGraph, clusters: Mapping[str, Sequence[str]]) -> None:
        self.graph = graph
        self.rank = {node.mediator.name: index for index, node in enumerate(graph.nodes)}
        self.names: list[str] = []
        self.groups: list[list[int]] = []
        self.holders: list[tuple[int, ...]] = [()] * len(graph.nodes)
        for name, given in clusters.items():
            members = (given,) if isinstance(given, str) else listed(given, "members", _WRITE)
            self.add(str(name), [self.rank[graph.node(each).mediator.name] for each in members])
        for index, node in enumerate(graph.nodes):
            if not self.holders[index]:
                self.add(node.mediator.name, [index])
        self.check_sharing()
        self.order_of_entry()
        self.parents = [self.named_parents(number) for number in range(len(self.names))]

    def add(self, name: str, members: list[int]) -> None:
        if not members:
            raise GraphError(f"Cluster {name!r} is empty.", "A cluster has at least one member.")
        for member in dict.fromkeys(members):
            self.holders[member] = (*self.holders[member], len(self.names))
        self.names.append(name)
        self.groups.append(sorted(set(members)))

    def check_sharing(self) -> None:
        """Refuse a node in several clusters that something outside of them reads."""
        writers = {self.rank[name] for stream in self.graph.streams for name in stream.writers}
        for index, node in enumerate(self.graph.nodes):
            for name in (name for slot in node.slots for name in slot.parents):
                held = self.holders[self.rank[name]]
                if len(held) > 1 and not set(self.holders[index]) <= set(held):
                    raise self.shared(self.rank[name], node.mediator.name)
        for index in writers:
            if len(self.holders[index]) > 1:
                raise self.shared(index, "everything later in its stream")

    def shared(self, index: int, reader: str) -> GraphError:
        held = ", ".join(self.names[number] for number in self.holders[index])
        return GraphError(
            f"{self.graph.nodes[index].mediator} lies in {held}, and {reader} reads it.",
            "A node lies in several clusters only where all its readers lie in them.",
        )

    # -- edges between clusters ------------------------------------------------------------------

    def order_of_entry(self) -> None:
        """Number the clusters of each stream by their first writers.

        Whoever reads n writers reads the clusters whose first writer is one of the n: the first
        `entered[n]` of them.
        """
        self.entry: dict[str, list[int]] = {}
        self.entered: dict[str, list[int]] = {}
        self.place: dict[str, dict[int, int]] = {}
        for stream in self.graph.streams:
            place: dict[int, int] = {}
            entered = [0]
            for name in stream.writers:
                for number in self.holders[self.rank[name]]:
                    place.setdefault(number, len(place))
                entered.append(len(place))
            self.entry[stream.name], self.place[stream.name] = [*place], place
            self.entered[stream.name] = entered

    def slots(self, number: int) -> Iterator[Slot]:
        for member in self.groups[number]:
            yield from self.graph.nodes[member].slots

    def named_parents(self, number: int) -> list[int]:
        """Return the clusters that a cluster reads by name."""
        found = (
            holder
            for slot in self.slots(number)
            for name in slot.parents
            for holder in self.holders[self.rank[name]]
            if number not in self.holders[self.rank[name]]
        )
        return [*dict.fromkeys(found)]

    def reads(self, number: int) -> dict[str, int]:
        """Return how many clusters of each stream a cluster reads, in the order of entry."""
        most: dict[str, int] = {}
        for slot in self.slots(number):
            if slot.stream:
                count = self.entered[slot.stream][slot.writers_before]
                most[slot.stream] = max(count, most.get(slot.stream, 0))
        return most

    def sources(self, number: int) -> Iterator[int]:
        """Yield every cluster that a cluster reads."""
        yield from self.parents[number]
        for stream, count in self.reads(number).items():
            yield from (each for each in self.entry[stream][:count] if each != number)

    # -- order -----------------------------------------------------------------------------------

    def in_order(self) -> list[int]:
        """Return the clusters parents first, those that are complete first coming first.

        The partial sums of streams are nodes here, so that this takes time linear in the graph.

        Raises:
            GraphError: A cycle.
        """
        count = len(self.names)
        base: dict[str, int] = {}
        for stream, entry in self.entry.items():
            base[stream], count = count, count + len(entry) + 1
        after: list[list[int]] = [[] for _ in range(count)]
        waits = [0] * count

        def link(earlier: int, later: int) -> None:
            after[earlier].append(later)
            waits[later] += 1

        for stream, entry in self.entry.items():
            for place, number in enumerate(entry):
                link(number, base[stream] + place + 1)
                link(base[stream] + place, base[stream] + place + 1)
        for number in range(len(self.names)):
            for parent in self.parents[number]:
                link(parent, number)
            for stream, last in self.reads(number).items():
                own = self.place[stream].get(number, last)
                link(base[stream] + min(own, last), number)
                for other in self.entry[stream][own + 1 : last]:  # what enters after its own
                    link(other, number)
        key = [group[-1] for group in self.groups] + [-1] * (count - len(self.names))
        ready = [(key[place], place) for place in range(count) if not waits[place]]
        heapq.heapify(ready)
        done: list[int] = []
        while ready:
            _, place = heapq.heappop(ready)
            done += [place] if place < len(self.names) else []
            for later in after[place]:
                waits[later] -= 1
                if not waits[later]:
                    heapq.heappush(ready, (key[later], later))
        if len(done) < len(self.names):
            raise self.cycle({*range(len(self.names))} - {*done})
        return done

    def cycle(self, left: set[int]) -> GraphError:
        """Return the error for a shortest cycle among the clusters that could not be ordered."""
        current, walked = min(left), set[int]()
        while current not in walked:  # against the edges, until a cluster of a cycle comes again
            walked.add(current)
            current = next(each for each in self.sources(current) if each in left)
        came: dict[int, int] = {}
        layer = [current]
        while current not in came:
            following = []
            for number in layer:
                for source in self.sources(number):
                    if source in left and source not in came:
                        came[source] = number
                        following.append(source)
            layer = following
        loop = [current, came[current]]
        while loop[-1] != current:
            loop.append(came[loop[-1]])
        # Begin where clusters are entered and left by different members.
        start = next(i for i, number in enumerate(loop) if len(self.groups[number]) > 1)
        loop = [*loop[start:-1], *loop[:start], loop[start]]
        edges = [self.fine_edge(a, b) for a, b in pairwise(loop)]
        first, last = edges[0], edges[-1]
        between = "".join(f", {a} -> {b} goes on" for a, b in edges[1:-1])
        with_them = " and ".join(self.names[number] for number in loop[1:-1])
        return GraphError(
            f"The clusters form a cycle: {' -> '.join(self.names[number] for number in loop)}.",
            f"{first[0]} -> {first[1]} leaves {self.names[loop[0]]!r}{between} and "
            f"{last[0]} -> {last[1]} closes the cycle.",
            f"Keep {first[0]} and {last[1]} apart, or put {with_them} with them.",
        )

    def fine_edge(self, start: int, end: int) -> tuple[str, str]:
        """Return an edge between members of two clusters."""
        wanted = {self.graph.nodes[member].mediator.name for member in self.groups[start]}
        for member in self.groups[end]:
            for slot in self.graph.nodes[member].slots:
                for sender in self.graph.senders(slot):
                    if sender in wanted:
                        return sender, self.graph.nodes[member].mediator.name
        raise InternalError("Two clusters have an edge that no two of their members have.")

    # -- the coarse graph ------------------------------------------------------------------------

    def result(self) -> Coarsening:
        order = self.in_order()
        at = {number: place for place, number in enumerate(order)}
        self.writers = {
            stream: sorted(entry, key=at.__getitem__) for stream, entry in self.entry.items()
        }
        self.longest = {stream: self.reach(stream) for stream in self.entry}
        self.read_outside = self.members_read_outside()
        nodes = tuple(self.node(number) for number in order)
        streams = tuple(
            Stream(name, tuple(self.names[number] for number in writers))
            for name, writers in self.writers.items()
        )
        cuts, origin = tuple(self.cuts()), self.graph.origin
        coarse = MediatorGraph(nodes, streams, cuts, self.graph.sizes, origin=origin)
        members = {
            self.names[number]: tuple(
                self.graph.nodes[member].mediator.name for member in self.groups[number]
            )
            for number in order
        }
        return Coarsening(self.graph, coarse, members)

    def reach(self, stream: str) -> list[int]:
        """Return how many coarse writers hold the first n clusters in the order of entry."""
        place = {number: index for index, number in enumerate(self.writers[stream])}
        longest = [0]
        for number in self.entry[stream]:
            longest.append(max(longest[-1], place[number] + 1))
        return longest

    def members_read_outside(self) -> set[int]:
        """Return the fine nodes that their cluster cannot hide: read outside, or by nobody."""
        found = {self.rank[name] for stream in self.graph.streams for name in stream.writers}
        read: set[int] = set()
        for index, node in enumerate(self.graph.nodes):
            for name in (name for slot in node.slots for name in slot.parents):
                parent = self.rank[name]
                read.add(parent)
                if not set(self.holders[index]) <= set(self.holders[parent]):
                    found.add(parent)
        return found | ({*range(len(self.graph.nodes))} - read)

    def cuts(self) -> Iterator[Cut]:
        """Yield the cuts that have whole clusters before them, the first coarse writers."""
        ends: dict[str, list[int]] = {}
        for stream in self.graph.streams:
            last: dict[int, int] = {}
            for index, name in enumerate(stream.writers):
                last.update(dict.fromkeys(self.holders[self.rank[name]], index))
            entry = (last[number] for number in self.entry[stream.name])
            ends[stream.name] = [*accumulate(entry, max, initial=-1)]
        for cut in self.graph.cuts:
            count = self.entered[cut.stream][cut.writers_before]
            whole = ends[cut.stream][count] < cut.writers_before
            if whole and self.longest[cut.stream][count] == count:
                yield Cut(cut.name, cut.stream, count)

    def node(self, number: int) -> Node:
        group = self.groups[number]
        if len(group) == 1:
            return self.single(number, self.graph.nodes[group[0]])
        inside = [self.graph.nodes[member] for member in group]
        slots = [*self.sums(number)]
        slots += [
            Slot(self.names[parent], Merge.PLAIN, (self.names[parent],))
            for parent in self.parents[number]
        ]
        pointwise = tuple(
            axis for axis in inside[0].pointwise if all(axis in node.pointwise for node in inside)
        )
        pure = all(node.pure for node in inside)
        regimes = tuple(dict.fromkeys(regime for node in inside for regime in node.regimes))
        shown = [member for member in group if member in self.read_outside]
        axes = self.graph.nodes[shown[0]].axes if len(shown) == 1 else ()
        return Node(self.mediator(number), axes, tuple(slots), (), (), pointwise, pure, regimes)

    def mediator(self, number: int) -> Mediator:
        """Return the member of the cluster's name, or a new mediator."""
        inside = [self.graph.nodes[member].mediator for member in self.groups[number]]
        name = self.names[number]
        same = next((each for each in inside if each.name == name), None)
        if same is not None:
            return same
        kind = inside[0].kind if len(inside) == 1 else Kind.CLUSTER
        index = inside[0].index if len(inside) == 1 else None
        layers = {each.layer for each in inside}
        positions = {each.position for each in inside}
        return Mediator(
            name,
            kind,
            layers.pop() if len(layers) == 1 else None,
            index,
            positions.pop() if len(positions) == 1 else None,
        )

    def sums(self, number: int) -> Iterator[Slot]:
        """Yield one slot for each stream that a cluster reads more of than its own writers."""
        taken = {self.names[parent] for parent in self.parents[number]}
        for stream, count in self.reads(number).items():
            of_stream = [slot for slot in self.slots(number) if slot.stream == stream]
            name = of_stream[0].name
            while name in taken:
                name += "'"
            taken.add(name)
            owners = {self.owner(slot.owner, number) for slot in of_stream}
            owner = owners.pop() if len(owners) == 1 else ""
            slot = self.sum_slot(number, Slot(name, Merge.SUM, (), stream, 0, owner), count)
            if slot.parents or slot.writers_before:
                yield slot

    def owner(self, name: str, number: int) -> str:
        """Return the cluster whose slot a cluster reads, nothing where it is its own."""
        held = self.holders[self.rank[name]] if name else ()
        return "" if number in held or not held else self.names[held[0]]

    def sum_slot(self, number: int, slot: Slot, count: int) -> Slot:
        """Return a slot that reads the first clusters in the order of entry, itself left out.

        They are a prefix of the coarse writers, or are named one by one.
        """
        stream, own = slot.stream, self.place[slot.stream].get(number, count)
        rest = count - (own < count)
        writers = self.writers[stream]
        whole = self.longest[stream][count] == count
        if whole and (rest == count or writers[count - 1] == number):
            return replace(slot, writers_before=rest)
        named = tuple(self.names[each] for each in self.entry[stream][:count] if each != number)
        return replace(slot, parents=named, stream="", writers_before=0)

    def single(self, number: int, node: Node) -> Node:
        """Return a node that is alone in its cluster: the same, but for who its parents are."""
        slots = tuple(self.renamed(number, slot) for slot in node.slots)
        return replace(node, mediator=self.mediator(number), slots=slots)

    def renamed(self, number: int, slot: Slot) -> Slot:
        slot = replace(slot, owner=self.owner(slot.owner, number)) if slot.owner else slot
        if slot.stream:
            return self.sum_slot(number, slot, self.entered[slot.stream][slot.writers_before])
        held = (self.holders[self.rank[name]][0] for name in slot.parents)
        parents = tuple(dict.fromkeys(self.names[each] for each in held))
        return replace(slot, parents=parents)
