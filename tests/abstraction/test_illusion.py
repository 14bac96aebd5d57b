"""Subspaces taken apart, where what reads them is known by hand."""

import json
from typing import Any

import pytest
import torch

from causalnet.abstraction import (
    AlignedSite,
    Alignment,
    Basis,
    SubspaceDiagnostics,
    aligned,
    draw_interchanges,
    readers_of,
    subspace_diagnostics,
)
from causalnet.errors import ParameterError, TermError, UnknownMediatorError
from tests.abstraction.entities import SLOTS, WORDS, examples, model, network, slot_basis

# Differences of colours: their sum is the same for every entity, and read with the question.
CONTRASTS = torch.tensor([[1.0, -1, 0], [1, 1, -2]], dtype=torch.float64)
CONTRASTS = CONTRASTS / CONTRASTS.norm(dim=1, keepdim=True)
PAIRS = draw_interchanges(model(), examples(), "colour", 60, seed=3)


def diagnosed(rows: torch.Tensor, **options: Any) -> SubspaceDiagnostics:
    site = AlignedSite("L0.resid_mid", ("end",), Basis(rows, "rows"))
    return subspace_diagnostics(network(), PAIRS, Alignment({"colour": (site,)}), **options)


def test_what_holds_the_variable_and_is_read_has_no_flag() -> None:
    found = diagnosed(CONTRASTS @ slot_basis("colour"))
    assert found.null_share == pytest.approx(0, abs=1e-9)
    assert found.whole.estimate == 1.0 and found.row == found.whole
    assert found.effects["row"] == pytest.approx(found.effects["subspace"])
    assert found.variance is not None and found.variance > 0.5 and found.flags == ()
    assert json.loads(json.dumps(found.to_json()))["flags"] == []


def test_what_nothing_reads_is_not_seen_and_does_nothing() -> None:
    found = diagnosed(slot_basis("junk"))
    assert found.null_share == pytest.approx(1, abs=1e-9)
    assert found.row is None and found.variance is None and found.whole.estimate == 0.0
    assert found.effects["subspace"] == pytest.approx(0, abs=1e-9)
    assert found.flags[0] == "100% of it is not seen by what reads the node"


def test_half_of_a_mixture_is_seen() -> None:
    mixed = CONTRASTS @ (slot_basis("colour") + slot_basis("junk")) / 2**0.5
    found = diagnosed(mixed)
    assert found.null_share == pytest.approx(0.5, abs=1e-9)
    assert found.row is not None and found.row.estimate == 1.0  # the colour slot itself
    assert "not seen" in str(found)


def test_a_pathway_that_sleeps_is_flagged() -> None:
    """Junk holds a function of the entity, unread; the unembedding reads `out`, which is 0 here.

    Patched along a mixture of both, `out` moves with junk: an effect by a way that is never used.
    """
    base = (slot_basis("junk") + slot_basis("out")[:3]) / 2**0.5
    found = diagnosed(base)
    assert found.null_share == pytest.approx(0.5, abs=1e-9)
    assert found.variance == pytest.approx(0, abs=1e-9)
    assert abs(found.effects["subspace"]) > 0.1 and found.effects["row"] == pytest.approx(0)
    assert any("of the node's variance" in flag for flag in found.flags)


def test_readers_are_what_the_weights_read() -> None:
    """Oracle: the slots that were written down."""
    read = readers_of(network(), "L0.resid_mid")
    for name in ("colour", "shape", "token", "out"):
        assert (read @ slot_basis(name).T).abs().max() > 0, name
    for name in ("junk", "place"):
        assert (read @ slot_basis(name).T).abs().max() == 0, name
    early = readers_of(network(), "L0.resid_pre")
    assert (early @ slot_basis("place").T).abs().max() > 0  # queries and keys
    late = readers_of(network(), "L0.mlp")
    assert (late @ slot_basis("colour").T).abs().max() == 0  # the unembedding alone
    assert late.shape == (len(WORDS), SLOTS.width)
    head = readers_of(network(), "L0.H0.z")
    assert head.shape[0] == SLOTS.width and torch.linalg.matrix_rank(head) == 3


def test_gains_of_norms_are_read_too() -> None:
    """Oracle: the derivative of the logits along a direction that no reader sees is 0."""
    from tests.toys import net

    read = readers_of(net("llama", layers=1), "L0.resid_post")
    unembedding = net("llama", layers=1).places.unembedding
    norm = net("llama", layers=1).places.final_norm
    assert norm is not None
    weight, gain = (dict(one.named_parameters())["weight"] for one in (unembedding, norm))
    torch.testing.assert_close(read, (weight * gain).double())


def test_mistakes() -> None:
    for wrong in (
        aligned({"colour": "L0.H0"}),
        aligned({"colour": ["L0.H0", "L0.H1"]}, subspace=torch.eye(SLOTS.width).double()[:1]),
    ):
        with pytest.raises(TermError, match="A subspace of one node"):
            subspace_diagnostics(network(), PAIRS, wrong)
    with pytest.raises(ParameterError, match=r"Readers of shape \[2, 3\]"):
        diagnosed(slot_basis("colour"), readers=torch.zeros(2, 3))
    with pytest.raises(TermError, match=r"What reads L0.H0.pattern is not known"):
        readers_of(network(), "L0.H0.pattern")
    with pytest.raises(UnknownMediatorError):
        readers_of(network(), "L9.mlp")
