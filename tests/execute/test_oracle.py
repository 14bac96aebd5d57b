"""The hook executor against the brute-force interpreter, on random terms of the whole language.

The interpreter runs a numpy transformer, written from the weights in plain formulas; derivatives
are complex steps there and backward passes here.
"""

import random
from collections.abc import Sequence
from functools import cache

import numpy as np
import pytest
import torch

from causalnet.effects.vectors import vector
from causalnet.errors import TermError
from causalnet.execute import Answers, Bindings, Matrix, evaluate
from causalnet.execute.bindings import Constant
from causalnet.graphs import Kind, MediatorGraph
from causalnet.interventions import (
    Assignment,
    At,
    Base,
    Const,
    Do,
    Edge,
    Grad,
    Handle,
    Indices,
    Leaf,
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
    loss,
    probability,
    value_of,
)
from causalnet.lift import LiftedNetwork, raised_casts
from tests.execute.numpy_transformer import model_of_row
from tests.toys import net, word_pairs

LENGTHS = (5, 4)
BASES = (Base("base"), Base("source"))
KINDS = ("llama", "gpt2")
IRREGULAR = ("small", "encoder")


def type_of(name: str, graph: MediatorGraph) -> tuple[str, int | None]:
    axis = graph.axes(name)[-1]
    return axis.name, axis.size


@cache
def by_type(graph: MediatorGraph) -> dict[tuple[str, int | None], list[str]]:
    found: dict[tuple[str, int | None], list[str]] = {}
    for name in graph.names():
        found.setdefault(type_of(name, graph), []).append(name)
    return found


@cache
def senders(graph: MediatorGraph) -> list[tuple[str, str]]:
    """Every edge, the plain ones as well as those of the stream."""
    edges = []
    for node in graph.nodes:
        for slot in node.slots:
            if not slot.owner:
                edges += [(sender, node.mediator.name) for sender in graph.senders(slot)]
    return edges


@cache
def bound_tensors() -> dict[Handle, Constant]:
    """Vectors, an orthonormal basis and an oblique one for each width that a test sets."""
    generator = torch.Generator().manual_seed(5)
    bound: dict[Handle, Constant] = {}
    for width in (32, 8):
        bound |= dict([vector(f"v{width}", torch.randn(width, generator=generator).double())])
        square = torch.randn(width, width, generator=generator).double()
        bound[Handle(f"q{width}", f"q{width}")] = Matrix(torch.linalg.qr(square).Q[:, :5])
        skew = torch.eye(width).double() + 0.1 * square
        bound[Handle(f"s{width}", f"s{width}")] = Matrix(skew)
        bound[Handle(f"d{width}", f"d{width}")] = Matrix(torch.linalg.inv(skew).T)
    return bound


class Terms:
    """Random terms over a network's graph."""

    def __init__(self, network: LiftedNetwork, seed: int) -> None:
        self.graph, self.rng = network.graph, random.Random(seed)

    def world(self, depth: int) -> World:
        world: World = self.rng.choice(BASES)
        for _ in range(self.rng.choice((1, 1, 2, 3)) if depth else 0):
            world = self.layer(world, depth)
        return world

    def layer(self, world: World, depth: int) -> World:
        placed: list[Assignment] = []
        for _ in range(self.rng.choice((1, 1, 2, 3))):
            site = self.site()
            alike = [other for other, _ in placed if self.place(other) == self.place(site)]
            if all(site.at == other.at for other in alike):  # apart by their parts, or not at all
                placed.append((site, self.value(site, depth - 1)))
        try:
            return Do(world, tuple(placed))
        except TermError:  # two parts that overlap
            return Do(world, (placed[0],))

    def place(self, site: Site) -> object:
        if isinstance(site, Edge):
            return site.sender, site.receiver
        is_cut = self.graph.find(site.mediator).kind is Kind.RESIDUAL
        return self.graph.cut(site.mediator).writers_before if is_cut else site.mediator

    def site(self) -> Site:
        if self.rng.random() < 0.5:
            sender, receiver = self.edge()
            return Edge(sender, receiver, self.at(), self.part(sender))
        name = self.rng.choice(self.rng.choice([*by_type(self.graph).values()]))
        return Node(name, self.at(), self.part(name))

    def edge(self) -> tuple[str, str]:
        edges = senders(self.graph)
        if self.rng.random() < 0.4:  # plain edges are few
            edges = [edge for edge in edges if edge[0] not in self.graph.writers]
        return self.rng.choice(edges)

    def at(self) -> tuple[Position, ...]:
        options: list[tuple[Position, ...]] = [(), (), ("end",), (1,), (0, "end"), (2, 3)]
        return self.rng.choice(options)

    def part(self, name: str) -> Part | None:
        axis, size = type_of(name, self.graph)
        if self.rng.random() < 0.5:
            return None
        if size in (8, 32) and self.rng.random() < 0.6:
            columns = tuple(self.rng.sample(range(5), self.rng.randint(1, 3)))
            if self.rng.random() < 0.5:
                return Subspace(Handle(f"q{size}", f"q{size}"), columns)
            return Subspace(Handle(f"s{size}", f"s{size}"), columns, Handle(f"d{size}", f"d{size}"))
        most = min(LENGTHS) if size is None else size
        return Indices(axis, tuple(self.rng.sample(range(most), self.rng.randint(1, min(most, 3)))))

    def value(self, site: Site, depth: int) -> Value:
        name = site.read_from
        axis, size = type_of(name, self.graph)
        inner: list[Value] = [self.read(name, depth), self.read(name, depth), Self()]
        if self.graph.find(name).kind is not Kind.SCALE:
            inner += [Const(), Noise(self.rng.choice("ab"))]
            if size in (8, 32):
                inner.append(Const(next(h for h in bound_tensors() if h.label == f"v{size}")))
        first, second = self.rng.choice(inner), self.rng.choice(inner)
        options: list[Value] = [
            first,
            Op("lerp", (first, second), (("factor", self.rng.choice((0.3, 0.9))),)),
            Op("scale", (self.read(name, depth),), (("factor", 1.25),)),
        ]
        if self.graph.find(name).kind is not Kind.SCALE:
            options.append(Op("add", (Self(), Op("subtract", (first, second)))))
        if axis == "attended":
            options.append(Op("mask_pattern", (first,), (("keys", self.rng.choice(("0", "1,2"))),)))
            options.append(Op("uniform_pattern", (Self(),)))
        return self.rng.choice(options)

    def read(self, name: str, depth: int) -> At:
        if depth > 0 and self.rng.random() < 0.5:
            world = self.world(depth)
        else:
            world = self.rng.choice(BASES)
        alike = by_type(self.graph)[type_of(name, self.graph)]
        return At(name if self.rng.random() < 0.8 else self.rng.choice(alike), world)

    def leaf(self, depth: int = 2) -> Leaf:
        stream = self.rng.choice(by_type(self.graph)["feature", 32])
        readouts: list[ReadOut] = [logit_diff, logit_diff, probability, loss, kl]
        readouts.append(lens(logit_diff, stream))
        if scales := by_type(self.graph).get(("feature", 1)):
            readouts.append(value_of(self.rng.choice(scales), 2))
        readout = self.rng.choice(readouts)
        read = Read(readout, self.world(depth))
        if self.rng.random() < 0.6:
            return read
        site = self.site()
        return Grad(read, site, self.value(site, 1))


def bindings() -> Bindings:
    pairs = word_pairs(2, lengths=LENGTHS)
    answers = Answers(pairs.answers, pairs.foils, "mean")
    return Bindings({"base": pairs.base, "source": pairs.source}, answers, bound_tensors())


def agree(network: LiftedNetwork, leaves: Sequence[Leaf], **options: object) -> float:
    """The largest difference between executor and interpreter, relative to values above 1."""
    bound = bindings()
    with raised_casts(network.model.module):
        values = evaluate(leaves, network, bound, **options).values  # type: ignore[arg-type]  # options
    worst = 0.0
    for row in range(len(bound)):
        model = model_of_row(network, bound, row)
        for leaf in leaves:
            expected, found = float(np.real(model.scalar(leaf))), float(values[leaf][row])
            error = abs(found - expected) / max(1.0, abs(expected))
            assert error < 1e-10, (str(leaf), row, found, expected)
            worst = max(worst, error)
    return worst


@pytest.mark.parametrize("kind", (*KINDS, *IRREGULAR))
def test_every_node_has_its_formula(kind: str) -> None:
    """Each single node and cut, interchanged and read; each single edge of every kind."""
    network = net(kind)
    graph, base, source = network.graph, *BASES
    sites: list[Site] = [Node(name) for name in graph.names()]
    edges = senders(graph)
    sites += [Edge(*edge) for edge in edges if edge[0] not in graph.writers]
    sites += [Edge(*edge) for edge in random.Random(1).sample(edges, 40)]
    leaves = [Read(logit_diff, Do(base, ((site, At(site.read_from, source)),))) for site in sites]
    agree(network, leaves)


@pytest.mark.parametrize("kind", (*KINDS, *IRREGULAR))
@pytest.mark.parametrize("seed", range(6))
def test_random_terms(kind: str, seed: int) -> None:
    network = net(kind)
    terms = Terms(network, seed)
    options = {"batch_size": 1 + seed % 2, "padding": ("right", "left")[seed // 2 % 2]}
    agree(network, list(dict.fromkeys(terms.leaf() for _ in range(25))), **options)
