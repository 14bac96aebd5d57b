import json
import math
from itertools import combinations, permutations, product

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats

from causalnet.discovery.scoring import overlap_of_circuits, overlap_of_rankings, top_sites
from causalnet.discovery.scoring.chance import SMALLEST, Sizes, chance_of, expected_jaccard, holm
from causalnet.discovery.scoring.conventions import Convention
from causalnet.discovery.scoring.selection import count_of, counts_of
from causalnet.errors import ParameterError
from tests.discovery.scoring.strategies import rankings

CONVENTIONS = st.sampled_from(["signed", "absolute"])


@st.composite
def sizes(draw: st.DrawFn, most: int = 300, least: int = 0) -> Sizes:
    total = draw(st.integers(max(least, 1), most))
    first, second = (draw(st.integers(least, total)) for _ in range(2))
    return Sizes(first, second, total)


@st.composite
def two_circuits(draw: st.DrawFn) -> tuple[list[str], frozenset[str], frozenset[str]]:
    """Sites of two to four layers, and two circuits that are not empty."""
    heads = draw(st.lists(st.integers(1, 4), min_size=2, max_size=4))
    sites = [f"L{layer}.H{head}" for layer, n in enumerate(heads) for head in range(n)]
    circuits = st.frozensets(st.sampled_from(sites), min_size=1)
    return sites, draw(circuits), draw(circuits)


@settings(max_examples=50)
@given(sizes(), st.data())
def test_chance_is_hypergeometric(size: Sizes, data: st.DataObject) -> None:
    """Oracle: scipy's survival function; 1e-9 of it, in the far tail too."""
    a, b, n = size
    least, largest = max(0, a + b - n), min(a, b)
    shared = data.draw(st.integers(least, largest))
    chance = chance_of(shared, [size])
    assert chance.p_value == pytest.approx(
        max(SMALLEST, stats.hypergeom.sf(shared - 1, n, a, b)), rel=1e-9
    )
    assert chance.expected == pytest.approx(a * b / n, rel=1e-12)
    assert chance_of(shared, [Sizes(b, a, n)]) == chance
    assert chance_of(least, [size]).p_value == 1


@settings(max_examples=50)
@given(st.lists(sizes(most=4), min_size=1, max_size=3), st.data())
def test_layers_are_matched_as_if_by_enumeration(strata: list[Sizes], data: st.DataObject) -> None:
    """Oracle: every circuit with the same sizes in every layer, beside the first sites."""
    draws = product(*(combinations(range(n), second) for _, second, n in strata))
    firsts = [first for first, _, _ in strata]
    numbers = [
        sum(sum(site < first for site in layer) for layer, first in zip(one, firsts, strict=True))
        for one in draws
    ]
    shared = data.draw(st.sampled_from(sorted(set(numbers))))
    chance = chance_of(shared, strata)
    share_at_least = sum(number >= shared for number in numbers) / len(numbers)
    assert chance.p_value == pytest.approx(share_at_least, rel=1e-12)
    assert chance.expected == pytest.approx(sum(numbers) / len(numbers), abs=1e-12)


@settings(max_examples=50)
@given(sizes(), sizes())
def test_two_layers_convolve(one: Sizes, other: Sizes) -> None:
    """Oracle: scipy's probabilities, summed over the pairs directly."""
    shared = (min(one[:2]) + min(other[:2]) + 1) // 2
    law = [[stats.hypergeom.pmf(np.arange(min(a, b) + 1), n, a, b)] for a, b, n in (one, other)]
    x, y = np.arange(law[0][0].size), np.arange(law[1][0].size)
    p = np.outer(law[0][0], law[1][0])[np.add.outer(x, y) >= shared].sum()
    assert chance_of(shared, [one, other]).p_value == pytest.approx(p, rel=1e-9, abs=1e-250)


@settings(max_examples=50)
@given(sizes(), st.floats(0.001, 0.2))
def test_the_test_errs_at_most_alpha(size: Sizes, alpha: float) -> None:
    """Exact: the probability, under the null, of all numbers whose p-value is at most alpha."""
    a, b, n = size
    numbers = range(max(0, a + b - n), min(a, b) + 1)
    rejected = [x for x in numbers if chance_of(x, [size]).p_value <= alpha]
    assert math.fsum(stats.hypergeom.pmf(rejected, n, a, b)) <= alpha * (1 + 1e-9)


@settings(max_examples=50)
@given(sizes(most=60, least=1))
def test_the_jaccard_of_random_circuits(size: Sizes) -> None:
    a, b, n = size
    x = np.arange(max(0, a + b - n), min(a, b) + 1)
    oracle = float(np.dot(stats.hypergeom.pmf(x, n, a, b), x / (a + b - x)))
    assert expected_jaccard(size) == pytest.approx(oracle, rel=1e-9)


@settings(max_examples=50)
@given(st.lists(st.floats(1e-9, 1), min_size=1, max_size=6))
def test_holm_is_closed_bonferroni(p_values: list[float]) -> None:
    """Oracle: the largest Bonferroni p-value over all sets of hypotheses that hold this one."""
    indices = range(len(p_values))
    subsets = [s for size in indices for s in combinations(indices, size + 1)]
    for i, adjusted in enumerate(holm(p_values)):
        oracle = max(min(1, len(s) * min(p_values[j] for j in s)) for s in subsets if i in s)
        assert adjusted == pytest.approx(oracle, rel=1e-12)


@settings(max_examples=50)
@given(two_circuits(), st.booleans())
def test_overlap_is_symmetric_and_of_sets(
    given_circuits: tuple[list[str], frozenset[str], frozenset[str]], with_layers: bool
) -> None:
    sites, one, other = given_circuits
    layers = {site: site[:2] for site in sites} if with_layers else None
    overlap = overlap_of_circuits(one, other, sites, layers=layers)
    back = overlap_of_circuits(other, one, sites, layers=layers)
    assert (overlap.jaccard, overlap.coefficient) == (back.jaccard, back.coefficient)
    assert (overlap.by_size, overlap.by_layer) == (back.by_size, back.by_layer)
    assert overlap.jaccard == len(one & other) / len(one | other)
    assert overlap.coefficient == len(one & other) / min(len(one), len(other))
    assert 0 <= overlap.jaccard <= overlap.coefficient <= 1
    assert (overlap.by_layer is None) == (not with_layers)


@settings(max_examples=50)
@given(two_circuits())
def test_a_circuit_of_everything_overlaps_by_necessity(
    given_circuits: tuple[list[str], frozenset[str], frozenset[str]],
) -> None:
    sites, one, _ = given_circuits
    layers = {site: site[:2] for site in sites}
    overlap = overlap_of_circuits(one, sites, sites, layers=layers)
    assert overlap.by_layer is not None
    assert (overlap.by_size.p_value, overlap.by_layer.p_value) == (1, 1)
    assert overlap.by_size.expected == pytest.approx(len(one), rel=1e-12)
    assert overlap.coefficient == 1


@settings(max_examples=50)
@given(two_circuits())
def test_one_layer_is_no_layer(
    given_circuits: tuple[list[str], frozenset[str], frozenset[str]],
) -> None:
    sites, one, other = given_circuits
    overlap = overlap_of_circuits(one, other, sites, layers=dict.fromkeys(sites, "all"))
    assert overlap.by_layer == overlap.by_size


def test_the_heads_of_two_tasks() -> None:
    """6 of the first 10 of 270 heads shared: 0.37 expected, Jaccard 0.43."""
    heads = [f"L{layer}.H{head}" for layer in range(30) for head in range(9)]
    overlap = overlap_of_circuits(heads[:10], heads[4:14], heads)
    assert (overlap.shared, overlap.total) == (6, 270)
    assert round(overlap.by_size.expected, 2) == 0.37
    assert overlap.jaccard is not None and round(overlap.jaccard, 2) == 0.43
    assert overlap.by_size.p_value == pytest.approx(stats.hypergeom.sf(5, 270, 10, 10), rel=1e-9)


def test_graphs_of_many_edges() -> None:
    """70,651 edges in 30 layers: no overflow, and no p-value of 0."""
    size = Sizes(7065, 7065, 70651)
    assert chance_of(750, [size]).p_value == pytest.approx(
        stats.hypergeom.sf(749, size.total, size.first, size.second), rel=1e-8
    )
    layers = [Sizes(235, 235, 2355)] * 30
    for strata in ([size], layers):
        smallest = min(size.first, sum(one.first for one in strata))
        assert chance_of(smallest, strata).p_value == SMALLEST


# -- the first sites of a ranking ---------------------------------------------------------------


@settings(max_examples=60)
@given(rankings(most=6), CONVENTIONS, st.data())
def test_the_first_sites_are_first_in_every_order(
    ranking: tuple[dict[str, float], frozenset[str]], convention: Convention, data: st.DataObject
) -> None:
    """Oracle: all orders of the sites, sorted stably, so that every order of ties comes up."""
    scores, _ = ranking
    count = data.draw(st.integers(1, len(scores)))
    value = {s: abs(x) if convention == "absolute" else x for s, x in scores.items()}
    tops = [
        frozenset(sorted(order, key=lambda site: -value[site])[:count])
        for order in permutations(scores)
    ]
    assert top_sites(scores, count, convention=convention) == frozenset.intersection(*tops)


@pytest.mark.parametrize(
    ("threshold", "total", "count"),
    [
        (0.05, 270, 14),
        (0.145, 100, 15),
        (0.01, 50, 1),
        (0.001, 106, 1),
        (1.0, 7, 7),
        (1, 7, 1),
        (7, 7, 7),
    ],
)
def test_shares_and_counts(threshold: float, total: int, count: int) -> None:
    assert count_of(threshold, total) == count


@settings(max_examples=50)
@given(st.floats(0, 1, exclude_min=True), st.integers(1, 10**5))
def test_a_share_is_rounded_to_the_nearest_count(share: float, total: int) -> None:
    count = count_of(share, total)
    assert 1 <= count <= total
    assert count == 1 or abs(count - share * total) <= 0.5 + 1e-8


@pytest.mark.parametrize("threshold", [0, -1, 8, 0.0, 1.5, math.nan, True])
def test_other_thresholds_are_refused(threshold: float) -> None:
    with pytest.raises(ParameterError, match="count from 1 to 7, or a share"):
        counts_of([0.5, threshold], 7)


# -- sweeps -------------------------------------------------------------------------------------


@settings(max_examples=50)
@given(rankings(most=12), rankings(most=12), CONVENTIONS)
def test_a_sweep_is_symmetric_and_adjusted(
    one: tuple[dict[str, float], frozenset[str]],
    other: tuple[dict[str, float], frozenset[str]],
    convention: Convention,
) -> None:
    sites = sorted(one[0].keys() & other[0].keys())
    first, second = ({site: scores[site] for site in sites} for scores in (one[0], other[0]))
    assume(all(len({abs(x) for x in scores.values()}) > 1 for scores in (first, second)))
    backwards = dict(reversed(second.items()))
    thresholds = (1, 0.5, 1.0)
    sweep = overlap_of_rankings(first, backwards, convention=convention, thresholds=thresholds)
    back = overlap_of_rankings(second, first, convention=convention, thresholds=thresholds)
    values = [
        [abs(x) if convention == "absolute" else x for x in scores.values()]
        for scores in (first, second)
    ]
    assert sweep.rank_correlation == back.rank_correlation
    assert sweep.rank_correlation == pytest.approx(stats.spearmanr(*values).statistic, abs=1e-12)
    assert [row.overlap.by_size for row in sweep.rows] == [row.overlap.by_size for row in back.rows]
    assert sweep.rows[-1].count == sweep.rows[-1].overlap.shared == sweep.total
    assert sweep.rows[-1].overlap.by_size.p_value == sweep.rows[-1].holm_by_size == 1
    assert [row.holm_by_size for row in sweep.rows] == list(
        holm([row.overlap.by_size.p_value for row in sweep.rows])
    )


@settings(max_examples=50)
@given(rankings(most=12), st.data())
def test_a_row_is_the_overlap_of_the_tops(
    ranking: tuple[dict[str, float], frozenset[str]], data: st.DataObject
) -> None:
    first, _ = ranking
    values = data.draw(st.permutations(range(len(first))))
    second = dict(zip(first, map(float, values), strict=True))
    layers = {site: site[:2] for site in first}
    assume(len(set(first.values())) > 1)
    for row in overlap_of_rankings(first, second, convention="signed", layers=layers).rows:
        tops = [top_sites(scores, row.count, convention="signed") for scores in (first, second)]
        if all(tops):
            one, other = tops
            assert row.overlap == overlap_of_circuits(one, other, list(first), layers=layers)
        else:
            assert (row.overlap.shared, row.overlap.coefficient) == (0, None)
            assert row.overlap.by_size.p_value == 1


def test_an_order_that_two_rankings_share_is_no_overlap() -> None:
    """Two sparse rankings, all else 0 in the same order: breaking ties would share most."""
    names = [f"edge{i}" for i in range(106)]
    one = dict.fromkeys(names, 0.0) | {"edge50": 3.0, "edge51": 2.0}
    other = dict.fromkeys(names, 0.0) | {"edge70": 3.0, "edge71": 2.0}
    (row,) = overlap_of_rankings(one, other, convention="absolute", thresholds=[0.1]).rows
    assert (row.count, row.overlap.size_first, row.overlap.size_second) == (11, 2, 2)
    assert (row.overlap.shared, row.overlap.by_size.p_value) == (0, 1)
    assert "ties at the cut are left out" in str(row)


def test_a_cut_through_ties_at_the_top_leaves_nothing() -> None:
    one = {"a": 1.0, "b": 1.0, "c": 0.0}
    (row,) = overlap_of_rankings(one, one, convention="signed", thresholds=[1]).rows
    assert (row.overlap.jaccard, row.overlap.coefficient) == (None, None)
    assert "Jaccard undefined" in str(row)


def test_shares_of_one_count_are_one_question() -> None:
    one = {f"edge{i}": float(i) for i in range(69)}
    sweep = overlap_of_rankings(one, one, convention="signed", thresholds=(0.02, 0.01, 0.05))
    assert [(row.threshold, row.count) for row in sweep.rows] == [(0.02, 1), (0.05, 3)]


def test_what_is_written() -> None:
    one = {f"L{i // 5}.H{i % 5}": float(-i) for i in range(20)}
    layers = {site: site[:2] for site in one}
    sweep = overlap_of_rankings(one, one, convention="signed", layers=layers, thresholds=[0.1])
    assert str(sweep) == (
        "rank correlation 1.000 over 20 sites, by signed score\n"
        "first 2 (10 %): 2 shared of 2 and 2 among 20: Jaccard 1.000, overlap coefficient 1.000; "
        "0.20 expected, p = 0.005; with layers matched 0.80 expected, p = 0.100; "
        "adjusted p = 0.005, with layers matched 0.100"
    )
    assert json.loads(json.dumps(sweep.to_json(), allow_nan=False)) == sweep.to_json()


def test_what_cannot_be_compared_is_refused() -> None:
    one, constant = {"a": 1.0, "b": 2.0}, {"a": 0.0, "b": 0.0}
    with pytest.raises(ParameterError, match="All 2 sites of the second ranking tie"):
        overlap_of_rankings(one, constant, convention="signed")
    with pytest.raises(ParameterError, match="All 2 sites of the first ranking tie"):
        overlap_of_rankings(constant, one, convention="signed")
    with pytest.raises(ParameterError, match="second ranking are unknown: 'c'"):
        overlap_of_rankings(one, {**one, "c": 0.0}, convention="signed")
    with pytest.raises(ParameterError, match="first ranking are unknown: 'b'"):
        overlap_of_rankings(one, {"a": 1.0}, convention="signed")
    with pytest.raises(ParameterError, match="scores are NaN"):
        overlap_of_rankings(one, {"a": 1.0, "b": math.nan}, convention="signed")
    with pytest.raises(ParameterError, match="no thresholds"):
        overlap_of_rankings(one, one, convention="signed", thresholds=[])
    with pytest.raises(ParameterError, match="table of layers knows 1 sites"):
        overlap_of_rankings(one, one, convention="signed", layers={"a": 0})


def test_circuits_that_cannot_be_compared_are_refused() -> None:
    with pytest.raises(ParameterError, match="second circuit is empty"):
        overlap_of_circuits(["a"], [], ["a", "b"])
    with pytest.raises(ParameterError, match="first circuit is empty"):
        overlap_of_circuits([], ["a"], ["a", "b"])
    with pytest.raises(ParameterError, match="first circuit are unknown: 'c'"):
        overlap_of_circuits(["c"], ["a"], ["a", "b"])
    with pytest.raises(ParameterError, match="first 3 sites"):
        top_sites({"a": 1.0}, 3, convention="signed")
