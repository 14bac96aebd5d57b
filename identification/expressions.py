"""Estimands: probabilities, and products, sums, ratios and differences of them.

| node | what | text |
|---|---|---|
| `Prob` | of values given others, under an experiment | `P{a}[x](y given z)` |
| `Product` | | `P(y) * P(x)` |
| `Sum` | over all values of some variables; binds their symbols lexically | `sum[z](P(z))` |
| `Ratio` | | `P(x,y) / P(x)` |
| `Difference` | | `P(y) - P(y')` |
| `Const` | a number | `0`, `1` |

"Given" is a bar in text.

Expressions share parts: each has a digest that is made from those of its parts, by which it is
equal and hashed, so that both take constant time however often a part occurs.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import TypeAlias, TypeVar, assert_never, final

from causalnet.errors import TermError
from causalnet.identification.values import Value, quoted_name

__all__ = [
    "ONE",
    "ZERO",
    "Const",
    "Difference",
    "Expression",
    "Prob",
    "Product",
    "Ratio",
    "Sum",
    "difference",
    "fold",
    "parts_of",
    "product",
    "ratio",
    "rebuilt",
    "sum_over",
    "text_of",
]


def _text_of(expression: "Expression") -> str:
    """Return the text, which parses back."""
    return text_of(expression)


def _latex_of(expression: "Expression") -> str:
    """Return the formula as notebooks typeset it."""
    from causalnet.identification.showing.notebook import expression_latex

    return expression_latex(expression)


_NO_VALUES: frozenset[Value] = frozenset()


def _digest(*parts: object) -> bytes:
    return blake2b(repr(parts).encode(), digest_size=16).digest()


def _set(node: object, digest: bytes, free: frozenset[Value]) -> None:
    object.__setattr__(node, "digest", digest)
    object.__setattr__(node, "free", free)


@final
@dataclass(frozen=True, slots=True, repr=False)
class Const:
    """A number; estimands hold 0 and 1.

    Attributes:
        number: The number.
        digest: By which expressions are equal.
        free: The symbols whose values an assignment must give; none.
    """

    number: int = field(compare=False)
    digest: bytes = field(init=False)
    free: frozenset[Value] = field(init=False, compare=False)

    def __post_init__(self) -> None:
        """Make the digest."""
        _set(self, _digest("Const", self.number), _NO_VALUES)

    __str__ = __repr__ = _text_of
    _repr_latex_ = _latex_of


@final
@dataclass(frozen=True, slots=True, repr=False)
class Prob:
    """P(of | given, do) in a domain.

    Attributes:
        of: The values whose probability it is; sorted, at least one.
        given: The values on which one conditions; sorted.
        do: The values that an experiment sets; sorted.
        domain: The population; "" is the one that is asked about.
        digest: By which expressions are equal.
        free: All its values but levels.

    Raises:
        TermError: A variable twice.

    >>> from causalnet.identification.values import symbol
    >>> Prob((symbol("Y"),), given=(symbol("Z"),), do=(symbol("X"),))
    P[x](y|z)
    """

    of: tuple[Value, ...] = field(compare=False)
    given: tuple[Value, ...] = field(default=(), compare=False)
    do: tuple[Value, ...] = field(default=(), compare=False)
    domain: str = field(default="", compare=False)
    digest: bytes = field(init=False)
    free: frozenset[Value] = field(init=False, compare=False)

    def __post_init__(self) -> None:
        """Sort the values, check that no variable is there twice, and make the digest."""
        of, given, do = (tuple(sorted(part)) for part in (self.of, self.given, self.do))
        object.__setattr__(self, "of", of)
        object.__setattr__(self, "given", given)
        object.__setattr__(self, "do", do)
        values = of + given + do
        if len({value.variable for value in values}) < len(values) or not of:
            _refuse(of, values)
        named = [tuple((v.variable, v.name) for v in part) for part in (of, given, do)]
        free = frozenset(value for value in values if value.level is None)
        _set(self, _digest("Prob", self.domain, named), free)

    __str__ = __repr__ = _text_of
    _repr_latex_ = _latex_of


def _refuse(of: tuple[Value, ...], values: tuple[Value, ...]) -> None:
    if not of:
        raise TermError("A probability of nothing.", "It has at least one value.", "Write P(y).")
    names = [value.variable for value in values]
    twice = next(name for name in names if names.count(name) > 1)
    raise TermError(
        f"{twice!r} is twice in one probability.",
        "A variable has one value there, before or behind the bar or in do.",
    )


@final
@dataclass(frozen=True, slots=True, repr=False)
class Product:
    """A product; `product` makes flat ones.

    Attributes:
        factors: At least two.
        digest: By which expressions are equal; the order of factors matters to it.
        free: The factors' symbols.
    """

    factors: "tuple[Expression, ...]" = field(compare=False)
    digest: bytes = field(init=False)
    free: frozenset[Value] = field(init=False, compare=False)

    def __post_init__(self) -> None:
        """Make the digest."""
        free = _NO_VALUES.union(*(factor.free for factor in self.factors))
        _set(self, _digest("Product", *(factor.digest for factor in self.factors)), free)

    __str__ = __repr__ = _text_of
    _repr_latex_ = _latex_of


@final
@dataclass(frozen=True, slots=True, repr=False)
class Sum:
    """A sum over all values of some variables; a symbol in the body is bound by the nearest sum.

    A symbol that is not free in the body multiplies by the number of its variable's values.

    Attributes:
        bound: The symbols, sorted; at least one.
        body: What is summed.
        digest: By which expressions are equal; the names of bound symbols matter to it.
        free: The body's symbols but the bound ones.

    Raises:
        TermError: A level in place of a symbol, or a variable twice.
    """

    bound: tuple[Value, ...] = field(compare=False)
    body: "Expression" = field(compare=False)
    digest: bytes = field(init=False)
    free: frozenset[Value] = field(init=False, compare=False)

    def __post_init__(self) -> None:
        """Sort and check the bound symbols, and make the digest."""
        bound = tuple(sorted(self.bound))
        object.__setattr__(self, "bound", bound)
        if not bound or len(set(bound)) < len(bound) or any(v.level is not None for v in bound):
            raise TermError(
                f"sum[{','.join(map(str, bound))}] does not name symbols, each once.",
                "A sum goes over the values of one symbol or of several.",
                "Write sum[x,z](...).",
            )
        named = [(v.variable, v.name) for v in bound]
        _set(self, _digest("Sum", named, self.body.digest), self.body.free.difference(bound))

    __str__ = __repr__ = _text_of
    _repr_latex_ = _latex_of


@final
@dataclass(frozen=True, slots=True, repr=False)
class Ratio:
    """A ratio; where the denominator is 0 it has no value.

    Attributes:
        numerator: What is divided.
        denominator: By what.
        digest: By which expressions are equal.
        free: The symbols of both.
    """

    numerator: "Expression" = field(compare=False)
    denominator: "Expression" = field(compare=False)
    digest: bytes = field(init=False)
    free: frozenset[Value] = field(init=False, compare=False)

    def __post_init__(self) -> None:
        """Make the digest."""
        over, under = self.numerator, self.denominator
        _set(self, _digest("Ratio", over.digest, under.digest), over.free | under.free)

    __str__ = __repr__ = _text_of
    _repr_latex_ = _latex_of


@final
@dataclass(frozen=True, slots=True, repr=False)
class Difference:
    """A difference, as effects are: of two probabilities, the second subtracted.

    Attributes:
        minuend: From what is subtracted.
        subtrahend: What is subtracted.
        digest: By which expressions are equal.
        free: The symbols of both.
    """

    minuend: "Expression" = field(compare=False)
    subtrahend: "Expression" = field(compare=False)
    digest: bytes = field(init=False)
    free: frozenset[Value] = field(init=False, compare=False)

    def __post_init__(self) -> None:
        """Make the digest."""
        one, other = self.minuend, self.subtrahend
        _set(self, _digest("Difference", one.digest, other.digest), one.free | other.free)

    __str__ = __repr__ = _text_of
    _repr_latex_ = _latex_of


Expression: TypeAlias = Const | Prob | Product | Sum | Ratio | Difference

ZERO, ONE = Const(0), Const(1)

Made = TypeVar("Made")


def product(factors: "Iterable[Expression]") -> Expression:
    """Return a product, flat and without ones; 0 if a factor is 0.

    >>> from causalnet.identification.values import symbol
    >>> product([ONE, Prob((symbol("X"),))])
    P(x)
    """
    flat: list[Expression] = []
    for factor in factors:
        if isinstance(factor, Product):
            flat += factor.factors
        elif factor != ONE:
            flat.append(factor)
    if ZERO in flat:
        return ZERO
    if len(flat) < 2:
        return flat[0] if flat else ONE
    return Product(tuple(flat))


def sum_over(bound: Iterable[Value], body: Expression) -> Expression:
    """Return a sum, joined with one right below it; the body where nothing is bound.

    >>> from causalnet.identification.values import symbol
    >>> sum_over([symbol("X")], sum_over([symbol("Z")], Prob((symbol("X"), symbol("Z")))))
    sum[x,z](P(x,z))
    """
    symbols = tuple(bound)
    if not symbols or body == ZERO:
        return body
    if isinstance(body, Sum) and not set(symbols) & set(body.bound):
        return Sum(symbols + body.bound, body.body)
    return Sum(symbols, body)


def ratio(numerator: Expression, denominator: Expression) -> Expression:
    """Return a ratio; the numerator where the denominator is 1, and 1 where both are the same.

    >>> ratio(ZERO, ONE)
    0
    """
    if denominator == ONE:
        return numerator
    return ONE if numerator == denominator else Ratio(numerator, denominator)


def difference(minuend: Expression, subtrahend: Expression) -> Expression:
    """Return a difference; 0 where both are the same.

    >>> difference(ONE, ONE)
    0
    """
    if subtrahend == ZERO:
        return minuend
    return ZERO if minuend == subtrahend else Difference(minuend, subtrahend)


def parts_of(expression: Expression) -> "tuple[Expression, ...]":
    """Return the expressions right below one."""
    match expression:
        case Const() | Prob():
            return ()
        case Product(factors):
            return factors
        case Sum(_, body):
            return (body,)
        case Ratio(one, other) | Difference(one, other):
            return (one, other)
        case _:
            assert_never(expression)


def rebuilt(expression: Expression, parts: "Iterable[Expression]") -> Expression:
    """Return an expression with other parts in place of its own, made by the short forms above."""
    given = tuple(parts)
    match expression:
        case Const() | Prob():
            return expression
        case Product():
            return product(given)
        case Sum(bound, _):
            return sum_over(bound, given[0])
        case Ratio():
            return ratio(*given)
        case Difference():
            return difference(*given)
        case _:
            assert_never(expression)


def fold(expression: Expression, visit: Callable[[Expression, tuple[Made, ...]], Made]) -> Made:
    """Return what `visit` makes of an expression, given what it made of the parts.

    Parts that are shared are visited once, and nothing recurses.

    >>> fold(product([ONE, ZERO]), lambda node, below: 1 + sum(below))
    1
    """
    made: dict[Expression, Made] = {}
    waiting = [expression]
    while waiting:
        node = waiting[-1]
        if node in made:
            waiting.pop()
            continue
        parts = parts_of(node)
        missing = [part for part in parts if part not in made]
        if missing:
            waiting += missing
        else:
            made[node] = visit(node, tuple(made[part] for part in parts))
            waiting.pop()
    return made[expression]


def text_of(expression: Expression) -> str:
    """Return the text of an expression, which parses back to an equal one.

    >>> from causalnet.identification.values import symbol
    >>> x, y, z = map(symbol, "XYZ")
    >>> text_of(Sum((z,), product([Prob((y,), (x, z)), Prob((z,))])))
    'sum[z](P(y|x,z) * P(z))'
    """
    return fold(expression, _text)


def _text(node: Expression, below: tuple[str, ...]) -> str:
    match node:
        case Const(number):
            return str(number)
        case Prob():
            return _prob_text(node)
        case Product(factors):
            return " * ".join(map(_factor_text, factors, below))
        case Sum(bound, _):
            return f"sum[{_listed(bound)}]({below[0]})"
        case Ratio(over, under):
            return f"{_factor_text(over, below[0])} / {_factor_text(under, below[1])}"
        case Difference(_, right):
            subtracted = f"({below[1]})" if isinstance(right, Difference) else below[1]
            return f"{below[0]} - {subtracted}"
        case _:
            assert_never(node)


def _factor_text(node: Expression, text: str) -> str:
    return f"({text})" if isinstance(node, Product | Ratio | Difference) else text


def _prob_text(node: Prob) -> str:
    domain = f"{{{quoted_name(node.domain)}}}" if node.domain else ""
    do = f"[{_listed(node.do)}]" if node.do else ""
    given = f"|{_listed(node.given)}" if node.given else ""
    return f"P{domain}{do}({_listed(node.of)}{given})"


def _listed(values: Iterable[Value]) -> str:
    return ",".join(map(str, values))
