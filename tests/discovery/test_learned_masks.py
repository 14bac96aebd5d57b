"""Learned masks: gates by their formula, known circuits found, searches that go on bit by bit."""

from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from causalnet.discovery.exact import outcome_of
from causalnet.discovery.journal import Journal
from causalnet.discovery.learned_masks import OPEN, edge_pruning, gates_of, subnetwork_probing
from causalnet.discovery.question import Question
from causalnet.effects import counterfactual, zero
from causalnet.errors import CausalNetError, ParameterError
from causalnet.interventions import ReadOut, accuracy, kl, logit_diff, logit_distance
from causalnet.known_circuits import known_circuit
from causalnet.lift import lift
from causalnet.models import load
from causalnet.tasks import PromptPairs
from tests.toys import net, word_pairs


@cache
def known(name: str, readout: ReadOut = kl) -> tuple[Question, set[str]]:
    circuit = known_circuit(name)
    tokenizer = circuit.tokenizer()
    network = lift(load(circuit.module(), tokenizer=tokenizer, dtype="float64"))
    pairs = PromptPairs.build(tokenizer, list(circuit.rows(16)))
    truth = {f"{sender} -> {receiver}" for sender, receiver in circuit.truth}
    return Question(network, pairs, zero(), readout), truth


def toy(readout: ReadOut = kl, grain: str = "heads") -> Question:
    return Question(net("llama"), word_pairs(4, seed=1), counterfactual(), readout, grain)


@given(theta=st.floats(-6, 6))
def test_gates_are_open_as_often_as_their_scores_say(theta: float) -> None:
    """A binomial share of 20,000 draws: six standard errors."""
    drawn = torch.rand(20_000, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    gates, is_open = gates_of(torch.full((20_000,), theta, dtype=torch.float64), drawn)
    wanted = float(is_open[0])
    share = float((gates > 0).double().mean())
    assert abs(share - wanted) < 6 * np.sqrt(wanted * (1 - wanted) / 20_000) + 1e-9
    middle = gates_of(torch.tensor([theta]), torch.tensor([0.5]))[0]
    assert bool(middle > 0.5) == (wanted > OPEN) or abs(theta) < 1e-6


@pytest.mark.parametrize("method", ["probing", "pruning"])
def test_the_circuit_of_a_known_network_is_found(method: str) -> None:
    question, truth = known("induction_soft")
    if method == "probing":
        found = subnetwork_probing(question, strength=2.0, steps=100)
    else:
        found = edge_pruning(question, len(truth), steps=100)
    assert {name for name, _ in found.top(len(truth))} == truth
    chosen = found.values > OPEN if method == "probing" else np.argsort(-found.values)[: len(truth)]
    kept = np.zeros(len(question.units))
    kept[chosen] = 1
    assert float(outcome_of(question, kept[None]).mean()) < 1e-3


@pytest.mark.parametrize("readout", [logit_diff, logit_distance])
def test_a_search_goes_on_bit_by_bit(tmp_path: Path, readout: ReadOut) -> None:
    question, journal = toy(readout), Journal(tmp_path / "masks")
    whole = edge_pruning(question, 3, steps=30, seed=7)
    for last in (5, 23, 27):

        def stop(done: int, total: int, last: int = last) -> None:
            if done >= last:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            edge_pruning(question, 3, steps=30, seed=7, progress=stop, journal=journal)
    found = edge_pruning(question, 3, steps=30, seed=7, journal=journal)
    np.testing.assert_array_equal(found.values, whole.values)
    assert found.notes == whole.notes
    with pytest.raises(ParameterError, match="another search"):
        edge_pruning(question, 3, steps=30, seed=8, journal=journal)


def test_pruning_approaches_the_sparsity_that_is_asked() -> None:
    for size in (2, 5):
        found = edge_pruning(toy(), size, steps=120, multiplier_rate=3.0)
        assert abs(found.values.sum() - size) < 1.0
    dear, cheap = (subnetwork_probing(toy(), strength=price, steps=60) for price in (50.0, 0.01))
    assert dear.values.sum() < cheap.values.sum()


@pytest.mark.parametrize(
    ("options", "words"),
    [({"steps": 0}, "whole number"), ({"rate": -1.0}, "above 0"), ({"strength": 0.0}, "above 0")],
)
def test_numbers_out_of_range(options: dict[str, float], words: str) -> None:
    with pytest.raises(ParameterError, match=words):
        subnetwork_probing(toy(), **options)  # type: ignore[arg-type]  # wrong on purpose


def test_what_cannot_be_asked() -> None:
    with pytest.raises(CausalNetError, match="accuracy has no gradient"):
        subnetwork_probing(toy(accuracy))
    with pytest.raises(ParameterError, match="8 units"):
        edge_pruning(toy(), 9)
    question = Question(
        net("llama"), word_pairs(4, seed=1), counterfactual(), kl, direction="denoising"
    )
    with pytest.raises(ParameterError, match="noising"):
        edge_pruning(question, 3)
