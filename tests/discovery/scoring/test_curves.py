import json
import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.integrate import trapezoid

from causalnet.discovery.scoring import MIB_GRID, point_weights, score_curve
from causalnet.errors import ParameterError

RANDOM = [0.0] * 9 + [1.0]


@st.composite
def curves(draw: st.DrawFn) -> tuple[list[float], list[float]]:
    """Ascending sizes in (0, 1], and a faithfulness for each."""
    sizes = sorted(draw(st.sets(st.integers(1, 1000), min_size=2, max_size=12)))
    values = st.one_of(st.floats(-2, 3), st.sampled_from([0.0, 0.9, 1.0, 1.1]))
    faithfulness = draw(st.lists(values, min_size=len(sizes), max_size=len(sizes)))
    return [k / 1000 for k in sizes], faithfulness


@settings(max_examples=50)
@given(curves())
def test_areas_are_trapezoid_areas(curve: tuple[list[float], list[float]]) -> None:
    """Oracle: scipy's trapezoid rule, to rounding."""
    sizes, faithfulness = curve
    score = score_curve(faithfulness, sizes=sizes, convention="signed")
    gap, log = np.abs(1 - np.array(faithfulness)), np.log(sizes)
    width = log[-1] - log[0]
    assert score.cpr == pytest.approx(trapezoid(faithfulness, sizes), abs=1e-12)
    assert score.cmd == pytest.approx(trapezoid(gap, sizes), abs=1e-12)
    assert score.cpr_log == pytest.approx(trapezoid(faithfulness, log) / width, abs=1e-9)
    assert score.cmd_log == pytest.approx(trapezoid(gap, log) / width, abs=1e-9)


@settings(max_examples=50)
@given(curves())
def test_areas_are_their_weights_times_their_points(
    curve: tuple[list[float], list[float]],
) -> None:
    sizes, faithfulness = curve
    score = score_curve(faithfulness, sizes=sizes, convention="absolute")
    assert (score.sizes, score.faithfulness) == (tuple(sizes), tuple(faithfulness))
    assert math.fsum(score.weights) == pytest.approx(sizes[-1] - sizes[0], abs=1e-12)
    assert math.fsum(score.log_weights) == pytest.approx(1, abs=1e-12)
    assert min(*score.weights, *score.log_weights) > 0
    for area, weights in ((score.cpr, score.weights), (score.cpr_log, score.log_weights)):
        assert area == pytest.approx(np.dot(weights, faithfulness), abs=1e-9)
    # |1 - F| >= 1 - F, with equality where no circuit is above 1.
    width = math.fsum(score.weights)
    assert score.cmd >= width - score.cpr - 1e-12
    if max(faithfulness) <= 1:
        assert score.cmd == pytest.approx(width - score.cpr, abs=1e-12)


@settings(max_examples=50)
@given(curves())
def test_k90_by_its_definition(curve: tuple[list[float], list[float]]) -> None:
    sizes, faithfulness = curve
    score = score_curve(faithfulness, sizes=sizes, convention="signed")
    inside = [0.9 <= value <= 1.1 for value in faithfulness]
    first = [size for size, good in zip(sizes, inside, strict=True) if good]
    stays = [size for i, size in enumerate(sizes) if all(inside[i:])]
    assert score.k90 == (first[0] if first else None)
    assert score.k90_stays == (stays[0] if stays else None)
    if score.k90_stays is not None and score.k90 is not None:
        assert score.k90 <= score.k90_stays


@settings(max_examples=50)
@given(curves(), st.floats(1e-3, 1.0))
def test_log_areas_do_not_know_the_unit_of_size(
    curve: tuple[list[float], list[float]], factor: float
) -> None:
    sizes, faithfulness = curve
    smaller = [factor * size for size in sizes]
    assume(all(one < two for one, two in pairwise(smaller)))
    one = score_curve(faithfulness, sizes=sizes, convention="signed")
    two = score_curve(faithfulness, sizes=smaller, convention="signed")
    assert two.cpr_log == pytest.approx(one.cpr_log, abs=1e-9)
    assert two.cpr == pytest.approx(factor * one.cpr, abs=1e-12)


def test_the_weights_of_mib() -> None:
    """Mueller et al. 2025, from their code: coarse sizes decide."""
    published = [0.0005, 0.002, 0.004, 0.0075, 0.02, 0.04, 0.075, 0.2, 0.4, 0.25]
    assert point_weights() == pytest.approx(published, abs=1e-15)
    score = score_curve(RANDOM, convention="signed")
    assert score.weight_from(0.2) == pytest.approx(0.85 / 0.999, abs=1e-12)
    assert score.weight_from(0.001) == 1
    assert score.weight_from(1.1) == 0


def test_the_random_row_of_mib() -> None:
    """Useless below 100 % of the edges is CPR .25 and CMD .75: the last point's weight."""
    score = score_curve(RANDOM, convention="signed")
    assert (score.cpr, score.cmd) == pytest.approx((0.25, 0.749), abs=1e-12)
    assert (score.k90, score.k90_stays) == (1, 1)


def test_becoming_faithful_at_five_percent_is_a_cmd_of_three_hundredths() -> None:
    score = score_curve([0.0] * 5 + [1.0] * 5, convention="absolute")
    assert score.cmd == pytest.approx(0.034, abs=1e-12)
    assert score.cmd_log == pytest.approx(math.log(20 * 2.5**0.5) / math.log(1000), abs=1e-12)
    assert score.k90_stays == 0.05


def test_an_intact_model_at_every_size() -> None:
    score = score_curve([1.0] * 10, convention="absolute")
    assert (score.cmd, score.cmd_log, score.k90_stays) == (0, 0, 0.001)
    assert score.cpr_log == pytest.approx(1, abs=1e-12)
    assert score.cpr == pytest.approx(0.999, abs=1e-12)


def test_which_area_compares_with_mib() -> None:
    by = {c: score_curve(RANDOM, convention=c) for c in ("signed", "absolute")}
    assert by["signed"].comparable_with_mib == "cpr"
    assert by["absolute"].comparable_with_mib == "cmd"
    shorter = score_curve(RANDOM[1:], sizes=MIB_GRID[1:], convention="signed")
    assert shorter.comparable_with_mib is None
    shifted = score_curve(RANDOM, sizes=[*MIB_GRID[:-1], 0.9], convention="signed")
    assert shifted.comparable_with_mib is None
    assert "neither area compares with MIB" in str(shorter)


def test_a_curve_that_leaves_the_band_says_so() -> None:
    score = score_curve([1.0, 1.3], sizes=[0.1, 1.0], convention="signed")
    assert (score.k90, score.k90_stays) == (0.1, None)
    assert "first at 10 % of the edges, not to stay" in str(score)
    never = score_curve([0.2, 0.3], sizes=[0.1, 1.0], convention="signed")
    assert "no size has F in [0.9, 1.1]" in str(never)


def test_a_band_of_ones_own() -> None:
    score = score_curve([0.8, 1.0], sizes=[0.1, 1.0], convention="signed", band=(0.75, 1.25))
    assert (score.k90, score.band) == (0.1, (0.75, 1.25))


def test_what_is_written() -> None:
    score = score_curve(RANDOM, convention="signed")
    record = json.loads(json.dumps(score.to_json(), allow_nan=False))
    assert record == score.to_json()
    assert record["convention"] == "signed"
    assert record["weights"] == list(score.weights)


@pytest.mark.parametrize(
    ("faithfulness", "sizes", "message"),
    [
        ([0.1, 1.0], [0.5], r"sizes have the shape \(1,\)"),
        ([0.1, 1.0], [1.0, 0.5], "Size 1 is 0.5, after 1"),
        ([0.1, 1.0], [0.5, 0.5], "Size 1 is 0.5, after 0.5"),
        ([0.1, 1.0], [0.0, 1.0], "run from 0 to 1"),
        ([0.1, 1.0], [1.0, 2.0], "run from 1 to 2"),
        ([0.1, 1.0], [0.5, math.nan], "run from nan"),
        ([0.1, 0.2, 1.0], [0.5, 1.0], r"faithfulness has the shape \(3,\), the sizes \(2,\)"),
        ([math.nan, 1.0], [0.5, 1.0], "F is nan at the size 0.5"),
        ([0.1, math.inf], [0.5, 1.0], "F is inf at the size 1"),
    ],
)
def test_what_has_no_area_is_refused(
    faithfulness: list[float], sizes: list[float], message: str
) -> None:
    with pytest.raises(ParameterError, match=message):
        score_curve(faithfulness, sizes=sizes, convention="signed")


def test_other_parameters_are_checked() -> None:
    with pytest.raises(ParameterError, match=r"band is \[0.5, 0.9\]"):
        score_curve(RANDOM, convention="signed", band=(0.5, 0.9))
    with pytest.raises(ParameterError, match="one of linear, log"):
        point_weights(scale="log10")  # type: ignore[arg-type]
    with pytest.raises(ParameterError, match="one of signed, absolute"):
        score_curve(RANDOM, convention="edges")  # type: ignore[arg-type]
