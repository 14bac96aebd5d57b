"""What circuits are scored by: the parts of a circuit on every prompt, whoever runs them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from causalnet.errors import ParameterError
from causalnet.execute import Progress
from causalnet.graphs import Mediator
from causalnet.interventions import (
    Ablation,
    Cell,
    Direction,
    Edge,
    Position,
    ReadOut,
    Regime,
    Scalar,
)
from causalnet.tasks import PromptPairs

__all__ = [
    "CircuitScores",
    "Level",
    "Member",
    "PartScores",
    "Scorer",
    "Wanted",
    "all_parts",
    "conventions_of_scores",
    "readout_of",
    "whole_effect",
]

Level: TypeAlias = Literal["nodes", "edges"]
"""Whether a circuit is a set of nodes, with all edges between them, or a set of edges."""

Member: TypeAlias = Mediator | Edge | Cell
"""What a circuit is made of: nodes, edges, or nodes at positions."""

Wanted: TypeAlias = (
    tuple[Regime, tuple[Member, ...]] | tuple[Regime, tuple[Member, ...], ReadOut] | Scalar
)
"""A part and the circuit it is about (MODEL and EMPTY need no circuit), by the scorer's read-out or
by another, or a scalar of its own."""


def readout_of(wanted: Wanted) -> ReadOut | None:
    """Return the read-out that a part is read by, if it is not the scorer's own."""
    return wanted[2] if isinstance(wanted, tuple) and len(wanted) == 3 else None


ROUNDING = 1e-6
"""Share of an outcome below which a difference may be rounding, in float32 too."""


@dataclass(frozen=True, slots=True, eq=False)
class CircuitScores:
    """A read-out on every prompt, [n] each, in the read-out's unit.

    Attributes:
        model: The whole model.
        kept: All but the circuit ablated.
        empty: Everything ablated.
        knocked_out: The circuit ablated.
        conventions: What the numbers depend on, by name.
    """

    model: NDArray[np.float64]
    kept: NDArray[np.float64]
    empty: NDArray[np.float64]
    knocked_out: NDArray[np.float64]
    conventions: Mapping[str, str] = field(default_factory=dict)

    @property
    def faithfulness(self) -> float:
        """(kept - empty) / (model - empty), a ratio of means.

        Raises:
            ParameterError: Model and empty do not differ, so that it is undefined.
        """
        return float((self.kept - self.empty).mean() / whole_effect(self.model, self.empty))

    @property
    def drop(self) -> float:
        """(model - knocked out) / (model - empty), a ratio of means.

        Raises:
            ParameterError: Model and empty do not differ, so that it is undefined.
        """
        return float((self.model - self.knocked_out).mean() / whole_effect(self.model, self.empty))


def whole_effect(model: NDArray[np.float64], empty: NDArray[np.float64]) -> float:
    """Return what shares of a behaviour are taken of, mean(model - empty).

    Raises:
        ParameterError: The two do not differ.
    """
    whole = float((model - empty).mean())
    if abs(whole) <= ROUNDING * max(1.0, float(np.abs(model).max())):
        raise ParameterError(
            f"The model and the model with everything ablated differ by {whole:.1e}.",
            "A share of a difference that is not there is undefined.",
            "Use a task that the model does, or another ablation.",
        )
    return whole


@dataclass(frozen=True, slots=True, eq=False)
class PartScores:
    """A read-out of several parts on every prompt, and what it cost.

    Attributes:
        values: Regime and circuit to values, [n].
        forwards: Forward passes that were run, each over one batch.
        batch_size: Prompts in a full batch, after any halving.
        halvings: How often memory ran out and the batch was halved.
    """

    values: Mapping[Wanted, NDArray[np.float64]]
    forwards: int
    batch_size: int
    halvings: int


class Scorer(Protocol):
    """Scores parts of circuits under declared conventions."""

    @property
    def universe(self) -> Sequence[Member]:
        """Everything that is ablated when it is not kept."""

    @property
    def conventions(self) -> Mapping[str, str]:
        """What the scores depend on, by name."""

    @property
    def learned(self) -> tuple[Mapping[str, Any], ...]:
        """What was learned so far, as JSON: loss curves of optimal ablation."""

    def read(
        self,
        pairs: PromptPairs,
        wanted: Sequence[Wanted],
        *,
        batch_size: int | None = None,
        progress: Progress | None = None,
    ) -> PartScores:
        """Return the read-out of several parts on every prompt; equal ones are run once."""


def all_parts(
    scorer: Scorer, pairs: PromptPairs, circuit: Sequence[Member], progress: Progress | None
) -> CircuitScores:
    """Return all four parts of one circuit, by whichever scorer."""
    members = tuple(circuit)
    scores = scorer.read(pairs, [(part, members) for part in Regime], progress=progress)
    model, kept, empty, knocked_out = (scores.values[part, members] for part in Regime)
    return CircuitScores(model, kept, empty, knocked_out, scorer.conventions)


def conventions_of_scores(
    level: Level,
    universe: int,
    readout: ReadOut,
    ablation: Ablation,
    at: tuple[Position, ...],
    direction: Direction,
) -> dict[str, str]:
    """Return what scores depend on, by name, in words."""
    of = "edges of the residual stream" if level == "edges" else "nodes, with all edges between"
    return {
        "level": f"{level}: a circuit is a set of {of}",
        "universe": f"{universe} {level}",
        "read-out": readout.described,
        "ablation": str(ablation),
        "positions": ", ".join(map(str, at)) or "all",
        "direction": direction,
    }
