import math
from collections.abc import Callable

import numpy as np
import pytest

from causalnet.errors import NumericalError, ParameterError
from causalnet.statistics import fewest_draws, monte_carlo_p


@pytest.mark.parametrize("level", [0.01, 0.05, 0.2, 0.5])
def test_law_small_p_values_are_as_rare_as_they_say(level: float) -> None:
    """The observed number is one more draw under the null."""
    rng, runs = np.random.default_rng(0), 2000
    p = [monte_carlo_p(rng.normal(), rng.normal, most=99, enough=5).p for _ in range(runs)]
    assert np.mean(np.array(p) <= level) <= level + 2 * math.sqrt(level * (1 - level) / runs)
    assert min(p) == pytest.approx(0.01)


def test_it_stops_at_enough_exceedances() -> None:
    draws = iter([1.0, 3.0, 2.0, 5.0, 9.0])
    result = monte_carlo_p(2.0, lambda: next(draws), most=99, enough=3)
    assert (result.p, result.exceedances, result.draws, result.is_early) == (3 / 4, 3, 4, True)


def test_without_exceedances_p_is_never_nought() -> None:
    result = monte_carlo_p(2.0, lambda: 1.0, most=19)
    assert (result.p, result.is_early) == (1 / 20, False)
    assert str(result) == "p = 0.05 (0 of 19 draws as extreme)"


def test_ties_count_as_extreme() -> None:
    assert monte_carlo_p(1.0, lambda: 1.0, most=9, enough=9).p == 1.0


@pytest.mark.parametrize("alpha", [0.05, 0.01, 0.001, 0.07])
def test_fewest_draws_reach_alpha_and_one_less_does_not(alpha: float) -> None:
    most = fewest_draws(alpha)
    assert monte_carlo_p(1.0, lambda: 0.0, most=most).p <= alpha * (1 + 1e-9)
    assert monte_carlo_p(1.0, lambda: 0.0, most=most - 1).p > alpha


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda: monte_carlo_p(0.0, lambda: 0.0, most=0), "most is 0"),
        (lambda: monte_carlo_p(0.0, lambda: 0.0, enough=0), "enough 0"),
        (lambda: fewest_draws(0.7), "alpha is 0.7"),
    ],
)
def test_bad_plans_are_refused(call: Callable[[], object], told: str) -> None:
    with pytest.raises(ParameterError, match=told):
        call()


def test_what_cannot_be_compared_is_refused() -> None:
    with pytest.raises(NumericalError, match="drawn nan"):
        monte_carlo_p(0.0, lambda: math.nan)
