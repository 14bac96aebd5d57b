"""Random worlds on a small module against the meaning of terms, by mechanisms written by hand."""

import hashlib
import random
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from causalnet.execute import Constant, Matrix, Pooled
from causalnet.execute.modules import ModuleBindings, evaluate_module
from causalnet.interventions import (
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
    Read,
    Self,
    Site,
    Subspace,
    Value,
    World,
    kl,
    logit_diff,
    loss,
    probability,
)
from causalnet.interventions.interpreter import SCM
from causalnet.lift import LiftedModule, lift_module
from tests.lift.modules.networks import Blocks, randomised

WIDTH, CLASSES, COUNT, ROWS = 5, 3, 3, 4
CONSTANT, BASIS = Handle("c", "c0"), Handle("b", "b0")
INPUTS = ("base", "source")
RIGHT, WRONG = [0, 1, 2, 0], [1, 2, 0, 2]


def drawn(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@lru_cache
def lifted(seed: int) -> LiftedModule:
    return lift_module(randomised(Blocks(COUNT), seed), drawn(0, 3, 6))


def tensors() -> dict[str, Tensor]:
    return {"base": drawn(1, ROWS, 6), "source": drawn(2, ROWS, 6)}


CONSTANTS: dict[Handle, Constant] = {
    CONSTANT: Pooled(drawn(3, WIDTH)),
    BASIS: Matrix(torch.linalg.qr(drawn(4, WIDTH, 3))[0]),
}


def bindings(net: LiftedModule) -> ModuleBindings:
    given = tensors()
    return ModuleBindings.of(
        net, given["base"], given["source"], answers=RIGHT, foils=WRONG, constants=CONSTANTS
    )


def by_hand(net: LiftedModule) -> SCM:
    """The same network in numpy, from its weights: no part of the traced mechanisms is used."""
    module: Any = net.module

    def affine(layer: Any, value: Any) -> Any:
        return value @ layer.weight.numpy().T + layer.bias.numpy()

    def stream(slots: Mapping[str, Any], count: int) -> Any:
        return slots["embed"] + sum(np.tanh(slots[f"blocks.{layer}"]) for layer in range(count))

    def block(layer: int) -> Any:
        return lambda slots: affine(module.blocks[layer], stream(slots, layer))

    rules: dict[str, Any] = {"embed": lambda slots: affine(module.embed, slots["x"])}
    rules |= {f"blocks.{layer}": block(layer) for layer in range(COUNT)}
    rules["head"] = lambda slots: affine(module.head, stream(slots, COUNT))
    rules["logits"] = lambda slots: slots["head"]
    rows = np.arange(ROWS)

    def share(logits: Any) -> Any:
        return logits - np.log(np.exp(logits).sum(-1, keepdims=True))

    def divergence(_: Any, value: Any, reference: Any) -> Any:
        theirs, ours = share(reference), share(value)
        return (np.exp(theirs) * (theirs - ours)).sum(-1)

    return SCM(
        net.graph,
        rules,
        {name: {"x": value.numpy()} for name, value in tensors().items()},
        constants=lambda handle: _numpy(CONSTANTS[handle]),
        noise=_noise,
        readouts={
            "logit_difference": lambda _, v, __: v[rows, RIGHT] - v[rows, WRONG],
            "loss": lambda _, v, __: -share(v)[rows, RIGHT],
            "probability": lambda _, v, __: np.exp(share(v))[rows, RIGHT],
            "kl": divergence,
            "logit_distance": lambda _, v, other: np.sqrt(((v - other) ** 2).mean(-1)),
        },
    )


def _numpy(constant: Any) -> Any:
    if isinstance(constant, Pooled):
        return np.tile(constant.vector.numpy(), (ROWS, 1))
    return constant.values.numpy()


def _noise(key: str, like: Any) -> Any:
    rows = []
    for row in range(ROWS):
        digest = hashlib.sha256(f"{key}|{row}".encode()).digest()[:16]
        generator = np.random.Generator(np.random.PCG64(int.from_bytes(digest, "big")))
        rows.append(generator.standard_normal(like.shape[1:]))
    return np.stack(rows)


def random_part(rng: random.Random) -> Part | None:
    chosen = tuple(rng.sample((0, 1, 2), rng.choice((1, 2))))
    parts: list[Part | None] = [None, None, Indices("feature", chosen), Subspace(BASIS, chosen)]
    return rng.choice(parts)


def random_site(rng: random.Random, net: LiftedModule) -> Site:
    names = ["embed", *(f"blocks.{layer}" for layer in range(COUNT))]
    receiver = rng.choice([*names[1:], "head"])
    if rng.random() < 0.5:
        return Edge(rng.choice(net.graph.parents(receiver)), receiver, (), random_part(rng))
    return Node(rng.choice(names), (), random_part(rng))


def random_value(rng: random.Random, net: LiftedModule, depth: int) -> Value:
    names = ["embed", *(f"blocks.{layer}" for layer in range(COUNT))]
    simple: list[Value] = [Const(), Const(CONSTANT), Self(), Noise("n1")]
    read = At(rng.choice(names), random_world(rng, net, depth - 1))
    mixed = Op("lerp", (Self(), read), (("factor", 0.25),))
    added = Op("add", (read, rng.choice(simple)), (("factor", -0.5),))
    return rng.choice([read, read, read, mixed, added, rng.choice(simple)])


def random_world(rng: random.Random, net: LiftedModule, depth: int = 2) -> World:
    world: World = Base(rng.choice(INPUTS))
    for _ in range(rng.randint(0, 2) if depth > 0 else 0):
        sites: dict[str, tuple[Site, Value]] = {}
        for _ in range(rng.randint(1, 3)):
            site = random_site(rng, net)
            sites[site.place] = (site, random_value(rng, net, depth))
        world = Do(world, tuple(sites.values()))
    return world


@settings(max_examples=60)
@given(st.integers(0, 10**9))
def test_random_worlds_mean_what_terms_mean(seed: int) -> None:
    rng = random.Random(seed)
    net = lifted(seed % 3)
    worlds = [random_world(rng, net) for _ in range(3)]
    leaves = [
        Read(readout, world) for world in worlds for readout in (logit_diff, loss, probability, kl)
    ]
    oracle = by_hand(net)
    for reuse in (True, False):
        found = evaluate_module(leaves, net, bindings(net), batch_size=3, reuse=reuse)
        for leaf in leaves:
            wanted = oracle.scalar(leaf)
            assert np.abs(found.values[leaf].numpy() - wanted).max() < 1e-10, str(leaf)


@settings(max_examples=25)
@given(st.integers(0, 10**9))
def test_derivatives_along_sites_are_those_of_the_meaning(seed: int) -> None:
    rng = random.Random(seed)
    net = lifted(seed % 3)
    read = Read(logit_diff, random_world(rng, net, 1))
    leaves: list[Leaf] = [
        Grad(read, random_site(rng, net), random_value(rng, net, 1)) for _ in range(3)
    ]
    found = evaluate_module(leaves, net, bindings(net)).values
    oracle = by_hand(net)
    for leaf in leaves:
        assert np.abs(found[leaf].numpy() - oracle.scalar(leaf)).max() < 1e-10, str(leaf)
