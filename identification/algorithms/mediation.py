"""Total, controlled direct, natural direct and natural indirect effects: contrasts of two terms.

| effect | its first term | what is subtracted | source |
|---|---|---|---|
| TE | P(y{x}) | P(y{x'}) | |
| CDE | P(y{x, m}) | P(y{x', m}) | Pearl (2001), "Direct and indirect effects" |
| NDE | P(y{x, M{x'}}) | P(y{x'}) | Pearl (2001) |
| NIE | P(y{x', M{x}}) | P(y{x'}) | Pearl (2001) |

Each term is a counterfactual probability, nested for natural effects, and ID* says whether it is
identified.  Several mediators are taken together.
"""

from collections.abc import Mapping
from typing import TypeAlias

from causalnet.graphs.admg import ADMG, check_admg
from causalnet.identification.algorithms.counterfactuals import (
    ALL_EXPERIMENTS,
    has_same_probability,
    identify_counterfactual,
)
from causalnet.identification.answers import Derivation, Identified, NotIdentified, Step
from causalnet.identification.expressions import ZERO, difference
from causalnet.identification.queries import Mediation, Potential
from causalnet.identification.sources import OBSERVED, Sources
from causalnet.identification.values import Value

__all__ = ["identify_mediation"]

_World: TypeAlias = Mapping[str, Value | Potential]


def identify_mediation(
    query: Mediation, graph: ADMG, sources: Sources = OBSERVED
) -> Identified | NotIdentified:
    """Return an effect as the difference of two formulas, or why one of its terms has none.

    Where the axioms of counterfactuals make the two terms one, the effect is 0, whether or not the
    term is identified.

    Args:
        query: What is asked.
        graph: Of what.
        sources: What is known; P(V) if not said.

    Raises:
        UnknownMediatorError: A variable that is not in the graph.
        TermError: A query that turns on whether a symbol is a level.

    >>> from causalnet.identification.values import symbol
    >>> x, other, y = symbol("X"), symbol("X", 1), symbol("Y")
    >>> graph = ADMG.of(directed=[("X", "M"), ("M", "Y"), ("X", "Y")])
    >>> identify_mediation(Mediation("NDE", (y,), (x,), (other,), ("M",)), graph).estimand
    sum[m](P(m|x') * P(y|m,x)) - sum[m](P(m|x') * P(y|m,x'))
    """
    check_admg(graph)
    sources.check(graph)
    roles = (*query.outcomes, *query.active, *query.baseline, *query.held)
    graph.indices([*(value.variable for value in roles), *query.mediators])
    first, second = query.terms()
    notes = _notes(query, graph)
    if has_same_probability(first, second, graph):
        because = f"{first} and {second} are one: the same copies at the same values"
        step = Step("composition and exclusion", because, "0")
        return Identified(query, graph, ZERO, Derivation((step,)), sources, notes=notes)
    answers = [identify_counterfactual(term, graph, sources) for term in (first, second)]
    missing = [answer for answer in answers if isinstance(answer, NotIdentified)]
    if missing:
        told = tuple(f"the term {each.query} is {_verdict(each)}" for each in missing)
        # A factor that no experiment identifies says more than one that is not in the data.
        worst = min(missing, key=_helped)
        return NotIdentified(query, graph, worst.witness, sources, (*told, *notes))
    one, other = (each for each in answers if isinstance(each, Identified))
    shape = Step(f"{query.kind} (Pearl 2001)", "a contrast of two terms", f"{first} - {second}")
    steps = (shape, *_of(one, "first term"), *_of(other, "second term"))
    estimand = difference(one.estimand, other.estimand)
    return Identified(query, graph, estimand, Derivation(steps), sources, notes=notes)


def _notes(query: Mediation, graph: ADMG) -> tuple[str, ...]:
    """Name mediators through which no causal path leads from a treatment to an outcome."""
    treatments, outcomes = ([v.variable for v in part] for part in (query.active, query.outcomes))
    left = graph.cut_in(treatments)  # proper paths meet treatments in their first node only
    between = left.descendants(treatments) & left.ancestors(outcomes)
    return tuple(
        f"{name} lies on no causal path from {', '.join(treatments)} to {', '.join(outcomes)}"
        for name in query.mediators
        if name not in between
    )


def _helped(answer: NotIdentified) -> bool:
    return any(note.startswith(ALL_EXPERIMENTS) for note in answer.notes)


def _verdict(answer: NotIdentified) -> str:
    return f"not identified from {answer.sources}; {'; '.join(answer.notes)}"


def _of(answer: Identified, name: str) -> tuple[Step, ...]:
    return tuple(
        Step(f"{name}, {step.rule}", step.because, step.result) for step in answer.derivation.steps
    )
