"""Integrated gradients of edges: each point of the way as a term, and what adds up."""

from typing import Any

import numpy as np
import pytest

from causalnet.effects import run
from causalnet.errors import AlignmentError, TermError
from causalnet.estimators import Attribution, eap_ig, edge_sites, mask_ig
from causalnet.interventions import (
    At,
    Base,
    Contrast,
    Do,
    Edge,
    Grad,
    Node,
    Op,
    Read,
    Scalar,
    Self,
    Site,
    World,
    integrated_gradients,
    logit_diff,
)
from causalnet.lift import LiftedNetwork, raised_casts
from causalnet.tasks import PromptPairs
from tests.estimators.pairs import exactly, pairs_sharing
from tests.toys import net, word_pairs

KINDS = ("llama", "gpt2")
BASE, SOURCE = Base("base"), Base("source")


def scored(
    estimator: Any, network: LiftedNetwork, pairs: PromptPairs, **options: Any
) -> tuple[Attribution, np.ndarray[Any, np.dtype[np.float64]]]:
    with raised_casts(network.model.module):
        found = estimator(network, pairs, per_prompt=True, **options)
    return found, found.per_prompt


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "options",
    [{"steps": 3}, {"steps": 2, "rule": "right", "direction": "denoising"}],
)
def test_inputs_are_what_the_language_names(kind: str, options: dict[str, Any]) -> None:
    network, pairs = net(kind), pairs_sharing(2)
    found, values = scored(eap_ig, network, pairs, **options)
    drawn = range(0, len(found), 6)
    edges = [site for site in found.sites if isinstance(site, Edge)]
    query = integrated_gradients([edges[number] for number in drawn], **options)
    with raised_casts(network.model.module):
        expected = run(query, network, pairs).values
    np.testing.assert_allclose(values[list(drawn)], expected, rtol=1e-10, atol=1e-10)
    assert found.passes.backwards == options["steps"]


def between(sites: list[Site], factor: float) -> World:
    """The world in which some sites are on the way from the base to the source."""
    return Do(
        BASE,
        tuple(
            (
                site,
                Op(
                    "lerp",
                    (At(site.read_from, BASE), At(site.read_from, SOURCE)),
                    (("factor", factor),),
                ),
            )
            for site in sites
        ),
    )


def averaged(edge: Edge, moved: list[Site], steps: int) -> Contrast:
    along = Op("subtract", (At(edge.sender, SOURCE), At(edge.sender, BASE)))
    factors = [(step + 0.5) / steps for step in range(steps)]
    return Contrast(
        tuple(
            (1 / steps, Grad(Read(logit_diff, between(moved, factor)), edge, along))
            for factor in factors
        )
    )


@pytest.mark.parametrize("kind", KINDS)
def test_activations_move_the_writers_of_the_senders_stage(kind: str) -> None:
    network, pairs = net(kind), pairs_sharing(2)
    heads: list[Site] = [Node(f"L0.H{head}") for head in range(4)]
    if kind == "gpt2":
        heads.append(Node("L0.attn_bias"))
    cases: list[tuple[Edge, list[Site]]] = [
        (Edge("embed", "L1.H2.q"), [Node("embed")]),
        (Edge("L0.H1", "L1.H2.q"), heads),
        (Edge("L0.H1", "logits"), heads),
        (Edge("L0.mlp", "L1.mlp"), [Node("L0.mlp")]),
        (Edge("L1.mlp", "logits"), [Node("L1.mlp")]),
    ]
    found, values = scored(eap_ig, network, pairs, along="activations", steps=2)
    expected = exactly([averaged(edge, moved, 2) for edge, moved in cases], network, pairs)
    mine = np.stack([values[found.sites.index(str(edge))] for edge, _ in cases])
    np.testing.assert_allclose(mine, expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("kind", KINDS)
def test_receivers_move_what_their_stage_reads(kind: str) -> None:
    network, pairs = net(kind), pairs_sharing(2)
    found, values = scored(eap_ig, network, pairs, along="receivers", steps=2)
    edges = [site for site in found.sites if isinstance(site, Edge)]
    cases: list[tuple[Edge, list[Site]]] = []
    for sender, receiver, stage in (
        ("L0.H1", "L1.H2.q", ("L1.H", "L1.KV")),
        ("L0.H1", "L1.mlp", ("L1.mlp",)),
        ("embed", "logits", ("logits",)),
    ):
        own: list[Site] = [edge for edge in edges if edge.receiver.startswith(stage)]
        cases.append((Edge(sender, receiver), own))
    expected = exactly([averaged(edge, moved, 2) for edge, moved in cases], network, pairs)
    mine = np.stack([values[found.sites.index(str(edge))] for edge, _ in cases])
    np.testing.assert_allclose(mine, expected, rtol=1e-10, atol=1e-10)


# -- what adds up --------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_edges_into_the_logits_add_up_to_the_total_effect(kind: str) -> None:
    """The midpoint rule errs by the square of the step, so ten times the steps err 100 times less.

    Only the last stage is looked at, whose way is the same in every row.
    """
    network, pairs = net(kind), pairs_sharing(2)
    errors = []
    for steps in (4, 40):
        found, values = scored(eap_ig, network, pairs, along="receivers", steps=steps)
        whole = values[edge_sites(network.graph).into("logits")].sum(0)
        errors.append(np.abs(whole - found.total).max())
    assert errors[1] < 2e-3
    assert errors[1] < errors[0] / 30


@pytest.mark.parametrize("kind", KINDS)
def test_edges_out_of_the_embedding_add_up_to_the_total_effect(kind: str) -> None:
    network, pairs = net(kind), pairs_sharing(2)
    out = [
        number for number, site in enumerate(edge_sites(network.graph)) if "embed ->" in str(site)
    ]
    errors = []
    for steps in (8, 80):
        found, values = scored(eap_ig, network, pairs, steps=steps)
        errors.append(np.abs(values[out].sum(0) - found.total).max())
    assert errors[1] < 2e-2
    assert errors[1] < errors[0] / 30


@pytest.mark.parametrize("kind", KINDS)
def test_edges_out_of_a_stage_add_up_to_the_effect_of_its_writers(kind: str) -> None:
    network, pairs = net(kind), pairs_sharing(2)
    patched = Do(BASE, tuple((Node(f"L1.H{head}"), At(f"L1.H{head}", SOURCE)) for head in range(4)))
    terms: list[Scalar] = [Read(logit_diff, patched), Read(logit_diff, BASE)]
    with_heads, without = exactly(terms, network, pairs)
    found, values = scored(eap_ig, network, pairs, along="activations", steps=60)
    own = [
        number
        for number, site in enumerate(found.sites)
        if isinstance(site, Edge) and site.sender.startswith("L1.H")
    ]
    np.testing.assert_allclose(values[own].sum(0), with_heads - without, atol=3e-3)
    assert np.abs(with_heads - without).max() > 0.1


def test_all_masks_add_up_to_the_total_effect() -> None:
    network, pairs = net("gpt2"), pairs_sharing(2)
    errors = []
    for steps in (5, 50):
        found, values = scored(mask_ig, network, pairs, steps=steps)
        errors.append(np.abs(values.sum(0) - found.total).max())
    assert errors[1] < 2e-3
    assert errors[1] < errors[0] / 30


def test_a_mask_is_a_share_of_what_receivers_read() -> None:
    """The derivative of the outcome by all masks together, by central differences."""
    network, pairs = net(), pairs_sharing(2)
    found, values = scored(mask_ig, network, pairs, steps=1)
    ends = []
    for factor in (0.5 - 1e-5, 0.5 + 1e-5):
        everything: list[Site] = [site for site in found.sites]
        mixed = tuple(
            (
                site,
                Op("lerp", (Self(), At(site.read_from, SOURCE)), (("factor", factor),)),
            )
            for site in everything
        )
        ends.append(Read(logit_diff, Do(BASE, mixed)))
    low, high = exactly(ends, network, pairs)
    np.testing.assert_allclose(values.sum(0), (high - low) / 2e-5, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("options", "told"),
    [({"steps": 0}, "0 steps"), ({"rule": "left"}, "left"), ({"along": "paths"}, "paths")],
)
def test_ways_that_are_none(options: dict[str, Any], told: str) -> None:
    with pytest.raises(TermError, match=told):
        eap_ig(net(), word_pairs(2), **options)


def test_unequal_lengths_have_no_way_between_them() -> None:
    with pytest.raises(AlignmentError, match="equal length"):
        eap_ig(net(), word_pairs(2, align=False, extra=1), at="end")
