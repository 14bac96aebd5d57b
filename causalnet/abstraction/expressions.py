"""Small expressions for the variables of a high-level model, as plain values that files can hold.

An expression is the name of a variable, a number, or a mapping with one operation and what it is
applied to; texts that are no names are written `{value: text}`.

| written | what it is |
|---|---|
| `{sum: [a, b]}`, `{difference: [a, b]}`, `{product: [a, b]}`, `{mod: [a, 7]}` | arithmetic |
| `{equal: [a, b]}`, `{less: [a, b]}` | true or false |
| `{not: [a]}`, `{and: [a, b]}`, `{or: [a, b]}` | true or false |
| `{if: [test, then, else]}` | one of two |
| `{least: [a, b]}`, `{most: [a, b]}` | the smallest, the greatest |
| `{find: [x, a, b]}` | where x first stands among a, b: 0, 1, or -1 for nowhere |
| `{choose: [i, a, b]}` | the one at place i, from 0 |
| `{first: [x]}`, `{last: [x]}` | of a text or a list |
| `{join: [a, b]}` | all of them as one value, a tuple |
| `{lookup: [x], table: [[key, value], ...], otherwise: value}` | read from a table |

Nothing is evaluated as a program: what is not in the table is refused.
"""

import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, TypeAlias

from causalnet.errors import FormatError

__all__ = ["OPERATORS", "Expression", "Value", "parse_expression"]

Value: TypeAlias = Hashable
"""What a variable can be: a number, a text, a truth value, or a tuple of them."""


def _find(wanted: Value, *among: Value) -> int:
    return among.index(wanted) if wanted in among else -1


def _choose(place: Any, *among: Value) -> Value:
    # -1 stands for nowhere, which is no place from the end.
    chosen: Value = among[place if place >= 0 else len(among)]
    return chosen


OPERATORS: Mapping[str, tuple[int, int | None, Callable[..., Value]]] = MappingProxyType(
    {
        "sum": (1, None, lambda *parts: sum(parts)),
        "difference": (2, 2, lambda one, other: one - other),
        "product": (1, None, lambda *factors: math.prod(factors)),
        "mod": (2, 2, lambda number, modulus: number % modulus),
        "equal": (2, 2, lambda one, other: one == other),
        "less": (2, 2, lambda one, other: one < other),
        "not": (1, 1, lambda one: not one),
        "and": (1, None, lambda *parts: all(parts)),
        "or": (1, None, lambda *parts: any(parts)),
        "if": (3, 3, lambda test, then, otherwise: then if test else otherwise),
        "least": (1, None, lambda *parts: min(parts)),
        "most": (1, None, lambda *parts: max(parts)),
        "find": (2, None, _find),
        "choose": (2, None, _choose),
        "first": (1, 1, lambda sequence: sequence[0]),
        "last": (1, 1, lambda sequence: sequence[-1]),
        "join": (1, None, lambda *parts: parts),
    }
)
"""Name -> fewest arguments, most arguments (None for any number), what it does."""

_MOST_STEPS = 10_000


@dataclass(frozen=True, slots=True)
class _Constant:
    value: Value

    def __str__(self) -> str:
        return repr(self.value)


@dataclass(frozen=True, slots=True)
class _Reference:
    name: str

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class _Operation:
    name: str
    arguments: int

    def __str__(self) -> str:
        return f"{self.name}/{self.arguments}"


@dataclass(frozen=True, slots=True)
class _Lookup:
    arguments: int
    rows: tuple[tuple[Value, Value], ...]
    has_otherwise: bool
    otherwise: Value

    def __str__(self) -> str:
        rest = f", otherwise {self.otherwise!r}" if self.has_otherwise else ""
        return f"lookup/{self.arguments}({list(self.rows)!r}{rest})"


_Step: TypeAlias = _Constant | _Reference | _Operation | _Lookup


@dataclass(frozen=True, slots=True)
class Expression:
    """An expression as the steps of a stack machine; equal expressions have equal steps.

    Attributes:
        steps: Operands before what is applied to them.

    >>> print(parse_expression({"mod": [{"sum": ["a", "b"]}, 7]}))
    a b sum/2 7 mod/2
    """

    steps: tuple[_Step, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The variables that are read, in the order in which they come."""
        found = (step.name for step in self.steps if isinstance(step, _Reference))
        return tuple(dict.fromkeys(found))

    def __call__(self, **values: Value) -> Value:
        """Return the value.

        Args:
            values: Of the variables, by name.

        Raises:
            KeyError: A lookup that the table does not have.
            TypeError, IndexError, ZeroDivisionError: Values that an operation is not for.
        """
        stack: list[Value] = []
        for step in self.steps:
            match step:
                case _Constant(value):
                    stack.append(value)
                case _Reference(name):
                    stack.append(values[name])
                case _Operation(name, count):
                    arguments = stack[-count:]
                    del stack[-count:]
                    stack.append(OPERATORS[name][2](*arguments))
                case _Lookup(count, rows, has_otherwise, otherwise):
                    key = stack[-1] if count == 1 else tuple(stack[-count:])
                    del stack[-count:]
                    table = dict(rows)
                    stack.append(table.get(key, otherwise) if has_otherwise else table[key])
        return stack[0]

    def __str__(self) -> str:
        """Return the steps, operands first."""
        return " ".join(map(str, self.steps))


def parse_expression(written: object) -> Expression:
    """Return the expression that plain values write.

    Args:
        written: A name, a number, or a mapping with one operation.

    Raises:
        FormatError: Something else, an unknown operation, or another number of arguments.

    >>> parse_expression({"choose": [{"find": ["c", "a", "b"]}, "b", "a"]})(a="x", b="y", c="x")
    'y'
    """
    steps: list[_Step] = []
    waiting: list[object] = [written]
    while waiting:  # what is applied stands before its operands here, and is turned round below
        each = waiting.pop()
        step, operands = _step_of(each)
        steps.append(step)
        waiting.extend(operands)
        if len(steps) > _MOST_STEPS:
            raise FormatError(
                f"An expression of more than {_MOST_STEPS} steps.",
                "A variable is a small expression of others.",
                "Name its parts as variables of their own, or write a table.",
            )
    return Expression(tuple(reversed(steps)))


def _step_of(written: object) -> tuple[_Step, tuple[object, ...]]:
    """Return one step, and the operands that are still to be read."""
    match written:
        case str():
            return _Reference(written), ()
        case bool() | int() | float():
            return _Constant(written), ()
        case Mapping() if set(written) == {"value"}:
            return _Constant(_value(written["value"])), ()
        case Mapping() if "lookup" in written:
            return _lookup(written)
        case Mapping() if len(written) == 1:
            ((name, given),) = written.items()
            return _operation(name, given)
    raise FormatError(
        f"The expression {_shown(written)}.",
        "A name, a number, {value: text}, or a mapping with one operation: "
        f"{', '.join((*OPERATORS, 'lookup'))}.",
        "Write for example {mod: [{sum: [a, b]}, 7]}.",
    )


def _operation(name: object, given: object) -> tuple[_Step, tuple[object, ...]]:
    if not isinstance(name, str) or name not in OPERATORS:
        raise FormatError(
            f"There is no operation {name!r}.",
            f"There are {', '.join((*OPERATORS, 'lookup'))}.",
            "Write one of these; a text is written {value: text}.",
        )
    operands = _operands(given)
    least, most, _ = OPERATORS[name]
    if len(operands) < least or (most is not None and len(operands) > most):
        wanted = f"{least}" if most == least else f"{least} or more"
        raise FormatError(
            f"{name} of {len(operands)} arguments.",
            f"It takes {wanted}.",
            f"Write {{{name}: [{', '.join('abc'[: max(least, 1)])}]}}.",
        )
    return _Operation(name, len(operands)), operands


def _lookup(written: Mapping[object, object]) -> tuple[_Step, tuple[object, ...]]:
    strange = sorted(str(key) for key in set(written) - {"lookup", "table", "otherwise"})
    table = written.get("table")
    if isinstance(table, Mapping):
        rows: Sequence[object] = [list(pair) for pair in table.items()]
    else:
        rows = table if isinstance(table, Sequence) and not isinstance(table, str) else []
    pairs = [row for row in rows if isinstance(row, Sequence) and not isinstance(row, str)]
    if strange or not rows or len(pairs) < len(rows) or any(len(row) != 2 for row in pairs):
        raise FormatError(
            f"A lookup with {strange[0]!r}." if strange else f"A lookup in {_shown(table)}.",
            "It has a table of pairs of key and value, and may have otherwise.",
            "Write {lookup: [x], table: [[key, value], ...]}.",
        )
    operands = _operands(written["lookup"])
    found = [(_value(key), _value(value)) for key, value in pairs]
    keys = [key for key, _ in found]
    twice = [key for key in keys if keys.count(key) > 1]
    if twice or not operands:
        raise FormatError(
            f"A lookup has the key {twice[0]!r} twice." if twice else "A lookup of nothing.",
            "It looks at least one value up, and each key is there once.",
            "Write {lookup: [x], table: [[key, value], ...]}.",
        )
    has = "otherwise" in written
    other = _value(written["otherwise"]) if has else None
    return _Lookup(len(operands), tuple(found), has, other), operands


def _operands(given: object) -> tuple[object, ...]:
    is_list = isinstance(given, Sequence) and not isinstance(given, str)
    return tuple(given) if is_list else (given,)  # type: ignore[arg-type]  # a sequence, as said


def _value(given: object) -> Value:
    """Return a constant; a list becomes a tuple."""
    if isinstance(given, str | bool | int | float) or given is None:
        return given
    parts = list(given) if isinstance(given, Sequence) else []
    if parts and all(isinstance(part, str | bool | int | float) for part in parts):
        return tuple(parts)
    raise FormatError(
        f"The value {_shown(given)}.",
        "A text, a number, true or false, or a list of these.",
        "Write for example {value: Mary}.",
    )


def _shown(written: object) -> str:
    text = repr(written)
    return text if len(text) <= 60 else f"{text[:57]}..."
