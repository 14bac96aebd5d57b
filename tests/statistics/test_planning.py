import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from causalnet.errors import ParameterError
from causalnet.statistics import (
    MeanJudge,
    Verdict,
    fewest_prompts,
    needed_bounded_prompts,
    needed_prompts,
)


@pytest.mark.parametrize(("effect", "miss"), [(0.4, 0.1), (0.4, 0.3), (0.7, 0.1)])
def test_so_many_prompts_miss_as_seldom_as_wanted(effect: float, miss: float) -> None:
    needed, runs = needed_prompts(effect, miss=miss), 400
    assert needed is not None
    missed = 0
    for seed in range(runs):
        judge = MeanJudge(0.0)
        judge.add(np.random.default_rng(seed).normal(effect, 1.0, size=needed))
        missed += judge.decision().verdict is not Verdict.SUPPORTED
    slack = 2 * math.sqrt(miss * (1 - miss) / runs)
    # The skewness that small samples show by chance widens the sequence a little.
    assert missed / runs <= miss + slack + 0.04
    assert missed / runs >= miss / 4 - slack


@settings(max_examples=30)
@given(st.floats(0.15, 2), st.floats(0.15, 2), st.integers(1, 300), st.integers(1, 300))
def test_law_larger_effects_and_smaller_families_need_fewer(
    one: float, other: float, few: int, many: int
) -> None:
    small, large = sorted((one, other))
    few, many = sorted((few, many))
    weak, strong = needed_prompts(small), needed_prompts(large)
    assert weak is not None
    assert strong is not None
    assert strong <= weak
    alone, crowd = needed_prompts(large, family=few), needed_prompts(large, family=many)
    assert alone is not None
    assert crowd is not None
    assert alone <= crowd


def test_no_effect_needs_more_than_there_are() -> None:
    assert needed_prompts(0.0) is None
    assert needed_prompts(0.0, miss=0.5) is None
    assert needed_bounded_prompts(0.9, 0.9) is None


def test_nothing_is_decided_earlier_than_said() -> None:
    assert fewest_prompts(0.05) == 32
    # So small an error makes even 32 prompts too few, whatever they hold.
    tiny = fewest_prompts(1e-9, expected_n=5000)
    assert tiny > 32
    judge = MeanJudge(0.0, alpha=1e-9, expected_n=5000)
    values = 50 + np.tile([1.0, -1.0], 500)
    judge.add(values[: tiny - 1])
    assert judge.decision().interval is None


def test_below_the_threshold_is_the_mirror() -> None:
    assert needed_bounded_prompts(0.3, 0.6) == needed_bounded_prompts(0.7, 0.4)
    assert needed_bounded_prompts(3.0, 2.8, low=-2, high=4) == needed_bounded_prompts(
        5 / 6, 4.8 / 6
    )


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda: needed_prompts(math.nan), "effect size is nan"),
        (lambda: needed_prompts(0.5, miss=0.0), "miss 0.0"),
        (lambda: needed_prompts(0.5, family=0), "0 members"),
        (lambda: needed_bounded_prompts(1.2, 0.9), "mean is 1.2"),
        (lambda: needed_bounded_prompts(0.9, 1.0), "threshold 1.0"),
        (lambda: fewest_prompts(0.6), "alpha is 0.6"),
    ],
)
def test_bad_plans_are_refused(call: Callable[[], object], told: str) -> None:
    with pytest.raises(ParameterError, match=told):
        call()
