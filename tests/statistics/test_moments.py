import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from causalnet.statistics.moments import Moments, moments_of


@given(
    st.integers(0, 1000),
    st.lists(st.integers(1, 9), min_size=1, max_size=6),
    st.integers(1, 3),
    st.floats(-1e4, 1e4),
)
def test_merging_batches_equals_all_at_once(
    seed: int, sizes: list[int], numbers: int, offset: float
) -> None:
    rng = np.random.default_rng(seed)
    batches = [rng.exponential(size=(3, size, numbers)) + offset for size in sizes]
    merged = moments_of(batches[0])
    for batch in batches[1:]:
        merged = merged.merge(moments_of(batch))
    whole = moments_of(np.concatenate(batches, axis=1))
    assert merged.n == whole.n == sum(sizes)
    for mine, theirs in zip(_arrays(merged), _arrays(whole), strict=True):
        assert mine == pytest.approx(theirs, rel=1e-7, abs=1e-6)


def _arrays(moments: Moments) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return moments.mean, moments.second, moments.third


def test_covariance_and_skewness_of_a_contrast() -> None:
    pairs = np.random.default_rng(1).gamma(0.5, size=(50, 2))
    moments = moments_of(pairs)
    assert moments.covariance() == pytest.approx(np.cov(pairs.T), rel=1e-12)
    contrast = pairs @ np.array([1.0, -0.7])
    ours = moments.skewness(np.array([1.0, -0.7]))
    assert float(ours) == pytest.approx(stats.skew(contrast, bias=False), rel=1e-10)


@pytest.mark.parametrize("value", [0.0, 1.0, -3.7, 1e8 / 3])
def test_equal_numbers_have_no_spread_and_no_skewness(value: float) -> None:
    moments = moments_of(np.full((20, 1), value)).merge(moments_of(np.full((13, 1), value)))
    assert not moments.has_spread().any()
    assert moments.skewness(np.ones(1)) == 0.0


def test_two_observations_have_no_skewness() -> None:
    assert moments_of(np.array([[1.0], [2.0]])).skewness(np.ones(1)) == 0.0
