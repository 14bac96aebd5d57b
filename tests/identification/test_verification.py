"""Formulas held to random models: right ones pass, wrong ones never do."""

import random
from itertools import pairwise

import pytest
from hypothesis import given, settings

from causalnet.errors import InternalError, ParameterError
from causalnet.graphs import ADMG, is_m_separated
from causalnet.graphs.gallery import EXAMPLES, example
from causalnet.graphs.textbook import EffectQuery, Example
from causalnet.identification.answers import Derivation, Identified
from causalnet.identification.door import identify
from causalnet.identification.expressions import (
    ONE,
    ZERO,
    Difference,
    Expression,
    Prob,
    Product,
    Ratio,
    Sum,
)
from causalnet.identification.queries import Effect, Question
from causalnet.identification.reading.parsing import parse_expression, parse_question
from causalnet.identification.renaming import renamed
from causalnet.identification.sources import OBSERVED, Sources
from causalnet.identification.values import symbol
from causalnet.identification.verification import is_affordable, verified
from tests.graphs.random_admgs import SEEDS, admgs
from tests.identification.cases import Case, cases
from tests.identification.gallery_questions import question_of

X, Y, Z = map(symbol, "XYZ")
FRONT_DOOR = example("front-door").graph
NAPKIN = example("napkin").graph
WRITTEN = [case for case in EXAMPLES if case.estimand is not None]
KNOWN = [case for case in cases() if case.estimand]


def answer(
    question: Question | str,
    graph: ADMG,
    formula: Expression | str,
    sources: Sources = OBSERVED,
) -> Identified:
    asked = parse_question(question, graph) if isinstance(question, str) else question
    told = parse_expression(formula, graph.nodes) if isinstance(formula, str) else formula
    return Identified(asked, graph, told, Derivation(), sources)


def gallery_answer(case: Example) -> Identified:
    assert case.estimand is not None
    return answer(question_of(case), case.graph, case.estimand)


@pytest.mark.parametrize("case", WRITTEN, ids=lambda case: case.name)
def test_estimands_of_textbooks_are_right(case: Example) -> None:
    told = gallery_answer(case)
    assert is_affordable(told) == ""
    check = verified(told).check
    assert check.models == 4
    assert check.worst < 1e-12
    assert check.reason == ""


@pytest.mark.parametrize("case", KNOWN, ids=lambda case: case.name)
def test_estimands_of_known_cases_are_right(case: Case) -> None:
    told = answer(case.question, case.graph, case.estimand, case.sources)
    assert is_affordable(told) == ""
    assert verified(told).check.worst < 1e-12


def observed_only(question: Question) -> Expression:
    """What someone would say who takes what is seen for what is done."""
    assert isinstance(question, Effect)
    return Prob(question.outcomes, (*question.treatments, *question.given))


EFFECTS = [
    case
    for case in EXAMPLES
    if case.graph.bidirected
    and isinstance(case.query, EffectQuery)
    and case.name not in ("M-bias", "Verma")  # what is seen is what is done, there
]


@pytest.mark.parametrize("case", EFFECTS, ids=lambda case: case.name)
def test_what_is_seen_is_not_what_is_done(case: Example) -> None:
    asked = question_of(case)
    with pytest.raises(InternalError, match="is wrong by"):
        verified(answer(asked, case.graph, observed_only(asked)))


def mutations(case: Example, formula: Expression) -> list[Expression]:
    """Formulas that differ from a right one in one place."""
    matter = sorted(v for v in formula.free if (case.name, str(v)) != ("napkin", "z"))
    found: list[Expression] = [Product((formula, formula)), Difference(ONE, formula)]
    found += [renamed(formula, {v: symbol(v.variable, 3)}) for v in matter]
    if isinstance(formula, Sum):
        found.append(Sum(formula.bound[1:], formula.body) if formula.bound[1:] else formula.body)
    if isinstance(formula, Ratio):
        found.append(formula.numerator)
    return found


@pytest.mark.parametrize("case", WRITTEN, ids=lambda case: case.name)
def test_formulas_with_one_change_are_refused(case: Example) -> None:
    told = gallery_answer(case)
    for formula in mutations(case, told.estimand):
        with pytest.raises(InternalError, match="is wrong by"):
            verified(answer(told.query, told.graph, formula))


def test_the_napkin_is_not_the_conditional() -> None:
    with pytest.raises(InternalError) as told:
        verified(answer("P(y | do(x))", NAPKIN, "P(y|x)"))
    message = str(told.value)
    for part in ("P(y | do(x))", "W -> Z", "X <-> W", "P(y|x)", "seed 0", "P(V)"):
        assert part in message or part.replace("X <-> W", "W <-> X") in message


def test_the_napkin_holds_at_every_value_of_the_symbol_that_does_not_matter() -> None:
    right = "sum[w](P(x,y|w,z) * P(w)) / sum[w](P(x|w,z) * P(w))"
    assert verified(answer("P(y | do(x))", NAPKIN, right)).check.models == 4
    at_one = right.replace("w,z", "w,Z=1")
    assert verified(answer("P(y | do(x))", NAPKIN, at_one)).check.models == 4


def test_sources_are_held_to() -> None:
    graph = example("bow arc").graph
    with pytest.raises(InternalError, match=r"uses P\(V given do\(X\)\), and P\(V\) is known"):
        verified(answer("P(y | do(x))", graph, "P[x](y)"))
    done = verified(answer("P(y | do(x))", graph, "P[x](y)", Sources.of([["X"]])))
    assert done.check.models == 4


def test_other_domains_count_as_different() -> None:
    graph = ADMG.of(directed=[("X", "Y"), ("Z", "Y"), ("Z", "X")])
    sources = Sources.of([[]], {"a": [["X"]]}, {"a": ["Z"]})
    right, wrong = "sum[z](P{a}[x](y|z) * P(z))", "P{a}[x](y)"
    assert verified(answer("P(y | do(x))", graph, right, sources)).check.models == 4
    with pytest.raises(InternalError):
        verified(answer("P(y | do(x))", graph, wrong, sources))
    unchanged = Sources.of([[]], {"a": [["X"]]})
    assert verified(answer("P(y | do(x))", graph, wrong, unchanged)).check.models == 4


def test_different_symbols_are_different_in_counterfactuals_only() -> None:
    graph = ADMG.of(directed=[("X", "Y")])
    # P(y{x}, x') is P(y|x) P(x') where x is not x', and at equal values as well
    assert verified(answer("P(y{x}, x')", graph, "P(y|x) * P(x')")).check.models == 4
    # two facts of one world: 0 where y and y' differ, and only there
    assert verified(answer("P(y{x}, y'{x})", graph, ZERO)).check.models == 4
    with pytest.raises(InternalError):
        verified(answer("te(x, x' -> y)", graph, "P(y|x)"))


def test_as_many_levels_as_there_are_symbols() -> None:
    graph = ADMG.of(directed=[("X", "Y")])
    asked = "P(y{x}, x', y''{x''} | X=3)"
    with pytest.raises(InternalError):
        verified(answer(asked, graph, "P(y|x)"))


def test_levels_are_held_to() -> None:
    graph = ADMG.of(directed=[("X", "Y"), ("Z", "X"), ("Z", "Y")])
    right = "sum[z](P(Y=2|X=1,z) * P(z))"
    assert verified(answer("P(Y=2 | do(X=1))", graph, right)).check.models == 4
    with pytest.raises(InternalError):
        verified(answer("P(Y=2 | do(X=1))", graph, right.replace("X=1", "X=0")))


def test_nothing_to_compare_is_no_check() -> None:
    graph = ADMG.of(directed=[("X", "Y")])
    check = verified(answer("P(y | X=0, X=1)", graph, "P(y)")).check if False else None
    told = answer("P(y{x} | x, x')", graph, "P(y|x)")
    check = verified(told).check
    assert (check.models, check.reason) == (0, "no assignment of the symbols has an answer")
    assert "not verified" in str(check)


def test_time_that_runs_out_is_told() -> None:
    check = verified(gallery_answer(example("front-door")), models=50, seconds=0.0).check
    assert check.models == 1
    assert check.reason == "stopped after 0 s"


def test_only_what_matters_is_drawn() -> None:
    far = [(f"Y{k}", f"Y{k + 1}") for k in range(30)]
    graph = ADMG.of(directed=[("X", "Z"), ("Z", "Y"), ("Y", "Y0"), *far], bidirected=[("X", "Y")])
    formula = "sum[z](P(z|x) * sum[x'](P(y|x',z) * P(x')))"
    told = answer("P(y | do(x))", graph, formula)
    assert is_affordable(told) == ""
    assert verified(told).check.models == 4


def test_large_questions_are_not_affordable() -> None:
    names = [f"V{k}" for k in range(18)]
    graph = ADMG.of(directed=list(pairwise(names)))
    counted = answer("P(v17{v0} | v0')", graph, "P(v17|v0)")
    assert is_affordable(counted).startswith("noise and hidden variables have 387,420,489 states")
    with pytest.raises(ParameterError, match="387,420,489 states"):
        verified(counted)
    dense = [(a, b) for at, a in enumerate(names) for b in names[at + 1 :]]
    longer = ADMG.of(directed=dense, bidirected=dense)
    assert "operations" in is_affordable(answer("P(v17 | do(v0))", longer, "P(v17|v0)"))


def test_checks_have_a_model() -> None:
    with pytest.raises(ParameterError, match="models"):
        verified(gallery_answer(example("front-door")), models=0)


def test_too_many_symbols_are_not_affordable() -> None:
    graph = ADMG.of(directed=[("X", "Y")])
    many = Product((Prob((Y,), (X,)), *(Prob((symbol("Y", k),)) for k in range(1, 40))))
    told = answer("P(y | do(x))", graph, many)
    assert "operations" in is_affordable(told)
    with pytest.raises(ParameterError, match="32 axes"):
        verified(told)


def test_effects_in_long_chains_are_affordable() -> None:
    graph = ADMG.of(directed=[(f"V{k}", f"V{k + 1}") for k in range(50)])
    told = answer("P(v50 | do(v0))", graph, "P(v50|v0)")
    assert is_affordable(told) == ""
    assert verified(told).check.models == 4
    with pytest.raises(InternalError):
        verified(answer("P(v50 | do(v49))", graph, "P(v50|v48)"))


def test_checks_are_the_same_each_time() -> None:
    told = gallery_answer(example("napkin"))
    assert verified(told).check == verified(told).check


@settings(max_examples=80)
@given(admgs(2, 6), SEEDS)
def test_seeing_is_doing_where_nothing_but_causal_paths_is_open(graph: ADMG, seed: int) -> None:
    x, y = random.Random(seed).sample(graph.nodes, 2)
    told = answer(Effect((symbol(y),), (symbol(x),)), graph, Prob((symbol(y),), (symbol(x),)))
    if is_m_separated(graph.cut_out([x]), [x], [y], []):
        assert verified(told).check.worst < 1e-12
    else:
        with pytest.raises(InternalError, match="is wrong by"):
            verified(told)


@pytest.mark.parametrize(
    ("question", "wrong"), [("P(y'{x'} | x, y)", "1"), ("P(y{x}, y{x'})", "0")]
)
def test_a_variable_may_stay_as_it_is_while_a_parent_changes(question: str, wrong: str) -> None:
    graph = ADMG.of(directed=[("X", "Y")])
    told = Identified(parse_question(question, graph), graph, parse_expression(wrong), Derivation())
    with pytest.raises(InternalError):
        verified(told, models=2)


def test_conditions_on_two_worlds_can_happen() -> None:
    graph = ADMG.of(directed=[("Z", "Y")], nodes=["W"])
    found = identify("P(w | y{z'}, y{z})", graph)
    assert isinstance(found, Identified) and found.check.models == 2
