"""Turning a sequence into one decision, with the sentence that says why."""

import math
from dataclasses import dataclass
from typing import Protocol, final

from causalnet.statistics.decision import (
    Decision,
    Direction,
    Reason,
    TracePoint,
    Verdict,
    verdict_of,
)
from causalnet.statistics.interval import Interval

__all__ = ["Proceedings", "Question"]


class ConfidenceSequence(Protocol):
    """What every confidence sequence can say of itself."""

    @property
    def n(self) -> int:
        """Observations so far."""

    @property
    def estimate(self) -> float:
        """The estimate so far."""

    @property
    def interval(self) -> Interval | None:
        """The interval so far, if there is one."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is claimed of a number: at least, or at most, a threshold.

    Attributes:
        quantity: The number's name, as it starts a sentence.
        units: What is counted, e.g. ``prompts``.
        threshold: The claimed bound.
        direction: ``at_least`` or ``at_most``.
        alpha: Error probability of each of the two verdicts: asymptotic for means and ratios,
            exact for rates.
    """

    quantity: str
    units: str
    threshold: float
    direction: Direction
    alpha: float

    @property
    def too_few(self) -> Reason:
        """The code for too few observations of this kind."""
        return Reason.TOO_FEW_PROMPTS if self.units == "prompts" else Reason.TOO_FEW_CIRCUITS

    def answer(
        self,
        verdict: Verdict,
        reason: Reason,
        sentence: str,
        *,
        n: int,
        estimate: float = math.nan,
        interval: Interval | None = None,
        trace: tuple[TracePoint, ...] = (),
    ) -> Decision:
        """Fill in a decision on this question."""
        return Decision(
            verdict=verdict,
            reason=reason,
            sentence=sentence,
            estimate=estimate,
            interval=interval,
            threshold=self.threshold,
            direction=self.direction,
            alpha=self.alpha,
            n=n,
            trace=trace,
        )

    def explain(
        self, verdict: Verdict, estimate: float, interval: Interval, n: int
    ) -> tuple[Reason, str]:
        """Say why an interval supports or refutes."""
        side = "above" if interval.low > self.threshold else "below"
        measured = self._measured(estimate, interval)
        sentence = f"{measured} lies {side} {self.threshold:g} after {n} {self.units}"
        if verdict is Verdict.SUPPORTED:
            return Reason.SUPPORTED_BY_INTERVAL, f"{sentence}, as claimed."
        words = self.direction.replace("_", " ")
        return Reason.REFUTED_BY_INTERVAL, f"{sentence}; {words} {self.threshold:g} was claimed."

    def explain_doubt(
        self, estimate: float, interval: Interval, n: int, needed: int | None
    ) -> tuple[Reason, str]:
        """Say why an interval decides nothing, and how many observations probably would."""
        measured = self._measured(estimate, interval)
        sentence = f"{measured} still holds {self.threshold:g} after {n} {self.units}"
        if needed is None:
            far = "the estimate is so close to it that a hundred thousand would not decide"
            return Reason.TOO_CLOSE_TO_THRESHOLD, f"{sentence}, and {far}."
        about = max(needed, math.ceil(1.1 * n))
        return self.too_few, f"{sentence}; about {about} would decide if the estimate holds."

    def _measured(self, estimate: float, interval: Interval) -> str:
        number = interval.estimate_written(estimate, self.threshold)
        return (
            f"{self.quantity} is {number}: its confidence sequence "
            f"{interval.written(self.threshold)}"
        )


@final
class Proceedings:
    """What a judge has seen: the sequence at every look, and the decision once it is settled.

    Args:
        question: What is claimed.
    """

    def __init__(self, question: Question) -> None:
        """Start without a look."""
        self.question = question
        self.settled: Decision | None = None
        self._trace: list[TracePoint] = []

    def look(self, sequence: ConfidenceSequence) -> None:
        """Write down what the sequence says, and settle once it decides."""
        interval = sequence.interval
        if interval is None:
            return
        n, estimate = sequence.n, sequence.estimate
        self._trace.append(TracePoint(n, estimate, interval.low, interval.high))
        verdict = verdict_of(interval, self.question.threshold, self.question.direction)
        if verdict is not Verdict.INCONCLUSIVE:
            why = self.question.explain(verdict, estimate, interval, n)
            self.settled = self._answer(verdict, why, sequence)

    def doubt(
        self, interval: Interval, sequence: ConfidenceSequence, needed: int | None
    ) -> Decision:
        """Give INCONCLUSIVE where the interval straddles the threshold."""
        why = self.question.explain_doubt(sequence.estimate, interval, sequence.n, needed)
        return self._answer(Verdict.INCONCLUSIVE, why, sequence)

    def without_interval(
        self, verdict: Verdict, reason: Reason, sentence: str, sequence: ConfidenceSequence
    ) -> Decision:
        """Give a decision where the data put no bounds on the number."""
        estimate = math.nan if verdict is Verdict.UNDEFINED else sequence.estimate
        return self.question.answer(
            verdict,
            reason,
            sentence,
            n=sequence.n,
            estimate=estimate,
            trace=tuple(self._trace),
        )

    def _answer(
        self, verdict: Verdict, why: tuple[Reason, str], sequence: ConfidenceSequence
    ) -> Decision:
        return self.question.answer(
            verdict,
            *why,
            n=sequence.n,
            estimate=sequence.estimate,
            interval=sequence.interval,
            trace=tuple(self._trace),
        )
