"""Derivations in the do-calculus, which anyone can replay and look over step by step.

| name | what |
|---|---|
| `derive` | a derivation of an effect from what is known, or why there is none |
| `adjust` | the derivation of one back-door formula |
| `DoDerivation` | steps from a query to an estimand; `.verify()` looks over each of them |
| `DoStep`, `Surgery`, `Separation` | see `do_rules` |
| `Verified`, `Refused` | what comes of looking |

All that ID, IDC and gID identify is derived, by Huang and Valtorta (2006), "Pearl's calculus of
intervention is complete": one needs no search, as each factor of ID is a handful of uses of the
rules (see `do_identification`).  `do_search` looks for a derivation without knowing of ID.
"""

from collections.abc import Iterable

from causalnet.errors import TermError
from causalnet.graphs.admg import ADMG
from causalnet.identification.derivations.do_derivations import (
    DoDerivation,
    NotDerived,
    Refused,
    Verified,
    asked,
)
from causalnet.identification.derivations.do_identification import steps_of
from causalnet.identification.derivations.do_rules import (
    DoStep,
    Fault,
    Rule,
    Separation,
    Surgery,
    fault_of,
    made_step,
)
from causalnet.identification.expressions import Expression, Prob, Sum, product
from causalnet.identification.queries import Effect
from causalnet.identification.reading.questions import read_effect
from causalnet.identification.sources import OBSERVED, Sources
from causalnet.identification.values import fresh

__all__ = [
    "DoDerivation",
    "DoStep",
    "NotDerived",
    "Refused",
    "Separation",
    "Surgery",
    "Verified",
    "adjust",
    "derive",
]


def derive(
    query: Effect | str, graph: ADMG, sources: Sources = OBSERVED
) -> DoDerivation | NotDerived:
    """Return a derivation of an effect in the do-calculus, or why there is none.

    Covered is all that is identified from P(V) and from experiments in the target population,
    conditional effects included: the steps of ID, IDC and gID are each spelled out in rules 1 to 3
    and the rules of probability.  Variables that the formula can do without are not mentioned.
    Other populations are not covered, as the rules are about one.

    The steps are those by which the formula was made, and have not been looked over; `.verify()`
    does.

    Args:
        query: What is asked, perhaps as text.
        graph: Of what.
        sources: What is known.

    Raises:
        UnknownMediatorError: A variable that is not in the graph.

    >>> from causalnet.identification.values import symbol
    >>> graph = ADMG.of(directed=[("Z", "X"), ("Z", "Y"), ("X", "Y")])
    >>> print(derive(Effect((symbol("Y"),), (symbol("X"),)), graph))
    P(y | do(x))
    1. = sum[z](P[x](y,z))
         P[x](y) = sum[z](P[x](y,z))  [marginalise on z]
    2. = sum[z](P[x](z) * P[x](y|z))
         P[x](y,z) = P[x](z) * P[x](y|z)  [chain rule on y, z]
    3. = sum[z](P(z) * P[x](y|z))
         P[x](z) = P(z)  [rule 3 on x: Z ⊥ X, in-edges of X cut]
    4. = sum[z](P(z) * P(y|x,z))
         P[x](y|z) = P(y|x,z)  [rule 2 on x: Y ⊥ X | Z, out-edges of X cut]
    """
    query = read_effect(query, graph)
    values = (*query.outcomes, *query.treatments, *query.given)
    graph.indices([value.variable for value in values])
    sources.check(graph)
    if any(known.domain for known in sources.distributions):
        reason = "the rules are about one population, and the sources name others"
        return NotDerived(query, graph, reason)
    steps = steps_of(query, graph, sources)
    if isinstance(steps, str):
        return NotDerived(query, graph, steps)
    return DoDerivation(query, graph, steps, sources)


def adjust(
    query: Effect | str, graph: ADMG, adjustment: Iterable[str]
) -> DoDerivation | NotDerived:
    """Return the derivation of P(y | do x) = sum[z](P(y given x,z) * P(z)) for a back-door set.

    The set is one if rule 3 takes do(x) off P(z | do x), and rule 2 makes it x in P(y | do x, z);
    with conditions w both hold given w.  Sets that are valid by the adjustment criterion and hold
    descendants of treatments are not derived this way.

    Args:
        query: What is asked; it has treatments.
        graph: Of what.
        adjustment: The set Z.

    Raises:
        UnknownMediatorError: A variable that is not in the graph.
        TermError: A variable of the query in the set, or a query without treatments.

    >>> from causalnet.identification.values import symbol
    >>> graph = ADMG.of(directed=[("Z", "X"), ("Z", "Y"), ("X", "Y")])
    >>> query = Effect((symbol("Y"),), (symbol("X"),))
    >>> print(adjust(query, graph, ["Z"]).estimand)
    sum[z](P(y|x,z) * P(z))
    >>> print(adjust(query, graph, []))
    P(y | do(x)) is not derived: Y ⊥ X does not hold, out-edges of X cut: Y <- Z -> X
    """
    query = read_effect(query, graph)
    start = asked(query)
    values = {value.variable for value in (*start.of, *start.given, *start.do)}
    names = sorted(set(adjustment))
    graph.indices([*names, *sorted(values)])
    _check_adjustment(names, values, query)
    used = set(start.of + start.given + start.do)
    zs = tuple(fresh(name, used) for name in names)
    told = Prob(start.of, start.given + zs, start.do)
    seen = Prob(start.of, start.given + zs + start.do)
    rewritings: list[tuple[Rule, Expression, Expression]] = []
    if zs:
        joint = Prob(start.of + zs, start.given, start.do)
        summed, before = Prob(zs, start.given, start.do), Prob(zs, start.given)
        rewritings = [
            ("marginalise", start, Sum(zs, joint)),
            ("chain rule", joint, product([told, summed])),
            ("rule 3", summed, before),
        ]
    steps = []
    rewritings.append(("rule 2", told, seen))
    for rule, one, other in rewritings:
        step = made_step(rule, one, other, graph)
        fault = step if isinstance(step, Fault) else fault_of(step, graph)
        if fault:
            return NotDerived(query, graph, str(fault))
        assert isinstance(step, DoStep)
        steps.append(step)
    return DoDerivation(query, graph, tuple(steps))


def _check_adjustment(names: list[str], values: set[str], query: Effect) -> None:
    both = [name for name in names if name in values]
    if both:
        raise TermError(
            f"{both[0]!r} is in the query and in the adjustment set.",
            "The set is of other variables.",
        )
    if not query.treatments:
        raise TermError(
            f"{query} has no treatment.", "One adjusts the effect of one.", "Write P(y | do(x))."
        )
