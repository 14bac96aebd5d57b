"""All edges at once, held to derivatives and finite differences by the hook executor."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from causalnet.estimators import Attribution, eap, edge_sites
from causalnet.interventions import (
    At,
    Base,
    Do,
    Edge,
    Op,
    Read,
    Self,
    kl,
    logit_diff,
    loss,
    probability,
)
from causalnet.lift import LiftedNetwork, raised_casts
from causalnet.tasks import PromptPairs
from tests.estimators.pairs import derivatives, exactly, pairs_sharing
from tests.toys import net, word_pairs

KINDS = ("llama", "gpt2", "linear")


def scored(network: LiftedNetwork, pairs: PromptPairs, **options: Any) -> Attribution:
    with raised_casts(network.model.module):
        return eap(network, pairs, per_prompt=True, **options)


def each(attribution: Attribution) -> np.ndarray[Any, np.dtype[np.float64]]:
    assert attribution.per_prompt is not None
    return attribution.per_prompt


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shared", [0, 3])
def test_every_edge_has_the_derivative_of_its_term(kind: str, shared: int) -> None:
    network, pairs = net(kind), pairs_sharing(shared)
    found = scored(network, pairs)
    expected = derivatives(list(found.sites), network, pairs)
    np.testing.assert_allclose(each(found), expected, rtol=1e-10, atol=1e-10)
    assert (np.abs(expected).max(1) > 1e-6).mean() > 0.4  # the linear network's q and k have none


CHOICES = st.fixed_dictionaries(
    {
        "direction": st.sampled_from(["noising", "denoising"]),
        "at": st.sampled_from([(), ("end",), (2,), ("end", 2), (-1, "end"), (0,)]),
        "readout": st.sampled_from([logit_diff, probability, loss, kl]),
        "batch_size": st.integers(1, 4),
    }
)


@settings(max_examples=15)
@given(
    kind=st.sampled_from(KINDS[:2]),
    shared=st.integers(0, 4),
    lengths=st.sampled_from([(6, 5), (5,), (7, 5, 6)]),
    options=CHOICES,
    draw=st.randoms(use_true_random=False),
)
def test_conventions_are_those_of_the_terms(
    kind: str, shared: int, lengths: tuple[int, ...], options: dict[str, Any], draw: Any
) -> None:
    network, pairs = net(kind), pairs_sharing(shared, lengths=lengths)
    found = scored(network, pairs, **options)
    drawn = draw.sample(range(len(found)), 12)
    expected = derivatives(
        [found.sites[number] for number in drawn],
        network,
        pairs,
        options["direction"],
        options["readout"],
    )
    np.testing.assert_allclose(each(found)[drawn], expected, rtol=1e-9, atol=1e-10)


def test_pairs_of_unequal_length_at_named_positions() -> None:
    network, pairs = net(), word_pairs(3, lengths=(5, 4), align=False, extra=2)
    found = scored(network, pairs, at=("end", 1))
    drawn = range(0, len(found), 7)
    expected = derivatives([found.sites[number] for number in drawn], network, pairs)
    np.testing.assert_allclose(each(found)[list(drawn)], expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("kind", KINDS[:2])
def test_a_score_is_the_slope_of_the_patched_world(kind: str) -> None:
    """Central differences with step h = 1e-4 err by h squared times a third derivative."""
    network, pairs = net(kind), pairs_sharing(2)
    owner = "KV1" if kind == "llama" else "H1"
    edges = [
        Edge("L0.H1", "L1.H2.q"),
        Edge("embed", f"L1.{owner}.k"),
        Edge("L0.mlp", f"L1.{owner}.v"),
        Edge("L0.H3", "L0.mlp"),
        Edge("L1.H0", "logits"),
    ]
    base, source, step = Base("base"), Base("source"), 1e-4
    terms = []
    for edge in edges:
        along = Op("subtract", (At(edge.sender, source), At(edge.sender, base)))
        for sign in (1.0, -1.0):
            value = Op("add", (Self(), along), (("factor", sign * step),))
            terms.append(Read(logit_diff, Do(base, ((edge, value),))))
    values = exactly(terms, network, pairs)
    slopes = (values[0::2] - values[1::2]) / (2 * step)
    found = scored(network, pairs)
    mine = np.stack([each(found)[found.sites.index(str(edge))] for edge in edges])
    np.testing.assert_allclose(mine, slopes, rtol=1e-6, atol=1e-6)
    assert np.abs(slopes).max() > 0.1


def test_scores_are_exact_in_a_linear_network() -> None:
    network, pairs = net("linear"), pairs_sharing(1)
    found = scored(network, pairs)
    terms = [found.exact_effect(number) for number in range(len(found))]
    np.testing.assert_allclose(each(found), exactly(terms, network, pairs), atol=1e-10)


def test_directions_have_opposite_signs_where_effects_are_linear() -> None:
    network, pairs = net("linear"), pairs_sharing(1)
    there, back = (scored(network, pairs, direction=way) for way in ("noising", "denoising"))
    np.testing.assert_allclose(each(there), -each(back), atol=1e-10)
    np.testing.assert_allclose(there.total, -back.total, atol=1e-10)
    assert np.abs(each(there)).max() > 1


@pytest.mark.parametrize("kind", KINDS)
def test_every_residual_edge_is_there_once(kind: str) -> None:
    graph = net(kind).graph
    sites = edge_sites(graph)
    assert len(sites) == graph.count_edges()
    names = [str(site) for site in sites]
    assert len(set(names)) == len(names)
    for number, site in enumerate(sites):
        assert isinstance(site, Edge)
        graph.edge(site.sender, site.receiver)
        assert sites.index(names[number]) == number


def test_batches_and_padding_change_nothing() -> None:
    network, pairs = net(), pairs_sharing(2, n=5, lengths=(6, 4, 7))
    alone, together = (scored(network, pairs, batch_size=size) for size in (1, 5))
    np.testing.assert_allclose(each(alone), each(together), atol=1e-11)
    np.testing.assert_allclose(alone.scores, each(alone).mean(1), atol=1e-12)
    deviation = each(alone).std(1, ddof=1) / np.sqrt(5)
    np.testing.assert_allclose(alone.standard_errors, deviation, atol=1e-9)


def test_what_is_shared_is_run_once() -> None:
    """Two forwards and one backward, over the columns from the first that differs."""
    pairs = pairs_sharing(4, lengths=(6,))
    passes = scored(net(), pairs).passes
    assert (passes.forwards, passes.backwards) == (2, 1)
    assert passes.columns == pytest.approx(2 / 6)


def test_equal_prompts_have_no_scores() -> None:
    pairs = word_pairs(2)
    same = PromptPairs.build(
        net().model.tokenizer,
        [
            {"base": text, "source": text, "answer": " w1", "foil": " w2"}
            for text in pairs.base.texts
        ],
    )
    found = scored(net(), same)
    assert not each(found).any()
    assert found.unpatched.any() and not found.total.any()
