"""Scores of units, with everything that is needed to read them and to make a circuit of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from causalnet.discovery.question import Question
from causalnet.discovery.scoring import Convention
from causalnet.errors import NumericalError
from causalnet.estimators.methods import Method

__all__ = ["Cost", "Scores", "Sign"]

Sign: TypeAlias = Literal["effect", "magnitude", "survival"]
"""An effect is patched - unpatched; a magnitude has no sign; survival is a threshold or a gate: the
larger, the longer the unit stays in the circuit."""

ROUNDINGS = 8  # units in the last place of an outcome
_SHOWN = 8


@dataclass(frozen=True, slots=True)
class Cost:
    """What scores cost.

    Attributes:
        forwards: Masked forward passes: versions of a batch, each from the stage at which it begins
            to differ, as a share of all stages.
        backwards: Backward passes over a batch.
        looked_at: Candidates that were run.
        skipped: Candidates decided without a run, because nothing that reads them reaches the
            logits.
    """

    forwards: float = 0.0
    backwards: int = 0
    looked_at: int = 0
    skipped: int = 0


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Scores:
    """A number for every unit of a question.

    Attributes:
        question: What was asked.
        method: How it was answered, with its error statement.
        values: Mean over prompts, [units].
        per_prompt: Of every prompt, [units, n], or None where a method gives none.
        sign: How to read a value.
        unit: The unit of the values; empty where they have none.
        total: Mean outcome with every unit removed less that with none.
        settings: What else was chosen, as words.
        cost: What it cost.
        notes: What a reader should know.
    """

    question: Question
    method: Method
    values: NDArray[np.float64]
    per_prompt: NDArray[np.float64] | None
    sign: Sign
    unit: str
    total: float
    settings: Mapping[str, str] = field(default_factory=dict)
    cost: Cost = field(default_factory=Cost)
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse scores that are not numbers."""
        if not np.isfinite(self.values).all():
            first = int(np.flatnonzero(~np.isfinite(self.values))[0])
            raise NumericalError(
                f"The score of {self.question.units.names[first]} by {self.method.name} is not "
                "finite.",
                "NaN or infinity arose on the way.",
                "Use another read-out or ablation, or float32 or wider weights.",
            )

    def __len__(self) -> int:
        """Return how many units there are."""
        return len(self.values)

    def __getitem__(self, name: str) -> float:
        """Return the score of a unit by its name."""
        return float(self.values[self.question.units.index(name)])

    @property
    def strengths(self) -> NDArray[np.float64]:
        """How much each unit helps: effects in the direction of the total effect, [units]."""
        if self.sign != "effect":
            return self.values
        return self.values * (-1.0 if self.total < 0 else 1.0)

    @property
    def rounding(self) -> float:
        """The size below which an effect is rounding of the outcomes that it is a difference of."""
        if self.sign == "survival":
            return 0.0
        eps = torch.finfo(self.question.net.model.dtype).eps
        return float(ROUNDINGS * eps * max(1.0, abs(self.total)))

    def ranking(self, by: Convention = "absolute") -> NDArray[np.float64]:
        """Return numbers by which units are ranked, the larger the earlier, [units].

        `absolute` ranks by size, `signed` by how much a unit helps what the intact network does.

        What is below rounding is 0: such units tie, whatever the last bits say.
        """
        ranked = np.abs(self.values) if by == "absolute" else self.strengths
        return np.where(np.abs(ranked) <= self.rounding, 0.0, ranked)

    def order(self, by: Convention = "absolute") -> NDArray[np.int64]:
        """Return the numbers of the units, first the one that ranks highest; ties in order."""
        return np.argsort(-self.ranking(by), kind="stable").astype(np.int64)

    def top(self, count: int = 10, by: Convention = "absolute") -> tuple[tuple[str, float], ...]:
        """Return the names and scores of the units that rank highest."""
        names = self.question.units.names
        return tuple((names[i], float(self.values[i])) for i in self.order(by)[:count])

    def __repr__(self) -> str:
        """Return what the scores are and the largest of them."""
        asked = self.question
        chosen = "".join(f", {name} {value}" for name, value in self.settings.items())
        head = (
            f"Scores({self.method.name}: {len(self):,} {asked.grain}, {self.sign}, mean over "
            f"{len(asked.pairs)} pairs of {asked.readout.described}, {asked.direction}, "
            f"ablation {asked.ablation}{chosen})"
        )
        unit = f" {self.unit}" if self.unit else ""
        lines = [head, f"  everything removed: {self.total:+.3g} {asked.readout.unit}"]
        scored = int((self.ranking() > 0).sum())
        top = self.top(min(_SHOWN, scored))
        lines += [f"  {name}: {value:+.3g}{unit}" for name, value in top]
        smaller, idle = scored - len(top), len(self) - scored
        lines += [f"  and {smaller:,} smaller"] if smaller else []
        lines += [f"  and {idle:,} that score 0"] if idle else []
        lines += [f"  error: {self.method.error}"]
        lines += [f"  measured: {each}" for each in self.method.measured]
        lines += [f"  note: {note}" for note in self.notes]
        return "\n".join(lines)
