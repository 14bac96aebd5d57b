"""Graphs with silent nodes, positions apart, attention to later tokens: beside the laws of all."""

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings

from causalnet.errors import CausalNetError, GraphError, ParameterError, UnknownMediatorError
from causalnet.estimators.sites import edge_sites
from causalnet.graphs import (
    Grain,
    Kind,
    MediatorGraph,
    Role,
    TransformerShape,
    transformer_graph,
)
from tests.graphs.textbook import shapes

REGULAR = TransformerShape(2, 4, 2, 8, 4, 16, 11)


@given(shapes())
def test_edge_sites_are_the_residual_edges(shape: TransformerShape) -> None:
    graph = transformer_graph(shape)
    sites = edge_sites(graph)
    assert sorted(map(str, sites)) == sorted(f"{one} -> {other}" for one, other in graph.edges())
    for index in range(len(sites)):
        assert sites.index(sites.label(index)) == index


@pytest.mark.parametrize(
    ("shape", "edges"),
    [
        # The hand-built models, counted from their lists of channels.
        (TransformerShape(2, 4, 4, 8, 4, 8, 10, normed=False, silent=("L0.mlp", "L1.mlp")), 106),
        (TransformerShape(2, 3, 3, 8, 4, 8, 5, normed=False, silent=("L0.H2", "L1.mlp")), 69),
        (TransformerShape(2, 3, 3, 8, 4, 8, 2, normed=False), 96),
    ],
)
def test_sizes_of_hand_built_models(shape: TransformerShape, edges: int) -> None:
    apart = replace(shape, positions_apart=True)
    assert transformer_graph(apart).count_edges() == edges


def test_positions_apart_are_a_writer_after_the_embedding() -> None:
    graph = transformer_graph(replace(REGULAR, positions_apart=True))
    assert graph.writers[:2] == ("embed", "pos_embed")
    found = graph.find("pos_embed")
    assert (found.kind, found.layer) == (Kind.POSITIONS, None)
    assert graph.axes("pos_embed") == graph.axes("embed")
    assert graph.cut("L0.resid_pre").writers_before == 2
    with pytest.raises(UnknownMediatorError):
        transformer_graph(REGULAR).find("pos_embed")


@given(shapes())
def test_values_depend_on_later_positions_where_attention_does(shape: TransformerShape) -> None:
    roles = {
        axis.role
        for node in transformer_graph(shape).nodes
        for axis in node.axes
        if axis.name == "pos"
    }
    assert roles == {Role.CAUSAL if shape.causal else Role.POSITION}


@given(shapes())
def test_a_shape_is_regular_where_nothing_is_odd(shape: TransformerShape) -> None:
    plain = (shape.silent, shape.positions_apart, shape.causal) == ((), False, True)
    assert shape.is_regular == plain == (shape.irregularity == "")
    assert eval(repr(shape)) == shape


def test_what_is_regular_prints_and_is_stored_without_the_rare_sizes() -> None:
    """Fingerprints hold the printed shape, and claims on disk hold fingerprints."""
    assert repr(REGULAR) == (
        "TransformerShape(layers=2, heads=4, kv_heads=2, d_model=8, d_head=4, d_mlp=16, "
        "vocabulary=11, attention_bias=False, normed=True)"
    )
    graph = transformer_graph(REGULAR)
    assert graph.fingerprint().startswith("2fd839b78188fe93")
    assert set(json.loads(graph.to_json())["sizes"]) & {"silent", "positions_apart"} == set()


@settings(max_examples=40)
@given(shapes())
def test_silent_nodes_come_in_any_order_and_are_kept_in_the_graph_s(
    shape: TransformerShape,
) -> None:
    turned = replace(shape, silent=tuple(reversed(shape.silent * 2)))
    assert turned == shape
    graph = transformer_graph(shape)
    assert MediatorGraph.from_json(graph.to_json()) == graph
    for name in shape.silent:
        assert not [known for known in graph.names() if known.startswith(f"{name}.")]
        with pytest.raises(UnknownMediatorError, match=rf"{name} is silent"):
            graph.find(f"{name}.z" if ".H" in name else name)


@pytest.mark.parametrize("stranger", ["L2.mlp", "L0.H4", "embed", "L0.H1.q", ""])
def test_a_silent_node_is_a_head_or_an_mlp(stranger: str) -> None:
    with pytest.raises(CausalNetError, match=r"is no head or MLP\. There are L0\.\.L1"):
        replace(REGULAR, silent=(stranger,))
    with pytest.raises(ParameterError, match="no list of silent nodes"):
        replace(REGULAR, silent=stranger)  # type: ignore[arg-type]  # the refusal is tested


def test_a_drawing_leaves_silent_nodes_out() -> None:
    heads = tuple(f"L1.H{head}" for head in range(4))
    shape = replace(REGULAR, layers=3, normed=False, positions_apart=True)
    drawn = transformer_graph(replace(shape, silent=("L0.H2", "L2.mlp", *heads))).draw()
    assert drawn.splitlines()[1:] == [
        "embed  pos_embed",
        "L0  KV0..1.k  KV0..1.v  H0..1,3.q  H0..1,3.pattern  H0..1,3.z  H0..1,3  mlp",
        "L1  mlp",
        "L2  KV0..1.k  KV0..1.v  H0..3.q  H0..3.pattern  H0..3.z  H0..3",
        "logits",
        "stream resid of 11 writers, 9 cuts",
    ]


def test_a_silent_mlp_has_no_neurons_and_no_features() -> None:
    shape = replace(REGULAR, silent=("L1.mlp",))
    neurons = transformer_graph(shape, Grain.NEURONS)
    assert {node.mediator.layer for node in neurons.nodes if node.mediator.kind is Kind.NEURON} == {
        0
    }
    features = transformer_graph(shape, Grain.FEATURES, dictionaries=3)
    assert features == transformer_graph(shape, Grain.FEATURES, dictionaries={0: 3})
    with pytest.raises(GraphError, match=r"L1\.mlp, which is silent"):
        transformer_graph(shape, Grain.FEATURES, dictionaries={1: 3})


def test_a_layer_of_silent_heads_keeps_its_bias() -> None:
    heads = tuple(f"L0.H{head}" for head in range(4))
    shape = replace(REGULAR, silent=heads, attention_bias=True)
    assert transformer_graph(shape).writers[:2] == ("embed", "L0.attn_bias")
    blocks = transformer_graph(shape, Grain.BLOCKS)
    assert blocks.parents("L0.attn") == ()
    assert (
        "L0.attn"
        not in transformer_graph(replace(shape, attention_bias=False), Grain.BLOCKS).names()
    )
