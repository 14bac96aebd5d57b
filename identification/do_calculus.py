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

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import final

from causalnet.errors import TermError
from causalnet.graphs.admg import ADMG, check_admg
from causalnet.graphs.walks import Connected
from causalnet.identification.do_rules import (
    DoStep,
    Fault,
    Separation,
    Surgery,
    fault_of,
    made_step,
)
from causalnet.identification.expressions import (
    Expression,
    Prob,
    Product,
    Sum,
    fold,
    product,
    rebuilt,
    sum_over,
)
from causalnet.identification.queries import Effect
from causalnet.identification.sources import OBSERVED, Distribution, Sources
from causalnet.identification.values import Value, fresh

__all__ = [
    "DoDerivation",
    "DoStep",
    "NotDerived",
    "Refused",
    "Separation",
    "Surgery",
    "Verified",
    "adjust",
    "asked",
    "derive",
    "replaced",
]


@final
@dataclass(frozen=True, slots=True)
class Verified:
    """Every step is right, and the last expression names only what is known.

    Attributes:
        steps: How many steps were looked at.
        separations: How many of them rest on an m-separation.
    """

    steps: int
    separations: int

    def __str__(self) -> str:
        """Return the verdict in one line."""
        return f"verified: {self.steps} steps, {self.separations} m-separations"


@final
@dataclass(frozen=True, slots=True)
class Refused:
    """The first step that is not right.

    Attributes:
        at: Its place, from 1; one more than there are steps if the end is what is wrong.
        step: The step; None if the end is what is wrong.
        reason: What is wrong with it.
        walk: The walk that is open where the step says that none is; None if that is not why.
    """

    at: int
    step: DoStep | None
    reason: str
    walk: Connected | None = None

    def __str__(self) -> str:
        """Return the reason, with the walk."""
        walk = f": {self.walk}" if self.walk else ""
        return f"step {self.at} is refused: {self.reason}{walk}"


@final
@dataclass(frozen=True, slots=True)
class DoDerivation:
    """Steps that rewrite a query until it names only what is known.

    Each step replaces an expression wherever it occurs.

    Attributes:
        query: What was asked.
        graph: Of what.
        steps: The steps, in order.
        sources: What is known.

    >>> from causalnet.identification.values import symbol
    >>> front_door = ADMG.of(directed=[("X", "Z"), ("Z", "Y")], bidirected=[("X", "Y")])
    >>> found = derive(Effect((symbol("Y"),), (symbol("X"),)), front_door)
    >>> print(found.estimand)
    sum[z](P(z|x) * sum[x'](P(x') * P(y|x',z)))
    >>> print(found.verify())
    verified: 9 steps, 5 m-separations
    """

    query: Effect
    graph: ADMG
    steps: tuple[DoStep, ...]
    sources: Sources = OBSERVED

    @property
    def expressions(self) -> tuple[Expression, ...]:
        """Return the query as an expression, and what it is after each step."""
        found: list[Expression] = [asked(self.query)]
        for step in self.steps:
            found.append(replaced(found[-1], step.before, step.after))
        return tuple(found)

    @property
    def estimand(self) -> Expression:
        """Return the last expression."""
        return self.expressions[-1]

    def verify(self) -> Verified | Refused:
        """Look over each step anew, and whether the end names only what is known.

        Each must be literally an instance of its rule, with the surgery and the separation that
        the rule asks for; the separation must hold; and what it rewrites must be there.
        """
        whole: Expression = asked(self.query)
        for at, step in enumerate(self.steps, start=1):
            fault = fault_of(step, self.graph)
            if fault:
                return Refused(at, step, fault.reason, fault.walk)
            after = replaced(whole, step.before, step.after)
            if after == whole:
                return Refused(at, step, f"{step.before} does not occur in {whole}")
            whole = after
        unknown = _unknown(whole, self.sources)
        if unknown:
            reason = f"{unknown} is not among what is known, {self.sources}"
            return Refused(len(self.steps) + 1, None, reason)
        return Verified(len(self.steps), sum(step.separation is not None for step in self.steps))

    def __str__(self) -> str:
        """Return the query, and for each step the whole expression and what licenses it."""
        lines = [str(self.query)]
        for at, (step, whole) in enumerate(
            zip(self.steps, self.expressions[1:], strict=True), start=1
        ):
            lines += [f"{at}. = {whole}", f"     {step}"]
        return "\n".join(lines)


@final
@dataclass(frozen=True, slots=True)
class NotDerived:
    """There is no derivation, or none was found.

    Attributes:
        query: What was asked.
        graph: Of what.
        reason: Why.
    """

    query: Effect
    graph: ADMG
    reason: str

    def __str__(self) -> str:
        """Return the reason."""
        return f"{self.query} is not derived: {self.reason}"


def asked(query: Effect) -> Prob:
    """Return a query as an expression.

    >>> from causalnet.identification.values import symbol
    >>> asked(Effect((symbol("Y"),), (symbol("X"),), (symbol("Z"),)))
    P[x](y|z)
    """
    return Prob(query.outcomes, query.given, query.treatments)


def derive(query: Effect, graph: ADMG, sources: Sources = OBSERVED) -> DoDerivation | NotDerived:
    """Return a derivation of an effect in the do-calculus, or why there is none.

    Covered is all that is identified from P(V) and from experiments in the target population,
    conditional effects included: the steps of ID, IDC and gID are each spelled out in rules 1 to 3
    and the rules of probability.  Variables that the formula can do without are not mentioned.
    Other populations are not covered, as the rules are about one.

    The steps are those by which the formula was made, and have not been looked over; `.verify()`
    does.

    Args:
        query: What is asked.
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
    from causalnet.identification.do_identification import steps_of

    check_admg(graph)
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


def adjust(query: Effect, graph: ADMG, adjustment: Iterable[str]) -> DoDerivation | NotDerived:
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
    start = asked(query)
    values = {value.variable for value in (*start.of, *start.given, *start.do)}
    names = sorted(set(adjustment))
    graph.indices([*names, *sorted(values)])
    _check_adjustment(names, values, query)
    used = set(start.of + start.given + start.do)
    zs = tuple(fresh(name, used) for name in names)
    told = Prob(start.of, start.given + zs, start.do)
    seen = Prob(start.of, start.given + zs + start.do)
    rewritings: list[tuple[str, Expression, Expression]] = []
    if zs:
        joint = Prob(start.of + zs, start.given, start.do)
        summed, before = Prob(zs, start.given, start.do), Prob(zs, start.given)
        rewritings = [
            ("marginalise", start, Sum(zs, joint)),
            ("chain rule", joint, product([told, summed])),
            ("rule 3", summed, before),
        ]
    steps = []
    for rule, one, other in [*rewritings, ("rule 2", told, seen)]:
        step = made_step(rule, one, other, graph)  # type: ignore[arg-type]  # literals above
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


def replaced(whole: Expression, before: Expression, after: Expression) -> Expression:
    """Return an expression with one of its parts replaced wherever it occurs.

    Some factors of a product are a part, and so is a sum over some of the bound symbols.

    >>> from causalnet.identification.values import symbol
    >>> x, y, z = (Prob((symbol(name),)) for name in "XYZ")
    >>> replaced(product([x, y, z]), product([x, z]), y)
    P(y) * P(y)
    """

    def visit(node: Expression, parts: tuple[Expression, ...]) -> Expression:
        if node == before:
            return after
        match node, before:
            case Product(factors), Product(wanted) if not Counter(wanted) - Counter(factors):
                return rebuilt(node, _regrouped(factors, parts, wanted, after))
            case Sum(bound, body), Sum(some, inner) if body == inner and set(some) < set(bound):
                return sum_over([value for value in bound if value not in some], after)
            case _:
                return rebuilt(node, parts)

    return fold(whole, visit)


def _regrouped(
    factors: tuple[Expression, ...],
    parts: tuple[Expression, ...],
    wanted: tuple[Expression, ...],
    after: Expression,
) -> list[Expression]:
    """Return the parts of a product in which some factors are replaced together."""
    missing = Counter(wanted)
    kept: list[Expression] = []
    placed = False
    for factor, part in zip(factors, parts, strict=True):
        if missing[factor]:
            missing[factor] -= 1
            if not placed:
                kept.append(after)
                placed = True
        else:
            kept.append(part)
    return kept


def _unknown(whole: Expression, sources: Sources) -> Expression | None:
    """Return a probability that no source has."""

    def visit(node: Expression, below: tuple[Expression | None, ...]) -> Expression | None:
        if isinstance(node, Prob):
            do: tuple[Value, ...] = node.do
            known = Distribution(tuple(value.variable for value in do), node.domain)
            return None if known in sources.distributions else node
        return next((each for each in below if each is not None), None)

    return fold(whole, visit)
