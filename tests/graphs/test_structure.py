import copy
import pickle
import sys
from collections.abc import Callable
from dataclasses import FrozenInstanceError, replace
from functools import partial
from typing import Any

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings

from causalnet.errors import CausalNetError, GraphError, TermError, UnknownMediatorError
from causalnet.graphs import (
    Cut,
    Kind,
    Mediator,
    MediatorGraph,
    Merge,
    Node,
    Slot,
    Stream,
    TransformerShape,
    plain_graph,
    transformer_graph,
)
from tests.graphs.textbook import (
    GPT2_SMALL,
    SMOLLM2,
    cut_sizes,
    live_heads,
    readings,
    residual_edges,
    shapes,
    stream_graph,
)


@given(shapes())
def test_edges_are_counted_as_they_are_listed(shape: TransformerShape) -> None:
    graph = transformer_graph(shape)
    edges = graph.edges()
    assert len(edges) == len(set(edges)) == graph.count_edges()
    assert set(edges) == residual_edges(shape)


@given(shapes(regular=True))
def test_edge_count_has_its_closed_form(shape: TransformerShape) -> None:
    heads, block = shape.heads, shape.heads + shape.attention_bias + 1
    channels = heads + 2 * shape.kv_heads
    before = [1 + layer * block for layer in range(shape.layers + 1)]
    inside = sum(channels * n + n + block - 1 for n in before[:-1])
    assert transformer_graph(shape).count_edges() == inside + before[-1]


@pytest.mark.parametrize(
    ("shape", "edges"),
    [
        (SMOLLM2, 70_651),
        (GPT2_SMALL, 32_491),
        # one writer more in each layer: sum over l of (36 + 1) l, 12 into the MLPs, 12 into logits
        (replace(GPT2_SMALL, attention_bias=True), 32_491 + 37 * 66 + 12 + 12),
    ],
    ids=["SmolLM2", "GPT-2 small", "GPT-2 small with attention bias"],
)
def test_edge_counts_of_known_networks(shape: TransformerShape, edges: int) -> None:
    graph = transformer_graph(shape)
    assert graph.count_edges() == edges
    assert f"{edges} residual edges" in repr(graph)


def test_more_edges_than_wanted_are_refused() -> None:
    graph = transformer_graph(SMOLLM2)
    with pytest.raises(TermError, match=r"70651 residual edges.*edges\(at_most=70651\)"):
        graph.edges(at_most=70_650)
    assert len(graph.edges(at_most=70_651)) == 70_651


@given(shapes())
def test_parents_precede_children(shape: TransformerShape) -> None:
    graph = transformer_graph(shape)
    seen: set[str] = set()
    for node in graph.nodes:
        assert set(graph.parents(node.mediator)) <= seen
        seen.add(node.mediator.name)
    assert sorted(graph.writers, key=names_in_order(graph).index) == list(graph.writers)


def plain(name: str, *parents: str) -> Node:
    slots = tuple(Slot(parent, Merge.PLAIN, (parent,)) for parent in parents)
    return Node(Mediator(name, Kind.VARIABLE), (), slots)


def reader(name: str, writers: int) -> Node:
    return Node(Mediator(name, Kind.VARIABLE), (), (Slot("s", Merge.SUM, (), "s", writers),))


def names_in_order(graph: MediatorGraph) -> list[str]:
    return [node.mediator.name for node in graph.nodes]


@given(shapes())
def test_parents_are_those_of_the_textbook(shape: TransformerShape) -> None:
    graph, textbook = transformer_graph(shape), stream_graph(shape)
    into = readings(shape)
    assert {node for node in textbook if isinstance(node, str)} == set(names_in_order(graph))
    for name in names_in_order(graph):
        plain = {parent for parent in textbook.predecessors(name) if isinstance(parent, str)}
        assert set(graph.parents(name)) == plain | {u for u, v in into if v == name}


@given(shapes())
def test_ancestors_are_the_closure(shape: TransformerShape) -> None:
    graph, textbook = transformer_graph(shape), stream_graph(shape)
    places = {name: name for name in names_in_order(graph)} | cut_sizes(shape)
    for name, place in places.items():
        closed = nx.ancestors(textbook, place) | {place}
        assert graph.ancestors(name) == {node for node in closed if isinstance(node, str)}


@settings(max_examples=25)
@given(shapes(most_layers=2))
def test_a_directed_path_leads_from_ancestors_only(shape: TransformerShape) -> None:
    """A residual cut is the partial sum of the writers before it, whichever name it has."""
    graph, textbook = transformer_graph(shape), stream_graph(shape)
    places: dict[str, Any] = {name: name for name in names_in_order(graph)} | cut_sizes(shape)
    for later, end in places.items():
        closed = nx.ancestors(textbook, end) | {end}
        for earlier, start in places.items():
            assert graph.is_ancestor(earlier, later) == (start in closed), (earlier, later)


@given(shapes())
def test_cuts_hold_the_earlier_writers(shape: TransformerShape) -> None:
    graph = transformer_graph(shape)
    assert {cut.name: cut.writers_before for cut in graph.cuts} == cut_sizes(shape)
    for name, size in cut_sizes(shape).items():
        assert graph.writers_before(name) == graph.writers[:size]
        with pytest.raises(TermError, match="is a cut of the residual stream, not a node"):
            graph.node(name)
    assert graph.writers_before("logits") == graph.writers
    for head in graph.heads():
        assert graph.writers_before(f"{head}.z") == ()


@given(shapes())
def test_heads_and_mlps_are_in_order(shape: TransformerShape) -> None:
    graph, layers = transformer_graph(shape), range(shape.layers)
    heads = [(layer, head) for layer in layers for head in live_heads(shape, layer)]
    assert [(head.layer, head.index) for head in graph.heads()] == heads
    assert [(mlp.name, mlp.kind) for mlp in graph.mlps()] == [
        (f"L{layer}.mlp", Kind.MLP) for layer in layers if f"L{layer}.mlp" not in shape.silent
    ]
    assert sum((graph.heads(layer) for layer in layers), ()) == graph.heads()
    for layer in (-1, shape.layers):
        for listed in (graph.heads, graph.mlps):
            with pytest.raises(UnknownMediatorError, match=rf"No layer {layer}\. Layers are 0\.\."):
                listed(layer)


@given(shapes(), shapes())
def test_graphs_are_equal_by_content(one: TransformerShape, other: TransformerShape) -> None:
    graph, again, third = map(transformer_graph, (one, replace(one), other))
    assert graph == again
    assert hash(graph) == hash(again)
    assert graph.fingerprint() == again.fingerprint()
    assert (graph == third) == (one == other) == (graph.fingerprint() == third.fingerprint())
    for twin in (copy.deepcopy(graph), pickle.loads(pickle.dumps(graph))):
        assert twin == graph
        assert twin.find("logits") == graph.find("logits")


def test_sizes_of_any_integer_type_are_the_same_shape() -> None:
    given_by_a_file = TransformerShape(*np.array([2, 4, 2, 8, 4, 16, 11, 0]))
    plain = TransformerShape(2, 4, 2, 8, 4, 16, 11, attention_bias=False)
    assert given_by_a_file == plain
    one, other = transformer_graph(given_by_a_file), transformer_graph(plain)
    assert one.fingerprint() == other.fingerprint()


def test_graphs_are_frozen() -> None:
    graph = transformer_graph(GPT2_SMALL)
    with pytest.raises(FrozenInstanceError):
        graph.nodes = ()  # type: ignore[misc]  # the assignment must fail
    with pytest.raises(FrozenInstanceError):
        graph.nodes[0].mediator.name = "x"  # type: ignore[misc]  # the assignment must fail


@pytest.mark.parametrize(
    ("layers", "kv_heads", "vocabulary", "told"),
    [
        (30, 2, 49152, "9 heads cannot share 2 K/V groups"),
        (30, 0, 49152, "kv_heads is 0"),
        (0, 3, 49152, "layers is 0"),
        (30, 3, -1, "vocabulary is -1"),
    ],
)
def test_shapes_of_no_transformer_are_refused(
    layers: int, kv_heads: int, vocabulary: int, told: str
) -> None:
    with pytest.raises(CausalNetError, match=told):
        TransformerShape(layers, 9, kv_heads, 576, 64, 1536, vocabulary)


@settings(max_examples=12)
@given(shapes(most_layers=2))
def test_edges_are_found_with_their_slots(shape: TransformerShape) -> None:
    graph, edges = transformer_graph(shape), residual_edges(shape)
    for receiver in (node for node in graph.nodes if node.mediator.kind is not Kind.SCALE):
        name = receiver.mediator.name
        for sender in graph.nodes:
            wanted = [s.name for s in receiver.slots if sender.mediator.name in graph.senders(s)]
            if not wanted:
                told = r"There is no edge .* (graph\.parents|by its channels)"
                with pytest.raises(TermError, match=told):
                    graph.edge(sender.mediator, name)
                continue
            edge = graph.edge(sender.mediator, name)
            assert str(edge) == f"{sender.mediator} -> {name}"
            assert (edge.sender, edge.receiver) == (sender.mediator, receiver.mediator)
            assert [slot.name for slot in edge.slots] == wanted
            assert ("resid" in wanted) == ((sender.mediator.name, name) in edges)
            assert graph.edge(edge.sender, edge.receiver, wanted[0]).slots == edge.slots[:1]


@pytest.mark.parametrize(
    ("sender", "receiver", "slot", "told"),
    [
        ("L9.H6", "L20.H0", None, r"by its channels: write 'L9\.H6 -> L20\.H0\.q'"),
        ("L9.H6", "L9.H6.z", None, r"no edge L9\.H6 -> L9\.H6\.z\. 2 mediators send to L9\.H6\.z"),
        ("L9.H6", "L20.H0.q", "k", r"no slot 'k' of its own\. Its slots: resid, scale"),
        ("L20.H0", "embed", None, r"embed reads nothing"),
        ("L9.H6", "L20.H0.q.scale", None, r"Write 'L9\.H6 -> L20\.H0\.q'"),
        ("L9.resid_mid", "L20.H0.q", None, r"is a cut of the residual stream, not a node"),
        ("L9.H6", "L20.HO.q", None, r"Nearest: 'L20\.H0\.q'"),
    ],
)
def test_edges_that_are_not_there_are_refused(
    sender: str, receiver: str, slot: str | None, told: str
) -> None:
    with pytest.raises(CausalNetError, match=told):
        transformer_graph(SMOLLM2).edge(sender, receiver, slot)


@pytest.mark.parametrize(
    ("nodes", "streams", "cuts", "told"),
    [
        ([plain("X"), plain("X")], (), (), "called 'X'"),
        ([plain("Y", "X"), plain("X")], (), (), "Y reads X, which does not come before it"),
        ([plain("X", "X")], (), (), "X reads X"),
        ([plain("Y", "X")], (), (), "Y reads X"),
        ([plain("X")], [Stream("s", ("Y",))], (), "not distinct nodes in the graph's order"),
        ([plain("X")], [Stream("s", ("X", "X"))], (), "not distinct nodes in the graph's order"),
        ([reader("X", 1)], [Stream("s", ("X",))], (), "X reads writer 1 of stream 's'"),
        ([plain("X")], [Stream("s", ())] * 2, (), "called 's'"),
        ([plain("X")], (), [Cut("c", "s", 0)], "lies after 0 writers of stream 's', which has 0"),
        ([plain("X")], [Stream("s", ("X",))], [Cut("c", "s", -1)], "lies after -1 writers"),
        ([plain("X")], [Stream("s", ("X",))], [Cut("X", "s", 1)], "called 'X'"),
    ],
)
def test_what_is_no_graph_is_refused(nodes: Any, streams: Any, cuts: Any, told: str) -> None:
    with pytest.raises(GraphError, match=told):
        MediatorGraph(tuple(nodes), tuple(streams), tuple(cuts))


def test_axes_say_how_wide_values_are() -> None:
    graph = transformer_graph(SMOLLM2)
    widths = {
        "embed": 576,
        "L9.H6": 576,
        "L9.H6.z": 64,
        "L9.H6.q": 64,
        "L9.KV2.k": 64,
        "L9.H6.pattern": None,  # as many as there are tokens
        "L9.mlp": 576,
        "logits": 49152,
    }
    for name, width in widths.items():
        batch, position, values = graph.node(name).axes
        assert (batch.role.value, position.role.value, values.role.value) == (
            "batch",
            "causal",
            "free",
        )
        assert values.size == width


def calls_made(action: Callable[[], object]) -> int:
    """How many functions, of Python or C, an action calls."""
    made = 0

    def count(_frame: object, event: str, _argument: object) -> None:
        nonlocal made
        made += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        action()
    finally:
        sys.setprofile(before)
    return made


def test_edges_are_implicit() -> None:
    graph = transformer_graph(SMOLLM2)
    named = sum(len(slot.parents) for node in graph.nodes for slot in node.slots)
    scales = 30 * (9 + 3 + 3 + 1) + 1  # one for each receiver
    assert named == 30 * 9 * 5 + scales  # q, k; pattern, v; z
    assert all(
        not slot.parents for node in graph.nodes for slot in node.slots if slot.merge is Merge.SUM
    )


def test_building_and_finding_cost_no_more_in_deep_networks() -> None:
    half = calls_made(lambda: transformer_graph(replace(SMOLLM2, layers=15)))
    assert calls_made(lambda: transformer_graph(SMOLLM2)) < 2.1 * half
    small, large = (transformer_graph(replace(SMOLLM2, layers=n)) for n in (2, 30))
    for name in ("L1.H6", "L1.KV2.k", "L1.resid_mid", "blocks.1.hook_mlp_out", "a1.h3"):
        cost = calls_made(partial(large.find, name))
        assert cost == calls_made(partial(small.find, name)) < 100


def test_ancestors_are_visited_once() -> None:
    graph = transformer_graph(SMOLLM2)
    edges_and_nodes = len(graph.nodes) + graph.count_edges()
    assert calls_made(lambda: graph.ancestors("logits")) < 10 * len(graph.nodes) < edges_and_nodes


def test_a_large_network_is_laid_out_at_once() -> None:
    """80 layers of 64 heads: a few calls for each of the 28,323 nodes, and none for an edge."""
    shape = TransformerShape(80, 64, 8, 8192, 128, 28672, 128256)
    layer = calls_made(lambda: transformer_graph(replace(shape, layers=1)))
    two = calls_made(lambda: transformer_graph(replace(shape, layers=2)))
    assert two - layer < 40 * 354  # nodes of a layer
    graph = transformer_graph(shape)
    assert len(graph.nodes) == 3 + 80 * 354
    hash(graph)
    assert calls_made(lambda: hash(graph)) < 10
    assert calls_made(lambda: graph == graph) < 10


def test_a_deep_graph_of_variables() -> None:
    depth = 50_000
    graph = plain_graph({f"V{n}": (f"V{n + 1}",) if n + 1 < depth else () for n in range(depth)})
    assert graph.rank("V0") == depth - 1
    assert len(graph.ancestors("V0")) == depth
    loop = {f"V{n}": (f"V{(n + 1) % depth}",) for n in range(depth)}
    with pytest.raises(GraphError, match="has a cycle"):
        plain_graph(loop)


def test_noise_has_no_parents() -> None:
    assert plain_graph({"U": (), "Y": ("U",)}, noise=["U"]).find("U").kind is Kind.NOISE
    with pytest.raises(GraphError, match="The noise 'U' has parents"):
        plain_graph({"X": (), "U": ("X",)}, noise=["U"])
    with pytest.raises(GraphError, match=r"'Z' is a parent but not a variable.*Add 'Z': \(\)"):
        plain_graph({"X": ("Z",)})
