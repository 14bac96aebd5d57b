"""Derivations in the do-calculus: right, complete where ID is, and refused when tampered with."""

import json
import random
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from causalnet.errors import FormatError, ParameterError, TermError, UnknownMediatorError
from causalnet.graphs.admg import ADMG
from causalnet.graphs.gallery import EXAMPLES, example
from causalnet.graphs.textbook import EffectQuery
from causalnet.graphs.walks import is_open_walk
from causalnet.identification.algorithms.id_algorithm import identify_effect
from causalnet.identification.answers import Identified
from causalnet.identification.derivations.do_calculus import (
    DoDerivation,
    DoStep,
    NotDerived,
    Refused,
    Separation,
    Surgery,
    Verified,
    adjust,
    derive,
)
from causalnet.identification.derivations.do_derivations import asked, replaced
from causalnet.identification.derivations.do_json import derivation_from_json, derivation_to_json
from causalnet.identification.derivations.do_rules import Fault, Rule, fault_of, made_step
from causalnet.identification.derivations.do_search import search_derivation
from causalnet.identification.evaluation import evaluate
from causalnet.identification.expressions import Expression, Prob, Product, Ratio, Sum, product
from causalnet.identification.oracle import RandomModel
from causalnet.identification.queries import Effect
from causalnet.identification.sources import OBSERVED, Sources
from causalnet.identification.values import Value, symbol
from tests.graphs.random_admgs import admgs

X, Y, Z, W = map(symbol, "XYZW")
EFFECT = Effect((Y,), (X,))
FRONT_DOOR = ADMG.of(directed=[("X", "Z"), ("Z", "Y")], bidirected=[("X", "Y")])
NAPKIN = ADMG.of(directed=[("W", "Z"), ("Z", "X"), ("X", "Y")], bidirected=[("W", "X"), ("W", "Y")])
BOW = ADMG.of(directed=[("X", "Y")], bidirected=[("X", "Y")])


def derived(query: Effect, graph: ADMG, sources: Sources = OBSERVED) -> DoDerivation:
    found = derive(query, graph, sources)
    assert isinstance(found, DoDerivation), str(found)
    return found


def distance(estimand: Expression, query: Effect, graph: ADMG, seed: int) -> float:
    """How far an estimand is from the truth in a random model; nan if it has no value."""
    model = RandomModel.of(graph, seed)
    one, other = evaluate(estimand, model.table), model.truth(query)
    axes = tuple(sorted({*one.axes, *other.axes}))
    return float(np.abs(one.aligned(axes) - other.aligned(axes)).max())


@st.composite
def effects(draw: st.DrawFn, most: int = 6) -> tuple[ADMG, Effect]:
    graph = draw(admgs(2, most))
    generator = random.Random(draw(st.integers(0, 2**32)))
    names = generator.sample(graph.nodes, len(graph))
    outcomes, treatments = generator.choice([1, 1, 2]), generator.choice([0, 1, 1, 1, 2])
    rest = outcomes + generator.choice([0, 0, 1, 2])
    values = list(map(symbol, names))
    query = Effect(
        tuple(values[:outcomes]),
        tuple(values[rest : rest + treatments]),
        tuple(values[outcomes:rest]),
    )
    return graph, query


@settings(max_examples=300, deadline=None)
@given(effects(), st.integers(0, 99))
def test_what_id_identifies_is_derived_and_nothing_else(
    pair: tuple[ADMG, Effect], seed: int
) -> None:
    graph, query = pair
    found = derive(query, graph)
    identified = isinstance(identify_effect(query, graph), Identified)
    assert isinstance(found, DoDerivation) == identified
    if isinstance(found, DoDerivation):
        assert isinstance(found.verify(), Verified), f"{found}\n{found.verify()}"
        assert distance(found.estimand, query, graph, seed) < 1e-9


@settings(max_examples=150, deadline=None)
@given(effects(5), st.data())
def test_experiments_are_used(pair: tuple[ADMG, Effect], data: st.DataObject) -> None:
    graph, query = pair
    subsets = st.lists(st.sampled_from(graph.nodes), unique=True, max_size=2)
    sources = Sources.of(data.draw(st.lists(subsets, min_size=1, max_size=3)))
    found = derive(query, graph, sources)
    identified = isinstance(identify_effect(query, graph, sources), Identified)
    assert isinstance(found, DoDerivation) == identified
    if isinstance(found, DoDerivation):
        assert isinstance(found.verify(), Verified)
        assert distance(found.estimand, query, graph, 0) < 1e-9


@settings(max_examples=60, deadline=None)
@given(effects(4))
def test_a_search_that_knows_nothing_of_id_agrees(pair: tuple[ADMG, Effect]) -> None:
    graph, query = pair
    found = search_derivation(query, graph, states=100_000)
    identified = isinstance(identify_effect(query, graph), Identified)
    if isinstance(found, NotDerived):
        assert "nothing more follows" in found.reason
        assert not identified
    else:
        assert identified
        assert isinstance(found.verify(), Verified)
        assert distance(found.estimand, query, graph, 0) < 1e-9


@pytest.mark.parametrize(
    "name", [each.name for each in EXAMPLES if isinstance(each.query, EffectQuery)]
)
def test_textbook_effects(name: str) -> None:
    found = example(name)
    assert isinstance(found.query, EffectQuery)
    query = Effect(
        *(
            tuple(map(symbol, part))
            for part in (found.query.outcomes, found.query.treatments, found.query.given)
        )
    )
    answer = derive(query, found.graph)
    assert isinstance(answer, DoDerivation) == (found.identifiable is True)
    if isinstance(answer, DoDerivation):
        assert isinstance(answer.verify(), Verified)


def test_the_front_door_formula_is_derived_as_pearl_does() -> None:
    found = derived(EFFECT, FRONT_DOOR)
    assert str(found.estimand) == "sum[z](P(z|x) * sum[x'](P(x') * P(y|x',z)))"
    assert [step.rule for step in found.steps] == [
        "marginalise", "chain rule", "rule 2", "rule 3", "rule 2",
        "marginalise", "chain rule", "rule 3", "rule 2",
    ]  # fmt: skip


def test_the_napkin_formula_goes_through_an_experiment_on_z() -> None:
    found = derived(EFFECT, NAPKIN)
    assert str(found.expressions[2]) == "P[z](y|x)"
    assert distance(found.estimand, EFFECT, NAPKIN, 3) < 1e-9
    wrong = Prob((Y,), (X,))
    assert distance(wrong, EFFECT, NAPKIN, 3) > 1e-4


def test_levels_and_primes_are_kept() -> None:
    query = Effect((Value("Y", "1"),), (Value("X", "x'"),))
    found = derived(query, FRONT_DOOR)
    assert {value for value in found.estimand.free if value.variable == "X"} == {Value("X", "x'")}
    assert isinstance(found.verify(), Verified)
    assert distance(found.estimand, query, FRONT_DOOR, 1) < 1e-9


def test_what_is_known_needs_no_step() -> None:
    known = derived(EFFECT, BOW, Sources.of([["X"]]))
    assert known.steps == () and known.estimand == asked(EFFECT)
    assert isinstance(known.verify(), Verified)


def test_reasons_for_no_derivation() -> None:
    bow = derive(EFFECT, BOW)
    assert isinstance(bow, NotDerived) and "hedge {X, Y} over {Y}" in str(bow)
    elsewhere = derive(EFFECT, BOW, Sources.of([], {"a": [[]]}, {"a": []}))
    assert isinstance(elsewhere, NotDerived) and "population" in str(elsewhere)
    with pytest.raises(UnknownMediatorError):
        derive(Effect((symbol("Q"),)), BOW)


def test_a_denominator_that_is_a_factor_of_its_numerator() -> None:
    # P[x,t](w) is a factor of P[x,t](w,z,y), where it is only known together with the next
    directed = [("T", "X"), ("T", "Y"), ("W", "X"), ("X", "Z"), ("X", "Y"), ("Z", "Y")]
    bidirected = [("T", "W"), ("T", "Z"), ("W", "Z")]
    observed = ADMG.of(directed=directed, bidirected=bidirected)
    more = ADMG.of(directed=[*directed, ("A", "W"), ("A", "Z")], bidirected=bidirected)
    treatments = (symbol("T"), X)
    for graph, query, sources in (
        (observed, Effect((Y,), treatments, (W,)), OBSERVED),
        (more, Effect((Y,), (symbol("A"), *treatments), (W,)), Sources.of([["A"]])),
    ):
        found = derived(query, graph, sources)
        assert isinstance(found.verify(), Verified), f"{found}\n{found.verify()}"
        assert distance(found.estimand, query, graph, 0) < 1e-9


def test_a_denominator_with_the_groups_of_its_numerator() -> None:
    # P[v](a,b,c) in the numerator and P[v'](a,b,c') in the denominator come of chains with P[x](a)
    graph = ADMG.of(
        directed=[("V", "C"), ("B", "V"), ("X", "V")],
        bidirected=[("A", "B"), ("A", "C"), ("B", "C"), ("B", "X"), ("C", "X")],
    )
    query = Effect((symbol("C"), symbol("V")), (X,), (symbol("A"),))
    found = derived(query, graph)
    assert isinstance(found.verify(), Verified), f"{found}\n{found.verify()}"
    assert distance(found.estimand, query, graph, 0) < 1e-9


def test_a_conditional_of_what_is_known_is_no_ratio() -> None:
    graph = ADMG.of(directed=[("Z", "Y"), ("Y", "X")], bidirected=[("Z", "Y")])
    assert str(derived(Effect((Y,), (X,), (Z,)), graph).estimand) == "P(y|z)"


# Adjustment.


def test_adjustment_for_a_given_set() -> None:
    graph = ADMG.of(
        directed=[("A", "X"), ("A", "B"), ("B", "Y"), ("X", "Y"), ("X", "M"), ("M", "Y")]
    )
    for names in (["A"], ["B"], ["A", "B"]):
        found = adjust(EFFECT, graph, names)
        assert isinstance(found, DoDerivation)
        assert isinstance(found.verify(), Verified)
        assert distance(found.estimand, EFFECT, graph, 0) < 1e-9
    below = adjust(EFFECT, graph, ["A", "M"])
    assert isinstance(below, NotDerived) and "M <- X" in below.reason
    with pytest.raises(TermError, match="adjustment set"):
        adjust(EFFECT, graph, ["Y"])
    with pytest.raises(TermError, match="no treatment"):
        adjust(Effect((Y,)), graph, ["A"])


@settings(max_examples=100, deadline=None)
@given(effects(5), st.data())
def test_an_adjustment_that_is_derived_is_right(
    pair: tuple[ADMG, Effect], data: st.DataObject
) -> None:
    graph, query = pair
    asked_for = {v.variable for v in (*query.outcomes, *query.treatments, *query.given)}
    rest = [name for name in graph.nodes if name not in asked_for]
    if not query.treatments:
        return
    names = [name for name in rest if data.draw(st.booleans())]
    found = adjust(query, graph, names)
    if isinstance(found, DoDerivation):
        assert isinstance(found.verify(), Verified)
        assert distance(found.estimand, query, graph, 0) < 1e-9


# Steps that are not right.


def refused(derivation: DoDerivation) -> Refused:
    found = derivation.verify()
    assert isinstance(found, Refused), str(found)
    return found


def tampered(derivation: DoDerivation, at: int, **changes: object) -> DoDerivation:
    steps = list(derivation.steps)
    steps[at] = replace(steps[at], **changes)  # type: ignore[arg-type]  # tampering is the point
    return replace(derivation, steps=tuple(steps))


def test_each_part_of_each_step_is_looked_at() -> None:
    for graph in (FRONT_DOOR, NAPKIN):
        found = derived(EFFECT, graph)
        for at, step in enumerate(found.steps):
            other = Prob((Y,), (W,)) if "W" in graph else Prob((Y,), (Z,))
            changes: list[dict[str, object]] = [
                {"subject": (*step.subject, Value("Z", "z'''"))},
                {"surgery": Surgery(frozenset({"Y"}))},
                {"separation": Separation(frozenset("Y"), frozenset("X"), frozenset("XZ"))},
                {"after": other},
                {"before": other},
                {"rule": "rule 4"},
            ]
            rules: tuple[Rule, ...] = ("rule 1", "rule 2", "rule 3", "marginalise", "chain rule")
            changes += [{"rule": rule} for rule in rules if rule != step.rule]
            for change in changes:
                assert refused(tampered(found, at, **change)).at == at + 1, f"{step}: {change}"


def test_steps_left_out_or_turned_round_are_refused() -> None:
    found = derived(EFFECT, FRONT_DOOR)
    for at in range(len(found.steps)):
        without = replace(found, steps=found.steps[:at] + found.steps[at + 1 :])
        assert isinstance(without.verify(), Refused)
    assert isinstance(replace(found, steps=found.steps[::-1]).verify(), Refused)
    cut_short = refused(replace(found, steps=found.steps[:-1]))
    assert cut_short.step is None and "P[z](y|x')" in cut_short.reason


def test_a_derivation_does_not_hold_for_another_graph_or_query() -> None:
    found = derived(EFFECT, FRONT_DOOR)
    direct = ADMG.of(directed=[*FRONT_DOOR.directed, ("X", "Y")], bidirected=[("X", "Y")])
    bad = refused(replace(found, graph=direct))
    assert bad.walk is not None and bad.step is not None and bad.step.surgery is not None
    assert is_open_walk(bad.step.surgery.of(direct), bad.walk)
    assert str(bad).endswith(str(bad.walk))
    without_z = ADMG.of(directed=[("X", "Y")], bidirected=[("X", "Y")])
    assert "'Z' is not in the graph" in refused(replace(found, graph=without_z)).reason
    assert "does not occur" in refused(replace(found, query=Effect((Z,), (X,)))).reason
    unknown = replace(found, sources=Sources.of([["X"]]))
    assert "not among what is known" in refused(unknown).reason


def test_rules_are_taken_literally() -> None:
    graph = ADMG.of(directed=[("W", "X"), ("X", "Y"), ("Y", "Z")])
    x2, z2 = symbol("X", 1), symbol("Z", 1)
    told = Prob((Y,), (X,))
    cases: list[tuple[Rule, Expression, Expression]] = [
        ("rule 1", told, Prob((Y,), (x2,))),  # another value
        ("rule 1", told, told),  # nothing moves
        ("rule 1", told, Prob((Z,), (W, X))),  # of another variable
        ("rule 2", Prob((Y,), do=(X,)), Prob((Y,), (x2,))),
        ("rule 2", Prob((Y,), do=(X,)), Prob((Y,))),
        ("rule 2", Prob((Y,), (W,), (X,)), Prob((Y,), (X,), (W,))),  # both ways at once
        ("rule 3", Prob((Y,), do=(X,)), Prob((Y,), do=(x2,))),
        ("rule 3", Prob((Y,), (X,)), Prob((Y,))),
        ("rule 3", Prob((Y,), do=(X,)), Prob((Y,), domain="a")),
        ("marginalise", Prob((Y,)), Sum((Z,), Prob((Y,), (Z,)))),
        ("marginalise", Prob((Y,), (Z,)), Sum((X,), Prob((X, Y), (z2,)))),
        ("marginalise", Prob((Y,)), Sum((X, Z), Prob((Y, Z)))),
        ("chain rule", Prob((Y, Z)), Product((Prob((Y,)), Prob((Z,))))),
        ("chain rule", Prob((Y, Z)), Product((Prob((Y,), (Z,)), Prob((Z,), (Y,))))),
        ("chain rule", Prob((Y, Z)), Product((Prob((Y,), (Z,)), Prob((Z,), do=(X,))))),
        ("condition", Prob((Y,), (X,)), Ratio(Prob((X, Y)), Prob((x2,)))),
        ("condition", Prob((Y,), (X,)), Ratio(Prob((X, Y), (Z,)), Prob((X,)))),
        ("condition", Prob((Y,)), Ratio(Prob((X, Y)), Prob((X,)))),
    ]
    for rule, before, after in cases:
        assert isinstance(made_step(rule, before, after, graph), Fault), f"{before} = {after}"
        assert isinstance(made_step(rule, after, before, graph), Fault), f"{after} = {before}"


def test_rule_3_keeps_in_edges_of_ancestors_of_what_is_given() -> None:
    # Y <-> Z -> W: given W, do(Z) says nothing about Y, but Z seen does
    graph = ADMG.of(directed=[("Z", "W"), ("W", "Y")], bidirected=[("Z", "Y")])
    step = made_step("rule 3", Prob((Y,), (W,), (Z,)), Prob((Y,), (W,)), graph)
    assert isinstance(step, DoStep) and step.surgery == Surgery()
    fault = fault_of(step, graph)
    assert fault is not None and fault.walk is not None
    without = made_step("rule 3", Prob((Y,), (), (W, Z)), Prob((Y,), (), (W,)), graph)
    assert isinstance(without, DoStep) and without.surgery == Surgery(frozenset("WZ"))
    assert fault_of(without, graph) is None


@settings(max_examples=150, deadline=None)
@given(admgs(3, 5), st.integers(0, 2**32))
def test_a_step_that_passes_is_an_equation_in_every_model(graph: ADMG, seed: int) -> None:
    generator = random.Random(seed)
    names = generator.sample(graph.nodes, len(graph))
    y, z, *rest = map(symbol, names)
    given_, do = (
        tuple(value for value in rest if generator.random() < 0.3),
        tuple(value for value in rest if generator.random() < 0.3),
    )
    do = tuple(value for value in do if value not in given_)
    terms = [
        Prob((y,), given_, do),
        Prob((y,), (*given_, z), do),
        Prob((y,), given_, (*do, z)),
    ]
    rules: list[tuple[Rule, int, int]] = [("rule 1", 1, 0), ("rule 2", 2, 1), ("rule 3", 2, 0)]
    for rule, one, other in rules:
        step = made_step(rule, terms[one], terms[other], graph)
        assert isinstance(step, DoStep)
        tables = [RandomModel.of(graph, each).table for each in range(3)]
        told = [(evaluate(step.before, t), evaluate(step.after, t)) for t in tables]
        off = max(float(np.abs(a.aligned(a.axes) - b.aligned(a.axes)).max()) for a, b in told)
        holds = fault_of(step, graph) is None
        assert not holds or off < 1e-9, f"{step} in {graph!r}"


def test_replacing_parts() -> None:
    one, other, third = (Prob((value,)) for value in (X, Y, Z))
    both = Sum((X, Z), product([one, other]))
    assert replaced(both, other, third) == Sum((X, Z), Product((one, third)))
    inner = Sum((X,), product([one, other]))
    assert replaced(both, inner, other) == Sum((Z,), other)
    assert replaced(Product((one, one, other)), Product((one, one)), third) == Product(
        (third, other)
    )
    assert replaced(Product((one, other)), Product((one, one)), third) == Product((one, other))


# JSON.


@settings(max_examples=60, deadline=None)
@given(effects())
def test_json_round_trip(pair: tuple[ADMG, Effect]) -> None:
    graph, query = pair
    found = derive(query, graph)
    if isinstance(found, DoDerivation):
        back = derivation_from_json(derivation_to_json(found))
        assert back == found
        assert back.verify() == found.verify()
        assert str(back) == str(found)


def test_json_that_was_tampered_with_is_read_and_refused() -> None:
    content = json.loads(derivation_to_json(derived(EFFECT, FRONT_DOOR)))
    content["graph"]["directed"].append(["X", "Y"])
    assert isinstance(derivation_from_json(json.dumps(content)).verify(), Refused)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("steps", [{"rule": "rule 9"}]),
        ("steps", [[]]),
        ("steps", 3),
        ("query", [[["Y", "y"]]]),
        ("query", [[["Y", 1]], [], []]),
        ("query", [[["Y", "y"], ["Y", "y"]], [], []]),
        ("graph", {"nodes": ["X"], "directed": [["X"]], "bidirected": []}),
        ("graph", {"nodes": "XY", "directed": [], "bidirected": []}),
        ("graph", {"nodes": [], "directed": [["X", "Y"], ["Y", "X"]], "bidirected": []}),
        ("expressions", [["ratio", 0, 1]]),
        ("expressions", [["const", True]]),
        ("expressions", [["prob", [["Y", "y"]], [["Y", "y"]], [], ""]]),
        ("expressions", [["power", 0, 0]]),
        ("sources", {"distributions": [["X"]], "differs": []}),
        ("sources", None),
    ],
)
def test_json_that_holds_something_else(key: str, value: object) -> None:
    content = json.loads(derivation_to_json(derived(EFFECT, FRONT_DOOR)))
    content[key] = value
    with pytest.raises(FormatError):
        derivation_from_json(json.dumps(content))


@pytest.mark.parametrize("text", ["", "[]", "{}", "[" * 100_000, '{"causalnet_do_derivation":2}'])
def test_text_that_is_no_derivation(text: str) -> None:
    with pytest.raises(FormatError):
        derivation_from_json(text)


# The search.


def test_the_search_is_bounded() -> None:
    names = "ABCDEFGHI"
    graph = ADMG.of(directed=[(a, b) for a, b in pairwise(names)])
    query = Effect((symbol("I"),), (symbol("A"),))
    with pytest.raises(ParameterError, match="9 nodes"):
        search_derivation(query, graph)
    short = search_derivation(EFFECT, NAPKIN, states=10)
    assert isinstance(short, NotDerived) and "stopped after 10 states" in short.reason
    with pytest.raises(ParameterError, match="populations"):
        search_derivation(EFFECT, NAPKIN, Sources.of([], {"a": [[]]}, {"a": []}))


def test_the_search_finds_the_napkin() -> None:
    found = search_derivation(EFFECT, NAPKIN)
    assert isinstance(found, DoDerivation)
    assert isinstance(found.verify(), Verified)
    assert distance(found.estimand, EFFECT, NAPKIN, 0) < 1e-9
