"""A formula with counts in place of probabilities: for any formula, and discrete samples.

Samples are drawn again as counts of the combinations of levels that came up, all at once, and the
formula is evaluated on many sets of counts at a time.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from causalnet.errors import ParameterError, TermError
from causalnet.identification.answers import Identified
from causalnet.identification.contraction import LARGEST, Evaluated
from causalnet.identification.estimating.arms import clusters_of
from causalnet.identification.estimating.bootstrap import Clusters, Resamples
from causalnet.identification.estimating.columns import Columns, columns_of
from causalnet.identification.estimating.estimates import Estimate, Uncertainty
from causalnet.identification.estimating.samples import Labels, Samples, shares, unsupported
from causalnet.identification.evaluation import Margins, Table, evaluate, evaluation_cost
from causalnet.identification.expressions import Expression, Prob, Sum, fold
from causalnet.identification.queries import Mediation
from causalnet.identification.sources import Distribution
from causalnet.identification.values import Value

__all__ = ["plugged_in"]

_AT_ONCE = 2**22
_MOST_CODES = 2**62  # what a combination's number may be
_REPEAT = Value("", "")

Counts = NDArray[np.float64]


def plugged_in(
    identified: Identified,
    data: Mapping[Distribution, Columns],
    uncertainty: Uncertainty,
    *,
    smoothing: float = 0.0,
    labels: Labels | None = None,
) -> Estimate:
    """Return the formula with counts in place of probabilities.

    Args:
        identified: The query and its formula.
        data: Samples of each distribution that the formula names.
        uncertainty: How intervals are made.
        smoothing: What is added to the count of each combination of levels of the variables that
            the formula names.
        labels: For some variables the labels of their levels in order, or how many levels they
            have.

    Raises:
        TermError: A distribution without samples.
        UnknownMediatorError: A variable without a column.
        ParameterError: Columns that cannot be read, or variables that are the same in all samples.
    """
    wanted = _wanted(identified.estimand)
    for distribution in wanted:
        if distribution not in data:
            there = ", ".join(map(str, data)) or "none"
            raise TermError(
                f"There are no samples of {distribution}.",
                f"There are samples of: {there}.",
                "Give a mapping of distributions to columns: {Distribution(('X',)): ...}.",
            )
    known = _shared_labels(data, wanted, labels)
    cells = {
        each: Cells.of(data[each], variables, known, each, uncertainty, smoothing)
        for each, variables in wanted.items()
    }
    _check_varies(identified, cells)
    return _Plan(identified.estimand, cells).estimate(identified, uncertainty)


def _wanted(estimand: Expression) -> dict[Distribution, tuple[str, ...]]:
    """Return the distributions that a formula names, with the variables that it asks of each."""
    found: dict[Distribution, set[str]] = {}
    bound: set[str] = set()

    def visit(node: Expression, below: tuple[None, ...]) -> None:
        match node:
            case Prob(of, given, do, domain):
                each = Distribution(tuple(value.variable for value in do), domain)
                named = {value.variable for value in (*of, *given, *do)}
                found.setdefault(each, set()).update(named)
            case Sum(values, _):
                bound.update(value.variable for value in values)
            case _:
                pass

    fold(estimand, visit)
    first = min(found, default=Distribution())
    found.setdefault(first, set()).update(bound.difference(*found.values()))
    return {each: tuple(sorted(found[each])) for each in sorted(found)}


def _shared_labels(
    data: Mapping[Distribution, Columns],
    wanted: Mapping[Distribution, tuple[str, ...]],
    told: Labels | None,
) -> dict[str, tuple[object, ...]]:
    """Return labels of levels that hold in all distributions."""
    raw: dict[str, list[NDArray[np.generic]]] = {}
    for distribution, names in wanted.items():
        for name, each in columns_of(data[distribution], names).items():
            raw.setdefault(name, []).append(each)
    joined = {name: np.concatenate(parts) for name, parts in raw.items()}
    return {
        name: Samples.of({name: each}, labels=told).labels[name] for name, each in joined.items()
    }


@final
@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """The combinations of levels that came up in samples of one distribution.

    Attributes:
        distribution: The distribution.
        labels: For each variable the labels of its levels.
        rows: The combinations, one in each row.
        counts: How often each came up.
        clusters: How often each combination came up in each cluster, as a sparse matrix; None where
            each sample is a cluster of its own.
        smoothing: What is added to the count of each combination that there could be.
    """

    distribution: Distribution
    labels: Mapping[str, tuple[object, ...]]
    rows: NDArray[np.int64]
    counts: Counts
    clusters: Any
    smoothing: float

    @staticmethod
    def of(
        data: Columns,
        variables: tuple[str, ...],
        labels: Mapping[str, tuple[object, ...]],
        distribution: Distribution,
        uncertainty: Uncertainty,
        smoothing: float,
    ) -> "Cells":
        """Count samples."""
        if not 0 <= smoothing < np.inf:
            raise ParameterError(f"smoothing={smoothing}.", "It is 0 or more.")
        samples = Samples.of(data, variables, labels)
        rows, inverse, counts = _combinations(samples)
        clusters = None
        if uncertainty.clusters is not None:
            of = clusters_of(data, uncertainty, len(samples))
            clusters = _by_cluster(of, inverse, len(rows))
        kept = {name: labels[name] for name in variables}
        return Cells(distribution, kept, rows, counts.astype(np.float64), clusters, smoothing)

    def drawn(self, times: int, draw: np.random.Generator) -> Counts:
        """Return counts of samples that are drawn again."""
        if self.clusters is None:
            total = int(self.counts.sum())
            return draw.multinomial(total, self.counts / total, size=times).astype(np.float64)
        groups = self.clusters.shape[0]
        often = draw.multinomial(groups, np.full(groups, 1 / groups), size=times)
        return np.asarray(often @ self.clusters, dtype=np.float64)

    def units(self) -> tuple[int, Counts]:
        """Return how many counts there are with one sample or cluster left out, and of how many."""
        if self.clusters is None:
            return len(self.counts), self.counts
        return self.clusters.shape[0], np.ones(self.clusters.shape[0])

    def left_out(self, start: int, stop: int) -> Counts:
        """Return the counts with one sample, or cluster, of some left out."""
        if self.clusters is not None:
            return np.asarray(self.counts - self.clusters[start:stop].toarray())
        each = np.arange(start, stop)
        counts = np.repeat(self.counts[None], len(each), axis=0)
        counts[np.arange(len(each)), each] -= 1
        return counts

    def margin(self, counts: Counts, variables: frozenset[str]) -> Table:
        """Return the distribution of some variables for each set of counts."""
        chosen = [at for at, name in enumerate(self.labels) if name in variables]
        names = [name for name in self.labels if name in variables]
        shape = [len(self.labels[name]) for name in names]
        cells = prod(shape)
        if cells * len(counts) > LARGEST:
            raise ParameterError(
                f"{', '.join(names)} have {cells:,} combinations of levels.",
                f"At most {LARGEST:,} are counted.",
                "Discretise into fewer levels, or adjust for fewer variables.",
            )
        flat = np.ravel_multi_index(tuple(self.rows[:, chosen].T), shape)
        order = np.argsort(flat, kind="stable")
        places, starts = np.unique(flat[order], return_index=True)
        told = np.zeros((len(counts), cells))
        told[:, places] = np.add.reduceat(counts[:, order], starts, axis=1)
        told += self.smoothing * (prod(map(len, self.labels.values())) / cells)
        array = shares(told.reshape(-1, *shape), names, self.distribution.do, first=1)
        return Table((_REPEAT.variable, *names), array, (_REPEAT.variable,))


def _combinations(
    samples: Samples,
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return the combinations of levels that came up, which one each sample is, and how often."""
    shape = [samples.levels(name) for name in samples.columns]
    columns = tuple(samples.columns.values())
    if prod(shape) > _MOST_CODES:
        rows, inverse, counts = np.unique(
            np.stack(columns, axis=1), axis=0, return_inverse=True, return_counts=True
        )
        return rows, inverse.ravel(), counts
    codes, inverse, counts = np.unique(
        np.ravel_multi_index(columns, shape), return_inverse=True, return_counts=True
    )
    return np.stack(np.unravel_index(codes, shape), axis=1), inverse.ravel(), counts


def _by_cluster(clusters: Clusters, inverse: NDArray[np.int64], cells: int) -> Any:
    from scipy.sparse import csr_array

    ones = np.ones(len(inverse))
    return csr_array((ones, (clusters.of, inverse)), shape=(clusters.count, cells))


def _check_varies(identified: Identified, cells: Mapping[Distribution, Cells]) -> None:
    """Refuse treatments and outcomes that are the same in all samples."""
    asked = {value.variable for value in identified.estimand.free}
    seen: dict[str, set[int]] = {}
    for each in cells.values():
        for at, name in enumerate(each.labels):
            seen.setdefault(name, set()).update(each.rows[:, at].tolist())
    for name in sorted(asked & seen.keys()):
        if len(seen[name]) < 2:
            told = next(each.labels[name] for each in cells.values() if name in each.labels)
            raise ParameterError(
                f"{name!r} is {told[min(seen[name])]!r} in all samples.",
                f"{identified.query} is about several values of it.",
                "Leave it out of the graph, or find samples in which it varies.",
            )


@final
@dataclass(frozen=True, slots=True, eq=False)
class _Plan:
    """A formula with the samples by which it is estimated."""

    estimand: Expression
    cells: Mapping[Distribution, Cells]

    def estimate(self, identified: Identified, uncertainty: Uncertainty) -> Estimate:
        full = {each: cells.counts[None] for each, cells in self.cells.items()}
        axes = tuple(sorted(self.estimand.free))
        value = self._at(full)[0]
        resamples = self._resamples(full, uncertainty)
        low, high = resamples.interval(value, uncertainty.level, uncertainty.kind)
        return Estimate(
            identified=identified,
            method="plug-in",
            quantity="difference" if isinstance(identified.query, Mediation) else "probability",
            value=Evaluated(axes, value),
            low=Evaluated(axes, low),
            high=Evaluated(axes, high),
            samples=int(sum(cells.counts.sum() for cells in self.cells.values())),
            labels=self._labels(),
            uncertainty=uncertainty,
            resamples=resamples,
            notes=tuple(self._notes(identified, full, value, resamples)),
        )

    def _labels(self) -> dict[str, tuple[object, ...]]:
        return {name: told for each in self.cells.values() for name, told in each.labels.items()}

    def _at(self, counts: Mapping[Distribution, Counts]) -> Counts:
        """Return the formula for each set of counts."""
        axes = (_REPEAT, *sorted(self.estimand.free))
        told = evaluate(self.estimand, self._margins(counts)).aligned(axes)
        number = len(next(iter(counts.values())))
        return np.array(np.broadcast_to(told, (number, *told.shape[1:])))

    def _margins(self, counts: Mapping[Distribution, Counts]) -> Margins:
        def of(distribution: Distribution, variables: frozenset[str]) -> Table:
            return self.cells[distribution].margin(counts[distribution], variables)

        return Margins(of, lambda variable: len(self._labels()[variable]))

    def _at_once(self) -> int:
        """Return for how many sets of counts the formula is evaluated at a time."""
        levels = {name: len(told) for name, told in self._labels().items()}
        widest = max(max(len(each.counts), each.units()[0]) for each in self.cells.values())
        return max(1, _AT_ONCE // max(evaluation_cost(self.estimand, levels), widest))

    def _resamples(self, full: Mapping[Distribution, Counts], how: Uncertainty) -> Resamples:
        shape = self._at(full).shape[1:]
        draw, step = np.random.default_rng(how.seed), self._at_once()
        draws = [
            self._at({each: cells.drawn(times, draw) for each, cells in self.cells.items()})
            for times in _portions(how.repetitions, step)
        ]
        left: list[Counts] = []
        weights: list[Counts] = []
        if how.kind == "bca" and how.repetitions:
            for each, cells in self.cells.items():
                number, counts = cells.units()
                weights.append(counts)
                for start in range(0, number, step):
                    less = cells.left_out(start, min(start + step, number))
                    others = {d: np.repeat(c, len(less), axis=0) for d, c in full.items()}
                    left.append(self._at({**others, each: less}))
        none = np.zeros((0, *shape))
        return Resamples(
            np.concatenate([none, *draws]),
            np.concatenate([none, *left]),
            np.concatenate([np.zeros(0), *weights]),
        )

    def _notes(
        self,
        identified: Identified,
        full: Mapping[Distribution, Counts],
        value: Counts,
        resamples: Resamples,
    ) -> Iterator[str]:
        yield from identified.notes
        if np.isnan(value).any():
            yield (
                f"{int(np.isnan(value).sum())} of {value.size} numbers cannot be estimated: use "
                "fewer levels or variables, or regression or AIPW where they apply"
            )
            margins = self._margins(full)

            def single(distribution: Distribution, variables: frozenset[str]) -> Table:
                table = margins.of(distribution, variables)
                return Table(table.variables[1:], table.array[0])

            yield from map(
                str, unsupported(self.estimand, Margins(single, margins.levels), self._labels())
            )
        lost = np.isnan(resamples.draws) & ~np.isnan(value)
        if lost.any():
            share = 100 * lost.reshape(len(lost), -1).any(axis=1).mean()
            yield f"{share:.1f} % of the resamples lack support somewhere, and are left out there"
        if (np.nan_to_num(value) > 1 + 1e-9).any() and not isinstance(identified.query, Mediation):
            yield "some estimates are above 1: the samples do not satisfy the graph's constraints"


def _portions(total: int, step: int) -> Iterator[int]:
    for start in range(0, total, step):
        yield min(step, total - start)
