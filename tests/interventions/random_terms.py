"""Random small graphs, plain and with streams, and random nested worlds on them."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

from causalnet.graphs import Cut, Kind, Mediator, MediatorGraph, Merge, Slot, Stream, plain_graph
from causalnet.graphs import Node as GraphNode
from causalnet.interventions import (
    At,
    Base,
    Const,
    Do,
    Edge,
    Handle,
    Indices,
    Node,
    Op,
    Part,
    Position,
    Self,
    Site,
    Subspace,
    Value,
    World,
)

INPUTS = ("base", "source")
HANDLES = (Handle("c", "c0"), Handle("d", "d0"))
BASES = (Handle("r", "r0"), Handle("t", "t0"))


@dataclass(frozen=True)
class Views:
    """Which views are drawn: those that can be compared by their description, or all."""

    names: tuple[Position, ...] = (0, 1)  # of three positions, so that some are always left over
    bases: tuple[Handle, ...] = ()

    def draw(self, rng: random.Random) -> tuple[tuple[Position, ...], Part | None]:
        at = tuple(rng.sample(self.names, rng.choice((0, 0, 1, 1, 2))))
        part: Part | None = None
        if rng.random() < 0.4:
            chosen = tuple(rng.sample((0, 1), rng.choice((1, 2))))
            part = Indices("feature", chosen)
            if self.bases:
                part = rng.choice((part, Subspace(rng.choice(self.bases), chosen)))
        return at, part


COMPARABLE = Views()
SUBSPACES = Views(bases=BASES)
NAMED = Views(names=("S1", "S2", "end", 0, 2), bases=BASES)


def plain(rng: random.Random) -> MediatorGraph:
    """A DAG of 4 to 8 nodes, each pair joined with probability 0.45."""
    names = [f"V{i}" for i in range(rng.randint(4, 8))]
    return plain_graph(
        {name: tuple(u for u in names[:i] if rng.random() < 0.45) for i, name in enumerate(names)}
    )


def streamed(rng: random.Random) -> MediatorGraph:
    """A graph of writers and receivers of a stream, with cuts, shared and plain slots."""
    nodes: list[GraphNode] = [_node("W0")]
    writers = ["W0"]
    plain_names: list[str] = ["W0"]
    for layer in range(rng.randint(1, 3)):
        before = len(writers)
        resid = Slot("resid", Merge.SUM, (), "resid", before)
        receivers = [f"R{layer}.{i}" for i in range(rng.randint(1, 2))]
        for name in receivers:
            slots = [resid]
            if rng.random() < 0.4:
                shared = Slot("resid", Merge.SUM, (), "resid", before, name)
                nodes.append(_node(f"{name}.scale", shared, kind=Kind.SCALE))
                slots.append(Slot("scale", Merge.PLAIN, (f"{name}.scale",)))
            if rng.random() < 0.4:
                slots.append(Slot("also", Merge.PLAIN, (rng.choice(plain_names),)))
            nodes.append(_node(name, *slots))
        plain_names += receivers
        for name in receivers[: rng.randint(1, 2)]:
            how = rng.choice((Merge.PLAIN, Merge.CONCAT, Merge.SUM))
            second = name if how is Merge.PLAIN else rng.choice(plain_names)
            several = tuple(dict.fromkeys((name, second)))
            nodes.append(_node(f"W{name[1:]}", Slot("z", how, several)))
            writers.append(f"W{name[1:]}")
            plain_names.append(f"W{name[1:]}")
    nodes.append(_node("Y", Slot("resid", Merge.SUM, (), "resid", len(writers))))
    cuts = [Cut(f"cut{i}", "resid", i) for i in range(1, len(writers) + 1) if rng.random() < 0.7]
    cuts += [Cut("again", "resid", rng.randint(1, len(writers)))]
    return MediatorGraph(tuple(nodes), (Stream("resid", tuple(writers)),), tuple(cuts))


def _node(name: str, *slots: Slot, kind: Kind = Kind.VARIABLE) -> GraphNode:
    return GraphNode(Mediator(name, kind), (), tuple(slots))


def mediators(graph: MediatorGraph) -> list[str]:
    return list(graph.names())


def edges(graph: MediatorGraph) -> list[tuple[str, str, str]]:
    """Every edge that a site can be on."""
    return [
        (sender, node.mediator.name, slot.name)
        for node in graph.nodes
        for slot in node.slots
        if not slot.owner and not any(own.owner for own in node.slots)
        for sender in graph.senders(slot)
    ]


def world(
    graph: MediatorGraph, rng: random.Random, depth: int = 2, views: Views | None = COMPARABLE
) -> World:
    """A random world whose values read worlds of less depth."""
    current: World = Base(rng.choice(INPUTS))
    if depth == 0 and rng.random() < 0.7:
        return current
    for _ in range(rng.randint(0, 2)):
        layer: list[tuple[Site, Value]] = []
        for _ in range(rng.randint(1, 3)):
            layer.append(_assignment(graph, rng, depth, views))
        current = _on_top(current, layer, graph)
    return current


def _on_top(below: World, layer: Sequence[tuple[Site, Value]], graph: MediatorGraph) -> World:
    """Put a layer on a world, without the sites that overlap earlier ones."""
    point = {cut.name: f"cut {cut.writers_before}" for cut in graph.cuts}

    def place(site: Site) -> Site:
        """The site under one name for one place."""
        return (
            replace(site, mediator=point.get(site.mediator, site.mediator))
            if isinstance(site, Node)
            else site
        )

    kept: list[tuple[Site, Value]] = []
    for site, new in layer:
        if not any(place(site).overlaps(place(earlier)) for earlier, _ in kept):
            kept.append((site, new))
    return Do(below, tuple(kept))


def _assignment(
    graph: MediatorGraph, rng: random.Random, depth: int, views: Views | None
) -> tuple[Site, Value]:
    at, part = views.draw(rng) if views is not None and rng.random() < 0.4 else ((), None)
    lines = edges(graph)
    site: Site = Node(rng.choice(mediators(graph)), at, part)
    if lines and rng.random() < 0.5:
        sender, receiver, slot = rng.choice(lines)
        site = Edge(sender, receiver, at, part, rng.choice((None, slot)))
    return site, value(graph, rng, depth, site, views)


def value(
    graph: MediatorGraph, rng: random.Random, depth: int, site: Site, views: Views | None
) -> Value:
    drawn = rng.random()
    if drawn < 0.15:
        return Const(rng.choice((None, *HANDLES)))
    if drawn < 0.25:
        return Self()
    if drawn < 0.35:
        inside = tuple(
            value(graph, rng, depth - 1, site, views) if depth > 0 else Self() for _ in range(2)
        )
        return Op("add", inside, (("factor", 2.0),))
    read = site.read_from if rng.random() < 0.7 else rng.choice(mediators(graph))
    return At(read, world(graph, rng, max(depth - 1, 0), views))
