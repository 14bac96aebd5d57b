"""Truths computed from weights: what they say, and that logits agree."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from causalnet.known_circuits import (
    KNOWN,
    SmallShape,
    SmallTransformer,
    active_truth,
    known_circuit,
    structural_truth,
)
from tests.known_circuits.kept_edges import all_edges, kept_logits
from tests.known_circuits.written_truths import BACKUP, WRITTEN

seeds = st.integers(0, 2**31 - 1)


def random_ids(shape: SmallShape, rows: int, seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, shape.vocabulary, (rows, shape.length), generator=generator)


def sparse_network(seed: int, share: float) -> SmallTransformer:
    """Weights of which a share is not zero."""
    generator = torch.Generator().manual_seed(seed)
    silent = ("L0.H1", "L1.mlp") if seed % 2 else ("L1.H0",)
    shape = SmallShape(5, 4, 6, 2, 2, 3, 3, causal=bool(seed % 3), silent=silent)
    module = SmallTransformer(shape).double()
    with torch.no_grad():
        for parameter in module.parameters():
            drawn = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
            there = torch.rand(parameter.shape, generator=generator) < share
            parameter.copy_(drawn * there)
        module.silence()
    return module


@pytest.mark.parametrize("name", KNOWN)
def test_what_is_computed_from_weights_is_what_was_meant(name: str) -> None:
    circuit, (truth, active, count) = known_circuit(name), WRITTEN[name]
    assert circuit.truth == truth == structural_truth(circuit.module())
    assert circuit.active == active
    assert len(all_edges(circuit.module())) == count


@pytest.mark.parametrize("name", KNOWN)
def test_nothing_but_the_truth_changes_the_logits(name: str) -> None:
    """Oracle: a plain pass in which all other edges carry zero; tolerance 1e-12."""
    circuit = known_circuit(name)
    module, ids = circuit.module(), random_ids(circuit.shape, 32, seed=1)
    assert torch.allclose(kept_logits(module, ids, None), module(ids), rtol=0, atol=1e-12)
    kept = kept_logits(module, ids, circuit.truth)
    assert torch.allclose(kept, module(ids), rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", KNOWN)
def test_every_edge_of_the_truth_can_change_the_logits(name: str) -> None:
    """Under zero ablation, with random tokens, in the truth's own network; least change 1e-9.

    At a sharpness of 20 an edge that acts against a score of -4 would move logits by e^-80: the
    hard networks are asked at the sharpness of the soft ones.
    """
    soft = {} if name in ("proportion", "brackets") else {"sharpness": 2.0}
    circuit = known_circuit(name, **soft)
    module, ids = circuit.module(), random_ids(circuit.shape, 64, seed=2)
    intact = kept_logits(module, ids, circuit.truth)
    for edge in circuit.truth:
        without = kept_logits(module, ids, circuit.truth - {edge})
        assert (without - intact).abs().max() > 1e-9, edge


@settings(max_examples=40)
@given(seeds, st.sampled_from([0.1, 0.2, 0.35, 1.0]))
def test_the_truth_of_any_weights_gives_the_logits(seed: int, share: float) -> None:
    module = sparse_network(seed, share)
    truth, ids = structural_truth(module), random_ids(module.config, 4, seed)
    assert truth <= all_edges(module)
    assert torch.allclose(kept_logits(module, ids, truth), module(ids), rtol=0, atol=1e-10)


@settings(max_examples=30)
@given(seeds)
def test_weights_without_zeros_connect_everything(seed: int) -> None:
    module = sparse_network(seed, 1.0)
    assert structural_truth(module) == all_edges(module)


@given(st.integers(0, 4), seeds)
@settings(max_examples=5)
def test_junk_has_no_part_in_the_truth(junk: int, seed: int) -> None:
    for name in KNOWN:
        circuit = known_circuit(name, junk=junk, seed=seed)
        assert circuit.truth == WRITTEN[name][0]
        distractors = {node for node, role in circuit.roles.items() if role.startswith("junk")}
        assert len(distractors) == junk * circuit.shape.layers
        named = {
            part.removesuffix(f".{c}") for edge in circuit.truth for part in edge for c in "qkv"
        }
        assert not distractors & named


def test_a_backup_that_is_needed_runs() -> None:
    circuit = known_circuit("indirect_object_backup_negative")
    ids = torch.tensor([row["base_ids"] for row in circuit.rows(8, seed=3)])
    module = circuit.module()
    assert active_truth(module, ids) == circuit.truth - BACKUP
    width = circuit.shape.head_width
    with torch.no_grad():
        mover = module.get_parameter("blocks.2.attention.output.weight")
        mover[:, :width] = 0
    gone = {edge for edge in circuit.truth if "L2.H0" in (edge[0], edge[1][:5])}
    assert active_truth(module, ids) == circuit.truth - gone


def test_with_soft_attention_no_backup_rests_entirely() -> None:
    circuit = known_circuit("indirect_object_backup_negative", sharpness=2.0)
    assert circuit.active == circuit.truth
