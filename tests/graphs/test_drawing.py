"""Other forms of a mediator graph: text, DOT, networkx, causal diagrams."""

import re
from typing import Any

import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from causalnet.errors import TermError
from causalnet.graphs import ADMG, Grain, MediatorGraph, plain_graph, transformer_graph
from tests.graphs.test_coarsening import plain_graphs
from tests.graphs.test_ladder import SMALL, laid_out
from tests.graphs.textbook import SMOLLM2

GRAPHS = plain_graphs() | st.sampled_from(Grain).flatmap(laid_out)
QUOTED = r'"((?:[^"\\]|\\.)*)"'


def read_dot(text: str) -> Any:
    """The edges of what to_dot writes, names unescaped."""
    made = nx.MultiDiGraph()
    for line in text.splitlines()[2:-1]:
        edge = re.fullmatch(rf"  {QUOTED} -> {QUOTED}(?: \[label={QUOTED}\])?;", line)
        node = re.fullmatch(rf"  {QUOTED} \[shape=\w+\];", line)
        assert (edge is None) != (node is None), line
        if edge is not None:
            made.add_edge(*(plain(end) for end in edge.groups()[:2]))
        if node is not None:
            made.add_node(plain(node[1]))
    return made


def plain(text: str) -> str:
    return re.sub(r"\\(.)", lambda found: {"n": "\n"}.get(found[1], found[1]), text)


@settings(max_examples=30)
@given(GRAPHS)
def test_every_form_has_the_graphs_edges(graph: MediatorGraph) -> None:
    names = [node.mediator.name for node in graph.nodes]
    wanted = {(parent, name) for name in names for parent in graph.parents(name)}
    network, admg = graph.to_networkx(), graph.to_admg()
    assert list(network) == names == list(admg.nodes)
    assert {(tail, head) for tail, head, _ in network.edges} == wanted == set(admg.directed)
    assert not admg.bidirected
    dot = read_dot(graph.to_dot(at_most=1_000_000))
    assert {(tail, head) for tail, head, _ in dot.edges} == wanted
    assert dot.number_of_edges() == network.number_of_edges()
    for name in names[:: max(1, len(names) // 5)]:
        assert nx.ancestors(network, name) | {name} == graph.ancestors(name)
        assert network.nodes[name]["kind"] == graph.find(name).kind.value


@settings(max_examples=30)
@given(GRAPHS)
def test_partial_sums_lead_from_the_same_ancestors(graph: MediatorGraph) -> None:
    dot = read_dot(graph.to_dot(at_most=1_000_000, sums=True))
    names = {node.mediator.name for node in graph.nodes}
    slots = sum(max(1, len(slot.parents)) for node in graph.nodes for slot in node.slots)
    assert dot.number_of_edges() <= slots + 2 * sum(len(s.writers) for s in graph.streams)
    for name in [*names][:5]:
        assert nx.ancestors(dot, name) & names == graph.ancestors(name) - {name}


@given(st.text('ab"\\\n]->;', min_size=1, max_size=6))
def test_names_are_escaped_in_dot(name: str) -> None:
    graph = plain_graph({name: (), f"{name}'": (name,)})
    assert set(read_dot(graph.to_dot())) == {name, f"{name}'"}


def test_noise_that_is_shared_is_an_arc() -> None:
    noisy = plain_graph(
        {"U": (), "V": (), "X": ("U",), "Y": ("X", "U"), "Z": ("Y", "V")}, noise=["U", "V"]
    )
    assert noisy.to_admg() == ADMG.of([("X", "Y"), ("Y", "Z")], [("X", "Y")])


def test_more_edges_than_wanted_are_refused() -> None:
    graph = transformer_graph(SMOLLM2)
    for form in (graph.to_dot, graph.to_networkx, graph.to_admg):
        with pytest.raises(TermError, match=r"At most 100 are"):
            form(at_most=100)
    assert graph.to_dot(sums=True).count(" -> ") == 30 * 9 * 5 + 481 * 3 + 301 + 300
    assert graph.to_admg().nodes[-1] == "logits"


def test_a_small_graph_is_drawn_node_by_node() -> None:
    graph = plain_graph({"X": (), "M": ("X",), "Y": ("M", "X")})
    assert graph.draw() == "MediatorGraph(3 nodes, 3 edges)\nX\nM <- X\nY <- M, X"
    assert graph._repr_html_() == f"<pre>{graph.draw()}</pre>".replace("<- ", "&lt;- ")
    block = transformer_graph(SMALL, "blocks")
    assert "L1.z <- resid: embed + L0.attn + L0.mlp" in block.draw().splitlines()
    assert "L0.attn <- z: L0.z" in block.draw().splitlines()


LARGE = {
    "features": transformer_graph(SMOLLM2, "features", dictionaries={9: 50, 10: 50}),
    "heads": transformer_graph(SMOLLM2, "heads"),
    "positions": transformer_graph(SMOLLM2, tokens=4),
}


@pytest.mark.parametrize(
    ("grain", "line"),
    [
        ("heads", "L0..L29  H0..8  mlp"),
        (
            "features",
            "L9..L10  KV0..2.k  KV0..2.v  H0..8.q  H0..8.pattern  H0..8.z  H0..8  "
            "mlp.f0..49  mlp.err  mlp",
        ),
        (
            "positions",
            "L0..L29  KV0..2.k[0..3]  KV0..2.v[0..3]  H0..8.q[0..3]  "
            "H0..8.pattern[0..3]  H0..8.z[0..3]  H0..8[0..3]  mlp[0..3]",
        ),
    ],
)
def test_a_large_graph_is_drawn_layer_by_layer(grain: str, line: str) -> None:
    drawn = LARGE[grain].draw().splitlines()
    assert line in drawn
    assert len(drawn) <= 8
    assert drawn[0] == repr(LARGE[grain])


def test_a_large_plain_graph_is_drawn_briefly() -> None:
    graph = plain_graph({f"V{n}": (f"V{n - 1}",) if n else () for n in range(100)})
    assert graph.draw().splitlines()[1].endswith("V39  ... and 60 more")
