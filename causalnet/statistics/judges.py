"""Judges: fed batch by batch, asked at any time, settled as early as the data allow.

The claim is never the null hypothesis: SUPPORTED needs the whole interval on the claimed side of
the threshold and REFUTED the whole interval on the other side.  Verdict, printed interval and
trace are one confidence sequence, so that they cannot contradict each other, and the probability
of a false SUPPORTED is at most `alpha` however often the judge is asked: exactly so for rates
(`WinJudge`), asymptotically for means and ratios, whose sequences start after 32 observations.  A
settled judge ignores what comes later.
"""

from typing import final

from numpy.typing import ArrayLike

from causalnet.errors import ParameterError
from causalnet.statistics.decision import Decision, Direction, Reason, Verdict
from causalnet.statistics.digits import fixed, shared_decimals
from causalnet.statistics.interval import Interval
from causalnet.statistics.judging import Proceedings, question
from causalnet.statistics.mixture import MINIMUM_N, expected_stop
from causalnet.statistics.samples import check_alpha
from causalnet.statistics.sequences import MeanSequence, RatioSequence
from causalnet.statistics.wins import WinSequence, expected_wins_stop

__all__ = ["MeanJudge", "RatioJudge", "WinJudge"]


@final
class MeanJudge:
    """Judges whether a mean is at least, or at most, a threshold.

    Equal observations have no spread to judge by: they stay INCONCLUSIVE (``no_spread``), as 32
    right answers out of 32 do not show that 99 of 100 are right.  For such rates take `WinJudge`.

    Args:
        threshold: The claimed bound; left out where `within` is claimed.
        direction: ``at_least`` or ``at_most``.
        alpha: Probability of a false SUPPORTED, and of a false REFUTED, asymptotically.
        within: Both ends of a band instead: two one-sided tests, each at `alpha`.
        margin: Settle as INCONCLUSIVE (``inside_the_margin``) once the interval lies within so
            much of a bound on either side; None never does.
        expected_n: The sample size at which the sequence is made narrowest.
        quantity: The number's name, as it starts a sentence.
        units: What is counted.

    Raises:
        ParameterError: A parameter outside its range.

    >>> import numpy as np
    >>> judge, rng = MeanJudge(0.0, "at_least"), np.random.default_rng(0)
    >>> while not judge.is_settled:
    ...     judge.add(rng.normal(4.2, 2.7, size=8))
    >>> print(judge.decision())
    SUPPORTED: ...
    """

    def __init__(
        self,
        threshold: float | None = None,
        direction: Direction = "at_least",
        alpha: float = 0.05,
        *,
        within: tuple[float, float] | None = None,
        margin: float | None = None,
        expected_n: int = 200,
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
        self._sequence = MeanSequence(alpha, expected_n)

    def add(self, values: ArrayLike) -> None:
        """Take in one batch; a settled judge ignores it.

        Raises:
            ParameterError: The batch is empty or not one-dimensional.
            NumericalError: It holds NaN or an infinity.
        """
        if not self.is_settled:
            self._sequence.add(values)
            self._proceedings.look(self._sequence)

    @property
    def is_settled(self) -> bool:
        """Whether the verdict is for good: SUPPORTED, REFUTED, or inside the margin."""
        return self._proceedings.settled is not None

    def decision(self) -> Decision:
        """Give the verdict as if no further observation came."""
        sequence = self._sequence
        if self._proceedings.settled is not None:
            return self._proceedings.settled
        interval = sequence.interval
        if interval is not None:

            def excludes(point: float) -> int | None:
                effect = (sequence.estimate - point) / sequence.deviation
                return expected_stop(effect, sequence.alpha, sequence.expected_n)

            return self._proceedings.doubt(interval, sequence, excludes)
        reason, sentence = _no_interval(sequence)
        return self._proceedings.without_interval(Verdict.INCONCLUSIVE, reason, sentence, sequence)


@final
class RatioJudge:
    """Judges whether a ratio of means is at least, or at most, a threshold.

    The ratio exists only where the mean denominator is above 0.  That is established first, by a
    sequence of its own at `gate_alpha`; until then the verdict is UNDEFINED, and once the mean
    denominator is shown to be below 0 it is UNDEFINED for good.  Denominators that are all equal
    show their sign.  Pairs that are all equal have no spread to judge by (``no_spread``).

    Args:
        threshold: The claimed bound; left out where `within` is claimed.
        direction: ``at_least`` or ``at_most``.
        alpha: Probability of a false SUPPORTED, and of a false REFUTED, asymptotically.
        gate_alpha: Probability of taking a denominator for positive that is not.
        within: Both ends of a band instead: two one-sided tests, each at `alpha`.
        margin: Settle as INCONCLUSIVE (``inside_the_margin``) once the interval lies within so
            much of a bound on either side; None never does.
        expected_n: The sample size at which the sequence is made narrowest.
        quantity: The ratio's name, as it starts a sentence.
        denominator: The denominator's name, inside a sentence.
        units: What is counted.

    Raises:
        ParameterError: A parameter outside its range.

    >>> import numpy as np
    >>> judge, rng = RatioJudge(0.9, "at_least"), np.random.default_rng(0)
    >>> while not judge.is_settled:
    ...     denominators = rng.normal(4.2, 2.7, size=8)
    ...     judge.add(0.7 * denominators + rng.normal(0.0, 1.0, size=8), denominators)
    >>> print(judge.decision())
    REFUTED: ...
    """

    def __init__(
        self,
        threshold: float | None = None,
        direction: Direction = "at_least",
        alpha: float = 0.05,
        gate_alpha: float = 0.005,
        *,
        within: tuple[float, float] | None = None,
        margin: float | None = None,
        expected_n: int = 200,
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
        self._sequence = RatioSequence(alpha, expected_n)
        self._gate = MeanSequence(check_alpha(gate_alpha, "gate_alpha"), expected_n)
        self._gate_is_open = False
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
        self._gate.add(denominators)
        low, high = self._gate_ends()
        self._gate_is_open = self._gate_is_open or low > 0
        if self._gate_is_open:
            self._proceedings.look(self._sequence)
        elif high <= 0:
            self._absent = self._undefined()

    @property
    def is_settled(self) -> bool:
        """Whether the verdict is SUPPORTED, REFUTED or, with no behaviour, UNDEFINED for good."""
        return self._proceedings.settled is not None or self._absent is not None

    @property
    def denominator_interval(self) -> Interval | None:
        """The sequence of the mean denominator, at level 1 - 2 gate_alpha."""
        return self._gate.interval

    def decision(self) -> Decision:
        """Give the verdict as if no further observation came."""
        sequence, proceedings = self._sequence, self._proceedings
        settled = proceedings.settled or self._absent
        if settled is not None:
            return settled
        interval = sequence.interval
        if self._gate_is_open and interval is not None:

            def excludes(point: float) -> int | None:
                effect = sequence.effect_size(point)
                return expected_stop(effect, sequence.alpha, sequence.expected_n)

            return proceedings.doubt(interval, sequence, excludes)
        if sequence.n < MINIMUM_N or not sequence.has_spread:
            reason, sentence = _no_interval(sequence)
            return proceedings.without_interval(Verdict.INCONCLUSIVE, reason, sentence, sequence)
        return self._undefined()

    def _gate_ends(self) -> tuple[float, float]:
        """Return the ends for the mean denominator; equal denominators show their sign."""
        interval = self._gate.interval
        if interval is not None:
            return interval.low, interval.high
        if self._gate.n >= MINIMUM_N and not self._gate.has_spread:
            return self._gate.estimate, self._gate.estimate
        return -float("inf"), float("inf")

    def _undefined(self) -> Decision:
        asked = self._proceedings.question
        low, high = self._gate_ends()
        decimals = shared_decimals(low, high, 0.0)
        measured = f"{self._denominator} is {fixed(self._gate.estimate, decimals)} on average"
        if high <= 0:
            reason = Reason.BEHAVIOUR_ABSENT
            sentence = (
                f"{asked.quantity} is undefined because there is no behaviour to explain: "
                f"{measured}, not above 0."
            )
        else:
            reason = Reason.DENOMINATOR_UNCLEAR
            sentence = (
                f"{asked.quantity} is undefined because its denominator is not clearly above "
                f"0: {measured}, with the confidence sequence [{fixed(low, decimals)}, "
                f"{fixed(high, decimals)}] after {self._gate.n} prompts."
            )
        return self._proceedings.without_interval(
            Verdict.UNDEFINED, reason, sentence, self._sequence
        )


@final
class WinJudge:
    """Judges whether the rate of wins is at least, or at most, a fraction; exact at any sample.

    Args:
        fraction: The claimed bound, in (0, 1).
        alpha: Largest probability of a false SUPPORTED, and of a false REFUTED; exact.
        direction: ``at_least`` or ``at_most``.
        margin: As for `MeanJudge`.
        quantity: The rate's name, as it starts a sentence.
        units: What is counted.

    Raises:
        ParameterError: A parameter outside its range.

    >>> judge = WinJudge(0.9)
    >>> while not judge.is_settled:
    ...     judge.add([True] * 4)
    >>> judge.decision().verdict, judge.decision().n
    (<Verdict.SUPPORTED: 'SUPPORTED'>, 36)
    """

    def __init__(
        self,
        fraction: float,
        alpha: float = 0.05,
        direction: Direction = "at_least",
        *,
        margin: float | None = None,
        quantity: str = "The share of random circuits that the circuit beats",
        units: str = "random circuits",
    ) -> None:
        """Start without observations."""
        if not 0 < fraction < 1:
            raise ParameterError(
                came=f"The fraction is {fraction!r}.",
                possible="It lies above 0 and below 1: no number of draws shows a rate of 1.",
                write="Write for example fraction=0.9.",
            )
        asked = question(
            quantity, units, alpha, threshold=fraction, direction=direction, margin=margin
        )
        self._proceedings = Proceedings(asked)
        self._sequence = WinSequence(alpha)

    def add(self, wins: ArrayLike) -> None:
        """Take in one batch of wins (true) and others (false); a settled judge ignores it.

        Raises:
            ParameterError: The batch is empty, not one-dimensional, or holds other numbers.
            NumericalError: It holds NaN or an infinity.
        """
        if not self.is_settled:
            self._sequence.add(wins)
            self._proceedings.look(self._sequence)

    @property
    def is_settled(self) -> bool:
        """Whether the verdict is for good: SUPPORTED, REFUTED, or inside the margin."""
        return self._proceedings.settled is not None

    def decision(self) -> Decision:
        """Give the verdict as if no further observation came."""
        asked, sequence = self._proceedings.question, self._sequence
        if self._proceedings.settled is not None:
            return self._proceedings.settled
        interval = sequence.interval
        if interval is not None:

            def excludes(rate: float) -> int | None:
                return expected_wins_stop(sequence.estimate, rate, sequence.alpha)

            return self._proceedings.doubt(interval, sequence, excludes)
        return self._proceedings.without_interval(
            Verdict.INCONCLUSIVE, asked.too_few, f"There are no {asked.units}.", sequence
        )


def _no_interval(sequence: MeanSequence | RatioSequence) -> tuple[Reason, str]:
    """Say why a mean or ratio has no interval."""
    if sequence.n >= MINIMUM_N and not sequence.has_spread:
        sentence = (
            f"All {sequence.n} prompts gave the same number, so that nothing is known about "
            "their spread; are the prompts different?"
        )
        return Reason.NO_SPREAD, sentence
    sentence = f"{sequence.n} prompts are too few: the sequence starts after {MINIMUM_N}."
    return Reason.TOO_FEW_PROMPTS, sentence
