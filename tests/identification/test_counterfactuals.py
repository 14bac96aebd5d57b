"""ID* and IDC* against enumeration, the axioms, known cases and pairs of models."""

import random
from collections import Counter
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from causalnet.errors import TermError, UnknownMediatorError
from causalnet.graphs import ADMG
from causalnet.graphs.counterfactual_graph import Event, Inconsistent, counterfactual_graph
from causalnet.identification.algorithms.counterfactual_witnesses import inconsistent_factor_faults
from causalnet.identification.algorithms.counterfactuals import (
    ALL_EXPERIMENTS,
    NO_EXPERIMENT,
    has_same_probability,
    identify_counterfactual,
)
from causalnet.identification.answers import (
    Hedge,
    Identified,
    InconsistentFactor,
    NotIdentified,
    Thicket,
)
from causalnet.identification.expressions import ONE, ZERO, Prob
from causalnet.identification.oracle import RandomModel, distinct
from causalnet.identification.queries import Counterfactual, Fact, Potential
from causalnet.identification.reading.parsing import parse_expression
from causalnet.identification.sources import Sources
from causalnet.identification.values import Value, symbol
from causalnet.identification.verification import verified
from tests.graphs.random_admgs import admgs
from tests.identification.cases import Case, cases
from tests.identification.random_counterfactuals import (
    gap,
    random_facts,
    random_graph,
    random_query,
)
from tests.identification.two_models import (
    DIFFERENCE,
    are_too_many,
    has_one_hidden_variable_each,
    largest_difference,
)

BOW = ADMG.of(directed=[("X", "Y")], bidirected=[("X", "Y")])
X, OTHER, Y = symbol("X"), symbol("X", 1), symbol("Y")
SEEDS = st.integers(0, 2**32)


def fact(value: Value, **do: Value | Potential) -> Fact:
    return Fact(Potential.of(value.variable, do), value)


def found(query: Counterfactual, graph: ADMG) -> Identified:
    answer = identify_counterfactual(query, graph)
    assert isinstance(answer, Identified), str(answer)
    return answer


# Enumeration.


def test_formulas_are_the_truth_in_random_models() -> None:
    seen: Counter[str] = Counter()
    for seed in range(450):
        draw = random.Random(seed)
        graph = random_graph(draw, 2, 5)
        query = random_query(draw, graph)
        kind = "conditional " if query.given else ""
        try:
            answer = identify_counterfactual(query, graph)
        except TermError as error:
            assert "probability zero" in str(error)
            truth = RandomModel.of(graph, seed, cardinalities=3).truth(query)
            assert np.isnan(truth.array[distinct(truth)]).all()
            seen["undefined"] += 1
            continue
        if isinstance(answer, Identified):
            seen[kind + ("zero" if answer.estimand == ZERO else "identified")] += 1
            seen["checked"] += verified(answer, models=1, seed=seed).check.models
        else:
            seen[kind + type(answer.witness).__name__] += 1
    assert seen["checked"] > 300, seen
    assert seen["identified"] > 120 and seen["conditional identified"] > 120, seen
    assert seen["zero"] > 10 and seen["conditional zero"] > 40 and seen["undefined"] > 10, seen
    assert seen["InconsistentFactor"] > 5 and seen["conditional InconsistentFactor"] > 30, seen


def test_formulas_from_experiments_are_the_truth() -> None:
    seen: Counter[str] = Counter()
    for seed in range(250):
        draw = random.Random(seed)
        graph = random_graph(draw, 3, 5)
        query = random_query(draw, graph)
        sources = Sources.of(
            [[v for v in graph.nodes if draw.random() < 0.4] for _ in range(2)],
            {"a": [[]]},
            {"a": [v for v in graph.nodes if draw.random() < 0.6]},
        )
        try:
            answer = identify_counterfactual(query, graph, sources)
        except TermError:
            continue
        seen[type(answer).__name__] += 1
        if isinstance(answer, Identified):
            verified(answer, models=1, seed=seed)
        else:
            seen[type(answer.witness).__name__] += 1
    assert seen["Identified"] > 120 and seen["Thicket"] > 20, seen


@pytest.mark.parametrize("case", cases("IDstar", "IDCstar", "mediation"), ids=repr)
def test_known_cases(case: Case) -> None:
    query = case.question
    assert isinstance(query, Counterfactual)
    answer = identify_counterfactual(query, case.graph, case.sources)
    assert isinstance(answer, Identified) == case.identified
    if isinstance(answer, NotIdentified):
        assert answer.notes[0].startswith(ALL_EXPERIMENTS) == case.from_all
        assert isinstance(answer.witness, InconsistentFactor) != case.from_all
        return
    assert verified(answer, models=4).check.models == 4
    told = replace(answer, estimand=parse_expression(case.estimand))
    assert verified(told, models=2).check.models == 2


# Not identified.


def test_without_a_formula_two_models_differ() -> None:
    seen: Counter[str] = Counter()
    for seed in range(800):
        draw = random.Random(seed)
        graph = random_graph(draw, 2, 4)
        query = random_query(draw, graph)
        if (
            not has_one_hidden_variable_each(graph)
            or max(map(len, map(graph.parents, graph.nodes))) > 2
        ):
            continue
        try:
            answer = identify_counterfactual(query, graph)
        except TermError:
            continue
        if isinstance(answer, NotIdentified):
            seen[type(answer.witness).__name__] += differ(answer)
    assert seen["InconsistentFactor"] > 25 and seen["Hedge"] > 2, seen


def differ(answer: NotIdentified) -> bool:
    """Whether two models differ; False where there are too many to say."""
    query, graph, witness = answer.query, answer.graph, answer.witness
    assert isinstance(query, Counterfactual)
    every = isinstance(witness, InconsistentFactor)
    # With two levels, P(y{x}, x') is what is left of P(y{x}) without P(y, x): there must be three.
    twofold = witness.variable if isinstance(witness, InconsistentFactor) else ""
    affordable = False
    for more in {"", twofold}:
        levels = {v: 3 if v == more else 2 for v in graph.nodes}
        for district in graph.districts():
            if are_too_many(graph, district, levels):
                continue
            affordable |= more == twofold and involved(witness) <= district
            for seed in range(3):
                if largest_difference(query, graph, district, levels, every, seed) > DIFFERENCE:
                    return True
    assert not affordable, f"{answer}: no two models of {graph} differ"
    return False


def involved(witness: object) -> frozenset[str]:
    match witness:
        case InconsistentFactor(district, _, _):
            return district
        case Hedge(outer, _, _):
            return outer
        case _:
            raise AssertionError(witness)


@settings(max_examples=150)
@given(SEEDS)
def test_contradictions_are_those_of_the_counterfactual_graph(seed: int) -> None:
    draw = random.Random(seed)
    graph = random_graph(draw, 2, 6)
    facts = random_facts(draw, graph, draw.choice([2, 3, 4]), 0)
    answer = identify_counterfactual(Counterfactual(facts), graph)
    events = [
        Event.of(
            each.potential.variable,
            each.value.name,
            {name: value.name for name, value in each.potential.do if isinstance(value, Value)},
        )
        for each in facts
    ]
    impossible = isinstance(counterfactual_graph(graph, events), Inconsistent)
    assert (isinstance(answer, Identified) and answer.estimand == ZERO) == impossible


def test_a_witness_that_does_not_hold_has_faults() -> None:
    query = Counterfactual((fact(Y, X=X), fact(OTHER)))
    answer = identify_counterfactual(query, BOW)
    assert isinstance(answer, NotIdentified)
    witness = answer.witness
    assert isinstance(witness, InconsistentFactor)
    assert not inconsistent_factor_faults(witness, query, BOW)
    same = replace(witness, values=(X, X))
    assert "two of the variable" in inconsistent_factor_faults(same, query, BOW)[0]
    apart = ADMG.of(directed=[("X", "Y")])
    assert len(inconsistent_factor_faults(witness, query, apart)) == 2
    consistent = Counterfactual((fact(Y, X=X), fact(X)))
    assert inconsistent_factor_faults(witness, consistent, BOW)


def test_names_that_look_like_worlds_are_told_apart() -> None:
    """Copies would be called alike: Y in the world of X, and a variable of that name."""
    odd = "Y{X=given x}"
    graph = ADMG.of(directed=[("X", "Y"), (odd, "Y")], bidirected=[("X", "Y"), ("Y", odd)])
    query = Counterfactual((fact(Y, X=X), fact(OTHER)))
    answer = identify_counterfactual(query, graph)
    assert isinstance(answer, NotIdentified)
    assert answer.witness == InconsistentFactor(frozenset(graph.nodes), "X", (OTHER, X))


def test_what_all_experiments_would_give_is_noted() -> None:
    answer = identify_counterfactual(Counterfactual((fact(Y, X=X),)), BOW)
    assert isinstance(answer, NotIdentified) and isinstance(answer.witness, Hedge)
    assert answer.notes == (f"{ALL_EXPERIMENTS}P[x](y)",)
    told = identify_counterfactual(Counterfactual((fact(Y, X=X),)), BOW, Sources.of([[], ["X"]]))
    assert isinstance(told, Identified) and str(told.estimand) == "P[x](y)"
    elsewhere = identify_counterfactual(
        Counterfactual((fact(Y, X=X),)), BOW, Sources.of([[], ["Y"]])
    )
    assert isinstance(elsewhere, NotIdentified) and isinstance(elsewhere.witness, Thicket)
    treated = identify_counterfactual(Counterfactual((fact(Y, X=X),), (fact(OTHER),)), BOW)
    assert isinstance(treated, NotIdentified) and treated.notes == (NO_EXPERIMENT,)


# The axioms (Galles and Pearl 1998).


@settings(max_examples=80)
@given(admgs(2, 5), SEEDS)
def test_consistency(graph: ADMG, seed: int) -> None:
    draw = random.Random(seed)
    xs = draw.sample(graph.nodes, draw.randint(1, len(graph) - 1))
    ys = [v for v in graph.nodes if v not in xs]
    do = {x: symbol(x) for x in xs}
    cured = [Fact(Potential.of(y, do), symbol(y)) for y in ys]
    answer = found(Counterfactual((*cured, *(fact(symbol(x)) for x in xs))), graph)
    observed = Prob(tuple(map(symbol, graph.nodes)))
    assert gap(graph, answer.estimand, observed, seed) < 1e-9


@settings(max_examples=60)
@given(admgs(2, 6), SEEDS)
def test_effectiveness_and_exclusion(graph: ADMG, seed: int) -> None:
    draw = random.Random(seed)
    node = draw.choice(graph.nodes)
    do = {v: symbol(v) for v in graph.nodes if draw.random() < 0.5}
    set_to = Potential.of(node, {**do, node: symbol(node)})
    assert found(Counterfactual((Fact(set_to, symbol(node)),)), graph).estimand == ONE
    assert found(Counterfactual((Fact(set_to, symbol(node, 1)),)), graph).estimand == ZERO
    above = graph.ancestors([node])
    matters = {v: value for v, value in do.items() if v in above and v != node}
    whole = {v: value for v, value in do.items() if v != node}
    answers = [
        identify_counterfactual(
            Counterfactual((Fact(Potential.of(node, each), symbol(node)),)), graph
        )
        for each in (whole, matters)
    ]
    formulas = [a.estimand if isinstance(a, Identified) else a.witness for a in answers]
    assert formulas[0] == formulas[1]


@settings(max_examples=60)
@given(admgs(3, 6), SEEDS)
def test_composition(graph: ADMG, seed: int) -> None:
    """A variable that is set to what it is anyway changes nothing."""
    draw = random.Random(seed)
    x, m, y = draw.sample(graph.nodes, 3)
    do = {x: symbol(x)}
    natural = Potential.of(y, do)
    nested = Potential.of(y, {**do, m: Potential.of(m, do)})
    one, other = (
        identify_counterfactual(Counterfactual((Fact(each, symbol(y)),)), graph)
        for each in (natural, nested)
    )
    assert type(one) is type(other)
    if isinstance(one, Identified) and isinstance(other, Identified):
        assert one.estimand == other.estimand


@settings(max_examples=60)
@given(SEEDS)
def test_a_condition_times_its_probability_is_the_joint_one(seed: int) -> None:
    draw = random.Random(seed)
    graph = random_graph(draw, 2, 4)
    facts, known = random_facts(draw, graph, 1, 1), random_facts(draw, graph, 1, 1)
    try:
        answer = identify_counterfactual(Counterfactual(facts, known), graph)
    except TermError:
        return
    whole = identify_counterfactual(Counterfactual((*facts, *known)), graph)
    below = identify_counterfactual(Counterfactual(known), graph)
    if isinstance(whole, Identified) and isinstance(below, Identified):
        assert isinstance(answer, Identified)
    elif isinstance(below, Identified):
        assert isinstance(answer, NotIdentified)  # else the joint one would follow


def test_what_the_facts_have_no_part_in_cancels() -> None:
    """P(w{z}) is not identified, and no matter."""
    graph = ADMG.of(directed=[("A", "Y"), ("Z", "W")], bidirected=[("Z", "W")])
    known = (fact(symbol("W"), Z=symbol("Z")),)
    assert isinstance(identify_counterfactual(Counterfactual(known), graph), NotIdentified)
    answer = found(Counterfactual((fact(Y, A=symbol("A")),), known), graph)
    assert str(answer.estimand) == "P(y|a)"


# Symbols and levels.


def test_symbols_that_are_summed_over_capture_nothing() -> None:
    """The natural value of X is summed over, and the query names x, x' and z."""
    graph = ADMG.of(directed=[("Z", "X"), ("X", "Y"), ("Z", "Y")])
    odd = Counterfactual((Fact(Potential.of("Y", {"X": OTHER}), Y), fact(symbol("Z", 1))))
    assert str(found(odd, graph).estimand) == "P(z') * P(y|x',z')"
    twice = Counterfactual((fact(Y, Z=symbol("Z")), fact(X, Z=symbol("Z", 1))))
    assert isinstance(identify_counterfactual(twice, graph), NotIdentified)  # X reads z, and z'


def test_values_that_do_not_matter_are_not_those_of_the_query() -> None:
    """In the napkin graph P(y{x}) has a formula that holds for every value of Z."""
    napkin = ADMG.of([("W", "Z"), ("Z", "X"), ("X", "Y")], [("W", "X"), ("W", "Y")])
    query = Counterfactual((fact(Y, X=X), fact(symbol("Z"), W=symbol("W"))))
    answer = found(query, napkin)
    free = {str(value) for value in answer.estimand.free}
    assert {"w", "x", "y", "z", "z'"} == free
    assert verified(answer).check.models == 4


def test_an_outcome_may_share_its_symbol_with_a_condition() -> None:
    graph = ADMG.of(directed=[("X", "Y"), ("X", "Z")])
    query = Counterfactual((fact(Y, X=X),), (fact(Y), fact(OTHER)))
    assert isinstance(identify_counterfactual(query, graph), NotIdentified)
    same = Counterfactual((fact(Y, X=X),), (fact(Y), fact(X)))
    assert found(same, graph).estimand == ONE
    beside = Counterfactual((fact(symbol("Z"), X=X),), (fact(Y), fact(OTHER)))
    assert str(found(beside, graph).estimand) == "P(z|x)"


def test_levels_differ_from_levels_and_may_be_symbols() -> None:
    one, nought = Value("X", "1"), Value("X", "0")
    assert found(Counterfactual((fact(one, X=nought),)), BOW).estimand == ZERO
    assert found(Counterfactual((fact(one, X=Value("X", "01")),)), BOW).estimand == ONE
    answer = identify_counterfactual(Counterfactual((fact(Y, X=one),), (fact(nought),)), BOW)
    assert isinstance(answer, NotIdentified)
    for mixed in (
        Counterfactual((fact(X, X=one),)),
        Counterfactual((fact(Y, X=one), fact(X))),
        Counterfactual((fact(Y), fact(Value("Y", "0")))),
    ):
        with pytest.raises(TermError, match="turns on whether"):
            identify_counterfactual(mixed, BOW)
    markov = ADMG.of(directed=[("X", "Y")])
    apart = Counterfactual((fact(Y, X=one),), (fact(X),))
    assert str(found(apart, markov).estimand) == "P(y|X=1)"  # whatever x is
    three = Counterfactual((fact(Y), fact(Value("Y", "0")), fact(symbol("Y", 1))))
    assert found(three, BOW).estimand == ZERO


# Errors and size.


def test_wrong_queries_are_refused() -> None:
    with pytest.raises(TermError, match="probability zero"):
        identify_counterfactual(Counterfactual((fact(Y, X=X),), (fact(X), fact(OTHER))), BOW)
    with pytest.raises(TermError, match="probability zero"):
        identify_counterfactual(Counterfactual((fact(Y),), (fact(OTHER, X=X),)), BOW)
    with pytest.raises(UnknownMediatorError, match="Nearest"):
        identify_counterfactual(Counterfactual((fact(Y, X1=symbol("X1")),)), BOW)
    with pytest.raises(UnknownMediatorError):
        identify_counterfactual(Counterfactual((fact(Y),)), BOW, Sources.of([["Q"]]))
    twice = Potential("Y", (("X", X), ("X", OTHER)))
    with pytest.raises(TermError, match="twice"):
        identify_counterfactual(Counterfactual((Fact(twice, Y),)), BOW)


def test_long_chains_and_deep_nesting_take_no_recursion() -> None:
    nodes = [f"V{at}" for at in range(1500)]
    chain = ADMG.of(directed=list(pairwise(nodes)))
    start, last = {"V0": symbol("V0")}, symbol(nodes[-1])
    nested = Potential.of(nodes[-100], start)
    for before, node in pairwise(nodes[-100:]):
        nested = Potential.of(node, {before: nested})
    with pytest.raises(TermError, match="nested 101 deep"):
        Potential.of("V0", {nodes[-1]: nested})
    deep = Counterfactual((Fact(nested, last),))
    flat = Counterfactual((Fact(Potential.of(nodes[-1], start), last),))
    assert has_same_probability(deep, flat, chain)
    other = Counterfactual((Fact(Potential.of(nodes[-1], {"V1": symbol("V1")}), last),))
    assert not has_same_probability(deep, other, chain)


def test_shared_nested_variables_are_met_once() -> None:
    """Written out, the query names 6,764 variables."""
    nodes = [f"V{at}" for at in range(19)]
    skipping = [(nodes[at - 2], nodes[at]) for at in range(2, 19)]
    graph = ADMG.of(directed=[*pairwise(nodes), *skipping])
    start = {"V0": symbol("V0")}
    made = {"V1": Potential.of("V1", start)}
    for at in range(2, 19):
        made[nodes[at]] = Potential.of(
            nodes[at],
            {v: made.get(v, start["V0"]) for v in (nodes[at - 1], nodes[at - 2])},
        )
    last = symbol(nodes[-1])
    answer = found(Counterfactual((Fact(made[nodes[-1]], last),)), graph)
    assert answer.estimand == found(
        Counterfactual((Fact(Potential.of(nodes[-1], start), last),)), graph
    ).estimand  # fmt: skip


def test_steps_lead_to_the_formula() -> None:
    graph = ADMG.of(directed=[("Z", "X"), ("Z", "Y"), ("X", "Y")])
    query = Counterfactual((fact(Y, X=X),), (fact(OTHER),))
    rules = [step.rule for step in found(query, graph).derivation.steps]
    assert rules[:2] == ["ID*, line 4", "IDC*, line 5"] and set(rules[2:]) == {"ID*, line 9"}
    results = [step.result for step in found(query, graph).derivation.steps]
    assert results[1] == "sum[z](P(z, x'{z}, y{z, x})) / sum[z](P(z, x'{z}))"
    assert "P[x,z](y) = P(y|x,z)" in results
