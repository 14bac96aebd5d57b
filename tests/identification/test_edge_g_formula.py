"""The edge g-formula against ID* on nested counterfactuals, enumeration, and known cases."""

import random
from collections import Counter
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from causalnet.errors import ParameterError, TermError, UnknownMediatorError
from causalnet.graphs import ADMG
from causalnet.graphs.path_checks import (
    RecantingDistrict,
    first_edges,
    recanting_district,
)
from causalnet.graphs.paths import PathSet
from causalnet.identification.algorithms.counterfactual_witnesses import recanting_district_faults
from causalnet.identification.algorithms.counterfactuals import (
    ALL_EXPERIMENTS,
    NO_EXPERIMENT,
    identify_counterfactual,
)
from causalnet.identification.algorithms.edge_g_formula import Channels, identify_path_specific
from causalnet.identification.algorithms.id_algorithm import identify_effect
from causalnet.identification.algorithms.nested_paths import as_nested
from causalnet.identification.answers import Hedge, Identified, InconsistentFactor, NotIdentified
from causalnet.identification.queries import Effect, PathSpecific
from causalnet.identification.reading.parsing import parse_expression
from causalnet.identification.sources import Sources
from causalnet.identification.values import Value, symbol
from causalnet.identification.verification import verified
from tests.graphs.random_admgs import causal_pairs
from tests.identification.cases import Case, cases
from tests.identification.random_counterfactuals import gap, random_graph, random_paths

X, OTHER, Y = symbol("X"), symbol("X", 1), symbol("Y")
KITE = ADMG.of(directed=[("X", "W"), ("W", "Z"), ("Z", "Y"), ("W", "Y")])


def test_two_routes_agree() -> None:
    """Verdict, kind of obstacle, what experiments would give, and value: two ways, one answer."""
    seen: Counter[str] = Counter()
    for seed in range(700):
        draw = random.Random(seed)
        graph = random_graph(draw, 3, 6)
        query = random_paths(draw, graph)
        answer = identify_path_specific(query, graph)
        nested = identify_counterfactual(as_nested(query, graph), graph)
        match answer, nested:
            case Identified(), Identified():
                seen["identified"] += 1
                assert gap(graph, answer.estimand, nested.estimand, seed) < 1e-9, str(query)
                if len(graph) < 6 or not seed % 5:
                    seen["checked"] += verified(answer, models=1, seed=seed).check.models
            case NotIdentified(), NotIdentified():
                seen["not identified"] += 1
                seen["several outcomes"] += len(query.outcomes) > 1
                recanting = isinstance(answer.witness, RecantingDistrict)
                seen["recanting"] += recanting
                assert recanting == isinstance(nested.witness, InconsistentFactor), str(query)
                assert recanting == (answer.notes == (NO_EXPERIMENT,))
                assert recanting or answer.notes[0].startswith(ALL_EXPERIMENTS)
            case _:
                pytest.fail(f"{query} in {graph!r}: {answer}\n{nested}")
    assert seen["identified"] > 200 and seen["checked"] > 150, seen
    assert seen["not identified"] > 100 and seen["recanting"] > 40, seen
    assert seen["several outcomes"] > 30, seen


@settings(max_examples=150)
@given(causal_pairs(bidirected=True), st.integers(0, 2**32))
def test_one_outcome_is_as_sets_of_paths_say(pair: tuple[ADMG, str, str], seed: int) -> None:
    graph, x, y = pair
    draw = random.Random(seed)
    edges = tuple(edge for edge in graph.directed if draw.random() < 0.6)
    query = PathSpecific((symbol(y),), (symbol(x),), (symbol(x, 1),), edges)
    paths = PathSet.along(graph, x, y, edges)
    channels, first = Channels.of(query, graph), first_edges(paths)
    assert set(channels.on) == first.on and set(channels.off) == first.off
    found, told = channels.recanting_district(), recanting_district(paths)
    assert (found is None) == (told is None)
    if found is not None and told is not None:
        assert found.is_witness == told.is_witness
        assert not recanting_district_faults(found, query, graph)
        assert not recanting_district_faults(told, query, graph)


@settings(max_examples=60)
@given(causal_pairs(bidirected=True), st.integers(0, 2**32))
def test_all_paths_and_none_are_effects(pair: tuple[ADMG, str, str], seed: int) -> None:
    graph, x, y = pair
    for edges, value in ((graph.directed, symbol(x)), ((), symbol(x, 1))):
        query = PathSpecific((symbol(y),), (symbol(x),), (symbol(x, 1),), edges)
        answer = identify_path_specific(query, graph)
        effect = identify_effect(Effect((symbol(y),), (value,)), graph)
        assert type(answer) is type(effect)
        if isinstance(answer, Identified) and isinstance(effect, Identified):
            assert gap(graph, answer.estimand, effect.estimand, seed % 1000) < 1e-9


@pytest.mark.parametrize("case", cases("path_specific"), ids=repr)
def test_known_cases(case: Case) -> None:
    query = case.question
    assert isinstance(query, PathSpecific)
    answer = identify_path_specific(query, case.graph, case.sources)
    nested = identify_counterfactual(as_nested(query, case.graph), case.graph)
    assert isinstance(answer, Identified) == isinstance(nested, Identified) == case.identified
    if isinstance(answer, Identified):
        assert verified(answer, models=4).check.models == 4
        told = replace(answer, estimand=parse_expression(case.estimand))
        assert verified(told, models=2).check.models == 2
    else:
        assert isinstance(answer.witness, RecantingDistrict)


def test_formulas_from_experiments_are_the_truth() -> None:
    seen: Counter[str] = Counter()
    for seed in range(120):
        draw = random.Random(seed)
        graph = random_graph(draw, 3, 5)
        query = random_paths(draw, graph)
        sources = Sources.of([[v for v in graph.nodes if draw.random() < 0.3] for _ in range(2)])
        answer = identify_path_specific(query, graph, sources)
        seen[type(answer).__name__] += 1
        if isinstance(answer, Identified):
            verified(answer, models=1, seed=seed)
    assert seen["Identified"] > 40 and seen["NotIdentified"] > 30, seen


def test_the_verdict_from_all_experiments_is_noted() -> None:
    bow = ADMG.of(directed=[("X", "Y")], bidirected=[("X", "Y")])
    direct = PathSpecific((Y,), (X,), (OTHER,), (("X", "Y"),))
    answer = identify_path_specific(direct, bow)
    assert isinstance(answer, NotIdentified) and isinstance(answer.witness, Hedge)
    assert answer.notes == (f"{ALL_EXPERIMENTS}P[x](y)",)
    told = identify_path_specific(direct, bow, Sources.of([["X"]]))
    assert isinstance(told, Identified) and str(told.estimand) == "P[x](y)"


def test_an_outcome_may_lie_above_another() -> None:
    """Y reads the baseline of W, while W itself is an outcome at its active value."""
    graph = ADMG.of(directed=[("X", "W"), ("W", "Y")])
    query = PathSpecific((symbol("W"), Y), (X,), (OTHER,), (("X", "W"),))
    answer = identify_path_specific(query, graph)
    assert isinstance(answer, NotIdentified)
    assert answer.witness == RecantingDistrict(frozenset("W"), ("X", "W"), ("X", "W", "Y"))
    whole = replace(query, edges=(("X", "W"), ("W", "Y")))
    found = identify_path_specific(whole, graph)
    assert isinstance(found, Identified) and str(found.estimand) == "P(w|x) * P(y|w)"


def test_a_witness_that_does_not_hold_has_faults() -> None:
    query = PathSpecific((Y,), (X,), (OTHER,), (("X", "W"), ("W", "Y")))
    answer = identify_path_specific(query, KITE)
    assert isinstance(answer, NotIdentified)
    witness = answer.witness
    assert isinstance(witness, RecantingDistrict)
    assert not recanting_district_faults(witness, query, KITE)
    wrong = {
        "not active": replace(witness, active=witness.inactive),
        "not inactive": replace(witness, inactive=witness.active),
        "no proper": replace(witness, active=("X", "W", "Z", "W", "Y")),
        "lead through": replace(witness, active=("X", "W")),
        "none of": replace(witness, district=frozenset({"W", "Z"})),
        "one treatment": replace(witness, inactive=("W", "Z", "Y")),
    }
    for words, each in wrong.items():
        told = recanting_district_faults(each, query, KITE)
        assert any(words in fault for fault in told), (words, told)
    same = replace(query, baseline=(X,))
    assert recanting_district_faults(witness, same, KITE)


def test_levels_and_equal_values() -> None:
    query = PathSpecific((Y,), (X,), (OTHER,), (("X", "W"), ("W", "Y")))
    same = identify_path_specific(replace(query, baseline=(X,)), KITE)
    assert isinstance(same, Identified)
    assert verified(same).check.models == 4
    levels = replace(query, active=(Value("X", "1"),), baseline=(Value("X", "0"),))
    assert isinstance(identify_path_specific(levels, KITE), NotIdentified)
    with pytest.raises(TermError, match="turns on whether"):
        identify_path_specific(replace(query, active=(Value("X", "1"),)), KITE)
    with pytest.raises(TermError, match="turns on whether"):
        identify_counterfactual(as_nested(replace(query, active=(Value("X", "1"),)), KITE), KITE)


def test_paths_that_reach_nothing_are_noted() -> None:
    graph = ADMG.of(directed=[("X", "M"), ("M", "Y"), ("X", "Y")])
    answer = identify_path_specific(PathSpecific((Y,), (X,), (OTHER,), (("X", "M"),)), graph)
    assert isinstance(answer, Identified)
    assert answer.notes == ("no active path leads to an outcome: this is the baseline",)


def test_wrong_queries_are_refused() -> None:
    with pytest.raises(TermError, match="no edge Y -> X"):
        identify_path_specific(PathSpecific((Y,), (X,), (OTHER,), (("Y", "X"),)), KITE)
    with pytest.raises(UnknownMediatorError):
        identify_path_specific(PathSpecific((symbol("Q"),), (X,), (OTHER,), ()), KITE)
    with pytest.raises(UnknownMediatorError):
        as_nested(PathSpecific((Y,), (symbol("Q"),), (symbol("Q", 1),), ()), KITE)


def test_a_ladder_needs_no_nested_variables() -> None:
    """Written out as a nested counterfactual the query would hold 2^40 variables and more."""
    nodes = [f"V{at}" for at in range(60)]
    skipping = [(nodes[at - 2], nodes[at]) for at in range(2, 60)]
    graph = ADMG.of(directed=[*pairwise(nodes), *skipping])
    start = symbol("V0"), symbol("V0", 1)
    edges = tuple(edge for edge in graph.directed if edge != ("V0", "V2"))
    query = PathSpecific((symbol("V59"),), start[:1], start[1:], edges)
    assert isinstance(identify_path_specific(query, graph), Identified)
    with pytest.raises(ParameterError, match="more than 10000"):
        as_nested(query, graph)
