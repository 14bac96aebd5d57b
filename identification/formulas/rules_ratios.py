"""Ratios that can be shortened.

| name | what |
|---|---|
| `cancelled` | what is on both sides is gone: probabilities, and sums that other symbols bind |
| `divided` | P(a, b given c) / P(b given c) is P(a given b, c), by the chain rule on either side |
"""

from collections import Counter

from causalnet.identification.expressions import ZERO
from causalnet.identification.formulas.rules_chain import chained
from causalnet.identification.formulas.rules_independence import Facts
from causalnet.identification.formulas.sum_products import (
    Atom,
    Factor,
    Opaque,
    SumProduct,
    components,
    mentioned,
    signature,
    union,
)

__all__ = ["cancelled", "divided"]


def cancelled(term: SumProduct, facts: Facts) -> SumProduct:
    """Leave out factors that are on both sides of a ratio.

    A sum in the denominator cancels against a part of the whole that differs from it in bound
    symbols alone.
    """
    if not term.under:
        return term
    both = Counter(term.over) & Counter(term.under)
    common = [each for each in both.elements() if not _is_zero(each)]
    over, under = _left(term.over, common), _left(term.under, common)
    found = SumProduct(term.bound, over, under) if common else term
    if common:
        facts.note("cancellation", SumProduct(0, tuple(common), tuple(common)), SumProduct(0, ()))
    for factor in found.under:
        if isinstance(factor, SumProduct):
            found = _without(found, factor, facts)
    return found


def _is_zero(factor: Factor) -> bool:
    return isinstance(factor, Opaque) and factor.expression == ZERO


def _left(factors: tuple[Factor, ...], gone: list[Factor]) -> tuple[Factor, ...]:
    left = list(factors)
    for each in gone:
        left.remove(each)
    return tuple(left)


def _without(term: SumProduct, divisor: SumProduct, facts: Facts) -> SumProduct:
    """Cancel a sum in the denominator, if what is left of the whole has it as a factor."""
    under = list(term.under)
    under.remove(divisor)
    inner = term.bound & ~mentioned(divisor)
    wanted = signature(divisor, facts.symbols)
    for part in components(inner, term.over, under):
        if part.bound and len(part.over) == len(divisor.over):
            if signature(part, facts.symbols) == wanted:
                facts.note(
                    "cancellation", part._replace(under=(*part.under, divisor)), SumProduct(0, ())
                )
                return SumProduct(
                    term.bound & ~part.bound,
                    _left(term.over, list(part.over)),
                    _left(tuple(under), list(part.under)),
                )
    return term


def divided(term: SumProduct, facts: Facts) -> SumProduct:
    """Make conditional probabilities of ratios, and cancel, as far as that goes."""
    term = cancelled(term, facts)
    while True:
        smaller = _divided(term.over, term.under, facts)
        if smaller is not None:
            over, under = smaller
        else:
            flipped = _divided(term.under, term.over, facts)
            if flipped is None:
                return term
            under, over = flipped
        term = cancelled(SumProduct(term.bound, over, under), facts)


def _divided(
    over: tuple[Factor, ...], under: tuple[Factor, ...], facts: Facts
) -> tuple[tuple[Factor, ...], tuple[Factor, ...]] | None:
    """Carry out one division, of several probabilities by one or by several."""
    above = [each for each in over if isinstance(each, Atom)]
    below = [each for each in under if isinstance(each, Atom)]
    for divisor in below:
        found = _quotient(divisor, above, below, facts)
        if found is None:
            continue
        quotient, used, divisors = found
        rest = (quotient,) if quotient.of else ()
        facts.note("division", SumProduct(0, tuple(used), tuple(divisors)), SumProduct(0, rest))
        kept = (facts.minimal(quotient),) if quotient.of else ()
        return (*_left(over, list(used)), *kept), _left(under, list(divisors))
    return None


def _quotient(
    divisor: Atom, above: list[Atom], below: list[Atom], facts: Facts
) -> tuple[Atom, list[Atom], list[Atom]] | None:
    """Return P(a | b, c), for P(a, b | c) made of some atoms, and P(b | c) of others.

    Both get the conditions of both; what either depends on besides has to become part of P(a, b|c).
    """
    divisors = [divisor]
    group = [each for each in above if each.of & divisor.of]
    while True:
        whole = chained(divisors, facts)
        if not isinstance(whole, Atom):
            return None
        of = union(each.of for each in group)
        if whole.of & ~of:
            return None
        inner = whole.given & of
        if inner:  # these divide as well, or nothing does
            more = [each for each in below if each.of & inner and each not in divisors]
            if inner & ~union(each.of for each in more):
                return None
            divisors += more
            continue
        found = chained(group, facts, whole.given)
        if isinstance(found, Atom):
            if (found.do, found.domain) != (whole.do, whole.domain):
                return None
            needed = facts.depends(whole, found.given)
        else:
            needed = found
        if isinstance(found, Atom) and not needed:
            quotient = found._replace(of=found.of & ~whole.of, given=found.given | whole.of)
            return quotient, group, divisors
        more = [each for each in above if each.of & needed and each not in group]
        if not needed or needed & ~union(each.of for each in more):
            return None
        group += more
