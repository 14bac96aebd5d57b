"""Response types: how each variable of a district would answer to each value of its parents.

Whatever is hidden, a unit of discrete variables is one of finitely many types (Balke and Pearl
1994, "Counterfactual probabilities"): for each variable of a district a function from the levels of
its parents to its own.  A model of a district is a distribution over types, any distribution if
every two variables of the district share a hidden cause.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from causalnet.errors import ParameterError
from causalnet.graphs.admg import ADMG

__all__ = ["Levels", "ResponseTypes", "assignments", "count_types"]

Levels: TypeAlias = NDArray[np.int64]


def count_types(graph: ADMG, district: Iterable[str], sizes: Mapping[str, int]) -> int:
    """Return how many response types the variables of a district have together.

    >>> graph = ADMG.of(directed=[("Z", "X"), ("X", "Y")], bidirected=[("X", "Y")])
    >>> count_types(graph, ["X", "Y"], {"X": 2, "Y": 2, "Z": 2})
    16
    """
    return prod(
        sizes[name] ** prod(sizes[parent] for parent in graph.parents(name)) for name in district
    )


def assignments(names: Sequence[str], sizes: Mapping[str, int]) -> Iterator[dict[str, int]]:
    """Yield all levels of some variables together."""
    for levels in product(*(range(sizes[name]) for name in names)):
        yield dict(zip(names, levels, strict=True))


@final
@dataclass(frozen=True, slots=True, eq=False)
class ResponseTypes:
    """All response types of some variables.

    Attributes:
        graph: The graph.
        variables: The variables, causes first.
        sizes: How many levels each variable of the graph has.
        functions: For each variable the number of its function in each type.
    """

    graph: ADMG
    variables: tuple[str, ...]
    sizes: Mapping[str, int]
    functions: Mapping[str, Levels]

    @staticmethod
    def of(
        graph: ADMG, district: Iterable[str], sizes: Mapping[str, int], *, at_most: int = 200_000
    ) -> "ResponseTypes":
        """Return all types of some variables.

        Raises:
            ParameterError: More than `at_most`.
        """
        wanted = set(district)
        variables = tuple(name for name in graph.topological_order() if name in wanted)
        count = count_types(graph, variables, sizes)
        if count > at_most:
            shown = f"{count:,}" if count < 10**15 else f"about 10^{len(str(count)) - 1}"
            raise ParameterError(
                f"{', '.join(variables)} have {shown} response types.",
                f"At most {at_most:,} are laid out.",
                "Merge levels, or leave out parents by projecting the graph.",
            )
        functions: dict[str, Levels] = {}
        rest = np.arange(count)
        for name in reversed(variables):
            rest, functions[name] = np.divmod(rest, count_types(graph, [name], sizes))
        return ResponseTypes(graph, variables, sizes, functions)

    def __len__(self) -> int:
        """Return how many types there are."""
        return len(next(iter(self.functions.values()), np.zeros(1)))

    def respond(self, variable: str, parents: Sequence[Levels | int]) -> Levels:
        """Return the level of a variable in each type where its parents have given levels."""
        place: Levels | int = 0
        for parent, levels in zip(self.graph.parents(variable), parents, strict=True):
            place = place * self.sizes[parent] + levels
        size = self.sizes[variable]
        power = np.power(size, place, dtype=np.int64)
        return np.asarray(self.functions[variable] // power % size, np.int64)

    def outcome(self, held: Mapping[str, int]) -> dict[str, Levels]:
        """Return the levels of all variables in each type where others, or some, are held.

        Args:
            held: A level for each parent outside, and for variables that an experiment sets.
        """
        found: dict[str, Levels] = {}
        for name in self.variables:
            if name not in held:
                above = [held[p] if p in held else found[p] for p in self.graph.parents(name)]
                found[name] = self.respond(name, above)
        return found

    def describe(self, number: int) -> str:
        """Return one type as text: the levels of each variable, parents at 0, 0, then 0, 1, ...

        >>> graph = ADMG.of(directed=[("X", "Y")])
        >>> ResponseTypes.of(graph, ["Y"], {"X": 2, "Y": 2}).describe(1)
        'Y: 1 0'
        """
        told = []
        for name in self.variables:
            above = self.graph.parents(name)
            levels = [
                str(self.respond(name, [at[parent] for parent in above])[number])
                for at in assignments(above, self.sizes)
            ]
            told.append(f"{name}: {' '.join(levels)}")
        return "; ".join(told)
