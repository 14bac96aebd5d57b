import math
from itertools import pairwise

import numpy as np
import pytest
from scipy import integrate, stats

from causalnet.statistics.mixture import expected_stop, mixture_multiplier, skewness_allowance


def variance_of_effects(alpha: float, expected_n: int) -> float:
    return (-2 * math.log(2 * alpha) + math.log(1 - 2 * math.log(2 * alpha))) / expected_n


@pytest.mark.parametrize("n", [8, 12, 32, 60])
@pytest.mark.parametrize("alpha", [0.05, 0.2])
def test_at_the_bound_the_mixture_of_noncentral_t_densities_is_one_over_alpha(
    n: int, alpha: float
) -> None:
    t = mixture_multiplier(n, alpha, expected_n=10)
    spread = math.sqrt(variance_of_effects(alpha, 10))
    mixed, _ = integrate.quad(
        lambda effect: (
            stats.nct.pdf(t, n - 1, effect * math.sqrt(n)) * stats.norm.pdf(effect, scale=spread)
        ),
        -8 * spread,
        8 * spread,
        points=[0.0, t / math.sqrt(n)],
    )
    assert mixed / stats.t.pdf(t, n - 1) == pytest.approx(1 / (2 * alpha), rel=1e-5)


@pytest.mark.parametrize("n", [20_000, 200_000])
def test_for_many_observations_it_is_the_asymptotic_sequence(n: int) -> None:
    alpha, expected_n = 0.05, 200
    g = variance_of_effects(alpha, expected_n)
    half = math.sqrt(2 * (n * g + 1) / (n**2 * g) * math.log(math.sqrt(n * g + 1) / (2 * alpha)))
    assert mixture_multiplier(n, alpha, expected_n) / math.sqrt(n) == pytest.approx(half, rel=1e-3)


def test_too_few_observations_exclude_nothing() -> None:
    assert mixture_multiplier(1, 0.05, 200) == math.inf
    assert mixture_multiplier(2, 0.05, 200) == math.inf


def test_the_sequence_is_wider_than_students_interval_and_narrows() -> None:
    widths = [mixture_multiplier(n, 0.05, 200) / math.sqrt(n) for n in range(32, 2000)]
    students = [stats.t.ppf(0.95, n - 1) / math.sqrt(n) for n in range(32, 2000)]
    assert all(wide > narrow for wide, narrow in zip(widths, students, strict=True))
    assert all(later < earlier for earlier, later in pairwise(widths))


def test_skewness_moves_the_endangered_end_outwards_and_vanishes() -> None:
    low, high = skewness_allowance(np.array([2.0, -2.0, 0.0]), 2.8, 32)
    assert (low > 0).tolist() == [False, True, False]
    assert (high > 0).tolist() == [True, False, False]
    later = skewness_allowance(np.array([2.0]), 2.8, 3200)[1]
    assert float(later[0]) == pytest.approx(float(high[0]) / 10)


def test_the_expected_stop_is_the_first_size_that_excludes() -> None:
    n = expected_stop(0.2, 0.05, 200)
    assert n is not None
    assert mixture_multiplier(n, 0.05, 200) / math.sqrt(n) < 0.2
    assert mixture_multiplier(n - 1, 0.05, 200) / math.sqrt(n - 1) >= 0.2
    assert expected_stop(-0.2, 0.05, 200) == n
    assert expected_stop(math.inf, 0.05, 200) == 32
    assert expected_stop(0.0, 0.05, 200) is None
