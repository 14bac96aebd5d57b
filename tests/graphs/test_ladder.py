"""The granularity ladder: what is laid out at a coarse grain is the quotient of what is finer."""

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from causalnet.errors import GraphError, ParameterError, UnknownMediatorError
from causalnet.graphs import (
    Coarsening,
    Grain,
    Kind,
    MediatorGraph,
    Regime,
    Role,
    TransformerShape,
    at_positions,
    cluster_graph,
    coarsen,
    plain_graph,
    refine,
    transformer_graph,
)
from tests.graphs.test_structure import calls_made
from tests.graphs.textbook import SMOLLM2, key_owner, shapes

SMALL = TransformerShape(2, 4, 2, 8, 4, 16, 11)
COARSER = [(fine, coarse) for fine in Grain for coarse in Grain if fine.refines(coarse)]


@st.composite
def laid_out(draw: st.DrawFn, grain: Grain) -> MediatorGraph:
    shape = draw(shapes(most_layers=3))
    dictionaries = None
    if grain is Grain.FEATURES:
        whole = [n for n in range(shape.layers) if f"L{n}.mlp" not in shape.silent]
        assume(whole)
        layers = draw(st.sets(st.sampled_from(whole), min_size=1))
        dictionaries = {layer: draw(st.integers(1, 3)) for layer in layers}
    tokens = draw(st.none() | st.integers(1, 3))
    return transformer_graph(shape, grain, dictionaries=dictionaries, tokens=tokens)


def alone(pair: Coarsening) -> dict[str, str]:
    """The coarse node of each fine node that lies in one only."""
    holders: dict[str, list[str]] = {}
    for name, inside in pair.members.items():
        for fine in inside:
            holders.setdefault(fine, []).append(name)
    assert holders.keys() == {node.mediator.name for node in pair.fine.nodes}
    return {fine: held[0] for fine, held in holders.items() if len(held) == 1}


@settings(max_examples=40)
@given(st.data(), st.sampled_from(COARSER), st.booleans())
def test_a_coarse_grain_is_the_quotient_of_a_finer_one(
    data: st.DataObject, grains: tuple[Grain, Grain], positions: bool
) -> None:
    fine = data.draw(laid_out(grains[0]))
    pair = coarsen(fine, grains[1], positions=positions)
    quotient = cluster_graph(fine, pair.members).coarse
    coarse = pair.coarse
    assert {node.mediator.name for node in quotient.nodes} == set(pair.members)
    for node in coarse.nodes:
        name = node.mediator.name
        assert set(quotient.parents(name)) == set(coarse.parents(name)), name
        assert name not in fine.names() or quotient.find(name) == node.mediator
    if positions or fine.tokens is None:  # whole sequences have one stream for all positions
        assert quotient.streams == coarse.streams
        assert quotient.cuts == coarse.cuts


@settings(max_examples=40)
@given(st.data(), st.sampled_from(COARSER), st.booleans())
def test_coarse_ancestors_are_the_image_of_fine_ones(
    data: st.DataObject, grains: tuple[Grain, Grain], positions: bool
) -> None:
    """A key lies in every head of its group and makes none an ancestor: only q, z and so on do."""
    fine = data.draw(laid_out(grains[0]))
    pair = coarsen(fine, grains[1], positions=positions)
    held = alone(pair)
    for name in data.draw(st.lists(st.sampled_from([*pair.members]), min_size=1, max_size=6)):
        above = frozenset().union(*(fine.ancestors(member) for member in pair.members[name]))
        image = {held[each] for each in above if each in held}
        assert pair.coarse.ancestors(name) == image | {name}, name


@settings(max_examples=40)
@given(st.data(), st.sampled_from(COARSER))
def test_refining_and_coarsening_are_inverse(
    data: st.DataObject, grains: tuple[Grain, Grain]
) -> None:
    fine = data.draw(laid_out(grains[0]))
    pair = coarsen(fine, grains[1])
    assert pair.refine() == fine
    features = {n.mediator for n in fine.nodes if n.mediator.kind is Kind.FEATURE}
    sizes = Counter(each.layer for each in features if each.layer is not None and not each.position)
    assert refine(pair.coarse, fine.grain, dictionaries=sizes or None) == fine
    whole = coarsen(fine, grains[0], positions=False)
    assert refine(whole.coarse, tokens=fine.tokens) == fine
    assert pair.image(pair.inside([node.mediator for node in pair.coarse.nodes])) == {
        node.mediator.name for node in pair.coarse.nodes
    }


@settings(max_examples=30)
@given(shapes(), st.integers(1, 4))
def test_positions_are_read_by_their_causal_roles(shape: TransformerShape, tokens: int) -> None:
    whole = transformer_graph(shape)
    graph = transformer_graph(shape, tokens=tokens)
    assert graph == at_positions(whole, tokens).fine
    attended = {(Kind.PATTERN, Kind.KEY), (Kind.Z, Kind.VALUE)}
    for node in whole.nodes:
        for at in range(tokens):
            read = {
                f"{parent}[{earlier}]"
                for parent in whole.parents(node.mediator)
                for earlier in range(at + 1 if shape.causal else tokens)
                if earlier == at or (node.mediator.kind, whole.find(parent).kind) in attended
            }
            assert set(graph.parents(f"{node.mediator}[{at}]")) == read


@settings(max_examples=30)
@given(shapes(most_layers=2), st.sampled_from([Grain.BLOCKS, Grain.HEADS]), st.integers(1, 4))
def test_coarse_attention_reads_all_earlier_positions(
    shape: TransformerShape, grain: Grain, tokens: int
) -> None:
    whole = transformer_graph(shape, grain)
    graph = transformer_graph(shape, grain, tokens=tokens)
    for node in whole.nodes:
        attends = node.mediator.kind is (Kind.Z if grain is Grain.BLOCKS else Kind.HEAD)
        for at in range(tokens):
            seen = range(at + 1 if shape.causal else tokens)
            places = seen if attends else range(at, at + 1)
            read = {f"{name}[{p}]" for name in whole.parents(node.mediator) for p in places}
            assert set(graph.parents(f"{node.mediator}[{at}]")) == read


def test_a_position_is_part_of_the_name() -> None:
    graph = transformer_graph(SMALL, tokens=3)
    found = graph.find("L1.H3.z[2]")
    assert (found.kind, found.layer, found.index, found.position) == (Kind.Z, 1, 3, 2)
    assert graph.find("a1.h3.z[2]") == found
    assert graph.find("L1.resid_mid[2]").kind is Kind.RESIDUAL
    assert [axis.name for axis in graph.node(found).axes] == ["batch", "feature"]
    with pytest.raises(UnknownMediatorError, match=r"Nearest: 'L1\.H3\.z\[0\]'"):
        graph.find("L1.H3.z[3]")


@pytest.mark.parametrize(
    ("grain", "nodes", "edges"),
    [
        # edges: sum over layers of receivers x writers before, then one from each into the logits
        (Grain.BLOCKS, 1 + 3 * 30 + 1, sum(4 * n + 3 for n in range(30)) + 61),
        (Grain.HEADS, 1 + 10 * 30 + 1, sum(10 * (10 * n + 1) + 9 for n in range(30)) + 301),
        (Grain.CHANNELS, 1773, 70_651),
        (
            Grain.NEURONS,
            1773 + 30 * (2 * 50 - 1),  # each neuron with its scale, no scale of the MLP
            70_651 + 49 * sum(10 * n + 10 for n in range(30)),
        ),
    ],
)
def test_sizes_of_smollm2(grain: Grain, nodes: int, edges: int) -> None:
    graph = transformer_graph(replace(SMOLLM2, d_mlp=50), grain)
    assert (len(graph.nodes), graph.count_edges()) == (nodes, edges)
    assert len(graph.cuts) == 90


def test_what_nodes_are_at_each_grain() -> None:
    blocks = transformer_graph(SMALL, "blocks")
    assert [(a.name, a.role, a.size) for a in blocks.node("L1.z").axes] == [
        ("batch", Role.BATCH, None),
        ("pos", Role.CAUSAL, None),
        ("head", Role.FREE, 4),
        ("feature", Role.FREE, 4),
    ]
    assert blocks.parents("L1.attn") == ("L1.z",)
    heads = transformer_graph(SMALL, "heads")
    assert heads.parents("L1.H3") == heads.writers[:6]
    assert len(heads.heads(1)) == 4
    neurons = transformer_graph(SMALL, "neurons")
    assert neurons.parents("L1.mlp") == tuple(f"L1.mlp.n{n}" for n in range(16))
    assert neurons.parents("L1.mlp.n7") == (*neurons.writers[:10], "L1.mlp.n7.scale")
    assert neurons.find("L1.mlp.n7").index == 7
    features = transformer_graph(SMALL, "features", dictionaries={1: 3})
    assert features.parents("L1.mlp")[:3] == ("L1.mlp.f0", "L1.mlp.f1", "L1.mlp.f2")
    assert features.node("L0.mlp") == transformer_graph(SMALL).node("L0.mlp")


def test_the_regime_of_a_reconstruction_error_is_open() -> None:
    """Freezing or recomputing it are two questions, so the graph names both and prefers none."""
    graph = transformer_graph(SMALL, "features", dictionaries=3)
    open_nodes = [str(node.mediator) for node in graph.nodes if node.regimes]
    assert open_nodes == ["L0.mlp.err", "L1.mlp.err"]
    assert graph.node("L0.mlp.err").regimes == (Regime.RECOMPUTED, Regime.FROZEN)
    clusters = {"L0.mlp": [name for name in graph.names() if name.startswith("L0.mlp")]}
    assert cluster_graph(graph, clusters).coarse.node("L0.mlp").regimes == tuple(Regime)


@pytest.mark.parametrize("head", range(4))
def test_a_shared_key_lies_in_each_head_of_its_group(head: int) -> None:
    pair = coarsen(transformer_graph(SMALL), Grain.HEADS)
    owner = key_owner(SMALL, 1, head)
    assert set(pair.members[f"L1.H{head}"]) == {
        f"L1.H{head}{part}" for part in ("", ".q", ".q.scale", ".pattern", ".z")
    } | {f"{owner}.{part}{scale}" for part in "kv" for scale in ("", ".scale")}


REFUSED: dict[str, tuple[Any, str]] = {
    "unknown": (lambda: transformer_graph(SMALL, "head"), r"No grain 'head'\. There are blocks"),
    "no dictionaries": (lambda: transformer_graph(SMALL, "features"), "go together"),
    "dictionaries": (lambda: transformer_graph(SMALL, dictionaries=3), "go together"),
    "layer": (
        lambda: transformer_graph(SMALL, "features", dictionaries={2: 3}),
        r"layer 2\. Layers are 0\.\.1",
    ),
    "empty": (
        lambda: transformer_graph(SMALL, "features", dictionaries={1: 0}),
        "features in layer 1 is 0. It is a whole number from 1",
    ),
    "all layers": (lambda: transformer_graph(SMALL, "features", dictionaries=10**12), "At most"),
    "many tokens": (lambda: transformer_graph(SMALL, tokens=10**12), "At most 10,000,000 are laid"),
    "many heads": (lambda: transformer_graph(replace(SMALL, heads=10**12)), "At most 10,000,000"),
    "no tokens": (lambda: transformer_graph(SMALL, tokens=0), "tokens is 0"),
    "twice": (lambda: at_positions(transformer_graph(SMALL, tokens=2), 2), "at 2 positions"),
    "again": (lambda: refine(transformer_graph(SMALL, tokens=2), "neurons", tokens=3), "2 pos"),
    "no axis": (lambda: at_positions(plain_graph({"X": ()}), 2), "has the axis 'pos'"),
    "blocks and heads": (
        lambda: refine(transformer_graph(SMALL, "blocks"), "heads"),
        "does not refine that of blocks. Blocks are refined by channels, neurons, features",
    ),
    "down": (
        lambda: coarsen(transformer_graph(SMALL), "neurons"),
        "channels does not refine that of neurons. Neurons are refined by nothing",
    ),
    "plain": (lambda: coarsen(plain_graph({"X": ()}), "heads"), "1 nodes, 0 edges.*has no grain"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_not_on_the_ladder_is_refused(case: str) -> None:
    action, told = REFUSED[case]
    with pytest.raises((GraphError, ParameterError), match=told):
        action()


def test_a_graph_that_only_claims_a_grain_is_refused() -> None:
    graph = transformer_graph(SMALL)
    other = MediatorGraph(graph.nodes, graph.streams, graph.cuts[1:], graph.sizes, graph.grain)
    with pytest.raises(GraphError, match="not as transformer_graph lays out"):
        coarsen(other, "heads")


def test_laying_out_costs_the_same_for_every_neuron() -> None:
    few, many = (TransformerShape(2, 4, 2, 8, 4, size, 11) for size in (200, 400))
    cost = calls_made(lambda: transformer_graph(few, "neurons"))
    assert calls_made(lambda: transformer_graph(many, "neurons")) < 2.1 * cost


def test_a_misspelt_name_is_sought_near_by_in_a_large_graph() -> None:
    graph = transformer_graph(replace(SMOLLM2, d_mlp=100), "neurons")
    with pytest.raises(UnknownMediatorError, match=r"Nearest: 'L9\.mlp\.n13'") as refused:
        graph.find("L9.mlp.m13")
    assert "L9.mlp.n" in refused.value.possible
    heads = transformer_graph(SMOLLM2, "heads")
    with pytest.raises(UnknownMediatorError, match=r"At the grain of heads, .* no q, k, v"):
        heads.find("L9.H6.q")
