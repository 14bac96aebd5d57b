"""Connection against networkx on the graph of senders, channels and owners."""

import networkx as nx
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from causalnet.discovery.connecting import connected_edges, greedily_connected
from causalnet.graphs import Kind, TransformerShape, transformer_graph
from causalnet.interventions import Edge
from causalnet.masked import Layout, layout_of

shapes = st.builds(
    TransformerShape,
    layers=st.integers(1, 3),
    heads=st.just(2),
    kv_heads=st.sampled_from([1, 2]),
    d_model=st.just(4),
    d_head=st.just(2),
    d_mlp=st.just(4),
    vocabulary=st.just(5),
    attention_bias=st.booleans(),
)


def drawn_graph(layout: Layout, kept: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> nx.DiGraph:
    """Senders to channels by kept edges, channels to the heads and MLPs that they belong to."""
    graph, drawn = layout.graph, nx.DiGraph()
    drawn.add_node("logits channel")
    for number in np.flatnonzero(kept):
        edge = layout.sites[int(number)]
        assert isinstance(edge, Edge)
        drawn.add_edge(edge.sender, f"{edge.receiver} channel", number=int(number))
    for name in graph.writers:
        node = graph.find(name)
        if node.kind is Kind.MLP:
            drawn.add_edge(f"{name} channel", name)
        if node.kind is Kind.HEAD:
            owner = "KV" if graph.shape.shares_keys else "H"
            group = graph.shape.group_of(node.index or 0)
            drawn.add_edge(f"{name}.q channel", name)
            drawn.add_edge(f"L{node.layer}.{owner}{group}.k channel", name)
            drawn.add_edge(f"L{node.layer}.{owner}{group}.v channel", name)
    return drawn


@settings(max_examples=60, deadline=None)
@given(shape=shapes, seed=st.integers(0, 1000), share=st.sampled_from([0.1, 0.3, 0.7, 1.0]))
def test_an_edge_is_connected_where_input_and_logits_are_reached(
    shape: TransformerShape, seed: int, share: float
) -> None:
    layout = layout_of(transformer_graph(shape))
    kept = np.random.default_rng(seed).random(len(layout.sites)) < share
    drawn = drawn_graph(layout, kept)
    above = nx.descendants(drawn, "embed") | {"embed"} if "embed" in drawn else set()
    below = nx.ancestors(drawn, "logits channel") | {"logits channel"}
    wanted = np.zeros_like(kept)
    for sender, receiver, facts in drawn.edges(data=True):
        if "number" in facts and sender in above and receiver in below:
            wanted[facts["number"]] = True
    assert (connected_edges(layout, kept) == wanted).all()


@settings(max_examples=40, deadline=None)
@given(shape=shapes, seed=st.integers(0, 1000), size=st.integers(1, 60))
def test_growing_takes_the_strongest_edge_into_the_circuit_each_time(
    shape: TransformerShape, seed: int, size: int
) -> None:
    layout = layout_of(transformer_graph(shape))
    strengths = np.random.default_rng(seed).random(len(layout.sites))
    all_edges = drawn_graph(layout, np.ones(len(layout.sites), dtype=bool))
    inside, chosen = {"logits channel"}, set[int]()
    while len(chosen) < size:
        open_edges = [
            (strengths[facts["number"]], facts["number"], sender)
            for sender, receiver, facts in all_edges.edges(data=True)
            if "number" in facts and receiver in inside and facts["number"] not in chosen
        ]
        if not open_edges:
            break
        _, number, sender = max(open_edges)
        chosen.add(number)
        inside |= {above for above in all_edges.predecessors(sender)}
    found = greedily_connected(layout, strengths, size)
    assert set(np.flatnonzero(found).tolist()) == chosen
