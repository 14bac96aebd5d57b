"""Turning a sequence into one decision, with the sentence that says why."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, final

from causalnet.errors import ParameterError
from causalnet.statistics.decision import (
    Decision,
    Direction,
    Reason,
    TracePoint,
    Verdict,
    verdict_of,
    verdict_within,
)
from causalnet.statistics.digits import fixed, shared_decimals
from causalnet.statistics.interval import Interval
from causalnet.statistics.samples import (
    check_alpha,
    check_band,
    check_direction,
    check_margin,
    check_threshold,
)

__all__ = ["Proceedings", "Question", "question"]


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
    """What is claimed of a number: at least, or at most, a threshold, or within a band.

    Attributes:
        quantity: The number's name, as it starts a sentence.
        units: What is counted, e.g. ``prompts``.
        threshold: The claimed bound; of a band its lower end.
        direction: ``at_least``, ``at_most`` or ``within``.
        alpha: Error probability of each of the two verdicts: asymptotic for means and ratios,
            exact for rates.
        within: Both ends of the claimed band; None where one bound is claimed.
        margin: Distances from a bound that the author does not care about; None without.
    """

    quantity: str
    units: str
    threshold: float
    direction: Direction
    alpha: float
    within: tuple[float, float] | None = None
    margin: float | None = None

    @property
    def too_few(self) -> Reason:
        """The code for too few observations of this kind."""
        return Reason.TOO_FEW_PROMPTS if self.units == "prompts" else Reason.TOO_FEW_CIRCUITS

    @property
    def bounds(self) -> tuple[float, ...]:
        """The bounds that the number is compared with: one, or both ends of the band."""
        return (self.threshold,) if self.within is None else self.within

    @property
    def claimed(self) -> str:
        """The claim in words, e.g. ``at least 0.9`` or ``within [0.9, 1.1]``."""
        if self.within is None:
            return f"{self.direction.replace('_', ' ')} {self.threshold:g}"
        return f"within {self._band}"

    def verdict(self, interval: Interval) -> Verdict:
        """Compare an interval with the claim."""
        if self.within is None:
            return verdict_of(interval, self.threshold, self.direction)
        return verdict_within(interval, *self.within)

    def is_inside_margin(self, interval: Interval) -> bool:
        """Say whether the whole interval is so near a bound that its side does not matter."""
        if self.margin is None:
            return False
        zones = ((bound - self.margin, bound + self.margin) for bound in self.bounds)
        return any(low <= interval.low and interval.high <= high for low, high in zones)

    def needed(self, estimate: float, excludes: Callable[[float], int | None]) -> int | None:
        """Say how many observations would decide if the estimate held.

        Args:
            estimate: The estimate so far.
            excludes: After how many observations the sequence would exclude a number; None
                where not even a hundred thousand would.
        """
        low, high = self.bounds[0], self.bounds[-1]
        if low < estimate < high:  # both ends must be excluded
            points = [low, high]
        else:
            points = [min(self.bounds, key=lambda bound: abs(bound - estimate))]
        if self.margin is not None:
            # It also suffices that the interval shrinks into the margin.
            points = [_further(point, estimate, self.margin) for point in points]
        counts = [excludes(point) for point in points]
        known = [count for count in counts if count is not None]
        return max(known) if len(known) == len(counts) else None

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
            within=self.within,
            margin=self.margin,
        )

    def explain(
        self, verdict: Verdict, estimate: float, interval: Interval, n: int
    ) -> tuple[Reason, str]:
        """Say why an interval supports or refutes."""
        bounds = f"{self.threshold:g}" if self.within is None else self._band
        side = "above" if interval.low > self.bounds[-1] else "below"
        if verdict is Verdict.SUPPORTED and self.within is not None:
            side = "inside"
        measured = self._measured(estimate, interval)
        sentence = f"{measured} lies {side} {bounds} after {n} {self.units}"
        if verdict is Verdict.SUPPORTED:
            return Reason.SUPPORTED_BY_INTERVAL, f"{sentence}, as claimed."
        return Reason.REFUTED_BY_INTERVAL, f"{sentence}; {self.claimed} was claimed."

    def explain_margin(self, estimate: float, interval: Interval, n: int) -> tuple[Reason, str]:
        """Say that the number is too near a bound for its side to matter."""
        bound = min(self.bounds, key=lambda bound: abs(bound - estimate))
        measured = self._measured(estimate, interval)
        return Reason.INSIDE_MARGIN, (
            f"{measured} lies within {self.margin:g} of {bound:g} after {n} {self.units}: so near "
            f"that by the claim's own margin its side does not matter."
        )

    def explain_doubt(
        self, estimate: float, interval: Interval, n: int, needed: int | None
    ) -> tuple[Reason, str]:
        """Say why an interval decides nothing, and how many observations probably would."""
        measured = self._measured(estimate, interval)
        held = " and ".join(f"{bound:g}" for bound in self.bounds if bound in interval)
        sentence = f"{measured} still holds {held} after {n} {self.units}"
        if needed is None:
            far = "the estimate is so close to it that a hundred thousand would not decide"
            return Reason.TOO_CLOSE_TO_THRESHOLD, f"{sentence}, and {far}."
        about = max(needed, math.ceil(1.1 * n))
        return self.too_few, f"{sentence}; about {about} would decide if the estimate holds."

    @property
    def _band(self) -> str:
        return f"[{self.bounds[0]:g}, {self.bounds[-1]:g}]"

    def _measured(self, estimate: float, interval: Interval) -> str:
        decimals = max(shared_decimals(interval.low, interval.high, bound) for bound in self.bounds)
        number, low, high = (
            fixed(one, decimals) for one in (estimate, interval.low, interval.high)
        )
        return (
            f"{self.quantity} is {number}: its confidence sequence [{low}, {high}] "
            f"({100 * interval.level:.6g} %)"
        )


def _further(point: float, estimate: float, margin: float) -> float:
    """Return a point as far from the estimate as the interval need reach."""
    distance = abs(estimate - point)
    return estimate - math.copysign(max(distance, margin - distance), estimate - point)


def question(
    quantity: str,
    units: str,
    alpha: float,
    *,
    threshold: float | None,
    direction: Direction,
    within: tuple[float, float] | None = None,
    margin: float | None = None,
) -> Question:
    """Read what is claimed, one bound or a band.

    Raises:
        ParameterError: Neither a threshold nor a band, both of them, or one out of its range.
    """
    direction, alpha, margin = check_direction(direction), check_alpha(alpha), check_margin(margin)
    if within is not None:
        if threshold is not None:
            raise ParameterError(
                came=f"Both threshold={threshold!r} and within={within!r}.",
                possible="A claim has one bound or a band.",
                write="Leave out the threshold, or the band.",
            )
        band = check_band(*within)
        return Question(quantity, units, band[0], "within", alpha, band, margin)
    if threshold is None or direction == "within":
        raise ParameterError(
            came=f"The threshold is {threshold!r}, the direction {direction!r}, and no band.",
            possible="A claim has one bound, at_least or at_most, or a band.",
            write="Write for example threshold=0.9, or within=(0.9, 1.1).",
        )
    return Question(quantity, units, check_threshold(threshold), direction, alpha, None, margin)


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
        verdict = self.question.verdict(interval)
        if verdict is not Verdict.INCONCLUSIVE:
            why = self.question.explain(verdict, estimate, interval, n)
            self.settled = self._answer(verdict, why, sequence)
        elif self.question.is_inside_margin(interval):
            why = self.question.explain_margin(estimate, interval, n)
            self.settled = self._answer(verdict, why, sequence)

    def doubt(
        self,
        interval: Interval,
        sequence: ConfidenceSequence,
        excludes: Callable[[float], int | None],
    ) -> Decision:
        """Give INCONCLUSIVE where the interval straddles a bound.

        Args:
            interval: What the sequence says.
            sequence: The sequence.
            excludes: After how many observations a number would be excluded.
        """
        needed = self.question.needed(sequence.estimate, excludes)
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
