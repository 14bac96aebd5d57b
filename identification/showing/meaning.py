"""What a question asks, in plain words."""

from collections.abc import Iterable
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
from causalnet.identification.values import Value, quoted_name

__all__ = ["meaning_of"]

_SHOWN = 4  # edges that are told again


def meaning_of(question: Question) -> str:
    """Return what a question asks, in plain words.

    >>> from causalnet.identification.values import symbol
    >>> meaning_of(Effect((symbol("Y"),), (symbol("X"),), (symbol("Z"),)))
    'how Y is distributed where X is set to x, among units with Z = z'
    """
    match question:
        case Effect(outcomes, treatments, given):
            set_ = f" where {_settings(treatments)}" if treatments else ""
            among = f", among units with {_equal(given)}" if given else ""
            return f"how {_variables(outcomes)} {_be(outcomes)} distributed{set_}{among}"
        case Counterfactual(facts, given):
            known = f", given that {_all(_fact(fact) for fact in given)}" if given else ""
            return f"how probable it is that {_all(map(_fact, facts))}{known}"
        case PathSpecific(outcomes, active, baseline, edges):
            along = ", ".join(f"{quoted_name(a)} -> {quoted_name(b)}" for a, b in edges)
            along = along if len(edges) <= _SHOWN else "the edges that are named"
            return (
                f"how {_variables(outcomes)} {_be(outcomes)} distributed where {_settings(active)} "
                f"along {along or 'no edge'}, and to {_symbols(baseline)} along all other edges"
            )
        case Mediation():
            return _contrast(question)
        case Causation():
            return _causation(question)
        case _:
            assert_never(question)


def _contrast(question: Mediation) -> str:
    change = (
        f"how the distribution of {_variables(question.outcomes)} changes where "
        f"{_variables(question.active)} {_be(question.active)}"
    )
    active, baseline = _symbols(question.active), _symbols(question.baseline)
    mediators = _all(map(quoted_name, question.mediators))
    follow = "follows" if len(question.mediators) == 1 else "follow"
    match question.kind:
        case "TE":
            return f"{change} set to {active} instead of {baseline}"
        case "CDE":
            held = _settings(question.held)
            return f"{change} set to {active} instead of {baseline}, while {held}"
        case "NDE":
            return (
                f"{change} set to {active} instead of {baseline}, while {mediators} {follow} "
                f"{baseline}"
            )
        case "NIE":
            return (
                f"{change} set to {baseline}, while {mediators} {follow} {active} instead of "
                f"{baseline}"
            )
        case _:
            assert_never(question.kind)


def _causation(question: Causation) -> str:
    x, other = _is(question.treatment), _is(question.baseline)
    y, contrary = _is(question.outcome), _is(question.contrary)
    treatment = question.treatment.variable
    had_been_x, had_been_other = (
        f"had {_setting(treatment, value)}" for value in (question.treatment, question.baseline)
    )
    match question.kind:
        case "PN":
            return f"how probable it is, given that {x} and {y}, that {contrary} {had_been_other}"
        case "PS":
            return f"how probable it is, given that {other} and {contrary}, that {y} {had_been_x}"
        case "PNS":
            return f"how probable it is that {y} {had_been_x}, and {contrary} {had_been_other}"
        case _:
            assert_never(question.kind)


def _is(value: Value) -> str:
    return f"{quoted_name(value.variable)} = {quoted_name(value.name)}"


def _fact(fact: Fact) -> str:
    had = [_setting(name, value) for name, value in fact.potential.do]
    return f"{_is(fact.value)}{f' had {_all(had)}' if had else ''}"


def _setting(name: str, value: Value | Potential) -> str:
    if isinstance(value, Value):
        return f"{quoted_name(name)} been {quoted_name(value.name)}"
    return (
        f"{quoted_name(name)} been as in {value}" if value.do else f"{quoted_name(name)} been free"
    )


def _all(each: Iterable[str]) -> str:
    parts = [*each]
    *most, last = parts or [""]
    return f"{', '.join(most)} and {last}" if most else last


def _variables(values: Iterable[Value]) -> str:
    return _all(quoted_name(value.variable) for value in values)


def _symbols(values: Iterable[Value]) -> str:
    return _all(quoted_name(value.name) for value in values)


def _equal(values: Iterable[Value]) -> str:
    return _all(map(_is, values))


def _settings(values: tuple[Value, ...]) -> str:
    return f"{_variables(values)} {_be(values)} set to {_symbols(values)}"


def _be(values: tuple[Value, ...]) -> str:
    return "is" if len(values) == 1 else "are"
