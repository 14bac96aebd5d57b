"""Formulas held to random models: a wrong one is never returned.

| name | what |
|---|---|
| `verified` | an answer with its check, made in random models |
| `is_affordable` | why a check would cost too much; "" if it would not |

The answer is counted in each model (see `oracle`), and the formula is evaluated from the model's
tables, at every assignment of all symbols of both.  In a counterfactual query only assignments
matter in which different symbols of one variable differ.
"""

from collections.abc import Mapping
from dataclasses import replace
from math import inf, prod
from time import monotonic
from typing import assert_never

import numpy as np

from causalnet.errors import InternalError
from causalnet.graphs.admg import ADMG
from causalnet.graphs.arguments import check_whole
from causalnet.identification.answers import Check, Identified
from causalnet.identification.contraction import Evaluated, subtracted
from causalnet.identification.counting import EXOGENOUS_STATES, needed, values_of
from causalnet.identification.evaluation import evaluate, evaluation_cost
from causalnet.identification.expressions import Expression, Prob, Sum, fold
from causalnet.identification.oracle import SMALL, RandomModel, distinct, table_cost
from causalnet.identification.queries import (
    Causation,
    Counterfactual,
    Effect,
    Mediation,
    PathSpecific,
    Question,
)
from causalnet.identification.sources import Distribution
from causalnet.identification.values import Value

__all__ = ["is_affordable", "verified"]

_MOST_WORK = 200_000_000
_ORDERING = 8000
# What one step costs, in the time of one multiplication: a look-up for a unit, an entry of a table,
# and a node of a table or of a formula besides.
_LOOKING_UP, _TABLING, _CALLING = 8, 8, 4000


def verified(
    answer: Identified,
    models: int = 4,
    seed: int = 0,
    tolerance: float = 1e-9,
    *,
    seconds: float = 10.0,
    at_most: int = EXOGENOUS_STATES,
) -> Identified:
    """Return an answer with its check: the formula compared with the truth in random models.

    Args:
        answer: A formula for a query.
        models: In how many models.
        seed: From which they are drawn.
        tolerance: The largest difference that is put down to rounding.
        seconds: After which no further model is begun; the first one always is.
        at_most: How many states of noise and hidden variables are counted through.

    Raises:
        InternalError: The formula is wrong, or uses a distribution that is not among the sources.
        ParameterError: The models are too large to be counted, or there are none.

    >>> from causalnet.identification.answers import Derivation
    >>> from causalnet.identification.values import symbol
    >>> x, y = symbol("X"), symbol("Y")
    >>> graph = ADMG.of(directed=[("X", "Y")])
    >>> told = Identified(Effect((y,), (x,)), graph, Prob((y,), (x,)), Derivation())
    >>> verified(told).check.models
    4
    """
    check_whole(models, "models", least=1)
    _check_sources(answer)
    begun, worst, done, compared = monotonic(), 0.0, 0, 0
    graph, levels, differs = _relevant(answer), _levels(answer), _differs(answer)
    for at in range(models):
        if done and monotonic() - begun > seconds:
            break
        model = RandomModel.of(graph, seed + at, cardinalities=levels, differs=differs)
        off, number = _largest_difference(answer, model, at_most)
        if off > tolerance:
            raise InternalError(_told(answer, off, seed + at))
        worst, done, compared = max(worst, off), done + 1, compared + number
    if not compared:
        return replace(answer, check=Check(0, reason="no assignment of the symbols has an answer"))
    stopped = f"stopped after {seconds:g} s" if done < models else ""
    return replace(answer, check=Check(done, worst, stopped))


def is_affordable(answer: Identified) -> str:
    """Return why a check in four models would cost too much; "" if it takes about a second at most.

    The cost is counted from the sizes of what is enumerated, so that it is the same everywhere.

    >>> from causalnet.graphs.admg import ADMG
    >>> from causalnet.identification.answers import Derivation
    >>> from causalnet.identification.reading.parsing import parse_expression, parse_question
    >>> chain = ADMG.of(directed=[(f"V{k}", f"V{k + 1}") for k in range(40)])
    >>> formula = parse_expression("P(v40|v0)")
    >>> effect, counterfactual = (
    ...     Identified(parse_question(text, chain), chain, formula, Derivation())
    ...     for text in ("P(v40 | do(v0))", "P(v40{v0} | v0')")
    ... )
    >>> is_affordable(effect)
    ''
    >>> is_affordable(counterfactual)
    'noise and hidden variables have 36,472,996,377,170,786,403 states, more than 1,300,000'
    """
    graph, levels = _relevant(answer), _levels(answer)
    ordering = _ORDERING * len(graph) ** 2  # in which order variables are summed out
    if ordering > _MOST_WORK:
        return f"it would take about {ordering:,} operations, more than {_MOST_WORK:,}"
    every = {name: levels.get(name, 2) for name in graph.nodes}
    counts = [_states(part, graph, every) for part in _counted(answer.query)]
    if max(counts, default=0) > EXOGENOUS_STATES:
        return (
            f"noise and hidden variables have {max(counts):,} states, "
            f"more than {EXOGENOUS_STATES:,}"
        )
    symbols = {value for value in _values(answer.query) if value.level is None}
    assignments = prod(every[value.variable] for value in symbols)
    compared = prod(every[value.variable] for value in symbols | answer.estimand.free)
    work = (
        ordering
        + compared
        + _LOOKING_UP * sum(counts) * assignments * len(graph)
        + _tabling(answer, graph, every)
        + evaluation_cost(answer.estimand, every)
        + _CALLING * len(_nodes(answer.estimand))
    )
    if work > _MOST_WORK:
        return f"it would take about {work:,} operations, more than {_MOST_WORK:,}"
    return ""


def _largest_difference(answer: Identified, model: RandomModel, at_most: int) -> tuple[float, int]:
    """Return the largest difference, and at how many assignments there was something to compare."""
    truth = model.truth(answer.query, at_most=at_most)
    value = evaluate(answer.estimand, model.tables)
    matters = ~np.isnan(truth.array)
    if isinstance(answer.query, Counterfactual | Causation):
        matters &= distinct(truth, _values(answer.query))
    if not matters.any():
        return 0.0, 0
    off = subtracted(truth, value)
    among = Evaluated(truth.axes, matters.astype(np.float64)).aligned(off.axes)
    far = np.where(np.isnan(off.array), inf, np.abs(off.array))
    return float(np.where(among > 0, far, 0.0).max()), int(matters.sum())


def _told(answer: Identified, off: float, seed: int) -> str:
    arrows = [f"{a} -> {b}" for a, b in answer.graph.directed]
    arcs = [f"{a} <-> {b}" for a, b in answer.graph.bidirected]
    return (
        f"The formula for {answer.query} in the graph {', '.join(arrows + arcs)} from "
        f"{answer.sources} is wrong by {off:.3g} in the random model of seed {seed}: "
        f"{answer.estimand}."
    )


def _check_sources(answer: Identified) -> None:
    for each in sorted(_probabilities(answer.estimand), key=str):
        if _distribution(each) not in answer.sources.distributions:
            raise InternalError(
                f"The formula for {answer.query} uses {_distribution(each)}, and "
                f"{answer.sources} is known: {answer.estimand}."
            )


def _distribution(node: Prob) -> Distribution:
    return Distribution(tuple(value.variable for value in node.do), node.domain)


def _nodes(expression: Expression) -> frozenset[Expression]:
    found: set[Expression] = set()

    def visit(node: Expression, below: tuple[None, ...]) -> None:
        found.add(node)

    fold(expression, visit)
    return frozenset(found)


def _probabilities(expression: Expression) -> set[Prob]:
    return {node for node in _nodes(expression) if isinstance(node, Prob)}


def _mentioned(expression: Expression) -> set[Value]:
    found: set[Value] = set()
    for node in _nodes(expression):
        match node:
            case Prob(of, given, do):
                found.update(of, given, do)
            case Sum(bound, _):
                found.update(bound)
            case _:
                pass
    return found


def _values(question: Question) -> list[Value]:
    match question:
        case Effect(outcomes, treatments, given):
            return [*outcomes, *treatments, *given]
        case Causation():
            return values_of(question.counterfactual())
        case Mediation():
            return [value for each in question.terms() for value in values_of(each)]
        case Counterfactual() | PathSpecific():
            return values_of(question)
        case _:
            assert_never(question)


def _relevant(answer: Identified) -> ADMG:
    """Return the graph of all ancestors of what query and formula name: no other node matters."""
    named = {value.variable for value in (*_values(answer.query), *_mentioned(answer.estimand))}
    for part in _counted(answer.query):
        named |= needed(answer.graph, part)
    return answer.graph.induced(sorted(answer.graph.ancestors(sorted(named))))


def _levels(answer: Identified) -> dict[str, int]:
    """Return for each variable that is named as many levels as it has to have."""
    asked = _values(answer.query)
    levels: dict[str, int] = {}
    for value in (*asked, *_mentioned(answer.estimand)):
        least = 2 if value.level is None else value.level + 1
        levels[value.variable] = max(2, least, levels.get(value.variable, 2))
    if isinstance(answer.query, Counterfactual | Causation):
        for variable in sorted({value.variable for value in asked}):
            differing = {value for value in asked if value.variable == variable}
            levels[variable] = max(levels[variable], len(differing))
    return levels


def _differs(answer: Identified) -> dict[str, frozenset[str]]:
    nodes = frozenset(_relevant(answer).nodes)
    domains = {each.domain for each in answer.sources.distributions} - {""}
    return {domain: answer.sources.changed(domain) & nodes for domain in sorted(domains)}


def _counted(question: Question) -> tuple[Counterfactual | PathSpecific, ...]:
    """Return what has to be counted state by state."""
    match question:
        case Effect():
            return ()
        case Causation():
            return (question.counterfactual(),)
        case Mediation():
            return question.terms()
        case Counterfactual() | PathSpecific():
            return (question,)
        case _:
            assert_never(question)


def _states(part: Counterfactual | PathSpecific, graph: ADMG, levels: Mapping[str, int]) -> int:
    above = needed(graph, part)
    edges = sum(a in above or b in above for a, b in graph.bidirected)
    return int(2**edges * prod(levels[name] + 1 for name in above))


def _tabling(answer: Identified, graph: ADMG, levels: Mapping[str, int]) -> int:
    """Return what it takes to make all tables, or the margins that are asked for."""
    asked = [(_distribution(each), _named(each)) for each in _probabilities(answer.estimand)]
    if isinstance(answer.query, Effect):
        do = sorted({value.variable for value in answer.query.treatments})
        named = frozenset(value.variable for value in _values(answer.query))
        asked.append((Distribution(tuple(do)), named))
    if prod(levels.values()) <= SMALL:
        asked = [(each, frozenset(graph.nodes)) for each in {each for each, _ in asked}]
    return sum(
        _CALLING * len(graph) + _TABLING * table_cost(graph, levels, each, named)
        for each, named in set(asked)
    )


def _named(node: Prob) -> frozenset[str]:
    return frozenset(value.variable for value in (*node.of, *node.given))
