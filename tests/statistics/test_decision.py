import json
import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from causalnet.errors import FormatError
from causalnet.statistics import Decision, Direction, Interval, Reason, TracePoint, Verdict
from causalnet.statistics.decision import verdict_of

FINITE = st.floats(-1e6, 1e6)
DIRECTIONS = st.sampled_from(("at_least", "at_most"))

SUPPORTED = Decision(
    verdict=Verdict.SUPPORTED,
    reason=Reason.SUPPORTED_BY_INTERVAL,
    sentence="Faithfulness is 0.97.",
    estimate=0.97,
    interval=Interval(0.93, 1.01, 0.9, "fieller_mixture_sequence"),
    threshold=0.9,
    direction="at_least",
    alpha=0.05,
    n=80,
    trace=(TracePoint(32, 0.95, 0.8, 1.1), TracePoint(80, 0.97, 0.93, 1.01)),
)


@given(FINITE, FINITE, FINITE, DIRECTIONS)
def test_the_verdict_is_the_interval(
    one: float, other: float, threshold: float, direction: Direction
) -> None:
    interval = Interval(min(one, other), max(one, other), 0.9, "student_t")
    verdict = verdict_of(interval, threshold, direction)
    at_least = {Verdict.SUPPORTED: "above", Verdict.REFUTED: "below"}
    at_most = {Verdict.SUPPORTED: "below", Verdict.REFUTED: "above"}
    side = (at_least if direction == "at_least" else at_most).get(verdict, "astride")
    assert (side == "above") == (threshold < interval.low)
    assert (side == "below") == (threshold > interval.high)
    assert (side == "astride") == (threshold in interval)


@pytest.mark.parametrize(
    "decision",
    [
        SUPPORTED,
        replace(SUPPORTED, verdict=Verdict.UNDEFINED, estimate=math.nan, interval=None, trace=()),
        replace(SUPPORTED, interval=Interval(-math.inf, math.inf, 0.9, "student_t")),
        replace(SUPPORTED, trace=(TracePoint(32, 0.95, -math.inf, math.inf),)),
    ],
    ids=["supported", "undefined", "unbounded", "unbounded at a look"],
)
def test_a_decision_survives_strict_json(decision: Decision) -> None:
    text = json.dumps(decision.to_json(), allow_nan=False)
    assert Decision.from_json(json.loads(text)) == decision


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("verdict", "MAYBE", "SUPPORTED, REFUTED, INCONCLUSIVE, UNDEFINED"),
        ("reason", "because", "supported_by_interval"),
        ("sentence", 3, "a string"),
        ("estimate", "0.9", "a number or null"),
        ("interval", 0.9, "an object or null"),
        ("threshold", None, "a number"),
        ("threshold", True, "a number"),
        ("direction", "above", "at_least or at_most"),
        ("n", 8.5, "a whole number"),
        ("trace", [3], "a list of objects"),
        ("trace", [{"n": 8}], "No field 'estimate'"),
    ],
)
def test_an_altered_decision_is_refused(key: str, value: object, told: str) -> None:
    with pytest.raises(FormatError, match=told):
        Decision.from_json({**SUPPORTED.to_json(), key: value})


def test_only_support_is_taken_back() -> None:
    reason, sentence = Reason.FIND_TEST_OVERLAP, "12 of 64 prompts also found the circuit."
    capped = SUPPORTED.capped(reason, sentence)
    assert (capped.verdict, capped.reason) == (Verdict.INCONCLUSIVE, reason)
    assert capped.interval == SUPPORTED.interval
    assert str(capped) == f"INCONCLUSIVE: {sentence}"
    refuted = replace(SUPPORTED, verdict=Verdict.REFUTED)
    assert refuted.capped(reason, sentence) is refuted


def test_without_behaviour_there_is_no_number() -> None:
    undefined = SUPPORTED.undefined(Reason.BEHAVIOUR_ABSENT, "The model does not do the task.")
    assert undefined.verdict is Verdict.UNDEFINED
    assert math.isnan(undefined.estimate)
    assert undefined.interval is None


def test_a_caveat_is_for_support_alone() -> None:
    assert SUPPORTED.with_caveat("Mind that.").sentence == "Faithfulness is 0.97. Mind that."
    refuted = replace(SUPPORTED, verdict=Verdict.REFUTED)
    assert refuted.with_caveat("Mind that.") == refuted
