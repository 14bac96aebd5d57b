import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from causalnet.errors import CausalNetError, NumericalError, ParameterError
from causalnet.statistics import (
    BoundedJudge,
    BoundedSequence,
    Reason,
    Verdict,
    WinSequence,
    needed_bounded_prompts,
)
from causalnet.statistics.betting import log_capitals, log_gains
from causalnet.statistics.decision import verdict_of
from causalnet.statistics.samples import Array
from causalnet.statistics.sweeps import Draw, sweep_bounded

UNIT = st.floats(0, 1)
SAMPLES = st.lists(UNIT, min_size=1, max_size=60)


@settings(max_examples=40)
@given(UNIT, UNIT, st.floats(0.01, 0.99), st.integers(1, 7))
def test_law_the_mean_capital_is_one_under_the_null(
    one: float, other: float, share: float, n: int
) -> None:
    """Enumerated over all samples of two values whose mean is the null: no simulation."""
    null = share * one + (1 - share) * other
    if not 1e-3 < null < 1 - 1e-3:
        return
    mean = 0.0
    for picks in product((one, other), repeat=n):
        probability = math.prod(share if pick == one else 1 - share for pick in picks)
        capital = math.exp(float(log_capitals(log_gains(np.array(picks), null))))
        mean += probability * capital if one != other else capital / 2**n
    assert mean == pytest.approx(1.0, rel=1e-9)


@given(SAMPLES, UNIT, UNIT)
def test_law_the_capital_falls_with_the_null(values: list[float], one: float, other: float) -> None:
    low, high = sorted((one, other))
    capitals = log_capitals(log_gains(np.array([values, values]), np.array([low, high])))
    assert capitals[0] >= capitals[1] - 1e-9


@settings(max_examples=40)
@given(SAMPLES, st.integers(1, 59), st.floats(-5, 5), st.floats(0.1, 10))
def test_law_neither_order_nor_batches_nor_units_matter(
    values: list[float], cut: int, offset: float, scale: float
) -> None:
    one = BoundedSequence()
    one.add(values)
    other = BoundedSequence(low=offset, high=offset + scale)
    moved = offset + scale * np.array(values[::-1])
    for part in (moved[:cut], moved[cut:]):
        if part.size:
            other.add(part)
    assert one.interval is not None
    assert other.interval is not None
    assert other.clipped <= len(values)  # rounding at the ends of the range
    assert (other.interval.low - offset) / scale == pytest.approx(one.interval.low, abs=1e-6)
    assert (other.interval.high - offset) / scale == pytest.approx(one.interval.high, abs=1e-6)


@settings(max_examples=40)
@given(SAMPLES)
def test_law_both_ends_mirror_each_other(values: list[float]) -> None:
    one, other = BoundedSequence(), BoundedSequence()
    one.add(values)
    other.add(1 - np.array(values))
    assert one.interval is not None
    assert other.interval is not None
    assert one.interval.low == pytest.approx(1 - other.interval.high, abs=1e-6)
    assert 0 <= one.interval.low <= one.estimate <= one.interval.high <= 1


@settings(max_examples=60)
@given(SAMPLES, st.floats(0.01, 0.99))
def test_law_the_interval_holds_what_the_bets_do_not_exclude(
    values: list[float], null: float
) -> None:
    sequence = BoundedSequence()
    sequence.add(values)
    assert sequence.interval is not None
    excluded = sequence.log_evidence(null) >= -math.log(0.05)
    if abs(null - sequence.interval.low) > 1e-6:
        assert excluded == (null < sequence.interval.low)


def test_on_rates_it_is_close_to_the_win_sequence() -> None:
    rng = np.random.default_rng(0)
    for rate in (0.5, 0.9):
        wins = (rng.random(150) < rate).astype(float)
        bets, exact = BoundedSequence(), WinSequence()
        bets.add(wins)
        exact.add(wins)
        assert bets.interval is not None
        assert exact.interval is not None
        assert bets.interval.low == pytest.approx(exact.interval.low, abs=0.03)
        assert bets.interval.high == pytest.approx(exact.interval.high, abs=0.03)


NULLS: dict[str, Draw] = {
    "right or wrong": lambda rng, sweeps, n: (rng.random((sweeps, n)) < 0.9).astype(np.float64),
    "beta": lambda rng, sweeps, n: rng.beta(9.1, 9.1 / 9, size=(sweeps, n)),
    "1 in 20 fails": lambda rng, sweeps, n: np.where(
        rng.random((sweeps, n)) < 0.05, 0.0, 0.9 / 0.95
    ),
}


@pytest.mark.parametrize("null", NULLS)
def test_a_bounded_mean_at_the_threshold_is_seldom_misjudged(null: str) -> None:
    above, below = sweep_bounded(
        NULLS[null], np.random.default_rng(0), null=0.9, sweeps=2000, budget=200
    )
    at_most = 0.05 + 2 * math.sqrt(0.05 * 0.95 / 2000)
    assert np.isfinite(above).mean() <= at_most
    assert np.isfinite(below).mean() <= at_most


def test_a_small_circuit_is_certified_in_half_the_published_prompts() -> None:
    """Scores of mean 0.964 and the spread of `bench/completeness_prompts.py`."""

    def scores(rng: np.random.Generator, sweeps: int, n: int) -> Array:
        size = 0.9641 * 0.0359 / 0.052**2 - 1
        return rng.beta(0.9641 * size, 0.0359 * size, size=(sweeps, n))

    above, _ = sweep_bounded(
        scores, np.random.default_rng(0), null=0.9, sweeps=500, budget=120, batch=1
    )
    assert np.median(above) <= 55
    assert np.quantile(above, 0.9) <= 70


def test_judges_say_what_the_sweeps_say() -> None:
    batches: list[Array] = []

    def recorded(rng: np.random.Generator, sweeps: int, n: int) -> Array:
        batches.append(rng.beta(9.5, 0.5, size=(sweeps, n)))
        return batches[-1]

    above, below = sweep_bounded(
        recorded, np.random.default_rng(0), null=0.9, sweeps=20, budget=200
    )
    for sweep in range(20):
        judge = BoundedJudge(0.9)
        for batch in batches:
            judge.add(batch[sweep])
        stop = min(above[sweep], below[sweep])
        assert (judge.decision().n == stop) if judge.is_settled else math.isinf(stop)


def test_equal_numbers_decide_once_there_are_enough() -> None:
    for mean, threshold in ((1.0, 0.9), (0.964, 0.9), (0.2, 0.9), (0.5, 0.45)):
        needed = needed_bounded_prompts(mean, threshold)
        assert needed is not None
        judge = BoundedJudge(threshold)
        for _ in range(needed - 1):
            judge.add([mean])
        assert not judge.is_settled
        told = judge.decision().sentence
        assert judge.decision().reason is Reason.TOO_FEW_PROMPTS
        assert "would decide" in told
        judge.add([mean])
        supported = Verdict.SUPPORTED if mean > threshold else Verdict.REFUTED
        assert judge.decision().verdict is supported
        assert judge.decision().n == needed


def test_the_number_of_prompts_told_is_the_number_needed() -> None:
    block = np.random.default_rng(0).beta(9.4, 0.6, size=32)
    sequence = BoundedSequence()
    sequence.add(block)
    needed = sequence.excludes(0.9)
    assert needed is not None
    judge = BoundedJudge(0.9)
    for _ in range(100):
        judge.add(block)
    assert judge.decision().verdict is Verdict.SUPPORTED
    assert needed - 32 <= judge.decision().n - 32 <= needed


def test_numbers_outside_the_range_are_clipped_counted_and_said() -> None:
    judge = BoundedJudge(0.5, low=0.0, high=1.0)
    judge.add([1.5, 0.9, -0.2, 1.0])
    assert judge.clipped == 2
    assert judge.decision().estimate == pytest.approx((1 + 0.9 + 0 + 1) / 4)
    assert "2 of 4 lay outside [0, 1] and were clipped" in judge.decision().sentence
    while not judge.is_settled:
        judge.add([1.5, 0.9])
    settled = judge.decision()
    assert "were clipped" in settled.sentence
    judge.add([7.0])
    assert judge.decision() is settled
    clean = BoundedJudge(0.5)
    clean.add([0.9])
    assert "clipped" not in clean.decision().sentence


@given(st.integers(0, 10**6), st.floats(0.1, 0.9), st.sampled_from(("at_least", "at_most")))
@settings(max_examples=40)
def test_law_of_one_sequence_for_bounded_means(seed: int, threshold: float, direction: str) -> None:
    rng = np.random.default_rng(seed)
    judge = BoundedJudge(threshold, "at_most" if direction == "at_most" else "at_least")
    for _ in range(6):
        judge.add(rng.random(9) ** 2)
        decision = judge.decision()
        assert decision.interval is not None
        assert decision.verdict is verdict_of(
            decision.interval, decision.threshold, decision.direction
        )
        assert decision.trace[-1].low == decision.interval.low
        assert [point.n for point in decision.trace] == sorted({p.n for p in decision.trace})


def test_without_observations_nothing_is_decided() -> None:
    decision = BoundedJudge(0.9).decision()
    assert (decision.verdict, decision.n) == (Verdict.INCONCLUSIVE, 0)
    assert math.isnan(decision.estimate)
    assert BoundedSequence().excludes(0.5) is None


@pytest.mark.parametrize(
    ("call", "error", "told"),
    [
        (lambda: BoundedSequence(low=1.0, high=1.0), ParameterError, "the lower one first"),
        (lambda: BoundedSequence(high=math.inf), ParameterError, "two finite ends"),
        (lambda: BoundedSequence(alpha=0.7), ParameterError, "alpha is 0.7"),
        (lambda: BoundedJudge(0.9).add([math.nan]), NumericalError, "Number 0"),
        (lambda: BoundedJudge(0.9).add([]), ParameterError, "at least one number"),
    ],
)
def test_bad_ranges_and_batches_are_refused(
    call: object, error: type[CausalNetError], told: str
) -> None:
    assert callable(call)
    with pytest.raises(error, match=told):
        call()
