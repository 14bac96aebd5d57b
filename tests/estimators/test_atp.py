"""Attribution patching of nodes, with patterns computed again and gradients dropped."""

from typing import Any

import numpy as np
import pytest
import torch

from causalnet.errors import AlignmentError
from causalnet.estimators import Attribution, atp, atp_star
from causalnet.graphs import Kind, Mediator
from causalnet.interventions import (
    At,
    Base,
    Contrast,
    Do,
    Grad,
    Node,
    Op,
    Position,
    Read,
    Scalar,
    logit_diff,
)
from causalnet.lift import LiftedNetwork, lift, raised_casts
from causalnet.lift.places import parameter
from causalnet.models import load
from causalnet.tasks import PromptPairs
from tests.estimators.pairs import derivatives, exactly, pairs_sharing
from tests.small_models import linear_network
from tests.toys import fresh_net, net, taken_as_it_is, word_pairs, words

KINDS = ("llama", "gpt2")
BASE, SOURCE = Base("base"), Base("source")


def every_node(network: LiftedNetwork) -> list[Mediator]:
    found = [network.graph.find(name) for name in network.graph.names()]
    return [each for each in found if each.kind not in (Kind.SCALE, Kind.LOGITS)]


def scored(
    estimator: Any, network: LiftedNetwork, pairs: PromptPairs, nodes: Any, **options: Any
) -> tuple[Attribution, np.ndarray[Any, np.dtype[np.float64]]]:
    with raised_casts(network.model.module):
        found = estimator(network, pairs, nodes, per_prompt=True, **options)
    return found, found.per_prompt


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("lengths", "options"),
    [
        ((6, 5), {}),
        ((6, 5), {"direction": "denoising"}),
        ((6, 5), {"at": ("end", 1)}),
        ((6, 5), {"at": ("end", 4), "each_position": True}),
        ((6,), {"each_position": True}),
    ],
)
def test_every_node_has_the_derivative_of_its_term(
    kind: str, lengths: tuple[int, ...], options: dict[str, Any]
) -> None:
    network, pairs = net(kind), pairs_sharing(2, lengths=lengths)
    found, values = scored(atp, network, pairs, every_node(network), **options)
    sites = [found.sites[number] for number in range(len(found))]
    expected = derivatives(sites, network, pairs, options.get("direction", "noising"))
    np.testing.assert_allclose(values, expected, rtol=1e-10, atol=1e-10)
    assert (np.abs(expected).max(1) > 1e-6).mean() > 0.3


def test_pairs_of_unequal_length_at_named_positions() -> None:
    network, pairs = net(), word_pairs(3, lengths=(5, 4), align=False, extra=2)
    nodes = [each for each in every_node(network) if each.kind is not Kind.PATTERN]
    found, values = scored(atp, network, pairs, nodes, at=("end", 1))
    sites = [found.sites[number] for number in range(len(found))]
    np.testing.assert_allclose(values, derivatives(sites, network, pairs), atol=1e-10)
    with pytest.raises(AlignmentError, match="pattern"):
        atp(network, pairs, ["L0.H1.pattern"], at="end")


def test_scores_are_exact_in_a_linear_network() -> None:
    network, pairs = net("linear"), pairs_sharing(1)
    nodes = [n for n in every_node(network) if n.kind is not Kind.PATTERN]
    found, values = scored(atp, network, pairs, nodes)
    terms = [found.exact_effect(number) for number in range(len(found))]
    np.testing.assert_allclose(values, exactly(terms, network, pairs), atol=1e-10)
    assert np.abs(values).max() > 1


# -- patterns computed again ---------------------------------------------------------------------


def through_patterns(network: LiftedNetwork, node: str, at: tuple[Position, ...] = ()) -> Contrast:
    """The first order in each head's pattern, along the pattern that the patched node makes."""
    shape = network.graph.shape
    mediator = network.graph.find(node)
    patched = Do(BASE, ((Node(node, at), At(node, SOURCE)),))
    heads = range(shape.heads) if mediator.kind is Kind.KEY else [mediator.index or 0]
    if mediator.kind is Kind.KEY:
        heads = [head for head in heads if shape.group_of(head) == mediator.index]
    terms = []
    for head in heads:
        pattern = f"L{mediator.layer}.H{head}.pattern"
        along = Op("subtract", (At(pattern, patched), At(pattern, BASE)))
        terms.append((1.0, Grad(Read(logit_diff, BASE), Node(pattern), along)))
    return Contrast(tuple(terms))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("at", [(), (3, "end"), ("end",)])
@pytest.mark.parametrize("each", [False, True])
def test_the_qk_fix_is_first_order_in_the_pattern_alone(
    kind: str, at: tuple[Position, ...], each: bool
) -> None:
    network, pairs = net(kind), pairs_sharing(1, lengths=(5,))
    nodes = [n for n in every_node(network) if n.kind in (Kind.QUERY, Kind.KEY)]
    options = {"at": at, "each_position": each, "grad_drop": False}
    found, values = scored(atp_star, network, pairs, nodes, **options)
    terms: list[Scalar] = [
        through_patterns(network, site.read_from, site.at)
        for site in (found.sites[number] for number in range(len(found)))
    ]
    expected = exactly(terms, network, pairs)
    np.testing.assert_allclose(values, expected, rtol=1e-9, atol=1e-10)
    assert np.abs(expected).max() > 0.1


def test_the_qk_fix_is_exact_where_all_behind_the_pattern_is_linear() -> None:
    """One layer without norms: the logits are linear in each head's pattern."""
    module = linear_network(layers=1)
    generator = torch.Generator().manual_seed(3)
    for name, weight in module.named_parameters():
        if name.endswith(("q.weight", "k.weight")):
            weight.data.copy_(torch.randn(weight.shape, generator=generator).double() * 0.3)
    network = lift(load(module, tokenizer=words(), dtype="float64"))
    pairs = pairs_sharing(1)
    nodes = [n for n in every_node(network) if n.kind in (Kind.QUERY, Kind.KEY)]
    found, values = scored(atp_star, network, pairs, nodes, grad_drop=False)
    terms = [found.exact_effect(number) for number in range(len(found))]
    expected = exactly(terms, network, pairs)
    np.testing.assert_allclose(values, expected, atol=1e-10)
    _, unfixed = scored(atp, network, pairs, nodes)
    assert np.abs(unfixed - expected).max() > 0.03


def test_a_saturated_key_is_no_nan() -> None:
    """Attention of exactly 1 on a token: the closed form has 0 times infinity in it."""
    network = fresh_net()
    with torch.no_grad():
        for queries in network.places.queries:
            parameter(queries.module, "weight").mul_(1e3)
    network, pairs = taken_as_it_is(network), pairs_sharing(1, lengths=(5,))
    nodes = [n for n in every_node(network) if n.kind is Kind.KEY]
    _, values = scored(atp_star, network, pairs, nodes, grad_drop=False, each_position=True)
    assert np.isfinite(values).all()
    assert np.abs(values).max() > 1e-3


def test_other_nodes_are_as_without_the_fix() -> None:
    network, pairs = net(), pairs_sharing(2)
    nodes = [n for n in every_node(network) if n.kind not in (Kind.QUERY, Kind.KEY)]
    _, fixed = scored(atp_star, network, pairs, nodes, grad_drop=False)
    np.testing.assert_array_equal(fixed, scored(atp, network, pairs, nodes)[1])


# -- gradients dropped ---------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_grad_drop_averages_magnitudes_without_each_layer(kind: str) -> None:
    """The oracle: the model with hooks that let no gradient through one layer's part.

    Where cuts are touched the hook executor adds up a block's output itself, so that there the
    hooks are on what attention and MLP write; for nodes within a block, on the block.
    """
    layers, pairs = 3, pairs_sharing(2)
    network = net(kind, 0, layers)
    nodes = [n for n in every_node(network) if n.kind is not Kind.PATTERN]
    found, values = scored(atp_star, network, pairs, nodes, qk_fix=False)
    cuts = np.array([n.kind is Kind.RESIDUAL for n in nodes])
    total, places = np.zeros_like(values), network.places
    for dropped in range(layers):
        for are_cuts, hooks in (
            (False, [(places.blocks[dropped], _past)]),
            (True, [(places.mixers[dropped], _cut_off), (places.mlps[dropped], _cut_off)]),
        ):
            handles = [module.register_forward_hook(hook) for module, hook in hooks]
            numbers = np.flatnonzero(cuts == are_cuts)
            sites = [found.sites[int(number)] for number in numbers]
            within = derivatives(sites, taken_as_it_is(network), pairs)
            total[numbers] += np.abs(within)
            for handle in handles:
                handle.remove()
    # Kramár et al. divide by the layers that are not the node's own; cuts and embedding have none.
    own = [n.kind not in (Kind.RESIDUAL, Kind.EMBED) for n in nodes]
    expected = total / (layers - np.array(own))[:, None]
    np.testing.assert_allclose(values, expected, rtol=1e-10, atol=1e-10)
    assert found.method.sign == "magnitude"
    assert found.passes.backwards == 1 + layers


def _cut_off(_module: Any, _inputs: Any, output: torch.Tensor) -> torch.Tensor:
    return output.detach()


def _past(_module: Any, inputs: Any, output: Any) -> Any:
    stream = inputs[0]
    if isinstance(output, tuple):
        return (stream + (output[0] - stream).detach(), *output[1:])
    return stream + (output - stream).detach()


def test_dropping_and_fixing_together() -> None:
    """Queries and keys of the last layer: dropping another layer changes no gradient of theirs."""
    network, pairs = net(), pairs_sharing(2)
    nodes = [n for n in every_node(network) if n.kind is Kind.QUERY and n.layer == 1]
    _, both = scored(atp_star, network, pairs, nodes)
    _, fixed = scored(atp_star, network, pairs, nodes, grad_drop=False)
    np.testing.assert_allclose(both, np.abs(fixed), atol=1e-12)
