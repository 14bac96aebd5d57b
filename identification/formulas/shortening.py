"""Rules applied until none applies, and a search by Bayes' rule beyond that.

| name | what |
|---|---|
| `reduced` | a sum to which no rule applies any more; polynomial |
| `Search` | what else makes it shorter, until the budget is spent |
| `Cost` | probabilities, bound symbols, ratios |
"""

from collections.abc import Iterator
from time import perf_counter
from typing import TypeAlias, final

from causalnet.identification.expressions import ZERO
from causalnet.identification.formulas.rules_chain import freed, regrouped, split, turned
from causalnet.identification.formulas.rules_independence import Facts
from causalnet.identification.formulas.rules_ratios import divided
from causalnet.identification.formulas.rules_sums import eliminated, marginalised
from causalnet.identification.formulas.sum_products import Atom, Factor, Opaque, SumProduct, is_zero

__all__ = ["Cost", "Search", "reduced"]

Cost: TypeAlias = tuple[int, int, int]


def reduced(term: SumProduct, facts: Facts) -> SumProduct:
    """Apply rules until none applies."""
    done: SumProduct | None = None
    while not is_zero(term):
        term = marginalised(without_conditions(term, facts), facts)
        if term.bound or term.under:
            term = singles(term, facts)
        if term.under:
            term = divided(term, facts)
        if term == done:
            return term
        if term.bound:
            term = freed(eliminated(term, facts), facts)
        done = term
    return SumProduct(0, (Opaque(ZERO, 0),))


def without_conditions(term: SumProduct, facts: Facts) -> SumProduct:
    """Leave out conditions, and experiments, that do not matter."""
    over, under = (
        tuple(
            facts.minimal(facts.observed(each)) if isinstance(each, Atom) else each for each in part
        )
        for part in (term.over, term.under)
    )
    return SumProduct(term.bound, over, under)


def singles(term: SumProduct, facts: Facts) -> SumProduct:
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


@final
class Search:
    """A search by Bayes' rule, which ends when its budget is spent.

    Attributes:
        exhausted: Whether it was.
    """

    def __init__(self, facts: Facts, tries: int, until: float | None) -> None:
        """Take what is known, after how many attempts to end, and when at the latest."""
        self._facts = facts
        self._tries = tries
        self._until = until
        self.exhausted = False

    def shortest(self, term: SumProduct) -> SumProduct:
        """Return the shortest sum that is found.

        A sum without bound symbols and ratios is left as it is.
        """
        facts = self._facts
        best = reduced(term, facts)
        size, waiting = self._size(best), self._turned(best)
        while size[1:] != (0, 0):
            mark = len(facts.log)
            tried = next(waiting, None)
            if tried is None:
                break
            if self._is_over():
                del facts.log[mark:]
                break
            found = reduced(tried, facts)
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
        found = size_of(regrouped(term, self._facts))
        del self._facts.log[mark:]
        return found

    def _turned(self, term: SumProduct) -> Iterator[SumProduct]:
        """Yield P(b given c) P(a given b, c) in place of P(a given c) P(b given a, c)."""
        atoms = [each for each in term.over if isinstance(each, Atom)]
        for one in atoms:
            for other in atoms:
                if not one.of & other.given:
                    continue
                pair = turned(one, other, self._facts)
                if pair:
                    before = SumProduct(0, (one, other))
                    self._facts.note("Bayes' rule", before, SumProduct(0, pair))
                    over: list[Factor] = list(term.over)
                    over.remove(one)
                    over.remove(other)
                    yield SumProduct(term.bound, (*over, *pair), term.under)


def size_of(term: SumProduct) -> Cost:
    """Return how many probabilities, bound symbols and ratios there are."""
    atoms, bound, ratios = 0, term.bound.bit_count(), int(bool(term.under))
    for factor in term.over + term.under:
        if isinstance(factor, SumProduct):
            below = size_of(factor)
            atoms, bound, ratios = (
                a + b for a, b in zip((atoms, bound, ratios), below, strict=True)
            )
        else:
            atoms += 1
    return atoms, bound, ratios
