"""What graphs declare of their nodes holds of real mechanisms: affine slots, positions, causality.

The values are those of the graph's own rebuilding in float64; tolerances are absolute.
"""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from causalnet.graphs import Kind, Node, transformer_graph
from causalnet.lift import LiftedNetwork, lift, rebuild
from causalnet.models import load
from tests.small_models import linear_network, random_ids, tiny_gpt2, tiny_llama

TOLERANCE = 1e-8
MAKERS: dict[str, Callable[[], Any]] = {
    "llama": tiny_llama,
    "llama, no sharing, biases": lambda: tiny_llama(kv_heads=4, bias=True),
    "gpt2": tiny_gpt2,
    "linear": linear_network,
}


@pytest.fixture(scope="module", params=MAKERS)
def net(request: pytest.FixtureRequest) -> LiftedNetwork:
    return lift(load(MAKERS[request.param]()))


def misfit(inputs: torch.Tensor, outputs: torch.Tensor) -> float:
    """How far outputs [sample, m] are from the best affine function of inputs [sample, n]."""
    ones = torch.ones(len(inputs), 1, dtype=inputs.dtype)
    known = torch.cat([inputs, ones], 1)
    assert len(known) > 3 * known.shape[1]
    solution = torch.linalg.lstsq(known, outputs, driver="gelsd").solution
    return float((known @ solution - outputs).abs().max())


def stream_read(net: LiftedNetwork, node: Node, parts: Any) -> torch.Tensor:
    """What a node's mechanism makes of its `resid` slot with its scale held: the stream over it."""
    name = str(node.mediator)
    writers = net.graph.writers_before(name)
    stream = torch.stack([parts[writer] for writer in writers]).sum(0)
    scale = parts[f"{name}.scale"] if f"{name}.scale" in parts else 1.0
    return (stream / scale).flatten(0, 1)


def test_receivers_are_affine_in_the_stream_exactly_where_declared(net: LiftedNetwork) -> None:
    """With its scale held at s, an affine receiver is A x / s + c, the same at every position.

    MLPs declare nothing, and are not affine but in the linear network.
    """
    parts = rebuild(net, random_ids(12, 10)).parts
    declared = [node for node in net.graph.nodes if "resid" in node.linear_in]
    kinds = {Kind.QUERY, Kind.KEY, Kind.VALUE, Kind.LOGITS}
    assert {node.mediator.kind for node in declared} == kinds
    for node in declared:
        assert "pos" in node.pointwise
        value = parts[str(node.mediator)].flatten(0, 1)
        assert misfit(stream_read(net, node, parts), value) <= TOLERANCE, node.mediator
    for mediator in net.mlps():
        node = net.graph.node(mediator)
        assert not node.linear_in
        value = parts[str(mediator)].flatten(0, 1)
        bent = misfit(stream_read(net, node, parts), value)
        assert (bent <= TOLERANCE) == (net.parts.constants.activation == "identity")


def test_writers_are_linear_in_z_and_z_in_each_of_its_slots(net: LiftedNetwork) -> None:
    parts = rebuild(net, random_ids(2, 6)).parts
    for head in net.heads():
        node, inside = net.graph.node(head), net.graph.node(f"{head}.z")
        assert node.linear_in == ("z",)
        assert inside.linear_in == ("pattern", "v")
        pattern, value = (parts[name] for name in net.graph.parents(inside.mediator))
        assert float((pattern @ value - parts[f"{head}.z"]).abs().max()) <= TOLERANCE
        weight = net.output_weight(head.layer or 0)[head.index or 0]
        assert float((parts[f"{head}.z"] @ weight - parts[str(head)]).abs().max()) <= TOLERANCE


def test_values_depend_on_no_later_position(net: LiftedNetwork) -> None:
    """Every axis `pos` is causal: another token at 4 changes nothing before it."""
    ids = random_ids(2, 7)
    other = ids.clone()
    other[:, 4] = (ids[:, 4] + 1) % 64
    before, after = rebuild(net, ids).parts, rebuild(net, other).parts
    for node in net.graph.nodes:
        name = str(node.mediator)
        moved = (after[name] - before[name]).flatten(2).abs().amax((0, 2)) > 0
        assert not moved[:4].any(), name
        if node.mediator.kind in {Kind.VALUE, Kind.MLP, Kind.LOGITS, Kind.EMBED}:
            assert moved[4], name


def test_pointwise_nodes_read_their_own_position(net: LiftedNetwork) -> None:
    """Where tokens are in another order, what a node makes of the stream goes with the stream.

    One layer's MLP, in the model itself, is given the positions of its input in another order.
    """
    shuffled = torch.tensor([3, 0, 4, 1, 2])
    for layer in range(net.n_layers):
        node = net.graph.node(f"L{layer}.mlp")
        assert node.pointwise == ("pos",)
        stream = rebuild(net, random_ids(2, 5)).parts[f"L{layer}.resid_mid"]
        norm, mlp = net.places.mlp_norms[layer], net.places.mlps[layer]
        inputs = torch.stack([stream, stream[:, shuffled]])
        straight, moved = mlp(inputs if norm is mlp else norm(inputs))
        difference = moved - straight[:, shuffled]
        assert float(difference.abs().max()) <= 1e-6  # the model's own norm is in float32


@pytest.mark.parametrize("make", [tiny_llama, tiny_gpt2])
def test_attention_reads_one_slot_at_its_own_position(make: Any) -> None:
    """The pattern at a position: `q` there only, `k` up to there, by the executor's own formula."""
    net = lift(load(make()))
    node = net.graph.node("L0.H3.pattern")
    assert [slot.pointwise for slot in node.slots] == [("pos",), ()]
    z = net.graph.node("L0.H3.z")
    assert [slot.pointwise for slot in z.slots] == [("pos",), ()]
    spread = transformer_graph(net.graph.shape, tokens=4)
    at_two = spread.node("L0.H3.pattern[2]")
    assert [len(slot.parents) for slot in at_two.slots] == [1, 3]
    parts = rebuild(net, random_ids(1, 4)).parts
    q, k = (parts[name].clone() for name in net.graph.parents(node.mediator))
    rows = attention(net, q, k)
    assert float((rows - parts["L0.H3.pattern"]).abs().max()) <= TOLERANCE
    q[:, 2] += 1.0
    assert moved_rows(rows, attention(net, q, k)) == [2]
    q[:, 2] -= 1.0
    k[:, 2] += 1.0
    assert moved_rows(rows, attention(net, q, k)) == [2, 3]


def attention(net: LiftedNetwork, q: torch.Tensor, k: torch.Tensor) -> torch.Tensor:
    """The textbook pattern [batch, pos, attended] of one head, rotated where the model rotates."""
    length, width = q.shape[1:]
    if net.parts.constants.rope_theta is not None:
        speeds = net.parts.constants.rope_theta ** (-torch.arange(0, width, 2).double() / width)
        angles = torch.arange(length).double()[:, None] * speeds.repeat(2)
        q, k = (turned(x, angles) for x in (q, k))
    scores = q @ k.mT / width**0.5
    hidden = torch.ones(length, length).triu(1).bool()
    return torch.softmax(scores.masked_fill(hidden, float("-inf")), -1)


def turned(x: torch.Tensor, angles: torch.Tensor) -> torch.Tensor:
    left, right = x.chunk(2, -1)
    return x * angles.cos() + torch.cat([-right, left], -1) * angles.sin()


def moved_rows(one: torch.Tensor, other: torch.Tensor) -> list[int]:
    return (one - other).abs().amax((0, 2)).gt(1e-9).nonzero().flatten().tolist()
