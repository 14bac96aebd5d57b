"""Shorter formulas with the same value, by rules each of which is exact.

| rule | module |
|---|---|
| sums over what one probability alone has; over what is one by the chain rule | `rules_sums` |
| ratios of probabilities; what is on both sides | `rules_ratios` |
| several probabilities as one, and back | `rules_chain` |
| conditions and experiments that do not matter | `rules_independence` |
| flat products, empty sums, 0 and 1 | `sum_product_forms` |
| Bayes' rule | `shortening` |

First each sum and each ratio is worked on from the inside out, until no rule applies; then Bayes'
rule is tried on pairs of probabilities, and what becomes shorter is kept.
"""

from dataclasses import dataclass, field
from time import perf_counter
from typing import assert_never, final

from causalnet.errors import ParameterError
from causalnet.graphs.admg import ADMG
from causalnet.graphs.arguments import quoted
from causalnet.identification.expressions import (
    Const,
    Difference,
    Expression,
    Prob,
    Product,
    Ratio,
    Sum,
    fold,
    text_of,
)
from causalnet.identification.formulas.canonical import canonical
from causalnet.identification.formulas.rules_independence import Facts
from causalnet.identification.formulas.shortening import Cost, Search, reduced
from causalnet.identification.formulas.sum_product_forms import read, written
from causalnet.identification.formulas.sum_products import (
    SumProduct,
    Symbols,
)
from causalnet.identification.values import Value

__all__ = ["Rewrite", "Simplified", "cost", "simplify"]

_LARGEST = 4_000  # probabilities, each as often as it is written
_DEEPEST = 40  # ratios within ratios


@final
@dataclass(frozen=True, slots=True)
class Rewrite:
    """One application of a rule to a part of a formula.

    Attributes:
        rule: Its name.
        before: The part, or factors of a part.
        after: What is in its place, with the same value.
    """

    rule: str
    before: Expression
    after: Expression

    def __str__(self) -> str:
        """Return the step in one line."""
        return f"{self.before} = {self.after}  [{self.rule}]"


@final
@dataclass(frozen=True, slots=True)
class Simplified:
    """A formula, and how it became that short.

    Attributes:
        expression: The formula, in canonical form.
        exhausted: Whether the search ended because of its budget.
        rules: The names of the rules that were applied, in order; none where the canonical form of
            what was given is at least as short.
    """

    expression: Expression
    exhausted: bool
    rules: tuple[str, ...] = ()
    _log: tuple[tuple[SumProduct, SumProduct], ...] = field(default=(), repr=False, compare=False)
    _symbols: Symbols | None = field(default=None, repr=False, compare=False)

    @property
    def steps(self) -> tuple[Rewrite, ...]:
        """Return what was rewritten, in order; it is written out on request."""
        if self._symbols is None:
            return ()
        return tuple(
            Rewrite(rule, written(before, self._symbols), written(after, self._symbols))
            for rule, (before, after) in zip(self.rules, self._log, strict=True)
        )

    def __str__(self) -> str:
        """Return the formula."""
        return str(self.expression)


def simplify(
    expression: Expression,
    graph: ADMG | None = None,
    *,
    budget: float | None = None,
    tries: int = 64,
) -> Simplified:
    """Return a formula that has the same value wherever the given one has one, and is as short.

    What counts is how many probabilities are written, then how many symbols are bound, how many
    ratios there are, and characters.  No distribution comes in that is not there: conditions are
    dropped or added, and experiments given up for others that the formula names.  Free symbols on
    which the value does not depend may go.  The distributions are taken to be positive.

    Formulas of thousands of probabilities, or with dozens of ratios within ratios, are brought into
    canonical form only.

    Args:
        expression: The formula.
        graph: What separates variables, in each domain; without it no condition is dropped.
        budget: Seconds after which the search ends; what comes before the search is not cut short.
        tries: After how many attempts the search ends.

    >>> from causalnet.identification.reading.parsing import parse_expression
    >>> graph = ADMG.of(directed=[("A", "B"), ("B", "Y"), ("B", "X"), ("X", "Y")])
    >>> given = parse_expression("sum[a,b](P(a) * P(b|a) * P(y|a,b,x))")
    >>> found = simplify(given, graph)
    >>> print(found)
    sum[b](P(b) * P(y|b,x))
    >>> for step in found.steps:
    ...     print(step)
    P(y|a,b,x) = P(y|b,x)  [m-separation]
    sum[a](P(a) * P(b|a)) = P(b)  [elimination]
    """
    if not isinstance(expression, Expression):
        raise ParameterError(
            f"{quoted(expression)} is no formula.",
            "Formulas are made of Prob, Sum, Product, Ratio, Difference and Const.",
            "Write simplify(parse_expression('P(y|x) * P(x)'), graph).",
        )
    census = _Census(expression)
    if not census.is_small:
        return Simplified(canonical(expression), True)
    facts = Facts(graph, census.variables)
    for domain, do in census.experiments:
        facts.admit(domain, facts.symbols.mask(do))
    search = Search(facts, tries, None if budget is None else perf_counter() + budget)
    term = read(expression, facts.symbols, lambda term: reduced(term, facts), search.shortest)
    found = canonical(written(search.shortest(term), facts.symbols))
    if census.may_cancel or cost(found)[0] >= cost(expression)[0]:
        start = canonical(expression)
        if _length(start) <= _length(found):
            return Simplified(start, search.exhausted)
    rules = tuple(rule for rule, _, _ in facts.log)
    log = tuple((before, after) for _, before, after in facts.log)
    return Simplified(found, search.exhausted, rules, log, facts.symbols)


def _length(expression: Expression) -> tuple[Cost, int]:
    return cost(expression), len(text_of(expression))


def cost(expression: Expression) -> Cost:
    """Return how many probabilities, bound symbols and ratios are written.

    >>> from causalnet.identification.values import symbol
    >>> cost(Sum((symbol("X"),), Prob((symbol("X"),))))
    (1, 1, 0)
    """

    def visit(node: Expression, below: tuple[Cost, ...]) -> Cost:
        atoms, bound, ratios = (sum(each[at] for each in below) for at in range(3))
        match node:
            case Prob():
                return 1, 0, 0
            case Sum(symbols, _):
                return atoms, bound + len(symbols), ratios
            case Ratio():
                return atoms, bound, ratios + 1
            case _:
                return atoms, bound, ratios

    return fold(expression, visit)


class _Census:
    """What is in a formula."""

    def __init__(self, expression: Expression) -> None:
        self.variables: set[str] = set()
        self.may_cancel = False  # in the canonical form there may be fewer probabilities
        self.experiments: dict[tuple[str, tuple[Value, ...]], None] = {}  # in order
        size, depth = fold(expression, self._count)
        self.is_small = size <= _LARGEST and depth <= _DEEPEST

    def _count(self, node: Expression, below: tuple[tuple[int, int], ...]) -> tuple[int, int]:
        size = sum(each[0] for each in below)
        depth = max((each[1] for each in below), default=0)
        match node:
            case Prob(of, given, do, domain):
                self.variables.update(value.variable for value in of + given + do)
                self.experiments[domain, do] = None
                return 1, 0
            case Sum(bound, _):
                self.variables.update(value.variable for value in bound)
                return size, depth
            case Ratio():
                self.may_cancel = True
                return size, depth + 1
            case Product():
                return size, depth
            case Difference() | Const():
                self.may_cancel = True
                return size, depth
            case _:
                assert_never(node)
