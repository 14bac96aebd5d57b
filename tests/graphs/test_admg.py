import copy
import pickle
import subprocess
import sys
from collections.abc import Callable
from dataclasses import FrozenInstanceError
from itertools import pairwise
from typing import Any

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from causalnet.errors import CausalNetError, GraphError, TermError, UnknownMediatorError
from causalnet.graphs import ADMG
from causalnet.graphs.adjacency import PATIENCE, Rows, _reach, components, reach
from tests.graphs.random_admgs import admgs, subset

FRONT_DOOR = ADMG.of(directed=[("X", "M"), ("M", "Y")], bidirected=[("X", "Y")])

of: Callable[..., object] = ADMG.of  # takes what mypy would refuse
ancestors: Callable[..., object] = FRONT_DOOR.ancestors


@st.composite
def with_nodes(draw: st.DrawFn) -> tuple[ADMG, set[str]]:
    graph = draw(admgs(1, 8))
    return graph, set(subset(draw, graph.nodes))


def dag(graph: ADMG) -> Any:
    found = nx.DiGraph(graph.directed)
    found.add_nodes_from(graph.nodes)
    return found


def districts_of(graph: ADMG) -> list[set[str]]:
    joined = nx.Graph(graph.bidirected)
    joined.add_nodes_from(graph.nodes)
    return list(nx.connected_components(joined))


# Laws.


@given(with_nodes())
def test_ancestors_and_descendants_are_those_of_networkx(case: tuple[ADMG, set[str]]) -> None:
    graph, nodes = case
    causes = dag(graph)
    up, down = (nx.ancestors, nx.descendants)
    assert graph.ancestors(nodes) == nodes.union(*(up(causes, node) for node in nodes))
    assert graph.descendants(nodes) == nodes.union(*(down(causes, node) for node in nodes))


@given(admgs(1, 8))
def test_neighbours_are_read_off_the_edges(graph: ADMG) -> None:
    for a in graph.nodes:
        assert graph.children(a) == tuple(b for b in graph.nodes if (a, b) in graph.directed)
        assert graph.parents(a) == tuple(b for b in graph.nodes if (b, a) in graph.directed)
        joined = {frozenset(edge) for edge in graph.bidirected}
        assert graph.siblings(a) == tuple(b for b in graph.nodes if {a, b} in joined)
        for b in graph.nodes:
            assert graph.has_edge(a, b) == ((a, b) in graph.directed)
            assert graph.has_bidirected(a, b) == ({a, b} in joined)


@given(admgs(1, 8))
def test_districts_are_the_components_of_the_bidirected_edges(graph: ADMG) -> None:
    found = graph.districts()
    assert sorted(map(sorted, found)) == sorted(map(sorted, districts_of(graph)))
    assert all(graph.district(node) == part for part in found for node in part)
    firsts = [min(map(graph.index, part)) for part in found]
    assert firsts == sorted(firsts)


@given(admgs(1, 8))
def test_the_order_is_the_least_topological_one(graph: ADMG) -> None:
    causes = dag(graph)
    assert graph.topological_order() == tuple(
        nx.lexicographical_topological_sort(causes, key=graph.index)
    )


@given(with_nodes())
def test_surgery_is_what_the_definitions_say(case: tuple[ADMG, set[str]]) -> None:
    graph, cut = case
    free = set(graph.nodes) - cut
    assert graph.cut_in(cut) == ADMG.of(
        [edge for edge in graph.directed if edge[1] in free],
        [edge for edge in graph.bidirected if free.issuperset(edge)],
        graph.nodes,
    )
    assert graph.cut_out(cut) == ADMG.of(
        [edge for edge in graph.directed if edge[0] in free], graph.bidirected, graph.nodes
    )
    part = graph.induced(free)
    assert part.nodes == tuple(node for node in graph.nodes if node in free)
    assert part == ADMG.of(
        [edge for edge in graph.directed if free.issuperset(edge)],
        [edge for edge in graph.bidirected if free.issuperset(edge)],
        free,
    )


@given(with_nodes())
def test_cuts_commute_and_repeat_without_effect(case: tuple[ADMG, set[str]]) -> None:
    graph, cut = case
    assert graph.cut_in(cut).cut_out(cut) == graph.cut_out(cut).cut_in(cut)
    assert graph.cut_in(cut).cut_in(cut) == graph.cut_in(cut)
    assert graph.cut_in(()) == graph.cut_out(()) == graph.induced(graph.nodes) == graph


@given(admgs(1), admgs(1))
def test_equality_and_hash_go_by_content(graph: ADMG, other: ADMG) -> None:
    content = (set(graph.nodes), set(graph.directed), {frozenset(e) for e in graph.bidirected})
    theirs = (set(other.nodes), set(other.directed), {frozenset(e) for e in other.bidirected})
    assert (graph == other) == (content == theirs)
    turned = [(b, a) for a, b in reversed(graph.bidirected)]
    again = ADMG.of(graph.directed[::-1] * 2, turned, graph.nodes[::-1])
    assert again == graph
    assert hash(again) == hash(graph)
    for place in range(len(graph.bidirected)):
        fewer = graph.bidirected[:place] + graph.bidirected[place + 1 :]
        assert ADMG.of(graph.directed, fewer, graph.nodes[::-1]) != graph
    for place in range(len(graph.directed)):
        fewer = graph.directed[:place] + graph.directed[place + 1 :]
        assert ADMG.of(fewer, graph.bidirected, graph.nodes[::-1]) != graph


@given(admgs(1))
def test_copies_and_pickles_are_equal(graph: ADMG) -> None:
    hash(graph)
    for again in (pickle.loads(pickle.dumps(graph)), copy.copy(graph), copy.deepcopy(graph)):
        assert again == graph
        assert again.nodes == graph.nodes
        assert again.fingerprint == graph.fingerprint
        assert not again.child_rows.ends.flags.writeable


@given(admgs(1))
def test_arrays_make_the_same_graph(graph: ADMG) -> None:
    ends = [
        graph.indices(side)
        for edge in (graph.directed, graph.bidirected)
        for side in ([a for a, _ in edge], [b for _, b in edge])
    ]
    assert ADMG.from_arrays(graph.nodes, *ends) == graph


@given(admgs(1))
def test_networkx_gets_every_edge(graph: ADMG) -> None:
    theirs = graph.to_networkx()
    assert list(theirs) == list(graph.nodes)
    assert {(a, b) for a, b, kind in theirs.edges(keys=True) if kind == "directed"} == set(
        graph.directed
    )
    both = {*graph.bidirected, *((b, a) for a, b in graph.bidirected)}
    assert {(a, b) for a, b, kind in theirs.edges(keys=True) if kind == "bidirected"} == both


@given(st.lists(st.tuples(st.sampled_from("ABCDEF"), st.sampled_from("ABCDEF")), max_size=9))
def test_exactly_cyclic_graphs_are_refused_with_a_cycle(edges: list[tuple[str, str]]) -> None:
    edges = [(a, b) for a, b in edges if a != b]
    if nx.is_directed_acyclic_graph(nx.DiGraph(edges)):
        assert set(ADMG.of(edges).directed) == set(edges)
        return
    with pytest.raises(GraphError) as caught:
        ADMG.of(edges)
    cycle = str(caught.value).split(": ")[1].split(".")[0].split(" -> ")
    assert cycle[0] == cycle[-1]
    assert len(set(cycle)) == len(cycle) - 1 >= 2
    assert set(pairwise(cycle)) <= set(edges)


# The compiled search is another way to the same answers.


@given(with_nodes())
def test_plain_and_compiled_searches_agree(case: tuple[ADMG, set[str]]) -> None:
    graph, nodes = case
    seeds = graph.indices(nodes)
    for rows in (graph.child_rows, graph.parent_rows, graph.sibling_rows):
        plain, compiled = reach(rows, seeds, 10**9), reach(rows, seeds, 0)
        assert plain.tolist() == compiled.tolist()
    labels = components(graph.sibling_rows, 10**9)
    assert labels.tolist() == components(graph.sibling_rows, -1).tolist()


def ladder(rungs: int) -> ADMG:
    """Pairs of nodes, each the parents of both of the next: 2 ** rungs directed paths."""
    upper = np.repeat(np.arange(2 * rungs - 2), 2)
    lower = (upper // 2 + 1) * 2 + np.tile([0, 1], 2 * rungs - 2)
    ends = np.arange(2 * rungs - 1)
    return ADMG.from_arrays([f"n{i}" for i in range(2 * rungs)], upper, lower, ends, ends + 1)


@pytest.mark.parametrize("rungs", [100, 40_000])
def test_reaching_looks_at_each_node_and_edge_once(rungs: int) -> None:
    graph = ladder(rungs)
    for rows in (graph.child_rows, graph.sibling_rows):
        found, looked = _reach(rows, np.array([0], np.int32), PATIENCE)
        everything = rows.count + len(rows)
        assert found.size == 2 * rungs - (rows is graph.child_rows)
        assert looked <= everything + PATIENCE + 4
    assert graph.districts() == (frozenset(graph.nodes),)
    assert len(graph.ancestors(graph.nodes[-1])) == 2 * rungs - 1


def test_a_chain_of_a_million_nodes_is_no_deeper_than_one_of_ten() -> None:
    count = 1_000_000
    names = [f"n{i}" for i in range(count)]
    graph = ADMG.from_arrays(names, np.arange(1, count), np.arange(count - 1))
    assert len(graph.ancestors("n0")) == count
    assert graph.topological_order()[:2] == ("n999999", "n999998")


def test_a_long_cycle_is_printed_short() -> None:
    count = 10_000
    names = [f"n{i}" for i in range(count)]
    with pytest.raises(GraphError, match=r"cycle: n0 -> n1 -> .* 9993 more .* -> n9999 -> n0\."):
        ADMG.from_arrays(names, np.arange(count), np.roll(np.arange(count), -1))


# What is listed, printed and refused.


def test_nodes_come_in_the_order_of_first_mention() -> None:
    graph = ADMG.of([("B", "A")], [("C", "A")], nodes=["Z"])
    assert graph.nodes == ("Z", "B", "A", "C")
    assert len(graph) == 4 and "Z" in graph and "Y" not in graph and 3 not in graph
    assert graph.index("A") == 2


def test_equal_edges_merge_and_a_bow_is_two_edges() -> None:
    bow = ADMG.of([("X", "Y"), ("X", "Y")], [("Y", "X"), ("X", "Y")])
    assert bow.directed == bow.bidirected == (("X", "Y"),)


def test_repr_is_one_line() -> None:
    assert repr(FRONT_DOOR) == "ADMG(X -> M, M -> Y, X <-> Y)"
    assert repr(ADMG.of(nodes=["A"])) == "ADMG(A)"
    assert repr(ADMG.of()) == "ADMG()"
    large = repr(ladder(10))
    assert large.startswith("ADMG(20 nodes, 36 directed edges, 19 bidirected: n0, n1, ")
    assert large.endswith("… 12 more)")


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: of([("A", "B"), ("B", "A")]), GraphError, "cycle: A -> B -> A"),
        (lambda: of([("A", "A")]), GraphError, "A -> A"),
        (lambda: of((), [("A", "A")]), GraphError, "A <-> A"),
        (lambda: of(["AB"]), GraphError, r"'AB' is not an edge.*\('X', 'Y'\) for X -> Y"),
        (lambda: of([("A", "B", "C")]), GraphError, "not an edge"),
        (lambda: of([(1, 2)]), GraphError, "not an edge"),
        (lambda: of(3), GraphError, "not a list of edges"),
        (lambda: of(nodes=3), GraphError, "not a list of names"),
        (lambda: of(nodes=[["A"]]), GraphError, "not a name"),
        (lambda: of(nodes=[""]), GraphError, "not a name"),
        (lambda: ADMG.from_arrays(["A", "A"], [], []), GraphError, "two nodes are called 'A'"),
        (lambda: ADMG.from_arrays(["A", "B"], [0], [2]), GraphError, "integers from 0 to 1"),
        (lambda: ADMG.from_arrays(["A", "B"], [-1], [0]), GraphError, "integers from 0 to 1"),
        (lambda: ADMG.from_arrays(["A", "B"], [0.0], [1.0]), GraphError, "no node's number"),
        (lambda: ADMG.from_arrays(["A", "B"], [0], [1, 1]), GraphError, "one length"),
        (lambda: ADMG.from_arrays(["A", "B"], [[0], [0, 1]], [1]), GraphError, "no arrays"),
        (lambda: FRONT_DOOR.parents("y"), UnknownMediatorError, "Unknown node 'y'. Nearest: 'Y'"),
        (lambda: FRONT_DOOR.index("other"), UnknownMediatorError, "The nodes are X, M, Y"),
        (lambda: ancestors(["X", "Q"]), UnknownMediatorError, "Unknown node 'Q'"),
        (lambda: ancestors([["X"]]), UnknownMediatorError, "Unknown node"),
        (lambda: ancestors(None), TermError, "not a set of nodes"),
    ],
)
def test_what_is_wrong_is_said(
    make: Callable[[], object], error: type[CausalNetError], message: str
) -> None:
    with pytest.raises(error, match=f"(?i){message}"):
        make()


def test_names_near_to_an_unknown_one_are_found_fast_in_large_graphs() -> None:
    with pytest.raises(UnknownMediatorError, match="'n12'"):
        ladder(40_000).index("N12")


def test_graphs_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        FRONT_DOOR.nodes = ()  # type: ignore[misc]
    with pytest.raises(ValueError, match="read-only"):
        FRONT_DOOR.child_rows.ends[0] = 2
    with pytest.raises(ValueError, match="read-only"):
        Rows.of(2, [0], [1]).starts[0] = 1


def test_graphs_load_neither_networkx_nor_scipy() -> None:
    code = (
        "import sys; from causalnet.graphs import ADMG, is_m_separated; "
        "g = ADMG.of([('X', 'M'), ('M', 'Y')], [('X', 'Y')]); g.districts(); "
        "is_m_separated(g, 'X', 'Y', 'M'); "
        "print([m for m in ('networkx', 'scipy', 'torch') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
