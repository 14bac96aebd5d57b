"""Clusters of any graph against networkx's quotient."""

import re
from typing import Any

import networkx as nx
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from causalnet.errors import GraphError, TermError, UnknownMediatorError
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
    cluster_graph,
    plain_graph,
    transformer_graph,
)
from tests.graphs.textbook import SMOLLM2, shapes


@st.composite
def plain_graphs(draw: st.DrawFn) -> MediatorGraph:
    names = [f"V{number}" for number in range(draw(st.integers(1, 8)))]
    return plain_graph(
        {
            name: draw(st.lists(st.sampled_from(names[:place]), unique=True)) if place else []
            for place, name in enumerate(names)
        }
    )


@st.composite
def stream_graphs(draw: st.DrawFn) -> MediatorGraph:
    """Any node may write into the stream and read any prefix of it, so that few read everything."""
    nodes: list[Node] = []
    writers: list[str] = []
    for number in range(draw(st.integers(1, 8))):
        name = f"V{number}"
        known = [node.mediator.name for node in nodes]
        parents = draw(st.lists(st.sampled_from(known), unique=True, max_size=2)) if known else []
        slots = [Slot(parent, Merge.PLAIN, (parent,)) for parent in parents]
        if draw(st.booleans()):
            slots.append(Slot("s", Merge.SUM, (), "s", draw(st.integers(0, len(writers)))))
        nodes.append(Node(Mediator(name, Kind.VARIABLE), (), tuple(slots)))
        writers += [name] * draw(st.booleans())
    cuts = tuple(Cut(f"c{count}", "s", count) for count in range(len(writers) + 1))
    return MediatorGraph(tuple(nodes), (Stream("s", tuple(writers)),), cuts)


@st.composite
def clustered(draw: st.DrawFn) -> tuple[MediatorGraph, dict[str, list[str]]]:
    """A graph, plain or with streams, and clusters: of neighbours, or of any nodes."""
    streams = shapes(most_layers=2).map(lambda shape: transformer_graph(shape))
    graph = draw(plain_graphs() | stream_graphs() | stream_graphs() | streams)
    names = [node.mediator.name for node in graph.nodes]
    clusters: dict[str, list[str]] = {}
    for number in range(draw(st.integers(0, 3))):
        free = [name for name in names if not any(name in c for c in clusters.values())]
        if not free:
            break
        if draw(st.booleans()):
            start = draw(st.integers(0, len(free) - 1))
            members = free[start : start + draw(st.integers(1, 12))]
        else:
            members = draw(st.lists(st.sampled_from(free), min_size=1, max_size=4, unique=True))
        clusters[f"cluster {number}"] = members
    return graph, clusters


def quotient(graph: MediatorGraph, clusters: dict[str, list[str]]) -> Any:
    cluster = {member: name for name, members in clusters.items() for member in members}
    made = nx.DiGraph()
    made.add_nodes_from(cluster.get(n.mediator.name, n.mediator.name) for n in graph.nodes)
    for tail, head in {(tail, head) for tail, head, _ in graph.to_networkx().edges}:
        ends = cluster.get(tail, tail), cluster.get(head, head)
        if ends[0] != ends[1]:
            made.add_edge(*ends)
    return made


@settings(max_examples=400)
@given(clustered())
def test_clusters_make_the_quotient_or_name_a_cycle(
    case: tuple[MediatorGraph, dict[str, list[str]]],
) -> None:
    graph, clusters = case
    textbook = quotient(graph, clusters)
    if not nx.is_directed_acyclic_graph(textbook):
        with pytest.raises(GraphError, match="The clusters form a cycle") as refused:
            cluster_graph(graph, clusters)
        check_cycle(refused.value, graph, textbook)
        return
    pair = cluster_graph(graph, clusters)
    assert {node.mediator.name for node in pair.coarse.nodes} == set(textbook)
    for name in textbook:
        assert set(pair.coarse.parents(name)) == set(textbook.predecessors(name)), name
        assert pair.members[name] == tuple(sorted(clusters.get(name, [name]), key=graph.rank))
    assert pair.refine() == graph
    for cut in pair.coarse.cuts:  # what lies before a cut that is left is what lay before it
        inside = pair.inside(pair.coarse.writers_before(cut.name))
        assert inside & set(graph.writers) == set(graph.writers_before(cut.name))


def check_cycle(refused: GraphError, graph: MediatorGraph, textbook: Any) -> None:
    """The cycle that is told is one, and so are the fine edges that are said to make it."""
    loop = refused.came.removeprefix("The clusters form a cycle: ").rstrip(".").split(" -> ")
    assert loop[0] == loop[-1]
    assert nx.is_simple_path(textbook, loop[:-1])
    assert textbook.has_edge(*loop[-2:])
    edges = re.findall(r"([^ ,]+) -> ([^ ,]+)(?= leaves| goes on| closes)", refused.possible)
    assert len(edges) == len(loop) - 1
    for tail, head in edges:
        assert tail in graph.parents(head)


@settings(max_examples=60)
@given(clustered())
def test_coarse_ancestors_hold_the_image_of_fine_ones(
    case: tuple[MediatorGraph, dict[str, list[str]]],
) -> None:
    """The converse fails: A reaches C through a cluster though A reaches nothing that C reads."""
    graph, clusters = case
    if not nx.is_directed_acyclic_graph(quotient(graph, clusters)):
        return
    pair = cluster_graph(graph, clusters)
    for node in graph.nodes:
        (holder,) = pair.image([node.mediator])
        assert pair.image(graph.ancestors(node.mediator)) <= pair.coarse.ancestors(holder)
        assert node.mediator.name in pair.inside([holder])


@given(plain_graphs() | shapes(most_layers=2).map(lambda shape: transformer_graph(shape)))
def test_no_clusters_change_nothing(graph: MediatorGraph) -> None:
    assert cluster_graph(graph, {}).coarse == graph
    names = {node.mediator.name: [node.mediator.name] for node in graph.nodes}
    assert cluster_graph(graph, names).coarse == graph


@given(shapes(most_layers=3))
def test_what_no_cluster_touches_stays_as_it_is(shape: TransformerShape) -> None:
    graph = transformer_graph(shape)
    outside = [node for node in graph.nodes if node.mediator.layer != shape.layers - 1]
    members = [node.mediator.name for node in graph.nodes if node not in outside]
    assume(members)  # a layer may be silent as a whole
    coarse = cluster_graph(graph, {"end": members}).coarse
    for node in outside:
        if node.mediator.layer is not None:
            assert coarse.node(node.mediator) == node
    assert coarse.writers_before("logits")[-1] == "end"


def test_a_block_of_a_residual_network_is_a_writer_of_its_stream() -> None:
    graph = transformer_graph(SMOLLM2)
    layers = {
        f"L{layer}": [name for name in graph.names() if is_node_of(graph, name, layer)]
        for layer in range(30)
    }
    coarse = cluster_graph(graph, layers).coarse
    assert coarse.writers == ("embed", *layers)
    assert coarse.parents("L9") == coarse.writers[:10]
    assert coarse.node("L9").slots[0].stream == "resid"
    assert coarse.find("L9").kind is Kind.CLUSTER
    # the cut in the middle of a layer cuts its cluster in two, so that it is none
    kept = {f"L{layer}.resid_{at}" for layer in range(30) for at in ("pre", "post")}
    assert {cut.name for cut in coarse.cuts} == kept
    assert coarse.count_edges() == sum(range(1, 32))


def is_node_of(graph: MediatorGraph, name: str, layer: int) -> bool:
    found = graph.find(name)
    return found.layer == layer and found.kind is not Kind.RESIDUAL


def test_a_cluster_with_one_way_out_has_its_axes() -> None:
    graph = transformer_graph(SMOLLM2)
    pair = {"inside": ["L0.H0.pattern", "L0.H0.z"], "two": ["L0.H1.q", "L0.H2.q"]}
    coarse = cluster_graph(graph, pair).coarse
    assert coarse.node("inside").axes == graph.node("L0.H0.z").axes
    assert coarse.node("two").axes == ()
    assert coarse.node("two").pointwise == ("pos",)
    assert coarse.node("inside").pointwise == ()
    assert coarse.find("two").layer == 0


def test_a_reader_of_a_late_cluster_alone_names_it() -> None:
    """M is first to enter the stream and last to be complete: it is no prefix of the writers."""
    a, b, e = (Node(Mediator(name, Kind.VARIABLE)) for name in "ABE")
    reader = Node(Mediator("R", Kind.VARIABLE), (), (Slot("s", Merge.SUM, (), "s", 1),))
    graph = MediatorGraph((a, b, e, reader), (Stream("s", ("A", "B")),))
    coarse = cluster_graph(graph, {"M": ["A", "E"]}).coarse
    assert coarse.writers == ("B", "M")
    assert coarse.node("R").slots == (Slot("s", Merge.SUM, ("M",)),)


def test_a_cluster_of_scales_belongs_to_the_cluster_of_their_receivers() -> None:
    neurons = transformer_graph(TransformerShape(1, 1, 1, 4, 4, 3, 5), "neurons")
    channels = transformer_graph(neurons.shape)
    inside = ["L0.mlp", *(f"L0.mlp.n{n}" for n in range(3))]
    scales = [f"L0.mlp.n{n}.scale" for n in range(3)]
    clusters = {"L0.mlp": inside, "L0.mlp.scale": scales}
    coarse = cluster_graph(neurons, clusters).coarse
    assert coarse.node("L0.mlp.scale").slots == channels.node("L0.mlp.scale").slots
    with pytest.raises(TermError, match=r"Write 'embed -> L0\.mlp'"):
        coarse.edge("embed", "L0.mlp.scale")


def test_two_heads_around_an_mlp_close_a_cycle() -> None:
    graph = transformer_graph(SMOLLM2, "heads")
    with pytest.raises(GraphError) as refused:
        cluster_graph(graph, {"pair": ["L3.H1", "L7.H0"]})
    assert str(refused.value) == (
        "The clusters form a cycle: pair -> L3.mlp -> pair. L3.H1 -> L3.mlp leaves 'pair' and "
        "L3.mlp -> L7.H0 closes the cycle. Keep L3.H1 and L7.H0 apart, or put L3.mlp with them."
    )
    assert cluster_graph(graph, {"pair": ["L3.H1", "L3.H0"]}).coarse.parents("L3.mlp")[-8:][0] == (
        "pair"
    )


def test_clusters_that_are_none_are_refused() -> None:
    graph = plain_graph({"X": (), "A": ("X",), "B": ("X",), "Y": ("A", "X")})
    with pytest.raises(GraphError, match="X lies in M, N, and Y reads it"):
        cluster_graph(graph, {"M": ["X", "A"], "N": ["X", "B"]})
    with pytest.raises(GraphError, match="Cluster 'M' is empty"):
        cluster_graph(graph, {"M": []})
    with pytest.raises(GraphError, match="called 'Y'"):
        cluster_graph(graph, {"Y": ["A", "B"]})
    with pytest.raises(UnknownMediatorError, match="Unknown mediator 'Z'"):
        cluster_graph(graph, {"M": ["Z"]})
    with pytest.raises(TermError, match="is a cut"):
        cluster_graph(transformer_graph(SMOLLM2, "heads"), {"M": ["L3.resid_mid"]})
    shared = cluster_graph(graph, {"M": ["B"], "X": ["X"]})
    assert shared.coarse.find("M").kind is Kind.VARIABLE  # renamed
    inlined = plain_graph({"X": (), "K": ("X",), "A": ("K",), "B": ("K",), "Y": ("A", "B")})
    both = cluster_graph(inlined, {"A": ["K", "A"], "B": ["K", "B"]})
    assert both.coarse.parents("B") == ("X",)


def test_a_deep_graph_is_clustered() -> None:
    depth = 20_000
    graph = plain_graph({f"V{n}": (f"V{n - 1}",) if n else () for n in range(depth)})
    halves = {"early": [f"V{n}" for n in range(depth // 2)]}
    assert len(cluster_graph(graph, halves).coarse.nodes) == depth // 2 + 1
    with pytest.raises(GraphError, match="form a cycle"):
        cluster_graph(graph, {"ends": ["V0", f"V{depth - 1}"]})
