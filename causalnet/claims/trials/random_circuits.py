"""The trial of a claim that a circuit is better than random ones."""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import final

import numpy as np
from numpy.typing import NDArray

from causalnet.claims.hearing import Scores
from causalnet.claims.kinds import BetterThanRandomClaim
from causalnet.claims.trials.protocol import WHOLE, Context, Gate, TrialBase
from causalnet.faithfulness import Member, Regime, Wanted
from causalnet.graphs import Mediator
from causalnet.statistics import Decision, Reason, Verdict, WinJudge, sample_like

__all__ = ["RandomTrial"]

Array = NDArray[np.float64]


@final
class RandomTrial(TrialBase):
    """Wins of the circuit against random circuits with as many members in every layer.

    A win is a smaller mean absolute gap to the whole model on the same prompts.
    """

    GROUP = 8  # random circuits for each look: they share the forward of the source prompts

    def __init__(
        self,
        claim: BetterThanRandomClaim,
        context: Context,
    ) -> None:
        """Start without circuits."""
        super().__init__(claim, context)
        self._settings = claim
        self._groups: dict[tuple[int | None, str], list[Member]] = {}
        for member in context.universe:
            self._groups.setdefault(_alike(member), []).append(member)
        self._rng = np.random.default_rng(list(context.seed))
        self._judge = WinJudge(claim.fraction, context.file.alpha)
        self._gate = Gate(context.file)
        self._absent: Decision | None = None
        self._drawn = 0
        self._model = self._alone = self._gap = math.nan
        self._gaps: list[float] = []

    def wants(self) -> tuple[Wanted, ...]:
        """Return what tells whether there is a behaviour; circuits are compared afterwards."""
        return self._gate.wants()

    def take(self, scores: Scores, rows: range) -> None:
        """Take in one batch."""
        self._gate.take(scores)

    def conclude(self) -> None:
        """Run random circuits until the claim is settled, on a fixed set of prompts."""
        self._absent = self._gated(self._gate.decision())
        if self._absent is not None:
            return
        hearing, settings = self.context.hearing, self._settings
        rows = range(min(settings.prompts, len(hearing.pairs("test"))))
        batches = -(-len(rows) // hearing.file.batch)
        hearing.begin("compare with random circuits", (settings.max_circuits + 4) * batches)
        scores: dict[Wanted, Array] = {}
        for wanted, rivals in self._rounds():
            scores |= hearing.read("test", wanted, rows)
            self._compare(scores, rivals)

    def _rounds(self) -> Iterator[tuple[tuple[Wanted, ...], tuple[Wanted, ...]]]:
        """Yield what each look wants, and which of it are rivals."""
        while not self._judge.is_settled and self._drawn < self._settings.max_circuits:
            count = min(self.GROUP, self._settings.max_circuits - self._drawn)
            drawn = [sample_like(self.circuit, self._groups, self._rng) for _ in range(count)]
            self._drawn += count
            first: tuple[Wanted, ...] = (
                (WHOLE, (Regime.KEPT, self.circuit)) if self._drawn == count else ()
            )
            rivals: tuple[Wanted, ...] = tuple((Regime.KEPT, one) for one in drawn)
            yield (*first, *rivals), rivals

    def _compare(self, scores: Scores, rivals: Sequence[Wanted]) -> None:
        """Compare the circuit with random ones, all on the same prompts.

        Args:
            scores: The whole model, the circuit and its rivals.
            rivals: Which of the scores are rivals.
        """
        model = scores[WHOLE]
        if not self._gaps:
            own = scores[Regime.KEPT, self.circuit]
            self._model, self._alone = float(model.mean()), float(own.mean())
            self._gap = float(np.abs(own - model).mean())
        for rival in rivals:
            if not self._judge.is_settled:
                self._gaps.append(float(np.abs(scores[rival] - model).mean()))
                self._judge.add([self._gap < self._gaps[-1]])

    @property
    def is_settled(self) -> bool:
        """Whether the verdict is final."""
        return self._judge.is_settled or self._absent is not None

    def decision(self) -> Decision:
        """Give the verdict as if no further circuit came."""
        return self._absent or self._judge.decision()

    @property
    def means(self) -> Mapping[str, float]:
        """Mean read-outs and mean absolute gaps to the whole model, on the prompts compared."""
        if not self._gaps:
            return {}
        return {
            "model": self._model,
            "circuit_alone": self._alone,
            "gap_of_circuit": self._gap,
            "gap_of_random_circuits": float(np.mean(self._gaps)),
        }

    def _gated(self, gate: Decision) -> Decision | None:
        """Return UNDEFINED where the behaviour is not there; None where it is."""
        if gate.verdict is Verdict.SUPPORTED:
            return None
        measured = (
            "the whole model's read-out less that of everything ablated is "
            f"{gate.estimate:.3g} on average"
        )
        if gate.verdict is Verdict.REFUTED:
            reason = Reason.BEHAVIOUR_ABSENT
            sentence = f"There is no behaviour to explain: {measured}, not above 0."
        else:
            reason = Reason.DENOMINATOR_UNCLEAR
            sentence = (
                f"It is not clear that there is a behaviour to explain: {measured} "
                f"after {gate.n} prompts."
            )
        return self._judge.decision().undefined(reason, sentence)


def _alike(member: Member) -> tuple[int | None, str]:
    """Return what random circuits have as many of: layer and kind, at both ends of an edge."""
    if isinstance(member, Mediator):
        return member.layer, member.kind.value
    return None, _INDEX.sub(r"\1", f"{member.sender} -> {member.receiver}")


_INDEX = re.compile(r"\b(H|KV)\d+")
