"""Formulas as sympy expressions, and back.

| formula | in sympy |
|---|---|
| `P(y given x, z)` | a symbol that is called so |
| `sum[z](...)` | `sum(..., z)`, a function that is not evaluated; the symbols it binds come last |
| products, ratios, differences, numbers | themselves |

"Given" is a bar in text.  Sympy orders, collects and cancels, so that what comes back is equal in
value, not in form; where a probability that it cancelled is 0, the formula had no value.
"""

from collections.abc import Callable, Iterable
from typing import Any

from causalnet.errors import TermError
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
    fold,
)
from causalnet.identification.reading.parsing import parse_expression
from causalnet.identification.values import Value

__all__ = ["from_sympy", "to_sympy"]

_DEEPEST = 100  # sums inside sums, or powers inside powers; sympy recurses over them
_HIGHEST = 100  # power that is written out as a product
_WRITE = "Formulas are products, quotients, sums and differences of what to_sympy returns."


def to_sympy(expression: Expression) -> Any:
    """Return a formula as a sympy expression.

    Raises:
        TermError: More than 100 levels: sympy recurses over them.

    >>> from causalnet.identification.reading.parsing import parse_expression
    >>> direct = parse_expression("sum[m](P(y|m,x) * P(m|x')) - P(y|x')")
    >>> indirect = parse_expression("P(y|x') - sum[m](P(y|m,x) * P(m|x'))")
    >>> to_sympy(direct) + to_sympy(indirect)
    0
    """
    made, _ = fold(expression, _sympy_node)
    return made


def _sympy_node(node: Expression, below: tuple[tuple[Any, int], ...]) -> tuple[Any, int]:
    """Return a node in sympy, and how deep it is."""
    import sympy

    parts = [part for part, _ in below]
    depth = 1 + max((depth for _, depth in below), default=0)
    if depth > _DEEPEST:
        raise TermError(
            f"A formula of more than {_DEEPEST} levels.", "Sympy cannot hold it.", "Simplify it."
        )
    match node:
        case Const(number):
            return sympy.Integer(number), 0
        case Prob():
            return _symbol(str(node)), 0
        case Product():
            return sympy.Mul(*parts), depth
        case Sum(bound, _):
            return sympy.Function("sum")(parts[0], *(_symbol(str(value)) for value in bound)), depth
        case Ratio():
            if parts[1] == 0:
                raise TermError(f"{node} divides by 0.", "", "Take the ratio away.")
            return parts[0] / parts[1], depth
        case Difference():
            return parts[0] - parts[1], depth


def _symbol(name: str) -> Any:
    import sympy

    return sympy.Symbol(name, real=True)


def from_sympy(expression: Any) -> Expression:
    """Return a formula that a sympy expression stands for.

    Args:
        expression: Made of what `to_sympy` returned by adding, multiplying and dividing.

    Raises:
        TermError: Anything else: a symbol that is no probability, another function, a number that
            is not rational.

    >>> import sympy
    >>> from causalnet.identification.reading.parsing import parse_expression
    >>> formula = to_sympy(parse_expression("P(x,y) / P(x)"))
    >>> from_sympy(sympy.cancel(1 - formula))
    (P(x) - P(x,y)) / P(x)
    """
    import sympy

    whole = sympy.sympify(expression)
    made: dict[Any, Expression] = {}
    waiting = [whole]
    while waiting:
        node = waiting[-1]
        if node in made:
            waiting.pop()
            continue
        missing = [part for part in _parts(node) if part not in made]
        if missing:
            waiting += missing
        else:
            made[node] = _formula(node, made.__getitem__)
            waiting.pop()
    return made[whole]


def _parts(node: Any) -> tuple[Any, ...]:
    """Return the expressions inside one that are formulas of their own."""
    if node.is_Add or node.is_Mul:
        return tuple(node.args)
    if node.is_Pow:
        return (node.base,)
    return tuple(node.args[:1]) if _is_sum(node) else ()


def _is_sum(node: Any) -> bool:
    return bool(node.is_Function) and str(node.func) == "sum" and len(node.args) > 1


def _formula(node: Any, made: Callable[[Any], Expression]) -> Expression:
    if node.is_Rational:
        over, under = Const(int(node.p)), Const(int(node.q))
        return over if under == ONE else Ratio(over, under)
    if node.is_Symbol:
        return _probability(node)
    if node.is_Add:
        return _added(node, made)
    if node.is_Mul:
        return _multiplied(map(made, node.args))
    if node.is_Pow and node.exp.is_Integer and abs(node.exp) <= _HIGHEST:
        power = _multiplied([made(node.base)] * abs(int(node.exp)))
        return power if node.exp > 0 else Ratio(ONE, power)
    if _is_sum(node):
        return Sum(tuple(map(_bound, node.args[1:])), made(node.args[0]))
    raise TermError(f"{str(node)[:80]!r} is no formula of probabilities.", _WRITE)


def _multiplied(factors: Iterable[Expression]) -> Expression:
    """Return one ratio of products, so that fractions do not pile up."""
    over: list[Expression] = []
    under: list[Expression] = []
    for factor in factors:
        if isinstance(factor, Ratio):
            over += () if factor.numerator == ONE else _flat(factor.numerator)
            under += _flat(factor.denominator)
        else:
            over += _flat(factor)
    return Ratio(_joined(over), _joined(under)) if under else _joined(over)


def _flat(expression: Expression) -> tuple[Expression, ...]:
    return expression.factors if isinstance(expression, Product) else (expression,)


def _joined(factors: list[Expression]) -> Expression:
    if len(factors) < 2:
        return factors[0] if factors else ONE
    return Product(tuple(factors))


def _added(node: Any, made: Callable[[Any], Expression]) -> Expression:
    """Return a sum of terms; what is added is subtracted from 0 first."""
    terms = [(part.could_extract_minus_sign(), part) for part in node.as_ordered_terms()]
    plus = [made(part) for is_negative, part in terms if not is_negative]
    minus = [_without_sign(made(part)) for is_negative, part in terms if is_negative]
    found = plus[0] if plus else ZERO
    for each in minus:
        found = Difference(found, each)
    for each in plus[1:]:
        found = Difference(found, Difference(ZERO, each))
    return found


def _without_sign(expression: Expression) -> Expression:
    """Return a formula times -1; where a number below 0 is its first factor, without the sign."""
    if isinstance(expression, Ratio):
        return Ratio(_without_sign(expression.numerator), expression.denominator)
    first, *rest = _flat(expression)
    if isinstance(first, Const) and first.number < 0:
        number = Const(-first.number)
        return _joined([*rest] if number == ONE and rest else [number, *rest])
    return Product((Const(-1), *_flat(expression)))


def _probability(symbol: Any) -> Prob:
    found = parse_expression(str(symbol))
    if not isinstance(found, Prob):
        raise TermError(f"The symbol {str(symbol)!r} is no probability.", _WRITE)
    return found


def _bound(symbol: Any) -> Value:
    return _probability(f"P({symbol})").of[0]
