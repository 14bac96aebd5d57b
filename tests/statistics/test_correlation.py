import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import pearsonr, spearmanr

from causalnet.errors import ParameterError
from causalnet.statistics import CorrelationJudge, CorrelationSequence, Reason, Verdict
from causalnet.statistics.correlation import Correlation, _rank_influence, _ranks
from causalnet.statistics.samples import Array

KINDS = st.sampled_from(("spearman", "pearson"))


def pairs(rng: np.random.Generator, r: float, n: int) -> tuple[Array, Array]:
    model = rng.normal(size=n)
    return model, r * model + math.sqrt(1 - r * r) * rng.normal(size=n)


@settings(max_examples=40)
@given(st.integers(0, 10**6), st.floats(-1, 1), st.integers(3, 80), KINDS, st.booleans())
def test_law_the_estimate_is_scipy_s(
    seed: int, r: float, n: int, kind: Correlation, tied: bool
) -> None:
    first, second = pairs(np.random.default_rng(seed), r, n)
    if tied:
        first, second = np.round(first), np.round(second)
    if np.ptp(first) == 0 or np.ptp(second) == 0:
        return
    sequence = CorrelationSequence(kind=kind)
    sequence.add(first, second)
    oracle = (spearmanr if kind == "spearman" else pearsonr)(first, second)[0]
    assert sequence.estimate == pytest.approx(float(oracle), abs=1e-9)
    if sequence.interval is not None:
        assert -1 <= sequence.interval.low <= sequence.estimate <= sequence.interval.high <= 1


@settings(max_examples=20)
@given(st.integers(0, 10**6), st.floats(-0.95, 0.95))
def test_law_ranks_know_no_units(seed: int, r: float) -> None:
    first, second = pairs(np.random.default_rng(seed), r, 48)
    one, other, mirrored = (CorrelationSequence() for _ in range(3))
    one.add(first, second)
    other.add(np.exp(first), second**3)
    mirrored.add(first, -second)
    assert other.interval == one.interval
    assert one.interval is not None
    assert mirrored.interval is not None
    assert mirrored.interval.low == pytest.approx(-one.interval.high, abs=1e-9)


def test_the_rank_influence_is_the_derivative_of_the_correlation() -> None:
    """Oracle: the change of the estimate when one pair's weight grows, by jackknife."""
    n = 400
    first, second = pairs(np.random.default_rng(0), 0.7, n)
    influence = _rank_influence(_ranks(np.stack([first, second], axis=-1)))
    whole = spearmanr(first, second)[0]
    left_out = np.array(
        [spearmanr(np.delete(first, at), np.delete(second, at))[0] for at in range(0, n, 8)]
    )
    jackknife = (n - 1) * (whole - left_out)
    assert np.corrcoef(jackknife, influence[::8])[0, 1] > 0.999
    assert jackknife.std() == pytest.approx(influence[::8].std(), rel=0.03)


@pytest.mark.parametrize(("kind", "r"), [("spearman", 0.8), ("pearson", 0.8), ("spearman", 0.0)])
def test_a_correlation_at_the_threshold_is_seldom_misjudged(kind: Correlation, r: float) -> None:
    runs, truth = 250, 6 / math.pi * math.asin(r / 2) if kind == "spearman" else r
    errors = np.zeros((runs, 2), dtype=bool)
    for seed in range(runs):
        rng, sequence = np.random.default_rng(seed), CorrelationSequence(kind=kind)
        for _ in range(5):
            sequence.add(*pairs(rng, r, 40))
            if (interval := sequence.interval) is not None:
                errors[seed] |= (interval.low > truth, interval.high < truth)
    at_most = 0.05 + 2 * math.sqrt(0.05 * 0.95 / runs)
    assert (errors.mean(axis=0) <= at_most).all()
    assert errors.any(axis=1).mean() <= 0.10 + 0.01 + 2 * math.sqrt(0.1 * 0.9 / runs)


def test_equal_scores_correlate_and_constant_ones_do_not() -> None:
    model = np.random.default_rng(0).normal(size=64)
    for kind in ("spearman", "pearson"):
        judge = CorrelationJudge(0.9, kind="spearman" if kind == "spearman" else "pearson")
        judge.add(model, model)
        assert judge.decision().verdict is Verdict.SUPPORTED
    constant = CorrelationJudge(0.9)
    constant.add(model, np.full(64, 3.0))
    decision = constant.decision()
    assert (decision.verdict, decision.reason) == (Verdict.UNDEFINED, Reason.NO_SPREAD)
    assert math.isnan(decision.estimate)


def test_verdicts_and_doubt() -> None:
    rng = np.random.default_rng(0)
    refuted, few, doubtful = (CorrelationJudge(t) for t in (0.9, 0.9, 0.82))
    refuted.add(*pairs(rng, 0.2, 64))
    assert refuted.decision().verdict is Verdict.REFUTED
    few.add(*pairs(rng, 0.2, 20))
    assert few.decision().reason is Reason.TOO_FEW_PROMPTS
    doubtful.add(*pairs(rng, 0.9, 64))
    assert "would decide" in doubtful.decision().sentence
    band = CorrelationJudge(within=(-0.5, 0.5))
    while not band.is_settled:
        band.add(*pairs(rng, 0.0, 32))
    assert band.decision().verdict is Verdict.SUPPORTED


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ParameterError, match="spearman, pearson"):
        CorrelationSequence(kind="kendall")  # type: ignore[arg-type]  # what a reader may write
