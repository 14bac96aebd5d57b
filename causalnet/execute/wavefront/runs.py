"""The plain forward of one input, with what the births of worlds need from it."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from causalnet.errors import InternalError
from causalnet.execute.wavefront.weights import Angles, Block, Weights

__all__ = ["Run", "Wanted", "run"]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is kept of a run.

    Attributes:
        layers: How many layers are run, from the first; none where only embeddings are read.
        kv: Keys and values of this many layers are kept.
        pre: Layers whose input is kept.
        mid: Layers whose stream between attention and MLP is kept.
        z: Layers whose z are kept.
        mlp: Layers whose MLP's output is kept.
        last_from: The first column whose attention and MLP are computed in the last of the layers;
            negative counts from the end.
        post: Whether the stream after the last of the layers is kept.
    """

    layers: int
    kv: int = 0
    pre: frozenset[int] = frozenset()
    mid: frozenset[int] = frozenset()
    z: frozenset[int] = frozenset()
    mlp: frozenset[int] = frozenset()
    last_from: int = 0
    post: bool = True


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """One input's forward.

    Attributes:
        k: Keys of each layer after rotation [B, T, G, d_head], as many as are wanted.
        v: Values of each layer [B, T, G, d_head], likewise.
        pre: The input of each wanted layer [B, T, d].
        mid: The stream between attention and MLP of each wanted layer [B, T, d].
        z: The heads' z of each wanted layer [B, T, H, d_head].
        mlp: The MLP's output of each wanted layer [B, T, d].
        post_last: The stream after the last of the layers [B, T, d], or None.
        layers: How many layers were run.
        last_from: Of the last of the layers, `mid`, `z`, `mlp` and `post_last` have the columns
            from this one on, [B, T - last_from, ...].
    """

    k: tuple[Tensor, ...]
    v: tuple[Tensor, ...]
    pre: Mapping[int, Tensor]
    mid: Mapping[int, Tensor]
    z: Mapping[int, Tensor]
    mlp: Mapping[int, Tensor]
    post_last: Tensor | None
    layers: int
    last_from: int

    def first_column(self, layer: int) -> int:
        """Return the first column that `mid`, `z`, `mlp` and `post_last` of a layer have."""
        return self.last_from if layer == self.layers - 1 else 0


def run(
    weights: Weights,
    ids: Tensor,
    position_ids: Tensor,
    mask: Tensor | None,
    wanted: Wanted,
    like: Run | None = None,
    first_different: int = 0,
    chunk_tokens: int = 2048,
) -> Run:
    """Run some prompts, padded on the left to one length.

    Args:
        weights: The network.
        ids: Token ids [B, T].
        position_ids: Their positions [B, T].
        mask: 1 for tokens and 0 for padding [B, T]; None where all are tokens.
        wanted: What is kept, and how deep to go.
        like: A run of prompts with the same padding that are equal to these before a column.
        first_different: That column.  What is before it comes from `like`, which must have kept
            the keys and values of all layers, and what is wanted there.
        chunk_tokens: Tokens in the MLP at a time.

    Raises:
        InternalError: `like` has not kept what is wanted.
    """
    # One column is always run: inputs that are equal to the end are a matter of the compiler's.
    start = 0 if like is None else min(first_different, ids.shape[1] - 1)
    forward = _Forward(weights, ids, position_ids, mask, wanted, like, start, chunk_tokens)
    for layer in range(wanted.layers):
        forward.layer(layer)
    return forward.kept()


class _Forward:
    """Goes through the layers; `stream` has the columns from `start` on."""

    def __init__(
        self,
        weights: Weights,
        ids: Tensor,
        position_ids: Tensor,
        mask: Tensor | None,
        wanted: Wanted,
        like: Run | None,
        start: int,
        chunk_tokens: int,
    ) -> None:
        length = ids.shape[1]
        self.weights, self.wanted, self.like, self.start = weights, wanted, like, start
        self.chunk_tokens = chunk_tokens
        self.last_from = range(length)[wanted.last_from :].start
        positions = position_ids[:, start:]
        self.angles = weights.angles(positions)
        self.is_whole = mask is None and start == 0
        self.bias = _bias(mask, length, start, weights)
        self.stream = weights.embed(ids[:, start:], positions)
        self.k: list[Tensor] = []
        self.v: list[Tensor] = []
        self.pre: dict[int, Tensor] = {}
        self.mid: dict[int, Tensor] = {}
        self.z: dict[int, Tensor] = {}
        self.mlp: dict[int, Tensor] = {}

    def layer(self, layer: int) -> None:
        wanted, block = self.wanted, self.weights.blocks[layer]
        if layer in wanted.pre:
            self.pre[layer] = self.joined(self.stream, "pre", layer, 0)
        is_last = layer == wanted.layers - 1
        goes_on = not is_last or wanted.post
        needs_z = goes_on or any(layer in some for some in (wanted.mid, wanted.z, wanted.mlp))
        if not needs_z and layer >= wanted.kv:
            return
        normed = block.attention_norm(self.stream)
        k, v = self.keys_and_values(layer, block, normed)
        if layer < wanted.kv:
            self.k.append(k)
            self.v.append(v)
        if not needs_z:
            return
        first = self.last_from if is_last else 0
        skipped = max(first - self.start, 0)
        z = self.attend(block, normed, k, v, skipped)
        if layer in wanted.z:
            self.z[layer] = self.joined(z, "z", layer, first)
        mid = self.stream[:, skipped:] + block.out(z.flatten(2))
        if layer in wanted.mid:
            self.mid[layer] = self.joined(mid, "mid", layer, first)
        if layer in wanted.mlp:
            out = block.mlp(block.mlp_norm(mid))
            self.mlp[layer] = self.joined(out, "mlp", layer, first)
            self.stream = mid + out
        elif goes_on:
            own = mid.clone() if layer in wanted.mid else mid
            self.stream = block.mlp.add_(own, self.chunk_tokens)

    def keys_and_values(self, layer: int, block: Block, normed: Tensor) -> tuple[Tensor, Tensor]:
        """Return the keys and values of all columns [B, T, G, d_head]."""
        per_group = (self.weights.shape.kv_heads, self.weights.shape.d_head)
        k = self.weights.rotate(torch.unflatten(block.k(normed), -1, per_group), self.angles)
        v = torch.unflatten(block.v(normed), -1, per_group)
        if not self.start or self.like is None:
            return k, v
        if layer >= len(self.like.k):
            raise _absent("keys and values", layer)
        before_k, before_v = (side[layer][:, : self.start] for side in (self.like.k, self.like.v))
        return torch.cat((before_k, k), 1), torch.cat((before_v, v), 1)

    def attend(self, block: Block, normed: Tensor, k: Tensor, v: Tensor, skipped: int) -> Tensor:
        """Return z [B, P - skipped, H, d_head] of the columns after the skipped ones."""
        shape = self.weights.shape
        q = torch.unflatten(block.q(normed[:, skipped:]), -1, (shape.heads, shape.d_head))
        angles = None if self.angles is None else _after(self.angles, skipped)
        q = self.weights.rotate(q, angles)
        is_causal = self.is_whole and not skipped
        z = F.scaled_dot_product_attention(
            q.transpose(1, 2),
            k.transpose(1, 2),
            v.transpose(1, 2),
            attn_mask=None if is_causal else self.bias[:, :, skipped:],
            is_causal=is_causal,
            scale=self.weights.factor,
            enable_gqa=shape.shares_keys,
        )
        return z.transpose(1, 2)

    def joined(self, own: Tensor, kind: str, layer: int, first: int) -> Tensor:
        """Return columns from `first` on: those before `start` are the other run's."""
        if self.like is None or first >= self.start:
            return own
        like, post = self.like, self.like.post_last
        if kind == "post":
            has_post = post is not None and like.layers == self.wanted.layers
            before = post if has_post else None
        else:
            kept = {"pre": like.pre, "mid": like.mid, "z": like.z, "mlp": like.mlp}
            before = kept[kind].get(layer)
        offset = 0 if kind == "pre" else like.first_column(layer)
        if before is None or offset > first:
            raise _absent(kind, layer)
        return torch.cat((before[:, first - offset : self.start - offset], own), 1)

    def post_last(self) -> Tensor | None:
        if not self.wanted.post:
            return None
        return self.joined(self.stream, "post", self.wanted.layers - 1, self.last_from)

    def kept(self) -> Run:
        return Run(
            k=tuple(self.k),
            v=tuple(self.v),
            pre=self.pre,
            mid=self.mid,
            z=self.z,
            mlp=self.mlp,
            post_last=self.post_last(),
            layers=self.wanted.layers,
            last_from=self.last_from,
        )


def _after(angles: Angles, skipped: int) -> Angles:
    cos, sin = angles
    return cos[:, skipped:], sin[:, skipped:]


def _bias(mask: Tensor | None, length: int, start: int, weights: Weights) -> Tensor:
    """Return what is added to scores, [B or 1, 1, T - start, T]: the lowest number, or 0."""
    allowed = torch.ones(length, length, dtype=torch.bool, device=weights.device).tril()[start:]
    allowed = allowed[None] if mask is None else allowed & mask.bool()[:, None]
    # Not -inf: a row of padding has nothing to attend to and stays finite.
    lowest = torch.finfo(weights.dtype).min
    zeros = torch.zeros(allowed.shape, dtype=weights.dtype, device=weights.device)
    return zeros.masked_fill_(~allowed, lowest)[:, None]


def _absent(kind: str, layer: int) -> InternalError:
    return InternalError(f"A run shares a prefix with one that has not kept {kind} of {layer}.")
