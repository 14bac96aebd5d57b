"""Other values in place of an expression's free symbols; bound symbols make way."""

from collections.abc import Mapping
from typing import TypeAlias

from causalnet.identification.expressions import (
    Const,
    Expression,
    Prob,
    Sum,
    parts_of,
    rebuilt,
    sum_over,
)
from causalnet.identification.values import Value, fresh

__all__ = ["renamed"]

_Names: TypeAlias = Mapping[Value, Value]
_Task: TypeAlias = tuple[Expression, frozenset[tuple[Value, Value]]]


def renamed(expression: Expression, names: _Names) -> Expression:
    """Return an expression with other values in place of free symbols, all at once.

    A bound symbol that would capture a value that comes in gets primes.  Shared parts are renamed
    once for each set of names that reaches them, and nothing recurses.

    Raises:
        TermError: Two values of one variable would meet in one probability.

    >>> from causalnet.identification.expressions import Product
    >>> from causalnet.identification.values import symbol
    >>> x, y, z = map(symbol, "XYZ")
    >>> both = Sum((z,), Product((Prob((y,), (z,)), Prob((z,), (x,)))))
    >>> renamed(both, {x: symbol("X", 1)})
    sum[z](P(y|z) * P(z|x'))
    >>> renamed(Sum((z,), Prob((y,), (x, z))), {x: Value("X", "x'"), z: Value("Z", "z'")})
    sum[z](P(y|x',z))
    """
    made: dict[_Task, Expression] = {}
    first = _task(expression, names)
    waiting = [first]
    while waiting:
        task = waiting[-1]
        if task in made:
            waiting.pop()
            continue
        node, pairs = task
        if not pairs:
            made[task] = node
            continue
        bound, below = _below(node, dict(pairs))
        missing = [each for each in below if each not in made]
        if missing:
            waiting += missing
        elif isinstance(node, Prob):
            made[task] = _renamed_probability(node, dict(pairs))
        else:
            parts = [made[each] for each in below]
            made[task] = sum_over(bound, parts[0]) if bound else rebuilt(node, parts)
    return made[first]


def _task(node: Expression, names: _Names) -> _Task:
    return node, frozenset((a, b) for a, b in names.items() if a in node.free and a != b)


def _below(node: Expression, names: _Names) -> tuple[tuple[Value, ...], list[_Task]]:
    """Return the bound symbols after renaming, and what is to be renamed below."""
    match node:
        case Const() | Prob():
            return (), []
        case Sum(bound, body):
            comes_in = set(names.values())
            used = comes_in | body.free | set(bound)
            changes: dict[Value, Value] = {}
            for each in bound:
                if each in comes_in:
                    changes[each] = fresh(each.variable, used)
                    used.add(changes[each])
            inner = {a: b for a, b in names.items() if a not in bound} | changes
            return tuple(changes.get(each, each) for each in bound), [_task(body, inner)]
        case _:
            return (), [_task(part, names) for part in parts_of(node)]


def _renamed_probability(node: Prob, names: _Names) -> Prob:
    of, given, do = (
        tuple(names.get(v, v) for v in part) for part in (node.of, node.given, node.do)
    )
    return Prob(of, given, do, node.domain)
