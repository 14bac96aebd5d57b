"""The verdicts err as seldom as they say, looked at after every batch of 8 prompts up to 200."""

import math
from collections.abc import Mapping

import numpy as np
import pytest

from causalnet.errors import ParameterError
from causalnet.statistics import MeanJudge, RatioJudge, Verdict
from causalnet.statistics.samples import Array
from causalnet.statistics.sweeps import Draw, Sweeps, sweep_means, sweep_ratios

SWEEPS, BUDGET, ALPHA, THRESHOLD = 2000, 200, 0.05, 0.9
AT_MOST = ALPHA + 2 * math.sqrt(ALPHA * (1 - ALPHA) / SWEEPS)
COVERAGE = 1 - 2 * ALPHA - 0.01

# Each has mean 0.
NULLS: Mapping[str, Draw] = {
    "Gaussian": lambda rng, sweeps, batch: rng.normal(size=(sweeps, batch)),
    "heavy tails, t4": lambda rng, sweeps, batch: rng.standard_t(4, size=(sweeps, batch)),
    "heavy tails, t3": lambda rng, sweeps, batch: rng.standard_t(3, size=(sweeps, batch)),
    "skewed right": lambda rng, sweeps, batch: rng.exponential(size=(sweeps, batch)) - 1,
    "skewed left": lambda rng, sweeps, batch: 1 - rng.exponential(size=(sweeps, batch)),
    "very skewed": lambda rng, sweeps, batch: rng.gamma(0.5, size=(sweeps, batch)) - 0.5,
    "two values": lambda rng, sweeps, batch: (
        rng.binomial(1, 0.3, (sweeps, batch)) - np.float64(0.3)
    ),
}


def skewed_denominators(rng: np.random.Generator, sweeps: int, batch: int) -> Array:
    denominators = rng.gamma(2.0, 2.1, size=(sweeps, batch))
    return _pairs(denominators, rng.normal(size=(sweeps, batch)))


def noise_grows_with_the_denominator(rng: np.random.Generator, sweeps: int, batch: int) -> Array:
    denominators = rng.normal(4.2, 2.7, size=(sweeps, batch))
    return _pairs(denominators, 0.3 * denominators * rng.normal(size=(sweeps, batch)))


def indirect_object(noise: Draw) -> Draw:
    """Moments of SmolLM2's indirect-object logit differences, and a circuit that follows them."""

    def draw(rng: np.random.Generator, sweeps: int, batch: int) -> Array:
        denominators = rng.normal(4.2, 2.7, size=(sweeps, batch))
        return _pairs(denominators, 1.3 * noise(rng, sweeps, batch))

    return draw


def _pairs(denominators: Array, noise: Array) -> Array:
    return np.stack([THRESHOLD * denominators + noise, denominators], axis=-1)


RATIO_NULLS: Mapping[str, Draw] = {
    **{f"indirect object, {name}": indirect_object(noise) for name, noise in NULLS.items()},
    "skewed denominators": skewed_denominators,
    "noise grows": noise_grows_with_the_denominator,
}


def expect_few_errors(looked: Sweeps, truth: float) -> None:
    assert looked.rate_above(truth) <= AT_MOST
    assert looked.rate_below(truth) <= AT_MOST
    assert looked.coverage(truth) >= COVERAGE
    assert looked.coverage_when_stopped(truth, truth) >= COVERAGE


@pytest.mark.parametrize("null", NULLS)
def test_a_mean_at_the_threshold_is_seldom_misjudged(null: str) -> None:
    rng = np.random.default_rng(0)
    expect_few_errors(sweep_means(NULLS[null], rng, sweeps=SWEEPS, budget=BUDGET), 0.0)


@pytest.mark.parametrize("null", RATIO_NULLS)
def test_faithfulness_at_the_threshold_is_seldom_misjudged(null: str) -> None:
    rng = np.random.default_rng(0)
    looked = sweep_ratios(RATIO_NULLS[null], rng, sweeps=SWEEPS, budget=BUDGET)
    assert np.isfinite(looked.low[-1]).all()
    expect_few_errors(looked, THRESHOLD)


def test_coverage_holds_when_the_truth_is_not_the_threshold() -> None:
    def draw(rng: np.random.Generator, sweeps: int, batch: int) -> Array:
        denominators = rng.normal(4.2, 2.7, size=(sweeps, batch))
        return np.stack([denominators + rng.normal(0, 1.3, denominators.shape), denominators], -1)

    looked = sweep_ratios(draw, np.random.default_rng(0), sweeps=SWEEPS, budget=BUDGET)
    assert looked.coverage_when_stopped(1.0, THRESHOLD) >= COVERAGE
    assert looked.rate_above(THRESHOLD) > 0.9
    assert 64 <= float(np.median(looked.stopping_n(THRESHOLD))) <= 104


def test_a_test_at_every_look_would_err_four_times_as_often() -> None:
    """The comparison that the sequences are for: otherwise a plain t interval would do."""
    from scipy.special import stdtrit

    d = np.random.default_rng(0).normal(size=(SWEEPS, BUDGET))
    ever = np.zeros(SWEEPS, dtype=bool)
    for n in range(8, BUDGET + 1, 8):
        t = d[:, :n].mean(axis=1) / (d[:, :n].std(axis=1, ddof=1) / math.sqrt(n))
        ever |= t > stdtrit(n - 1, 1 - ALPHA)
    assert ever.mean() > 4 * ALPHA


@pytest.mark.parametrize("scale", [1.0, 0.0])
def test_without_a_behaviour_the_gate_seldom_opens(scale: float) -> None:
    def draw(rng: np.random.Generator, sweeps: int, batch: int) -> Array:
        denominators = rng.normal(size=(sweeps, batch))
        return np.stack([scale * rng.normal(size=(sweeps, batch)) + 1, denominators], axis=-1)

    looked = sweep_ratios(draw, np.random.default_rng(0), sweeps=SWEEPS, budget=BUDGET)
    opened = np.isfinite(looked.low).any(axis=0).mean()
    assert opened <= 0.005 + 2 * math.sqrt(0.005 * 0.995 / SWEEPS)


def test_judges_say_what_the_sweeps_say() -> None:
    sweeps, batches = 60, []

    def recorded(rng: np.random.Generator, sweeps: int, batch: int) -> Array:
        # A weak behaviour, so that the gate opens at some look or never.
        denominators = rng.normal(0.4, 1.0, size=(sweeps, batch))
        noise = rng.normal(size=(sweeps, batch))
        batches.append(np.stack([1.4 * denominators + noise, denominators], axis=-1))
        return batches[-1]

    looked = sweep_ratios(recorded, np.random.default_rng(0), sweeps=sweeps, budget=BUDGET)
    verdicts = set()
    for sweep in range(sweeps):
        judge = RatioJudge(THRESHOLD)
        for look, batch in enumerate(batches):
            judge.add(batch[sweep, :, 0], batch[sweep, :, 1])
            decision = judge.decision()
            low, high = looked.low[look, sweep], looked.high[look, sweep]
            if decision.interval is None:
                assert math.isnan(low)
            else:
                ends = (decision.interval.low, decision.interval.high)
                assert ends == pytest.approx((low, high), rel=1e-9)
            if judge.is_settled:
                break
        stop = looked.stopping_n(THRESHOLD)[sweep]
        assert (decision.n == stop) if judge.is_settled else math.isinf(stop)
        verdicts.add(decision.verdict)
    assert verdicts == {Verdict.SUPPORTED, Verdict.INCONCLUSIVE, Verdict.UNDEFINED}


def test_mean_judges_say_what_the_sweeps_say() -> None:
    batches: list[Array] = []

    def recorded(rng: np.random.Generator, sweeps: int, batch: int) -> Array:
        batches.append(rng.exponential(size=(sweeps, batch)) - 0.7)
        return batches[-1]

    looked = sweep_means(recorded, np.random.default_rng(0), sweeps=30, budget=BUDGET)
    for sweep in range(30):
        judge = MeanJudge(0.0)
        for batch in batches:
            judge.add(batch[sweep])
        stop = looked.stopping_n(0.0)[sweep]
        assert (judge.decision().n == stop) if judge.is_settled else math.isinf(stop)


def test_a_sweep_needs_a_batch_within_the_budget() -> None:
    with pytest.raises(ParameterError, match="batches of 9"):
        sweep_means(NULLS["Gaussian"], np.random.default_rng(0), sweeps=1, budget=8, batch=9)
