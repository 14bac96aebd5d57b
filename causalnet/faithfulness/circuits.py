"""Per-prompt scores of a circuit: the whole model, the circuit alone, nothing, the rest alone.

What is run is said by `causalnet.interventions.CircuitTerms`.  Faithfulness is the ratio of means
(kept - empty) / (model - empty); a knock-out's drop is (model - knocked_out) / (model - empty).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from causalnet.effects import bind
from causalnet.effects.reference import check_reference, mean_constants
from causalnet.execute import Bindings, Constant, Padding, Progress, evaluate
from causalnet.graphs import Mediator
from causalnet.interventions import (
    Ablation,
    AblationKind,
    CircuitTerms,
    Direction,
    Handle,
    Leaf,
    Position,
    Read,
    ReadOut,
    Regime,
    Scalar,
    evaluate_scalar,
    leaves_of,
)
from causalnet.lift import LiftedNetwork
from causalnet.tasks import PromptPairs, Prompts

__all__ = ["CircuitScorer", "CircuitScores", "PartScores", "Regime", "Wanted"]

Wanted: TypeAlias = tuple[Regime, tuple[Mediator, ...]] | Scalar
"""A part and the circuit it is about (MODEL and EMPTY need no circuit), or a scalar of its own."""


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
        values: Regime and circuit to values, [n].
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
    terms: CircuitTerms = field(init=False)
    means: Mapping[Handle, Constant] = field(init=False)

    def __post_init__(self) -> None:
        """Check the conventions and compute the means once."""
        own = CircuitTerms(self.readout, self.ablation, self.universe, self.at, self.direction)
        object.__setattr__(self, "terms", own)
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
        scores = self.read(pairs, [(part, members) for part in Regime], progress=progress)
        return CircuitScores(*(scores.values[part, members] for part in Regime))

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
        groups = {one: self._leaves(one) for one in dict.fromkeys(wanted)}
        result = evaluate(
            list(dict.fromkeys(leaf for group in groups.values() for leaf in group)),
            self.net,
            self._bindings(pairs),
            batch_size=batch_size or self.batch_size,
            padding=self.padding,
            progress=progress,
        )
        values = {read: value.cpu().double().numpy() for read, value in result.values.items()}
        means = {
            one: np.asarray(np.mean([values[leaf] for leaf in group], axis=0))
            if isinstance(one, tuple)
            else evaluate_scalar(one, values)
            for one, group in groups.items()
        }
        return PartScores(means, result.forwards, result.batch_size, result.halvings)

    def _leaves(self, wanted: Wanted) -> tuple[Leaf, ...]:
        return self.reads(*wanted) if isinstance(wanted, tuple) else leaves_of(wanted)

    def reads(self, part: Regime, circuit: Sequence[Mediator]) -> tuple[Read, ...]:
        """Return the reads of a part: one, or one for each resampling draw."""
        worlds = (self.terms.world(part, circuit, draw) for draw in range(self.ablation.draws))
        return tuple(dict.fromkeys(Read(self.readout, world) for world in worlds))

    def _bindings(self, pairs: PromptPairs) -> Bindings:
        if self.ablation.kind is AblationKind.RESAMPLE:
            seed = f"{self.seed} {pairs.digest()}"
            return bind(self.ablation, (), self.net, pairs, self.reference, seed=seed)
        return Bindings.of(pairs, self.means)
