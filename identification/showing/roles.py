"""What each variable does in a question: treatment, outcome, mediator, and so on."""

from collections.abc import Iterable, Iterator
from typing import assert_never

from causalnet.identification.queries import (
    Causation,
    Counterfactual,
    Effect,
    Fact,
    Mediation,
    PathSpecific,
    Potential,
    Question,
)
from causalnet.identification.values import Value

__all__ = ["roles_in"]


def roles_in(question: Question) -> dict[str, tuple[str, ...]]:
    """Return the roles of the variables that a question names, in words.

    In a counterfactual question a variable may have several.

    >>> from causalnet.graphs.admg import ADMG
    >>> from causalnet.identification.reading.parsing import parse_question
    >>> bow = ADMG.of(directed=[("X", "Y")], bidirected=[("X", "Y")])
    >>> roles_in(parse_question("P(y{x} | x')", bow))
    {'Y': ('outcome',), 'X': ('set', 'known')}
    """
    found: dict[str, tuple[str, ...]] = {}
    for variable, role in _roles(question):
        found[variable] = tuple(dict.fromkeys((*found.get(variable, ()), role)))
    return found


def _roles(question: Question) -> Iterator[tuple[str, str]]:
    match question:
        case Effect(outcomes, treatments, given):
            yield from _each(outcomes, "outcome")
            yield from _each(treatments, "treatment")
            yield from _each(given, "condition")
        case Counterfactual(facts, given):
            yield from ((fact.value.variable, "outcome") for fact in facts)
            yield from _settings(facts + given)
            yield from ((fact.value.variable, "known") for fact in given)
        case PathSpecific():
            yield from _each(question.outcomes, "outcome")
            yield from _each(question.active, "treatment")
        case Mediation():
            yield from _each(question.outcomes, "outcome")
            yield from _each(question.active, "treatment")
            yield from ((name, "mediator") for name in question.mediators)
        case Causation():
            yield question.outcome.variable, "outcome"
            yield question.treatment.variable, "treatment"
        case _:
            assert_never(question)


def _each(values: Iterable[Value], role: str) -> Iterator[tuple[str, str]]:
    return ((value.variable, role) for value in values)


def _settings(facts: Iterable[Fact]) -> Iterator[tuple[str, str]]:
    waiting = [fact.potential for fact in facts]
    while waiting:
        for variable, value in waiting.pop().do:
            yield variable, "set"
            if isinstance(value, Potential):
                waiting.append(value)
