"""What all claims of a file share while they are heard: prompts, the model, a count of forwards."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from causalnet.claims.budget import Spending
from causalnet.claims.calls import model_digest
from causalnet.claims.measuring import Answered, Meter, scorer_of
from causalnet.claims.progress import ProgressReport, Report
from causalnet.claims.prompts import finding_pairs, pairs_of, reference_prompts, testing_pairs
from causalnet.claims.schema import ClaimFile
from causalnet.claims.task_spec import TaskSpec
from causalnet.faithfulness import CircuitScorer, EdgeCircuitScorer, Member, Wanted
from causalnet.lift import LiftedNetwork
from causalnet.store import Ledger
from causalnet.tasks import PromptPairs, Prompts

__all__ = ["Asked", "Hearing", "Scores"]

Scores: TypeAlias = Mapping[Wanted, NDArray[np.float64]]
"""A read-out on some prompts, [n], by part and circuit."""

Asked: TypeAlias = Literal["test", "find"] | TaskSpec
"""Which prompts: those that test, those to search on, or those of a control task."""


class Hearing:
    """What trials ask for: prompts by name, and parts of circuits run on them.

    Prompts are `test`, `find` (those that found the circuit, or others of the same generator where
    the file names none), or those of another task.

    Args:
        file: The claim file.
        net: The lifted network.
        universe: Everything that can be ablated, in order.
        chance: Seed of all chance beside the prompts' own.
        seed: Replaces the seed of the file's prompts.
        tell: Told where the verification stands.
        settled: Gives the ids of the claims that are decided.
        ledger: What the model answered before; None to keep nothing.
        spending: What may be run; None for no bound.
        allow_code: Whether Python code that the file names may be run.

    Raises:
        ClaimFileError, PromptError, AnswerError, AlignmentError: Prompts that cannot be made.
    """

    def __init__(
        self,
        file: ClaimFile,
        net: LiftedNetwork,
        universe: tuple[Member, ...],
        chance: int,
        seed: int | None,
        tell: Report,
        settled: Callable[[], tuple[str, ...]] = tuple,
        ledger: Ledger | None = None,
        spending: Spending | None = None,
        allow_code: bool = False,
    ) -> None:
        """Make the test prompts and the reference set."""
        self.file, self.net, self.chance = file, net, chance
        self.allow_code = allow_code
        tokenizer = net.model.tokenizer
        self._pairs: dict[str, PromptPairs] = {"test": testing_pairs(file, tokenizer, seed)}
        self.reference: Prompts | PromptPairs | None = reference_prompts(file, tokenizer)
        self.scorer = scorer_of(file, net, universe, self.reference, chance)
        self._waves: CircuitScorer | EdgeCircuitScorer | None = None
        self._scorers: dict[str, CircuitScorer | EdgeCircuitScorer] = {}
        model = "" if ledger is None else model_digest(net)
        self.meter = Meter(self.scorer.batch_size, self._count, model, ledger, spending)
        self.meter.share = min(1.0, file.batch / len(self._pairs["test"]))
        self.used = 0
        self._tell, self._settled = tell, settled
        self._stage, self._done, self._total = "run claims", 0, 0

    @property
    def universe(self) -> Sequence[Member]:
        """Everything that can be ablated."""
        return self.scorer.universe

    def pairs(self, asked: Asked) -> PromptPairs:
        """Return prompt pairs.

        Raises:
            ClaimFileError, PromptError, AnswerError, AlignmentError: They cannot be made.
        """
        key = _key(asked)
        if key not in self._pairs:
            tokenizer = self.net.model.tokenizer
            self._pairs[key] = (
                pairs_of(self.file, asked, tokenizer)
                if isinstance(asked, TaskSpec)
                else finding_pairs(self.file, tokenizer, self._pairs["test"])
            )
        return self._pairs[key]

    def read(self, asked: Asked, wanted: Sequence[Wanted], rows: range | None = None) -> Scores:
        """Return the read-out of every part on every prompt, [n] each; equal ones run once.

        Args:
            asked: Which prompts.
            wanted: Parts and circuits.
            rows: Which of the prompts; None for all.

        Raises:
            AlignmentError: Pairs that do not line up where they must.
            NumericalError: NaN or infinity in an activation.
            OutOfMemoryError: Memory ran out with a batch of one prompt.
            OutOfBudget: Nothing more may be run.
        """
        pairs = self.pairs(asked)
        rows = range(len(pairs)) if rows is None else rows
        scores = self.meter.read(self._scorer(asked), pairs.rows(rows), wanted)
        if asked == "test":
            self.used = max(self.used, rows.stop)
        return scores

    def sweep(self, asked: Asked, wanted: Sequence[Wanted], rows: range | None = None) -> Scores:
        """Return the read-out of many parts, in waves where the network has them.

        Args:
            asked: Which prompts, `test` or `find`.
            wanted: Parts and circuits.
            rows: Which of the prompts; None for all.

        Raises:
            NumericalError, OutOfMemoryError, OutOfBudget: As for `read`.
        """
        if self._waves is None:
            self._waves = self.scorer
            if isinstance(self._waves, CircuitScorer):
                # A fixed budget: waves that are cut otherwise differ in the last bits.
                self._waves = replace(self._waves, executor="auto", budget="1GB")
        pairs = self.pairs(asked)
        rows = range(len(pairs)) if rows is None else rows
        return self.meter.read(self._waves, pairs.rows(rows), wanted)

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
        return self.meter.remember(program, prompts, compute)

    def _scorer(self, asked: Asked) -> CircuitScorer | EdgeCircuitScorer:
        """Return the scorer for prompts: another task has a reference set of its own."""
        if not isinstance(asked, TaskSpec):
            return self.scorer
        key = _key(asked)
        if key not in self._scorers:
            own = None if self.reference is None else self._own_reference(asked)
            universe: tuple[Member, ...] = tuple(self.scorer.universe)
            self._scorers[key] = scorer_of(self.file, self.net, universe, own, self.chance)
        return self._scorers[key]

    def _own_reference(self, task: TaskSpec) -> Prompts | PromptPairs:
        pairs = self.pairs(task)
        if self.file.ablation.kind == "optimal":
            return pairs
        return pairs.source if self.file.ablation.side == "source" else pairs.base

    def begin(self, stage: str, total: int) -> None:
        """Enter a stage with at most so many forwards."""
        self._stage, self._done, self._total = stage, 0, total
        self._report()

    def expect(self, stage: str, more: int) -> None:
        """Stay in a stage, or enter it, with at most so many forwards to come."""
        if self._stage != stage:
            self.begin(stage, more)
        self._total = self._done + more

    def told(self, done: int, expected: int) -> None:
        """Count a forward that somebody else ran."""
        self._count()

    def _count(self) -> None:
        """Count one forward."""
        self._done += 1
        self._report()

    def _report(self) -> None:
        total = max(self._done, self._total)
        self._tell(ProgressReport(self._stage, self._done, total, self._settled()))


def _key(asked: Asked) -> str:
    return asked if isinstance(asked, str) else asked.model_dump_json()
