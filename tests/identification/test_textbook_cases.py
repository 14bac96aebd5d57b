"""Known answers of the literature, told as text: verdict, formula, verdict from all experiments."""

import json
from dataclasses import dataclass
from functools import cache
from itertools import combinations, product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from causalnet.graphs import ADMG
from causalnet.identification import (
    Answer,
    Bounds,
    Causation,
    Identified,
    NotIdentified,
    Question,
    RandomModel,
    Sources,
    evaluate,
    identify,
    identify_causation,
    parse_expression,
    parse_question,
)


@dataclass(frozen=True)
class Textbook:
    """A question with a known answer; `formula` is "" where none is known."""

    name: str
    graph: ADMG
    question: Question
    sources: Sources
    identified: bool
    formula: str
    from_all: bool | None
    monotone: bool

    def __repr__(self) -> str:
        return self.name

    def answer(self) -> Answer:
        """What is said of the question."""
        if self.monotone:
            assert isinstance(self.question, Causation)
            return identify_causation(self.question, self.graph, self.sources, monotone=True)
        return identify(self.question, self.graph, sources=self.sources, verify=1)


def drawn(text: str) -> ADMG:
    """The graph that edges such as `X->Y X<->Y Z` tell."""
    directed, bidirected, nodes = list[tuple[str, str]](), list[tuple[str, str]](), list[str]()
    for word in text.split():
        bent = "<->" in word
        ends = word.split("<->" if bent else "->")
        nodes += ends
        if len(ends) == 2:
            (bidirected if bent else directed).append((ends[0], ends[1]))
    return ADMG.of(directed, bidirected, list(dict.fromkeys(nodes)))


def told(case: dict[str, Any]) -> Textbook:
    graph = drawn(case["graph"])
    return Textbook(
        case["id"],
        graph,
        parse_question(case["question"], graph),
        Sources.of(**case.get("sources", {})),
        case["identified"],
        case.get("formula", ""),
        case.get("from_all"),
        case.get("monotone", False),
    )


@cache
def textbook() -> tuple[Textbook, ...]:
    found = json.loads((Path(__file__).parent / "textbook_cases.json").read_text())
    return tuple(map(told, found))


def every_experiment(graph: ADMG) -> Sources:
    sizes = range(len(graph))
    return Sources.of([each for size in sizes for each in combinations(graph.nodes, size)])


def largest_difference(case: Textbook, found: Identified) -> float:
    """Of two formulas, where symbols of one variable that are told apart have different levels."""
    known = parse_expression(case.formula, case.graph.nodes)
    axes = sorted(known.free | found.estimand.free)
    many = {value.variable: 2 + (value.primes > 1) for value in axes}
    model = RandomModel.of(
        case.graph, 3, cardinalities=many, differs={d: tuple(v) for d, v in case.sources.differs}
    )
    one, other = evaluate(known, model.tables), evaluate(found.estimand, model.tables)
    worst, compared = 0.0, 0
    for levels in product(*(range(model.levels[value.variable]) for value in axes)):
        at = dict(zip(axes, levels, strict=True))
        taken = [(value.variable, level) for value, level in at.items()]
        if len(set(taken)) == len(taken):
            difference = abs(one.at(at) - other.at(at))
            worst, compared = max(worst, np.inf if np.isnan(difference) else difference), 1
    assert compared
    return worst


@pytest.mark.parametrize("case", textbook(), ids=repr)
def test_the_verdict_is_the_known_one(case: Textbook) -> None:
    answer = case.answer()
    assert isinstance(answer, Identified) == case.identified, str(answer)
    if case.identified and not case.monotone:
        assert isinstance(answer, Identified)
        assert answer.check.models == 1, answer.check
    if not case.identified:
        expected = Bounds if isinstance(case.question, Causation) else NotIdentified
        assert isinstance(answer, expected)


@pytest.mark.parametrize("case", [case for case in textbook() if case.formula], ids=repr)
def test_the_formula_has_the_value_of_the_known_one(case: Textbook) -> None:
    answer = case.answer()
    assert isinstance(answer, Identified)
    assert largest_difference(case, answer) < 1e-9, (answer.estimand, case.formula)


@pytest.mark.parametrize(
    "case", [case for case in textbook() if case.from_all is not None], ids=repr
)
def test_all_experiments_identify_what_they_can(case: Textbook) -> None:
    answer = identify(case.question, case.graph, sources=every_experiment(case.graph), verify=0)
    assert isinstance(answer, Identified) == case.from_all, str(answer)


def test_there_are_many_of_either_verdict() -> None:
    verdicts = [case.identified for case in textbook()]
    assert min(verdicts.count(True), verdicts.count(False)) >= 60
