"""What a judge says: a verdict with its reason, its interval and the sequence behind it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Literal, TypeVar

from causalnet.errors import FormatError
from causalnet.statistics.interval import Interval
from causalnet.statistics.json_fields import integer, number, optional_number, records, text

__all__ = [
    "Decision",
    "Direction",
    "Reason",
    "TracePoint",
    "Verdict",
    "verdict_of",
    "verdict_within",
]

Direction = Literal["at_least", "at_most", "within"]


class Verdict(StrEnum):
    """The four answers to a claim."""

    SUPPORTED = "SUPPORTED"
    REFUTED = "REFUTED"
    INCONCLUSIVE = "INCONCLUSIVE"
    UNDEFINED = "UNDEFINED"


class Reason(StrEnum):
    """Why a verdict came out, as a code that programs can compare."""

    SUPPORTED_BY_INTERVAL = "supported_by_interval"
    REFUTED_BY_INTERVAL = "refuted_by_interval"
    TOO_FEW_PROMPTS = "too_few_prompts"
    TOO_FEW_CIRCUITS = "too_few_circuits"
    TOO_CLOSE_TO_THRESHOLD = "too_close_to_threshold"
    INSIDE_MARGIN = "inside_the_margin"
    UNDERDETERMINED = "underdetermined"
    CONTROL_NOT_BEATEN = "control_not_beaten"
    NO_SPREAD = "no_spread"
    BEHAVIOUR_ABSENT = "behaviour_absent"
    DENOMINATOR_UNCLEAR = "denominator_unclear"
    FIND_TEST_OVERLAP = "find_test_overlap"
    FINDING_PROMPTS_UNKNOWN = "finding_prompts_unknown"
    BUDGET = "budget"


@dataclass(frozen=True, slots=True)
class TracePoint:
    """The sequence after `n` observations: what the picture draws."""

    n: int
    estimate: float
    low: float
    high: float

    def to_json(self) -> dict[str, object]:
        """Give JSON values; an infinite bound becomes null, which JSON has no number for."""
        numbers = {"estimate": self.estimate, "low": self.low, "high": self.high}
        finite = {name: one if math.isfinite(one) else None for name, one in numbers.items()}
        return {"n": self.n, **finite}

    @staticmethod
    def from_json(record: Mapping[str, object]) -> "TracePoint":
        """Read what `to_json` gave; a bound that is null puts none on that side.

        Raises:
            FormatError: A field is missing or of another type.
        """
        estimate, low, high = (optional_number(record, key) for key in ("estimate", "low", "high"))
        return TracePoint(
            integer(record, "n"),
            math.nan if estimate is None else estimate,
            -math.inf if low is None else low,
            math.inf if high is None else high,
        )


def verdict_of(interval: Interval, threshold: float, direction: Direction) -> Verdict:
    """Compare an interval with a threshold: the one rule by which verdicts are given.

    An end that equals the threshold decides nothing: the claim is then still in doubt.

    >>> verdict_of(Interval(0.91, 1.04, 0.9, "student_t"), 0.9, "at_least")
    <Verdict.SUPPORTED: 'SUPPORTED'>
    >>> verdict_of(Interval(0.91, 1.04, 0.9, "student_t"), 0.9, "at_most")
    <Verdict.REFUTED: 'REFUTED'>
    >>> verdict_of(Interval(0.85, 1.04, 0.9, "student_t"), 0.9, "at_most")
    <Verdict.INCONCLUSIVE: 'INCONCLUSIVE'>
    """
    above, below = interval.low > threshold, interval.high < threshold
    if above:
        return Verdict.SUPPORTED if direction == "at_least" else Verdict.REFUTED
    if below:
        return Verdict.SUPPORTED if direction == "at_most" else Verdict.REFUTED
    return Verdict.INCONCLUSIVE


def verdict_within(interval: Interval, low: float, high: float) -> Verdict:
    """Compare an interval with a band: equivalence by two one-sided tests (Schuirmann 1987).

    The claim is the intersection of "at least `low`" and "at most `high`", so that each of the two
    tests keeps its own error probability, without a correction.

    >>> verdict_within(Interval(0.93, 1.04, 0.9, "student_t"), 0.9, 1.1)
    <Verdict.SUPPORTED: 'SUPPORTED'>
    >>> verdict_within(Interval(1.12, 1.30, 0.9, "student_t"), 0.9, 1.1)
    <Verdict.REFUTED: 'REFUTED'>
    >>> verdict_within(Interval(0.85, 1.04, 0.9, "student_t"), 0.9, 1.1)
    <Verdict.INCONCLUSIVE: 'INCONCLUSIVE'>
    """
    sides = verdict_of(interval, low, "at_least"), verdict_of(interval, high, "at_most")
    if Verdict.REFUTED in sides:
        return Verdict.REFUTED
    return sides[0] if sides[0] is sides[1] else Verdict.INCONCLUSIVE


@dataclass(frozen=True, slots=True)
class Decision:
    """A verdict on "the number is at least (at most, within) its bounds", with its evidence.

    Attributes:
        verdict: One of four.
        reason: The code of why.
        sentence: The same in plain words.
        estimate: The number's estimate; NaN where the number is undefined.
        interval: What the confidence sequence says after `n` observations, at level
            1 - 2 alpha; None where the data do not bound the number.
        threshold: The claimed bound; of a band its lower end.
        direction: ``at_least``, ``at_most`` or ``within``.
        alpha: The probability of a false SUPPORTED, and of a false REFUTED, however often the
            judge was asked: asymptotic for means and ratios, exact for rates and for numbers in a
            declared range.  A band can be falsely refuted on either side, at `alpha` each.
        n: Observations used.
        trace: The sequence at the end of every batch that had an interval; its last point is
            `interval`.
        within: Both ends of the claimed band; None where one bound is claimed.
        margin: The indifference zone on either side of a bound; None without one.
    """

    verdict: Verdict
    reason: Reason
    sentence: str
    estimate: float
    interval: Interval | None
    threshold: float
    direction: Direction
    alpha: float
    n: int
    trace: tuple[TracePoint, ...] = ()
    within: tuple[float, float] | None = None
    margin: float | None = None

    def __str__(self) -> str:
        """Print the verdict and its sentence."""
        return f"{self.verdict}: {self.sentence}"

    def capped(self, reason: Reason, sentence: str) -> "Decision":
        """Take SUPPORTED back to INCONCLUSIVE, for a reason outside the numbers.

        Any other verdict stays: what forbids support, such as prompts that also found the
        circuit, does not weaken a refutation.
        """
        if self.verdict is not Verdict.SUPPORTED:
            return self
        return replace(self, verdict=Verdict.INCONCLUSIVE, reason=reason, sentence=sentence)

    def undefined(self, reason: Reason, sentence: str) -> "Decision":
        """Say that there is nothing to judge, for example because the behaviour is absent."""
        return replace(
            self,
            verdict=Verdict.UNDEFINED,
            reason=reason,
            sentence=sentence,
            estimate=math.nan,
            interval=None,
        )

    def with_caveat(self, caveat: str) -> "Decision":
        """Add a sentence to a SUPPORTED that rests on the author's word; others stay as they are.

        Where a claim is refuted or undecided, there is no support that a reader could overrate.
        """
        if self.verdict is not Verdict.SUPPORTED:
            return self
        return replace(self, sentence=f"{self.sentence} {caveat}")

    def to_json(self) -> dict[str, object]:
        """Give JSON values; an estimate and a bound that are no finite numbers become null.

        The keys ``within`` and ``margin`` are there only where the claim has them.
        """
        band = {} if self.within is None else {"within": list(self.within)}
        margin = {} if self.margin is None else {"margin": self.margin}
        return {
            "verdict": self.verdict.value,
            "reason": self.reason.value,
            "sentence": self.sentence,
            "estimate": self.estimate if math.isfinite(self.estimate) else None,
            "interval": None if self.interval is None else self.interval.to_json(),
            "threshold": self.threshold,
            "direction": self.direction,
            "alpha": self.alpha,
            "n": self.n,
            "trace": [point.to_json() for point in self.trace],
            **band,
            **margin,
        }

    @staticmethod
    def from_json(record: Mapping[str, object]) -> "Decision":
        """Read what `to_json` gave.

        Raises:
            FormatError: A field is missing, of another type, or a code that is not known.
        """
        estimate, interval = optional_number(record, "estimate"), record.get("interval")
        if interval is not None and not isinstance(interval, Mapping):
            raise FormatError(
                came=f"The field 'interval' is {interval!r}.",
                possible="It holds an object or null.",
                write="Read only what to_json wrote, unaltered.",
            )
        return Decision(
            verdict=_code(Verdict, record, "verdict"),
            reason=_code(Reason, record, "reason"),
            sentence=text(record, "sentence"),
            estimate=math.nan if estimate is None else estimate,
            interval=None if interval is None else Interval.from_json(interval),
            threshold=number(record, "threshold"),
            direction=_direction(record),
            alpha=number(record, "alpha"),
            n=integer(record, "n"),
            trace=tuple(map(TracePoint.from_json, records(record, "trace"))),
            within=_within(record),
            margin=optional_number(record, "margin") if "margin" in record else None,
        )


Code = TypeVar("Code", bound=StrEnum)


def _code(codes: type[Code], record: Mapping[str, object], key: str) -> Code:
    value = text(record, key)
    known = {code.value: code for code in codes}
    if value not in known:
        raise FormatError(
            came=f"The field {key!r} is {value!r}.",
            possible=f"It is one of {', '.join(known)}.",
            write="Read it with the version of causalnet that wrote it.",
        )
    return known[value]


def _direction(record: Mapping[str, object]) -> Direction:
    match text(record, "direction"):
        case "at_least":
            return "at_least"
        case "at_most":
            return "at_most"
        case "within":
            return "within"
        case other:
            raise FormatError(
                came=f"The field 'direction' is {other!r}.",
                possible="It is at_least or at_most, or within.",
                write="Read only what to_json wrote, unaltered.",
            )


def _within(record: Mapping[str, object]) -> tuple[float, float] | None:
    """Read the band that direction ``within`` needs and no other has."""
    if record.get("direction") != "within" and record.get("within") is None:
        return None
    ends = record.get("within")
    if not isinstance(ends, list) or len(ends) != 2 or record.get("direction") != "within":
        raise FormatError(
            came=f"The field 'within' is {ends!r} and 'direction' {record.get('direction')!r}.",
            possible="A band has two ends, and its direction is within.",
            write="Read only what to_json wrote, unaltered.",
        )
    low, high = ({"within": end} for end in ends)
    return number(low, "within"), number(high, "within")
