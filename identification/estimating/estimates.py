"""What data say of an identified query: numbers with intervals, and what a reader must know.

| name | what |
|---|---|
| `Estimate` | a number and an interval for each assignment of the formula's symbols |
| `Uncertainty` | how intervals are made |
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import final

import numpy as np
from numpy.typing import ArrayLike

from causalnet.errors import ParameterError, TermError
from causalnet.graphs.arguments import check_whole
from causalnet.identification.answers import Identified
from causalnet.identification.contraction import Evaluated, check_level
from causalnet.identification.estimating.bootstrap import (
    Interval,
    IntervalKind,
    Resamples,
    check_level_of_confidence,
)
from causalnet.identification.values import Value

__all__ = ["Estimate", "Uncertainty"]

_SHOWN = 32


@final
@dataclass(frozen=True, slots=True, eq=False)
class Uncertainty:
    """How intervals are made.

    Attributes:
        repetitions: How often samples are drawn again; 0 for no intervals.
        level: How often an interval should hold the truth.
        kind: `percentile`, or `bca`, which corrects for bias and skewness.
        seed: From which samples are drawn.
        clusters: For each sample which cluster it is in, such as its prompt, or the name of the
            column that says so; clusters are drawn whole.

    Raises:
        ParameterError: A level that is not between 0 and 1, a number below 0, an unknown kind.
    """

    repetitions: int = 1000
    level: float = 0.95
    kind: IntervalKind = "percentile"
    seed: int = 0
    clusters: str | ArrayLike | None = None

    def __post_init__(self) -> None:
        """Check the numbers."""
        check_whole(self.repetitions, "bootstrap", least=0)
        check_level_of_confidence(self.level)
        if self.kind not in ("percentile", "bca"):
            raise ParameterError(f"interval={self.kind!r}.", "It is 'percentile' or 'bca'.")


@final
@dataclass(frozen=True, slots=True, eq=False)
class Estimate:
    """A number and an interval for each assignment of the formula's symbols.

    Attributes:
        identified: The query, and the formula by which it was estimated.
        method: How.
        quantity: Of what: `probability`, or `mean of Y`.
        value: The numbers; nan where the data cannot tell.
        low: Where their intervals begin.
        high: Where they end.
        samples: From how many samples.
        labels: For each variable what its levels are called.
        uncertainty: How the intervals were made.
        resamples: What they were made from.
        notes: What a reader must know: conditions without support, estimates out of range.
    """

    identified: Identified
    method: str
    quantity: str
    value: Evaluated
    low: Evaluated
    high: Evaluated
    samples: int
    labels: Mapping[str, tuple[object, ...]]
    uncertainty: Uncertainty
    resamples: Resamples
    notes: tuple[str, ...] = ()

    def at(self, levels: Mapping[Value, object] | Mapping[str, object]) -> Interval:
        """Return the number at one assignment, with its interval.

        Args:
            levels: For each symbol, by itself or by its text, a level or the label of one.

        Raises:
            TermError: A symbol that is left out.
            ParameterError: A level or a label that there is not.
        """
        at = self._place(levels)
        return Interval(
            float(self.value.array[at]), float(self.low.array[at]), float(self.high.array[at])
        )

    def contrast(
        self,
        one: Mapping[Value, object] | Mapping[str, object],
        other: Mapping[Value, object] | Mapping[str, object],
    ) -> Interval:
        """Return the difference of two of the numbers, with an interval of its own.

        Args:
            one: An assignment.
            other: The one that is subtracted.

        Raises:
            TermError: A symbol that is left out.
            ParameterError: A level or a label that there is not.
        """
        ours, theirs = self._place(one), self._place(other)
        value = np.asarray(self.value.array[ours] - self.value.array[theirs])
        kind, level = self.uncertainty.kind, self.uncertainty.level
        low, high = self.resamples.of(ours, theirs).interval(value, level, kind)
        return Interval(float(value), float(low), float(high))

    def _place(self, levels: Mapping[Value, object] | Mapping[str, object]) -> tuple[int, ...]:
        chosen = {str(name): level for name, level in levels.items()}
        missing = [str(axis) for axis in self.value.axes if str(axis) not in chosen]
        if missing:
            raise TermError(
                f"No level for {', '.join(missing)}.",
                f"The numbers depend on {', '.join(map(str, self.value.axes))}.",
                "Write .at({'x': 1, 'y': 0}).",
            )
        return tuple(self._level(axis, chosen[str(axis)]) for axis in self.value.axes)

    def _level(self, axis: Value, asked: object) -> int:
        labels = self.labels[axis.variable]
        if asked in labels:
            return labels.index(asked)
        if isinstance(asked, int) and not any(isinstance(each, int | float) for each in labels):
            check_level(axis, asked, len(labels))
            return asked
        raise ParameterError(
            f"{axis} is never {asked!r}.", f"It is one of: {', '.join(map(repr, labels))}."
        )

    def __str__(self) -> str:
        """Return the numbers, at most 32 of them, with what a reader must know."""
        about = f"{100 * self.uncertainty.level:g} % intervals"
        lines = [
            f"{self.identified.query}: {self.quantity} by {self.method} from {self.samples:,} "
            f"samples, {about}"
        ]
        axes = self.value.axes
        for at in list(product(*map(range, self.value.array.shape)))[:_SHOWN]:
            names = ", ".join(
                f"{axis} = {self.labels[axis.variable][level]}"
                for axis, level in zip(axes, at, strict=True)
            )
            numbers = (float(each.array[at]) for each in (self.value, self.low, self.high))
            lines.append(f"  {names or 'in all'}: {Interval(*numbers)}")
        if self.value.array.size > _SHOWN:
            lines.append(f"  and {self.value.array.size - _SHOWN:,} more")
        return "\n".join([*lines, *(f"  note: {note}" for note in self.notes)])
