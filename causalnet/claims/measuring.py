"""Running the parts of circuits on prompts, once, with a count of what was run."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from causalnet.claims.budget import Spending
from causalnet.claims.calls import batch_digest, read_digest
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
from causalnet.interventions import READOUTS, Ablation, Edge
from causalnet.lift import LiftedNetwork
from causalnet.store import Ledger, Record, RecordKey, digest_of
from causalnet.tasks import PromptPairs, Prompts

__all__ = ["Answered", "Meter", "scorer_of"]

_LEARNED, _MEMORY = "learned", "memory"

Answered: TypeAlias = tuple[Mapping[str, NDArray[Any]], int]
"""Arrays by name, and the forward passes that they took."""


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
        universe=tuple(one for one in universe if not isinstance(one, Edge)),
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
    """Runs parts on prompts, or finds them in a ledger, and keeps count.

    Args:
        batch_size: Prompts in a batch, until memory runs out.
        after_each: Called after every forward pass.
        model: Digest of the model, under which the ledger keeps what it answers.
        ledger: What was answered before; None to keep nothing.
        spending: What may be run.

    Attributes:
        forwards: Forward passes, those in the ledger included.
        reused: Those that were found in the ledger.
        halvings: How often memory ran out and the batch was halved.
        batch_size: Prompts in a batch.
        learned: What optimal ablation learned, as JSON, in the order of learning.
    """

    def __init__(
        self,
        batch_size: int,
        after_each: Callable[[], None],
        model: str = "",
        ledger: Ledger | None = None,
        spending: Spending | None = None,
    ) -> None:
        """Start with nothing run."""
        self.forwards, self.reused, self.halvings = 0, 0, 0
        self.batch_size = batch_size
        self.spending = spending or Spending()
        self.share = 0.0  # of the test prompts, in a batch
        self._after_each = after_each
        self._model, self._ledger = model, ledger
        self._learned: dict[str, None] = {}

    @property
    def learned(self) -> list[dict[str, Any]]:
        """What optimal ablation learned, as JSON: loss curves."""
        return [json.loads(text) for text in self._learned]

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
            OutOfBudget: Nothing more may be run.
        """
        parts = tuple(dict.fromkeys(wanted))
        names = [f"part {number:06}" for number in range(len(parts))]

        def compute() -> Record:
            before = len(scorer.learned)
            scores = scorer.read(pairs, parts, batch_size=self.batch_size, progress=self.count)
            numbers = {name: scores.values[part] for name, part in zip(names, parts, strict=True)}
            held: dict[str, NDArray[Any]] = {
                _MEMORY: np.array([scores.batch_size, scores.halvings], dtype=np.int64),
                _LEARNED: _text_array(list(scorer.learned[before:])),
            }
            return Record({**numbers, **held}, scores.forwards)

        found = self._answered(read_digest(scorer, parts, self.batch_size), pairs, compute)
        size, halvings = (int(one) for one in found[_MEMORY])
        self.halvings += halvings
        if halvings:  # the batch stays halved once memory has run out
            self.batch_size = size
        self._learned |= dict.fromkeys(json.dumps(one) for one in _text_of(found[_LEARNED]))
        return {part: found[name] for name, part in zip(names, parts, strict=True)}

    def remember(
        self, program: object, prompts: PromptPairs | object, compute: Callable[[], Answered]
    ) -> Mapping[str, NDArray[Any]]:
        """Return what a program gives on prompts, run unless it is in the ledger.

        Args:
            program: All that it depends on but prompts, model and prompts in a forward, as text
                or other JSON values.
            prompts: The prompts: pairs, or JSON values that hold all that is read of them.
            compute: Gives arrays by name, and the forwards that they took, which are counted.

        Raises:
            OutOfBudget: Nothing more may be run.
        """

        def counted() -> Record:
            arrays, forwards = compute()
            for _ in range(forwards):
                self.count(0, 0)
            return Record(arrays, forwards)

        key = digest_of(["program/v1", program, self.batch_size])
        return self._answered(key, prompts, counted)

    def _answered(
        self, program: str, prompts: PromptPairs | object, compute: Callable[[], Record]
    ) -> Mapping[str, NDArray[Any]]:
        def spend() -> Record:
            self.spending.check()
            return compute()

        if self._ledger is None:  # sorted as a ledger would, so that sums add up alike
            return {name: np.asarray(one) for name, one in sorted(spend().arrays.items())}
        before = self._ledger.reused
        if isinstance(prompts, PromptPairs):
            batch = batch_digest(prompts)
        else:
            batch = digest_of(["prompts/v1", prompts])
        record = self._ledger.fetch(RecordKey(program, batch, self._model), spend)
        found = self._ledger.reused - before
        self.reused += found
        self.forwards += found
        if found:
            self._after_each()
        return record.arrays

    def count(self, done: int, expected: int) -> None:
        """Count one forward pass."""
        self.forwards += 1
        self.spending.count(self.share)
        self._after_each()


def _text_array(content: object) -> NDArray[np.uint8]:
    """Return JSON values as bytes in an array, as which a ledger keeps them."""
    return np.frombuffer(json.dumps(content).encode(), dtype=np.uint8)


def _text_of(array: NDArray[Any]) -> Any:
    return json.loads(array.tobytes())
