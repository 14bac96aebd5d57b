from itertools import combinations, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from causalnet.errors import UnknownMediatorError
from causalnet.graphs.admg import ADMG
from causalnet.graphs.projection import latent_projection
from tests.graphs.random_admgs import (
    admgs,
    are_separated,
    directed_paths,
    simple_paths,
    subset,
)


@st.composite
def graphs_and_kept(draw: st.DrawFn, most: int = 6) -> tuple[ADMG, list[str]]:
    graph = draw(admgs(most=most))
    return graph, subset(draw, graph.nodes)


def projected_by_paths(graph: ADMG, kept: list[str]) -> ADMG:
    """The definition: look at every path whose interior is omitted."""
    directed, bidirected = [], []
    for a, b in combinations(kept, 2):
        for path in simple_paths(graph, a, b):
            inside = [node for node, _, _ in path[1:-1]]
            heads = [(arrives, leaves) for (_, _, arrives), (_, leaves, _) in pairwise(path[1:])]
            if set(inside) & set(kept) or (True, True) in heads:
                continue
            at_a, at_b = path[1][1], path[-1][2]
            if at_a and at_b:
                bidirected.append((a, b))
            if not at_a and all(leaves is False for _, leaves in heads):
                directed.append((a, b))
            if not at_b and all(arrives is False for arrives, _ in heads):
                directed.append((b, a))
    return ADMG.of(directed=directed, bidirected=bidirected, nodes=kept)


@given(graphs_and_kept())
def test_the_projection_is_its_definition_path_by_path(case: tuple[ADMG, list[str]]) -> None:
    graph, kept = case
    assert latent_projection(graph, kept) == projected_by_paths(graph, kept)


@given(graphs_and_kept(), st.data())
def test_m_separation_does_not_change_among_the_kept(
    case: tuple[ADMG, list[str]], data: st.DataObject
) -> None:
    graph, kept = case
    projected = latent_projection(graph, kept)
    for a, b in combinations(kept, 2):
        rest = frozenset(subset(data.draw, sorted(set(kept) - {a, b})))
        assert are_separated(projected, a, b, rest) == are_separated(graph, a, b, rest)


@given(graphs_and_kept())
def test_who_causes_whom_does_not_change_among_the_kept(case: tuple[ADMG, list[str]]) -> None:
    graph, kept = case
    projected = latent_projection(graph, kept)
    for a in kept:
        assert projected.descendants(a) == graph.descendants(a) & set(kept)
        for b in kept:
            assert bool(directed_paths(projected, a, b)) == bool(directed_paths(graph, a, b))


@given(graphs_and_kept(), st.data())
def test_nodes_may_be_omitted_in_any_order_or_all_at_once(
    case: tuple[ADMG, list[str]], data: st.DataObject
) -> None:
    graph, kept = case
    step = graph
    for node in data.draw(st.permutations(sorted(set(graph.nodes) - set(kept)))):
        step = latent_projection(step, [other for other in step.nodes if other != node])
    assert step == latent_projection(graph, kept)


@given(admgs())
def test_keeping_all_changes_nothing(graph: ADMG) -> None:
    assert latent_projection(graph, graph.nodes) == graph
    assert latent_projection(graph, []) == ADMG.of()


def test_hidden_causes_of_the_front_door_graph_become_arcs() -> None:
    whole = ADMG.of(directed=[("U", "X"), ("U", "Y"), ("X", "M"), ("M", "Y")])
    assert latent_projection(whole, ["X", "M", "Y"]) == ADMG.of(
        directed=[("X", "M"), ("M", "Y")], bidirected=[("X", "Y")]
    )


def test_an_arc_between_two_omitted_nodes_joins_what_is_below_them() -> None:
    whole = ADMG.of(directed=[("L", "A"), ("K", "B"), ("K", "C")], bidirected=[("L", "K")])
    assert latent_projection(whole, ["A", "B", "C"]) == ADMG.of(
        bidirected=[("A", "B"), ("A", "C"), ("B", "C")]
    )


def test_an_omitted_node_with_one_child_adds_no_arc() -> None:
    whole = ADMG.of(directed=[("A", "L"), ("L", "B")])
    assert latent_projection(whole, ["A", "B"]) == ADMG.of(directed=[("A", "B")])


def test_kept_nodes_stay_in_the_order_of_the_graph() -> None:
    graph = ADMG.of(nodes=["D", "A", "C", "B"])
    assert latent_projection(graph, ["B", "D", "A"]).nodes == ("D", "A", "B")


def test_a_name_that_is_not_in_the_graph_is_refused() -> None:
    with pytest.raises(UnknownMediatorError, match="Unknown node 'Q'"):
        latent_projection(ADMG.of(directed=[("X", "Y")]), ["X", "Q"])


def test_chains_of_any_length_are_followed_without_recursion() -> None:
    count = 100_000
    chain = ADMG.from_arrays([f"n{at}" for at in range(count)], range(count - 1), range(1, count))
    ends = ["n0", f"n{count - 1}"]
    assert latent_projection(chain, ends) == ADMG.of(directed=[(ends[0], ends[1])])
