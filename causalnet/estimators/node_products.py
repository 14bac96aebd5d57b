"""First orders of patching nodes: differences of values times gradients, channel by channel."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor

from causalnet.errors import InternalError, TermError
from causalnet.estimators.eap import writers_of
from causalnet.estimators.endpoints import Endpoints, attention_of, mlp_of, moved
from causalnet.estimators.passes import patterns
from causalnet.estimators.sweeps import Channels, Gradients
from causalnet.estimators.windows import Picked
from causalnet.graphs import Kind, Mediator, MediatorGraph

__all__ = [
    "Batch",
    "Channel",
    "Product",
    "Wanted",
    "add_nodes",
    "by_position",
    "inside_of",
    "plain_product",
    "wanted_of",
]


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """What the products of a batch are taken of.

    Attributes:
        ends: Both worlds.
        picked: The Q tokens at which nodes are patched.
        each: Whether each token is a row of its own; else a row is all of them, patched together.
    """

    ends: Endpoints
    picked: Picked
    each: bool

    @property
    def rows(self) -> int:
        """How many rows each node has."""
        return self.picked.counted.shape[1] if self.each else 1


Channel: TypeAlias = str
"""What is patched at a stage: `stream` in front of it, what it `wrote`, `bias`, `z`, `pattern`,
`q`, `k` or `v`."""

Wanted: TypeAlias = dict[int, dict[Channel, tuple[list[int], list[int]]]]
"""By stage and channel: the numbers of the nodes, and which head, group or only value each is."""

Product: TypeAlias = Callable[[Batch, Gradients, Channel], Tensor]
"""From a batch, the gradients at a stage and a channel to first orders, [B, rows, n]."""

_IN_ATTENTION = {
    Kind.HEAD: "z",  # a head is its z times W_O, so that both have one first order
    Kind.Z: "z",
    Kind.PATTERN: "pattern",
    Kind.QUERY: "q",
    Kind.KEY: "k",
    Kind.VALUE: "v",
    Kind.ATTENTION_BIAS: "bias",
}


def wanted_of(nodes: Sequence[Mediator], graph: MediatorGraph) -> Wanted:
    """Return where nodes are computed.

    Raises:
        TermError: A node that is not patched here: a norm's scale, the logits.
    """
    wanted: Wanted = defaultdict(lambda: defaultdict(lambda: ([], [])))
    for number, node in enumerate(nodes):
        stage, channel = _place(node, graph)
        numbers, indices = wanted[stage][channel]
        numbers.append(number)
        indices.append((node.index or 0) if node.kind in _IN_ATTENTION else 0)
    return wanted


def _place(node: Mediator, graph: MediatorGraph) -> tuple[int, Channel]:
    layer = node.layer or 0
    if node.kind is Kind.EMBED:
        return 1, "stream"
    if node.kind is Kind.RESIDUAL:
        before = graph.cut(node).writers_before
        stages = range(1, 2 * graph.shape.layers + 2)
        return next(s for s in stages if writers_of(graph.shape, s - 1).stop == before), "stream"
    if node.kind is Kind.MLP:
        return 2 + 2 * layer, "wrote"
    if node.kind in _IN_ATTENTION:
        return 1 + 2 * layer, _IN_ATTENTION[node.kind]
    raise TermError(
        f"Attribution of {node.name}, a {node.kind.value}.",
        "Scored are embed, heads with q, k, v, pattern and z, MLPs and cuts of the stream.",
        "For others, run cn.attribution_patch(...) by cn.run.",
    )


def add_nodes(
    scores: Tensor,
    wanted: Wanted,
    batch: Batch,
    gradients: Iterable[Gradients],
    product: Product,
) -> None:
    """Write the first orders of nodes into their scores, [B, nodes, rows].

    Args:
        scores: Where they are written.
        wanted: The nodes by stage.
        batch: Both worlds.
        gradients: At stages; nodes of others are left as they are.
        product: How a channel's first orders are computed.
    """
    for found in gradients:
        for channel, (numbers, indices) in wanted.get(found.stage, {}).items():
            values = product(batch, found, channel)[..., indices]
            scores[:, numbers] = values.transpose(1, 2).to(scores.dtype)


def plain_product(batch: Batch, found: Gradients, channel: Channel) -> Tensor:
    """Return differences of values times gradients, [B, rows, n]."""
    ends, stage = batch.ends, found.stage
    below, other, layer = ends.below, ends.other, (found.stage - 1) // 2
    if channel == "stream":
        return _dot(batch, below[stage].slot, other[stage].slot, found.before)
    if channel == "wrote":
        pair = mlp_of(below, layer).written, mlp_of(other, layer).written
        return _dot(batch, *pair, found.after)
    if channel == "bias":  # a constant is the same in both worlds
        return found.after.new_zeros(len(found.after), batch.rows, 1)
    ours, theirs, inside = attention_of(below, layer), attention_of(other, layer), inside_of(found)
    match channel:
        case "z":
            return _dot(batch, ours.z, theirs.z, inside.z)
        case "q":
            return _dot(batch, ours.q, theirs.q, inside.q)
        case "k":
            return _dot(batch, ours.k, theirs.k, inside.k)
        case "v":
            return _dot(batch, ours.v, theirs.v, inside.v)
        case "pattern":  # pairs align, so that both worlds have one mask and rotation
            attended = patterns(ends.decoder, ends.context, layer, theirs.q, theirs.k)
            turned = (attended - inside.attended) * inside.pattern
            return by_position(batch, turned.sum(-1).flatten(1, 2).mT)
    raise InternalError(f"No channel {channel!r}.")


def inside_of(found: Gradients) -> Channels:
    """Return the gradients inside attention."""
    if found.channels is None:
        raise InternalError(f"Stage {found.stage} is not attention.")
    return found.channels


def by_position(batch: Batch, products: Tensor) -> Tensor:
    """Return rows, [B, rows, n], of products at the columns of the window, [B, P, n]."""
    found = batch.picked.of_below(products)
    return found if batch.each else found.sum(1, keepdim=True)


def _dot(batch: Batch, below: Tensor, other: Tensor, gradient: Tensor) -> Tensor:
    """Return (other - below) . gradient, [B, rows, n], of [B, P, n, e] or [B, P, e]."""
    difference = moved(below, other, batch.picked)
    slopes = torch.unflatten(batch.picked.of_below(gradient.flatten(2)), 2, gradient.shape[2:])
    products = (difference * slopes).sum(-1)
    products = products[..., None] if products.ndim == 2 else products
    return products if batch.each else products.sum(1, keepdim=True)
