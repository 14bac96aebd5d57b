"""Linear programs over the probabilities of response types.

Balke and Pearl (1994), "Counterfactual probabilities: computational methods, bounds and
applications"; Charnes and Cooper (1962), "Programming with linear fractional functionals", for
conditional probabilities.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from causalnet.errors import NumericalError, ParameterError
from causalnet.identification.algorithms.masks import Masks, bits
from causalnet.identification.bounding.response_functions import ResponseTypes, assignments
from causalnet.identification.evaluation import Table, evaluate
from causalnet.identification.expressions import Prob, product
from causalnet.identification.sources import Distribution
from causalnet.identification.values import symbol

__all__ = ["Constraints", "Extreme", "constraints_of", "extremes"]

Numbers: TypeAlias = NDArray[np.float64]

MOST_ENTRIES = 2 * 10**7


@final
@dataclass(frozen=True, slots=True, eq=False)
class Constraints:
    """What tables say of the types: for each row, a weighted sum of the types' probabilities.

    Attributes:
        rows: The row of each entry.
        columns: The type of each entry.
        weights: The weight of each entry.
        sums: For each row the probability.
        types: How many types there are.
    """

    rows: NDArray[np.int64]
    columns: NDArray[np.int64]
    weights: Numbers
    sums: Numbers
    types: int

    def violation(self, chances: Numbers) -> float:
        """Return by how much probabilities of types miss the tables, at most."""
        told = np.bincount(
            self.rows, weights=self.weights * chances[self.columns], minlength=len(self.sums)
        )
        return float(np.abs(told - self.sums).max(initial=0.0))


@final
@dataclass(frozen=True, slots=True, eq=False)
class Extreme:
    """The least or largest value, and a distribution over types that attains it.

    Attributes:
        value: The value.
        chances: The probability of each type.
    """

    value: float
    chances: Numbers


def constraints_of(types: ResponseTypes, tables: Mapping[Distribution, Table]) -> Constraints:
    """Return what each table says of the types of some districts.

    A row is left out where it rests on a condition of probability 0.

    Raises:
        ParameterError: Too large a program.
    """
    count = len(types)
    everything = np.arange(count, dtype=np.int64)
    rows = [np.zeros(count, np.int64)]
    sums = [np.ones(1)]
    at = 1
    for known in tables:
        for told, held in _factors(types, known, tables):
            inside = [name for name in types.variables if name not in known.do]
            if not inside:
                continue
            if (len(rows) + 1) * count > MOST_ENTRIES:
                raise ParameterError(
                    f"The linear program has more than {MOST_ENTRIES:,} entries.",
                    "",
                    "Merge levels, or leave out parents by projecting the graph.",
                )
            outcome = types.outcome(held)
            place = np.zeros(count, np.int64)
            for name in inside:
                place = place * types.sizes[name] + outcome[name]
            rows.append(at + place)
            sums.append(told.reshape(-1))
            at += prod(types.sizes[name] for name in inside)
    return _kept(np.concatenate(rows), np.tile(everything, len(rows)), np.concatenate(sums), count)


def _kept(
    rows: NDArray[np.int64], columns: NDArray[np.int64], sums: Numbers, types: int
) -> Constraints:
    """Return the constraints without rows whose sum has no value."""
    there = ~np.isnan(sums)
    number = np.cumsum(there) - 1
    kept = there[rows]
    return Constraints(
        number[rows[kept]], columns[kept], np.ones(int(kept.sum())), sums[there], types
    )


def _factors(
    types: ResponseTypes, known: Distribution, tables: Mapping[Distribution, Table]
) -> Iterator[tuple[Numbers, dict[str, int]]]:
    """Yield Q[M] of the variables M that an experiment leaves free, at each level of the others.

    It is a product of P(v | its Markov pillow in the graph without what is set, do(...)).
    """
    graph = types.graph
    masks = Masks.of(graph)
    inside = masks.mask(name for name in types.variables if name not in known.do)
    sets = masks.mask(name for name in known.do if name in graph)
    within = masks.alive & ~sets
    do = tuple(symbol(name) for name in known.do)
    terms, before = [], 0
    for at in masks.ordered(within):
        before |= 1 << at
        if inside >> at & 1:
            near = masks.district(1 << at, before)
            pillow = (near | masks.parents_of(near)) & within & ~(1 << at)
            given = tuple(symbol(masks.nodes[each]) for each in bits(pillow))
            terms.append(Prob((symbol(masks.nodes[at]),), given, do))
    told = evaluate(product(terms), tables)
    names = [name for name in types.variables if name not in known.do]
    outside = masks.names(masks.parents_of(inside) & ~inside)
    others = {name: 0 for name in known.do if name in types.variables}
    for held in assignments(outside, types.sizes):
        # A level that nothing rests on may be any.
        index = tuple(
            slice(None) if axis.variable in names else held.get(axis.variable, 0)
            for axis in told.axes
        )
        left = [axis.variable for axis in told.axes if axis.variable in names]
        array = told.array[index].transpose([left.index(name) for name in names])
        yield array, others | held


def extremes(
    constraints: Constraints, value: Numbers, given: Numbers | None = None
) -> tuple[Extreme, Extreme]:
    """Return the least and the largest value of a linear function of types, or of a ratio of two.

    Args:
        constraints: What the types must satisfy.
        value: The function, or the numerator.
        given: The denominator.

    Raises:
        ParameterError: No distribution over types satisfies the constraints, or the denominator is
            0 in all.
        NumericalError: The solver did not come to an end.
    """
    from scipy.sparse import csr_array

    shape = (len(constraints.sums), constraints.types)
    matrix: Any = csr_array(
        (constraints.weights, (constraints.rows, constraints.columns)), shape=shape
    )
    sums = constraints.sums
    if given is not None:  # Charnes and Cooper: chances / denominator, and 1 / denominator
        from scipy.sparse import hstack, vstack

        scaled = hstack([matrix, csr_array(-sums[:, None])])
        matrix = vstack([scaled, csr_array(np.append(given, 0.0)[None, :])])
        sums = np.append(np.zeros(len(sums)), 1.0)
        value = np.append(value, 0.0)
    least, most = (_solved(matrix, sums, sign * value) for sign in (1.0, -1.0))
    return _extreme(least, value, given), _extreme(most, value, given)


def _solved(matrix: Any, sums: Numbers, value: Numbers) -> Numbers:
    from scipy.optimize import linprog

    found = linprog(value, A_eq=matrix, b_eq=sums, bounds=(0, None), method="highs")
    if found.status == 2:
        raise ParameterError(
            "No model of the graph has these tables.",
            "They violate an inequality or an equation that the graph implies, or the condition "
            "of the question has probability 0.",
            "Check the tables; estimated ones must be fitted to the graph first.",
        )
    if found.status != 0:
        raise NumericalError(
            f"The linear program was not solved: {found.message}",
            "Programs of up to some 100,000 types mostly are.",
            "Ask about fewer variables, or levels.",
        )
    return np.asarray(found.x, np.float64)


def _extreme(found: Numbers, value: Numbers, given: Numbers | None) -> Extreme:
    told = float(value @ found)
    if given is None:
        return Extreme(told, found)
    return Extreme(told, found[:-1] / found[-1])
