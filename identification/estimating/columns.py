"""Columns of samples: read, checked, and cut into levels.

| name | what |
|---|---|
| `Columns` | columns by name: a mapping, or a data frame |
| `columns_of` | columns as arrays of one length, without missing values |
| `discretise` | levels in place of continuous values, with the edges |
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol, final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from causalnet.errors import ParameterError, UnknownMediatorError
from causalnet.graphs.names import nearest
from causalnet.identification.contraction import check_level
from causalnet.identification.values import Value

__all__ = [
    "Columns",
    "Discretised",
    "check_columns",
    "column",
    "columns_of",
    "discretise",
    "is_whole",
]


class Columns(Protocol):
    """Columns by name: a mapping, or a data frame."""

    def keys(self) -> Iterable[str]:
        """Return the names."""
        ...

    def __getitem__(self, name: str, /) -> ArrayLike:
        """Return a column."""
        ...


@final
@dataclass(frozen=True, slots=True, eq=False)
class Discretised:
    """Columns of which some were cut into levels.

    Attributes:
        columns: All columns; those that were cut hold levels 0, 1, ...
        edges: For each column that was cut the values at which a level begins.
    """

    columns: Mapping[str, NDArray[np.generic]]
    edges: Mapping[str, tuple[float, ...]]

    def again(self, data: Columns) -> "Discretised":
        """Return other columns, cut at the same edges.

        Raises:
            UnknownMediatorError: A column that was cut and is not there.
        """
        return discretise(data, self.edges)

    def interval(self, variable: str, level: int) -> str:
        """Return what a level of a variable stands for.

        >>> discretise({"X": [0.5, 1.5, 2.5]}, {"X": [1.0, 2.0]}).interval("X", 1)
        '1 <= X < 2'
        """
        edges = self.edges[variable]
        check_level(Value(variable, str(level)), level, len(edges) + 1)
        low = f"{edges[level - 1]:.6g} <= " if level > 0 else ""
        high = f" < {edges[level]:.6g}" if level < len(edges) else ""
        return f"{low}{variable}{high}"


def discretise(data: Columns, bins: int | Mapping[str, int | Sequence[float]]) -> Discretised:
    """Return levels in place of continuous values.

    Args:
        data: Columns.
        bins: For each variable to be cut how many levels it gets, about as many samples in each, or
            the values at which a new level begins; or one number for all whose values are not
            whole.

    Raises:
        UnknownMediatorError: A variable without a column.
        ParameterError: Columns that cannot be read, edges that do not rise, or fewer than two
            levels.

    >>> discretise({"X": [0.1, 0.7, 0.4, 0.2]}, 2).columns["X"].tolist()
    [0, 1, 1, 0]
    """
    raw = columns_of(data)
    if isinstance(bins, int):
        wanted: dict[str, int | Sequence[float]] = {
            name: bins
            for name, each in raw.items()
            if each.dtype.kind == "f" and not is_whole(each)
        }
    else:
        wanted = dict(bins)
    check_columns(wanted, raw)
    edges = {name: _edges(name, raw[name], each) for name, each in wanted.items()}
    columns = {
        name: np.searchsorted(edges[name], each, side="right") if name in edges else each
        for name, each in raw.items()
    }
    return Discretised(columns, edges)


def columns_of(
    data: Columns, variables: Iterable[str] | None = None
) -> dict[str, NDArray[np.generic]]:
    """Return columns as arrays.

    Raises:
        UnknownMediatorError: A variable without a column.
        ParameterError: Columns of different lengths, or none; values that are missing.
    """
    names = list(dict.fromkeys(data.keys() if variables is None else variables))
    check_columns(names, list(data.keys()))
    found = {name: column(name, data[name]) for name in names}
    lengths = {name: len(each) for name, each in found.items()}
    if not found or min(lengths.values()) == 0:
        raise ParameterError(
            "There are no samples.",
            "Each variable has a column of values.",
            "Write {'X': [0, 1], 'Y': [1, 0]}.",
        )
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"{name} has {length}" for name, length in lengths.items())
        raise ParameterError(
            f"Columns differ in length: {told}.",
            "There is one row per sample.",
            "Give each variable as many values.",
        )
    return found


def column(name: str, values: ArrayLike) -> NDArray[np.generic]:
    """Return a column as an array of one axis, without missing values.

    Raises:
        ParameterError: More axes than one, or missing or infinite values, with the first one.
    """
    array = np.asarray(values)
    if array.ndim != 1:
        raise ParameterError(
            f"The column {name!r} has shape {array.shape}.",
            "A column has one axis, the samples.",
            "Name one column for each number, such as one for each direction of an activation.",
        )
    if array.dtype.kind == "f":
        bad = ~np.isfinite(array)
    elif array.dtype.kind in "iubSU":
        return array
    else:
        bad = np.array([each is None or each != each for each in array], dtype=np.bool_)
    if bad.any():
        first = int(np.argmax(bad))
        raise ParameterError(
            f"{name!r} is {array[first]} in row {first}, and in {int(bad.sum())} rows in all such.",
            "Every value is there, and finite.",
            "Leave such rows out, and say so where you report the result.",
        )
    return array


def is_whole(values: NDArray[np.generic]) -> bool:
    """Return whether all numbers of a column are whole."""
    numbers = values.astype(np.float64)
    return bool(np.all(numbers == np.round(numbers)))


def check_columns(names: Iterable[str], there: Iterable[str]) -> None:
    """Refuse a variable without a column.

    Raises:
        UnknownMediatorError: The variable, and the nearest ones.
    """
    known = list(there)
    for name in names:
        if name not in known:
            near = ", ".join(map(repr, nearest(name, known) or known))
            raise UnknownMediatorError(
                f"There is no column {name!r}.", f"Nearest: {near}.", "Name a column for each."
            )


def _edges(
    name: str, values: NDArray[np.generic], wanted: int | Sequence[float]
) -> tuple[float, ...]:
    if values.dtype.kind not in "iuf":
        raise ParameterError(
            f"{name!r} holds no numbers.",
            "Only numbers can be cut into levels.",
            "Leave it out: its values are levels already.",
        )
    if isinstance(wanted, int):
        inner = np.linspace(0, 1, max(wanted, 1) + 1)[1:-1]
        least = float(values.astype(np.float64).min())
        found = np.unique(np.quantile(values.astype(np.float64), inner))
        told = [float(each) for each in found if each > least]
    else:
        told = [float(each) for each in wanted]
        if any(a >= b for a, b in pairwise(told)) or not np.isfinite(told).all():
            raise ParameterError(
                f"The edges of {name!r} are {told}.", "They are finite and rise.", "Write [0, 1.5]."
            )
    if not told:
        raise ParameterError(
            f"{name!r} would have one level.", "There are at least two.", "Ask for more bins."
        )
    return tuple(told)
