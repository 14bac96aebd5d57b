"""Probabilities of causation: was the treatment needed, would it do, both.

PN = P(y'{x'} given x, y), PS = P(y{x} given x', y'), PNS = P(y{x}, y'{x'}).  They compare what
happens to one unit in two worlds, and are seldom identified; Tian and Pearl (2000), "Probabilities
of causation: bounds and identification", bound them by what is seen and by experiments.

| | at least | at most |
|---|---|---|
| PNS | 0, P(y{x}) - P(y{x'}), P(y) - P(y{x'}), P(y{x}) - P(y) | P(y{x}), P(y'{x'}), ... |
| PN | 0, (P(y) - P(y{x'})) / P(x,y) | 1, (P(y'{x'}) - P(x',y')) / P(x,y) |
| PS | 0, (P(y{x}) - P(y)) / P(x',y') | 1, (P(y{x}) - P(x,y)) / P(x',y') |

PNS is also at most P(x,y) + P(x',y'), and at most P(y{x}) - P(y{x'}) + P(x,y') + P(x',y).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import assert_never, final

from causalnet.errors import ParameterError
from causalnet.graphs.admg import ADMG
from causalnet.identification.algorithms.counterfactuals import identify_counterfactual
from causalnet.identification.algorithms.id_algorithm import identify_effect
from causalnet.identification.answers import Bounds, Derivation, Identified, NotIdentified, Step
from causalnet.identification.expressions import (
    ONE,
    ZERO,
    Expression,
    Prob,
    difference,
    ratio,
    text_of,
)
from causalnet.identification.queries import Causation, Effect
from causalnet.identification.sources import OBSERVED, Distribution, Sources
from causalnet.identification.values import Value

__all__ = ["identify_causation"]

_BINARY = "treatment and outcome have two levels each: y' is not y, and x' is not x"
_MONOTONE = "the treatment is taken to prevent the outcome in nobody, as was declared"


def identify_causation(
    query: Causation,
    graph: ADMG,
    sources: Sources = OBSERVED,
    *,
    monotone: bool = False,
    levels: Mapping[str, int] | None = None,
) -> Identified | Bounds:
    """Return a probability of causation from what is known, or bounds on it.

    Treatment and outcome are taken to have two levels each, which the answer says.  The bounds use
    each of P(V), P(y{x}) and P(y{x'}) that is known or identified; they are sharp if nothing else
    is known than P(x,y) and the two experiments (Tian and Pearl), and hold in any case.

    Args:
        query: What is asked.
        graph: Of what.
        sources: What is known.
        monotone: Whether the treatment is known to prevent the outcome in nobody: no unit has
            y'{x} and y{x'}.  Then PNS = P(y{x}) - P(y{x'}), and PN and PS follow as well, where
            these effects are identified.
        levels: How many levels variables have; not needed, and looked at if given.

    Raises:
        UnknownMediatorError: A variable that is not in the graph.
        ParameterError: A treatment or an outcome with more than two levels.

    >>> from causalnet.identification.values import symbol
    >>> x, y = symbol("X"), symbol("Y")
    >>> query = Causation("PNS", y, x, symbol("Y", 1), symbol("X", 1))
    >>> bow = ADMG.of(directed=[("X", "Y")], bidirected=[("X", "Y")])
    >>> print(*identify_causation(query, bow).upper)
    1 - P(x,y') - P(x',y)
    >>> graph = ADMG.of(directed=[("X", "Y")])
    >>> identify_causation(query, graph, monotone=True).estimand
    P(y|x) - P(y|x')
    """
    graph.indices([query.treatment.variable, query.outcome.variable])
    sources.check(graph)
    _check_binary(query, levels or {})
    told = identify_counterfactual(query.counterfactual(), graph, sources)
    if isinstance(told, Identified):
        notes = (_BINARY, *told.notes)
        return Identified(query, graph, told.estimand, told.derivation, sources, notes=notes)
    known = _Known.of(query, graph, sources)
    if monotone:
        estimand = _if_monotone(query, known)
        if estimand is not None:
            step = Step("monotonicity, Tian and Pearl (2000)", _MONOTONE, text_of(estimand))
            return Identified(
                query, graph, estimand, Derivation((step,)), sources, notes=(_BINARY, _MONOTONE)
            )
    return _bounds(query, graph, sources, known, told, monotone)


def _check_binary(query: Causation, levels: Mapping[str, int]) -> None:
    for one, other in ((query.treatment, query.baseline), (query.outcome, query.contrary)):
        most = max(one.level or 0, other.level or 0) + 1
        count = max(levels.get(one.variable, 2), most)
        if count != 2:
            raise ParameterError(
                f"{one.variable!r} has {count} levels.",
                "Probabilities of causation are about two: with the treatment and without, "
                "the outcome or not.",
                "Merge levels, or ask for a counterfactual such as P(y{x}, y'{x'}).",
            )


@final
@dataclass(frozen=True, slots=True)
class _Known:
    """What is known of treatment and outcome; None for what is not.

    Attributes:
        x_y: P(x,y).
        x_not: P(x,y').
        other_y: P(x',y).
        other_not: P(x',y').
        y: P(y).
        treated: P(y{x}).
        spared: P(y{x'}).
        spared_not: P(y'{x'}).
    """

    x_y: Expression | None
    x_not: Expression | None
    other_y: Expression | None
    other_not: Expression | None
    y: Expression | None
    treated: Expression | None
    spared: Expression | None
    spared_not: Expression | None

    @staticmethod
    def of(query: Causation, graph: ADMG, sources: Sources) -> "_Known":
        """Ask for each of them."""
        x, other, y, contrary = query.treatment, query.baseline, query.outcome, query.contrary

        def found(outcomes: tuple[Value, ...], do: tuple[Value, ...] = ()) -> Expression | None:
            do_names = tuple(value.variable for value in do)
            if Distribution(do_names) in sources.distributions:
                return Prob(outcomes, do=do)
            answer = identify_effect(Effect(outcomes, do), graph, sources)
            return answer.estimand if isinstance(answer, Identified) else None

        return _Known(
            found((x, y)), found((x, contrary)), found((other, y)), found((other, contrary)),
            found((y,)), found((y,), (x,)), found((y,), (other,)), found((contrary,), (other,)),
        )  # fmt: skip


_Formula = tuple[Callable[..., Expression], tuple[Expression | None, ...]]


def _made(*formulas: _Formula) -> tuple[Expression, ...]:
    """Return the formulas all of whose parts are known, each once."""
    made = [
        formula(*parts) for formula, parts in formulas if all(part is not None for part in parts)
    ]
    return tuple(dict.fromkeys(made))


def _if_monotone(query: Causation, known: _Known) -> Expression | None:
    """Return the formula that holds where the treatment prevents the outcome in nobody."""
    match query.kind:
        case "PNS":
            found = _made((difference, (known.treated, known.spared)))
        case "PN":
            found = _made((_excess, (known.y, known.spared, known.x_y)))
        case "PS":
            found = _made((_excess, (known.treated, known.y, known.other_not)))
        case _:
            assert_never(query.kind)
    return found[0] if found else None


def _excess(one: Expression, other: Expression, under: Expression) -> Expression:
    return ratio(difference(one, other), under)


def _bounds(
    query: Causation,
    graph: ADMG,
    sources: Sources,
    known: _Known,
    told: NotIdentified,
    monotone: bool,
) -> Bounds:
    """Return the bounds of Tian and Pearl, as far as their parts are known."""
    k = known
    always: _Formula = (lambda: ZERO, ())
    at_most: _Formula = (lambda: ONE, ())
    match query.kind:
        case "PNS":
            lower = _made(
                always,
                (difference, (k.treated, k.spared)),
                (difference, (k.y, k.spared)),
                (difference, (k.treated, k.y)),
            )
            upper = _made(
                (lambda one: one, (k.treated,)),
                (lambda one: one, (k.spared_not,)),
                # P(x,y) + P(x',y')
                (lambda one, other: difference(difference(ONE, one), other), (k.x_not, k.other_y)),
                # P(y{x}) - P(y{x'}) + P(x,y') + P(x',y), in complements
                (_both_changed, (k.treated, k.x_y, k.other_not, k.spared_not)),
                *(_if_monotone_at_most(k) if monotone else ()),
            ) or (ONE,)
        case "PN":
            lower = _made(always, (_excess, (k.y, k.spared, k.x_y)))
            upper = _made(at_most, (_excess, (k.spared_not, k.other_not, k.x_y)))
        case "PS":
            lower = _made(always, (_excess, (k.treated, k.y, k.other_not)))
            upper = _made(at_most, (_excess, (k.treated, k.x_y, k.other_not)))
        case _:
            assert_never(query.kind)
    reason = f"{query.kind} is not identified: {told.witness}"
    notes = (_BINARY, *((_MONOTONE,) if monotone else ()))
    return Bounds(query, graph, lower, upper, sources, reason, notes)


def _both_changed(
    treated: Expression, x_y: Expression, other_not: Expression, spared_not: Expression
) -> Expression:
    return difference(difference(treated, x_y), difference(other_not, spared_not))


def _if_monotone_at_most(k: _Known) -> tuple[_Formula, ...]:
    """Return P(y{x}) - P(x',y), as y stays y under x, and P(y'{x'}) - P(x,y')."""
    return (difference, (k.treated, k.other_y)), (difference, (k.spared_not, k.x_not))
