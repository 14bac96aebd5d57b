import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import t as student

from causalnet.statistics.evidence import (
    log_e_above,
    one_sided_multiplier,
    prior_variance,
    without_skewness,
)
from causalnet.statistics.mixture import mixture_multiplier, skewness_allowance

SIZES = st.integers(32, 500)
T = st.floats(-8, 8)
G = st.floats(0.005, 0.3)


@settings(max_examples=15, deadline=None)
@given(SIZES, st.floats(-3, 7), G)
def test_law_it_is_the_mean_likelihood_ratio(n: int, t: float, g: float) -> None:
    """Oracle: both likelihoods summed over a grid of spreads (prior 1/s) and effect sizes."""
    total, squares = t * math.sqrt(n), n - 1 + t**2  # of a sample with standard deviation 1
    spread = np.exp(np.linspace(-1.0, 1.0, 201))[:, None]
    effect = np.linspace(0, 8 * math.sqrt(g), 1601)[None, :]
    log_spread = -n * np.log(spread)
    null = log_spread - squares / (2 * spread**2)
    alternative = (
        log_spread
        - (squares - 2 * effect * spread * total + n * effect**2 * spread**2) / (2 * spread**2)
        - effect**2 / (2 * g)
    )
    top = alternative.max()
    weights = np.ones(effect.shape[1])
    weights[[0, -1]] = 0.5
    step = effect[0, 1] * 2 / math.sqrt(2 * math.pi * g)
    mean = (np.exp(alternative - top) * weights).sum() * step
    expected = math.log(mean) - math.log(np.exp(null - top).sum())
    assert float(log_e_above(n, t, g)) == pytest.approx(expected, abs=1e-3)


@settings(max_examples=15, deadline=None)
@given(SIZES, G)
def test_law_its_mean_is_one_at_the_null(n: int, g: float) -> None:
    t = np.linspace(-60, 60, 6001)
    density = np.exp(log_e_above(n, t, g) + student.logpdf(t, n - 1))
    assert density.sum() * (t[1] - t[0]) == pytest.approx(1.0, abs=1e-3)


@given(SIZES, T, T, G)
def test_law_it_grows_with_t(n: int, one: float, other: float, g: float) -> None:
    low, high = sorted((one, other))
    assert float(log_e_above(n, low, g)) <= float(log_e_above(n, high, g)) + 1e-9


@given(SIZES, st.floats(0.001, 0.2))
def test_both_sides_average_to_the_two_sided_factor(n: int, alpha: float) -> None:
    """At the two-sided multiplier the average is 1 / (2 alpha), as in `mixture`."""
    t = mixture_multiplier(n, alpha, 200)
    if t == math.inf:
        return
    g = prior_variance(alpha, 200)
    sides = np.exp(log_e_above(n, np.array([t, -t]), g))
    assert sides.mean() == pytest.approx(1 / (2 * alpha), rel=1e-6)
    assert float(one_sided_multiplier(n, -math.log(alpha), g)) >= t - 1e-9


@given(SIZES, st.floats(0.1, 8), st.floats(-5, 5))
def test_without_skewness_undoes_the_allowance(n: int, q: float, skewness: float) -> None:
    below, _ = skewness_allowance(np.array(skewness), q, n)
    assert float(without_skewness(n, q + float(below), skewness)) == pytest.approx(q, rel=1e-9)
    assert float(without_skewness(n, q, skewness)) <= q + 1e-12


def test_few_observations_say_nothing() -> None:
    assert log_e_above(31, 50.0, 0.03) == -math.inf
    assert one_sided_multiplier(31, 1.0, 0.03) == math.inf
    assert log_e_above(32, 50.0, 0.03) > 10
