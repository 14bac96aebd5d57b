"""A derivation in the do-calculus as a value: it replays, looks itself over, and prints.

| name | what |
|---|---|
| `DoDerivation` | steps from a query to an estimand |
| `Verified`, `Refused` | what comes of looking it over |
| `NotDerived` | why there is none |
| `asked`, `replaced` | a query as an expression; an expression with a part replaced |
"""

from collections import Counter
from dataclasses import dataclass
from typing import final

from causalnet.graphs.admg import ADMG
from causalnet.graphs.walks import Connected
from causalnet.identification.derivations.do_rules import DoStep, fault_of
from causalnet.identification.expressions import (
    Expression,
    Prob,
    Product,
    Sum,
    fold,
    rebuilt,
    sum_over,
)
from causalnet.identification.queries import Effect
from causalnet.identification.sources import OBSERVED, Distribution, Sources
from causalnet.identification.values import Value

__all__ = ["DoDerivation", "NotDerived", "Refused", "Verified", "asked", "replaced"]


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

    >>> from causalnet.identification.derivations.do_calculus import derive
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


def replaced(whole: Expression, before: Expression, after: Expression) -> Expression:
    """Return an expression with one of its parts replaced wherever it occurs.

    Some factors of a product are a part, and so is a sum over some of the bound symbols.

    >>> from causalnet.identification.expressions import product
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
