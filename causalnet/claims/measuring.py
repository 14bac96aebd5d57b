"""Running the parts of circuits on prompts, with a count of what was run."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from causalnet.claims.schema import ClaimFile
from causalnet.effects import (
    counterfactual,
    mean,
    mean_per_position,
    noise,
    optimal,
    resample,
    zero,
)
from causalnet.errors import InternalError
from causalnet.faithfulness import CircuitScorer, EdgeCircuitScorer, Member, Wanted
from causalnet.graphs import Mediator
from causalnet.interventions import READOUTS, Ablation
from causalnet.lift import LiftedNetwork
from causalnet.tasks import PromptPairs, Prompts

__all__ = ["Meter", "scorer_of"]


def scorer_of(
    claim_file: ClaimFile,
    net: LiftedNetwork,
    universe: tuple[Member, ...],
    reference: Prompts | PromptPairs | None,
    seed: int,
) -> CircuitScorer | EdgeCircuitScorer:
    """Return the scorer with the conventions of a claim file, of nodes or of edges."""
    ablation = _ablation(claim_file, net, reference)
    if claim_file.ablation.level == "edges":
        return EdgeCircuitScorer(
            net=net,
            readout=READOUTS[claim_file.readout],
            ablation=ablation,
            at=claim_file.ablation.positions or (),
            direction=claim_file.direction,
            reference=reference,
            batch_size=claim_file.batch,
            seed=seed,
        )
    return CircuitScorer(
        net=net,
        readout=READOUTS[claim_file.readout],
        ablation=ablation,
        universe=tuple(one for one in universe if isinstance(one, Mediator)),
        at=claim_file.ablation.positions or (),
        direction=claim_file.direction,
        reference=reference,
        batch_size=claim_file.batch,
        seed=seed,
    )


def _ablation(
    claim_file: ClaimFile, net: LiftedNetwork, reference: Prompts | PromptPairs | None
) -> Ablation:
    spec = claim_file.ablation
    match spec.kind:
        case "counterfactual":
            return counterfactual()
        case "zero":
            return zero()
        case "noise":
            own = spec.noising
            at = own.positions or ()
            return noise(net, own.factor, at=at, draws=spec.draws, seed=own.seed)
    if isinstance(reference, PromptPairs):
        return optimal(reference, spec.learns)
    if reference is None:
        raise InternalError(f"The ablation {spec.kind!r} without reference prompts.")
    if spec.kind == "resample":
        return resample(reference, spec.draws)
    return mean(reference) if spec.kind == "mean" else mean_per_position(reference)


class Meter:
    """Runs parts on prompts and keeps count.

    Args:
        batch_size: Prompts in a batch, until memory runs out.
        after_each: Called after every forward pass.
    """

    def __init__(self, batch_size: int, after_each: Callable[[], None]) -> None:
        """Start with nothing run."""
        self.forwards, self.halvings = 0, 0
        self.batch_size = batch_size
        self._after_each = after_each

    def read(
        self,
        scorer: CircuitScorer | EdgeCircuitScorer,
        pairs: PromptPairs,
        wanted: Sequence[Wanted],
    ) -> dict[Wanted, NDArray[np.float64]]:
        """Return the read-out of every part on every prompt, [n] each; equal ones run once.

        Raises:
            AlignmentError: Pairs that do not line up where they must.
            NumericalError: NaN or infinity in an activation.
            OutOfMemoryError: Memory ran out with a batch of one prompt.
        """
        # The batch stays halved once memory has run out.
        scores = scorer.read(pairs, wanted, batch_size=self.batch_size, progress=self.count)
        self.halvings += scores.halvings
        if scores.halvings:
            self.batch_size = scores.batch_size
        return dict(scores.values)

    def remember(
        self,
        program: str,
        pairs: PromptPairs,
        compute: Callable[[], tuple[Mapping[str, NDArray[np.float64]], int]],
    ) -> Mapping[str, NDArray[np.float64]]:
        """Return what a program gives on prompts; its forwards are counted.

        Args:
            program: All that it depends on but prompts and model, as text.
            pairs: The prompts.
            compute: Gives arrays by name, and the forwards that they took.
        """
        arrays, forwards = compute()
        for _ in range(forwards):
            self.count(0, 0)
        return arrays

    def count(self, done: int, expected: int) -> None:
        """Count one forward pass."""
        self.forwards += 1
        self._after_each()
