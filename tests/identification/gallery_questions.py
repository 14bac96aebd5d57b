"""What textbook graphs are asked, as questions of identification."""

from causalnet.graphs.counterfactual_graph import Event
from causalnet.graphs.textbook import EffectQuery, EventsQuery, Example, PathQuery
from causalnet.identification.queries import (
    Counterfactual,
    Effect,
    Fact,
    PathSpecific,
    Potential,
    Question,
)
from causalnet.identification.values import Value, symbol


def question_of(example: Example) -> Question:
    """The question: x is the active value of X, and x' its baseline."""
    match example.query:
        case EffectQuery(treatments, outcomes, given):
            return Effect(
                tuple(map(symbol, outcomes)),
                tuple(map(symbol, treatments)),
                tuple(map(symbol, given)),
            )
        case PathQuery(treatments, outcome, edges):
            active = tuple(map(symbol, treatments))
            baseline = tuple(symbol(each, 1) for each in treatments)
            return PathSpecific((symbol(outcome),), active, baseline, edges)
        case EventsQuery(events, given):
            return Counterfactual(tuple(map(_fact, events)), tuple(map(_fact, given)))


def _fact(event: Event) -> Fact:
    do = {name: Value(name, value) for name, value in event.copy.do}
    variable = event.copy.variable
    return Fact(Potential.of(variable, do), Value(variable, event.value))
