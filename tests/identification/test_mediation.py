"""Mediation contrasts: truth, identities between effects, and which term fails."""

import random
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from causalnet.errors import TermError, UnknownMediatorError
from causalnet.graphs import ADMG
from causalnet.identification.algorithms.counterfactuals import (
    ALL_EXPERIMENTS,
    NO_EXPERIMENT,
    identify_counterfactual,
)
from causalnet.identification.algorithms.edge_g_formula import identify_path_specific
from causalnet.identification.algorithms.mediation import identify_mediation
from causalnet.identification.answers import Hedge, Identified, InconsistentFactor, NotIdentified
from causalnet.identification.evaluation import Evaluated, evaluate
from causalnet.identification.expressions import ZERO, Difference
from causalnet.identification.oracle import RandomModel
from causalnet.identification.queries import Contrasted, Counterfactual, Mediation, PathSpecific
from causalnet.identification.sources import Sources
from causalnet.identification.values import Value, symbol
from causalnet.identification.verification import verified
from tests.identification.cases import Case, cases
from tests.identification.random_counterfactuals import gap, random_graph

X, OTHER, M, Y = symbol("X"), symbol("X", 1), symbol("M"), symbol("Y")
KINDS: tuple[Contrasted, ...] = ("TE", "CDE", "NDE", "NIE")
TRIANGLE = ADMG.of(directed=[("X", "M"), ("M", "Y"), ("X", "Y")])


def contrast(
    kind: Contrasted, active: Value = X, baseline: Value = OTHER, mediator: str = "M"
) -> Mediation:
    return Mediation(
        kind,
        (Y,),
        (active,),
        (baseline,),
        () if kind == "TE" else (mediator,),
        (symbol(mediator),) if kind == "CDE" else (),
    )


def random_contrast(draw: random.Random, graph: ADMG) -> Mediation:
    order = graph.topological_order()
    kind = draw.choice(KINDS)
    roles = draw.sample(order, 3)
    if draw.random() < 0.8:
        roles.sort(key=order.index)
    x, m, y = roles
    mediators = [m, *(v for v in order if v not in roles and draw.random() < 0.3)]
    return Mediation(
        kind,
        (symbol(y),),
        (symbol(x),),
        (symbol(x, 1),),
        () if kind == "TE" else tuple(mediators),
        tuple(map(symbol, mediators)) if kind == "CDE" else (),
    )


def test_formulas_are_the_truth_in_random_models() -> None:
    seen: Counter[str] = Counter()
    for seed in range(350):
        draw = random.Random(seed)
        graph = random_graph(draw, 3, 5)
        query = random_contrast(draw, graph)
        answer = identify_mediation(query, graph)
        terms = [identify_counterfactual(term, graph) for term in query.terms()]
        both = all(isinstance(term, Identified) for term in terms)
        if isinstance(answer, Identified):
            seen[query.kind] += 1
            seen["zero"] += answer.estimand == ZERO
            seen["zero of unknown terms"] += not both
            seen["several mediators"] += len(query.mediators) > 1
            seen["checked"] += verified(answer, models=1, seed=seed).check.models
            assert both or answer.estimand == ZERO
        else:
            seen["not identified"] += 1
            assert not both
            told = [note for note in answer.notes if note.startswith("the term")]
            assert len(told) == sum(isinstance(term, NotIdentified) for term in terms)
            assert answer.witness in [t.witness for t in terms if isinstance(t, NotIdentified)]
    assert min(seen[kind] for kind in KINDS) > 40, seen
    assert seen["zero"] > 20 and seen["zero of unknown terms"] > 3, seen
    assert seen["several mediators"] > 40 and seen["not identified"] > 30, seen


def values(query: Mediation, graph: ADMG, seed: int) -> Evaluated | None:
    answer = identify_mediation(query, graph)
    if isinstance(answer, NotIdentified):
        return None
    return evaluate(answer.estimand, RandomModel.of(graph, seed).table)


def difference(*terms: Evaluated) -> float:
    """The largest difference of the first from the sum of the others."""
    axes = tuple(sorted({axis for term in terms for axis in term.axes}))
    first, *others = (term.aligned(axes) for term in terms)
    return float(np.max(np.abs(first - sum(others))))


def minus(term: Evaluated) -> Evaluated:
    return Evaluated(term.axes, -term.array)


def test_effects_add_up() -> None:
    """TE = NDE(x from x') - NIE(x' from x) = NDE + what is indirect at the active value."""
    compared = 0
    for seed in range(200):
        draw = random.Random(seed)
        graph = random_graph(draw, 3, 5)
        order = graph.topological_order()
        x, m, y = sorted(draw.sample(order, 3), key=order.index)
        there, back = (symbol(x), symbol(x, 1)), (symbol(x, 1), symbol(x))
        contrasts: tuple[tuple[Contrasted, tuple[Value, Value], tuple[str, ...]], ...] = (
            ("TE", there, ()),
            ("NDE", there, (m,)),
            ("NIE", back, (m,)),
            ("TE", back, ()),
        )
        total, direct, indirect, reverse = (
            values(Mediation(kind, (symbol(y),), (a,), (b,), via), graph, seed)
            for kind, (a, b), via in contrasts
        )
        if total is None or direct is None or indirect is None or reverse is None:
            continue
        compared += bool(np.ptp(indirect.array) > 1e-6)
        assert difference(total, direct, minus(indirect)) < 1e-9
        assert difference(total, minus(reverse)) < 1e-9
    assert compared > 20


def test_mediators_that_cut_off_everything_leave_no_direct_effect() -> None:
    graph = ADMG.of(directed=[("X", "A"), ("X", "B"), ("A", "Y"), ("B", "Y")])
    direct = Mediation("NDE", (Y,), (X,), (OTHER,), ("A", "B"))
    answer = identify_mediation(direct, graph)
    assert isinstance(answer, Identified) and answer.estimand == ZERO
    held = replace(direct, kind="CDE", held=(symbol("A"), symbol("B")))
    controlled = identify_mediation(held, graph)
    assert isinstance(controlled, Identified) and controlled.estimand == ZERO
    indirect = identify_mediation(replace(direct, kind="NIE"), graph)
    total = identify_mediation(replace(direct, kind="TE", mediators=()), graph)
    assert isinstance(indirect, Identified) and isinstance(total, Identified)
    # Y reads X through the mediators only, so that all of the total effect is indirect.
    assert gap(graph, indirect.estimand, total.estimand, 0) < 1e-9


@pytest.mark.parametrize("seed", range(6))
def test_natural_direct_is_path_specific(seed: int) -> None:
    """With one mediator below X and no other way, it is the edge from X to Y."""
    nde, edge = (
        identify_mediation(contrast("NDE"), TRIANGLE),
        identify_path_specific(PathSpecific((Y,), (X,), (OTHER,), (("X", "Y"),)), TRIANGLE),
    )
    assert isinstance(nde, Identified) and isinstance(edge, Identified)
    assert isinstance(nde.estimand, Difference)
    assert gap(TRIANGLE, nde.estimand.minuend, edge.estimand, seed) < 1e-9


TERMS = {
    "TE": "P(y{x}) - P(y{x'})",
    "CDE": "P(y{m, x}) - P(y{m, x'})",
    "NDE": "P(y{M{x'}, x}) - P(y{x'})",
    "NIE": "P(y{M{x}, x'}) - P(y{x'})",
}


@pytest.mark.parametrize("kind", KINDS)
def test_terms_are_those_of_pearl(kind: Contrasted) -> None:
    assert " - ".join(map(str, contrast(kind).terms())) == TERMS[kind]


@pytest.mark.parametrize("case", cases("mediation"), ids=repr)
def test_known_first_terms(case: Case) -> None:
    """A known nested term that some contrast begins with has the contrast's verdict."""
    assert isinstance(case.question, Counterfactual)
    for kind in ("NDE", "CDE"):
        query = contrast(kind)
        if query.terms()[0] == case.question:
            answer = identify_mediation(query, case.graph)
            if not case.identified:
                assert isinstance(answer, NotIdentified)
            else:
                assert isinstance(answer, Identified)
                assert verified(answer, models=4).check.models == 4
            return
    assert case.name in {"med_nie_ett", "med_nested3"}  # conditional, and of two mediators


def test_the_term_that_fails_is_named() -> None:
    graph = ADMG.of(directed=TRIANGLE.directed, bidirected=[("M", "Y")])
    answer = identify_mediation(contrast("NDE"), graph)
    assert isinstance(answer, NotIdentified) and isinstance(answer.witness, InconsistentFactor)
    assert answer.notes == (
        f"the term P(y{{M{{x'}}, x}}) is not identified from P(V); {NO_EXPERIMENT}",
    )
    total = identify_mediation(contrast("TE"), graph)
    assert isinstance(total, Identified)
    bow = ADMG.of(directed=TRIANGLE.directed, bidirected=[("X", "Y")])
    both = identify_mediation(contrast("TE"), bow)
    assert isinstance(both, NotIdentified) and isinstance(both.witness, Hedge)
    assert [note.split(" is ")[0] for note in both.notes] == [
        "the term P(y{x})", "the term P(y{x'})",
    ]  # fmt: skip
    assert all(ALL_EXPERIMENTS in note for note in both.notes)
    told = identify_mediation(contrast("TE"), bow, Sources.of([["X"]]))
    assert isinstance(told, Identified) and verified(told).check.models == 4


def test_a_factor_that_no_experiment_gives_is_the_witness_of_both() -> None:
    graph = ADMG.of(directed=TRIANGLE.directed, bidirected=[("X", "Y"), ("M", "Y")])
    answer = identify_mediation(contrast("NDE"), graph)
    assert isinstance(answer, NotIdentified) and len(answer.notes) == 2
    assert isinstance(answer.witness, InconsistentFactor)


def test_a_mediator_on_no_causal_path_is_noted() -> None:
    graph = ADMG.of(directed=[("X", "Y"), ("C", "Y")], bidirected=[("X", "Y")])
    query = contrast("NIE", mediator="C")
    answer = identify_mediation(query, graph)
    assert isinstance(answer, Identified) and answer.estimand == ZERO  # no term is identified
    assert answer.notes == ("C lies on no causal path from X to Y",)
    assert identify_mediation(contrast("NIE"), TRIANGLE).notes == ()
    unknown = identify_mediation(replace(query, kind="NDE"), graph)
    assert isinstance(unknown, NotIdentified)
    assert unknown.notes[-1] == "C lies on no causal path from X to Y"


def test_the_derivation_shows_both_terms() -> None:
    answer = identify_mediation(contrast("CDE"), TRIANGLE)
    assert isinstance(answer, Identified)
    first, *others = answer.derivation.steps
    assert first.result == "P(y{m, x}) - P(y{m, x'})"
    assert {step.rule.split(",")[0] for step in others} == {"first term", "second term"}


def test_wrong_queries_are_refused() -> None:
    with pytest.raises(UnknownMediatorError):
        identify_mediation(contrast("NDE", mediator="Q"), TRIANGLE)
    bow = ADMG.of(directed=TRIANGLE.directed, bidirected=[("M", "Y")])
    mixed = contrast("NDE", Value("X", "1"))
    with pytest.raises(TermError, match="turns on whether"):
        identify_mediation(mixed, bow)
