"""Judges whose error probability is exact: for numbers in a range that was declared beforehand.

They need neither spread nor a minimal number of prompts: equal scores decide as soon as there are
enough of them.  What lies outside the declared range is clipped, counted and said.
"""

from dataclasses import replace
from typing import final

from numpy.typing import ArrayLike

from causalnet.statistics.betting import BoundedSequence
from causalnet.statistics.betting_ratio import BoundedRatioSequence
from causalnet.statistics.decision import Decision, Direction, Reason, Verdict
from causalnet.statistics.digits import fixed, shared_decimals
from causalnet.statistics.interval import Interval
from causalnet.statistics.judging import Proceedings, question

__all__ = ["BoundedJudge", "BoundedRatioJudge"]


@final
class BoundedJudge:
    """Judges a mean of numbers in [low, high]; exact at any sample size and at every look.

    Args:
        threshold: The claimed bound; left out where `within` is claimed.
        direction: ``at_least`` or ``at_most``.
        alpha: Largest probability of a false SUPPORTED, and of a false REFUTED; exact.
        low: The smallest number that can come; declared before looking.
        high: The largest.
        within: Both ends of a band instead: two one-sided tests, each at `alpha`.
        margin: Settle as INCONCLUSIVE (``inside_the_margin``) once the interval lies within so
            much of a bound on either side; None never does.
        quantity: The number's name, as it starts a sentence.
        units: What is counted.

    Raises:
        ParameterError: A parameter outside its range.

    >>> judge = BoundedJudge(0.9)
    >>> while not judge.is_settled:
    ...     judge.add([0.96, 0.97])
    >>> judge.decision().verdict, judge.decision().n
    (<Verdict.SUPPORTED: 'SUPPORTED'>, 50)
    """

    def __init__(
        self,
        threshold: float | None = None,
        direction: Direction = "at_least",
        alpha: float = 0.05,
        low: float = 0.0,
        high: float = 1.0,
        *,
        within: tuple[float, float] | None = None,
        margin: float | None = None,
        quantity: str = "The mean",
        units: str = "prompts",
    ) -> None:
        """Start without observations."""
        asked = question(
            quantity,
            units,
            alpha,
            threshold=threshold,
            direction=direction,
            within=within,
            margin=margin,
        )
        self._proceedings = Proceedings(asked)
        self._sequence = BoundedSequence(alpha, low, high)

    def add(self, values: ArrayLike) -> None:
        """Take in one batch; a settled judge ignores it.

        Raises:
            ParameterError: The batch is empty or not one-dimensional.
            NumericalError: It holds NaN or an infinity.
        """
        if not self.is_settled:
            self._sequence.add(values)
            self._proceedings.look(self._sequence)
            _note_clipping(self._proceedings, self._sequence, self._range)

    @property
    def is_settled(self) -> bool:
        """Whether the verdict is for good: SUPPORTED, REFUTED, or inside the margin."""
        return self._proceedings.settled is not None

    @property
    def clipped(self) -> int:
        """How many numbers lay outside the declared range."""
        return self._sequence.clipped

    def decision(self) -> Decision:
        """Give the verdict as if no further observation came."""
        proceedings, sequence = self._proceedings, self._sequence
        if proceedings.settled is not None:
            return proceedings.settled
        interval = sequence.interval
        if interval is None:
            asked = proceedings.question
            return proceedings.without_interval(
                Verdict.INCONCLUSIVE, asked.too_few, f"There are no {asked.units}.", sequence
            )
        doubt = proceedings.doubt(interval, sequence, sequence.excludes)
        return _with_clipping(doubt, sequence, self._range)

    @property
    def _range(self) -> str:
        return f"[{self._sequence.low:g}, {self._sequence.high:g}]"


@final
class BoundedRatioJudge:
    """Judges a ratio of means of pairs with declared ranges; exact at every look.

    The ratio exists only where the mean denominator is above 0.  That is established first, as
    exactly, at `gate_alpha`; until then the verdict is UNDEFINED, and once the mean denominator is
    shown not to be above 0 it is UNDEFINED for good.

    Args:
        threshold: The claimed bound; left out where `within` is claimed.
        direction: ``at_least`` or ``at_most``.
        alpha: Largest probability of a false SUPPORTED, and of a false REFUTED; exact.
        gate_alpha: Probability of taking a denominator for positive that is not.
        numerators: The smallest and the largest numerator; declared before looking.
        denominators: The same for denominators.
        within: Both ends of a band instead: two one-sided tests, each at `alpha`.
        margin: As for `BoundedJudge`.
        quantity: The ratio's name, as it starts a sentence.
        denominator: The denominator's name, inside a sentence.
        units: What is counted.

    Raises:
        ParameterError: A parameter outside its range.

    >>> judge = BoundedRatioJudge(0.5, numerators=(0.0, 1.0), denominators=(0.0, 1.0))
    >>> while not judge.is_settled:
    ...     judge.add([0.7, 0.8], [0.8, 0.9])
    >>> judge.decision().verdict, judge.decision().n
    (<Verdict.SUPPORTED: 'SUPPORTED'>, 8)
    """

    def __init__(
        self,
        threshold: float | None = None,
        direction: Direction = "at_least",
        alpha: float = 0.05,
        gate_alpha: float = 0.005,
        *,
        numerators: tuple[float, float],
        denominators: tuple[float, float],
        within: tuple[float, float] | None = None,
        margin: float | None = None,
        quantity: str = "Faithfulness",
        denominator: str = "the intact model's score less the fully ablated model's",
        units: str = "prompts",
    ) -> None:
        """Start without observations."""
        asked = question(
            quantity,
            units,
            alpha,
            threshold=threshold,
            direction=direction,
            within=within,
            margin=margin,
        )
        self._proceedings = Proceedings(asked)
        reach = 1.0 + (margin or 0.0)
        self._sequence = BoundedRatioSequence(
            numerators,
            denominators,
            alpha,
            gate_alpha,
            ratios=(min(asked.bounds[0] - reach, -1.0), max(asked.bounds[-1] + reach, 2.0)),
            bounds=asked.bounds,
        )
        self._denominator = denominator
        self._absent: Decision | None = None

    def add(self, numerators: ArrayLike, denominators: ArrayLike) -> None:
        """Take in one batch of pairs; a settled judge ignores it.

        Raises:
            ParameterError: The batch is empty, not one-dimensional, or of unequal lengths.
            NumericalError: It holds NaN or an infinity.
        """
        if self.is_settled:
            return
        self._sequence.add(numerators, denominators)
        if self._sequence.is_open:
            self._proceedings.look(self._sequence)
            _note_clipping(self._proceedings, self._sequence, "the declared ranges")
        elif self._sequence.is_absent:
            self._absent = self._undefined()

    @property
    def is_settled(self) -> bool:
        """Whether the verdict is for good: also UNDEFINED, where there is no behaviour."""
        return self._proceedings.settled is not None or self._absent is not None

    @property
    def clipped(self) -> int:
        """How many pairs lay outside the declared ranges."""
        return self._sequence.clipped

    @property
    def denominator_interval(self) -> Interval | None:
        """The sequence of the mean denominator, at level 1 - 2 gate_alpha."""
        return self._sequence.gate.interval

    def decision(self) -> Decision:
        """Give the verdict as if no further observation came."""
        proceedings, sequence = self._proceedings, self._sequence
        settled = proceedings.settled or self._absent
        if settled is not None:
            return settled
        interval = sequence.interval
        if not sequence.n:
            asked = proceedings.question
            return proceedings.without_interval(
                Verdict.INCONCLUSIVE, asked.too_few, f"There are no {asked.units}.", sequence
            )
        if interval is None:
            return self._undefined()
        doubt = proceedings.doubt(interval, sequence, sequence.excludes)
        return _with_clipping(doubt, sequence, "the declared ranges")

    def _undefined(self) -> Decision:
        asked, measured = self._proceedings.question, self._sequence.gate
        gate = measured.interval
        assert gate is not None  # asked only with observations
        decimals = shared_decimals(gate.low, gate.high, 0.0)
        number, low, high = (
            fixed(one, decimals) for one in (measured.estimate, gate.low, gate.high)
        )
        absent = self._sequence.is_absent
        sentence = (
            f"{asked.quantity} is undefined because its denominator is "
            f"{'not' if absent else 'not clearly'} above 0: {self._denominator} is {number} on "
            f"average, with the confidence sequence [{low}, {high}] after {measured.n} "
            f"{asked.units}"
        )
        needed = measured.excludes(0.0) if measured.estimate > 0.0 else None
        if needed is not None and needed > measured.n:
            sentence += f"; about {needed} would show that it is, if that average holds"
        sentence += "."
        return self._proceedings.without_interval(
            Verdict.UNDEFINED,
            Reason.BEHAVIOUR_ABSENT if absent else Reason.DENOMINATOR_UNCLEAR,
            sentence,
            self._sequence,
        )


def _note_clipping(
    proceedings: Proceedings, sequence: BoundedSequence | BoundedRatioSequence, ranges: str
) -> None:
    if proceedings.settled is not None:
        proceedings.settled = _with_clipping(proceedings.settled, sequence, ranges)


def _with_clipping(
    decision: Decision, sequence: BoundedSequence | BoundedRatioSequence, ranges: str
) -> Decision:
    """Say that the claim is about clipped numbers, where some were."""
    if not sequence.clipped:
        return decision
    said = (
        f"{sequence.clipped} of {sequence.n} lay outside {ranges} and were clipped, so that this "
        "is about the mean of the clipped numbers."
    )
    return replace(decision, sentence=f"{decision.sentence} {said}")
