"""Samples of discrete variables, and the distributions that they suggest.

| name | what |
|---|---|
| `Samples` | columns of levels, and what each level was called |
| `empirical_table` | how often each combination of levels came up |
| `unsupported` | conditions of a formula that no sample meets |

Columns are whatever numpy can read: arrays, lists, columns of a data frame, tensors on a CPU.
Whole numbers from 0 are levels by themselves; other values are labels, whose levels are their
places in sorted order.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import TypeAlias, final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from causalnet.errors import ParameterError
from causalnet.identification.contraction import LARGEST
from causalnet.identification.estimating.columns import Columns, check_columns, columns_of, is_whole
from causalnet.identification.evaluation import Margins, Table, Tables, evaluate
from causalnet.identification.expressions import Expression, Prob, fold
from causalnet.identification.sources import Distribution
from causalnet.identification.values import Value

__all__ = [
    "Labels",
    "Samples",
    "Unsupported",
    "empirical_table",
    "shares",
    "unsupported",
]

_MOST = 10_000  # whole numbers above are labels, such as those of tokens


Labels: TypeAlias = Mapping[str, int | Sequence[object]]


@final
@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """Samples of discrete variables.

    Attributes:
        columns: For each variable the level of each sample.
        labels: For each variable what its levels were called.

    >>> found = Samples.of({"X": [1, 0, 1], "Y": ["no", "yes", "no"]})
    >>> found.columns["Y"].tolist(), found.labels["Y"]
    ([0, 1, 0], ('no', 'yes'))
    """

    columns: Mapping[str, NDArray[np.int64]]
    labels: Mapping[str, tuple[object, ...]]

    @staticmethod
    def of(
        data: "Columns | Samples",
        variables: Iterable[str] | None = None,
        labels: Labels | None = None,
    ) -> "Samples":
        """Read columns.

        Args:
            data: Columns of the same length.
            variables: Which to read; all if not said.
            labels: For some variables the labels of their levels in order, or how many levels
                0, 1, ... they have.  For the others they are what comes up.

        Raises:
            UnknownMediatorError: A variable without a column.
            ParameterError: Columns of different lengths, or none; values that are missing, or
                continuous; a value that is not among the labels.
        """
        if isinstance(data, Samples):
            names = list(data.columns if variables is None else variables)
            check_columns(names, data.columns)
            return Samples({v: data.columns[v] for v in names}, {v: data.labels[v] for v in names})
        raw = columns_of(data, variables)
        read = {name: _levels(name, each, (labels or {}).get(name)) for name, each in raw.items()}
        return Samples(
            {name: levels for name, (levels, _) in read.items()},
            {name: told for name, (_, told) in read.items()},
        )

    def __len__(self) -> int:
        """Return how many samples there are."""
        return next((len(column) for column in self.columns.values()), 0)

    def levels(self, variable: str) -> int:
        """Return how many levels a variable has.

        Raises:
            UnknownMediatorError: A variable without a column.
        """
        check_columns([variable], self.columns)
        return len(self.labels[variable])

    def level_of(self, variable: str, label: object) -> int:
        """Return the level that has a label.

        Raises:
            ParameterError: A label that did not come up.
        """
        told = self.labels[variable]
        if label not in told:
            raise ParameterError(
                f"{variable!r} is never {label!r}.",
                f"It is one of: {_listed(told)}.",
                "Name one of these.",
            )
        return told.index(label)

    def constant(self) -> tuple[str, ...]:
        """Return the variables that are the same in all samples."""
        return tuple(name for name, each in self.columns.items() if len(np.unique(each)) < 2)

    def margins(self, do: Iterable[str] = (), smoothing: float = 0.0) -> Margins:
        """Return the distribution of these samples, of which only what is needed is counted.

        Args:
            do: Variables that an experiment set.
            smoothing: What is added to the count of each combination of levels of all variables; a
                combination of fewer variables gets as much as all those that it stands for.
        """
        held = tuple(do)
        whole = prod(len(told) for told in self.labels.values())

        def of(distribution: Distribution, variables: frozenset[str]) -> Table:
            part = Samples.of(self, sorted(variables))
            each = whole / prod(len(told) for told in part.labels.values())
            return empirical_table(part, do=held, smoothing=smoothing * each)

        return Margins(of, self.levels)


def empirical_table(
    data: Columns | Samples,
    labels: Labels | None = None,
    *,
    do: Iterable[str] = (),
    smoothing: float = 0.0,
    weights: ArrayLike | None = None,
) -> Table:
    """Return how often each combination of levels came up.

    Args:
        data: Columns, one for each variable.
        labels: The labels of some variables' levels, or how many levels they have.
        do: Variables that an experiment set: at each of their values the others sum to 1, and are
            nan where there is no sample.
        smoothing: What is added to the count of each combination; nothing if not said.
        weights: How much each sample counts; 1 if not said.

    Raises:
        UnknownMediatorError: A variable of `do` without a column.
        ParameterError: Columns that cannot be read, too many combinations, or negative smoothing.

    >>> empirical_table({"X": [0, 0, 1, 1], "Y": [0, 1, 1, 1]}).array.tolist()
    [[0.25, 0.25], [0.0, 0.5]]
    """
    samples = Samples.of(data, labels=labels)
    held = tuple(do)
    check_columns(held, samples.columns)
    if not smoothing >= 0:
        raise ParameterError(f"smoothing={smoothing}.", "It is 0 or more.", "Write smoothing=0.5.")
    shape = [samples.levels(name) for name in samples.columns]
    cells = prod(shape)
    if cells > LARGEST:
        raise ParameterError(
            f"{len(shape)} variables have {cells:,} combinations of levels.",
            f"At most {LARGEST:,} are counted.",
            "Ask of fewer variables, or discretise into fewer levels.",
        )
    flat = np.ravel_multi_index(tuple(samples.columns.values()), shape)
    told = None if weights is None else np.asarray(weights, dtype=np.float64)
    counts = np.bincount(flat, told, minlength=cells).astype(np.float64).reshape(shape) + smoothing
    return Table(tuple(samples.columns), shares(counts, samples.columns, held))


def shares(
    counts: NDArray[np.float64], variables: Iterable[str], do: Iterable[str], first: int = 0
) -> NDArray[np.float64]:
    """Return counts divided by their sum, at each value of what an experiment sets.

    Args:
        counts: One axis for each variable, after some others.
        variables: The variables.
        do: Those that an experiment sets.
        first: How many axes there are before those of variables.
    """
    held = frozenset(do)
    axes = tuple(at for at, name in enumerate(variables, start=first) if name not in held)
    totals = counts.sum(axis=axes, keepdims=True)
    out = np.full(counts.shape, np.nan)
    return np.asarray(np.divide(counts, totals, out=out, where=totals > 0))


@final
@dataclass(frozen=True, slots=True)
class Unsupported:
    """Conditions of a probability that no sample meets: it has no estimate there.

    Attributes:
        probability: The probability, as it is in the formula.
        missing: The combinations of levels on which it conditions, and that never came up.
    """

    probability: Prob
    missing: tuple[tuple[tuple[str, object], ...], ...]

    def __str__(self) -> str:
        """Return the probability, and the first combinations."""
        shown = "; ".join(
            ", ".join(f"{name} = {label}" for name, label in each) for each in self.missing[:3]
        )
        more = f" and {len(self.missing) - 3} more" if len(self.missing) > 3 else ""
        return f"{self.probability} has no support: no sample with {shown}{more}"


def unsupported(
    expression: Expression, tables: Tables, labels: Mapping[str, tuple[object, ...]]
) -> tuple[Unsupported, ...]:
    """Return the conditions of a formula that no sample meets, for each of its probabilities.

    Args:
        expression: The formula.
        tables: Distributions from samples.
        labels: For each variable what its levels are called.

    >>> from causalnet.identification.reading.parsing import parse_expression
    >>> found = Samples.of({"X": [0, 0, 1], "Z": [0, 1, 1], "Y": [0, 1, 1]})
    >>> formula = parse_expression("sum[z](P(y|x,z) * P(z))")
    >>> [str(each) for each in unsupported(formula, found.margins(), found.labels)]
    ['P(y|x,z) has no support: no sample with X = 1, Z = 0']
    """
    found: list[Unsupported] = []
    for node in sorted(_conditionals(expression), key=str):
        axes, empty = _empty(node, tables)
        missing = tuple(
            tuple(
                (axis.variable, labels[axis.variable][level])
                for axis, level in zip(axes, each, strict=True)
            )
            for each in np.argwhere(empty).tolist()
        )
        if missing:
            found.append(Unsupported(node, missing))
    return tuple(found)


def _conditionals(expression: Expression) -> frozenset[Prob]:
    """Return the probabilities that have conditions or come from experiments."""

    def visit(node: Expression, below: tuple[frozenset[Prob], ...]) -> frozenset[Prob]:
        if isinstance(node, Prob):
            return frozenset([node] if node.given or node.do else [])
        return frozenset().union(*below)

    return fold(expression, visit)


def _empty(node: Prob, tables: Tables) -> tuple[tuple[Value, ...], NDArray[np.bool_]]:
    """Return where the conditions of a probability never came up."""
    if node.given:
        told = evaluate(Prob(node.given, do=node.do, domain=node.domain), tables)
        return told.axes, ~(told.array > 0)
    told = evaluate(node, tables)
    sums = tuple(at for at, axis in enumerate(told.axes) if axis in node.of)
    axes = tuple(axis for axis in told.axes if axis not in node.of)
    return axes, np.asarray(np.isnan(told.array).all(axis=sums))


def _levels(
    name: str, values: NDArray[np.generic], told: int | Sequence[object] | None
) -> tuple[NDArray[np.int64], tuple[object, ...]]:
    """Return the levels of a column, and the labels of all levels."""
    if values.dtype.kind == "f" and is_whole(values):
        values = values.astype(np.int64)
    if values.dtype.kind == "f" and told is None:
        raise ParameterError(
            f"{name!r} is continuous: {values[:3].tolist()}, ...",
            "A table has levels.",
            f"Write discretise(data, {{{name!r}: 4}}), or use regression or aipw.",
        )
    if told is None and values.dtype.kind in "iu" and 0 <= values.min() <= values.max() < _MOST:
        told = int(values.max()) + 1
    if told is None:
        told = (False, True) if values.dtype.kind == "b" else _sorted(values.tolist())
    labels = tuple(range(told)) if isinstance(told, int) else tuple(told)
    if values.dtype.kind in "iub" and labels == tuple(range(len(labels))):
        levels = values.astype(np.int64)
        if levels.min() < 0 or levels.max() >= len(labels):
            raise _unseen(name, values, labels)
        return levels, labels
    places = {label: at for at, label in enumerate(labels)}
    listed = values.tolist()
    if any(label not in places for label in listed):
        raise _unseen(name, values, labels)
    return np.array([places[label] for label in listed], dtype=np.int64), labels


def _unseen(name: str, values: NDArray[np.generic], told: Sequence[object]) -> ParameterError:
    first = next(label for label in values.tolist() if label not in told)
    return ParameterError(
        f"{name!r} is {first!r} in a sample, which is none of its levels.",
        f"They are: {_listed(told)}.",
        "Name all levels in order, or leave them out to take those that come up.",
    )


def _sorted(values: Iterable[object]) -> tuple[object, ...]:
    """Return distinct labels in order: numbers by value, all others by their text."""
    distinct = set(values)
    numbers = [each for each in distinct if isinstance(each, int)]
    if len(numbers) == len(distinct):
        return tuple(sorted(numbers))
    return tuple(sorted(distinct, key=lambda each: (type(each).__name__, str(each))))


def _listed(labels: Sequence[object]) -> str:
    shown = ", ".join(map(repr, labels[:8]))
    return f"{shown}, ... ({len(labels)})" if len(labels) > 8 else shown
