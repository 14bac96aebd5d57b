"""Random small decoder graphs, and random nested worlds on them that a forward pass can compute."""

import random
from functools import cache

from causalnet.graphs import MediatorGraph, TransformerShape, transformer_graph
from causalnet.interventions import (
    Assignment,
    At,
    Base,
    Const,
    Do,
    Edge,
    Handle,
    Indices,
    Node,
    Noise,
    Op,
    Part,
    Position,
    Read,
    ReadOut,
    Self,
    Site,
    Subspace,
    Value,
    World,
    kl,
    lens,
    logit_diff,
    probability,
    value_of,
)

SHAPES = (
    TransformerShape(2, 2, 1, 4, 2, 4, 8),
    TransformerShape(3, 4, 2, 8, 2, 8, 16),
    TransformerShape(2, 2, 2, 4, 2, 4, 8, attention_bias=True),
    TransformerShape(2, 2, 2, 4, 2, 4, 8, normed=False),
)
"""Grouped queries, more layers and heads, GPT-2's bias, and no norms."""

INPUTS = ("base", "source")
HANDLES = (None, Handle("c", "c0"), Handle("d", "d0"))
BASES = (Handle("r", "r0"), Handle("t", "t0"))


@cache
def graph_of(shape: TransformerShape) -> MediatorGraph:
    return transformer_graph(shape)


@cache
def alike(graph: MediatorGraph) -> dict[str, tuple[str, ...]]:
    """For every node and cut, those whose values have its type."""
    by_type: dict[object, list[str]] = {}
    for name in graph.names():
        by_type.setdefault(graph.axes(name), []).append(name)
    return {name: tuple(names) for names in by_type.values() for name in names}


@cache
def edges(graph: MediatorGraph) -> tuple[tuple[str, str], ...]:
    """Every edge that a site can be on; those inside attention and norms are few, and doubled."""
    found = [
        (sender, node.mediator.name)
        for node in graph.nodes
        for slot in node.slots
        if not any(own.owner for own in node.slots)
        for sender in graph.senders(slot)
    ]
    return (*found, *(edge for edge in found if edge[0] not in graph.writers))


class Worlds:
    """Random worlds on a graph.

    Args:
        graph: The graph of a decoder.
        seed: What they are drawn from.
        names: The positions that sites name, all at once.
        parts: Whether sites set parts of values.
    """

    def __init__(
        self,
        graph: MediatorGraph,
        seed: int,
        names: tuple[Position, ...] = (0, 1, 2),
        parts: bool = True,
    ) -> None:
        self.graph, self.rng = graph, random.Random(seed)
        self.names, self.parts = names, parts

    def world(self, depth: int = 3) -> World:
        """A world whose values read worlds of less depth."""
        current: World = Base(self.rng.choice(INPUTS))
        for _ in range(self.rng.choice((1, 1, 2, 3)) if depth else 0):
            current = self.layer(current, depth)
        return current

    def layer(self, below: World, depth: int) -> World:
        kept: list[Assignment] = []
        for _ in range(self.rng.choice((1, 1, 2, 3))):
            site = self.site()
            alike = [other for other, _ in kept if self.place(other) == self.place(site)]
            if all(self.is_apart(site, other) for other in alike):
                kept.append((site, self.value(site, depth - 1)))
        return Do(below, tuple(kept))

    def is_apart(self, site: Site, other: Site) -> bool:
        """Whether two sites of one place, under one name, set different positions."""
        named = site.place == other.place
        return named and site.part is other.part is None and not site.overlaps(other)

    def place(self, site: Site) -> object:
        """A site's place under one name."""
        if isinstance(site, Edge):
            return site.sender, site.receiver
        cuts = {cut.name: cut.writers_before for cut in self.graph.cuts}
        return cuts.get(site.mediator, site.mediator)

    def site(self) -> Site:
        if self.rng.random() < 0.5:
            sender, receiver = self.rng.choice(edges(self.graph))
            return Edge(sender, receiver, *self.view())
        kinds = sorted({names for names in alike(self.graph).values()})
        names = self.rng.choice((self.rng.choice(kinds), tuple(self.graph.names())))
        return Node(self.rng.choice(names), *self.view())

    def view(self) -> tuple[tuple[Position, ...], Part | None]:
        if self.rng.random() < 0.6:
            return (), None
        at = tuple(self.rng.sample(self.names, min(len(self.names), self.rng.choice((0, 1, 1, 2)))))
        if not self.parts or self.rng.random() < 0.6:
            return at, None
        chosen = tuple(self.rng.sample((0, 1), self.rng.choice((1, 2))))
        return at, self.rng.choice(
            (Indices("feature", chosen), Subspace(self.rng.choice(BASES), chosen))
        )

    def value(self, site: Site, depth: int) -> Value:
        drawn = self.rng.random()
        if drawn < 0.1:
            return Const(self.rng.choice(HANDLES))
        if drawn < 0.2:
            return Self()
        if drawn < 0.25:
            return Noise(self.rng.choice("ab"))
        if drawn < 0.35:
            inside = tuple(self.value(site, depth - 1) if depth > 0 else Self() for _ in range(2))
            return Op("lerp", inside, (("factor", 0.5),))
        return At(self.read_name(site.read_from), self.world(max(depth, 0)))

    def read_name(self, name: str) -> str:
        names = alike(self.graph)[name] if self.rng.random() < 0.3 else (name,)
        choosable = [each for each in names if each != "L0.resid_pre" or name == each]
        return self.rng.choice(choosable or [name])

    def readout(self) -> ReadOut:
        stream = self.rng.choice(alike(self.graph)["embed"])
        options = (logit_diff, logit_diff, probability, kl, lens(logit_diff, stream))
        inner = value_of(self.rng.choice(tuple(self.graph.names())), self.rng.choice(self.names))
        return self.rng.choice((*options, inner))

    def read(self, depth: int = 3) -> Read:
        return Read(self.readout(), self.world(depth))


class CrowdedWorlds(Worlds):
    """Worlds that set few sites to few values, so that many of their values are equal.

    Args:
        graph: The graph of a decoder.
        seed: What they are drawn from.
        views: Whether sites have views.
        names: The positions that sites name.
    """

    def __init__(
        self,
        graph: MediatorGraph,
        seed: int,
        views: bool = True,
        names: tuple[Position, ...] = (0, 1, 2),
    ) -> None:
        super().__init__(graph, seed, names)
        self.views, self.earlier, self.pool = views, list[World](), list[Site]()
        cuts = [cut.name for cut in graph.cuts]
        edge = self.rng.choice([each for each in edges(graph) if each[0] in graph.writers])
        drawn: list[Site] = [Worlds.site(self) for _ in range(5)]
        drawn += [Node(self.rng.choice(cuts), *self.view()) for _ in range(2)]
        self.pool = [*drawn, Edge(*edge), Node(edge[0])]

    def view(self) -> tuple[tuple[Position, ...], Part | None]:
        return super().view() if self.views else ((), None)

    def site(self) -> Site:
        return self.rng.choice(self.pool) if self.pool else super().site()

    def value(self, site: Site, depth: int) -> Value:
        drawn = self.rng.random()
        if drawn < 0.15:
            return Self()
        if drawn < 0.25:
            return Const()
        if drawn < 0.3:
            return Op("scale", (Self(),), (("factor", 2.0),))
        known = self.earlier if drawn < 0.5 and self.earlier else [Base(name) for name in INPUTS]
        return At(self.read_name(site.read_from), self.rng.choice(known))

    def world(self, depth: int = 1) -> World:
        self.earlier.append(super().world(1))
        return self.earlier[-1]
