"""What is proved zero on a module's graph is run, each world from its inputs, and is zero."""

import random
from functools import lru_cache

import pytest
import torch
from torch import Tensor

from causalnet.execute.modules import ModuleBindings, evaluate_module
from causalnet.graphs import MediatorGraph
from causalnet.interventions import (
    At,
    Base,
    Contrast,
    Do,
    Edge,
    Node,
    Read,
    Site,
    World,
    evaluate_scalar,
    leaves_of,
    logit_diff,
    zero_effects,
)
from causalnet.interventions.explanation import explain_scalars
from causalnet.lift import LiftedModule, declare_module, lift_module
from tests.lift.modules.networks import Branches, Cnn, randomised
from tests.lift.modules.test_refusals import without_edge

BASE, SOURCE = Base("base"), Base("source")


def drawn(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def inputs(kind: str, seed: int) -> tuple[Tensor, ...]:
    if kind == "cnn":
        return (drawn(seed, 3, 1, 8, 8),)
    return drawn(seed, 3, 3), drawn(seed + 100, 3, 2)


@lru_cache
def network(kind: str) -> LiftedModule:
    return lift_module(randomised(Cnn() if kind == "cnn" else Branches()), inputs(kind, 0))


def contrasts(graph: MediatorGraph, rng: random.Random) -> list[tuple[str, Contrast]]:
    """Every node and every edge set from the source, on random worlds that set others."""
    names = [node.mediator.name for node in graph.nodes]
    sites: list[Site] = [Node(name) for name in names]
    sites += [Edge(sender, name) for name in names for sender in graph.parents(name)]
    found = []
    for site in sites:
        for below in range(3):
            world: World = BASE
            others = rng.sample([name for name in names if name != site.read_from], below)
            for other in others:
                world = Do(world, ((Node(other), At(other, rng.choice((BASE, SOURCE)))),))
            value = At(site.read_from, SOURCE)
            first = Do(world, ((site, value),))
            if below == 2:  # set below what may cut it off
                first = Do(BASE, ((site, value),))
                for other in others:
                    first = Do(first, ((Node(other), At(other, BASE)),))
                world = Do(BASE, ((Node(others[0]), At(others[0], BASE)),))
            effect = Contrast(((1, Read(logit_diff, first)), (-1, Read(logit_diff, world))))
            found.append((f"{site} {below}", effect))
    return found


def effects_of(
    labels: list[str], rows: dict[str, Contrast], net: LiftedModule, kind: str
) -> dict[str, float]:
    given = ModuleBindings.of(
        net, inputs(kind, 1), inputs(kind, 2), answers=[0, 1, 0], foils=[1, 0, 1]
    )
    leaves = list(dict.fromkeys(leaf for label in labels for leaf in leaves_of(rows[label])))
    values = evaluate_module(leaves, net, given, reuse=False).values
    numbers = {leaf: value.numpy() for leaf, value in values.items()}
    return {label: float(abs(evaluate_scalar(rows[label], numbers)).max()) for label in labels}


@pytest.mark.parametrize("kind", ["cnn", "branches"])
def test_all_that_is_called_zero_is_zero(kind: str) -> None:
    net = network(kind)
    rows = dict(contrasts(net.graph, random.Random(0)))
    zero = [one.label for one in zero_effects([*rows.items()], net.graph)]
    assert 5 <= len(zero) < len(rows)
    found = effects_of(zero, rows, net, kind)
    assert max(found.values()) < 1e-12
    others = effects_of([label for label in rows if label not in zero], rows, net, kind)
    assert sum(value > 1e-6 for value in others.values()) > len(others) // 2


@pytest.mark.parametrize(
    "kind, sender, receiver",
    [("cnn", "act", "pool"), ("branches", "right", "out"), ("branches", "skip", "logits")],
)
def test_a_missing_edge_would_call_something_zero_that_is_not(
    kind: str, sender: str, receiver: str
) -> None:
    net = network(kind)
    rows = dict(contrasts(net.graph, random.Random(0)))
    lacking = without_edge(net.graph, sender, receiver)
    there = {label: one for label, one in rows.items() if f"{sender} -> {receiver}" not in label}
    zero = [one.label for one in zero_effects([*there.items()], lacking)]
    assert max(effects_of(zero, rows, net, kind).values()) > 1e-6


def test_a_dead_branch_and_a_skip_show_in_the_reasons() -> None:
    graph = network("cnn").graph
    dead = Contrast(
        (
            (1, Read(logit_diff, Do(BASE, ((Node("aux"), At("aux", SOURCE)),)))),
            (-1, Read(logit_diff, BASE)),
        )
    )
    (proof,) = zero_effects([("aux", dead)], graph)
    assert "no directed path leads from aux to logits" in str(proof)
    assert not proof.given
    around = Do(
        Do(BASE, ((Node("first"), At("first", SOURCE)),)), ((Node("act@2"), At("act@2", BASE)),)
    )
    skip = Contrast(((1, Read(logit_diff, around)), (-1, Read(logit_diff, BASE))))
    assert not zero_effects([("skip", skip)], graph)


def test_proofs_and_explanations_on_a_declared_graph_say_so() -> None:
    net = declare_module(
        randomised(Cnn()),
        inputs("cnn", 0),
        nodes=["pool", "aux"],
        edges=[("x", "pool"), ("pool", "aux"), ("pool", "logits")],
    )
    dead = Contrast(
        (
            (1, Read(logit_diff, Do(BASE, ((Node("aux"), At("aux", SOURCE)),)))),
            (-1, Read(logit_diff, BASE)),
        )
    )
    (proof,) = zero_effects([("aux", dead)], net.graph)
    assert str(proof).endswith("(the graph is declared; its edges held on 3 example inputs)")
    explained = explain_scalars([("aux", dead)], net.graph)
    assert explained.lines()[0].startswith("GRAPH     declared")
    assert str(explained.to_json()["graph"]).startswith("declared")
