"""Arrays whose axes are values: products of them, and sums over some of their axes.

| name | what |
|---|---|
| `Evaluated` | numbers for all assignments of some symbols, one axis for each |
| `multiplied` | the product of several |
| `contracted` | several, one axis after another summed out of their product |
| `elimination` | in which order, and what it costs |
| `subtracted`, `divided` | a difference, a ratio |

A product with a factor of 0 is 0, whatever the others are: a conditional probability has no value
where its condition is impossible, and it does not matter there.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from causalnet.errors import ParameterError, TermError
from causalnet.identification.values import Value

__all__ = [
    "LARGEST",
    "Evaluated",
    "check_level",
    "contracted",
    "divided",
    "elimination",
    "multiplied",
    "subtracted",
]

LARGEST = 2**24
_MOST_AXES = 32

Numbers: TypeAlias = NDArray[np.float64]


@final
@dataclass(frozen=True, slots=True, eq=False)
class Evaluated:
    """Numbers for all assignments of some symbols; nan where there is no value.

    Attributes:
        axes: The symbols, sorted.
        array: One axis for each symbol, over the levels of its variable.

    >>> from causalnet.identification.values import symbol
    >>> told = Evaluated((symbol("X"), symbol("Y")), np.array([[0.9, 0.1], [0.4, 0.6]]))
    >>> told.at({"x": 1, "y": 0})
    0.4
    """

    axes: tuple[Value, ...]
    array: Numbers

    def at(self, levels: Mapping[Value, int] | Mapping[str, int]) -> float:
        """Return the number at one assignment; symbols by themselves or by their text.

        Args:
            levels: A level for each symbol.  Others may be there, and do not matter.

        Raises:
            TermError: A symbol without a level.
            ParameterError: A level that its variable does not have.
        """
        chosen = {str(name): level for name, level in levels.items()}
        missing = [str(axis) for axis in self.axes if str(axis) not in chosen]
        if missing:
            raise TermError(
                f"No level for {', '.join(missing)}.",
                f"The numbers depend on {', '.join(map(str, self.axes))}.",
                "Write .at({'x': 1, 'y': 0}).",
            )
        for axis, size in zip(self.axes, self.array.shape, strict=True):
            check_level(axis, chosen[str(axis)], size)
        return float(self.array[tuple(chosen[str(axis)] for axis in self.axes)])

    def aligned(self, axes: Sequence[Value]) -> Numbers:
        """Return the numbers with axes in a given order, of size 1 where they depend on nothing.

        Raises:
            TermError: An axis of these numbers that is not among the given ones.
        """
        own = {axis: size for axis, size in zip(self.axes, self.array.shape, strict=True)}
        if not own.keys() <= set(axes):
            raise TermError(
                f"The numbers depend on {', '.join(map(str, self.axes))}.",
                f"{', '.join(map(str, axes))} are given.",
                "Name all of them.",
            )
        order = [self.axes.index(axis) for axis in axes if axis in own]
        return self.array.transpose(order).reshape([own.get(axis, 1) for axis in axes])

    def __str__(self) -> str:
        """Return the symbols, and how many levels each has."""
        pairs = zip(self.axes, self.array.shape, strict=True)
        return f"numbers over {', '.join(f'{axis} ({size})' for axis, size in pairs) or 'nothing'}"


def check_level(value: Value, level: int, size: int) -> None:
    """Refuse a level that a variable does not have.

    Raises:
        ParameterError: The level, and how many there are.
    """
    if not 0 <= level < size:
        raise ParameterError(
            f"{value} is at level {level}, and {value.variable!r} has {size} levels.",
            f"Levels are 0..{size - 1}.",
        )


def multiplied(factors: Iterable[Evaluated]) -> Evaluated:
    """Return the product of several.

    Raises:
        ParameterError: More entries than `LARGEST`, or more than 32 axes.

    >>> multiplied([]).at({})
    1.0
    """
    given = list(factors)
    if len(given) == 1:
        return given[0]
    sizes = _sizes(given)
    axes = tuple(sorted(sizes))
    _check_size(axes, [sizes[axis] for axis in axes])
    laid = [_laid(factor, axes, sizes) for factor in given]
    total = np.ones((), dtype=np.float64)
    for array in laid:
        total = total * array
    if np.isnan(total).any():
        for array in laid:
            total = np.where(array == 0.0, 0.0, total)
    return Evaluated(axes, np.asarray(total))


def contracted(
    factors: Iterable[Evaluated], bound: Iterable[Value], levels: Callable[[str], int]
) -> tuple[Evaluated, ...]:
    """Return factors whose product is the sum of a product over some symbols.

    One symbol after another is summed out of the factors that depend on it, the one that makes the
    smallest array first.

    Args:
        factors: What is multiplied.
        bound: The symbols to sum out.
        levels: How many levels a variable has; asked where no factor depends on its symbol.

    Raises:
        ParameterError: An array on the way is larger than `LARGEST`.
    """
    left, sums = list(factors), set(bound)
    sizes = _sizes(left)
    scopes = [factor.axes for factor in left]
    for axis in elimination(scopes, sums.intersection(sizes), sizes)[0]:
        touched = [factor for factor in left if axis in factor.axes]
        left = [factor for factor in left if axis not in factor.axes]
        left.append(_summed(touched, axis))
    vacuous = sorted(sums.difference(sizes))
    return (*left, *(_constant(levels(axis.variable)) for axis in vacuous))


def elimination(
    scopes: Iterable[Iterable[Value]], bound: Iterable[Value], sizes: Mapping[Value, int]
) -> tuple[tuple[Value, ...], int]:
    """Return an order in which to sum symbols out, and how many numbers come up on the way.

    Args:
        scopes: The axes of each factor.
        bound: The symbols to sum out, each the axis of a factor.
        sizes: How many levels each axis has.

    >>> from causalnet.identification.values import symbol
    >>> x, y, z = map(symbol, "XYZ")
    >>> order, cost = elimination([(x, y), (y, z)], [y, z], {x: 2, y: 2, z: 9})
    >>> [str(axis) for axis in order], cost
    (['z', 'y'], 22)
    """
    beside: dict[Value, set[Value]] = {}
    for scope in map(tuple, scopes):
        for axis in scope:
            beside.setdefault(axis, set()).update(scope)
    waiting = {axis: prod(sizes[each] for each in beside[axis]) for axis in sorted(bound)}
    order: list[Value] = []
    cost = 0
    while waiting:
        best = min(waiting, key=waiting.__getitem__)
        cost += waiting.pop(best)
        order.append(best)
        joint = beside.pop(best) - {best}
        for axis in joint:
            beside[axis] |= joint
            beside[axis].discard(best)
            if axis in waiting:
                waiting[axis] = prod(sizes[each] for each in beside[axis])
    return tuple(order), cost


def subtracted(minuend: Evaluated, subtrahend: Evaluated) -> Evaluated:
    """Return a difference."""
    one, other, axes = _together(minuend, subtrahend)
    return Evaluated(axes, np.asarray(one - other))


def divided(over: Evaluated, under: Evaluated) -> Evaluated:
    """Return a ratio; nan where what is below is 0."""
    one, other, axes = _together(over, under)
    out = np.full(np.broadcast_shapes(one.shape, other.shape), np.nan)
    return Evaluated(axes, np.divide(one, other, out=out, where=other != 0.0))


def _summed(factors: Sequence[Evaluated], axis: Value) -> Evaluated:
    joint = multiplied(factors)
    at = joint.axes.index(axis)
    return Evaluated(joint.axes[:at] + joint.axes[at + 1 :], np.asarray(joint.array.sum(axis=at)))


def _constant(number: float) -> Evaluated:
    return Evaluated((), np.asarray(float(number)))


def _sizes(factors: Iterable[Evaluated]) -> dict[Value, int]:
    sizes: dict[Value, int] = {}
    for factor in factors:
        for axis, size in zip(factor.axes, factor.array.shape, strict=True):
            if sizes.setdefault(axis, size) != size:
                raise ParameterError(
                    f"{axis.variable!r} has {sizes[axis]} levels in one table and {size} in "
                    "another.",
                    "A variable has the same levels everywhere.",
                )
    return sizes


def _laid(factor: Evaluated, axes: Sequence[Value], sizes: Mapping[Value, int]) -> Numbers:
    """Return the numbers of a factor, axes sorted, with axes of size 1 for what it lacks."""
    own = set(factor.axes)
    return factor.array.reshape([sizes[axis] if axis in own else 1 for axis in axes])


def _check_size(axes: Sequence[Value], sizes: Sequence[int]) -> None:
    if len(axes) > _MOST_AXES or prod(sizes) > LARGEST:
        raise ParameterError(
            f"An array over {', '.join(map(str, axes))} has {prod(sizes):,} entries.",
            f"At most {LARGEST:,} entries and {_MOST_AXES} axes are held at once.",
            "Put levels in place of some symbols, or ask of fewer variables.",
        )


def _together(a: Evaluated, b: Evaluated) -> tuple[Numbers, Numbers, tuple[Value, ...]]:
    sizes = _sizes((a, b))
    axes = tuple(sorted(sizes))
    _check_size(axes, [sizes[axis] for axis in axes])
    return _laid(a, axes, sizes), _laid(b, axes, sizes), axes
