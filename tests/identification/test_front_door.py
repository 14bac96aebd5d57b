import random
from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from causalnet.errors import CausalNetError, TermError, UnknownMediatorError
from causalnet.graphs import ADMG, Separated, example, is_open_walk
from causalnet.graphs.walks import Connected
from causalnet.identification.adjusting.front_door import (
    Intercepted,
    NoFrontDoorSet,
    NotAllowed,
    NotIntercepted,
    _Problem,
    front_door_set,
    is_front_door_set,
    minimal_front_door_set,
    reached_from_outcomes,
)
from tests.graphs.random_admgs import SEEDS, directed_paths, is_open, simple_paths, subset
from tests.identification.adjusted_models import Effect, effects, front_door_error, subsets

QUESTIONS = effects() | effects(mediated=True)


def conditions(effect: Effect, zs: frozenset[str]) -> tuple[bool, bool, bool]:
    """The three conditions, looking at every path."""
    graph, xs, ys, _, _ = effect
    causal = [path for x in xs for y in ys for path in directed_paths(graph, x, y)]
    return (
        all(zs & set(path) for path in causal),
        not back_doors(graph, xs, zs, frozenset()),
        not back_doors(graph, zs, ys, xs),
    )


def back_doors(
    graph: ADMG, sources: frozenset[str], ends: frozenset[str], given: frozenset[str]
) -> list[list[str]]:
    """The open proper paths that begin with an arrowhead at their source."""
    return [
        [node for node, _, _ in path]
        for source in sources
        for end in ends
        for path in simple_paths(graph, source, end)
        if path[1][1] and not sources & {node for node, _, _ in path[1:]}
        if is_open(graph, path, given)
    ]


def front_doors(effect: Effect) -> list[frozenset[str]]:
    return [
        zs | effect.including
        for zs in subsets((effect.within & effect.others) - effect.including)
        if all(conditions(effect, zs | effect.including))
    ]


# The definition.


@given(QUESTIONS, st.data())
def test_each_condition_holds_if_and_only_if_every_path_says_so(
    effect: Effect, data: st.DataObject
) -> None:
    graph, xs, ys, _, _ = effect
    zs = frozenset(subset(data.draw, sorted(effect.others)))
    found = is_front_door_set(graph, xs, ys, zs)
    held = (
        isinstance(found.causal_paths, Intercepted),
        isinstance(found.from_treatments, Separated),
        isinstance(found.to_outcomes, Separated),
    )
    assert held == conditions(effect, zs)
    assert bool(found) == all(held)
    if isinstance(found.causal_paths, NotIntercepted):
        path = found.causal_paths.path
        assert all(graph.has_edge(*edge) for edge in pairwise(path)) and not zs & set(path)
        assert path[0] in xs and path[-1] in ys
    if isinstance(found.from_treatments, Connected):
        assert is_open_walk(graph.cut_out(xs), found.from_treatments)
    if isinstance(found.to_outcomes, Connected):
        assert is_open_walk(graph.cut_out(zs), found.to_outcomes)
        assert found.to_outcomes.given == xs


@given(effects(most=5, mediated=True), SEEDS)
def test_the_formula_gives_the_effect_in_random_models(effect: Effect, seed: int) -> None:
    assume(len(effect.graph.bidirected) <= 5)
    found = front_door_set(effect.graph, effect.xs, effect.ys, effect.including, effect.within)
    assume(isinstance(found, frozenset))
    assert isinstance(found, frozenset)
    smaller = minimal_front_door_set(*effect)
    assert isinstance(smaller, frozenset)
    for zs in {found, smaller}:
        assert front_door_error(effect, zs, seed) < 1e-12


# Existence, the largest, minimality.


@given(QUESTIONS)
def test_the_largest_set_is_found_if_and_only_if_there_is_one(effect: Effect) -> None:
    sets = front_doors(effect)
    found = front_door_set(*effect)
    if isinstance(found, frozenset):
        assert found in sets and all(zs <= found for zs in sets)
        return
    assert not sets and not found
    check_obstacles(effect, found)


def check_obstacles(effect: Effect, found: NoFrontDoorSet) -> None:
    """No set that is allowed has a node of the path, each for the reason that is given."""
    graph, xs, ys, including, within = effect
    nodes = tuple(obstacle.node for obstacle in found.obstacles)
    if found.path:
        assert found.path[0] in xs and found.path[-1] in ys and nodes == found.path[1:-1]
        assert all(graph.has_edge(*edge) for edge in pairwise(found.path))
    else:
        assert len(nodes) == 1 and set(nodes) <= including
    for obstacle in found.obstacles:
        match obstacle.because:
            case NotAllowed():
                assert obstacle.node not in within
            case Connected() as walk:
                assert is_open_walk(graph, walk)
                assert walk.steps[0].mark != "->"
                behind = walk.nodes[0] in xs and walk.nodes[-1] == obstacle.node
                assert behind or (walk.nodes[0] == obstacle.node and walk.nodes[-1] in ys)


@given(QUESTIONS)
def test_minimal_sets_have_no_part_that_is_one(effect: Effect) -> None:
    sets = front_doors(effect)
    found = minimal_front_door_set(*effect)
    if isinstance(found, frozenset):
        assert found in sets and not any(part < found for part in sets)
    else:
        assert not sets


# Textbook cases, as they are printed.


def test_the_front_door_graph() -> None:
    graph = example("front-door").graph
    for find in (front_door_set, minimal_front_door_set):
        assert find(graph, "X", "Y") == frozenset("Z")
    assert str(is_front_door_set(graph, "X", "Y", ())) == (
        "{} is not a front-door set:\n"
        "  1. it does not meet X -> Z -> Y\n"
        "  2. back doors from treatments: none open, X ⊥ ∅\n"
        "  3. back doors to outcomes: none open, ∅ ⊥ Y | X"
    )


@pytest.mark.parametrize(
    ("graph", "within", "printed"),
    [
        (ADMG.of([("X", "Y")]), None, "No front-door set meets X -> Y"),
        (
            ADMG.of([("X", "M"), ("M", "Y")]),
            (),
            "No front-door set meets X -> M -> Y: not M: it is not allowed",
        ),
        (
            ADMG.of([("X", "M"), ("M", "Y")], [("X", "M")]),
            None,
            "No front-door set meets X -> M -> Y: not M: X <-> M is open",
        ),
        (
            ADMG.of([("X", "M"), ("M", "Y")], [("M", "Y")]),
            None,
            "No front-door set meets X -> M -> Y: not M: M <-> Y | given X is open",
        ),
    ],
)
def test_no_set_says_why(graph: ADMG, within: str | None, printed: str) -> None:
    assert str(front_door_set(graph, "X", "Y", within=within)) == printed
    assert str(minimal_front_door_set(graph, "X", "Y", within=within)) == printed


def test_a_node_below_another_is_to_spare() -> None:
    graph = ADMG.of([("X", "A"), ("A", "Y"), ("A", "B"), ("B", "Y")], [("X", "Y")])
    assert front_door_set(graph, "X", "Y") == frozenset("AB")
    assert minimal_front_door_set(graph, "X", "Y") == frozenset("A")


def test_a_node_that_is_left_out_opens_the_back_door_of_another() -> None:
    """V is confounded with Y; as it is not in the set, it carries on from Y to Z."""
    graph = ADMG.of([("X", "Z"), ("Z", "Y"), ("V", "Y")], [("X", "Y"), ("V", "Y"), ("V", "Z")])
    assert str(front_door_set(graph, "X", "Y")) == (
        "No front-door set meets X -> Z -> Y: not Z: Z <-> V -> Y | given X is open"
    )
    assert not is_front_door_set(graph, "X", "Y", ["V", "Z"])


def test_what_must_be_in_the_set_and_cannot() -> None:
    graph = ADMG.of([("X", "M"), ("M", "Y"), ("M", "D")], [("X", "Y"), ("D", "Y")])
    found = front_door_set(graph, "X", "Y", including="D")
    assert str(found) == "No front-door set: not D: D <-> Y | given X is open"


def test_a_node_is_kept_where_it_shuts_the_back_door_of_another() -> None:
    """B is on no path from X, but without it A is confounded with Y (Jeong et al. 2022)."""
    graph = ADMG.of([("X", "A"), ("A", "Y"), ("B", "A"), ("B", "Y")], [("X", "Y")])
    assert minimal_front_door_set(graph, "X", "Y") == frozenset("AB")
    assert not is_front_door_set(graph, "X", "Y", "A")


# Complexity, by counted visits.


@pytest.mark.parametrize("shape", ["chain", "random"])
def test_the_search_from_outcomes_enters_each_node_a_few_times(shape: str) -> None:
    draw = random.Random(0)
    for count in (500, 5_000):
        names = [f"n{place}" for place in range(count)]
        edges, arcs = list(pairwise(names)), []
        if shape == "random":
            pairs = [sorted(draw.sample(range(count), 2)) for _ in range(2 * count)]
            edges = [(names[a], names[b]) for a, b in pairs]
            arcs = [(names[a], names[b]) for a, b in pairs[::8]]
        graph = ADMG.of(edges, arcs, names)
        problem = _Problem.of(graph, names[0], names[-1])
        candidates = ~problem.treated
        candidates[problem.ys] = False
        candidates[::3] = False
        kept, visited = reached_from_outcomes(problem, candidates)
        assert visited <= 6 * (count + len(graph.child_rows) + len(graph.sibling_rows))
        assert kept.sum() <= candidates.sum()


# What is refused.


@pytest.mark.parametrize(
    ("xs", "ys", "zs", "error", "message"),
    [
        ("X", "X", "M", TermError, "'X' is in both `xs` and `ys`"),
        ("X", "Y", "Y", TermError, "'Y' is in both `ys` and"),
        ("X", "Q", "M", UnknownMediatorError, "Unknown node 'Q'"),
        ("X", "Y", "Q", UnknownMediatorError, "Unknown node 'Q'"),
    ],
)
def test_wrong_sets_are_refused(
    xs: str, ys: str, zs: str, error: type[CausalNetError], message: str
) -> None:
    graph = example("front-door").graph
    names = {"M": "Z"}
    for find in (is_front_door_set, front_door_set, minimal_front_door_set):
        with pytest.raises(error, match=message):
            find(graph, xs, ys, names.get(zs, zs))
