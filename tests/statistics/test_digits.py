import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from causalnet.statistics import Interval
from causalnet.statistics.digits import fixed, shared_decimals

ENDS = st.floats(-1e6, 1e6)


@pytest.mark.parametrize(
    ("low", "high", "estimate", "shown"),
    [
        (4.232, 7.016, 5.624, "5.62 [4.23, 7.02] (90 %)"),
        (-0.01253, 0.02463, 0.00597, "0.0060 [-0.0125, 0.0246] (90 %)"),
        (0.8253, 0.9456, 0.887, "0.887 [0.825, 0.946] (90 %)"),
        (12.0, 340.0, 170.0, "170 [12, 340] (90 %)"),
        (-1e9, 2e9, 5.0, "5 [-1e+09, 2e+09] (90 %)"),
        (-math.inf, 0.25, 0.1, "0.100 [-inf, 0.250] (90 %)"),
        (-math.inf, math.inf, 0.1, "0.100 [-inf, inf] (90 %)"),
        (0.5, 0.5, 0.5, "0.500 [0.500, 0.500] (90 %)"),
        (0.0, 0.0, 0.0, "0.000 [0.000, 0.000] (90 %)"),
    ],
)
def test_estimate_and_ends_have_the_digits_of_the_width(
    low: float, high: float, estimate: float, shown: str
) -> None:
    interval = Interval(low, high, 0.9, "student_t")
    assert f"{interval.estimate_written(estimate)} {interval}" == shown


@given(ENDS, ENDS, ENDS)
def test_rounding_keeps_both_ends_on_their_side_of_the_threshold(
    one: float, other: float, threshold: float
) -> None:
    low, high = sorted((one, other))
    assume(all(abs(end - threshold) > 1e-9 for end in (low, high)))
    decimals = shared_decimals(low, high, threshold)
    for end in (low, high):
        assert (float(fixed(end, decimals)) > threshold) == (end > threshold)
        assert (float(fixed(end, decimals)) < threshold) == (end < threshold)


@given(ENDS, ENDS)
def test_what_is_shown_differs_from_the_value_by_half_a_percent_of_the_width(
    one: float, other: float
) -> None:
    low, high = sorted((one, other))
    assume(high - low > 1e-6)
    decimals = shared_decimals(low, high)
    assert abs(float(fixed(low, decimals)) - low) <= 0.005 * (high - low) or decimals == 0
