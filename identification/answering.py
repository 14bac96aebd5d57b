"""A question about a causal diagram: the algorithm for it, a short formula, and a check in numbers.

| question | algorithm |
|---|---|
| `Effect` | `id_algorithm` |
| `Counterfactual` | `counterfactuals` |
| `PathSpecific` | `edge_g_formula` |
| `Mediation` | `mediation` |
| `Causation` | `causation` |
"""

from dataclasses import replace
from typing import assert_never

from causalnet.graphs.admg import ADMG
from causalnet.graphs.arguments import check_whole
from causalnet.identification.algorithms.counterfactuals import identify_counterfactual
from causalnet.identification.algorithms.edge_g_formula import identify_path_specific
from causalnet.identification.algorithms.id_algorithm import identify_effect
from causalnet.identification.algorithms.mediation import identify_mediation
from causalnet.identification.answers import (
    Answer,
    Bounds,
    Check,
    Derivation,
    Identified,
    NotIdentified,
    Step,
)
from causalnet.identification.bounding.causation import identify_causation
from causalnet.identification.bounding.natural_bounds import natural_bounds
from causalnet.identification.expressions import Expression, Prob, Product, Sum
from causalnet.identification.formulas.simplify import simplify
from causalnet.identification.omission import without_needless
from causalnet.identification.queries import (
    Causation,
    Counterfactual,
    Effect,
    Mediation,
    PathSpecific,
    Question,
    values_in,
    variables_in,
)
from causalnet.identification.sources import OBSERVED, Distribution, Sources
from causalnet.identification.values import Value
from causalnet.identification.verification import is_affordable, verified

__all__ = ["answered"]

_IN_NUMBERS = "linear_bounds(question, graph, tables, at=...) bounds it in numbers"
_MODELS = 2  # that the default check draws; a wrong formula is mostly caught by the first


def answered(
    question: Question, graph: ADMG, sources: Sources = OBSERVED, verify: int | None = None
) -> Answer:
    """Return a simplified formula that was compared with enumeration, a witness, or bounds.

    Args:
        question: What is asked.
        graph: Of which diagram.
        sources: What is known.
        verify: On how many random models the formula is compared; 0 for none.  If not said, on two
            where that takes about a second at most and the noise has up to 1.3 million states.

    Raises:
        TermError: Roles that overlap, or conditions that cannot happen.
        UnknownMediatorError: A variable that is not in the graph, with the nearest names.
        ParameterError: A number of models below 0, or models too large to be counted.

    >>> from causalnet.identification.values import symbol
    >>> chain = ADMG.of(directed=[("X", "Z"), ("Z", "Y")])
    >>> answered(Effect((symbol("Y"),), (symbol("X"),)), chain).estimand
    P(y|x)
    """
    if verify is not None:
        check_whole(verify, "verify")
    found = _by_algorithm(question, graph, sources)
    if isinstance(found, Bounds):
        return _shortened_bounds(found)
    if isinstance(found, NotIdentified):
        return _bounded(found)
    found = _shortened(_on_fewer(found))
    if verify is not None:
        return verified(found, models=verify) if verify else found
    reason = is_affordable(found)
    return replace(found, check=Check(0, reason=reason)) if reason else verified(found, _MODELS)


def _by_algorithm(question: Question, graph: ADMG, sources: Sources) -> Answer:
    match question:
        case Effect():
            return identify_effect(question, graph, sources)
        case Counterfactual():
            return identify_counterfactual(question, graph, sources)
        case PathSpecific():
            return identify_path_specific(question, graph, sources)
        case Mediation():
            return identify_mediation(question, graph, sources)
        case Causation():
            return identify_causation(question, graph, sources)
        case _:
            assert_never(question)


def _shortened(found: Identified) -> Identified:
    """Simplify a formula, and say of which values it is free."""
    if _is_plain(found):
        return replace(found, notes=found.notes + _free(found.estimand.free, found.query))
    shorter = simplify(found.estimand, found.graph)
    steps = found.derivation.steps
    if shorter.expression != found.estimand:
        rules = ", ".join(dict.fromkeys(step.rule for step in shorter.steps))
        steps += (Step("simplified", rules or "canonical form", str(shorter.expression)),)
    return replace(
        found,
        estimand=shorter.expression,
        derivation=Derivation(steps),
        notes=found.notes + _free(shorter.expression.free, found.query),
    )


def _on_fewer(found: Identified) -> Identified:
    """Ask again of the variables without which the answer is still determined.

    ID does so by itself.  Variables below the treatments of a path-specific question stay, as its
    edges are between them.
    """
    graph, query, sources = found.graph, found.query, found.sources
    if isinstance(query, Effect | Causation) or not found.estimand.free:
        return found
    kept = variables_in(query) | sources.variables()
    if isinstance(query, PathSpecific):
        kept |= graph.descendants(value.variable for value in query.active)
    smaller = without_needless(
        graph.induced(graph.ancestors(kept)),
        kept,
        lambda trial: isinstance(_by_algorithm(query, trial, sources), Identified),
    )
    omitted = [node for node in graph.nodes if node not in smaller]
    if not omitted:
        return found
    again = _by_algorithm(query, smaller, sources)
    assert isinstance(again, Identified)  # as it was asked before
    because = f"the rest determines the answer without {', '.join(omitted)}"
    first = Step("latent projection", because, str(query))
    steps = (first, *again.derivation.steps)
    return replace(again, graph=graph, derivation=Derivation(steps))


def _bounded(found: NotIdentified) -> NotIdentified:
    """Say what observation alone tells of an effect, and what tells more."""
    found = replace(found, notes=(*found.notes, _IN_NUMBERS))
    if not isinstance(found.query, Effect) or Distribution() not in found.sources.distributions:
        return found
    return replace(found, bounds=natural_bounds(found.query, found.graph))


def _shortened_bounds(found: Bounds) -> Bounds:
    """Simplify the formulas of bounds."""

    def shorter(each: Expression) -> Expression:
        return simplify(each, found.graph).expression

    return replace(
        found, lower=tuple(map(shorter, found.lower)), upper=tuple(map(shorter, found.upper))
    )


def _is_plain(found: Identified) -> bool:
    """Return whether a formula is as short as it gets: one probability, or a sum of two.

    Variables that an effect's formula can do without are omitted before; so no sum of two
    probabilities can be one.
    """
    if isinstance(found.estimand, Prob):
        return True
    if not isinstance(found.query, Effect) or not isinstance(found.estimand, Sum):
        return False
    body = found.estimand.body
    factors = body.factors if isinstance(body, Product) else (body,)
    return len(factors) <= 2 and all(isinstance(factor, Prob) for factor in factors)


def _free(symbols: frozenset[Value], question: Question) -> tuple[str, ...]:
    """Say which symbols of a formula are not the question's."""
    others = sorted(symbols - set(values_in(question)))
    if not others:
        return ()
    named = " and ".join(map(str, others))
    verb, values = ("is", "its value") if len(others) == 1 else ("are", "their values")
    return (f"The formula has the same value whatever {named} {verb}; choose {values} freely.",)
