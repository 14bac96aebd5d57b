import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from causalnet.errors import CausalNetError, NumericalError, ParameterError
from causalnet.statistics import (
    Decision,
    Direction,
    MeanJudge,
    MeanSequence,
    RatioJudge,
    RatioSequence,
    Reason,
    Verdict,
    WinJudge,
)
from causalnet.statistics.decision import verdict_of

DIRECTIONS = st.sampled_from(("at_least", "at_most"))
BATCHES = st.lists(st.integers(1, 40), min_size=1, max_size=12)


def expect_one_sequence(decision: Decision) -> None:
    """Verdict, printed interval and trace cannot contradict each other."""
    settled = decision.verdict in (Verdict.SUPPORTED, Verdict.REFUTED)
    if decision.interval is None:
        assert not settled
        return
    assert decision.interval.level == pytest.approx(1 - 2 * decision.alpha)
    assert decision.verdict is verdict_of(decision.interval, decision.threshold, decision.direction)
    last = decision.trace[-1]
    assert (last.n, last.estimate) == (decision.n, decision.estimate)
    assert (last.low, last.high) == (decision.interval.low, decision.interval.high)
    assert last.low <= last.estimate <= last.high
    for point in decision.trace[:-1]:
        assert point.low <= decision.threshold <= point.high
    assert [point.n for point in decision.trace] == sorted({p.n for p in decision.trace})


@settings(max_examples=60)
@given(st.integers(0, 10**6), BATCHES, st.floats(-1, 1), DIRECTIONS, st.floats(0.01, 0.4))
def test_law_of_one_sequence_for_means(
    seed: int, batches: list[int], threshold: float, direction: Direction, alpha: float
) -> None:
    rng = np.random.default_rng(seed)
    judge, sequence = MeanJudge(threshold, direction, alpha), MeanSequence(alpha)
    for size in batches:
        values = rng.standard_t(4, size=size)
        before = judge.decision() if judge.is_settled else None
        judge.add(values)
        if before is None:
            sequence.add(values)
        else:
            assert judge.decision() is before
        expect_one_sequence(judge.decision())
        assert judge.decision().interval == sequence.interval


@settings(max_examples=60)
@given(
    st.integers(0, 10**6),
    BATCHES,
    st.floats(-0.5, 1.5),
    DIRECTIONS,
    st.floats(-0.5, 3.0),
    st.floats(0, 2),
)
def test_law_of_one_sequence_for_ratios(
    seed: int,
    batches: list[int],
    threshold: float,
    direction: Direction,
    behaviour: float,
    noise: float,
) -> None:
    rng = np.random.default_rng(seed)
    judge, sequence = RatioJudge(threshold, direction), RatioSequence()
    for size in batches:
        denominators = rng.normal(behaviour, 1.0, size=size)
        numerators = 0.7 * denominators + noise * rng.normal(size=size)
        before = judge.decision() if judge.is_settled else None
        judge.add(numerators, denominators)
        if before is None:
            sequence.add(numerators, denominators)
        else:
            assert judge.decision() is before
        decision = judge.decision()
        expect_one_sequence(decision)
        if decision.verdict is Verdict.UNDEFINED:
            assert math.isnan(decision.estimate)
        elif decision.interval is not None:
            assert decision.interval == sequence.interval


@settings(max_examples=60)
@given(st.integers(0, 10**6), BATCHES, st.floats(0.05, 0.95), DIRECTIONS, st.floats(0, 1))
def test_law_of_one_sequence_for_wins(
    seed: int, batches: list[int], fraction: float, direction: Direction, rate: float
) -> None:
    rng = np.random.default_rng(seed)
    judge = WinJudge(fraction, direction=direction)
    for size in batches:
        before = judge.decision() if judge.is_settled else None
        judge.add(rng.random(size) < rate)
        assert before is None or judge.decision() is before
        expect_one_sequence(judge.decision())


@given(st.integers(0, 10**6), st.floats(-1, 1))
def test_directions_mirror_each_other(seed: int, mean: float) -> None:
    values = np.random.default_rng(seed).normal(mean, 1.0, size=120)
    decisions: list[Decision] = []
    for sign, direction in ((1, "at_least"), (1, "at_most"), (-1, "at_most")):
        judge = MeanJudge(0.0, "at_least" if direction == "at_least" else "at_most")
        judge.add(sign * values)
        decisions.append(judge.decision())
    swapped = {Verdict.SUPPORTED: Verdict.REFUTED, Verdict.REFUTED: Verdict.SUPPORTED}
    assert decisions[1].verdict is swapped.get(decisions[0].verdict, Verdict.INCONCLUSIVE)
    assert decisions[2].verdict is decisions[0].verdict


def pairs(faithfulness: float, n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    denominators = rng.normal(4.2, 2.7, size=n)
    return faithfulness * denominators + rng.normal(size=n), denominators


def judged(judge: RatioJudge, numerators: np.ndarray, denominators: np.ndarray) -> Decision:
    for start in range(0, len(numerators), 8):
        judge.add(numerators[start : start + 8], denominators[start : start + 8])
    return judge.decision()


def test_a_faithful_circuit_is_supported_before_the_prompts_run_out() -> None:
    decision = judged(RatioJudge(0.9), *pairs(1.0, 400))
    assert (decision.verdict, decision.reason) == (
        Verdict.SUPPORTED,
        Reason.SUPPORTED_BY_INTERVAL,
    )
    assert decision.n < 200
    assert "lies above 0.9" in decision.sentence
    assert decision.sentence.endswith("as claimed.")


def test_an_unfaithful_circuit_is_refuted() -> None:
    decision = judged(RatioJudge(0.9), *pairs(0.6, 400))
    assert (decision.verdict, decision.reason) == (Verdict.REFUTED, Reason.REFUTED_BY_INTERVAL)
    assert "lies below 0.9" in decision.sentence
    assert "at least 0.9 was claimed" in decision.sentence


def test_doubt_says_how_many_prompts_would_do_and_they_do() -> None:
    block = np.stack(pairs(0.95, 64))
    decision = judged(RatioJudge(0.9), *block)
    assert (decision.verdict, decision.reason) == (Verdict.INCONCLUSIVE, Reason.TOO_FEW_PROMPTS)
    needed = int(decision.sentence.split("about ")[1].split()[0])
    assert 64 < needed < 640
    more = judged(RatioJudge(0.9), *np.tile(block, 10))
    assert more.verdict is Verdict.SUPPORTED
    assert more.n == pytest.approx(needed, rel=0.15)


def test_an_estimate_on_the_threshold_is_said_to_be() -> None:
    values = np.tile([1.0, -1.0], 50)
    judge = MeanJudge(0.0)
    judge.add(values)
    assert judge.decision().reason is Reason.TOO_CLOSE_TO_THRESHOLD


def test_few_prompts_decide_nothing() -> None:
    decision = judged(RatioJudge(0.9), *pairs(3.0, 24))
    assert (decision.verdict, decision.reason) == (Verdict.INCONCLUSIVE, Reason.TOO_FEW_PROMPTS)
    assert decision.interval is None
    assert "24 prompts are too few" in decision.sentence
    assert decision.estimate == pytest.approx(3.0, abs=0.3)


@pytest.mark.parametrize("judge", [MeanJudge(0.0), RatioJudge(0.9), WinJudge(0.9)])
def test_without_observations_nothing_is_decided(judge: MeanJudge | RatioJudge | WinJudge) -> None:
    decision = judge.decision()
    assert decision.verdict is Verdict.INCONCLUSIVE
    assert decision.n == 0
    assert math.isnan(decision.estimate)


def test_a_behaviour_around_nought_is_undefined() -> None:
    rng = np.random.default_rng(0)
    judge = RatioJudge(0.9)
    decision = judged(judge, rng.normal(size=200), rng.normal(size=200))
    assert (decision.verdict, decision.reason) == (Verdict.UNDEFINED, Reason.DENOMINATOR_UNCLEAR)
    assert not judge.is_settled
    assert decision.interval is None
    assert "not clearly above 0" in decision.sentence
    assert judge.denominator_interval is not None
    assert 0.0 in judge.denominator_interval
    assert judge.denominator_interval.level == pytest.approx(0.99)


def test_a_behaviour_below_nought_is_absent_for_good() -> None:
    numerators, denominators = pairs(1.0, 400)
    judge = RatioJudge(0.9)
    decision = judged(judge, -numerators, -denominators)
    assert (decision.verdict, decision.reason) == (Verdict.UNDEFINED, Reason.BEHAVIOUR_ABSENT)
    assert judge.is_settled
    assert decision.n < 100
    judge.add(numerators, denominators)
    assert judge.decision() is decision


def test_an_ablation_that_changes_nothing_leaves_no_behaviour() -> None:
    judge = RatioJudge(0.9)
    judge.add(np.zeros(40), np.zeros(40))
    decision = judge.decision()
    assert (decision.verdict, decision.reason) == (Verdict.UNDEFINED, Reason.BEHAVIOUR_ABSENT)
    assert judge.is_settled


def test_a_circuit_that_equals_the_model_on_every_prompt_is_faithful() -> None:
    _, denominators = pairs(1.0, 200)
    decision = judged(RatioJudge(0.9), denominators, denominators)
    assert (decision.verdict, decision.n) == (Verdict.SUPPORTED, 32)
    assert decision.interval is not None
    assert decision.interval.width < 1e-6
    exactly = judged(RatioJudge(1.0), denominators, denominators)
    assert exactly.verdict is Verdict.INCONCLUSIVE
    assert exactly.reason is Reason.TOO_CLOSE_TO_THRESHOLD


@given(st.integers(0, 10**6), st.floats(0.05, 2.0), DIRECTIONS)
def test_rounding_decides_nothing(seed: int, factor: float, direction: Direction) -> None:
    _, denominators = pairs(1.0, 64, seed)
    decision = judged(RatioJudge(factor, direction), factor * denominators, denominators)
    assert decision.verdict is Verdict.INCONCLUSIVE


@pytest.mark.parametrize("value", [5.0, 0.1])
def test_equal_numbers_decide_nothing(value: float) -> None:
    mean, ratio = MeanJudge(0.0), RatioJudge(0.9)
    for _ in range(6):
        mean.add([value] * 7)
        ratio.add([value] * 7, [value] * 7)
    for decision in (mean.decision(), ratio.decision()):
        assert (decision.verdict, decision.reason) == (Verdict.INCONCLUSIVE, Reason.NO_SPREAD)
        assert decision.interval is None
        assert "All 42 prompts gave the same number" in decision.sentence


def test_equal_denominators_show_their_sign() -> None:
    rng = np.random.default_rng(0)
    judge = RatioJudge(0.5)
    judge.add(rng.normal(1.0, 0.3, size=80), np.ones(80))
    sequence = MeanSequence()
    sequence.add(rng.normal(1.0, 0.3, size=80))
    assert judge.decision().verdict is Verdict.SUPPORTED


def test_a_ratio_with_denominator_one_is_a_mean() -> None:
    values = np.random.default_rng(0).exponential(size=64)
    ratio, mean = RatioSequence(), MeanSequence()
    ratio.add(values, np.ones(64))
    mean.add(values)
    assert ratio.interval is not None
    assert mean.interval is not None
    assert ratio.interval.low == pytest.approx(mean.interval.low, rel=1e-9)
    assert ratio.interval.high == pytest.approx(mean.interval.high, rel=1e-9)


@given(st.integers(0, 10**6), st.floats(0.01, 100))
def test_the_ratio_has_no_unit(seed: int, scale: float) -> None:
    numerators, denominators = pairs(0.9, 80, seed)
    one, other = RatioSequence(), RatioSequence()
    one.add(numerators, denominators)
    other.add(scale * numerators, scale * denominators)
    assert one.interval is not None
    assert other.interval is not None
    assert other.interval.low == pytest.approx(one.interval.low, rel=1e-9)
    assert other.interval.high == pytest.approx(one.interval.high, rel=1e-9)


def test_wins_are_counted_in_circuits() -> None:
    judge = WinJudge(0.9)
    judge.add([True] * 20)
    decision = judge.decision()
    assert decision.reason is Reason.TOO_FEW_CIRCUITS
    assert "about 36 would decide" in decision.sentence
    judge.add([True] * 16)
    assert judge.decision().verdict is Verdict.SUPPORTED
    losing = WinJudge(0.9)
    losing.add([False] * 16)
    assert losing.decision().verdict is Verdict.REFUTED
    assert WinJudge(0.9, units="prompts").decision().reason is Reason.TOO_FEW_PROMPTS


@pytest.mark.parametrize(
    ("call", "error", "told"),
    [
        (lambda: MeanJudge(0.0, alpha=0.0), ParameterError, "alpha is 0.0"),
        (lambda: MeanJudge(0.0, alpha=0.5), ParameterError, "alpha=0.05"),
        (lambda: MeanJudge(math.nan), ParameterError, "threshold is nan"),
        (lambda: MeanJudge(0.0, expected_n=0), ParameterError, "expected_n is 0"),
        (lambda: RatioJudge(0.9, gate_alpha=1.0), ParameterError, "gate_alpha is 1.0"),
        (lambda: WinJudge(1.0), ParameterError, "fraction is 1.0"),
        (lambda: MeanJudge(0.0).add([]), ParameterError, "at least one number"),
        (lambda: MeanJudge(0.0).add([math.nan]), NumericalError, "Number 0 of the values is nan"),
        (lambda: RatioJudge(0.9).add([1.0], []), ParameterError, "denominators"),
        (lambda: RatioJudge(0.9).add([math.inf], [1.0]), NumericalError, "numerators is inf"),
        (lambda: RatioJudge(0.9).add([1.0, 2.0], [1.0]), ParameterError, "2 numerators and 1"),
    ],
)
def test_bad_questions_and_bad_batches_are_refused(
    call: Callable[[], object], error: type[CausalNetError], told: str
) -> None:
    with pytest.raises(error, match=told):
        call()


def test_a_refused_batch_leaves_no_trace() -> None:
    judge = RatioJudge(0.9)
    numerators, denominators = pairs(0.95, 40)
    judge.add(numerators, denominators)
    before = judge.decision()
    with pytest.raises(NumericalError):
        judge.add([1.0, math.nan], [1.0, 1.0])
    with pytest.raises(NumericalError):
        judge.add([1.0, 1.0], [1.0, math.nan])
    assert judge.decision() == before


def test_an_unknown_direction_is_refused() -> None:
    with pytest.raises(ParameterError, match="at_least, at_most"):
        MeanJudge(0.0, "above")  # type: ignore[arg-type]  # what a claim file could hold
