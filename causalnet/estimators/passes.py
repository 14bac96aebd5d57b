"""The forward pass of a decoder over a window of columns, stage by stage.

Stage 0 embeds, stage 1 + 2l is the attention of layer l, stage 2 + 2l its MLP, and the last stage
reads the stream for the logits.  A pass may begin at any stage with any stream; each stage is
handed over as it is computed, so that a caller keeps what it needs and stops when it likes.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor

from causalnet.errors import NumericalError
from causalnet.estimators.weights import Decoder
from causalnet.estimators.windows import Side

__all__ = [
    "AttentionTrace",
    "Context",
    "FinalTrace",
    "Mix",
    "MlpTrace",
    "Prefix",
    "Stage",
    "check_finite",
    "context_of",
    "forward",
    "grouped",
    "keys_of",
    "patterns",
    "prefix_of",
    "rotated",
    "rotated_back",
    "values_of",
]

Mix: TypeAlias = Callable[[int, Tensor], Tensor]
"""From a stage and the stream before it to what the receivers of that stage read."""


@dataclass(frozen=True, slots=True, eq=False)
class Prefix:
    """Rotated keys and values before a window, [N, groups, start, d_head] for each layer."""

    keys: tuple[Tensor, ...]
    values: tuple[Tensor, ...]

    def repeated(self, times: int) -> "Prefix":
        """Return the same for rows that are stacked several times."""
        return Prefix(
            tuple(torch.cat([each] * times) for each in self.keys),
            tuple(torch.cat([each] * times) for each in self.values),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Context:
    """What the rows of a pass have beside their stream.

    Attributes:
        turns: Cosines and sines of the rotation of the window's columns, or None.
        hidden: True where a query column must not attend, [N, 1, 1, P, start + P].
        prefix: What lies before the window; None where that is nothing.
    """

    turns: tuple[Tensor, Tensor] | None
    hidden: Tensor
    prefix: Prefix | None


@dataclass(frozen=True, slots=True, eq=False)
class AttentionTrace:
    """One layer's attention: what it read, [N, P, d], and q, k, v before rotation and z by head."""

    stage: int
    slot: Tensor
    q: Tensor
    k: Tensor
    v: Tensor
    z: Tensor


@dataclass(frozen=True, slots=True, eq=False)
class MlpTrace:
    """One layer's MLP: what it read, its projections before the activation, what it wrote."""

    stage: int
    slot: Tensor
    into: Tensor
    gate: Tensor | None
    written: Tensor


@dataclass(frozen=True, slots=True, eq=False)
class FinalTrace:
    """What is read for the logits, [N, P, d]."""

    stage: int
    slot: Tensor


Stage: TypeAlias = AttentionTrace | MlpTrace | FinalTrace


def context_of(
    decoder: Decoder, sides: Iterable[Side], start: int, end: int, prefix: Prefix | None
) -> Context:
    """Return the context of columns start..end - 1 of some sides, stacked along the rows."""
    listed = tuple(sides)
    mask = torch.cat([side.mask for side in listed])[:, :end]
    position_ids = torch.cat([side.position_ids for side in listed])[:, start:end]
    causal = torch.ones(end, end, dtype=torch.bool, device=mask.device).tril()[start:]
    hidden = ~(causal & mask[:, None])
    return Context(decoder.turns(position_ids), hidden[:, None, None], prefix)


def prefix_of(decoder: Decoder, side: Side, start: int) -> Prefix | None:
    """Run the columns before a window, for their keys and values."""
    if start == 0:
        return None
    context = context_of(decoder, (side,), 0, start, None)
    stream = decoder.embed(side.ids[:, :start], side.position_ids[:, :start])
    keys, values = [], []
    for stage in forward(decoder, context, stream):
        if isinstance(stage, AttentionTrace):
            keys.append(rotated(stage.k, context.turns).transpose(1, 2))
            values.append(stage.v.transpose(1, 2))
            if len(keys) == decoder.shape.layers:
                break  # what the last layer writes there is read by no later column
    return Prefix(tuple(keys), tuple(values))


def forward(
    decoder: Decoder, context: Context, stream: Tensor, first: int = 1, mix: Mix | None = None
) -> Iterator[Stage]:
    """Run a decoder from a stage on, and yield every stage as it was computed.

    Args:
        decoder: The weights.
        context: Rotation, mask and prefix of the rows.
        stream: The residual stream in front of the first stage, [N, P, d].
        first: The first stage that is run, 1 or later.
        mix: What the receivers of each stage read, where it is not the stream.
    """
    for stage in range(first, decoder.last_stage):
        slot = stream if mix is None else mix(stage, stream)
        layer, is_mlp = divmod(stage - 1, 2)
        if is_mlp:
            mlp_trace = _mlp(decoder, stage, layer, slot)
            stream = stream + mlp_trace.written
            yield mlp_trace
        else:
            trace = _attention(decoder, context, stage, layer, slot)
            attention = decoder.attentions[layer]
            stream = stream + trace.z.flatten(2) @ attention.output.flatten(0, 1)
            stream = stream if attention.bias is None else stream + attention.bias
            yield trace
    last = decoder.last_stage
    yield FinalTrace(last, stream if mix is None else mix(last, stream))


def _attention(
    decoder: Decoder, context: Context, stage: int, layer: int, slot: Tensor
) -> AttentionTrace:
    attention, width = decoder.attentions[layer], decoder.shape.d_head
    normed = slot if attention.norm is None else attention.norm(slot).value
    q, k, v = (
        torch.unflatten(projection(normed), -1, (-1, width))
        for projection in (attention.queries, attention.keys, attention.values)
    )
    pattern = patterns(decoder, context, layer, q, k)
    attended = pattern.flatten(2, 3) @ values_of(context, layer, v)
    z = torch.unflatten(attended, 2, pattern.shape[2:4]).flatten(1, 2).transpose(1, 2)
    return AttentionTrace(stage, slot, q, k, v, z)


def _mlp(decoder: Decoder, stage: int, layer: int, slot: Tensor) -> MlpTrace:
    mlp = decoder.mlps[layer]
    normed = slot if mlp.norm is None else mlp.norm(slot).value
    into = mlp.into(normed)
    gate = None if mlp.gate is None else mlp.gate(normed)
    inner = mlp.activation(into) if gate is None else mlp.activation(gate) * into
    return MlpTrace(stage, slot, into, gate, mlp.out(inner))


# -- attention, group by group -------------------------------------------------------------------


def patterns(decoder: Decoder, context: Context, layer: int, q: Tensor, k: Tensor) -> Tensor:
    """Return attention patterns, [N, groups, heads of a group, P, start + P].

    Args:
        decoder: The weights.
        context: Rotation, mask and prefix of the rows.
        layer: The layer.
        q: Queries before rotation, [N, P, heads, d_head].
        k: Keys before rotation, [N, P, groups, d_head].
    """
    queries = grouped(rotated(q, context.turns), decoder.shape.kv_heads)
    keys = keys_of(context, layer, k)
    scores = torch.unflatten(queries.flatten(2, 3) @ keys.mT, 2, queries.shape[2:4])
    scores = scores * decoder.factor
    scores = scores.to(torch.promote_types(scores.dtype, torch.float32))
    # The lowest number, not -inf: a padding row with nothing to attend to stays finite.
    scores = scores.masked_fill(context.hidden, torch.finfo(scores.dtype).min)
    return scores.softmax(-1).to(q.dtype)


def grouped(by_head: Tensor, groups: int) -> Tensor:
    """Return [N, groups, heads of a group, P, d] of [N, P, heads, d]."""
    return torch.unflatten(by_head, 2, (groups, -1)).permute(0, 2, 3, 1, 4)


def keys_of(context: Context, layer: int, k: Tensor) -> Tensor:
    """Return rotated keys of all columns, [N, groups, start + P, d_head]."""
    own = rotated(k, context.turns).transpose(1, 2)
    return own if context.prefix is None else torch.cat((context.prefix.keys[layer], own), 2)


def values_of(context: Context, layer: int, v: Tensor) -> Tensor:
    """Return values of all columns, [N, groups, start + P, d_head]."""
    own = v.transpose(1, 2)
    return own if context.prefix is None else torch.cat((context.prefix.values[layer], own), 2)


def rotated(x: Tensor, turns: tuple[Tensor, Tensor] | None) -> Tensor:
    """Rotate [N, P, heads, d_head], first half against second (Su et al. 2021)."""
    if turns is None:
        return x
    cos, sin = turns
    first, second = x.chunk(2, -1)
    return torch.cat((first * cos - second * sin, second * cos + first * sin), -1)


def rotated_back(x: Tensor, turns: tuple[Tensor, Tensor] | None) -> Tensor:
    """Rotate the other way, which is the transpose."""
    return x if turns is None else rotated(x, (turns[0], -turns[1]))


# -- what must hold ------------------------------------------------------------------------------


def check_finite(stages: Iterable[Stage], texts: tuple[str, ...]) -> None:
    """Check that every stage read finite numbers.

    Raises:
        NumericalError: NaN or infinity; the first stage and prompt are named.
    """
    listed = list(stages)
    sums = torch.stack([stage.slot.flatten(1).sum(1) for stage in listed])  # NaN and inf stay
    if bool(sums.isfinite().all()):
        return
    index, row = (int(number) for number in (~sums.isfinite()).nonzero()[0])
    layer, is_mlp = divmod(listed[index].stage - 1, 2)
    where = f"L{layer}.{'resid_mid' if is_mlp else 'resid_pre'}"
    where = "the stream before the logits" if isinstance(listed[index], FinalTrace) else where
    raise NumericalError(
        f"{where} holds NaN or infinity on the prompt {texts[row % len(texts)]!r}.",
        "It is the first such value in the order of the graph.",
        "Check the weights with `causalnet doctor`, or use a wider dtype.",
    )
