"""Between formulas and sums of products: reading them, and writing them down again.

A formula is read from the inside out.  Products and ratios are flat; what is summed within a
factor is summed on the outside, under symbols of its own.  Written down, each sum covers only what
depends on it, and an average over another value of a variable that occurs outside, as in the
front-door formula, stays a factor.
"""

from collections.abc import Callable, Iterable
from typing import TypeAlias, assert_never

from causalnet.identification.algorithms.masks import bits
from causalnet.identification.expressions import (
    ONE,
    ZERO,
    Const,
    Difference,
    Expression,
    Prob,
    Product,
    Ratio,
    Sum,
    difference,
    fold,
    product,
    ratio,
    sum_over,
)
from causalnet.identification.formulas.canonical import canonical
from causalnet.identification.formulas.sum_products import (
    NOTHING,
    Atom,
    Factor,
    Opaque,
    SumProduct,
    Symbols,
    components,
    is_zero,
    joined,
    mentioned,
    refreshed,
    union,
)

__all__ = ["Shorten", "quotient", "read", "written"]

Shorten: TypeAlias = Callable[[SumProduct], SumProduct]


def read(expression: Expression, symbols: Symbols, shorten: Shorten, finish: Shorten) -> SumProduct:
    """Return a formula as a sum of products.

    Args:
        expression: The formula.
        symbols: Which get the numbers.
        shorten: What is done to each sum and to each ratio, from the inside out.
        finish: What is done to either side of a difference, which is written down.
    """

    def visit(node: Expression, below: tuple[SumProduct, ...]) -> SumProduct:
        match node:
            case Const():
                return NOTHING if node == ONE else _opaque(node, symbols)
            case Prob(of, given, do, domain):
                atom = Atom(symbols.mask(of), symbols.mask(given), symbols.mask(do), domain)
                return SumProduct(0, (atom,))
            case Product():
                found = NOTHING
                for each in below:
                    found = joined(found, each, symbols)
                return _opaque(ZERO, symbols) if is_zero(found) else found
            case Sum(bound, _):
                return shorten(_summed(below[0], symbols.mask(bound), symbols))
            case Ratio():
                return shorten(quotient(below[0], below[1], symbols))
            case Difference():
                sides = (canonical(written(finish(each), symbols)) for each in below)
                return _opaque(difference(*sides), symbols)
            case _:
                assert_never(node)

    return fold(expression, visit)


def _opaque(expression: Expression, symbols: Symbols) -> SumProduct:
    return SumProduct(0, (Opaque(expression, symbols.mask(expression.free)),))


def _summed(term: SumProduct, bound: int, symbols: Symbols) -> SumProduct:
    if is_zero(term):
        return term
    term = refreshed(term, term.bound & bound, symbols)
    return SumProduct(term.bound | bound, term.over, term.under)


def quotient(over: SumProduct, under: SumProduct, symbols: Symbols) -> SumProduct:
    """Return one sum divided by another."""
    if is_zero(under):
        return SumProduct(over.bound, over.over, (*over.under, *under.over))
    if is_zero(over):
        return over
    flipped = NOTHING
    divisors: list[Factor] = []
    for part in components(under.bound, under.over, under.under):
        if part.bound:
            divisors.append(part)
            continue
        divisors += part.over
        for factor in part.under:
            each = factor if isinstance(factor, SumProduct) else SumProduct(0, (factor,))
            flipped = joined(flipped, each, symbols)
    flipped = joined(flipped, SumProduct(0, (), tuple(divisors)), symbols)
    return joined(over, flipped, symbols)


def written(term: SumProduct, symbols: Symbols) -> Expression:
    """Return a sum of products as a formula."""
    over, under = _written(term, symbols)
    return ratio(product(over), product(under))


def _written(term: SumProduct, symbols: Symbols) -> tuple[list[Expression], list[Expression]]:
    """Return what is multiplied, and what that is divided by."""
    outside = symbols.variables_of(mentioned(term))
    over: list[Expression] = []
    under: list[Expression] = []
    for part in components(term.bound, term.over, term.under):
        if part.bound:
            over.append(_sum(part, outside, symbols))
        else:
            over += (_factor(each, symbols) for each in part.over)
            under += (_factor(each, symbols) for each in part.under)
    return over, under


def _sum(term: SumProduct, outside: int, symbols: Symbols) -> Expression:
    """Return a sum whose factors hang together, averages over other values on their own."""
    averaged = union(1 << at for at in bits(term.bound) if outside >> symbols.owner(at) & 1)
    bound = term.bound
    over: list[Expression] = []
    under: list[Expression] = []
    for part in components(averaged, term.over, term.under):
        rest = [each for each in (*term.over, *term.under) if each not in part.over + part.under]
        inner = bound & ~union(map(mentioned, rest)) if part.bound else 0
        body = (
            [_factor(each, symbols) for each in part.over],
            [_factor(each, symbols) for each in part.under],
        )
        if not inner or not rest:
            over += body[0]
            under += body[1]
        else:
            over.append(_over(inner, body, symbols))
            bound &= ~inner
    return _over(bound, (over, under), symbols)


def _over(
    bound: int, body: tuple[Iterable[Expression], Iterable[Expression]], symbols: Symbols
) -> Expression:
    return sum_over(symbols.listed(bound), ratio(product(body[0]), product(body[1])))


def _factor(factor: Factor, symbols: Symbols) -> Expression:
    match factor:
        case Atom(of, given, do, domain):
            one, two, three = (symbols.listed(part) for part in (of, given, do))
            return Prob(one, two, three, domain)
        case Opaque(expression, _):
            return expression
        case SumProduct():
            return written(factor, symbols)
        case _:
            assert_never(factor)
