"""Attention of many worlds that share the keys and values of a prefix, which is never copied.

A world has a window of columns p0..p0+P-1 of its own; before it, all worlds have the keys and
values of one run.  The scores of a column are one row: the prefix's, then the window's.  Axes:
W worlds, B prompts, P window columns, Pq of them with queries, G K/V groups, R heads in a group,
S = p0 + P columns that are attended to.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from causalnet.execute.wavefront.norms import wide
from causalnet.execute.wavefront.weights import Angles, Block, Weights, rotated

__all__ = ["attend", "mixed", "patterns", "weighted"]


def attend(
    block: Block,
    weights: Weights,
    x: Tensor,
    prefix_k: Tensor,
    prefix_v: Tensor,
    angles: Angles | None,
    allowed: Tensor | None = None,
    queries: slice | None = None,
    chunk_tokens: int = 2048,
) -> Tensor:
    """Return the heads' z of worlds [W, B, Pq, H, d_head].

    Args:
        block: The layer.
        weights: What the layer belongs to.
        x: The stream in the window, before the norm [W, B, P, d].
        prefix_k: Keys before the window, after rotation [B, p0, G, d_head].
        prefix_v: Values before the window [B, p0, G, d_head].
        angles: The rotary angles of the window's columns.
        allowed: Which columns each window column attends to [B, P, S], or None: all up to itself.
            A column that may attend to none attends to all alike, as in `rebuild`.
        queries: The window columns whose z is asked for, by default all.
        chunk_tokens: Tokens at a time, in whole worlds, at least one.
    """
    worlds, prompts, columns, _ = x.shape
    shape, chosen = weights.shape, range(columns)[queries or slice(None)]
    z = x.new_empty(worlds, prompts, len(chosen), shape.heads, shape.d_head)
    forbidden = _forbidden(allowed, chosen, columns, x.device)
    prefix = _Prefix.of(weights, prefix_k, prefix_v, angles if columns == 1 else None)
    step = max(1, chunk_tokens // (prompts * columns))
    for part, out in zip(torch.split(x, step), torch.split(z, step), strict=True):
        normed = block.attention_norm(part)
        if columns == 1:
            _attend_at_one_column(block, weights, normed, prefix, forbidden, out)
        else:
            _attend_in_window(block, weights, normed, prefix, angles, forbidden, chosen, out)
    return z


@dataclass(frozen=True, slots=True, eq=False)
class _Prefix:
    """The prefix's keys, times the factor of the scores, [B * G, d_head, p0]; and its values."""

    keys: Tensor
    values: Tensor

    @classmethod
    def of(cls, weights: Weights, k: Tensor, v: Tensor, angles: Angles | None) -> "_Prefix":
        # At one column, all queries and the window's keys turn by one angle.  Turning the prefix
        # back by it gives the same scores, and leaves every world's queries and keys as they are.
        back = k if angles is None else rotated(k, (angles[0], -angles[1]))
        keys = (back * weights.factor).permute(0, 2, 3, 1).flatten(0, 1)
        return cls(keys, v.transpose(1, 2).flatten(0, 1))

    @property
    def length(self) -> int:
        return self.keys.shape[-1]


def _attend_at_one_column(
    block: Block,
    weights: Weights,
    normed: Tensor,
    prefix: _Prefix,
    forbidden: Tensor | None,
    out: Tensor,
) -> None:
    """Write z [W, B, 1, H, d] of one column, whose only key of its own is the world's last."""
    shape, (worlds, prompts) = weights.shape, normed.shape[:2]
    groups, per_group, width = shape.kv_heads, shape.heads_per_group, shape.d_head
    by_head = (worlds, prompts, groups, per_group, width)
    q = block.q(normed).view(by_head).permute(1, 2, 0, 3, 4).contiguous()
    k, v = (
        side(normed).view(worlds, prompts, groups, 1, width).permute(1, 2, 0, 3, 4)
        for side in (block.k, block.v)
    )
    rows = q.view(prompts * groups, worlds * per_group, width)
    scores = q.new_empty(*q.shape[:-1], prefix.length + 1)
    if prefix.length:
        scores[..., :-1] = torch.bmm(rows, prefix.keys).view(*q.shape[:-1], -1)
    torch.mul(torch.linalg.vecdot(q, k), weights.factor, out=scores[..., -1])
    if forbidden is not None:
        _fill(scores, forbidden[:, None, None])
    pattern = _softmax(scores)
    # The own value is added while z is written where it belongs.
    flat = pattern.view(prompts * groups, worlds * per_group, -1)
    z = torch.bmm(flat[..., :-1], prefix.values).view(q.shape)
    own = pattern[..., -1:]
    torch.addcmul(*(side.permute(2, 0, 1, 3, 4) for side in (z, own, v)), out=out.view(by_head))


def _attend_in_window(
    block: Block,
    weights: Weights,
    normed: Tensor,
    prefix: _Prefix,
    angles: Angles | None,
    forbidden: Tensor | None,
    chosen: range,
    out: Tensor,
) -> None:
    """Write z [W, B, Pq, H, d] of a window of several columns."""
    shape, (worlds, prompts, columns) = weights.shape, normed.shape[:3]
    groups, per_group, width = shape.kv_heads, shape.heads_per_group, shape.d_head
    asked = normed[:, :, chosen.start : chosen.stop : chosen.step]
    own = None
    if angles is not None:
        cos, sin = (side[:, chosen.start : chosen.stop : chosen.step] for side in angles)
        own = cos, sin
    q = _by_group(block.q(asked), groups, per_group, own)
    k = _by_group(block.k(normed), groups, 1, angles).flatten(0, 2).flatten(1, 2)
    v = _by_group(block.v(normed), groups, 1, None).flatten(0, 2).flatten(1, 2)
    rows = q.view(prompts * groups, -1, width)
    scores = q.new_empty(*q.shape[:-1], prefix.length + columns)
    if prefix.length:
        scores[..., : prefix.length] = torch.bmm(rows, prefix.keys).view(*q.shape[:-1], -1)
    by_world = q.view(prompts * groups * worlds, -1, width)
    inner = torch.bmm(by_world, k.mT).view(*q.shape[:-1], columns)
    torch.mul(inner, weights.factor, out=scores[..., prefix.length :])
    if forbidden is not None:
        _fill(scores, forbidden[:, None, None, :, None])
    pattern = _softmax(scores)
    flat = pattern.view(*rows.shape[:2], -1)
    z = torch.bmm(flat[..., : prefix.length], prefix.values).view(by_world.shape)
    z.baddbmm_(pattern.view(*by_world.shape[:2], -1)[..., prefix.length :], v)
    out.view(worlds, prompts, -1, groups, per_group, width).copy_(
        z.view(q.shape).permute(2, 0, 3, 1, 4, 5)
    )


def _by_group(x: Tensor, groups: int, per_group: int, angles: Angles | None) -> Tensor:
    """Return [W, B, P, G * R * d] as [B, G, W, P, R, d], turned by angles on the way."""
    split = x.view(*x.shape[:3], groups, per_group, -1)
    if angles is None:
        return split.permute(1, 3, 0, 2, 4, 5).contiguous()
    worlds, prompts, columns = x.shape[:3]
    turned = x.new_empty(prompts, groups, worlds, columns, per_group, split.shape[-1])
    cos, sin = (side.unsqueeze(2) for side in angles)
    rotated(split, (cos, sin), out=turned.permute(2, 0, 3, 1, 4, 5))
    return turned


def _softmax(scores: Tensor) -> Tensor:
    return torch.softmax(scores, dim=-1, dtype=wide(scores.dtype)).to(scores.dtype)


def _forbidden(
    allowed: Tensor | None, chosen: range, columns: int, device: torch.device
) -> Tensor | None:
    """Return what may not be attended to [B or 1, Pq, last columns], or None: nothing is."""
    rows = slice(chosen.start, chosen.stop, chosen.step)
    if allowed is not None:
        return ~allowed[:, rows]
    if columns == 1:
        return None
    return torch.ones(1, columns, columns, dtype=torch.bool, device=device).triu(1)[:, rows]


def _fill(scores: Tensor, forbidden: Tensor) -> None:
    """Make scores of forbidden columns the lowest number: not -inf, so that all rows are finite."""
    masked = scores[..., scores.shape[-1] - forbidden.shape[-1] :]
    masked.masked_fill_(forbidden, torch.finfo(scores.dtype).min)


def mixed(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    prefix_k: Tensor,
    prefix_v: Tensor,
    factor: float,
    allowed: Tensor | None = None,
    queries: slice | None = None,
) -> Tensor:
    """Return the z of one head [N, B, Pq, d_head] in N jobs, which may expand q, k or v.

    Args:
        q: Queries after rotation [N, B, Pq, d_head].
        k: Keys of the window after rotation [N, B, P, d_head].
        v: Values of the window [N, B, P, d_head].
        prefix_k: Keys of the head's group before the window, after rotation [B, p0, d_head].
        prefix_v: Values of the head's group before the window [B, p0, d_head].
        factor: What multiplies the scores.
        allowed: Which columns each window column attends to [B, P, S], or None: all up to itself.
        queries: The window columns of the queries, by default the last Pq.
    """
    return weighted(patterns(q, k, prefix_k, factor, allowed, queries), v, prefix_v)


def patterns(
    q: Tensor,
    k: Tensor,
    prefix_k: Tensor,
    factor: float,
    allowed: Tensor | None = None,
    queries: slice | None = None,
) -> Tensor:
    """Return the attention patterns of one head [N, B, Pq, S]; `mixed` says what is given.

    Where no job has a query or key of its own, all jobs are views of one pattern.
    """
    jobs, columns = q.shape[0], k.shape[2]
    last = slice(columns - q.shape[2], None) if queries is None else queries
    if _is_shared(q) and _is_shared(k):
        q, k = q[:1], k[:1]
    scores = torch.cat(
        (_scores(q, prefix_k.expand(q.shape[0], *prefix_k.shape)), _scores(q, k)), -1
    )
    scores = scores.mul_(factor)
    forbidden = _forbidden(allowed, range(columns)[last], columns, q.device)
    if forbidden is not None:
        _fill(scores, forbidden)
    return _softmax(scores).expand(jobs, *scores.shape[1:])


def weighted(pattern: Tensor, v: Tensor, prefix_v: Tensor) -> Tensor:
    """Return z [N, B, Pq, d_head] of patterns [N, B, Pq, S]; `mixed` says what v are."""
    length = prefix_v.shape[1]
    before, inside = pattern[..., :length], pattern[..., length:]
    return _times(before, prefix_v.expand(v.shape[0], *prefix_v.shape)) + _times(inside, v)


def _is_shared(jobs: Tensor) -> bool:
    """Return whether all jobs have one value, as views."""
    return jobs.shape[0] == 1 or jobs.stride(0) == 0


def _scores(q: Tensor, k: Tensor) -> Tensor:
    """Return q @ k.T [N, B, Pq, P]; what is shared by all jobs is read once."""
    if _is_shared(k):
        return _times(q, k.mT)
    if _is_shared(q):  # keys of all jobs side by side
        side_by_side = k.transpose(0, 1).flatten(1, 2)
        product = torch.bmm(q[0], side_by_side.mT)
        return product.view(*product.shape[:2], k.shape[0], k.shape[2]).permute(2, 0, 1, 3)
    return torch.matmul(q, k.mT)


def _times(left: Tensor, right: Tensor) -> Tensor:
    """Return left @ right [N, B, rows, columns]; what is shared by all jobs is read once."""
    if _is_shared(right):
        if _is_shared(left):
            return torch.bmm(left[0], right[0]).expand(left.shape[0], -1, -1, -1)
        rows = left.transpose(0, 1).flatten(1, 2)  # rows of all jobs side by side
        product = torch.bmm(rows, right[0])
        sizes = (len(product), left.shape[0], left.shape[2], product.shape[-1])
        return product.view(sizes).transpose(0, 1)
    return torch.matmul(left, right)
