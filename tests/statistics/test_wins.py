import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate

from causalnet.errors import NumericalError, ParameterError
from causalnet.statistics import WinSequence
from causalnet.statistics.wins import BET, expected_wins_stop, log_evidence_above, win_bounds


def probability_of_ever_reaching(bar: float, null: float, rate: float, draws: int) -> float:
    """Exact, by dynamic programming over the number of wins: no simulation."""
    alive, reached = np.array([1.0]), 0.0
    for n in range(1, draws + 1):
        alive = np.append(alive * (1 - rate), 0.0) + np.append(0.0, alive * rate)
        wins = np.arange(n + 1)
        crossed = log_evidence_above(null, wins, n - wins) >= math.log(bar)
        reached += float(alive[crossed].sum())
        alive = np.where(crossed, 0.0, alive)
    return reached


@pytest.mark.parametrize("null", [0.2, 0.5, 0.8, 0.9])
@pytest.mark.parametrize("alpha", [0.01, 0.05])
def test_looking_after_every_draw_errs_at_most_alpha(null: float, alpha: float) -> None:
    at_the_null = probability_of_ever_reaching(1 / alpha, null, null, 1000)
    below_it = probability_of_ever_reaching(1 / alpha, null, null - 0.1, 1000)
    assert 0.3 * alpha < at_the_null <= alpha
    assert below_it < at_the_null


def test_the_bound_finds_a_rate_that_is_above() -> None:
    assert probability_of_ever_reaching(20, 0.9, 0.98, 300) > 0.95


@pytest.mark.parametrize(("wins", "losses", "null"), [(0, 3, 0.5), (9, 1, 0.6), (40, 2, 0.9)])
def test_the_closed_form_is_the_integral(wins: int, losses: int, null: float) -> None:
    def ratio(theta: float) -> float:
        density: float = BET * (1 - theta) ** (BET - 1) / (1 - null) ** BET
        return density * (theta / null) ** wins * ((1 - theta) / (1 - null)) ** losses

    evidence, _ = integrate.quad(ratio, null, 1)
    assert float(log_evidence_above(null, wins, losses)) == pytest.approx(
        math.log(evidence), abs=1e-6
    )


@given(st.integers(0, 200), st.integers(0, 200), st.floats(0.02, 0.97), st.floats(1e-3, 0.02))
def test_the_evidence_falls_with_the_null_rate(
    wins: int, losses: int, rate: float, step: float
) -> None:
    lower, upper = (float(log_evidence_above(q, wins, losses)) for q in (rate, rate + step))
    assert lower >= upper - 1e-9


@given(st.integers(0, 300), st.integers(0, 300), st.sampled_from([0.01, 0.05, 0.2]))
def test_an_end_is_the_last_excluded_rate(wins: int, losses: int, alpha: float) -> None:
    if wins + losses == 0:
        return
    low, high = win_bounds(wins, losses, alpha)
    assert 0 <= low <= wins / (wins + losses) <= high <= 1
    bar = -math.log(alpha)
    if low > 0:
        assert float(log_evidence_above(low, wins, losses)) >= bar
    if 0 < low + 1e-9 < 1:
        assert float(log_evidence_above(low + 1e-9, wins, losses)) < bar
    mirrored = win_bounds(losses, wins, alpha)
    assert (1 - mirrored[1], 1 - mirrored[0]) == pytest.approx((low, high), abs=1e-12)


@pytest.mark.parametrize(("fraction", "straight"), [(0.9, 36), (0.8, 17), (0.5, 6)])
def test_straight_wins_that_show_a_fraction(fraction: float, straight: int) -> None:
    assert win_bounds(straight, 0, 0.05)[0] > fraction >= win_bounds(straight - 1, 0, 0.05)[0]
    assert expected_wins_stop(1.0, fraction, 0.05) == straight
    assert expected_wins_stop(0.0, 1 - fraction, 0.05) == straight


def test_a_rate_at_the_threshold_never_stops() -> None:
    assert expected_wins_stop(0.9, 0.9, 0.05) is None


def test_the_sequence_counts() -> None:
    sequence = WinSequence()
    assert sequence.interval is None
    assert math.isnan(sequence.estimate)
    sequence.add([True, False, True, True])
    sequence.add(np.array([1, 1, 1, 0]))
    assert (sequence.n, sequence.estimate) == (8, 0.75)
    assert sequence.interval is not None
    assert (sequence.interval.low, sequence.interval.high) == win_bounds(6, 2, 0.05)


def test_bad_wins_are_refused() -> None:
    with pytest.raises(ParameterError, match=r"hold 0\.5"):
        WinSequence().add([1.0, 0.5])
    with pytest.raises(ParameterError, match="at least one"):
        WinSequence().add([])
    with pytest.raises(NumericalError, match="Number 0 of the wins is nan"):
        WinSequence().add([math.nan])
    with pytest.raises(ParameterError, match=r"alpha is 0\.5"):
        WinSequence(alpha=0.5)
