"""Claims of equivalence, and margins within which the side does not matter."""

import json
import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from causalnet.errors import FormatError, ParameterError
from causalnet.statistics import (
    BoundedJudge,
    CorrelationJudge,
    Decision,
    Interval,
    MeanJudge,
    RatioJudge,
    Reason,
    Verdict,
    WinJudge,
    verdict_of,
    verdict_within,
)
from causalnet.statistics.sweeps import sweep_ratios
from tests.statistics.test_error_rates import indirect_object

FINITE = st.floats(-1e6, 1e6)


@given(FINITE, FINITE, FINITE, FINITE)
def test_law_a_band_is_two_one_sided_claims(
    one: float, two: float, low: float, high: float
) -> None:
    low, high = min(low, high), max(low, high)
    interval = Interval(min(one, two), max(one, two), 0.9, "student_t")
    sides = verdict_of(interval, low, "at_least"), verdict_of(interval, high, "at_most")
    verdict = verdict_within(interval, low, high)
    assert (verdict is Verdict.SUPPORTED) == (sides == (Verdict.SUPPORTED, Verdict.SUPPORTED))
    assert (verdict is Verdict.REFUTED) == (Verdict.REFUTED in sides)


@settings(max_examples=40)
@given(st.integers(0, 10**6), st.floats(0.5, 1.5), st.floats(0.05, 0.4))
def test_law_the_judge_of_a_band_reads_its_interval(seed: int, truth: float, reach: float) -> None:
    rng = np.random.default_rng(seed)
    judge = RatioJudge(within=(1 - reach, 1 + reach))
    for _ in range(8):
        denominators = rng.normal(4.2, 2.7, size=16)
        judge.add(truth * denominators + rng.normal(size=16), denominators)
        decision = judge.decision()
        assert (decision.direction, decision.within) == ("within", (1 - reach, 1 + reach))
        if decision.interval is None:
            continue
        assert decision.verdict is verdict_within(decision.interval, 1 - reach, 1 + reach)
        assert judge.is_settled == (decision.verdict is not Verdict.INCONCLUSIVE)


@pytest.mark.parametrize(("truth", "side"), [(0.9, "below"), (1.1, "above")])
def test_equivalence_at_the_edge_of_the_band_is_seldom_misjudged(truth: float, side: str) -> None:
    def draw(rng: np.random.Generator, sweeps: int, batch: int) -> np.ndarray:
        pairs = indirect_object(lambda rng, s, b: rng.normal(size=(s, b)))(rng, sweeps, batch)
        pairs[..., 0] += (truth - 0.9) * pairs[..., 1]
        return pairs

    looked = sweep_ratios(draw, np.random.default_rng(0), sweeps=2000, budget=400)
    at_most = 0.05 + 2 * math.sqrt(0.05 * 0.95 / 2000)
    assert looked.rate_inside(0.9, 1.1) <= at_most
    assert looked.rate_outside(0.9, 1.1) <= at_most
    assert (looked.low[-1] > 0.5).mean() > 0.99  # or nothing was tried


def test_a_band_says_which_side_failed_and_what_is_still_open() -> None:
    rng = np.random.default_rng(0)
    refuted = MeanJudge(within=(0.0, 1.0))
    refuted.add(rng.normal(3.0, 1.0, size=64))
    assert "lies above [0, 1]" in refuted.decision().sentence
    assert "within [0, 1] was claimed" in refuted.decision().sentence
    supported = MeanJudge(within=(0.0, 6.0))
    supported.add(rng.normal(3.0, 1.0, size=64))
    assert "lies inside [0, 6]" in supported.decision().sentence
    open_end = MeanJudge(within=(0.0, 3.1))
    open_end.add(rng.normal(3.0, 1.0, size=64))
    decision = open_end.decision()
    assert decision.reason is Reason.TOO_FEW_PROMPTS
    assert "still holds 3.1 after" in decision.sentence


@pytest.mark.parametrize(
    "judge",
    [
        MeanJudge(0.5, margin=0.2),
        BoundedJudge(0.5, margin=0.2),
        WinJudge(0.5, margin=0.2),
        MeanJudge(within=(0.0, 0.5), margin=0.2),
    ],
)
def test_inside_the_margin_the_judge_stops_undecided(
    judge: MeanJudge | BoundedJudge | WinJudge,
) -> None:
    rng = np.random.default_rng(1)
    while not judge.is_settled:
        judge.add((rng.random(16) < 0.5).astype(float))
    decision = judge.decision()
    assert (decision.verdict, decision.reason) == (Verdict.INCONCLUSIVE, Reason.INSIDE_MARGIN)
    assert decision.margin == 0.2
    assert decision.interval is not None
    assert 0.3 <= decision.interval.low <= decision.interval.high <= 0.7
    assert "within 0.2 of 0.5" in decision.sentence
    judge.add([1.0] * 999)
    assert judge.decision() is decision


def test_a_margin_makes_doubt_shorter_and_takes_no_verdict_away() -> None:
    values = np.random.default_rng(0).normal(0.02, 1.0, size=64)
    with_margin, without = MeanJudge(0.0, margin=0.5), MeanJudge(0.0)
    for judge in (with_margin, without):
        judge.add(values)
    needed = [
        int(judge.decision().sentence.split("about ")[1].split()[0])
        for judge in (with_margin,)
        if not judge.is_settled
    ]
    assert all(count < 1000 for count in needed)
    clear = MeanJudge(0.0, margin=5.0)
    clear.add(np.random.default_rng(0).normal(3.0, 1.0, size=64))
    assert clear.decision().verdict is Verdict.SUPPORTED


def test_a_decision_on_a_band_survives_strict_json() -> None:
    judge = MeanJudge(within=(0.0, 6.0), margin=0.1)
    judge.add(np.random.default_rng(0).normal(3.0, 1.0, size=64))
    decision = judge.decision()
    record = json.loads(json.dumps(decision.to_json(), allow_nan=False))
    assert Decision.from_json(record) == decision
    plain = MeanJudge(0.0)
    plain.add(np.random.default_rng(0).normal(3.0, 1.0, size=64))
    assert not {"within", "margin"} & set(plain.decision().to_json())


@pytest.mark.parametrize(
    "changed",
    [{"within": None}, {"within": [1.0]}, {"within": [0.0, "x"]}, {"direction": "at_least"}],
)
def test_an_altered_band_is_refused(changed: dict[str, object]) -> None:
    judge = MeanJudge(within=(0.0, 6.0))
    judge.add(np.random.default_rng(0).normal(3.0, 1.0, size=64))
    with pytest.raises(FormatError, match="within"):
        Decision.from_json({**judge.decision().to_json(), **changed})


@pytest.mark.parametrize(
    ("ask", "told"),
    [
        (lambda: MeanJudge(), "one bound"),
        (lambda: MeanJudge(0.5, "within"), "and no band"),
        (lambda: MeanJudge(0.5, within=(0.0, 1.0)), "one bound or a band"),
        (lambda: RatioJudge(within=(1.0, 1.0)), "lower one first"),
        (lambda: BoundedJudge(within=(0.0, math.inf)), "two finite ends"),
        (lambda: CorrelationJudge(0.5, margin=0.0), "above 0"),
    ],
)
def test_unclear_questions_are_refused(ask: Callable[[], object], told: str) -> None:
    with pytest.raises(ParameterError, match=told):
        ask()
