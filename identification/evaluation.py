"""Estimands in numbers: all assignments of all free symbols at once.

| name | what |
|---|---|
| `Table` | a distribution P(everything else given do(z)), one axis for each variable |
| `Margins` | distributions of which only some variables are asked for at a time |
| `evaluate` | an expression with tables in place of distributions |
| `Evaluated` | what comes out, one axis for each free symbol |
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import TypeAlias, assert_never, final

import numpy as np
from numpy.typing import NDArray

from causalnet.errors import ParameterError, TermError, UnknownMediatorError
from causalnet.graphs.names import nearest
from causalnet.identification.contraction import (
    Evaluated,
    check_level,
    contracted,
    divided,
    elimination,
    multiplied,
    subtracted,
)
from causalnet.identification.expressions import (
    Const,
    Difference,
    Expression,
    Prob,
    Product,
    Ratio,
    Sum,
    fold,
)
from causalnet.identification.sources import Distribution
from causalnet.identification.values import Value

__all__ = ["Evaluated", "Margins", "Table", "Tables", "evaluate", "evaluation_cost"]


@final
@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """The distribution of all variables where an experiment sets some, at every value.

    Attributes:
        variables: The variables, one for each axis.
        array: Probabilities.  Axes of variables that the experiment sets are parameters: at each
            of their values all the others sum to 1.
        repeats: Axes that are no variables but go over several tables, such as resamples; what is
            evaluated from them has these axes, too, as values without a name.

    Raises:
        ParameterError: Another number of axes than of variables, or a variable twice.

    >>> Table(("X", "Y"), np.array([[0.1, 0.2], [0.3, 0.4]])).levels("Y")
    2
    """

    variables: tuple[str, ...]
    array: NDArray[np.float64]
    repeats: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check that there is one axis for each variable."""
        if len(set(self.variables)) != self.array.ndim or len(self.variables) != self.array.ndim:
            raise ParameterError(
                f"A table of {', '.join(self.variables)} with {self.array.ndim} axes.",
                "There is one axis for each variable, and no variable is there twice.",
            )

    def levels(self, variable: str) -> int:
        """Return how many levels a variable has."""
        return int(self.array.shape[self.variables.index(variable)])


@final
@dataclass(frozen=True, slots=True, eq=False)
class Margins:
    """Distributions of which only some variables are asked for at a time.

    Attributes:
        of: Given a distribution and variables, among them those that its experiment sets, makes the
            table of these variables, summed over all others.
        levels: How many levels a variable has.
    """

    of: Callable[[Distribution, frozenset[str]], Table]
    levels: Callable[[str], int]


_Whole: TypeAlias = Callable[[Distribution], Table] | Mapping[Distribution, Table]
Tables: TypeAlias = _Whole | Margins
_Cost: TypeAlias = tuple[int, tuple[frozenset[Value], ...]]


def evaluate(expression: Expression, tables: Tables) -> Evaluated:
    """Return the numbers of an expression at all assignments of its free symbols.

    A sum binds its symbols lexically, and each part is computed once.  0 / 0 has no value, nan;
    a product with a factor of 0 is 0 even so.

    Args:
        expression: What is to be evaluated.
        tables: The distributions, or a function that makes each, or their margins.

    Raises:
        TermError: A distribution that is not there.
        UnknownMediatorError: A variable that a table does not have.
        ParameterError: A level that a variable does not have, or too large an array.

    >>> from causalnet.identification.values import symbol
    >>> x, y = symbol("X"), symbol("Y")
    >>> table = Table(("X", "Y"), np.array([[0.125, 0.375], [0.25, 0.25]]))
    >>> told = evaluate(Prob((y,), (x,)), {Distribution(): table})
    >>> told.at({x: 0, y: 1})
    0.75
    """
    known = _Known(tables)
    factors: tuple[Evaluated, ...] = fold(expression, known.factors)
    return multiplied(factors)


def evaluation_cost(expression: Expression, levels: Mapping[str, int]) -> int:
    """Return how many numbers come up when an expression is evaluated.

    >>> from causalnet.identification.reading.parsing import parse_expression
    >>> evaluation_cost(parse_expression("sum[z](P(y|x,z) * P(z))"), {"X": 2, "Y": 2, "Z": 3})
    31
    """

    def size(values: Iterable[Value]) -> int:
        return prod(levels[value.variable] for value in values)

    def visit(node: Expression, below: tuple[_Cost, ...]) -> _Cost:
        cost = sum(each for each, _ in below)
        scopes = tuple(scope for _, part in below for scope in part)
        match node:
            case Product():
                return cost, scopes
            case Sum(bound, body):
                sizes = {value: levels[value.variable] for scope in scopes for value in scope}
                cost += elimination(scopes, body.free.intersection(bound), sizes)[1]
                return cost, (node.free,)
            case _:
                return cost + size(node.free), (node.free,)

    return fold(expression, visit)[0] + size(expression.free)


class _Known:
    """The tables as far as they have been asked for, and their margins."""

    def __init__(self, tables: Tables) -> None:
        self._given = tables
        self._tables: dict[Distribution, Table] = (
            dict(tables) if isinstance(tables, Mapping) else {}
        )
        self._margins: dict[tuple[Distribution, frozenset[str]], Table] = {}

    def factors(
        self, node: Expression, below: tuple[tuple[Evaluated, ...], ...]
    ) -> tuple[Evaluated, ...]:
        """Return factors whose product is the value; they are multiplied where they must be."""
        match node:
            case Const(number):
                return (Evaluated((), np.asarray(float(number))),)
            case Prob():
                return (self._probability(node),)
            case Product():
                return tuple(factor for part in below for factor in part)
            case Sum(bound, _):
                return contracted(below[0], bound, self._levels)
            case Ratio():
                return (divided(multiplied(below[0]), multiplied(below[1])),)
            case Difference():
                return (subtracted(multiplied(below[0]), multiplied(below[1])),)
            case _:
                assert_never(node)

    def _probability(self, node: Prob) -> Evaluated:
        distribution = Distribution(tuple(value.variable for value in node.do), node.domain)
        joint = self._margin(distribution, node.of + node.given)
        over = _named(joint, node.of + node.given + node.do)
        if not node.given:
            return over
        condition = self._margin(distribution, node.given)
        return divided(over, _named(condition, node.given + node.do))

    def _table(self, distribution: Distribution, given: _Whole) -> Table:
        if distribution not in self._tables:
            if isinstance(given, Mapping):
                there = ", ".join(map(str, given)) or "none"
                raise TermError(
                    f"There is no table of {distribution}.",
                    f"There are: {there}.",
                    "Give a table for each distribution that the formula names.",
                )
            self._tables[distribution] = given(distribution)
        return self._tables[distribution]

    def _margin(self, distribution: Distribution, values: Sequence[Value]) -> Table:
        """Return the distribution of some variables, under the same experiment."""
        kept = frozenset([value.variable for value in values]).union(distribution.do)
        if (distribution, kept) not in self._margins:
            given = self._given
            self._margins[distribution, kept] = (
                given.of(distribution, kept)
                if isinstance(given, Margins)
                else _summed(self._table(distribution, given), kept, distribution)
            )
        return self._margins[distribution, kept]

    def _levels(self, variable: str) -> int:
        given = self._given
        if isinstance(given, Margins):
            return given.levels(variable)
        if not self._tables:
            self._table(Distribution(), given)
        for table in self._tables.values():
            if variable in table.variables:
                return table.levels(variable)
        raise _unknown(variable, next(iter(self._tables.values())), next(iter(self._tables)))


def _summed(table: Table, kept: frozenset[str], distribution: Distribution) -> Table:
    for name in sorted(kept):
        if name not in table.variables:
            raise _unknown(name, table, distribution)
    stays = [name in kept or name in table.repeats for name in table.variables]
    left = tuple(at for at, stay in enumerate(stays) if not stay)
    names = tuple(name for name, stay in zip(table.variables, stays, strict=True) if stay)
    return Table(names, table.array.sum(axis=left), table.repeats)


def _unknown(name: str, table: Table, distribution: Distribution) -> UnknownMediatorError:
    near = ", ".join(nearest(name, table.variables) or table.variables)
    return UnknownMediatorError(
        f"The table of {distribution} has no variable {name!r}.", f"Nearest: {near}."
    )


def _named(margin: Table, values: Sequence[Value]) -> Evaluated:
    """Return a table with symbols for axes, at the levels that are given."""
    by_variable = {value.variable: value for value in values}
    index: list[slice | int] = []
    symbols: list[Value] = []
    for name, size in zip(margin.variables, margin.array.shape, strict=True):
        value = by_variable[name] if name not in margin.repeats else Value(name, "")
        level = value.level
        if level is None:
            symbols.append(value)
            index.append(slice(None))
        else:
            check_level(value, level, size)
            index.append(level)
    order = sorted(range(len(symbols)), key=lambda at: symbols[at])
    array = np.asarray(margin.array[tuple(index)]).transpose(order)
    return Evaluated(tuple(symbols[at] for at in order), array)
