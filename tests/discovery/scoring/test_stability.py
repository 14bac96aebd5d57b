import json
import math
from collections.abc import Collection
from itertools import combinations
from statistics import fmean

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from causalnet.discovery.scoring import bootstrap_stability
from causalnet.discovery.scoring.agreement import mean_of_pairs, pairwise_jaccard, wilson_interval
from causalnet.errors import ParameterError

Array = NDArray[np.float64]
tables = st.integers(0, 2**32 - 1).map(
    lambda seed: np.random.default_rng(seed).normal([[1.0], [0.5], [0.2], [0.0], [0.0]], 1, (5, 9))
)


def above_a_quarter(means: Array) -> Collection[int]:
    return {int(site) for site in np.flatnonzero(means > 0.25)}


def two_largest(means: Array) -> Collection[int]:
    return np.argsort(-means, kind="stable")[:2].tolist()  # type: ignore[no-any-return]


class Recorder:
    """A rule that keeps the means that it was given, and the circuits that it gave."""

    def __init__(self) -> None:
        self.means: list[Array] = []
        self.circuits: list[frozenset[int]] = []

    def __call__(self, means: Array) -> Collection[int]:
        self.means.append(means.copy())
        self.circuits.append(frozenset(above_a_quarter(means)))
        return self.circuits[-1]


def jaccard(one: frozenset[int], other: frozenset[int]) -> float:
    return len(one & other) / len(one | other) if one | other else 0.0


def mean_over_pairs(circuits: list[frozenset[int]]) -> float:
    return fmean(jaccard(one, other) for one, other in combinations(circuits, 2))


@settings(max_examples=40)
@given(tables, st.integers(0, 2**16), st.integers(3, 12))
def test_the_result_is_what_its_circuits_say(scores: Array, seed: int, resamples: int) -> None:
    """Oracle: all pairs of the circuits that the rule gave, and each left out in turn."""
    rule = Recorder()
    assume(above_a_quarter(scores.mean(axis=1)))
    result = bootstrap_stability(scores, rule, seed=seed, resamples=resamples)
    full, *circuits = rule.circuits
    without = [mean_over_pairs(circuits[:i] + circuits[i + 1 :]) for i in range(resamples)]
    error = math.sqrt((resamples - 1) * np.var(without))
    assert result.jaccard == pytest.approx(mean_over_pairs(circuits), abs=1e-12)
    assert result.error == pytest.approx(error, abs=1e-9)
    assert result.jaccard_with_full == pytest.approx(
        fmean(jaccard(one, full) for one in circuits), abs=1e-12
    )
    assert result.full == tuple(sorted(full))
    assert result.sizes == tuple(map(len, circuits))
    assert result.empty == circuits.count(frozenset())
    assert {one.site: one.count for one in result.inclusions} == {
        site: n for site in range(5) if (n := sum(site in circuit for circuit in circuits))
    }
    counts = [one.count for one in result.inclusions]
    assert counts == sorted(counts, reverse=True)
    assert sum(counts) == sum(result.sizes)


def test_items_are_drawn_with_replacement() -> None:
    """With one site per item the means are the counts: a multinomial's, within 5 deviations."""
    n, resamples = 12, 400
    rule = Recorder()
    table = np.eye(n) + 10.0  # 10 keeps every site in every circuit
    bootstrap_stability(table, rule, seed=7, resamples=resamples)
    counts = (np.array(rule.means[1:]) - 10) * n
    assert np.allclose(counts, np.round(counts), atol=1e-9)
    assert np.allclose(counts.sum(axis=1), n, atol=1e-9)
    assert abs(counts.var() - (1 - 1 / n)) < 5 * math.sqrt(3 / counts.size)
    assert np.abs(counts.mean(axis=0) - 1).max() < 5 / math.sqrt(resamples)


def test_clusters_are_drawn_whole() -> None:
    """Items of one cluster are drawn equally often, and every drawn item weighs alike."""
    rule = Recorder()
    clusters = ["a", "b", "a", "c", "c", "c"]
    result = bootstrap_stability(np.eye(6) + 10.0, rule, seed=3, resamples=300, clusters=clusters)
    weights = np.array(rule.means[1:]) - 10
    assert np.allclose(weights[:, 0], weights[:, 2], atol=1e-12)
    assert np.allclose(weights[:, [3, 4]], weights[:, [4, 5]], atol=1e-12)
    assert np.allclose(weights.sum(axis=1), 1, atol=1e-9)
    drawn = np.round(weights / weights.max(axis=1, keepdims=True), 6) > 0
    only_b = drawn.sum(axis=1) == 1
    # b alone is drawn thrice in 1/27 of resamples: 11.1 of 300, within 5 deviations.
    assert abs(int(only_b.sum()) - 300 / 27) < 5 * math.sqrt(300 / 27)
    assert (result.clusters, result.items) == (3, 6)
    assert "3 clusters of 6 items" in str(result)


@settings(max_examples=50)
@given(tables, st.integers(0, 2**16), st.permutations(range(5)))
def test_the_order_of_sites_does_not_matter(scores: Array, seed: int, order: list[int]) -> None:
    one = bootstrap_stability(scores, two_largest, seed=seed, resamples=10)
    two = bootstrap_stability(scores[order], two_largest, seed=seed, resamples=10)
    assert two.jaccard == pytest.approx(one.jaccard, abs=1e-12)
    assert sorted(one.count for one in one.inclusions) == sorted(
        one.count for one in two.inclusions
    )
    assert tuple(sorted(order[site] for site in two.full)) == one.full


@settings(max_examples=50)
@given(tables, st.integers(0, 2**16))
def test_a_seed_gives_one_result(scores: Array, seed: int) -> None:
    results = [bootstrap_stability(scores, two_largest, seed=seed, resamples=9) for _ in "ab"]
    assert results[0] == results[1]


def test_items_that_agree_give_one_circuit() -> None:
    result = bootstrap_stability(np.outer([3.0, 2.0, 0.0], np.ones(8)), two_largest, seed=0)
    assert (result.jaccard, result.error, result.jaccard_with_full) == (1, 0, 1)
    assert (result.resamples, result.is_stable, result.core()) == (200, True, ("0", "1"))
    assert all(one.interval.low > 0.98 and one.interval.high == 1 for one in result.inclusions)


def test_noise_is_not_stable() -> None:
    """30 sites of pure noise, 3 kept: resamples agree more than chance, far below the guideline."""
    noise = np.random.default_rng(5).normal(size=(30, 60))
    result = bootstrap_stability(noise, lambda means: np.argsort(-means)[:3], seed=1)
    assert result.chance < result.jaccard < 0.5
    assert not result.is_stable
    assert "below the guideline of 0.8" in str(result)


def test_a_circuit_of_most_sites_reaches_the_guideline_by_chance() -> None:
    noise = np.random.default_rng(6).normal(size=(30, 60))
    result = bootstrap_stability(noise, lambda means: np.argsort(-means)[:28], seed=1)
    assert result.is_stable
    assert result.chance > 0.85
    assert f"{result.chance:.3f} between random ones" in str(result)


def test_empty_circuits_agree_on_nothing() -> None:
    scores = np.array([[5.0, -1.0, -1.0, -1.0], [0.0, 0.0, 0.0, 0.0]])
    result = bootstrap_stability(scores, above_a_quarter, seed=2, resamples=50)
    full_of_them = result.sizes.count(1)
    assert result.empty == 50 - full_of_them > 10
    assert result.jaccard == pytest.approx(math.comb(full_of_them, 2) / math.comb(50, 2))
    assert f"{result.empty} resamples gave no circuit" in str(result)
    assert "asks for at least 100 resamples" in str(result)


def test_one_more_circuit_shrinks_the_error() -> None:
    """The jackknife error of independent circuits is near the spread over repetitions."""
    rng = np.random.default_rng(8)
    runs = [mean_of_pairs(pairwise_jaccard(rng.random((60, 12)) < 0.5)) for _ in range(200)]
    means, errors = np.array(runs).T
    assert means.std() == pytest.approx(errors.mean(), rel=0.2)


@settings(max_examples=50)
@given(st.integers(0, 500), st.integers(1, 500), st.floats(0.5, 0.999))
def test_the_wilson_interval_is_scipys(count: int, n: int, level: float) -> None:
    assume(count <= n)
    interval = wilson_interval(count, n, level)
    oracle = stats.binomtest(count, n).proportion_ci(level, method="wilson")
    assert (interval.low, interval.high) == pytest.approx((oracle.low, oracle.high), abs=1e-9)
    assert 0 <= interval.low <= count / n <= interval.high <= 1


def test_what_is_printed_and_written() -> None:
    scores = np.random.default_rng(0).normal([[3.0], [0.4], [0.3]], 1, (3, 20))
    result = bootstrap_stability(
        scores, two_largest, seed=4, resamples=100, names=["L0.H0", "L0.H1", "L1.mlp"]
    )
    lines = str(result).splitlines()
    assert lines[0].startswith("mean pairwise Jaccard 0.") and "100 bootstrap resamples" in lines[0]
    assert lines[2].startswith("sizes 2 to 2, median 2, with all items 2; 1 sites in at least 95 %")
    assert str(result.inclusions[0]) == "L0.H0 1.000 [0.9630, 1.0000] (95 %)"
    assert json.loads(json.dumps(result.to_json(), allow_nan=False)) == result.to_json()


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (lambda means: means > 0, "rule gave bool"),
        (lambda means: [0.5], "rule gave float64"),
        (lambda means: np.array([[0, 1]]), r"int64 of shape \(1, 2\)"),
        (lambda means: [5], "sites 5 to 5. There are sites 0 to 1"),
        (lambda means: [-1], "sites -1 to -1"),
        (lambda means: [], "no circuit for all items"),
    ],
)
def test_a_rule_gives_indices(rule: object, message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        bootstrap_stability(np.ones((2, 4)), rule, seed=0)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("scores", "options", "message"),
    [
        (np.ones(4), {}, r"shape \(4,\)"),
        (np.ones((2, 1)), {}, "at least 2 items"),
        (np.array([[1.0, np.nan]]), {}, "site 0 for item 1 is nan"),
        (np.array([[1.0, np.inf]]), {}, "site 0 for item 1 is inf"),
        (np.ones((2, 4)), {"resamples": 2}, "2 resamples were asked for"),
        (np.ones((2, 4)), {"names": ["a"]}, "1 names for 2 sites"),
        (np.ones((2, 4)), {"clusters": [0, 1]}, "2 clusters for 4 items"),
        (np.ones((2, 4)), {"clusters": [0, 0, 0, 0]}, "All items are in one cluster"),
    ],
)
def test_what_cannot_be_resampled_is_refused(
    scores: Array, options: dict[str, object], message: str
) -> None:
    with pytest.raises(ParameterError, match=message):
        bootstrap_stability(scores, two_largest, seed=0, **options)  # type: ignore[arg-type]
