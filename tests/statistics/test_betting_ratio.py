import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from causalnet.errors import ParameterError
from causalnet.statistics import (
    BoundedRatioJudge,
    BoundedRatioSequence,
    Reason,
    Verdict,
)
from causalnet.statistics.betting import log_capitals
from causalnet.statistics.betting_ratio import _ends, _gains

UNIT = (0.0, 1.0)


def asked(
    threshold: float | None = None,
    within: tuple[float, float] | None = None,
    ranges: tuple[float, float] = UNIT,
) -> BoundedRatioJudge:
    return BoundedRatioJudge(threshold, numerators=ranges, denominators=ranges, within=within)


@settings(max_examples=30)
@given(st.floats(0.05, 1), st.floats(0.05, 1), st.floats(0.05, 1), st.floats(0.05, 1))
def test_law_the_mean_capital_is_one_at_the_true_ratio(
    n0: float, d0: float, n1: float, d1: float
) -> None:
    """Enumerated over all samples of two equally likely pairs."""
    ratio = (n0 + n1) / (d0 + d1)
    worst, best = _ends(np.array([ratio]), (0.0, 1.0), (0.0, 1.0))
    mean = np.zeros(2)
    for picks in product(((n0, d0), (n1, d1)), repeat=5):
        d = np.array([[n - ratio * below for n, below in picks]])
        sides = _gains(d, worst), _gains(-d, -best)
        mean += [math.exp(float(log_capitals(gains)[0])) / 2**5 for gains in sides]
    assert mean == pytest.approx([1.0, 1.0], rel=1e-8)


def draw(rng: np.random.Generator, ratio: float, n: int) -> tuple[np.ndarray, np.ndarray]:
    denominators = rng.uniform(0.5, 1.0, size=n)
    return denominators * np.clip(rng.normal(ratio, 0.05, size=n), 0, 1), denominators


@settings(max_examples=25)
@given(st.integers(0, 10**6), st.floats(0.2, 0.95), st.floats(0.2, 1.05))
def test_law_of_one_sequence_for_bounded_ratios(seed: int, ratio: float, threshold: float) -> None:
    rng = np.random.default_rng(seed)
    judge = asked(threshold)
    for _ in range(5):
        judge.add(*draw(rng, ratio, 12))
        decision = judge.decision()
        if decision.interval is None:
            assert decision.verdict is Verdict.UNDEFINED
            continue
        assert decision.interval.low <= decision.estimate <= decision.interval.high
        verdict = {
            (True, False): Verdict.SUPPORTED,
            (False, True): Verdict.REFUTED,
            (False, False): Verdict.INCONCLUSIVE,
        }[decision.interval.low > threshold, decision.interval.high < threshold]
        # A claim that equals an end of the grid is excluded with it.
        if threshold not in (decision.interval.low, decision.interval.high):
            assert decision.verdict is verdict


def test_faithful_and_unfaithful_circuits_are_told_apart() -> None:
    for ratio, verdict in ((0.97, Verdict.SUPPORTED), (0.6, Verdict.REFUTED)):
        rng, judge = np.random.default_rng(0), asked(0.8)
        while not judge.is_settled:
            judge.add(*draw(rng, ratio, 8))
        assert judge.decision().verdict is verdict
        assert judge.decision().n <= 80
        assert judge.decision().interval is not None


def test_errors_at_the_threshold_are_seldom() -> None:
    wrong, runs = 0, 120
    for seed in range(runs):
        rng, judge = np.random.default_rng(seed), asked(0.8)
        for _ in range(5):
            denominators = rng.uniform(0.5, 1.0, size=20)
            judge.add(denominators * (rng.random(20) < 0.8), denominators)
        wrong += judge.decision().verdict is Verdict.SUPPORTED
    assert wrong / runs <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / runs)


def test_equal_pairs_decide_as_well() -> None:
    judge = asked(0.5)
    judge.add([0.8] * 30, [0.9] * 30)
    assert judge.decision().verdict is Verdict.SUPPORTED


def test_a_band_needs_both_ends() -> None:
    rng, judge = np.random.default_rng(0), asked(within=(0.6, 1.0))
    while not judge.is_settled:
        judge.add(*draw(rng, 0.8, 8))
    decision = judge.decision()
    assert (decision.verdict, decision.within) == (Verdict.SUPPORTED, (0.6, 1.0))
    assert decision.interval is not None
    assert 0.6 < decision.interval.low
    assert decision.interval.high < 1.0


def test_without_a_behaviour_it_is_undefined() -> None:
    wide = (-1.0, 1.0)
    rng, judge = np.random.default_rng(0), asked(0.5, ranges=wide)
    judge.add(rng.uniform(-1, 1, 60), rng.uniform(-1, 1, 60))
    decision = judge.decision()
    assert (decision.verdict, decision.reason) == (Verdict.UNDEFINED, Reason.DENOMINATOR_UNCLEAR)
    assert judge.denominator_interval is not None
    few = asked(0.5, ranges=wide)
    few.add(np.full(2, 0.4), np.full(2, 0.5))
    sentence = few.decision().sentence
    needed = int(sentence.split("about ")[1].split()[0])
    assert "would show that it is, if that average holds" in sentence
    few.add(np.full(needed - 2, 0.4), np.full(needed - 2, 0.5))
    assert few.decision().verdict is not Verdict.UNDEFINED
    absent = asked(0.5, ranges=wide)
    absent.add(rng.uniform(-1, 0, 200), rng.uniform(-1, 0, 200))
    assert absent.is_settled
    assert absent.decision().reason is Reason.BEHAVIOUR_ABSENT
    assert asked(0.5).decision().verdict is Verdict.INCONCLUSIVE


def test_clipped_pairs_are_counted_and_said() -> None:
    judge = asked(0.5)
    judge.add([0.8, 1.4, 0.8], [0.9, 0.9, 1.3])
    assert judge.clipped == 2
    assert "2 of 3 lay outside the declared ranges" in judge.decision().sentence


def test_the_number_of_pairs_told_would_decide() -> None:
    pairs = draw(np.random.default_rng(0), 0.9, 16)
    sequence = BoundedRatioSequence((0.0, 1.0), (0.0, 1.0), bounds=(0.8,))
    sequence.add(*pairs)
    needed = sequence.excludes(0.8)
    assert needed is not None
    for _ in range(math.ceil(needed * 1.05 / 16) - 1):
        sequence.add(*pairs)
    assert sequence.interval is not None
    assert sequence.interval.low >= 0.8


def test_a_denominator_that_cannot_be_positive_is_refused() -> None:
    with pytest.raises(ParameterError, match="upper end is above 0"):
        BoundedRatioSequence((0.0, 1.0), (-1.0, 0.0))


def test_a_claim_is_decided_once_its_own_bound_is_excluded() -> None:
    """Not only once the next ratio of a coarse grid is."""
    judge, sequence = asked(0.8), BoundedRatioSequence(UNIT, UNIT, bounds=(0.8,))
    bet = math.nan
    rng = np.random.default_rng(0)
    for n in range(1, 400):
        pair = draw(rng, 0.95, 1)
        judge.add(*pair)
        sequence.add(*pair)
        at = int(np.abs(sequence._grid - 0.8).argmin())
        if math.isnan(bet) and float(log_capitals(sequence._gains[0][at])) >= math.log(20):
            bet = n
        if judge.is_settled:
            break
    assert judge.decision().verdict is Verdict.SUPPORTED
    assert bet <= judge.decision().n <= bet + 2
