import json
import math
from collections.abc import Collection, Mapping
from fractions import Fraction
from itertools import pairwise, permutations
from random import Random
from statistics import fmean

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

from causalnet.discovery.scoring import score_ranking, threshold_curve
from causalnet.discovery.scoring.conventions import Convention
from causalnet.errors import ParameterError
from tests.discovery.scoring.strategies import any_values, rankings, tied_values

CONVENTIONS = st.sampled_from(["signed", "absolute"])
Ranking = tuple[dict[str, float], frozenset[str]]


def value_of(score: float, convention: Convention) -> float:
    return abs(score) if convention == "absolute" else score


def area_by_pairs(
    scores: Mapping[str, float], truth: Collection[str], convention: Convention
) -> Fraction:
    """The definition: the share of pairs in the right order, a tie counting one half."""
    pairs = [
        (value_of(scores[one], convention), value_of(scores[other], convention))
        for one in truth
        for other in scores.keys() - truth
    ]
    won = sum(Fraction(one > other) + Fraction(one == other, 2) for one, other in pairs)
    return Fraction(won) / len(pairs)


def average_precision(order: Collection[bool]) -> float:
    """The mean of the precisions at the true sites of one order."""
    hits, precisions = 0, []
    for place, true in enumerate(order, start=1):
        hits += true
        if true:
            precisions.append(hits / place)
    return fmean(precisions)


def expected_over_orders(
    scores: Mapping[str, float], truth: Collection[str], convention: Convention
) -> float:
    """The mean over all orders that agree with the values."""
    areas = []
    for order in permutations(scores):
        values = [value_of(scores[site], convention) for site in order]
        if all(left >= right for left, right in pairwise(values)):
            areas.append(average_precision([site in truth for site in order]))
    return fmean(areas)


@settings(max_examples=50)
@given(st.one_of(rankings(), rankings(values=any_values)), CONVENTIONS)
def test_the_roc_area_counts_pairs(ranking: Ranking, convention: Convention) -> None:
    scores, truth = ranking
    score = score_ranking(scores, truth, convention=convention)
    assert score.auroc == float(area_by_pairs(scores, truth, convention))


@settings(max_examples=50)
@given(
    st.one_of(rankings(most=40), rankings(most=40, values=any_values)),
    CONVENTIONS,
)
def test_areas_are_those_of_scikit_learn(ranking: Ranking, convention: Convention) -> None:
    scores, truth = ranking
    values = [value_of(score, convention) for score in scores.values()]
    labels = [site in truth for site in scores]
    score = score_ranking(scores, truth, convention=convention)
    assert score.auroc == pytest.approx(roc_auc_score(labels, values), abs=1e-12)
    assert score.auprc == pytest.approx(average_precision_score(labels, values), abs=1e-12)


@settings(max_examples=40)
@given(rankings(most=6), CONVENTIONS)
def test_the_expected_precision_is_the_mean_over_orders(
    ranking: Ranking, convention: Convention
) -> None:
    scores, truth = ranking
    score = score_ranking(scores, truth, convention=convention)
    expected = expected_over_orders(scores, truth, convention)
    chance = expected_over_orders(dict.fromkeys(scores, 0.0), truth, convention)
    assert score.auprc_expected == pytest.approx(expected, abs=1e-12)
    assert score.auprc_chance == pytest.approx(chance, abs=1e-12)


@settings(max_examples=50)
@given(rankings(most=30, values=any_values))
def test_without_ties_both_precisions_are_one(ranking: Ranking) -> None:
    scores, truth = ranking
    distinct = {site: score + 1e7 * i for i, (site, score) in enumerate(scores.items())}
    score = score_ranking(distinct, truth, convention="signed")
    assert (score.ties, score.undecided_pairs) == (0, 0)
    assert score.auprc == pytest.approx(score.auprc_expected, abs=1e-12)


@settings(max_examples=50)
@given(rankings(most=20), st.randoms(use_true_random=False))
def test_neither_order_nor_scale_matters(ranking: Ranking, chance: Random) -> None:
    scores, truth = ranking
    names = list(scores)
    chance.shuffle(names)
    stretched = {site: math.atan(scores[site]) * 1e-9 for site in names}
    one = score_ranking(scores, truth, convention="signed")
    assert score_ranking(stretched, truth, convention="signed") == one


@settings(max_examples=50)
@given(rankings(most=20))
def test_the_reverse_ranking_has_the_rest_of_the_area(ranking: Ranking) -> None:
    scores, truth = ranking
    reverse = {site: -score for site, score in scores.items()}
    one = score_ranking(scores, truth, convention="signed")
    other = score_ranking(reverse, truth, convention="signed")
    assert one.auroc + other.auroc == pytest.approx(1, abs=1e-15)
    assert one.undecided_pairs == other.undecided_pairs
    same = [score_ranking(each, truth, convention="absolute") for each in (scores, reverse)]
    assert same[0] == same[1]


@settings(max_examples=50)
@given(rankings(most=20), CONVENTIONS)
def test_a_perfect_ranking_has_areas_of_one(ranking: Ranking, convention: Convention) -> None:
    scores, truth = ranking
    above = {site: abs(score) + 10 * (site in truth) for site, score in scores.items()}
    score = score_ranking(above, truth, convention=convention)
    assert (score.auroc, score.auprc, score.undecided) == (1, 1, 0)
    assert score.auprc_expected == pytest.approx(1, abs=1e-12)


@settings(max_examples=50)
@given(rankings(most=20), CONVENTIONS)
def test_all_tied_is_chance(ranking: Ranking, convention: Convention) -> None:
    scores, truth = ranking
    score = score_ranking(dict.fromkeys(scores, 2.5), truth, convention=convention)
    assert (score.auroc, score.undecided, score.ties) == (0.5, 1, len(scores))
    assert score.auprc == pytest.approx(len(truth) / len(scores), abs=1e-15)
    assert score.auprc_expected == score.auprc_chance


@settings(max_examples=50)
@given(rankings(most=20), CONVENTIONS)
def test_the_curve_has_the_areas(ranking: Ranking, convention: Convention) -> None:
    scores, truth = ranking
    score = score_ranking(scores, truth, convention=convention)
    curve = threshold_curve(scores, truth, convention=convention)
    steps = list(pairwise(curve.roc))
    area = math.fsum((x2 - x1) * (y1 + y2) / 2 for (x1, y1), (x2, y2) in steps)
    assert area == pytest.approx(score.auroc, abs=1e-12)
    assert (curve.roc[0], curve.roc[-1]) == ((0, 0), (1, 1))
    assert all(x1 <= x2 and y1 <= y2 for (x1, y1), (x2, y2) in steps)
    recalls = [0.0, *(recall for recall, _ in curve.precision_recall)]
    precisions = [precision for _, precision in curve.precision_recall]
    average = math.fsum(np.diff(recalls) * precisions)
    assert average == pytest.approx(score.auprc, abs=1e-12)


@settings(max_examples=50)
@given(rankings(most=20), CONVENTIONS)
def test_the_curve_is_that_of_scikit_learn(ranking: Ranking, convention: Convention) -> None:
    scores, truth = ranking
    values = [value_of(score, convention) for score in scores.values()]
    labels = [site in truth for site in scores]
    curve = threshold_curve(scores, truth, convention=convention)
    false, true, thresholds = roc_curve(labels, values, drop_intermediate=False)
    assert np.allclose(curve.roc, np.column_stack([false, true]), atol=1e-12)
    assert list(curve.thresholds) == thresholds[1:].tolist()


@settings(max_examples=50)
@given(rankings(most=20))
def test_a_threshold_keeps_what_lies_at_or_above_it(ranking: Ranking) -> None:
    scores, truth = ranking
    curve = threshold_curve(scores, truth, convention="signed")
    for at, kept, kept_true in zip(curve.thresholds, curve.kept, curve.kept_true, strict=True):
        above = {site for site, score in scores.items() if score >= at}
        assert (kept, kept_true) == (len(above), len(above & truth))


@pytest.mark.parametrize(("live", "area"), [(2, 0.64), (5, 0.86), (7, 1.00)])
def test_dead_edges_of_a_known_circuit_tie_with_the_rest(live: int, area: float) -> None:
    """A 7-edge induction circuit of which 2, 5 or 7 edges are live: exact patching by distance."""
    truth = [f"true{i}" for i in range(7)]
    scores = {f"edge{i}": 0.0 for i in range(99)} | {
        site: 1.0 + i if i < live else 0.0 for i, site in enumerate(truth)
    }
    against_all = score_ranking(scores, truth, convention="absolute")
    against_live = score_ranking(scores, truth[:live], convention="absolute")
    assert round(against_all.auroc, 2) == area
    assert (against_live.auroc, against_live.auprc) == (1, 1)
    assert against_all.undecided_pairs == (7 - live) * 99


@settings(max_examples=50)
@given(rankings(most=20), CONVENTIONS, st.data())
def test_rounding_noise_below_the_resolution_ties(
    ranking: Ranking, convention: Convention, data: st.DataObject
) -> None:
    scores, truth = ranking
    small = st.floats(-1e-6, 1e-6)
    noisy = {site: score or data.draw(small) for site, score in scores.items()}
    one = score_ranking(scores, truth, convention=convention, resolution=1e-6)
    assert score_ranking(noisy, truth, convention=convention, resolution=1e-6) == one
    assert one.auroc == score_ranking(scores, truth, convention=convention).auroc
    curve = threshold_curve(noisy, truth, convention=convention, resolution=1e-6)
    assert curve == threshold_curve(scores, truth, convention=convention)


def test_infinite_scores_rank_first_and_last() -> None:
    scores = {"a": math.inf, "b": 1.0, "c": -math.inf}
    assert score_ranking(scores, ["a"], convention="signed").auroc == 1
    assert score_ranking(scores, ["a"], convention="absolute").auroc == 0.75


def test_what_is_printed_and_written() -> None:
    scores = {"a": 2.0, "b": -3.0, "c": 0.0, "d": 0.0}
    score = score_ranking(scores, ["a", "c"], convention="signed")
    assert str(score) == (
        "AUROC 0.875 (chance 0.500), AUPRC 0.833 (chance 0.681)\n"
        "2 true of 4 sites, ranked by signed score\n"
        "2 sites tie and leave 0.250 of the pairs undecided; AUPRC over all orders of them 0.917"
    )
    assert json.loads(json.dumps(score.to_json(), allow_nan=False)) == score.to_json()
    curve = threshold_curve({**scores, "b": -math.inf}, ["a", "c"], convention="signed")
    assert str(curve) == (
        "3 thresholds over 4 sites, 2 true, ranked by signed score; best F1 0.800 with 3 sites "
        "at or above 0"
    )
    assert json.loads(json.dumps(curve.to_json(), allow_nan=False))["thresholds"] == [2, 0, "-inf"]


@settings(max_examples=50)
@given(rankings(values=tied_values), st.data())
def test_a_score_that_is_no_number_is_refused(ranking: Ranking, data: st.DataObject) -> None:
    scores, truth = ranking
    site = data.draw(st.sampled_from(sorted(scores)))
    with pytest.raises(ParameterError, match=f"1 of {len(scores)} scores are NaN, .*{site}"):
        score_ranking({**scores, site: math.nan}, truth, convention="absolute")


@pytest.mark.parametrize(
    ("scores", "truth", "message"),
    [
        ({"a": 1.0, "b": 2.0}, [], "0 of 2 sites are true"),
        ({"a": 1.0, "b": 2.0}, ["b", "a"], "2 of 2 sites are true"),
        ({"a": 1.0, "b": 2.0}, ["a", "L0.H0"], "1 of the 2 sites .* unknown: 'L0.H0'. .* 'a', 'b'"),
        ({}, ["a"], "no scores"),
    ],
)
def test_areas_that_are_undefined_are_refused(
    scores: dict[str, float], truth: list[str], message: str
) -> None:
    with pytest.raises(ParameterError, match=message):
        score_ranking(scores, truth, convention="absolute")
    with pytest.raises(ParameterError, match=message):
        threshold_curve(scores, truth, convention="absolute")


@pytest.mark.parametrize("resolution", [-1e-6, math.nan, math.inf])
def test_a_resolution_is_a_size(resolution: float) -> None:
    with pytest.raises(ParameterError, match="0 or more"):
        score_ranking({"a": 1.0, "b": 2.0}, ["a"], convention="signed", resolution=resolution)


def test_an_unknown_convention_is_refused() -> None:
    with pytest.raises(ParameterError, match="one of signed, absolute"):
        score_ranking({"a": 1.0, "b": 2.0}, ["a"], convention="abs")  # type: ignore[arg-type]
