"""How to estimate a formula from logs of a network, and whether data can support it.

| formula | estimator |
|---|---|
| one conditional probability | conditional mean: nothing is adjusted for |
| adjustment, sum over z of P(y given x, z) P(z) | AIPW for few levels, regression for many |
| anything else | plug-in: every factor is a table, or a fitted model |

A network has no noise.  Where the variables on which a factor conditions determine one another,
there are no data for other combinations than those that occur, whatever the size of the log.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import final

from causalnet.identification.answers import Identified
from causalnet.identification.expressions import Expression, Prob, Product, Sum, parts_of
from causalnet.identification.networks.diagrams import Diagram
from causalnet.identification.queries import values_in
from causalnet.identification.values import Value

__all__ = ["Suggestion", "suggested"]

_PLUG_IN = ("plug-in", "each factor is a table if variables are discrete, else a model")


@final
@dataclass(frozen=True, slots=True)
class Suggestion:
    """How to estimate a formula.

    Attributes:
        estimator: What to use.
        reason: Why.
        positivity: Where there are no data for what the formula needs, one line for each factor;
            none where a log can support it.
    """

    estimator: str
    reason: str
    positivity: tuple[str, ...] = ()

    def lines(self) -> list[str]:
        """Return the suggestion, a few lines."""
        told = [f"estimate by {self.estimator}: {self.reason}"]
        if self.positivity:
            told += ["positivity fails, so that any number is an extrapolation by a model:"]
        return told + [f"  {line}" for line in self.positivity]


def suggested(found: Identified, diagram: Diagram) -> Suggestion:
    """Return how to estimate a formula, and where data cannot support it.

    >>> from causalnet.graphs import plain_graph
    >>> from causalnet.identification.networks.access import Logs
    >>> from causalnet.identification.networks.diagrams import network_diagram
    >>> from causalnet.identification.algorithms.id_algorithm import identify_effect
    >>> from causalnet.identification.reading.parsing import parse_question
    >>> graph = plain_graph({"X": (), "M": ("X",), "Y": ("X", "M")})
    >>> diagram = network_diagram(graph, Logs(("X", "M", "Y")))
    >>> found = identify_effect(parse_question("P(y | do(m))", diagram.graph), diagram.graph)
    >>> suggestion = suggested(found, diagram)
    >>> suggestion.estimator, *suggestion.positivity
    ('regression', 'P(y|m,x): X determines M')
    """
    estimator, reason = _estimator(found.estimand, diagram)
    return Suggestion(estimator, reason, tuple(dict.fromkeys(_gaps(found, diagram))))


def _estimator(estimand: Expression, diagram: Diagram) -> tuple[str, str]:
    match estimand:
        case Prob():
            return "a conditional mean", "nothing has to be adjusted for"
        case Sum(bound, Product(factors)) if len(factors) == 2 and _is_adjustment(bound, factors):
            names = ", ".join(value.variable for value in bound)
            if diagram.has_noise and len(set(map(_population, factors))) > 1:
                return _PLUG_IN
            if diagram.has_noise:
                return "AIPW", f"it adjusts for {names}, and is right if one of two models is"
            return (
                "regression",
                f"it adjusts for {names}, which has many levels in a log of activations; with few "
                "levels AIPW protects against one of two wrong models",
            )
        case _:
            return _PLUG_IN


def _population(factor: Expression) -> tuple[str, tuple[Value, ...]] | None:
    """Return where data for a factor come from."""
    return (factor.domain, factor.do) if isinstance(factor, Prob) else None


def _is_adjustment(bound: tuple[Value, ...], factors: tuple[Expression, ...]) -> bool:
    plain = [f for f in factors if isinstance(f, Prob) and not f.given and set(f.of) == set(bound)]
    rest = [f for f in factors if isinstance(f, Prob) and set(bound) <= set(f.given)]
    return len(plain) == 1 and len(rest) == 1


def _gaps(found: Identified, diagram: Diagram) -> Iterator[str]:
    """Yield, for each factor, the condition that others determine.

    What an experiment sets, and the formula leaves open, can be set to any value: it is pooled.
    """
    asked = set(values_in(found.query))
    for factor in _probabilities(found.estimand):
        given = [value.variable for value in factor.given]
        pooled = [v for v in factor.do if v in found.estimand.free and v not in asked]
        free = [value.variable for value in pooled]
        held = [value.variable for value in factor.do if value not in pooled]
        for variable in given:
            others = [*(each for each in given if each != variable), *held]
            if diagram.is_determined(variable, others, free):
                verb = "determines" if len(others) == 1 else "determine"
                told = ", ".join(others) or "the network"
                yield f"{factor}: {told} {verb if others else 'alone determines'} {variable}"
                break


def _probabilities(estimand: Expression) -> Iterator[Prob]:
    waiting, seen = [estimand], set[Expression]()
    while waiting:
        node = waiting.pop()
        if node in seen:
            continue
        seen.add(node)
        if isinstance(node, Prob):
            yield node
        waiting += parts_of(node)
