"""Shorter formulas with the same value, by rules each of which is exact.

| rule | module |
|---|---|
| sums over what one probability alone has; over what is one by the chain rule | `rules_sums` |
| ratios of probabilities; what is on both sides | `rules_ratios` |
| several probabilities as one, and back | `rules_chain` |
| conditions and experiments that do not matter | `rules_independence` |
| flat products, empty sums, 0 and 1 | `sum_product_forms` |

First each sum and each ratio is worked on from the inside out, until no rule applies; then Bayes'
rule is tried on pairs of probabilities, and what becomes shorter is kept.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from time import perf_counter
from typing import TypeAlias, final

from causalnet.graphs.admg import ADMG
from causalnet.identification.canonical import canonical
from causalnet.identification.expressions import (
    ZERO,
    Expression,
    Prob,
    Ratio,
    Sum,
    fold,
    text_of,
)
from causalnet.identification.rules_chain import chained, regrouped, split
from causalnet.identification.rules_independence import Facts
from causalnet.identification.rules_ratios import divided
from causalnet.identification.rules_sums import eliminated, marginalised
from causalnet.identification.sum_product_forms import read, written
from causalnet.identification.sum_products import (
    Atom,
    Factor,
    Opaque,
    SumProduct,
    Symbols,
    is_zero,
)
from causalnet.identification.values import Value

__all__ = ["Rewrite", "Simplified", "cost", "simplify"]

_LARGEST = 4_000  # probabilities, each as often as it is written
_DEEPEST = 40  # ratios within ratios

Cost: TypeAlias = tuple[int, int, int]


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

    >>> from causalnet.identification.parsing import parse_expression
    >>> graph = ADMG.of(directed=[("A", "B"), ("B", "Y"), ("B", "X"), ("X", "Y")])
    >>> given = parse_expression("sum[a,b](P(a) * P(b|a) * P(y|a,b,x))")
    >>> found = simplify(given, graph)
    >>> print(found)
    sum[b](P(b) * P(y|b,x))
    >>> for step in found.steps:
    ...     print(step)
    P(y|a,b,x) = P(y|b,x)  [m-separation]
    sum[a](P(a) * P(b|a)) = P(b)  [eliminate]
    """
    census = _Census(expression)
    if not census.is_small:
        return Simplified(canonical(expression), True)
    facts = Facts(graph, census.variables)
    for domain, do in census.experiments:
        facts.admit(domain, facts.symbols.mask(do))
    search = _Search(facts, tries, None if budget is None else perf_counter() + budget)
    term = read(expression, facts.symbols, lambda term: _reduced(term, facts), search.shortest)
    found = canonical(written(search.shortest(term), facts.symbols))
    if cost(found) >= cost(expression):
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
        self.experiments: set[tuple[str, tuple[Value, ...]]] = set()
        size, depth = fold(expression, self._count)
        self.is_small = size <= _LARGEST and depth <= _DEEPEST

    def _count(self, node: Expression, below: tuple[tuple[int, int], ...]) -> tuple[int, int]:
        size = sum(each[0] for each in below)
        depth = max((each[1] for each in below), default=0)
        match node:
            case Prob(of, given, do, domain):
                self.variables.update(value.variable for value in of + given + do)
                self.experiments.add((domain, do))
                return 1, 0
            case Sum(bound, _):
                self.variables.update(value.variable for value in bound)
                return size, depth
            case Ratio():
                return size, depth + 1
            case _:
                return size, depth


def _reduced(term: SumProduct, facts: Facts) -> SumProduct:
    """Apply rules until none applies."""
    while not is_zero(term):
        before = term
        term = marginalised(_fewer_conditions(term, facts), facts)
        if term.bound or term.under:
            term = _singles(term, facts)
        if term.under:
            term = divided(term, facts)
        if term.bound:
            term = eliminated(term, facts)
        if term == before:
            return term
    return SumProduct(0, (Opaque(ZERO, 0),))


def _fewer_conditions(term: SumProduct, facts: Facts) -> SumProduct:
    over, under = (
        tuple(
            facts.minimal(facts.observed(each)) if isinstance(each, Atom) else each for each in part
        )
        for part in (term.over, term.under)
    )
    return SumProduct(term.bound, over, under)


def _singles(term: SumProduct, facts: Facts) -> SumProduct:
    """Write probabilities of several variables as products, which other rules take apart."""
    over, under = (
        tuple(
            each
            for factor in part
            for each in (split(factor, facts) if isinstance(factor, Atom) else [factor])
        )
        for part in (term.over, term.under)
    )
    return SumProduct(term.bound, over, under)


class _Search:
    """A search by Bayes' rule, which ends when its budget is spent."""

    def __init__(self, facts: Facts, tries: int, until: float | None) -> None:
        self._facts = facts
        self._tries = tries
        self._until = until
        self.exhausted = False

    def shortest(self, term: SumProduct) -> SumProduct:
        """Return the shortest sum that is found."""
        facts = self._facts
        best = _reduced(term, facts)
        size, waiting = self._size(best), self._turned(best)
        while size[1:] != (0, 0):
            mark = len(facts.log)
            tried = next(waiting, None)
            if tried is None or self._is_over():
                break
            found = _reduced(tried, facts)
            if self._size(found) < size:
                best, size, waiting = found, self._size(found), self._turned(found)
            else:
                del facts.log[mark:]
        return regrouped(best, facts)

    def _is_over(self) -> bool:
        self._tries -= 1
        late = self._until is not None and perf_counter() > self._until
        self.exhausted |= late or self._tries < 0
        return self.exhausted

    def _size(self, term: SumProduct) -> Cost:
        mark = len(self._facts.log)
        found = _size(regrouped(term, self._facts))
        del self._facts.log[mark:]
        return found

    def _turned(self, term: SumProduct) -> Iterator[SumProduct]:
        """Yield P(b given c) P(a given b, c) in place of P(a given c) P(b given a, c)."""
        atoms = [each for each in term.over if isinstance(each, Atom)]
        for one in atoms:
            for other in atoms:
                if not one.of & other.given:
                    continue
                pair = _bayes(one, other, self._facts)
                if pair:
                    over: list[Factor] = list(term.over)
                    over.remove(one)
                    over.remove(other)
                    yield SumProduct(term.bound, (*over, *pair), term.under)


def _bayes(one: Atom, other: Atom, facts: Facts) -> tuple[Atom, Atom] | None:
    whole = chained((one, other), facts)
    if not isinstance(whole, Atom):
        return None
    first = facts.minimal(whole._replace(of=other.of))
    last = facts.minimal(whole._replace(of=one.of, given=whole.given | other.of))
    facts.note("Bayes", SumProduct(0, (one, other)), SumProduct(0, (first, last)))
    return first, last


def _size(term: SumProduct) -> Cost:
    """Return how many probabilities, bound symbols and ratios there are."""
    atoms, bound, ratios = 0, term.bound.bit_count(), int(bool(term.under))
    for factor in term.over + term.under:
        if isinstance(factor, SumProduct):
            below = _size(factor)
            atoms, bound, ratios = (
                a + b for a, b in zip((atoms, bound, ratios), below, strict=True)
            )
        else:
            atoms += 1
    return atoms, bound, ratios
