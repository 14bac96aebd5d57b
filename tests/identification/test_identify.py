"""The door: known answers, random questions of every kind, and what is refused."""

import random
from collections import Counter

import pytest

from causalnet.errors import InternalError, ParameterError, TermError, UnknownMediatorError
from causalnet.graphs import ADMG, TransformerShape, transformer_graph
from causalnet.identification import (
    Bounds,
    Counterfactual,
    Identified,
    Mediation,
    NotIdentified,
    PathSpecific,
    Prob,
    Sources,
    identify,
    renamed,
    symbol,
    verified,
)
from causalnet.identification.omission import without_needless
from causalnet.interventions import nie
from tests.identification.cases import Case, cases
from tests.identification.random_counterfactuals import random_graph, random_paths, random_query
from tests.identification.random_terms import mediation

FRONT_DOOR = ADMG.of([("X", "Z"), ("Z", "Y")], [("X", "Y")])
BOW = ADMG.of([("X", "Y")], [("X", "Y")])


@pytest.mark.parametrize("case", cases(), ids=repr)
def test_known_answers(case: Case) -> None:
    found = identify(str(case.question), case.graph, sources=case.sources, verify=4)
    assert isinstance(found, Identified) == case.identified
    if isinstance(found, Identified):  # tolerance 1e-9 against enumeration, every assignment
        assert found.check.models == 4
        assert len(_plain(found.estimand)) <= len(_plain(case.estimand))


def _plain(formula: object) -> str:
    """A formula without primes: some authors use one symbol for two bound values."""
    return str(formula).replace("'", "")


def test_random_questions_of_every_kind() -> None:
    draw, seen = random.Random(0), Counter[tuple[type, type]]()
    for _ in range(250):
        graph = random_graph(draw, 4, 6)
        for question in (random_query(draw, graph), random_paths(draw, graph)):
            try:  # a wrong formula is an error, and so is a wrong witness
                found = identify(question, graph)
            except TermError as error:
                seen[type(question), TermError] += 1
                assert "probability zero" in str(error)
                continue
            seen[type(question), type(found)] += 1
            assert found.graph == graph and found.query == question
        contrast = mediation(draw, graph)
        if not any(v.level is not None for v in (*contrast.active, *contrast.baseline)):
            found = identify(contrast, graph)
            seen[type(contrast), type(found)] += 1
    verdicts = (Identified, NotIdentified)
    kinds = (Counterfactual, PathSpecific, Mediation)
    assert min(seen[kind, verdict] for kind in kinds for verdict in verdicts) >= 20


def test_what_is_omitted_is_needless_and_the_rest_is_not() -> None:
    draw = random.Random(1)
    for _ in range(60):
        graph = random_graph(draw, 3, 6)
        wanted = frozenset(draw.sample(graph.nodes, draw.randint(1, len(graph))))
        kept = frozenset(draw.sample(graph.nodes, 1))

        def holds(trial: ADMG, wanted: frozenset[str] = wanted) -> bool:
            return wanted <= set(trial.nodes)

        assert set(without_needless(graph, kept, holds).nodes) == wanted | kept


def test_needed_variables_are_found_by_halving() -> None:
    asked: list[ADMG] = []

    def holds(trial: ADMG) -> bool:
        asked.append(trial)
        return "V700" in trial

    found = without_needless(ADMG.of(nodes=[f"V{at}" for at in range(1024)]), ["V0"], holds)
    assert set(found.nodes) == {"V0", "V700"} and len(asked) <= 21


def test_a_formula_is_over_few_variables_however_large_the_graph() -> None:
    chain = [(f"C{at}", f"C{at + 1}") for at in range(30)]
    graph = ADMG.of([*chain, ("C30", "X"), ("C0", "Y"), ("X", "Y"), ("X", "M"), ("M", "Y")])
    for question in ("P(y | do(x))", "te(X -> Y)", "P(y{x} | x')", "P(y | do(x along X -> Y))"):
        found = identify(question, graph)
        assert isinstance(found, Identified)
        assert sum(name.startswith("c") for name in _names(found)) == 1
        assert "latent projection" in str(found.derivation)


def _names(found: Identified) -> set[str]:
    text = str(found.estimand).replace("sum", "")
    for mark in "[]()*|,-'":
        text = text.replace(mark, " ")
    return set(text.split())


def test_the_answer_says_when_it_was_not_checked() -> None:
    asked = identify("P(y | do(x))", FRONT_DOOR, verify=0)
    assert isinstance(asked, Identified)
    assert str(asked.check) == "not verified numerically: it was not asked for"
    wide = [(f"C{at}", end) for at in range(30) for end in "XY"]
    large = identify("P(y | do(x))", ADMG.of([*wide, ("X", "Y")]))
    assert isinstance(large, Identified) and not large.check.models and large.check.reason
    assert isinstance(identify("P(y | do(x))", FRONT_DOOR), Identified)


def test_a_wrong_formula_is_not_returned() -> None:
    found = identify("P(y | do(x))", FRONT_DOOR)
    assert isinstance(found, Identified)
    z, other = symbol("Z"), symbol("Z", 1)
    wrong = (
        Prob((symbol("Y"),), (symbol("X"),)),
        renamed(Prob((symbol("Y"),), (symbol("X"), z)), {z: other}),
    )
    for formula in wrong:
        answer = Identified(found.query, FRONT_DOOR, formula, found.derivation)
        with pytest.raises(InternalError, match=r"P\(y \| do\(x\)\)"):
            verified(answer)


def test_symbols_of_no_importance_are_named() -> None:
    napkin = ADMG.of([("W", "Z"), ("Z", "X"), ("X", "Y")], [("W", "X"), ("W", "Y")])
    found = identify("P(y | do(x))", napkin)
    assert isinstance(found, Identified)
    assert found.notes == (
        "The formula has the same value whatever z is; choose its value freely.",
    )


def test_what_is_not_identified_is_an_answer_with_bounds() -> None:
    found = identify("P(y | do(x))", BOW)
    assert isinstance(found, NotIdentified) and found.bounds is not None
    assert "at most 1 - (P(x) - P(x,y))" in str(found)
    only_experiments = identify("P(y | do(x))", BOW, sources=Sources.of([["Y"]]))
    assert isinstance(only_experiments, NotIdentified) and only_experiments.bounds is None
    assert isinstance(identify("pns(X -> Y)", BOW), Bounds)


@pytest.mark.parametrize(
    ("question", "error", "told"),
    [
        ("P(y | do(x)", TermError, "column 12: the text ends"),
        ("P(y | do(q))", UnknownMediatorError, "Unknown node 'q'"),
        ("P(x | do(x))", TermError, "an outcome and a treatment at once"),
        ("P(y | do(x), x)", TermError, "a treatment and a condition at once"),
        ("P(y{x} | x, x')", TermError, "probability zero"),
        ("nde(X -> Y)", TermError, "via"),
        ("", TermError, "the text is empty"),
    ],
)
def test_bad_questions(question: str, error: type[Exception], told: str) -> None:
    with pytest.raises(error, match=told.replace("(", r"\(")):
        identify(question, BOW)


def test_contradictions_have_probability_zero() -> None:
    for text in ("P(y{x}, y'{x})", "P(x'{x}, y)", "P(y, y'{x}, x)"):
        found = identify(text, BOW)
        assert isinstance(found, Identified) and str(found.estimand) == "0"


def test_other_arguments_are_refused() -> None:
    net = transformer_graph(TransformerShape(2, 2, 2, 8, 4, 16, 11))
    with pytest.raises(ParameterError, match="verify is -1"):
        identify("P(y | do(x))", BOW, verify=-1)
    with pytest.raises(ParameterError, match="Both sources and access"):
        identify("P(y | do(x))", BOW, sources=Sources.of([["X"]]), access="full")
    with pytest.raises(ParameterError, match="no ADMG"):
        identify("P(y)", {"X": []})  # type: ignore[call-overload]  # a wrong type on purpose
    with pytest.raises(TermError, match="about a network"):
        identify(nie(net.heads()), BOW)  # type: ignore[call-overload]  # for a network only
    with pytest.raises(ParameterError, match="42"):
        identify(42, BOW)  # type: ignore[call-overload]  # a wrong type on purpose
    with pytest.raises(UnknownMediatorError, match="Unknown node 'Q'"):
        identify("P(y | do(x))", BOW, sources=Sources.of([["Q"]]))


def test_a_network_at_hand_is_run() -> None:
    net = transformer_graph(TransformerShape(2, 2, 2, 8, 4, 16, 11))
    answer = identify("nie(heads; at=end)", net)
    assert "cn.run(query, net, pairs)" in str(answer) and "not needed" in str(answer)
