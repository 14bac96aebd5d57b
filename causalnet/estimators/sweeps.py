"""The backward pass of a decoder, receiver by receiver, with keys and values left in their groups.

The gradient at the stream in front of a stage is that behind it plus the sum over the stage's
receivers of the gradient at each one's own slot, in front of its norm.  So the backward pass that
every edge needs costs no more multiplications than the ordinary one: the products with the weights
of q, k and v are taken head by head and not summed until they have been read.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from causalnet.errors import InternalError
from causalnet.estimators.passes import (
    AttentionTrace,
    Context,
    MlpTrace,
    Stage,
    grouped,
    keys_of,
    patterns,
    rotated,
    rotated_back,
    values_of,
)
from causalnet.estimators.weights import Affine, Decoder, Norm, Normed

__all__ = ["Channels", "Gradients", "sweep"]


@dataclass(frozen=True, slots=True, eq=False)
class Channels:
    """Gradients inside the attention of one layer, and its patterns.

    Attributes:
        z: [B, P, heads, d_head].
        pattern: [B, groups, heads of a group, P, start + P].
        q: At queries before rotation, [B, P, heads, d_head].
        k: At keys before rotation, [B, P, groups, d_head].
        v: At values, [B, P, groups, d_head].
        attended: The patterns themselves.
    """

    z: Tensor
    pattern: Tensor
    q: Tensor
    k: Tensor
    v: Tensor
    attended: Tensor


@dataclass(frozen=True, slots=True, eq=False)
class Gradients:
    """Gradients of the outcome at one stage, each for its own prompt.

    Attributes:
        stage: The stage.
        after: At the stream behind the stage, and so at each of its writers, [B, P, d].
        before: At the stream in front of the stage, [B, P, d].
        slots: At the slot of each receiver of the stage, in front of its norm, [receivers, B, P,
            d]: queries by head, keys by group, values by group; or the MLP; or the logits.
        channels: Inside attention; None for other stages.
    """

    stage: int
    after: Tensor
    before: Tensor
    slots: Tensor
    channels: Channels | None = None


def sweep(
    decoder: Decoder,
    context: Context,
    stages: Mapping[int, Stage],
    gradient: Tensor,
    *,
    last: int,
    first: int = 1,
    passed: float = 1.0,
) -> Iterator[Gradients]:
    """Go backwards through a pass and yield the gradients at each stage.

    Args:
        decoder: The weights.
        context: That of the pass.
        stages: What the pass gave, by stage.
        gradient: At the stream behind the stage `last`, [B, P, d].
        last: The stage to begin with, an MLP or attention.
        first: The stage to end with.
        passed: The share of the stream in what receivers read.
    """
    after = gradient
    for number in range(last, first - 1, -1):
        stage, layer = stages[number], (number - 1) // 2
        channels = None
        match stage:
            case AttentionTrace():
                channels = _inside(decoder, context, layer, stage, after)
                slots = _attention_slots(decoder, layer, stage, channels)
            case MlpTrace():
                slots = _mlp_slots(decoder, layer, stage, after)[None]
            case _:
                raise InternalError(f"Stage {number} is not one that writes.")
        before = after + passed * slots.sum(0)
        yield Gradients(number, after, before, slots, channels)
        after = before


def _inside(
    decoder: Decoder, context: Context, layer: int, stage: AttentionTrace, after: Tensor
) -> Channels:
    shape, weights = decoder.shape, decoder.attentions[layer].output
    z = torch.unflatten(after @ weights.flatten(0, 1).mT, -1, (shape.heads, shape.d_head))
    attended = patterns(decoder, context, layer, stage.q, stage.k)
    z_by_group = grouped(z, shape.kv_heads).flatten(2, 3)
    by_group = attended.shape[2:4]
    pattern = torch.unflatten(z_by_group @ values_of(context, layer, stage.v).mT, 2, by_group)
    scores = attended * (pattern - (attended * pattern).sum(-1, keepdim=True)) * decoder.factor
    flat, start = scores.flatten(2, 3), attended.shape[-1] - stage.k.shape[1]
    queries = torch.unflatten(flat @ keys_of(context, layer, stage.k), 2, by_group)
    q = queries.flatten(1, 2).transpose(1, 2)
    turned = grouped(rotated(stage.q, context.turns), shape.kv_heads).flatten(2, 3)
    k = (flat[..., start:].mT @ turned).transpose(1, 2)
    v = (attended.flatten(2, 3)[..., start:].mT @ z_by_group).transpose(1, 2)
    return Channels(
        z,
        pattern,
        rotated_back(q, context.turns),
        rotated_back(k, context.turns),
        v,
        attended,
    )


def _attention_slots(
    decoder: Decoder, layer: int, stage: AttentionTrace, channels: Channels
) -> Tensor:
    """Return the gradient at every query's, key's and value's own slot, [receivers, B, P, d]."""
    attention, width = decoder.attentions[layer], decoder.shape.d_head
    found = torch.cat(
        [
            _by_receiver(projection, gradient, width)
            for projection, gradient in (
                (attention.queries, channels.q),
                (attention.keys, channels.k),
                (attention.values, channels.v),
            )
        ]
    )
    return _through(attention.norm, found, stage.slot)


def _by_receiver(projection: Affine, gradient: Tensor, width: int) -> Tensor:
    """Return [receivers, B, P, d] at what each receiver's columns read, of [B, P, receivers, e]."""
    batch, columns, receivers = gradient.shape[:3]
    by_receiver = gradient.permute(2, 0, 1, 3).reshape(receivers, batch * columns, width)
    weights = torch.unflatten(projection.into, 1, (receivers, width)).permute(1, 2, 0)
    return torch.unflatten(torch.bmm(by_receiver, weights), 1, (batch, columns))


def _mlp_slots(decoder: Decoder, layer: int, stage: MlpTrace, after: Tensor) -> Tensor:
    mlp = decoder.mlps[layer]
    with torch.enable_grad():
        into = stage.into.detach().requires_grad_()
        gate = None if stage.gate is None else stage.gate.detach().requires_grad_()
        inner = mlp.activation(into) if gate is None else mlp.activation(gate) * into
    read = [into] if gate is None else [into, gate]
    found = torch.autograd.grad(inner, read, mlp.out.back(after))
    normed = mlp.into.back(found[0])
    if mlp.gate is not None:
        normed = normed + mlp.gate.back(found[1])
    return _through(mlp.norm, normed, stage.slot)


def _through(norm: Norm | None, gradient: Tensor, slot: Tensor) -> Tensor:
    """Return the gradient in front of a norm, given that behind it."""
    if norm is None:
        return gradient
    normed: Normed = norm(slot)
    return norm.back(gradient, normed)
