"""Scalars as sympy expressions over read-outs in worlds, and back.

Every read-out in a world, and every derivative, is one symbol, named by its text, so that
expressions of several scalars can be added, subtracted and simplified.
"""

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from causalnet.errors import TermError
from causalnet.interventions.scalars import Apply, Contrast, Grad, Leaf, Read, Scalar, leaves_of
from causalnet.interventions.terms import abbreviated

__all__ = ["from_sympy", "symbols_of", "to_sympy"]

_DEEPEST = 100  # functions inside functions; sympy recurses over them


def symbols_of(*scalars: Scalar) -> dict[Any, Leaf]:
    """Return the symbol of every read-out in a world, and what it stands for."""
    import sympy

    leaves = dict.fromkeys(leaf for scalar in scalars for leaf in leaves_of(scalar))
    return {sympy.Symbol(abbreviated(leaf), real=True): leaf for leaf in leaves}


def to_sympy(scalar: Scalar) -> Any:
    """Return a scalar as a sympy expression; `symbols_of` says what its symbols stand for.

    Weights that are fractions with a small denominator become exact, others stay floating point.

    Raises:
        TermError: More than 100 functions inside one another.

    >>> from causalnet.graphs import plain_graph
    >>> from causalnet.interventions.contrasts import nde, te, tie
    >>> mediator = plain_graph({"M": ()}).find("M")
    >>> total, direct, indirect = (
    ...     to_sympy(query.contrasts[0][1]) for query in (te(), nde(mediator), tie(mediator))
    ... )
    >>> total - direct - indirect
    0
    """
    import sympy

    symbols = {leaf: symbol for symbol, leaf in symbols_of(scalar).items()}
    done: dict[Scalar, tuple[Any, int]] = {leaf: (symbol, 0) for leaf, symbol in symbols.items()}
    waiting: list[Scalar] = [scalar]
    while waiting:
        current = waiting[-1]
        inside = _inside(current)
        missing = [part for part in inside if part not in done]
        if missing:
            waiting.extend(missing)
            continue
        waiting.pop()
        if current in done:
            continue
        parts = [done[part][0] for part in inside]
        depth = max((done[part][1] for part in inside), default=0)
        if isinstance(current, Contrast):
            weighted = [
                _exact(weight) * part
                for (weight, _), part in zip(current.terms, parts, strict=True)
            ]
            done[current] = (sympy.Add(*weighted), depth)
        elif isinstance(current, Apply):
            if depth >= _DEEPEST:
                raise TermError(
                    f"More than {_DEEPEST} functions inside one another.",
                    "Sympy cannot hold expressions that are nested so deeply.",
                )
            done[current] = (_applied(current.name, parts), depth + 1)
    return done[scalar][0]


def _inside(scalar: Scalar) -> tuple[Scalar, ...]:
    match scalar:
        case Contrast(terms):
            return tuple(part for _, part in terms)
        case Apply(_, arguments):
            return arguments
        case Read() | Grad():
            return ()


def _exact(weight: float) -> Any:
    import sympy

    near = Fraction(weight).limit_denominator(1_000_000)
    if float(near) == weight:
        return sympy.Rational(near.numerator, near.denominator)
    return sympy.Float(weight)


def _applied(name: str, parts: list[Any]) -> Any:
    import sympy

    match name:
        case "ratio":
            return parts[0] / parts[1]
        case "positive":
            return sympy.Heaviside(parts[0], 0)
        case "not":
            return 1 - parts[0]
        case "and":
            return parts[0] * parts[1]
    raise TermError(f"The function {name} has no expression in sympy.")


def from_sympy(expression: Any, symbols: Mapping[Any, Leaf]) -> Contrast:
    """Return a linear expression as a contrast, its terms in the order of the symbols.

    Args:
        expression: A sympy expression.
        symbols: What its symbols stand for, as `symbols_of` returns them.

    Raises:
        TermError: A symbol that stands for nothing, or an expression that is not linear or has a
            constant term.

    >>> from causalnet.interventions.contrasts import te
    >>> [(_, total)] = te().contrasts
    >>> print(from_sympy(2 * to_sympy(total), symbols_of(total)))
    2.0 logit_difference(<source>) - 2.0 logit_difference(<base>)
    """
    import sympy

    expanded = sympy.expand(sympy.sympify(expression))
    unknown = sorted(map(str, expanded.free_symbols - set(symbols)))
    if unknown:
        raise TermError(
            f"The symbol {unknown[0]!r} stands for no read-out.",
            "Symbols come from symbols_of(scalar, ...).",
        )
    terms, rest = [], expanded
    for symbol, leaf in symbols.items():
        weight = expanded.coeff(symbol, 1)
        if weight != 0 and weight.is_number and weight.is_real:
            if number := float(weight):  # products of weights can be too small for a float
                terms.append((number, leaf))
            rest -= weight * symbol
    if sympy.expand(rest) != 0:
        raise TermError(
            f"{expression} is no linear combination of read-outs.",
            "A contrast is a sum of numbers times read-outs, without a constant.",
            "Write ratios and events with Apply.",
        )
    return Contrast(tuple(terms))
