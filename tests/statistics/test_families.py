from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from causalnet.errors import ParameterError
from causalnet.statistics import e_benjamini_hochberg, holm
from causalnet.statistics.families import adjusted, p_values

P = st.lists(st.floats(0, 1) | st.sampled_from((0.0, 0.0125, 0.05, 1.0)), min_size=1, max_size=6)
E = st.lists(st.floats(0, 1e6) | st.sampled_from((0.0, 20.0, 40.0)), min_size=1, max_size=7)
ALPHA = st.floats(0.01, 0.4)


@given(P, ALPHA)
def test_law_holm_is_closed_testing_with_bonferroni(p: list[float], alpha: float) -> None:
    """A hypothesis falls if every intersection that holds it falls: enumerated."""
    size = len(p)
    subsets = [c for k in range(1, size + 1) for c in combinations(range(size), k)]
    fallen = {c for c in subsets if min(p[i] for i in c) * len(c) <= alpha}
    expected = [all(c in fallen for c in subsets if i in c) for i in range(size)]
    assert holm(p, alpha).tolist() == expected


@given(P, ALPHA)
def test_adjusted_values_reject_at_their_level(p: list[float], alpha: float) -> None:
    assert (adjusted(p) <= alpha).tolist() == holm(p, alpha).tolist()
    assert (adjusted(p) >= np.array(p)).all()


@given(E, ALPHA)
def test_law_e_bh_is_the_largest_self_consistent_set(e: list[float], alpha: float) -> None:
    """Every member's e-value reaches hypotheses / (alpha members): the largest such set."""
    size, best = len(e), frozenset[int]()
    for k in range(1, size + 1):
        for chosen in combinations(range(size), k):
            if all(e[i] * k >= size / alpha for i in chosen):
                best = frozenset(chosen)
    rejected = frozenset(np.flatnonzero(e_benjamini_hochberg(e, alpha)).tolist())
    assert len(rejected) >= len(best)
    if rejected:
        assert all(e[i] * len(rejected) >= size / alpha * (1 - 1e-9) for i in rejected)
    assert best <= rejected


@settings(max_examples=30)
@given(E, ALPHA, st.integers(0, 6))
def test_more_evidence_takes_no_discovery_away(e: list[float], alpha: float, at: int) -> None:
    more = [2 * one if index == at else one for index, one in enumerate(e)]
    before, after = e_benjamini_hochberg(e, alpha), e_benjamini_hochberg(more, alpha)
    assert (before <= after).all()


def test_rates_hold_where_all_nulls_are_true_and_dependent() -> None:
    """e-values of a mean of exactly 1 under the null, all driven by one number."""
    rng = np.random.default_rng(0)
    shared = rng.random((4000, 1))
    e = np.where(shared < 0.02, 50.0, 0.0) * np.ones((1, 20))
    assert e.mean() == pytest.approx(1.0, abs=0.3)
    assert e_benjamini_hochberg(e, 0.05).any(axis=-1).mean() <= 0.05 + 0.007
    assert holm(p_values(e), 0.05).any(axis=-1).mean() <= 0.05 + 0.007


def test_an_e_value_of_infinity_is_a_p_value_of_nought() -> None:
    assert p_values([np.inf, 0.0, 4.0]).tolist() == [0.0, 1.0, 0.25]
    assert e_benjamini_hochberg([np.inf, 0.0]).tolist() == [True, False]


@pytest.mark.parametrize("p", [[], [1.2], [-0.1], [float("nan")], 0.5])
def test_what_is_no_p_value_is_refused(p: object) -> None:
    with pytest.raises(ParameterError, match="p-value"):
        holm(p)  # type: ignore[arg-type]  # what a reader may hold


def test_what_is_no_e_value_is_refused() -> None:
    with pytest.raises(ParameterError, match="e-value"):
        e_benjamini_hochberg([-1.0])
