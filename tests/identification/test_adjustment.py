import random
from collections.abc import Callable
from functools import partial
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from causalnet.errors import CausalNetError, ParameterError, TermError, UnknownMediatorError
from causalnet.graphs import ADMG, example, is_open_walk
from causalnet.graphs.walks import Connected
from causalnet.identification.adjusting.adjustment import (
    ForbiddenNode,
    NoAdjustmentSet,
    NotValidAdjustment,
    ValidAdjustment,
    adjustment_set,
    is_valid_adjustment,
    minimal_adjustment_set,
)
from causalnet.identification.adjusting.minimum_adjustment import minimum_adjustment_set
from causalnet.identification.adjusting.proper_back_door import proper_back_door_graph
from tests.graphs.random_admgs import SEEDS, subset
from tests.identification.adjusted_models import (
    Effect,
    discrete_error,
    effects,
    is_directed,
    is_valid,
    valid_sets,
)
from tests.identification.counted import work

Finder = Callable[..., frozenset[str] | NoAdjustmentSet]
FINDERS: list[Finder] = [adjustment_set, minimal_adjustment_set, minimum_adjustment_set]


def check_evidence(effect: Effect, zs: frozenset[str], evidence: ForbiddenNode | Connected) -> None:
    """Whatever speaks against a set is so, by the definition."""
    graph = effect.graph
    if isinstance(evidence, Connected):
        rest = proper_back_door_graph(graph, effect.xs, effect.ys)
        assert is_open_walk(rest, evidence) and is_open_walk(graph, evidence)
        assert evidence.nodes[0] in effect.xs and evidence.nodes[-1] in effect.ys
        assert evidence.given == zs
        return
    path, down = evidence.causal_path, evidence.descent
    assert is_directed(graph, path) and is_directed(graph, down)
    assert path[0] in effect.xs and path[-1] in effect.ys and not effect.xs & set(path[1:])
    assert down[0] in path[1:] and down[-1] == evidence.node and evidence.node in zs


# Validity.


@given(effects(), st.data())
def test_valid_if_and_only_if_every_path_says_so(effect: Effect, data: st.DataObject) -> None:
    zs = frozenset(subset(data.draw, sorted(effect.others)))
    found = is_valid_adjustment(effect.graph, effect.xs, effect.ys, zs)
    assert bool(found) == isinstance(found, ValidAdjustment) == is_valid(effect, zs)
    assert found.zs == zs
    if isinstance(found, NotValidAdjustment):
        check_evidence(effect, zs, found.evidence)


@given(effects(most=5), SEEDS, st.data())
def test_valid_if_and_only_if_the_formula_gives_the_effect_in_random_models(
    effect: Effect, seed: int, data: st.DataObject
) -> None:
    assume(len(effect.graph.bidirected) <= 5)
    zs = frozenset(subset(data.draw, sorted(effect.others)))
    found = is_valid_adjustment(effect.graph, effect.xs, effect.ys, zs)
    errors = [discrete_error(effect, zs, seed + again) for again in range(3)]
    if found:
        assert max(errors) < 1e-12
    else:  # 1e-9 is far from rounding, and wrong formulas are seldom that near
        assert max(errors) > 1e-9


def test_the_first_of_several_treatments_may_be_a_cause_of_another() -> None:
    graph = ADMG.of([("A", "B"), ("A", "Y"), ("B", "Y"), ("C", "B"), ("C", "Y")])
    assert is_valid_adjustment(graph, ["A", "B"], "Y", "C")
    assert not is_valid_adjustment(graph, ["A", "B"], "Y")
    assert not is_valid_adjustment(graph, "A", "Y", ["B", "C"])


# Existence, minimality, minimum.


@given(effects())
def test_a_set_is_found_if_and_only_if_one_is_valid(effect: Effect) -> None:
    valid = valid_sets(effect)
    for find in FINDERS:
        found = find(effect.graph, effect.xs, effect.ys, effect.including, effect.within)
        if isinstance(found, NoAdjustmentSet):
            assert not valid and not found
            given = effect.including
            if isinstance(found.evidence, Connected):
                given = found.evidence.given
                assert effect.including <= given <= effect.within
            check_evidence(effect, given, found.evidence)
        else:
            assert found in valid


@given(effects())
def test_minimal_sets_have_no_valid_part_and_none_is_smaller_than_a_minimum_one(
    effect: Effect,
) -> None:
    valid = valid_sets(effect)
    assume(valid)
    query = (effect.graph, effect.xs, effect.ys, effect.including, effect.within)
    minimal = minimal_adjustment_set(*query)
    assert isinstance(minimal, frozenset)
    assert not any(part < minimal for part in valid)
    minimum = minimum_adjustment_set(*query)
    assert isinstance(minimum, frozenset)
    assert len(minimum) == min(map(len, valid))


@given(effects(), SEEDS)
def test_no_set_is_cheaper_than_the_cheapest(effect: Effect, seed: int) -> None:
    valid = valid_sets(effect)
    assume(valid)
    draw = random.Random(seed)
    costs = {node: draw.randint(1, 4) for node in effect.others if draw.random() < 0.7}
    found = minimum_adjustment_set(*effect, costs=costs)
    assert isinstance(found, frozenset)
    least = min(sum(costs.get(node, 1) for node in zs) for zs in valid)
    assert sum(costs.get(node, 1) for node in found) == least
    assert not any(part < found for part in valid)


@given(effects())
def test_all_other_nodes_are_allowed_unless_said(effect: Effect) -> None:
    graph, xs, ys, _, _ = effect
    for find in FINDERS:
        assert find(graph, xs, ys) == find(graph, xs, ys, (), graph.nodes)


# Textbook cases, as they are printed.

M_GRAPH = ADMG.of([("X", "Y")], [("X", "M"), ("M", "Y")])


@pytest.mark.parametrize(
    ("graph", "zs", "printed"),
    [
        (M_GRAPH, "", "{} is valid for adjustment: X ⊥ Y without causal paths"),
        (M_GRAPH, "M", "{M} is not valid for adjustment: X <-> M <-> Y | given M is open"),
        (
            ADMG.of([("X", "M"), ("M", "Y")]),
            "M",
            "{M} is not valid for adjustment: M is on the causal path X -> M -> Y",
        ),
        (
            ADMG.of([("X", "Y"), ("Y", "D"), ("D", "E")]),
            "E",
            "{E} is not valid for adjustment: E descends from the causal path X -> Y, "
            "by Y -> D -> E",
        ),
        (
            ADMG.of([("X", "Y"), ("X", "D")]),
            "D",
            "{D} is valid for adjustment: X ⊥ Y | D without causal paths",
        ),
    ],
)
def test_textbook_sets(graph: ADMG, zs: str, printed: str) -> None:
    assert str(is_valid_adjustment(graph, "X", "Y", list(zs))) == printed


def test_no_set_says_why() -> None:
    graph = example("front-door").graph
    assert str(minimal_adjustment_set(graph, "X", "Y")) == (
        "No set is valid for adjustment: X <-> Y is open"
    )
    assert str(adjustment_set(graph, "X", "Y", including="Z")) == (
        "No set is valid for adjustment: Z is on the causal path X -> Z -> Y"
    )


def test_a_district_is_cut_where_it_is_thinnest() -> None:
    """Thirty nodes of one district, of which each has a parent that causes X."""
    district = [f"d{i:02}" for i in range(30)]
    graph = ADMG.of(
        [("X", "Y"), ("K", "X")]
        + [(f"p{i:02}", d) for i, d in enumerate(district)]
        + [("K", f"p{i:02}") for i in range(30)]
        + [(d, "Y") for d in district],
        list(pairwise(district)),
    )
    assert minimum_adjustment_set(graph, "X", "Y") == frozenset("K")
    assert minimal_adjustment_set(graph, "X", "Y") == frozenset("K")
    found = minimum_adjustment_set(graph, "X", "Y", costs={"K": 100})
    assert isinstance(found, frozenset) and len(found) == 30
    assert is_valid_adjustment(graph, "X", "Y", found)


# Complexity, by counted work.


def sparse(count: int, seed: int = 0) -> ADMG:
    """Three directed edges for two nodes, half as many bidirected ones as nodes."""
    draw = np.random.default_rng(seed)
    ends = np.sort(draw.integers(0, count, (2, 2 * count)), axis=0)
    arrows, arcs = ends[:, : 3 * count // 2], ends[:, 3 * count // 2 :]
    arrows, arcs = arrows[:, arrows[0] != arrows[1]], arcs[:, arcs[0] != arcs[1]]
    return ADMG.from_arrays([f"n{i}" for i in range(count)], *arrows, *arcs)


def test_work_is_a_few_linear_searches_whatever_the_size() -> None:
    questions: list[Callable[..., object]] = [is_valid_adjustment, *FINDERS]
    for find in questions:
        worked = []
        for count in (10_000, 40_000):
            graph = sparse(count)
            y = max(graph.nodes[-200:], key=lambda node: len(graph.ancestors(node)))
            x = max(graph.parents(y), key=lambda node: len(graph.ancestors(node)))
            lines, searches = work(partial(find, graph, x, y))
            assert searches.total() <= 20
            worked.append(lines)
        # Names are looked up, a line for each; four times the nodes are at most so many times the
        # work.
        assert worked[1] < 4.4 * worked[0]


def test_the_answer_counts_its_visits() -> None:
    for count in (1_000, 10_000, 100_000):
        graph = sparse(count)
        found = is_valid_adjustment(graph, graph.nodes[count // 2], graph.nodes[-1])
        evidence = found.separation if isinstance(found, ValidAdjustment) else found.evidence
        assert not isinstance(evidence, ForbiddenNode)
        edges = len(graph.child_rows) + len(graph.sibling_rows) // 2
        assert 0 < evidence.visited <= 6 * (count + edges)


# What is refused.

FORK = ADMG.of([("C", "X"), ("C", "Y"), ("X", "Y")])


@pytest.mark.parametrize(
    ("xs", "ys", "zs", "error", "message"),
    [
        ("X", "X", (), TermError, "'X' is in both `xs` and `ys`"),
        ("X", "Y", ["C", "Y"], TermError, "'Y' is in both `ys` and"),
        (["X", "C"], "Y", "C", TermError, "'C' is in both `xs` and"),
        ("X", "Q", (), UnknownMediatorError, "Unknown node 'Q'"),
        ("X", "Y", "Q", UnknownMediatorError, "Unknown node 'Q'"),
    ],
)
def test_wrong_sets_are_refused(
    xs: list[str], ys: str, zs: list[str], error: type[CausalNetError], message: str
) -> None:
    questions: list[Callable[..., object]] = [is_valid_adjustment, *FINDERS]
    for find in questions:
        with pytest.raises(error, match=message):
            find(FORK, xs, ys, zs)


def test_what_must_be_in_the_set_is_allowed_in_it() -> None:
    for find in FINDERS:
        with pytest.raises(TermError, match="'C' is in `including` but not in `within`"):
            find(FORK, "X", "Y", including="C", within=())
        with pytest.raises(UnknownMediatorError, match="Unknown node 'Q'"):
            find(FORK, "X", "Y", within="Q")


@pytest.mark.parametrize("cost", [0, -1, 1.5, True, 2**31, "1"])
def test_costs_are_whole_numbers(cost: int) -> None:
    with pytest.raises(ParameterError, match="The cost of 'C' is"):
        minimum_adjustment_set(FORK, "X", "Y", costs={"C": cost})
    with pytest.raises(UnknownMediatorError):
        minimum_adjustment_set(FORK, "X", "Y", costs={"Q": 1})


def test_costs_are_not_too_large_together() -> None:
    graph = ADMG.of([("C", "X"), ("C", "D"), ("D", "Y"), ("X", "Y")])
    with pytest.raises(ParameterError, match="add up to"):
        minimum_adjustment_set(graph, "X", "Y", costs={"C": 2**30 - 1, "D": 2**30 - 1})
