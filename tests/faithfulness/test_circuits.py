"""Parts of circuits against worlds written by hand, and what the scorer refuses."""

from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from causalnet.effects import counterfactual, mean, resample, run, zero
from causalnet.errors import TermError
from causalnet.faithfulness import CircuitScorer, Regime
from causalnet.graphs import Mediator
from causalnet.interventions import joint, kl, logit_diff, nie, te
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
