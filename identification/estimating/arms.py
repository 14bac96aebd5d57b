"""Arms of a study: samples of an outcome under combinations of treatments, as numbers.

| name | what |
|---|---|
| `Arms` | outcomes, covariates, and which sample is in which arm |
| `clusters_of` | which samples belong together |
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import final

import numpy as np
from numpy.typing import NDArray

from causalnet.errors import ParameterError
from causalnet.identification.contraction import Evaluated, check_level
from causalnet.identification.estimating.bootstrap import Clusters, Resamples
from causalnet.identification.estimating.columns import Columns, check_columns, column, columns_of
from causalnet.identification.estimating.estimates import Uncertainty
from causalnet.identification.estimating.samples import Samples
from causalnet.identification.queries import Effect
from causalnet.identification.values import Value

__all__ = ["Arms", "clusters_of"]

_MOST_VALUES = 20

Numbers = NDArray[np.float64]


@final
@dataclass(frozen=True, slots=True, eq=False)
class Arms:
    """Samples of an outcome, of treatments and of covariates, one row for each.

    An arm is a combination of treatments for which a mean is asked.

    Attributes:
        outcome: The outcome, or whether it is at the level that the query names.
        covariates: What is adjusted for, as features of a model.
        treatments: The treatments as they came.
        values: For each treatment the values for which means are asked.
        axes: The symbols of treatments that the query leaves open.
        clusters: Which samples belong together.
    """

    outcome: Numbers
    covariates: Numbers
    treatments: Mapping[str, NDArray[np.generic]]
    values: Mapping[str, tuple[object, ...]]
    axes: tuple[Value, ...]
    clusters: Clusters

    @staticmethod
    def of(
        data: Columns,
        query: Effect,
        zs: Sequence[str],
        told: Mapping[str, Sequence[float]],
        uncertainty: Uncertainty,
    ) -> "Arms":
        """Read samples.

        Args:
            data: Columns.
            query: What is asked.
            zs: The variables to adjust for.
            told: For some treatments the values for which means are asked.
            uncertainty: Which samples belong together.

        Raises:
            UnknownMediatorError: A variable without a column.
            ParameterError: Columns that cannot be used.
        """
        raw = columns_of(data, [*(v.variable for v in (*query.outcomes, *query.treatments)), *zs])
        outcome = _outcome(raw, query.outcomes[0])
        parts = [_features(raw[name], raw[name]) for name in zs]
        covariates = np.concatenate(parts, axis=1) if parts else np.zeros((len(outcome), 1))
        names = [value.variable for value in query.treatments]
        return Arms(
            outcome,
            covariates,
            {name: raw[name] for name in names},
            {
                v.variable: _values(raw[v.variable], v, told.get(v.variable))
                for v in query.treatments
            },
            tuple(sorted(v for v in query.treatments if v.level is None)),
            clusters_of(data, uncertainty, len(outcome)),
        )

    @property
    def labels(self) -> dict[str, tuple[object, ...]]:
        """Return for each treatment what its values are."""
        return dict(self.values)

    def all(self) -> list[tuple[object, ...]]:
        """Return all combinations of treatments, in the order in which they are laid out."""
        return list(product(*(self.values[name] for name in self._order())))

    def _order(self) -> list[str]:
        """Return the treatments, those with an axis last and in the order of the axes."""
        open_ones = [axis.variable for axis in self.axes]
        return [name for name in self.treatments if name not in open_ones] + open_ones

    def coded(self, arm: tuple[object, ...] | None = None) -> Numbers:
        """Return the treatments as features: of the samples, or of an arm for each of them."""
        parts = []
        for at, name in enumerate(self._order()):
            seen = self.treatments[name]
            told = seen if arm is None else np.full(len(seen), arm[at])
            parts.append(_features(told, seen))
        return np.concatenate(parts, axis=1)

    def arm_of_samples(self) -> NDArray[np.int64]:
        """Return the number of the arm of each sample, -1 where it is in none."""
        found = np.full(len(self.outcome), -1)
        for number, arm in enumerate(self.all()):
            hits = [self.treatments[n] == v for n, v in zip(self._order(), arm, strict=True)]
            found[np.all(hits, axis=0)] = number
        return found

    def laid(self, numbers: Numbers) -> Evaluated:
        """Return the numbers of arms, one axis for each treatment that the query leaves open."""
        return Evaluated(self.axes, numbers.reshape(self._shape()))

    def laid_resamples(self, found: Resamples) -> Resamples:
        """Return resamples of arms in the same way."""
        shape = self._shape()
        return Resamples(
            found.draws.reshape(-1, *shape), found.left_out.reshape(-1, *shape), found.counts
        )

    def _shape(self) -> tuple[int, ...]:
        return tuple(len(self.values[axis.variable]) for axis in self.axes)


def clusters_of(data: Columns, uncertainty: Uncertainty, number: int) -> Clusters:
    """Return which samples belong together; each is alone if nothing was said.

    Raises:
        UnknownMediatorError: A column that is not there.
        ParameterError: A column of another length, or one cluster only.
    """
    told = uncertainty.clusters
    if isinstance(told, str):
        check_columns([told], data.keys())
        told = data[told]
    return Clusters.by(None if told is None else column("clusters", told), number)


def _outcome(raw: Mapping[str, NDArray[np.generic]], asked: Value) -> Numbers:
    name, values = asked.variable, raw[asked.variable]
    if asked.level is not None:
        samples = Samples.of({name: values})
        check_level(asked, asked.level, samples.levels(name))
        values = samples.columns[name] == asked.level
    if values.dtype.kind not in "iufb":
        raise ParameterError(
            f"{name!r} holds no numbers.",
            "A mean is one of numbers.",
            f"Ask for a level of it, as in P({name}=1 | do(x)).",
        )
    numbers = values.astype(np.float64)
    if numbers.min() == numbers.max():
        raise ParameterError(
            f"{name!r} is {values[0]} in all samples.", "It has to vary.", "Find other samples."
        )
    return numbers


def _values(
    seen: NDArray[np.generic], asked: Value, told: Sequence[float] | None
) -> tuple[object, ...]:
    """Return the values of a treatment for which means are asked."""
    name, distinct = asked.variable, np.unique(seen)
    if len(distinct) < 2:
        raise ParameterError(
            f"{name!r} is {seen[0]} in all samples.",
            "A treatment has at least two values.",
            "Find samples in which it varies.",
        )
    if asked.level is not None:
        labels = Samples.of({name: seen}).labels[name]
        check_level(asked, asked.level, len(labels))
        return (labels[asked.level],)
    if told is not None:
        return tuple(told)
    if len(distinct) > _MOST_VALUES:
        raise ParameterError(
            f"{name!r} has {len(distinct)} values.",
            f"At most {_MOST_VALUES} are compared unless they are named.",
            f"Write Regression(at={{{name!r}: [0.0, 1.0]}}), or discretise it.",
        )
    return tuple(distinct.tolist())


def _features(values: NDArray[np.generic], seen: NDArray[np.generic]) -> Numbers:
    """Return numbers as they are, and labels as one column for each but the first that was seen."""
    if seen.dtype.kind in "iufb":
        return values.astype(np.float64)[:, None]
    columns: list[Numbers] = [np.where(values == each, 1.0, 0.0) for each in np.unique(seen)[1:]]
    return np.stack(columns, axis=1)
