"""The canonical form: one expression for all that differ in bound symbols and order alone.

| what differs | what is chosen |
|---|---|
| names of bound symbols | the fewest primes that no free and no enclosing symbol has |
| order of factors | probabilities by their values, then all else |
| nesting of products, ratios and sums | flat |
| factors that a ratio has on both sides | gone, as are 0 and 1 |

A factor is cancelled wherever it is; a ratio that has a value keeps it, and one that has none, as
the factor was 0, may get one.
"""

from collections import Counter
from collections.abc import Iterable
from itertools import count
from typing import NamedTuple, TypeAlias, assert_never

from causalnet.identification.expressions import (
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
    parts_of,
    product,
    ratio,
    sum_over,
)
from causalnet.identification.values import Value, symbol

__all__ = ["canonical"]

_Names: TypeAlias = dict[Value, Value]
_Variables: TypeAlias = frozenset[str]


def canonical(expression: Expression) -> Expression:
    """Return the canonical form, which is its own canonical form.

    Expressions that differ in the names of bound symbols, in the order or the grouping of factors,
    or in factors that cancel, have the same one.  Symbols of one variable that one sum binds are
    told apart by where they occur; only among those that occur alike does the order in which they
    were given matter.  Nothing recurses, and shared parts stay shared.

    >>> from causalnet.identification.values import symbol
    >>> x, y, z = map(symbol, "XYZ")
    >>> inner = Sum((x,), Product((Prob((y,), (x, z)), Prob((x,)))))
    >>> canonical(Sum((z,), Product((inner, Prob((z,), (x,))))))
    sum[z](P(z|x) * sum[x'](P(x') * P(y|x',z)))
    """
    while True:
        found = _Pass(expression).result()
        if found == expression:
            return found
        expression = found


class _Task(NamedTuple):
    """What is to be made of a part: under which names, and which symbols it must not bind.

    In a rough task symbols that one sum binds of one variable share a name; the outcome serves
    only to compare.
    """

    node: Expression
    names: frozenset[tuple[Value, Value]]
    taken: frozenset[Value]
    rough: bool


class _Pass:
    """One walk over an expression, from the outside in for names, and back for the rest."""

    def __init__(self, expression: Expression) -> None:
        self._made: dict[_Task, Expression] = {}
        self._binds: dict[Expression, _Variables] = {}
        fold(expression, self._bound_below)
        self._first = self._task(expression, {}, expression.free, False)

    def result(self) -> Expression:
        made, waiting = self._made, [self._first]
        while waiting:
            task = waiting[-1]
            if task in made:
                waiting.pop()
                continue
            needed, names = self._needed(task)
            missing = [each for each in needed if each not in made]
            if missing:
                waiting += missing
            elif names is not None:
                made[task] = self._built(task, needed, names)
                waiting.pop()
        return made[self._first]

    def _bound_below(self, node: Expression, below: tuple[_Variables, ...]) -> _Variables:
        found: _Variables = frozenset().union(*below)
        if isinstance(node, Sum):
            found |= {value.variable for value in node.bound}
        self._binds[node] = found
        return found

    def _task(self, node: Expression, names: _Names, taken: Iterable[Value], rough: bool) -> _Task:
        free, binds = node.free, self._binds[node]
        changes = frozenset((a, b) for a, b in names.items() if a != b and a in free)
        clashes = frozenset(v for v in taken if v.variable in binds) if binds else frozenset()
        return _Task(node, changes, clashes, rough)

    def _needed(self, task: _Task) -> tuple[list[_Task], _Names | None]:
        """Return what has to be made first, and what bound symbols are called once it is known."""
        node, rough = task.node, task.rough
        if not isinstance(node, Sum):
            names = dict(task.names)
            return [self._task(part, names, task.taken, rough) for part in parts_of(node)], names
        chosen: _Names = {}
        used = set(task.taken)
        for variable in sorted({value.variable for value in node.bound}):
            tied = [value for value in node.bound if value.variable == variable]
            waiting = self._name(task, tied, chosen, used)
            if waiting:
                return waiting, None
        inner = {a: b for a, b in task.names if a not in node.bound} | chosen
        return [self._task(node.body, inner, used, rough)], chosen

    def _name(
        self, task: _Task, tied: list[Value], chosen: _Names, used: set[Value]
    ) -> list[_Task]:
        """Choose names for symbols of one variable; return what must be known first, if anything.

        Where there are several, the next name goes to the one whose body comes first when it alone
        is told apart from the others.
        """
        variable = tied[0].variable
        if task.rough and len(tied) > 1:
            chosen |= dict.fromkeys(tied, Value(variable, "*any"))
            return []
        left = list(tied)
        while left:
            first = left[0]
            if len(left) > 1:
                tasks = [self._marked(task, each, left, chosen, used) for each in left]
                if any(each not in self._made for each in tasks):
                    return tasks
                outcomes = [self._made[each].digest for each in tasks]
                first = left[outcomes.index(min(outcomes))]
            name = next(v for k in count() if (v := symbol(variable, k)) not in used)
            chosen[first] = name
            used.add(name)
            left.remove(first)
        return []

    def _marked(
        self, task: _Task, one: Value, tied: list[Value], chosen: _Names, used: set[Value]
    ) -> _Task:
        assert isinstance(task.node, Sum)
        marks = {v: Value(v.variable, "*this" if v == one else "*other") for v in tied}
        alike = {v: Value(v.variable, "*any") for v in task.node.bound if v not in chosen}
        inner = {a: b for a, b in task.names if a not in task.node.bound}
        return self._task(task.node.body, inner | alike | chosen | marks, used, True)

    def _built(self, task: _Task, needed: list[_Task], names: _Names) -> Expression:
        parts = [self._made[each] for each in needed]
        match task.node:
            case Const():
                return task.node
            case Prob():
                return _renamed(task.node, names) if names else task.node
            case Product():
                return ZERO if ZERO in parts else _quotient(*_sides(parts))
            case Ratio():
                over, under = _sides(parts[:1]), _sides(parts[1:])
                return _quotient(over[0] + under[1], over[1] + under[0])
            case Sum(bound, _):
                return sum_over(_distinct(names[value] for value in bound), parts[0])
            case Difference():
                return difference(*parts)
            case _:
                assert_never(task.node)


def _renamed(node: Prob, names: _Names) -> Prob:
    of, given, do = (
        tuple(names.get(v, v) for v in part) for part in (node.of, node.given, node.do)
    )
    return Prob(of, given, do, node.domain)


def _distinct(values: Iterable[Value]) -> list[Value]:
    """Return symbols, marks that were given to several told apart."""
    found: list[Value] = []
    for value in values:
        while value in found:
            value = Value(value.variable, f"{value.name}+")
        found.append(value)
    return found


def _sides(parts: Iterable[Expression]) -> tuple[list[Expression], list[Expression]]:
    """Return what a product multiplies, and what it divides by."""
    over: list[Expression] = []
    under: list[Expression] = []
    for part in parts:
        one, other = (part.numerator, part.denominator) if isinstance(part, Ratio) else (part, None)
        over += one.factors if isinstance(one, Product) else (one,)
        if other is not None:
            under += other.factors if isinstance(other, Product) else (other,)
    return over, under


def _quotient(over: list[Expression], under: list[Expression]) -> Expression:
    """Return a product, or a ratio of two, without what is on both sides."""
    if ZERO in under:
        return Ratio(product(sorted(over, key=_rank)), ZERO)
    if ZERO in over:
        return ZERO
    if under:
        above, below = Counter(over), Counter(under)
        over, under = list((above - below).elements()), list((below - above).elements())
    return ratio(product(sorted(over, key=_rank)), product(sorted(under, key=_rank)))


def _rank(node: Expression) -> tuple[object, ...]:
    """Return by what factors are sorted: probabilities first, all in a fixed order."""
    match node:
        case Prob(of, given, do, domain):
            return 0, *([(v.variable, v.name) for v in part] for part in (of, given, do)), domain
        case Const(number):
            return 1, number
        case _:
            return 2, node.digest
