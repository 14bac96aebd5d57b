"""Screen, then verify: exact where it says so, and a bound that holds for the rest."""

import math
from typing import Any

import numpy as np
import pytest
import torch

from causalnet.effects import counterfactual, mean, run, zero
from causalnet.errors import NumericalError, ParameterError, UnknownMediatorError
from causalnet.estimators.control_sample import ScreenError, drawn, most_among
from causalnet.estimators.first_orders import first_order
from causalnet.estimators.query_rows import QueryRows
from causalnet.estimators.runner import default_runner
from causalnet.estimators.screening import screen_then_verify
from causalnet.execute import Bindings, schedule
from causalnet.interventions import (
    Edge,
    Grad,
    Query,
    ablation_effect,
    accuracy,
    attribution_patch,
    kl,
    nie,
    parse_query,
    per_total_effect,
    tde,
)
from causalnet.lift import raised_casts
from tests.estimators.recorded import made_up, recorded
from tests.toys import net, word_pairs

# -- the bound -------------------------------------------------------------------------------------


@pytest.mark.parametrize("alpha", [0.05, 0.3])
def test_the_bound_is_too_small_as_seldom_as_it_says(alpha: float) -> None:
    """By counting all samples: for every truth, P(bound < truth) <= alpha, and no bound less."""
    for among in range(1, 13):
        for sampled in range(1, among + 1):
            bounds = [most_among(found, sampled, among, alpha) for found in range(sampled + 1)]
            assert bounds == sorted(bounds)
            for truth in range(among + 1):
                chance = {
                    found: math.comb(truth, found) * math.comb(among - truth, sampled - found)
                    for found in range(sampled + 1)
                }
                short = sum(count for found, count in chance.items() if bounds[found] < truth)
                assert short <= alpha * math.comb(among, sampled)
            assert bounds[-1] == among  # finding only such rows excludes nothing
            assert sampled < among or bounds == list(range(sampled + 1))


def test_many_rows_have_the_bound_of_clopper_and_pearson() -> None:
    from scipy.special import betaincinv

    for found, sampled in ((0, 20), (3, 20), (10, 60)):
        with_replacement = betaincinv(found + 1, sampled - found, 0.95)
        for among in (100, 1000, 70_651):
            assert most_among(found, sampled, among) <= math.ceil(with_replacement * among)
        many = most_among(found, sampled, 10**6) / 10**6
        assert many == pytest.approx(with_replacement, rel=1e-4)


def test_a_sample_that_does_not_fit_is_refused() -> None:
    for found, sampled, among, alpha in ((3, 2, 9, 0.05), (0, 10, 9, 0.05), (0, 2, 9, 0.0)):
        with pytest.raises(ParameterError, match="A sample is part of the rows"):
            most_among(found, sampled, among, alpha)


def test_samples_are_drawn_evenly_and_without_replacement() -> None:
    counts = np.zeros(10)
    for seed in range(2000):
        sample = drawn(np.arange(10), 3, seed)
        assert len(set(sample)) == 3 and list(sample) == sorted(sample)
        counts[list(sample)] += 1
    assert np.abs(counts / 600 - 1).max() < 0.15  # 600 expected, standard deviation 20
    assert drawn(range(4), 9, 0) == (0, 1, 2, 3)


def test_errors_are_screen_minus_exact() -> None:
    error = ScreenError.of(np.array([1.0, 2.0, 4.0]), np.array([1.0, 3.0, 2.0]))
    assert (error.n, error.largest) == (3, 2.0)
    assert error.bias == pytest.approx(1 / 3)
    assert error.rms == pytest.approx((5 / 3) ** 0.5)
    assert error.correlation == pytest.approx(np.corrcoef([1, 2, 4], [1, 3, 2])[0, 1])
    assert math.isnan(ScreenError.of(np.ones(3), np.arange(3.0)).correlation)
    assert math.isnan(ScreenError.of(np.arange(2.0), np.arange(2.0)).correlation)
    assert ScreenError.of(np.empty(0), np.empty(0)).n == 0


# -- first orders ----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
@pytest.mark.parametrize("direction", ["noising", "denoising"])
@pytest.mark.parametrize("further", [(), ("L1.mlp.scale",)])
def test_first_orders_of_interchange_are_attribution_patching(
    kind: str, direction: Any, further: tuple[str, ...]
) -> None:
    """By the estimator of nodes; with a scale, which that does not reach, by derivatives."""
    network, pairs = net(kind), word_pairs(5, lengths=(5, 4))
    named = (network[name] for name in ("L1.H1.q", *further))
    nodes = (*network.heads(), *network.mlps(), *named)
    query = ablation_effect(nodes, counterfactual(), at="end", direction=direction)
    first_orders = attribution_patch(nodes, at="end", direction=direction)
    with raised_casts(network.model.module):
        found = screen_then_verify(network, query, pairs, k=1, control=1)
        expected = run(first_orders, network, pairs).means()
    np.testing.assert_allclose(found.estimates, expected, atol=1e-12, rtol=0)
    assert np.abs(expected).max() > 0.1


def test_first_orders_are_exact_where_the_network_is_linear() -> None:
    """Of every kind of value, in both directions, and at edges."""
    network = net("linear")
    reference = word_pairs(6, seed=9).base
    heads, edge = network.heads(), Edge("L0.H1", "L1.mlp")
    queries: list[tuple[Query, dict[str, Any]]] = [
        (nie(heads, at="end"), {}),
        (tde(heads), {}),
        (ablation_effect(heads, zero()), {}),
        (ablation_effect(heads, zero(), direction="denoising"), {}),
        (ablation_effect(heads, mean(reference)), {"reference": reference}),
        (
            parse_query(f"logit_difference(<base> + {{{edge} := L0.H1 in <source>}})", net().graph),
            {},
        ),
    ]
    pairs = word_pairs(4)
    for query, options in queries:
        exact = run(query, network, pairs, **options).means()
        found = screen_then_verify(network, query, pairs, k=1, control=1, **options)
        np.testing.assert_allclose(found.estimates, exact, atol=1e-9, rtol=1e-9)
        assert np.abs(exact).max() > 1e-3


def test_first_orders_take_one_backward_pass() -> None:
    """Base read-outs cancel in a contrast, so that one forward reads the source and one backs."""
    query = nie((*net().heads(), *net().mlps()), at="end")
    leaves = [leaf for _, row in query.contrasts for leaf in first_order(row)]
    assert len(leaves) == 10 and all(isinstance(leaf, Grad) for leaf in leaves)
    assert len(schedule(leaves)) == 2


# -- screens ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("rank", ["atp", "bf16"])
@pytest.mark.parametrize("kind", ["llama", "gpt2"])
def test_exact_rows_are_exact_and_the_first_ones_rank_first(kind: str, rank: Any) -> None:
    network, pairs = net(kind, layers=4), word_pairs(6)
    query = nie(network.heads(), at="end")
    with raised_casts(network.model.module):
        table = run(query, network, pairs)
        found = screen_then_verify(network, query, pairs, rank=rank, k=5, control=4, seed=1)
    top = [label for label, why in found.why.items() if why == "top"]
    ranked = np.argsort(-np.abs(found.estimates), kind="stable")[:5]
    assert top == [found.rows[row] for row in ranked]
    assert len(found.exact) == len(found.why) == 9
    for label in found.exact.rows:
        exact = table.values[table.rows.index(label)]
        row = found.exact.values[found.exact.rows.index(label)]
        np.testing.assert_allclose(row, exact, atol=1e-10, rtol=0)
        assert found[label].is_exact and found[label].interval is not None
    np.testing.assert_allclose(found.exact.unpatched, table.unpatched, atol=1e-10)
    known = [found[label].is_exact for label in found.rows]
    np.testing.assert_allclose(found.means()[known], table.means()[known], atol=1e-10)
    others = [not one for one in known]
    np.testing.assert_array_equal(found.means()[others], found.estimates[others])
    smallest = min(abs(table[label].mean) for label in top)
    assert found.threshold == pytest.approx(smallest, abs=1e-10)
    control = [label for label, why in found.why.items() if why == "control"]
    assert found.bound.found == sum(abs(table[label].mean) > smallest for label in control)
    assert found.bound.unrun == 7 and found.errors["control"].n == 4


def test_derivatives_have_no_reduced_format() -> None:
    query = attribution_patch(net().heads(), at="end")
    with pytest.raises(ParameterError, match="A derivative in bfloat16"):
        screen_then_verify(net(), query, word_pairs(2), rank="bf16", k=1, control=1)


def test_some_prompts_are_those_prompts() -> None:
    network, pairs = net(), word_pairs(6, lengths=(5, 4))
    query = nie(network.heads(), at="end")
    run_leaves = default_runner(network, Bindings.of(pairs), batch_size=4)
    everything = run_leaves(query.leaves, None, None)
    some = run_leaves(query.leaves, [5, 0, 2], None)
    for leaf in query.leaves:
        torch.testing.assert_close(some[leaf], everything[leaf][[5, 0, 2]], atol=1e-6, rtol=0)


def test_scores_may_be_given() -> None:
    query = nie(net().heads(), at="end")
    effects = np.arange(8.0)[:, None] + np.zeros((8, 3))
    asked: list[tuple[str, ...]] = []

    def backwards(labels: tuple[str, ...]) -> list[float]:
        asked.append(labels)
        return [-1.0, 2.0, -8.0, 4.0, 5.0, -6.0, 7.0, 3.0]

    found = screen_then_verify(
        net(),
        query,
        word_pairs(3),
        rank=backwards,
        k=2,
        control=3,
        runner=made_up(query, effects),
    )
    assert asked == [found.rows]
    assert [label for label, why in found.why.items() if why == "top"] == ["L0.H2", "L1.H2"]
    assert found.threshold == 2.0
    assert [row.label for row in found.top(1)] == ["L1.H3"] or found["L1.H3"].why == "screened"


def test_the_bound_holds_over_draws_of_the_control_sample() -> None:
    """The screen misses 6 of 60 rows on purpose; the bound must be at least the misses left."""
    network = net(layers=16)
    query = nie(network.heads(), at="end")
    effects = np.zeros((64, 2)) + np.linspace(0.0, 0.1, 64)[:, None]
    effects[:4], effects[10:70:10] = 1.0, 2.0
    scores = np.where(np.arange(64) < 4, 9.0, np.linspace(0.1, 0.5, 64))
    runner = made_up(query, effects)
    pairs, short, found_some = word_pairs(2), 0, 0
    for seed in range(200):
        found = screen_then_verify(
            network,
            query,
            pairs,
            rank=lambda labels: scores,
            k=4,
            control=15,
            seed=seed,
            runner=runner,
        )
        control = {label for label, why in found.why.items() if why == "control"}
        missed = {found.rows[row] for row in range(10, 64, 10)}
        assert found.threshold == 1.0 and found.bound.found == len(missed & control)
        short += found.bound.at_most < len(missed - control)
        found_some += bool(missed & control)
    assert short <= 0.05 * 200 + 3 * (0.05 * 0.95 * 200) ** 0.5
    assert 20 < found_some < 200


def test_tau_replaces_the_smallest_of_the_first() -> None:
    network, pairs = net(), word_pairs(4)
    query = nie(network.heads(), at="end")
    found = screen_then_verify(network, query, pairs, k=2, control=2, tau=0.25)
    assert found.threshold == 0.25 and "larger in size than 0.25" in str(found.bound)


def test_a_small_query_is_run_whole() -> None:
    network, pairs = net(), word_pairs(4)
    query = nie(network.heads(), at="end")
    for k, control in ((8, 1), (3, 99)):
        found = screen_then_verify(network, query, pairs, k=k, control=control)
        assert len(found.exact) == 8 and found.bound.at_most == 0
        assert str(found.bound) == "Every row was run exactly."
        assert found.conventions.estimator == "exact"


def test_a_screen_says_what_it_is() -> None:
    network, pairs = net(layers=4), word_pairs(4)
    found = screen_then_verify(network, nie(network.heads(), at="end"), pairs, k=4, control=4)
    text = str(found)
    assert "16 rows x 4 prompts, 8 rows exact" in text and "patched - unpatched" in text
    assert "exact (top; the screen said" in text and "screened: not run exactly" in text
    assert "8 rows were not run exactly: with 95 % confidence, at most" in text
    assert "attribution patching (first order)" in text and "correlation" in text
    assert found.conventions.estimator.startswith("exact for 8 of 16 rows, attribution")
    assert "misjudge" in found.conventions.error and "8 exact" in repr(found)
    assert found.exact.provenance["seed"] == 0 and found.exact.ledger
    unrun = next(label for label in found.rows if not found[label].is_exact)
    assert found[unrun].interval is None and found[unrun].mean == found[unrun].estimate
    with pytest.raises(UnknownMediatorError, match="Nearest: L1"):
        found["L1.H7"]


# -- bad input -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"k": 9}, "k is 9, and the query has 8 rows"),
        ({"k": 0}, "k is 0"),
        ({"control": 0}, "control is 0"),
        ({"control": 0, "k": 8}, "control is 0"),
        ({"tau": -1.0}, "tau is -1.0"),
        ({"tau": math.nan}, "tau is nan"),
        ({"alpha": 1.0}, "alpha is 1.0"),
        ({"rank": "eap"}, "The rank 'eap'"),
        ({"rank": lambda labels: [1.0]}, r"shape \(1,\)"),
        ({"rank": lambda labels: [0.0] * 8}, "Every score is 0"),
    ],
)
def test_bad_parameters_are_refused(options: dict[str, Any], message: str) -> None:
    network = net()
    query = nie(network.heads(), at="end")
    chosen = {"k": 2, "runner": recorded(network, query, word_pairs(2)), "rank": len_scores}
    with pytest.raises(ParameterError, match=message) as caught:
        screen_then_verify(network, query, word_pairs(2), **{**chosen, **options})
    assert caught.value.possible and caught.value.write


def test_a_query_in_the_place_of_the_network_is_refused() -> None:
    network, query = net(), nie(net().heads(), at="end")
    with pytest.raises(ParameterError, match="A Query was given as the network"):
        screen_then_verify(query, network, word_pairs(2))  # type: ignore[arg-type]  # as in cn.run


def len_scores(labels: tuple[str, ...]) -> list[int]:
    return list(range(1, len(labels) + 1))


def test_a_score_that_is_no_number_is_named() -> None:
    with pytest.raises(NumericalError, match=r"The score of L0.H2 is nan"):
        screen_then_verify(
            net(),
            nie(net().heads()),
            word_pairs(2),
            k=2,
            rank=lambda labels: [math.nan if label == "L0.H2" else 1.0 for label in labels],
        )


def test_an_effect_that_is_no_number_is_named() -> None:
    query, pairs = nie(net().heads()), word_pairs(2)
    effects = np.ones((8, 2))
    effects[3, 1] = np.inf
    with pytest.raises(NumericalError, match=f"L0.H3 is inf on the prompt {pairs.labels[1]}"):
        screen_then_verify(
            net(), query, pairs, k=8, rank=len_scores, runner=made_up(query, effects)
        )


@pytest.mark.parametrize(
    ("query", "message"),
    [
        (nie(net().heads(), outcome=kl), "L0.H0 reads kl, whose first order is 0"),
        (nie(net().heads(), outcome=accuracy), "L0.H0 reads accuracy"),
        (per_total_effect(nie(net().heads())), "ratios of means"),
        (per_total_effect(nie(net().heads()), "prompt by prompt"), "L0.H0 applies 'ratio'"),
        (nie(net().heads(0), via=net()["L1.H1.q"]), "worlds that are patched themselves"),
        (
            parse_query("logit_difference(<base> + {L0.mlp := 0} + {L1.mlp := 0})", net().graph),
            "several layers",
        ),
    ],
)
def test_what_first_orders_cannot_rank_is_refused(query: Query, message: str) -> None:
    with pytest.raises(ParameterError, match=message) as caught:
        screen_then_verify(net(), query, word_pairs(2), k=1, control=1)
    assert caught.value.write


def test_all_rows_may_be_asked_for() -> None:
    rows = QueryRows.of(net(), "nie(heads; at=end)", word_pairs(3), 0)
    assert len(rows) == 8 and rows.labels[0] == "L0.H0"
    assert rows.effects([7, 0], [1]).shape == (2, 1)
