"""Worlds that set several layers at some positions, and runs of which little is needed."""

import random

import pytest

from causalnet.compiler import compile_reads, schedule_program
from causalnet.compiler.assuming import assumed_signature
from causalnet.compiler.needs import needs_of_runs
from causalnet.interventions import (
    At,
    Const,
    Do,
    Edge,
    Node,
    Op,
    Read,
    Self,
    Value,
    World,
    kl,
    logit_diff,
    loss,
)
from causalnet.lift import LiftedNetwork
from tests.execute.test_oracle import KINDS
from tests.execute.wavefront.test_waves import BASE, SOURCE, agree, bindings, patched
from tests.toys import net

HALF = Op("scale", (Self(),), (("factor", 0.5),))
POSITIONS: tuple[tuple[int | str, ...], ...] = ((), ("end",), (2,), ("end", 2), (0, 3))


@pytest.mark.parametrize("kind", KINDS)
def test_the_last_mlp_is_set_above_a_version_that_lives_from_an_earlier_column(kind: str) -> None:
    """The wave has narrowed to the last column, and what is set reaches back to the third."""
    at = ("end", 2)
    head, mlp = Node("L0.H0.z", at), Node("L1.mlp", at)
    above = patched(head)
    worlds = [
        patched(head, mlp),
        Do(above, ((mlp, HALF),)),
        Do(above, ((mlp, At("L1.mlp", patched(Node("L0.H1", (3,))))),)),
        Do(BASE, ((mlp, At("L1.mlp", above)),)),
    ]
    agree(net(kind), [Read(logit_diff, world) for world in worlds], bindings())
    for world in worlds:
        agree(net(kind), [Read(logit_diff, world)], bindings(lengths=(6, 5)))


@pytest.mark.parametrize("kind", KINDS)
def test_the_last_block_may_be_entered_at_columns_that_its_end_lacks(kind: str) -> None:
    """A cut in front of it is set early on; of what it leaves only the read columns are kept."""
    cut, head = Node("L1.resid_pre", (0, 3)), Node("L1.H0.z", ("end",))
    worlds = [patched(cut), patched(head), patched(Node("L0.H0.z", ("end",)), cut)]
    for some in (worlds[:2], worlds[2:], worlds[1:], worlds):
        agree(net(kind), [Read(logit_diff, world) for world in some], bindings())


@pytest.mark.parametrize("kind", KINDS)
def test_what_the_last_block_writes_may_be_sent_into_it(kind: str) -> None:
    """Keys of all columns receive it, though its end is read at the last column alone."""
    graph = net(kind).graph
    key = next(name for name in graph.names() if name.startswith("L1.") and name.endswith(".k"))
    for site in (Edge("L0.mlp", key), Node("L0.mlp"), Node("L0.mlp", (1, "end"))):
        world = Do(BASE, ((site, At("L1.H2", SOURCE)),))
        agree(net(kind), [Read(logit_diff, world)], bindings())


@pytest.mark.parametrize("kind", KINDS)
def test_of_an_input_only_embeddings_may_be_read(kind: str) -> None:
    """Its run has no layers."""
    for at in ((0,), (0, "end"), (2,)):
        reads = [Read(logit_diff, world) for world in (BASE, patched(Node("embed", at)))]
        program = compile_reads(reads, net(kind).graph)
        plan = schedule_program(program, assumed_signature(program, 3, 6, 0))
        assert sorted(needs.layers for needs in needs_of_runs(plan).values()) == [0, 2]
        agree(net(kind), reads, bindings())


def settable(network: LiftedNetwork) -> list[str]:
    names = ["embed"]
    for layer in range(network.n_layers):
        heads = [f"L{layer}.H{head}{part}" for head in range(2) for part in ("", ".z")]
        cuts = [f"L{layer}.{part}" for part in ("resid_pre", "resid_mid", "resid_post")]
        names += [*heads, *cuts, *[f"L{layer}.mlp"] * 3]
    return names


def drawn(rng: random.Random, network: LiftedNetwork, below: list[World]) -> World:
    """A world that sets one node in each of some layers, over and from worlds below."""
    sites: dict[int, tuple[Node, Value]] = {}
    for name in rng.sample(settable(network), 4):
        worlds = [BASE, SOURCE, *below]
        values: list[Value] = [At(name, rng.choice(worlds)), At(name, SOURCE), Const(), HALF]
        layer = network[name].layer
        sites[-1 if layer is None else layer] = (
            Node(name, rng.choice(POSITIONS)),
            rng.choice(values),
        )
    return Do(rng.choice([BASE, SOURCE, *below]), tuple(sites.values()))


@pytest.mark.parametrize("seed", range(16))
def test_random_worlds_of_several_layers(seed: int) -> None:
    rng = random.Random(seed)
    network = net(rng.choice(KINDS), 0, 2 + seed % 2)
    worlds: list[World] = []
    for _ in range(6):
        worlds.append(drawn(rng, network, worlds[-2:]))
    readout = rng.choice([logit_diff, kl, loss])
    bound = bindings(lengths=((6,), (6, 5))[seed % 2], seed=seed)
    agree(network, [Read(readout, world) for world in worlds], bound, batch_size=1 + seed % 3)
