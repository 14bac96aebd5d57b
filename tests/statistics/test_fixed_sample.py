import math
from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats

from causalnet.errors import CausalNetError, NumericalError, ParameterError
from causalnet.statistics import Interval, ratio_interval, student_interval

Rng = np.random.Generator


@pytest.mark.parametrize("level", [0.5, 0.9, 0.95, 0.99])
def test_the_mean_interval_is_students(level: float) -> None:
    values = np.random.default_rng(0).exponential(size=23)
    ours = student_interval(values, level)
    theirs = stats.t.interval(level, 22, loc=values.mean(), scale=stats.sem(values))
    assert (ours.low, ours.high) == pytest.approx(theirs, rel=1e-12)
    assert ours.level == level


def test_one_value_bounds_nothing_and_equal_values_everything() -> None:
    one, equal = student_interval([3.0]), student_interval([0.0] * 5)
    assert (one.low, one.high) == (-math.inf, math.inf)
    assert (equal.low, equal.high) == (0.0, 0.0)


@pytest.mark.parametrize("seed", range(5))
def test_fieller_ends_are_where_the_t_test_of_the_contrast_turns(seed: int) -> None:
    rng = np.random.default_rng(seed)
    denominators = rng.normal(4.2, 2.7, size=30)
    numerators = 0.8 * denominators + rng.normal(size=30)
    interval = ratio_interval(numerators, denominators, 0.9)
    assert interval is not None
    for f, excluded in (
        (interval.low - 1e-6, True),
        (interval.low + 1e-6, False),
        (interval.high - 1e-6, False),
        (interval.high + 1e-6, True),
    ):
        p = stats.ttest_1samp(numerators - f * denominators, 0.0).pvalue
        assert (p < 0.1) == excluded


def test_fieller_covers_as_often_as_it_says() -> None:
    rng, hits, sweeps = np.random.default_rng(0), 0, 2000
    for _ in range(sweeps):
        denominators = rng.normal(4.2, 2.7, size=20)
        interval = ratio_interval(0.9 * denominators + rng.normal(size=20), denominators, level=0.9)
        hits += interval is not None and 0.9 in interval
    assert hits / sweeps == pytest.approx(0.9, abs=3 * math.sqrt(0.09 / sweeps))


@pytest.mark.parametrize(
    "denominators",
    [[1.0, -1.0, 0.5, -0.5], [-3.0, -3.1, -2.9, -3.0], [0.0] * 4, [5.0, 0.1, -1.0, 0.2]],
    ids=["around 0", "below 0", "all 0", "unclear"],
)
def test_no_interval_for_a_ratio_without_a_positive_denominator(denominators: list[float]) -> None:
    assert ratio_interval([1.0, 2.0, 1.5, 1.2], denominators) is None


def test_a_single_pair_has_no_ratio_interval() -> None:
    assert ratio_interval([1.0], [1.0]) is None


def test_identical_pairs_have_the_ratio_one() -> None:
    values = np.random.default_rng(0).normal(4.2, 2.7, size=40)
    interval = ratio_interval(values, values)
    assert interval is not None
    assert (interval.low, interval.high) == pytest.approx((1.0, 1.0), abs=1e-6)


@pytest.mark.parametrize(
    ("call", "error", "told"),
    [
        (lambda: student_interval([]), ParameterError, "at least one number"),
        (lambda: student_interval([[1.0, 2.0]]), ParameterError, r"the shape \(1, 2\)"),
        (lambda: student_interval([1.0, math.nan]), NumericalError, "Number 1 .* is nan"),
        (lambda: student_interval([math.inf, 1.0]), NumericalError, "Number 0 .* is inf"),
        (lambda: student_interval([1.0, 2.0], level=95), ParameterError, "level=0.95"),
        (lambda: ratio_interval([1.0], [1.0, 2.0]), ParameterError, "1 numerators and 2"),
        (lambda: ratio_interval([1.0], [math.nan]), NumericalError, "denominators"),
        (lambda: ratio_interval([1.0], [1.0], level=1.0), ParameterError, "below 1"),
    ],
)
def test_bad_samples_are_refused(
    call: Callable[[], Interval | None], error: type[CausalNetError], told: str
) -> None:
    with pytest.raises(error, match=told):
        call()
