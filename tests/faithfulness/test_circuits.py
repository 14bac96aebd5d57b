"""Parts of circuits against worlds written by hand, and what the scorer refuses."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from causalnet.effects import counterfactual, mean, noise, optimal, resample, run, zero
from causalnet.errors import TermError
from causalnet.faithfulness import CircuitScorer, Regime
from causalnet.graphs import Mediator
from causalnet.interventions import Learning, joint, kl, logit_diff, nie, te
from causalnet.lift import raised_casts
from tests.toys import net, word_pairs


@pytest.fixture(autouse=True)
def in_float64_throughout() -> Iterator[None]:
    """Circuits are scored by hooks and the worlds written by hand run by the wavefront."""
    with raised_casts(net().model.module):
        yield


@pytest.fixture
def scorer() -> CircuitScorer:
    return CircuitScorer(net(), logit_diff, counterfactual(), net().heads(), batch_size=4)


def test_parts_are_the_worlds_they_say(scorer: CircuitScorer) -> None:
    network, pairs = net(), word_pairs(5)
    circuit = (network["L0.H1"], network["L1.H2"])
    others = tuple(head for head in network.heads() if head not in circuit)
    scores = scorer.score(pairs, circuit)
    total = run(te(), network, pairs)
    np.testing.assert_allclose(scores.model, total.unpatched, atol=1e-12)

    def patched(*members: Mediator) -> NDArray[np.float64]:
        table = run(nie(joint("set", *members)), network, pairs)
        return np.asarray(table.values[0] + table.unpatched)

    np.testing.assert_allclose(scores.kept, patched(*others), atol=1e-10)
    np.testing.assert_allclose(scores.empty, patched(*network.heads()), atol=1e-10)
    np.testing.assert_allclose(scores.knocked_out, patched(*circuit), atol=1e-10)


@pytest.mark.parametrize("direction", ["noising", "denoising"])
def test_extremes(direction: str) -> None:
    network, pairs = net(), word_pairs(5)
    universe = (*network.heads(), *network.mlps(), network["embed"])
    scorer = CircuitScorer(
        network,
        logit_diff,
        counterfactual(),
        universe,
        direction=direction,  # type: ignore[arg-type]  # parametrized
    )
    whole = scorer.score(pairs, universe)
    np.testing.assert_allclose(whole.kept, whole.model, atol=1e-10)
    np.testing.assert_allclose(whole.knocked_out, whole.empty, atol=1e-10)
    assert whole.faithfulness == pytest.approx(1.0)
    assert whole.drop == pytest.approx(1.0)
    nothing = scorer.score(pairs, ())
    np.testing.assert_allclose(nothing.kept, nothing.empty, atol=1e-10)
    np.testing.assert_allclose(nothing.knocked_out, nothing.model, atol=1e-10)
    source = run(te(), network, pairs)
    np.testing.assert_allclose(whole.empty, source.values[0] + source.unpatched, atol=1e-10)


def test_one_circuit_many_numbers() -> None:
    """The convention is part of the number: no two of them agree."""
    network, pairs = net(), word_pairs(6)
    reference = word_pairs(12, seed=4).base
    circuit = network.heads(layer=1)
    ablations = [
        (zero(), None),
        (counterfactual(), None),
        (mean(reference), reference),
        (resample(reference), reference),
    ]
    numbers = [
        CircuitScorer(network, logit_diff, ablation, network.heads(), reference=given)
        .score(pairs, circuit)
        .faithfulness
        for ablation, given in ablations
    ]
    assert len({round(number, 6) for number in numbers}) == len(numbers)


@pytest.mark.parametrize("direction", ["noising", "denoising"])
def test_values_of_a_noised_or_resampled_run_in_both_directions(direction: str) -> None:
    """The extremes again, and the wavefront against hooks; 1e-9."""
    network, pairs, reference = net(), word_pairs(3), word_pairs(8, seed=4).base
    universe = (*network.heads(), *network.mlps(), network["embed"])
    circuit = (network["embed"], network["L0.H1"], network["L1.mlp"])
    cases = [(noise(network, 1.0, draws=2), None), (resample(reference, draws=2), reference)]
    for ablation, given in cases:

        def scorer(executor: str, of: Any = ablation, given: Any = given) -> CircuitScorer:
            options: Any = {"direction": direction, "executor": executor}
            return CircuitScorer(network, logit_diff, of, universe, reference=given, **options)

        hooks, waves = scorer("hooks"), scorer("wavefront")
        whole = hooks.score(pairs, universe)
        np.testing.assert_allclose(whole.kept, whole.model, atol=1e-10)
        np.testing.assert_allclose(whole.knocked_out, whole.empty, atol=1e-10)
        ours, theirs = waves.score(pairs, circuit), hooks.score(pairs, circuit)
        for part in ("model", "kept", "empty", "knocked_out"):
            np.testing.assert_allclose(getattr(ours, part), getattr(theirs, part), atol=1e-9)
        assert np.abs(theirs.kept - theirs.empty).max() > 1e-3
        assert theirs.conventions["level"].startswith("nodes: ")
        assert theirs.conventions["direction"] == direction


def test_a_noise_scorer_gives_each_pair_its_noise_in_every_subset() -> None:
    network, pairs = net(), word_pairs(4)
    scorer = CircuitScorer(network, logit_diff, noise(network, seed=2), network.heads())
    whole = scorer.score(pairs, network.heads(0))
    for rows in ((0, 1), (2, 3), (3,)):
        part = scorer.score(pairs.rows(rows), network.heads(0))
        np.testing.assert_allclose(part.kept, whole.kept[list(rows)], atol=1e-10)


def test_optimal_constants_are_learned_for_each_part_once() -> None:
    """Each part is no worse on the training set than with means, which no learning is."""
    network, training = net(), word_pairs(4, seed=3)
    ablation = optimal(training, Learning(steps=4, rate=0.2, batch=4))
    scorer = CircuitScorer(network, kl, ablation, network.heads(), reference=training)
    circuit = (network["L0.H1"], network["L1.H2"])
    scores = scorer.score(training, circuit)
    assert [len(one["nodes"]) for one in scorer.learned] == [6, 8, 2]
    means = CircuitScorer(
        network, kl, mean(training.base), network.heads(), reference=training.base
    ).score(training, circuit)
    for part in ("kept", "empty", "knocked_out"):
        assert getattr(scores, part).mean() <= getattr(means, part).mean() + 1e-9
    np.testing.assert_allclose(
        [scores.kept.mean(), scores.empty.mean()],
        [one["loss"] for one in scorer.learned[:2]],
        atol=1e-9,
    )
    before = scorer.read(training, [(Regime.KEPT, circuit)])
    assert before.forwards == 2  # the ablated run, and the base that the divergence compares with
    with pytest.raises(TermError, match="Denoising with the ablation optimal"):
        CircuitScorer(
            network, kl, ablation, network.heads(), direction="denoising", reference=training
        )


def test_kl_to_the_model_is_zero_for_the_model(scorer: CircuitScorer) -> None:
    network, pairs = net(), word_pairs(3)
    by_kl = CircuitScorer(network, kl, counterfactual(), network.heads())
    scores = by_kl.score(pairs, network.heads(layer=0))
    np.testing.assert_allclose(scores.model, 0, atol=1e-12)
    assert (scores.empty > 0).all()


def test_equal_worlds_run_once(scorer: CircuitScorer) -> None:
    wanted = [
        (Regime.MODEL, ()),
        (Regime.MODEL, net().heads(0)),
        (Regime.KEPT, net().heads()),
    ]
    assert scorer.read(word_pairs(4), wanted).forwards == 1
    assert scorer.read(word_pairs(4), wanted, batch_size=2).forwards == 2


def test_refusals(scorer: CircuitScorer) -> None:
    network = net()
    with pytest.raises(TermError, match=r"L0\.mlp cannot be kept.*heads_and_mlps"):
        scorer.score(word_pairs(2), (network["L0.mlp"],))
    with pytest.raises(TermError, match="Denoising with the ablation zero"):
        CircuitScorer(network, logit_diff, zero(), network.heads(), direction="denoising")
    with pytest.raises(TermError, match="universe is empty"):
        CircuitScorer(network, logit_diff, zero(), ())
    with pytest.raises(TermError, match="needs reference prompts"):
        CircuitScorer(network, logit_diff, mean(word_pairs(2).base), network.heads())
