"""Trained networks by name: kept where the user keeps such things, trained once, lifted."""

import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

from causalnet.effects import run
from causalnet.errors import CausalNetError, ModelNotFoundError
from causalnet.interventions import accuracy, te
from causalnet.known_circuits import TRAINED, known_circuit
from causalnet.known_circuits.trained import edges_among
from causalnet.lift import lift
from causalnet.models import load
from causalnet.tasks import make

LISTED = [name for name in TRAINED if name != "learned_induction"]  # whose heads are measured


def test_a_trained_network_is_trained_once_and_lifts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CAUSALNET_CACHE", str(tmp_path))
    with pytest.warns(UserWarning, match=r"Training interchange, once; it is kept in .*trained"):
        model = load("known:sum_plain")
    assert len(list((tmp_path / "trained").iterdir())) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        again = known_circuit("sum_plain").module()
    assert all(
        torch.equal(one, other)
        for one, other in zip(model.module.parameters(), again.parameters(), strict=True)
    )
    net, pairs = lift(model), make("known:sum_plain", model.tokenizer, n=32, seed=1)
    circuit = known_circuit("sum_plain")
    assert circuit.truth <= set(net.graph.edges())
    assert set(circuit.roles) <= set(net.graph.names())
    table = run(te(outcome=accuracy), net, pairs)
    np.testing.assert_array_equal(table.unpatched, np.ones(32))  # it answers everything
    np.testing.assert_array_equal(table.values, -np.ones((1, 32)))  # and the source otherwise


@pytest.mark.parametrize("name", LISTED)
def test_what_is_known_beforehand_needs_no_training(name: str) -> None:
    circuit = known_circuit(name, seed=3)
    rows = circuit.rows(20, seed=1)
    assert rows == circuit.rows(20, seed=1) != circuit.rows(20, seed=2)
    for row in rows:
        base, source = row["base_ids"], row["source_ids"]
        assert isinstance(base, list) and isinstance(source, list)
        modulus = len(circuit.words) - 1
        assert base[-1] == source[-1] == modulus
        assert [(base[0] + base[1]) % modulus] == row["answer_ids"]
        assert [(source[0] + source[1]) % modulus] == row["foil_ids"]


def test_the_truth_of_the_sum_is_among_its_three_nodes() -> None:
    truth = known_circuit("sum_strict").truth
    assert truth == known_circuit("sum_plain").truth == edges_among(["L0.H0", "L0.H1", "L1.mlp"])
    # Two embeddings into six channels, with both heads into the MLP, with all three to the end.
    assert len(truth) == 2 * 6 + 4 + 5
    assert ("L0.H0", "L1.mlp") in truth and ("L0.H0", "L0.H1.q") not in truth


def test_a_folder_that_cannot_be_made_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("no folder")
    monkeypatch.setenv("CAUSALNET_CACHE", str(blocked))
    with pytest.raises(CausalNetError, match=r"cannot be kept.*Set CAUSALNET_CACHE"):
        known_circuit("sum_plain").module()
    with pytest.raises(ModelNotFoundError, match="Did you mean 'sum_plain'"):
        known_circuit("sum_plan")
