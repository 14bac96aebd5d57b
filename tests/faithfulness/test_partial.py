"""Partial ablation against all subsets, against shares that add up, and at its two ends."""

from collections.abc import Iterator
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from causalnet.effects import counterfactual, zero
from causalnet.errors import ParameterError, TermError
from causalnet.faithfulness import (
    CircuitScorer,
    EdgeCircuitScorer,
    Regime,
    draw_with,
    partial_faithfulness,
    robust_fidelity,
)
from causalnet.interventions import logit_diff, probability
from causalnet.lift import raised_casts
from tests.toys import net, word_pairs


@pytest.fixture(autouse=True)
def in_float64_throughout() -> Iterator[None]:
    with raised_casts(net().model.module):
        yield


def test_the_ends_are_faithfulness_and_one() -> None:
    network, pairs = net(), word_pairs(4)
    universe = (*network.heads(), *network.mlps())
    scorer = CircuitScorer(network, logit_diff, counterfactual(), universe)
    circuit = (network["L0.H1"], network["L1.mlp"], network["L1.H2"])
    curve = partial_faithfulness(scorer, pairs, circuit, (0.0, 0.5, 1.0), draws=3)
    scores = scorer.score(pairs, circuit)
    np.testing.assert_array_equal(curve.values[0], scores.faithfulness)
    np.testing.assert_array_equal(curve.values[2], 1.0)
    np.testing.assert_array_equal(curve.errors[[0, 2]], 0.0)
    assert curve.errors[1] > 0
    assert curve.to_json()["conventions"]["level"].startswith("nodes")

    classical = robust_fidelity(scorer, pairs, circuit, removed=1.0, kept=0.0, draws=2)
    assert classical.plus == float((scores.model - scores.knocked_out).mean())
    assert classical.minus == float((scores.model - scores.kept).mean())
    assert (classical.plus, classical.minus) == classical.classical
    assert classical.delta == classical.plus - classical.minus
    assert classical.errors == (0.0, 0.0, 0.0)
    nothing = robust_fidelity(scorer, pairs, circuit, removed=0.0, kept=1.0, draws=2)
    assert (nothing.plus, nothing.minus, nothing.delta) == (0.0, 0.0, 0.0)
    assert nothing.classical == classical.classical


@pytest.mark.parametrize("size", [0, 4])
def test_the_empty_circuit_and_all_of_it_are_defined(size: int) -> None:
    network, pairs = net(), word_pairs(3)
    scorer = CircuitScorer(network, probability, zero(), network.heads(layer=1))
    fidelity = robust_fidelity(scorer, pairs, scorer.universe[:size], draws=4)
    assert (fidelity.minus if size else fidelity.plus) == 0.0
    assert (fidelity.plus if size else fidelity.minus) != 0.0


def test_shares_that_add_up() -> None:
    """The last layer of a linear network: every kept head adds its own share, drawn by numpy."""
    network, pairs = net("linear"), word_pairs(4)
    heads = network.heads(layer=1)
    scorer = CircuitScorer(network, logit_diff, counterfactual(), heads)
    alone = [scorer.score(pairs, [head]).faithfulness for head in heads]
    assert sum(alone) == pytest.approx(1.0, abs=1e-9)
    curve = partial_faithfulness(scorer, pairs, heads[:1], (0.3, 0.6), draws=4, seed=7)
    for row, alpha in enumerate(curve.alphas):
        for draw in range(4):
            drawn = np.random.default_rng((7, draw)).random(4) < alpha
            drawn[0] = True
            assert curve.values[row, draw] == pytest.approx(np.array(alone)[drawn].sum(), abs=1e-9)
    assert curve.slopes == pytest.approx(np.diff(curve.faithfulness) / 0.3)


def test_it_is_unbiased() -> None:
    """Oracle: all subsets, weighted by their probability; four standard errors."""
    network, pairs = net(), word_pairs(3)
    heads = network.heads(layer=1)
    scorer = CircuitScorer(network, logit_diff, counterfactual(), heads)
    circuit, rest, alpha = heads[:2], heads[2:], 0.3

    def expected(part: Regime, alone: bool) -> float:
        total = 0.0
        chosen = circuit if alone else rest
        for size in range(3):
            for subset in combinations(chosen, size):
                members = subset if alone else (*circuit, *subset)
                values = scorer.read(pairs, [(part, members)]).values[part, members]
                total += alpha**size * (1 - alpha) ** (2 - size) * float(values.mean())
        return total

    model = float(scorer.read(pairs, [(Regime.MODEL, ())]).values[Regime.MODEL, ()].mean())
    found = robust_fidelity(scorer, pairs, circuit, removed=alpha, kept=alpha, draws=400, seed=1)
    plus = model - expected(Regime.KNOCKED_OUT, True)
    minus = model - expected(Regime.KEPT, False)
    assert abs(found.plus - plus) < 4 * found.errors[0]
    assert abs(found.minus - minus) < 4 * found.errors[1]
    assert abs(found.delta - (plus - minus)) < 4 * found.errors[2]


@given(st.integers(0, 99), st.integers(0, 9), st.floats(0, 1), st.floats(0, 1))
def test_draws_are_nested_and_come_from_their_seed(
    seed: int, draw: int, one: float, other: float
) -> None:
    heads = net().heads()
    less, more = sorted((one, other))
    few, many = (draw_with(heads, alpha, seed, draw) for alpha in (less, more))
    assert set(few) <= set(many)
    assert few == draw_with(heads, less, seed, draw)
    assert draw_with(heads, 0.0, seed, draw) == ()
    assert draw_with(heads, 1.0, seed, draw) == heads


@settings(max_examples=3)
@given(st.data())
def test_edges_have_the_same_ends(data: st.DataObject) -> None:
    network, pairs = net(), word_pairs(3)
    scorer = EdgeCircuitScorer(network, logit_diff, counterfactual(), batch_size=2)
    circuit = data.draw(st.lists(st.sampled_from(scorer.universe), min_size=3, unique=True))
    scores = scorer.score(pairs, circuit)
    curve = partial_faithfulness(scorer, pairs, circuit, (0.0, 0.4, 1.0), draws=2)
    np.testing.assert_allclose(curve.values[0], scores.faithfulness, atol=1e-12)
    np.testing.assert_array_equal(curve.values[2], 1.0)
    fidelity = robust_fidelity(scorer, pairs, circuit, removed=1.0, kept=0.0, draws=1)
    assert fidelity.plus == pytest.approx(float((scores.model - scores.knocked_out).mean()))
    assert np.isnan(fidelity.errors[0])
    assert fidelity.to_json()["standard_errors"] == [None, None, None]
    assert fidelity.conventions["level"].startswith("edges")


def test_refusals() -> None:
    network, pairs = net(), word_pairs(2)
    scorer = CircuitScorer(network, logit_diff, zero(), network.heads())
    with pytest.raises(ParameterError, match=r"probability 1\.5"):
        robust_fidelity(scorer, pairs, (), removed=1.5)
    with pytest.raises(ParameterError, match="0 draws"):
        partial_faithfulness(scorer, pairs, (), draws=0)
    with pytest.raises(ParameterError, match="they rise"):
        partial_faithfulness(scorer, pairs, (), (0.5, 0.1))
    with pytest.raises(TermError, match=r"L0\.mlp cannot be kept"):
        partial_faithfulness(scorer, pairs, (network["L0.mlp"],))
