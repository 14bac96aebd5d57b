from functools import partial
from itertools import combinations, pairwise

import numpy as np
import pytest
from hypothesis import assume, given

from causalnet.errors import TermError, UnknownMediatorError
from causalnet.graphs import ADMG
from causalnet.identification.adjusting.adjustment import NoAdjustmentSet
from causalnet.identification.adjusting.optimal_adjustment import (
    Costly,
    NoOptimalSet,
    NotAnEffect,
    Rival,
    Undecided,
    optimal_adjustment_set,
    optimal_minimal_adjustment_set,
    optimal_minimum_adjustment_set,
)
from tests.graphs.random_admgs import SEEDS, directed_paths
from tests.identification.adjusted_models import (
    Effect,
    effects,
    forbidden,
    gaussian,
    valid_sets,
    variances,
)
from tests.identification.counted import work

Sets = list[frozenset[str]]


def best(effect: Effect, sets: Sets, seed: int, models: int, spread: float = 1.0) -> Sets:
    """The sets whose variances are the least in each of so many random models.

    Variances are compared by their ratio; the wider coefficients are spread, the less exact it is.
    """
    found, rounding = sets, 1 + 1e-6 * 30 ** (spread - 1)
    for again in range(models):
        sigma, _ = gaussian(effect.graph, seed + again, spread)
        each = {zs: variances(effect, zs, sigma) for zs in sets}
        least = np.min(list(each.values()), axis=0)
        found = [zs for zs in found if (each[zs] <= least * rounding).all()]
        if not found:
            break
    return found


def has_effect(effect: Effect) -> bool:
    """Whether a proper causal path leads to every outcome."""
    treatments = "".join(effect.xs)
    return all(
        any(directed_paths(effect.graph, x, y, treatments) for x in effect.xs) for y in effect.ys
    )


# All valid sets.


@given(effects(bidirected=False), SEEDS)
def test_without_hidden_causes_parents_of_causal_nodes_are_best(effect: Effect, seed: int) -> None:
    graph, xs, ys, _, _ = effect
    everything = frozenset(graph.nodes)
    valid = valid_sets(Effect(graph, xs, ys, frozenset(), everything))
    found = optimal_adjustment_set(graph, xs, ys)
    assert isinstance(found, NoAdjustmentSet) == (not valid)
    assume(valid and has_effect(effect))
    paths = [path for x in xs for y in ys for path in directed_paths(graph, x, y, "".join(xs))]
    causal = {node for path in paths for node in path[1:]}
    parents = {parent for node in causal for parent in graph.parents(node)}
    assert found == frozenset(parents - forbidden(effect) - xs)
    assert found in best(effect, valid, seed, models=3)


@given(effects(), SEEDS)
def test_a_set_is_optimal_if_and_only_if_none_has_less_variance_in_any_model(
    effect: Effect, seed: int
) -> None:
    graph, xs, ys, _, within = effect
    valid = valid_sets(Effect(graph, xs, ys, frozenset(), within))
    found = optimal_adjustment_set(graph, xs, ys, within)
    assert isinstance(found, NoAdjustmentSet) == (not valid)
    if isinstance(found, frozenset):
        assert has_effect(effect)
        assert found in best(effect, valid, seed, models=5)
    elif isinstance(found, NoOptimalSet):
        check_reason(effect, found, valid, seed)


def check_reason(effect: Effect, found: NoOptimalSet, valid: Sets, seed: int) -> None:
    """Every set is beaten in some model, and what is said of this one is so."""
    xs = effect.xs
    match found.reason:
        case NotAnEffect():
            assert not has_effect(effect)
            return
        case Rival(path, zs):
            assert found.zs in valid and zs in valid and zs != found.zs
            assert path[0] not in found.zs and {*path[:-1]} <= zs
        case Costly(node, walk):
            assert node in found.zs
            assert walk.given == found.zs - {node}
            assert walk.nodes[0] in xs and walk.nodes[-1] == node
        case Undecided():
            raise AssertionError("Small graphs have few paths.")
    # The set is better than others in as few as one of forty models, even if they differ widely.
    assert not best(effect, valid, seed, models=2_000, spread=2.0)


def confounded(effect: Effect) -> Effect:
    """A bidirected edge from each node that is not X to the one before it: many collider paths."""
    graph, xs, ys, _, _ = effect
    order = [node for node in graph.topological_order() if node not in xs]
    arcs = {*graph.bidirected, *pairwise(order)}
    changed = ADMG.of(graph.directed, arcs, graph.nodes)
    return Effect(changed, xs, ys, frozenset(), frozenset(graph.nodes))


@given(effects(most=5).map(confounded), SEEDS)
def test_many_bidirected_edges_decide_it_the_same_way(effect: Effect, seed: int) -> None:
    graph, xs, ys, _, _ = effect
    valid = valid_sets(effect)
    found = optimal_adjustment_set(graph, xs, ys)
    if isinstance(found, frozenset):
        assert found in best(effect, valid, seed, models=5)
    elif isinstance(found, NoOptimalSet):
        check_reason(effect, found, valid, seed)


# Sets without a node to spare, and of least size.


@given(effects(), SEEDS)
def test_no_minimal_set_has_less_variance_than_the_optimal_minimal_one(
    effect: Effect, seed: int
) -> None:
    valid = valid_sets(effect)
    found = optimal_minimal_adjustment_set(*effect)
    assert isinstance(found, NoAdjustmentSet) == (not valid)
    assume(valid)
    minimal = [zs for zs in valid if not any(part < zs for part in valid)]
    assert found in best(effect, minimal, seed, models=3)


@given(effects(), SEEDS)
def test_no_set_of_least_size_has_less_variance_than_the_optimal_one(
    effect: Effect, seed: int
) -> None:
    valid = valid_sets(effect)
    found = optimal_minimum_adjustment_set(*effect)
    assert isinstance(found, NoAdjustmentSet) == (not valid)
    assume(valid)
    least = min(map(len, valid))
    assert found in best(effect, [zs for zs in valid if len(zs) == least], seed, models=3)


# Textbook cases, as they are printed.


def test_three_sets_of_one_graph() -> None:
    """C and its child E may both be taken; P tells of Y only, I of X only."""
    graph = ADMG.of(
        [("X", "Y"), ("C", "X"), ("C", "E"), ("E", "Y"), ("P", "Y"), ("I", "X")],
    )
    assert optimal_adjustment_set(graph, "X", "Y") == frozenset("EP")
    assert optimal_minimal_adjustment_set(graph, "X", "Y") == frozenset("E")
    assert optimal_adjustment_set(graph, "X", "Y", within=["C", "P", "I"]) == frozenset("CP")


@pytest.mark.parametrize(
    ("graph", "printed"),
    [
        (
            ADMG.of([("B", "X"), ("X", "Y")], [("A", "B"), ("A", "Y")]),
            "No set is optimal in all models, not even {A, B}: B costs more than it brings in some "
            "models, as X <- B | given A is open",
        ),
        (
            ADMG.of([("A", "B"), ("X", "Y")], [("A", "X"), ("B", "Y")]),
            "No set is optimal in all models, not even {}: {A, B} is better in some models, as B "
            "tells of the outcome by B <-> Y",
        ),
        (
            ADMG.of([("Y", "D")], nodes="X"),
            "No set is optimal: no causal path leads to Y, so there is no effect to estimate",
        ),
        (
            ADMG.of([("X", "Y")], [("X", "Y")]),
            "No set is valid for adjustment: X <-> Y is open",
        ),
    ],
)
def test_no_optimal_set_says_why(graph: ADMG, printed: str) -> None:
    found = optimal_adjustment_set(graph, "X", "Y")
    assert str(found) == printed and not found


@pytest.mark.parametrize(
    "graph",
    [
        ADMG.of([("E", "C"), ("E", "X"), ("C", "X"), ("X", "Y")], [("C", "Y")]),
        ADMG.of([("E", "X"), ("C", "X"), ("X", "Y")], [("E", "C"), ("C", "Y")]),
        ADMG.of([("E", "C"), ("E", "X"), ("C", "Y"), ("X", "Y")], [("C", "Y")]),
    ],
)
def test_nodes_behind_a_collider_that_must_be_taken_are_taken(graph: ADMG) -> None:
    """They tell of X, but given C, which is an ancestor, of Y as well."""
    effect = Effect(graph, frozenset("X"), frozenset("Y"), frozenset(), frozenset(graph.nodes))
    assert optimal_adjustment_set(graph, "X", "Y") == frozenset("CE")
    assert frozenset("CE") in best(effect, valid_sets(effect), seed=0, models=20)


def test_hidden_nodes_are_as_bidirected_edges() -> None:
    """The first graph above, with a hidden common cause written out as a node."""
    graph = ADMG.of([("B", "X"), ("X", "Y"), ("U", "A"), ("U", "B"), ("A", "Y")])
    assert optimal_adjustment_set(graph, "X", "Y") == frozenset("A")
    found = optimal_adjustment_set(graph, "X", "Y", within="B")
    assert found == frozenset("B")


def test_more_collider_paths_than_are_looked_at() -> None:
    """Forty nodes in one district, each joined to all, and one of them to X as well."""
    nodes = [f"n{place:02}" for place in range(40)]
    arcs = [(a, b) for a, b in combinations(nodes, 2)] + [(node, "Y") for node in nodes]
    graph = ADMG.of([("X", "Y"), ("Q", "X")], [*arcs, ("R", nodes[0]), ("R", "X")], nodes)
    found = optimal_adjustment_set(graph, "X", "Y")
    assert isinstance(found, NoOptimalSet) and found.reason == Undecided(2_000)
    assert str(found).endswith("it is undecided after 2000 collider paths")


# Complexity, by counted work.


def test_work_without_hidden_causes_is_a_few_linear_searches() -> None:
    worked = []
    for count in (10_000, 40_000):
        names = [f"n{place}" for place in range(count)]
        edges = [*pairwise(names), *zip(names[::2], names[3::2], strict=False)]
        graph = ADMG.of(edges, nodes=names)
        x, y = names[count // 2], names[count // 2 + 6]
        lines, searches = work(partial(optimal_adjustment_set, graph, x, y))
        assert searches.total() <= 40
        worked.append(lines)
    assert worked[1] < 4.4 * worked[0]


# What is refused.


def test_wrong_sets_are_refused() -> None:
    graph = ADMG.of([("X", "Y"), ("C", "X")])
    with pytest.raises(TermError, match="'X' is in both `xs` and `ys`"):
        optimal_adjustment_set(graph, "X", "X")
    for find in (optimal_minimal_adjustment_set, optimal_minimum_adjustment_set):
        with pytest.raises(TermError, match="'X' is in both `xs` and `including`"):
            find(graph, "X", "Y", including="X")
    with pytest.raises(UnknownMediatorError, match="Unknown node 'Q'"):
        optimal_adjustment_set(graph, "X", "Y", within="Q")
