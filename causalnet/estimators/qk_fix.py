"""Patched queries and keys through patterns that are computed again, not to first order.

Where attention is saturated the gradient at a query or key is near 0, though another query or key
may turn it.  The pattern with the other value costs no forward pass; what follows it is first order
(Kramár, Lieberum, Shah, Nanda, "AtP*", 2024, section 4.1).
"""

import math

import torch
from torch import Tensor

from causalnet.estimators.endpoints import attention_of
from causalnet.estimators.node_products import (
    Batch,
    Channel,
    by_position,
    inside_of,
    plain_product,
)
from causalnet.estimators.passes import grouped, patterns, rotated
from causalnet.estimators.sweeps import Gradients
from causalnet.estimators.windows import Picked

__all__ = ["fixed_product"]


def fixed_product(batch: Batch, found: Gradients, channel: Channel) -> Tensor:
    """Return effects through patterns that are computed again for q and k, else first orders."""
    match channel:
        case "q":
            return _queries(batch, found)
        case "k" if batch.each:
            return _keys_alone(batch, found)
        case "k":
            return _keys_together(batch, found)
    return plain_product(batch, found, channel)


def _queries(batch: Batch, found: Gradients) -> Tensor:
    """Return those of queries, [B, rows, heads]: each one turns its own row of the pattern."""
    ends, inside, layer = batch.ends, inside_of(found), (found.stage - 1) // 2
    ours = attention_of(ends.below, layer)
    q = _replaced(ours.q, attention_of(ends.other, layer).q, batch.picked)
    turned = patterns(ends.decoder, ends.context, layer, q, ours.k) - inside.attended
    return by_position(batch, (turned * inside.pattern).sum(-1).flatten(1, 2).mT)


def _keys_together(batch: Batch, found: Gradients) -> Tensor:
    """Return those of keys patched at all tokens at once, [B, 1, groups]."""
    ends, inside, layer = batch.ends, inside_of(found), (found.stage - 1) // 2
    ours = attention_of(ends.below, layer)
    k = _replaced(ours.k, attention_of(ends.other, layer).k, batch.picked)
    turned = patterns(ends.decoder, ends.context, layer, ours.q, k) - inside.attended
    return (turned * inside.pattern).sum((2, 3, 4))[:, None]


def _keys_alone(batch: Batch, found: Gradients) -> Tensor:
    """Return those of keys patched at one token each, [B, Q, groups].

    A key at token t adds D to its score in each later row, and with p its attention there the row
    becomes p e^D / (1 - p + p e^D) at t and a / (1 - p + p e^D) elsewhere; so the outcome moves by
    p (e^D - 1) / (1 - p + p e^D) times (gradient at t - mean gradient under the row).
    """
    ends, inside, layer = batch.ends, inside_of(found), (found.stage - 1) // 2
    ours, turns = attention_of(ends.below, layer), ends.context.turns
    k = _replaced(ours.k, attention_of(ends.other, layer).k, batch.picked)
    change = (rotated(k, turns) - rotated(ours.k, turns)).transpose(1, 2)
    queries = grouped(rotated(ours.q, turns), ends.decoder.shape.kv_heads)
    added = torch.unflatten(queries.flatten(2, 3) @ change.mT, 2, queries.shape[2:4])
    largest = math.log(torch.finfo(added.dtype).max) - 1
    added = (added * ends.decoder.factor).clamp(max=largest)
    start = inside.attended.shape[-1] - change.shape[2]
    own = inside.attended[..., start:]
    rest = 1 - own + own * added.exp()
    share = own * added.expm1() / rest.clamp_min(torch.finfo(rest.dtype).tiny)
    mean = (inside.attended * inside.pattern).sum(-1, keepdim=True)
    moved = share * (inside.pattern[..., start:] - mean)
    return by_position(batch, moved.sum((2, 3)).mT)


def _replaced(below: Tensor, other: Tensor, picked: Picked) -> Tensor:
    """Return values, [B, P, n, e], with the picked tokens' from the other world."""
    rows, places = picked.counted.nonzero(as_tuple=True)
    value = below.clone()
    value[rows, picked.below[rows, places]] = other[rows, picked.other[rows, places]]
    return value
