"""Per-prompt scores of a circuit: the whole model, the circuit alone, nothing, the rest alone.

With U the mediators that are ablated when they are not kept and C the circuit, on each prompt:

| part | noising: the base run with | denoising: the source run with |
|---|---|---|
| `model` | nothing set (the base run itself) | (the base run itself) |
| `kept` | U without C ablated | C set to its base values |
| `empty` | U ablated | nothing set |
| `knocked_out` | C ablated | U without C set to its base values |

Mediators outside U, usually the MLPs, are never touched.  Faithfulness is the ratio of means
(kept - empty) / (model - empty); a knock-out's drop is (model - knocked_out) / (model - empty).
Source: Wang et al. 2023; Miller et al. 2024 for what the conventions change.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from causalnet.effects import bind
from causalnet.effects.reference import check_reference, mean_constants
from causalnet.errors import TermError
from causalnet.execute import Bindings, Constant, Padding, Progress, evaluate
from causalnet.graphs import Mediator
from causalnet.interventions import (
    Ablation,
    AblationKind,
    Base,
    Direction,
    Handle,
    Position,
    Read,
    ReadOut,
    World,
    patch,
)
from causalnet.lift import LiftedNetwork
from causalnet.tasks import PromptPairs, Prompts

__all__ = ["CircuitScorer", "CircuitScores", "Part", "PartScores", "Wanted"]

BASE, SOURCE = Base("base"), Base("source")
INTERCHANGE = Ablation(AblationKind.COUNTERFACTUAL)


class Part(StrEnum):
    """What is run."""

    MODEL = "model"
    KEPT = "kept"
    EMPTY = "empty"
    KNOCKED_OUT = "knocked_out"


Wanted: TypeAlias = tuple[Part, tuple[Mediator, ...]]
"""A part and the circuit it is about; MODEL and EMPTY need no circuit."""


@dataclass(frozen=True, slots=True, eq=False)
class CircuitScores:
    """A read-out on every prompt, [n] each, in the read-out's unit."""

    model: NDArray[np.float64]
    kept: NDArray[np.float64]
    empty: NDArray[np.float64]
    knocked_out: NDArray[np.float64]

    @property
    def faithfulness(self) -> float:
        """(kept - empty) / (model - empty), a ratio of means."""
        return float((self.kept - self.empty).mean() / (self.model - self.empty).mean())

    @property
    def drop(self) -> float:
        """(model - knocked out) / (model - empty), a ratio of means."""
        return float((self.model - self.knocked_out).mean() / (self.model - self.empty).mean())


@dataclass(frozen=True, slots=True, eq=False)
class PartScores:
    """A read-out of several parts on every prompt, and what it cost.

    Attributes:
        values: Part and circuit to values, [n].
        forwards: Forward passes that were run, each over one batch.
        batch_size: Prompts in a full batch, after any halving.
        halvings: How often memory ran out and the batch was halved.
    """

    values: Mapping[Wanted, NDArray[np.float64]]
    forwards: int
    batch_size: int
    halvings: int


@dataclass(frozen=True, slots=True, eq=False)
class CircuitScorer:
    """How circuits are scored: everything that a faithfulness number depends on but the circuit.

    Attributes:
        net: The lifted network.
        readout: The read-out.
        ablation: What mediators are set to when they are not kept.
        universe: The mediators that are ablated when they are not kept.
        at: Positions at which they are set; none means all.
        direction: `noising` or, for counterfactual values, `denoising`.
        reference: The reference set of means and resampling.
        batch_size: Prompts in a batch.
        padding: The side on which shorter prompts are filled.
        seed: Seed of resampling; draws are fresh for every set of pairs.

    Raises:
        TermError: Denoising with another ablation than counterfactual, a reference set that is
            missing or another than the ablation's, an empty universe.
    """

    net: LiftedNetwork
    readout: ReadOut
    ablation: Ablation
    universe: tuple[Mediator, ...]
    at: tuple[Position, ...] = ()
    direction: Direction = "noising"
    reference: Prompts | None = None
    batch_size: int = 16
    padding: Padding = "right"
    seed: int = 0
    means: Mapping[Handle, Constant] = field(init=False)

    def __post_init__(self) -> None:
        """Check the conventions and compute the means once."""
        if self.direction == "denoising" and self.ablation.kind is not AblationKind.COUNTERFACTUAL:
            raise TermError(
                f"Denoising with the ablation {self.ablation}.",
                "Denoising sets base values in the source run.",
                "Write ablation counterfactual, or direction noising.",
            )
        if not self.universe:
            raise TermError("No mediator may be ablated: the universe is empty.")
        check_reference(self.ablation, self.reference)
        object.__setattr__(self, "means", self._means())

    def _means(self) -> Mapping[Handle, Constant]:
        if self.reference is None or self.ablation.kind is AblationKind.RESAMPLE:
            return {}
        nodes = [self.ablation.site(mediator) for mediator in self.universe]
        return mean_constants(nodes, self.ablation, self.net, self.reference)

    def score(
        self, pairs: PromptPairs, circuit: Sequence[Mediator], progress: Progress | None = None
    ) -> CircuitScores:
        """Return all four parts of one circuit."""
        members = tuple(circuit)
        scores = self.read(pairs, [(part, members) for part in Part], progress=progress)
        return CircuitScores(*(scores.values[part, members] for part in Part))

    def read(
        self,
        pairs: PromptPairs,
        wanted: Sequence[Wanted],
        *,
        batch_size: int | None = None,
        progress: Progress | None = None,
    ) -> PartScores:
        """Return the read-out of several parts on every prompt; equal worlds run once.

        Args:
            pairs: The prompts.
            wanted: Parts and their circuits.
            batch_size: Prompts in a batch, in place of the scorer's own.
            progress: Told about every forward pass.

        Raises:
            AlignmentError: Pairs that do not line up where they must.
            NumericalError: NaN or infinity in an activation.
            OutOfMemoryError: Memory ran out with a batch of one prompt.
        """
        groups = {one: self.reads(*one) for one in dict.fromkeys(wanted)}
        result = evaluate(
            list(dict.fromkeys(read for group in groups.values() for read in group)),
            self.net,
            self._bindings(pairs),
            batch_size=batch_size or self.batch_size,
            padding=self.padding,
            progress=progress,
        )
        values = {read: value.cpu().double().numpy() for read, value in result.values.items()}
        means = {
            one: np.asarray(np.mean([values[read] for read in group], axis=0))
            for one, group in groups.items()
        }
        return PartScores(means, result.forwards, result.batch_size, result.halvings)

    def reads(self, part: Part, circuit: Sequence[Mediator]) -> tuple[Read, ...]:
        """Return the reads of a part: one, or one for each resampling draw."""
        worlds = (self.world(part, circuit, draw) for draw in range(self.ablation.draws))
        return tuple(dict.fromkeys(Read(self.readout, world) for world in worlds))

    def world(self, part: Part, circuit: Sequence[Mediator], draw: int = 0) -> World:
        """Return the world of a part.

        Raises:
            TermError: A member of the circuit that is not in the universe.
        """
        inside = frozenset(circuit)
        strangers = inside.difference(self.universe)
        if strangers:
            raise TermError(
                f"{', '.join(sorted(map(str, strangers)))} cannot be kept or knocked out.",
                "They are not among the mediators that are ablated.",
                "Ablate heads_and_mlps, or leave them out of the circuit.",
            )
        others = tuple(mediator for mediator in self.universe if mediator not in inside)
        members = tuple(mediator for mediator in self.universe if mediator in inside)
        if part is Part.MODEL:
            return BASE
        if self.direction == "denoising":
            restored = {Part.KEPT: members, Part.EMPTY: (), Part.KNOCKED_OUT: others}[part]
            return patch(SOURCE, restored, INTERCHANGE, BASE, self.at) if restored else SOURCE
        ablated = {Part.KEPT: others, Part.EMPTY: self.universe, Part.KNOCKED_OUT: members}[part]
        return patch(BASE, ablated, self.ablation, SOURCE, self.at, draw) if ablated else BASE

    def _bindings(self, pairs: PromptPairs) -> Bindings:
        if self.ablation.kind is AblationKind.RESAMPLE:
            seed = f"{self.seed} {pairs.digest()}"
            return bind(self.ablation, (), self.net, pairs, self.reference, seed=seed)
        return Bindings.of(pairs, self.means)
