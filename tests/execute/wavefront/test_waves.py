"""The wavefront held to the hook executor, in float64 with the models' casts raised."""

import random
from collections.abc import Sequence

import pytest
import torch

from causalnet.compiler import compile_reads, count_calls
from causalnet.errors import NumericalError, OutOfMemoryError, ParameterError
from causalnet.execute import Bindings, Evaluation, evaluate, run_leaves
from causalnet.execute.bindings import Answers, Pooled
from causalnet.interventions import (
    At,
    Base,
    Const,
    Do,
    Edge,
    Grad,
    Handle,
    Node,
    Op,
    Read,
    Self,
    Site,
    World,
    kl,
    lens,
    logit_diff,
    probability,
    value_of,
)
from causalnet.lift import LiftedNetwork, raised_casts
from tests.execute.test_oracle import KINDS, Terms
from tests.execute.test_oracle import bindings as random_bindings
from tests.toys import net, word_pairs

BASE, SOURCE = Base("base"), Base("source")


def bindings(n: int = 3, lengths: tuple[int, ...] = (6,), seed: int = 0) -> Bindings:
    return Bindings.of(word_pairs(n, seed, lengths))


def patched(*sites: Site, world: World = BASE, source: World = SOURCE) -> World:
    return Do(world, tuple((site, At(site.read_from, source)) for site in sites))


def agree(
    network: LiftedNetwork, reads: Sequence[Read], bound: Bindings, **options: object
) -> Evaluation:
    """Hold the wavefront to hooks, relative to values above 1, and return what it found."""
    with raised_casts(network.model.module):
        expected = evaluate(reads, network, bound).values
        found = run_leaves(reads, network, bound, executor="wavefront", **options)  # type: ignore[arg-type]  # options
    for read in reads:
        error = (found.values[read] - expected[read]).abs() / expected[read].abs().clamp_min(1)
        assert float(error.max()) < 1e-10, (str(read), float(error.max()))
    return found


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(12))
def test_random_terms(kind: str, seed: int) -> None:
    """Every kind of site, value and read-out, at all depths, with ragged prompts."""
    network = net(kind, 0, 2 + seed % 2)
    terms = Terms(network, 1000 + seed)
    leaves = dict.fromkeys(terms.leaf() for _ in range(16))
    reads = [leaf for leaf in leaves if isinstance(leaf, Read)]
    agree(network, reads, random_bindings(), batch_size=1 + seed % 2)


@pytest.mark.parametrize("kind", KINDS)
def test_heads_of_one_layer_are_set_together(kind: str) -> None:
    """Both deltas are taken from the base's z, at one position and at all."""
    network = net(kind, 1, 3)
    for at in ((), ("end",), (2,), (2, "end")):
        sites = [Node("L1.H0.z", at), Node("L1.H2.z", at)]
        agree(network, [Read(logit_diff, patched(*sites))], bindings())


@pytest.mark.parametrize("kind", KINDS)
def test_a_later_site_is_set_in_the_worlds_own_values(kind: str) -> None:
    network = net(kind, 1, 3)
    first = patched(Node("L0.H1.z"))
    parts = Op("lerp", (Self(), At("L2.H0.z", SOURCE)), (("factor", 0.3),))
    worlds = [
        patched(Node("L0.H1.z"), Node("L2.H0.z", ("end",))),
        Do(first, ((Node("L2.H0.z"), parts),)),
        Do(first, ((Node("L2.mlp"), Op("scale", (Self(),), (("factor", 0.5),))),)),
    ]
    agree(network, [Read(logit_diff, world) for world in worlds], bindings())


@pytest.mark.parametrize("kind", KINDS)
def test_every_mediator_and_some_edges(kind: str) -> None:
    """All live, some live and none live; K and V move every head of their group."""
    network, rng = net(kind, 2, 3), random.Random(0)
    graph = network.graph
    sites: list[Site] = [Node(name, at) for name in graph.names() for at in ((), ("end",))]
    sites = [site for site in sites if "pattern" not in str(site) or not site.at]
    receivers = [n for n in graph.names() if n.endswith((".q", ".k", ".v", "mlp", "logits"))]
    for receiver in receivers:
        senders = graph.writers_before(receiver)
        sites += [Edge(sender, receiver) for sender in rng.sample(senders, min(3, len(senders)))]
    reads = [Read(logit_diff, patched(site)) for site in sites]
    agree(network, reads, bindings(2))
    agree(network, reads[::7], bindings(1, (5,)))


def test_unequal_lengths_are_aligned_by_position() -> None:
    network = net("llama", 0, 3)
    pairs = word_pairs(4, 3, (5, 7, 6), align=False, extra=1)
    reads = [Read(logit_diff, patched(Node(f"L{layer}.H1.z", ("end",)))) for layer in range(3)]
    agree(network, reads, Bindings.of(pairs), batch_size=3)


@pytest.mark.parametrize("kind", KINDS)
def test_interactions_share_a_trie(kind: str) -> None:
    """Singles and pairs: a pair goes its first head's way until its second."""
    network = net(kind, 3, 3)
    heads = [Node(f"L{layer}.H{head}.z", ("end",)) for layer in range(3) for head in (0, 2)]
    worlds = [patched(head) for head in heads]
    worlds += [patched(a, b) for i, a in enumerate(heads) for b in heads[i + 1 :]]
    found = agree(network, [Read(logit_diff, world) for world in worlds], bindings())
    assert found.executed["births"] == len(worlds)
    # every MLP from the last difference on, and no other
    ends = [max(int(site.mediator[1]) for site, _ in world.assignments) for world in worlds]  # type: ignore[union-attr]
    assert found.executed["mlp"] == sum(3 - end for end in ends)


def test_other_read_outs_and_references() -> None:
    network = net("gpt2", 4, 3)
    world = patched(Node("L1.mlp", ("end",)))
    other = patched(Node("L0.H0.z"), world=world)
    readouts = [
        probability,
        logit_diff,
        lens(logit_diff, "L1.resid_post"),
        value_of("L2.mlp.scale"),
    ]
    reads = [Read(readout, each) for readout in readouts for each in (BASE, world, other)]
    reads += [Read(kl, other)]
    agree(network, reads, bindings(3, (6, 4)))


# -- what must not matter --------------------------------------------------------------------------


def all_heads(network: LiftedNetwork, at: tuple[str | int, ...] = ()) -> list[Read]:
    names = [f"{head}.z" for head in network.graph.heads()]
    return [Read(logit_diff, patched(Node(name, at))) for name in names]


def test_waves_batches_and_order_change_nothing() -> None:
    network, bound = net("llama", 5, 3), bindings(5, (6, 5))
    reads = all_heads(network) + all_heads(network, (3,))
    whole = run_leaves(reads, network, bound, executor="wavefront")
    smallest = 0
    for budget in (400_000, 200_000, 120_000, 90_000):
        try:
            cut = run_leaves(reads, network, bound, executor="wavefront", budget=budget)
        except OutOfMemoryError:
            smallest = budget
            break
        assert cut.executed["waves"] >= whole.executed["waves"]
        for read in reads:
            torch.testing.assert_close(cut.values[read], whole.values[read], rtol=1e-9, atol=1e-12)
    assert smallest or cut.executed["waves"] > whole.executed["waves"]
    shuffled = random.Random(1).sample(reads, len(reads))
    other = run_leaves(shuffled, network, bound, executor="wavefront", batch_size=2)
    for read in reads:
        torch.testing.assert_close(other.values[read], whole.values[read], rtol=1e-9, atol=1e-12)


def node_world(network: LiftedNetwork, rng: random.Random, depth: int = 2) -> World:
    """A world that sets outputs and cuts to their values in other worlds."""
    names = [f"L{layer}.H{head}.z" for layer in range(3) for head in range(4)]
    names += [f"L{layer}.mlp" for layer in range(3)] + ["L1.resid_pre", "embed"]
    sites = [Node(name) for name in rng.sample(names, rng.randint(1, 4))]
    inner = [node_world(network, rng, depth - 1)] if depth and rng.random() < 0.4 else []
    values = [rng.choice([BASE, SOURCE, *inner]) for _ in sites]
    return Do(BASE, tuple((s, At(s.read_from, v)) for s, v in zip(sites, values, strict=True)))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(25))
def test_what_is_executed_is_what_is_live(kind: str, seed: int) -> None:
    """MLPs that are run, merges at run time off, are the distinct live calls; never more on."""
    network, rng = net(kind, 0, 3), random.Random(seed)
    worlds = dict.fromkeys(node_world(network, rng) for _ in range(5))
    reads = [Read(logit_diff, world) for world in worlds]
    bound = bindings(2, (5,), seed=3)
    calls = count_calls(compile_reads(reads, network.graph))
    off = run_leaves(reads, network, bound, executor="wavefront", merge=False)
    on = run_leaves(reads, network, bound, executor="wavefront", merge=True)
    assert off.executed["mlp"] + off.executed["mlp_of_runs"] == calls.mlp
    assert on.executed["mlp"] <= off.executed["mlp"]
    for read in reads:
        torch.testing.assert_close(on.values[read], off.values[read], rtol=1e-9, atol=1e-12)


def test_births_that_change_no_bit_stand_for_their_parents() -> None:
    network, bound = net("llama", 0, 3), bindings()
    value = Op("scale", (At("L1.H0.z", BASE),), (("factor", 1.0),))
    same = Do(BASE, ((Node("L1.H0.z"), value),))
    reads = [Read(logit_diff, BASE), Read(logit_diff, same)]
    on = run_leaves(reads, network, bound, executor="wavefront")
    off = run_leaves(reads, network, bound, executor="wavefront", merge=False)
    assert (on.executed["merged"], on.executed["mlp"]) == (1, 0)
    assert off.executed["mlp"] == 2
    assert torch.equal(on.values[reads[0]], on.values[reads[1]])
    torch.testing.assert_close(on.values[reads[1]], off.values[reads[1]])


def test_equal_beginnings_are_called_zero_and_are() -> None:
    """A position before the first difference is not run, and hooks find nothing there."""
    network = net("llama", 0, 2)
    pairs = word_pairs(1, 0, (6,))
    base = pairs.base.ids[0]
    source = (*base[:4], *pairs.source.ids[0][4:])
    assert source != base
    prompts = type(pairs.source)(
        pairs.source.texts,
        (source,),
        pairs.source.tokens,
        pairs.source.positions,
        pairs.source.templates,
    )
    bound = Bindings(
        {"base": pairs.base, "source": prompts}, Answers(pairs.answers, pairs.foils, "mean")
    )
    reads = [Read(logit_diff, BASE), *all_heads(network, (1,)), *all_heads(network, (2, 3))]
    found = agree(network, reads, bound)
    assert found.executed["births"] == 0
    assert len({float(value) for value in found.values.values()}) == 1


# -- what is refused -------------------------------------------------------------------------------


def test_a_budget_below_one_version_is_refused() -> None:
    network = net("llama")
    with pytest.raises(OutOfMemoryError, match="one version at one prompt"):
        run_leaves(all_heads(network), network, bindings(), budget=1000)


def test_hooks_say_that_they_keep_to_no_budget() -> None:
    network, reads = net("llama"), [Read(logit_diff, BASE)]
    found = run_leaves(reads, network, bindings(), executor="hooks", budget=1)
    assert any("keep to no budget" in note for note in found.notes)
    assert not run_leaves(reads, network, bindings(), executor="hooks").notes
    with pytest.raises(ParameterError, match="no amount of memory"):
        run_leaves(reads, network, bindings(), executor="hooks", budget="lots")


def test_derivatives_are_not_asked_of_the_wavefront_alone() -> None:
    network = net("llama")
    grad = Grad(Read(logit_diff, BASE), Node("L1.mlp"), At("L1.mlp", SOURCE))
    with pytest.raises(ParameterError, match="Derivatives were asked"):
        run_leaves([grad, Read(logit_diff, BASE)], network, bindings(), executor="wavefront")
    both = run_leaves([grad, Read(logit_diff, BASE)], network, bindings())
    assert both.executor == "wavefront, hooks"
    assert "1 derivatives were taken by hooks" in both.notes
    with pytest.raises(ParameterError, match="No executor"):
        run_leaves([Read(logit_diff, BASE)], network, bindings(), executor="fast")  # type: ignore[arg-type]  # refused


def test_hooks_compute_in_the_models_own_type() -> None:
    network, read = net("llama"), Read(logit_diff, BASE)
    with pytest.raises(ParameterError, match="hooks run the model itself"):
        run_leaves([read], network, bindings(), executor="hooks", dtype=torch.bfloat16)
    run_leaves([read], network, bindings(), executor="hooks", dtype=torch.float64)


@pytest.mark.parametrize("name", ["L1.H0.z", "L1.mlp", "L0.resid_mid", "embed"])
@pytest.mark.parametrize("bad", [float("nan"), float("inf"), 1e200])
def test_values_that_are_not_sound_are_located(name: str, bad: float) -> None:
    network, bound = net("llama"), bindings(2)
    width = network.graph.axes(name)[-1].size
    assert width is not None
    handle = Handle("bad", "bad")
    given = Bindings(
        bound.inputs,
        bound.answers,
        {handle: Pooled(torch.full((width,), bad, dtype=torch.float64))},
    )
    world = Do(BASE, ((Node(name, ("end",)), Const(handle)),))
    with pytest.raises(NumericalError, match=f"{name.split('.')[0]}.*prompt|prompt"):
        run_leaves([Read(logit_diff, world)], network, given, executor="wavefront")


def test_progress_reaches_what_was_expected() -> None:
    network, seen = net("llama"), list[tuple[int, int]]()
    run_leaves(
        all_heads(network),
        network,
        bindings(4),
        batch_size=2,
        progress=lambda done, expected: seen.append((done, expected)),
    )
    assert [done for done, _ in seen] == list(range(1, len(seen) + 1))
    assert seen[-1][0] == seen[-1][1]


@pytest.mark.parametrize("kind", ("llama", "gpt2"))
def test_a_value_may_be_that_of_another_input(kind: str) -> None:
    """All that a head reads comes from another input: its own one is only where it is read."""
    network, pairs = net(kind), word_pairs(3, 0, (6, 5))
    inputs = {"a": pairs.source, "b": pairs.base, "c": pairs.source, "base": pairs.base}
    bound = Bindings(inputs, Answers(pairs.answers, pairs.foils, "mean"))
    group = "H0" if kind == "gpt2" else "KV0"
    edges = [Edge("embed", f"L0.{name}") for name in ("H0.q", f"{group}.k", f"{group}.v")]
    inner = patched(*edges, world=Base("a"), source=Base("b"))
    reads = []
    for at in ((), ("end",), (1, "end")):
        late = patched(Edge("L0.H0", "L1.H1.q", at), world=Base("c"), source=inner)
        reads.append(Read(logit_diff, patched(Edge("L1.H1", "logits", at), source=late)))
    agree(network, reads, bound)
