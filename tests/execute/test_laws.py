"""Laws that an executor can fail, on random networks in float64."""

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from causalnet.effects import counterfactual, explain, mean, run, vector, zero
from causalnet.effects.reference import digest_of
from causalnet.execute import Bindings, evaluate
from causalnet.graphs import Mediator
from causalnet.interventions import (
    At,
    Base,
    Const,
    Do,
    Node,
    Op,
    Query,
    Read,
    Self,
    World,
    ablation_effect,
    joint,
    kl,
    logit_diff,
    nde,
    nie,
    patch,
    tde,
    te,
    tie,
)
from causalnet.lift import LiftedNetwork, raised_casts
from tests.toys import net, word_pairs

KINDS = ("llama", "gpt2", "linear", "small", "encoder")
BASE, SOURCE = Base("base"), Base("source")
Array = np.ndarray[tuple[int, ...], np.dtype[np.float64]]


def values(query: Query, network: LiftedNetwork, n: int = 4, seed: int = 0) -> Array:
    return run(query, network, word_pairs(n, seed), batch_size=3).values


def reading(world: World, network: LiftedNetwork, n: int = 4) -> torch.Tensor:
    read = Read(logit_diff, world)
    return evaluate([read], network, Bindings.of(word_pairs(n))).values[read]


def settable(network: LiftedNetwork) -> list[Mediator]:
    names = ["embed"]
    names += [f"{head}{part}" for head in network.heads() for part in ("", ".z")]
    names += map(str, network.mlps())
    for layer in range(network.n_layers):
        names += [f"L{layer}.resid_{part}" for part in ("pre", "mid", "post")]
    return [network[name] for name in names]


@pytest.mark.parametrize("kind", KINDS)
def test_full_cut_carries_the_whole_effect(kind: str) -> None:
    network = net(kind)
    total = values(te(), network)[0]
    assert np.abs(total).max() > 0.1
    every = joint("all", network["embed"], *network.heads(), *network.mlps())
    if network.graph.shape.attention_bias:  # a constant writer: nothing to interchange
        assert "L0.attn_bias" in network.graph.writers
    for cut in (every, *(joint(n, network[n]) for n in ("embed", "L0.resid_mid", "L1.resid_pre"))):
        np.testing.assert_allclose(values(nie(cut), network)[0], total, atol=1e-10)
        np.testing.assert_allclose(values(nde(cut), network)[0], 0, atol=1e-10)


@pytest.mark.parametrize("kind", KINDS)
def test_a_non_ancestor_has_no_effect(kind: str) -> None:
    """In the last layer, what is written before the end is read by nobody at the end."""
    network = net(kind)
    last = [
        m for m in settable(network) if m.layer == network.n_layers - 1 and m.name[-4:] != "_pre"
    ]
    for query in (nie(last, at=0), tie(last, at=(1, 2))):
        assert np.array_equal(values(query, network), np.zeros((len(last), 4)))
    np.testing.assert_allclose(
        values(nde(last, at=0), network), values(te(), network)[[0] * len(last)]
    )


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000))
def test_total_effect_splits_two_ways(kind: str, seed: int) -> None:
    rng = random.Random(seed)
    network = net(kind)
    members = rng.sample([m for m in settable(network) if m.name[-1] != "z"], rng.randint(1, 4))
    cuts = {m.name for m in members if ".resid_" in m.name}
    members = [m for m in members if m.name not in cuts] or members[:1]
    at: tuple[int | str, ...] = rng.choice([(), ("end",), (0, 3), ("end", 2)])
    some = joint("some", *members)
    total = values(te(), network)[0]
    parts = {f.__name__: values(f(some, at=at), network)[0] for f in (nie, nde, tie, tde)}
    np.testing.assert_allclose(parts["nde"] + parts["tie"], total, atol=1e-10)
    np.testing.assert_allclose(parts["nie"] + parts["tde"], total, atol=1e-10)


@pytest.mark.parametrize("kind", KINDS)
def test_self_interchange_changes_no_bit(kind: str) -> None:
    network = net(kind)
    plain = reading(BASE, network)
    for mediator in settable(network):
        for at in ((), ("end",), (0, 2)):
            assert torch.equal(
                reading(patch(BASE, (mediator,), counterfactual(), BASE, at), network), plain
            )
            identity = Do(BASE, ((Node(mediator.name, at), Self()),))
            assert torch.equal(reading(identity, network), plain)


def test_a_linear_network_is_additive() -> None:
    network = net("linear")
    heads = (*network.heads(), *network.mlps()[-1:])
    single = values(nie(heads), network)
    # In a linear network the effect of a set that no member is upstream of another is the sum.
    last = [row for row, m in enumerate(heads) if m.layer == 1 and m.kind.value == "head"]
    together = values(nie(joint("last heads", *(heads[row] for row in last))), network)[0]
    np.testing.assert_allclose(single[last].sum(axis=0), together, atol=1e-10)
    halved = [
        Do(BASE, ((Node("L0.H1"), Op("scale", (Self(),), (("factor", factor),))),))
        for factor in (0.0, 0.5, 1.0)
    ]
    none, half, full = (reading(world, network) for world in halved)
    torch.testing.assert_close(half, (none + full) / 2, atol=1e-10, rtol=0)


def test_a_deep_network_is_not_additive() -> None:
    """What makes the additivity test able to fail."""
    network = net("llama")
    heads = network.heads(layer=1)
    single = values(nie(heads), network).sum(axis=0)
    assert np.abs(single - values(nie(joint("all", *heads)), network)[0]).max() > 1e-3


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
def test_head_and_z_interchange_agree(kind: str) -> None:
    network = net(kind)
    for head in network.heads():
        on_z = reading(patch(BASE, (head,), counterfactual(), SOURCE), network)
        on_head = reading(Do(BASE, ((Node(head.name), At(head.name, SOURCE)),)), network)
        torch.testing.assert_close(on_z, on_head, atol=1e-10, rtol=0)


def test_layers_apply_from_the_bottom() -> None:
    network = net()
    zeroed = Do(BASE, ((Node("L0.H1.z"), Const()),))
    restored = Do(zeroed, ((Node("L0.H1.z"), At("L0.H1.z", BASE)),))
    ignored = Do(Do(BASE, ((Node("L0.H1.z"), At("L0.H1.z", SOURCE)),)), zeroed.assignments)
    assert torch.equal(reading(restored, network), reading(BASE, network))
    assert torch.equal(reading(ignored, network), reading(zeroed, network))
    assert not torch.equal(reading(zeroed, network), reading(BASE, network))
    both = Do(Do(BASE, ((Node("L0.H1.z", (0,)), Const()),)), ((Node("L0.H1.z", (1,)), Const()),))
    one = Do(BASE, ((Node("L0.H1.z", (0, 1)), Const()),))
    assert torch.equal(reading(both, network), reading(one, network))


def test_nested_counterfactual_reads_the_patched_world() -> None:
    """L1.H0 takes the value that it has when L0.H1 is patched: a two-step path."""
    network = net()
    first = patch(BASE, (network["L0.H1"],), counterfactual(), SOURCE)
    nested = Do(BASE, ((Node("L1.H0.z"), At("L1.H0.z", first)),))
    by_hand = Do(first, ((Node("L1.H0.z"), Self()),))
    assert torch.equal(reading(by_hand, network), reading(first, network))
    assert not torch.equal(reading(nested, network), reading(BASE, network))
    whole = Do(
        BASE, tuple((Node(f"L1.resid_{at}"), At(f"L1.resid_{at}", first)) for at in ("post",))
    )
    torch.testing.assert_close(reading(whole, network), reading(first, network), atol=1e-12, rtol=0)


@pytest.mark.parametrize("padding", ["left", "right"])
@pytest.mark.parametrize("kind", ["llama", "gpt2", "small", "encoder"])
def test_padding_changes_nothing(kind: str, padding: str) -> None:
    network = net(kind)
    pairs = word_pairs(6, lengths=(4, 7, 6))
    queries = [
        nie(network.heads()),
        nie(network.mlps()[0], at="end"),
        nie(network["L1.resid_pre"], at=0),
        ablation_effect(network.heads()[0], zero()),
    ]
    for query in queries:
        alone = run(query, network, pairs, batch_size=1)
        padded = run(query, network, pairs, batch_size=6, padding=padding)  # type: ignore[arg-type]  # parametrized
        np.testing.assert_allclose(padded.values, alone.values, atol=1e-10)
        assert padded.conventions.padding == padding


def test_named_positions_may_lie_at_different_tokens() -> None:
    """At `end`, a longer source lines up with the base by name."""
    network = net()
    pairs = word_pairs(3, align=False, extra=2)
    ends = run(nie(network["L1.resid_post"], at="end"), network, pairs)
    np.testing.assert_allclose(ends.values, run(te(), network, pairs).values, atol=1e-10)


def test_reads_may_come_before_the_worlds_that_they_compare_to() -> None:
    """Two worlds compared to each other have no order in which each comes after its reference."""
    first, second = (
        Do(SOURCE, ((Node("L0.mlp"), Const()),)),
        Do(BASE, ((Node("L1.H0"), Const()),)),
    )
    there, back = (
        Read(replace(kl, reference=second), first),
        Read(replace(kl, reference=first), second),
    )
    leaves = [Read(logit_diff, first), there, back]
    bindings = Bindings.of(word_pairs(4))
    together = evaluate(leaves, net(), bindings).values
    for leaf in leaves:
        alone = evaluate([leaf], net(), bindings).values[leaf]
        torch.testing.assert_close(together[leaf], alone, atol=1e-12, rtol=0)
    assert together[there].min() > 0 and together[back].min() > 0
    assert not torch.allclose(together[there], together[back])


def test_gradients_reach_a_constant() -> None:
    network = net()
    steering = torch.zeros(32, dtype=torch.float64, requires_grad=True)
    handle, bound = vector("direction", steering)
    world = Do(BASE, ((Node("L0.mlp", ("end",)), Op("add", (Self(), Const(handle)))),))
    read = Read(logit_diff, world)
    bindings = Bindings.of(word_pairs(3), {handle: bound})
    with raised_casts(network.model.module):
        result = evaluate([read], network, bindings, gradients=True).values[read].sum()
        (gradient,) = torch.autograd.grad(result, steering)

    def at(point: torch.Tensor) -> float:
        _, moved = vector("direction", point)
        bound_there = Bindings.of(word_pairs(3), {handle: moved})
        with raised_casts(network.model.module):
            return float(evaluate([read], network, bound_there).values[read].sum())

    step = 1e-6 * torch.eye(32, dtype=torch.float64)[5]
    slope = (at(steering.detach() + step) - at(steering.detach() - step)) / 2e-6
    assert slope == pytest.approx(float(gradient[5]), rel=1e-6)


def test_batches_and_their_size_change_nothing() -> None:
    network, pairs = net(), word_pairs(7)
    tables = [run(nie(network.heads()), network, pairs, batch_size=size) for size in (1, 3, 7, 50)]
    for table in tables[1:]:
        np.testing.assert_allclose(table.values, tables[0].values, atol=1e-10)


def test_equal_worlds_run_once() -> None:
    network = net()
    options: dict[str, Any] = {"batch_size": 4, "executor": "hooks"}
    table = run(nie(network.heads()), network, word_pairs(4), **options)
    assert table.provenance["forwards"] == len(network.heads()) + 2
    waves = run(nie(network.heads()), network, word_pairs(4), batch_size=4)
    assert waves.provenance["forwards"] == 2
    assert waves.provenance["executed"]["births"] == len(network.heads())


@pytest.fixture
def told() -> tuple[list[tuple[int, int]], Callable[[int, int], None]]:
    seen: list[tuple[int, int]] = []
    return seen, lambda done, expected: seen.append((done, expected))


def test_progress_counts_every_forward(
    told: tuple[list[tuple[int, int]], Callable[[int, int], None]],
) -> None:
    seen, progress = told
    run(te(), net(), word_pairs(5), batch_size=2, progress=progress)
    assert seen == [(done, 6) for done in range(1, 7)]


@pytest.mark.parametrize("kind", KINDS)
def test_two_names_of_one_cut_apply_in_the_order_of_layers(kind: str) -> None:
    network = net(kind)
    first = Do(BASE, ((Node("L1.resid_pre"), At("L1.resid_pre", SOURCE)),))
    undone = Do(first, ((Node("L0.resid_post"), At("L0.resid_post", BASE)),))
    assert torch.equal(reading(undone, network), reading(BASE, network))
    other = Do(BASE, ((Node("L0.resid_post"), At("L0.resid_post", BASE)),))
    redone = Do(other, first.assignments)
    assert torch.equal(reading(redone, network), reading(first, network))


def test_aliases_may_be_read() -> None:
    network = net()
    plain = Do(BASE, ((Node("L1.mlp"), At("L1.mlp", SOURCE)),))
    alias = Do(BASE, ((Node("blocks.1.hook_mlp_out"), At("m1", SOURCE)),))
    assert torch.equal(reading(alias, network), reading(plain, network))


@pytest.mark.parametrize("make", [nie, nde, tie, tde])
def test_explained_forwards_are_those_that_hooks_run(make: Callable[..., Query]) -> None:
    network, pairs = net(), word_pairs(5)
    query = make(network.heads(0), at="end")
    told = explain(query, network, pairs, batch_size=2)
    table = run(query, network, pairs, batch_size=2, executor="hooks")
    assert told.forwards == table.provenance["forwards"]


def test_forwards_for_means_are_told() -> None:
    network, reference = net(), word_pairs(40).base
    query = ablation_effect(network["L0.H1"], mean(reference))
    table = run(query, network, word_pairs(2), reference=reference)
    assert table.provenance["reference_forwards"] == 3
    assert explain(query, network, word_pairs(2)).reference_forwards == 3
    assert table.provenance["ablation"]["reference"] == digest_of(reference)
