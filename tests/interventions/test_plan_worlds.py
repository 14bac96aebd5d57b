"""Plans have the least possible number of calls; counts of large queries are those of the field."""

import random
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from causalnet.graphs import TransformerShape, plain_graph, transformer_graph
from causalnet.interventions import (
    At,
    Base,
    Do,
    Edge,
    Node,
    Read,
    logit_diff,
    normal_form,
    plan_worlds,
)
from causalnet.interventions.interpreter import SCM, Mechanism
from causalnet.interventions.random_models import hash_scm
from tests.interventions import random_terms

BASE, SOURCE = Base("base"), Base("source")


def changed(model: SCM, name: str, at: np.ndarray) -> SCM:
    """The model with another value of one mechanism at one point."""
    original: Mechanism = model.mechanisms[name]

    def other(slots: Mapping[str, Any]) -> Any:
        value = original(slots)
        return (value + 1) % 1_000_003 if np.array_equal(value, at) else value

    return replace(model, mechanisms={**model.mechanisms, name: other})


def test_exactly_the_live_calls_matter() -> None:
    """A value changes with a mechanism at one point if and only if that call is needed."""
    needed = 0
    for seed in range(11_000, 11_025):
        rng = random.Random(seed)
        graph = (random_terms.plain, random_terms.streamed)[seed % 2](rng)
        world = random_terms.world(graph, rng)
        outcome = graph.nodes[-1].mediator.name
        term = At(outcome, world)
        form = normal_form([term], graph)
        live, model = form.live(), hash_scm(graph, seed)
        value = model.value(outcome, world)
        for other in form.worlds:
            for node in graph.nodes:
                name = node.mediator.name
                number = form.id_of(name, other)
                if form.key(number)[:2] != ("call", name):
                    continue
                wrong = changed(model, name, model.value(name, other))
                matters = not np.array_equal(wrong.value(outcome, world), value)
                assert matters == live[number]
                needed += matters
    assert needed > 100


def test_plans_make_each_call_once_and_no_world_has_two_of_one_mechanism() -> None:
    for seed in range(12_000, 12_100):
        rng = random.Random(seed)
        graph = (random_terms.plain, random_terms.streamed)[seed % 2](rng)
        worlds = [random_terms.world(graph, rng) for _ in range(3)]
        outcome = graph.nodes[-1].mediator.name
        form = normal_form([At(outcome, world) for world in worlds], graph)
        plan = plan_worlds(form)
        assert sum(world.calls for world in plan.worlds) == plan.calls
        assert plan.calls == sum(form.count_calls().values())
        assert plan.at_least <= len(plan.worlds)
        assert all(world.parent < index for index, world in enumerate(plan.worlds))
        assert all(world.calls <= len(graph.nodes) for world in plan.worlds)
        for node in graph.nodes:
            versions = form.versions(node.mediator.name)
            assert len(versions) == form.count_calls()[node.mediator.name]


def test_nested_worlds_need_few_versions() -> None:
    """Y of x with M of x' with N of x, and a full restore, which merges again."""
    graph = plain_graph({"X": (), "N": ("X",), "M": ("X", "N"), "Y": ("X", "M")})
    inner = Do(SOURCE, ((Node("N"), At("N", BASE)),))
    nested = Do(BASE, ((Node("M"), At("M", inner)),))
    assert normal_form([At("Y", nested)], graph).count_calls() == {
        "X": 0, "N": 1, "M": 1, "Y": 1
    }  # fmt: skip
    restored = Do(nested, ((Node("X"), At("X", SOURCE)), (Node("M"), At("M", SOURCE))))
    plan = plan_worlds(normal_form([At("Y", restored), At("Y", SOURCE)], graph))
    assert (len(plan.worlds), plan.calls) == (1, 3)


LAYERS, HEADS = 4, 3
NET = transformer_graph(TransformerShape(LAYERS, HEADS, 1, 8, 4, 16, 11))


def patched(site: Node | Edge) -> Read:
    return Read(logit_diff, Do(BASE, ((site, At(site.read_from, SOURCE)),)))


def test_path_patching_adds_one_version_of_each_receiver() -> None:
    """Sender to the query of a later head: nothing between them runs again."""
    form = normal_form([patched(Edge("L0.H0", "L2.H1.q")), Read(logit_diff, BASE)], NET)
    versions = form.count_calls()
    assert versions["L2.H1.q"] == versions["L2.H1.q.scale"] == versions["L2.H1.pattern"] == 2
    assert versions["L2.H0.q"] == versions["L2.KV0.k"] == versions["L1.mlp"] == 1
    assert versions["L2.mlp"] == versions["L3.H2"] == versions["logits"] == 2
    assert versions["L0.H0.z"] == 2  # the sender in the source world


def test_all_heads_share_what_lies_before_them() -> None:
    """Of L H patched worlds, each recomputes its own layer's MLP and the layers after."""
    reads = [patched(Node(f"L{i}.H{h}.z")) for i in range(LAYERS) for h in range(HEADS)]
    plan = plan_worlds(normal_form([*reads, Read(logit_diff, BASE)], NET))
    assert len(plan.worlds) == LAYERS * HEADS + 2
    assert plan.at_least == LAYERS * HEADS + 1
    block = sum(1 for node in NET.nodes if node.mediator.layer == 1)
    after = sum(LAYERS - 1 - i for i in range(LAYERS)) * HEADS
    own = 4 * LAYERS * HEADS  # the layer's MLP, the logits, and their scales
    last = HEADS  # outputs of the last layer's heads; the others the source has, too
    base = normal_form([Read(logit_diff, BASE)], NET).count_calls()
    source = normal_form([At(f"L3.H{h}.z", SOURCE) for h in range(HEADS)], NET).count_calls()
    given = sum(base.values()) + sum(source.values())
    assert plan.calls == given + after * block + own + last


def test_one_world_for_each_edge_numbers_each_sum_once() -> None:
    """Sums that receivers share are shared: the count is that of distinct prefixes."""
    reads = [patched(Edge(sender, receiver)) for sender, receiver in NET.edges()]
    form = normal_form(reads, NET)
    assert len(form.worlds) == NET.count_edges() + 2
    queries = form.count_calls()
    senders = len(NET.writers_before("L2.H1.q"))
    earlier = sum(
        len(NET.writers_before(node.mediator))
        for node in NET.nodes
        if node.slots and node.slots[0].stream and not node.slots[0].owner
        and (node.mediator.layer or 0) < 2 and node.mediator.kind.value != "logits"
    )  # fmt: skip
    # Base, source, one for each edge into the query, one for each world that differs before it.
    assert queries["L2.H1.q"] == 2 + senders + earlier
