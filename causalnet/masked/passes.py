"""The forward pass of a decoder in which receivers of one stage need not read the same.

Values are [M, B, receivers, T, d]: M versions of B prompts.  What each receiver reads is given by a
`Reads`: the stream, or a mixture of senders edge by edge.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from causalnet.estimators.weights import Affine, Decoder
from causalnet.execute.batch import TokenBatch
from causalnet.masked.layout import Layout, Stage

__all__ = ["Columns", "Pass", "Reads"]


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """The prompts of a batch, and who may attend to whom.

    Attributes:
        ids: [B, T].
        position_ids: [B, T].
        hidden: True where a query must not attend, [B, T, T].
        turns: Cosines and sines of the rotation [B, T, d_head / 2], or None.
        read: The columns that are read for the logits, [B, C].
        real: Which of these hold a token, [B, C].
    """

    ids: Tensor
    position_ids: Tensor
    hidden: Tensor
    turns: tuple[Tensor, Tensor] | None
    read: Tensor
    real: Tensor

    @classmethod
    def of(cls, decoder: Decoder, batch: TokenBatch, read_at: str | int) -> "Columns":
        """Return the columns of a padded batch.

        Args:
            decoder: The weights.
            batch: The prompts.
            read_at: The position that is read for the logits, or `all`.
        """
        seen = batch.mask[:, None, :].expand(-1, batch.mask.shape[1], -1)
        seen = seen.tril() if decoder.shape.causal else seen
        turns = decoder.turns(batch.position_ids)
        flat = None if turns is None else (turns[0][:, :, 0], turns[1][:, :, 0])
        if read_at == "all":
            read = torch.arange(batch.ids.shape[1], device=batch.ids.device).expand(batch.ids.shape)
        else:
            read = batch.columns(read_at)[:, None]
        real = batch.mask.gather(1, read)
        return cls(batch.ids, batch.position_ids, ~seen, flat, read, real)


class Reads(ABC):
    """What receivers read on the way through a pass."""

    @abstractmethod
    def slots(self, stage: Stage, chosen: Sequence[int], at_end: bool = False) -> Tensor:
        """Return what some receivers of a stage read, [M, B, receivers or 1, T, d].

        Args:
            stage: The stage.
            chosen: Which of its receivers.
            at_end: Whether only the columns of the read-out are wanted; T is C then.
        """

    @abstractmethod
    def add(self, stage: Stage, written: Mapping[int, Tensor]) -> None:
        """Take what senders of a stage wrote, [M, B, T, d] each, by their number.

        Senders that nothing reads may be missing.
        """


class Pass:
    """A decoder's forward pass over some prompts, for any way of reading."""

    def __init__(self, decoder: Decoder, layout: Layout, columns: Columns) -> None:
        """Keep what every run needs."""
        self.decoder, self.layout, self.columns = decoder, layout, columns

    def embedded(self, shift: Tensor | None = None) -> Tensor:
        """Return the embeddings, [B, senders before the first stage, T, d].

        Args:
            shift: What is added to the token embedding, [B, T, d].
        """
        decoder, columns = self.decoder, self.columns
        tokens = decoder.tokens[columns.ids]
        tokens = tokens if shift is None else tokens + shift
        if decoder.positions is None:
            return tokens[:, None]
        places = decoder.positions[columns.position_ids]
        if self.layout.inputs == 1:
            return (tokens + places)[:, None]
        return torch.stack([tokens, places], 1)

    def run(self, reads: Reads, first: int = 0, live: frozenset[int] | None = None) -> Tensor:
        """Run all stages from one on and return what is read for the logits, [M, B, C, d].

        Args:
            reads: What receivers read; it knows the senders before the first stage.
            first: The number of that stage.
            live: The senders that anything reads; None for all.
        """
        *stages, last = self.layout.stages
        for stage in stages[first:]:
            wanted = [n for n in stage.writers if live is None or n in live]
            reads.add(stage, self._written(stage, reads, wanted) if wanted else {})
        return reads.slots(last, (0,), at_end=True)[:, :, 0]

    def _written(self, stage: Stage, reads: Reads, wanted: list[int]) -> dict[int, Tensor]:
        if stage.kind == "mlp":
            slot = reads.slots(stage, (0,))[:, :, 0]
            mlp = self.decoder.mlps[stage.layer]
            normed = slot if mlp.norm is None else mlp.norm(slot).value
            into = mlp.into(normed)
            inner = (
                mlp.activation(into)
                if mlp.gate is None
                else (mlp.activation(mlp.gate(normed)) * into)
            )
            return {wanted[0]: mlp.out(inner)}
        found: dict[int, Tensor] = {}
        heads = [
            n - stage.writers.start for n in wanted if n - stage.writers.start < len(stage.queries)
        ]
        if heads:
            outputs = self._attention(stage, reads, heads)
            found = {stage.writers.start + h: outputs[:, :, i] for i, h in enumerate(heads)}
        bias = self.decoder.attentions[stage.layer].bias
        if stage.biased and bias is not None and stage.writers[-1] in wanted:
            batch, length = self.columns.ids.shape
            found[stage.writers[-1]] = bias.expand(1, batch, length, -1)
        return found

    def _attention(self, stage: Stage, reads: Reads, chosen: list[int]) -> Tensor:
        """Return what some heads write, [M, B, heads, T, d], by their numbers in the stage."""
        decoder, shape = self.decoder, self.decoder.shape
        attention = decoder.attentions[stage.layer]
        heads = [stage.queries[h] for h in chosen]
        groups = sorted({shape.group_of(h) for h in heads})
        places = [stage.groups.index(group) for group in groups]
        many = len(stage.queries)
        receivers = [
            *chosen,
            *(many + place for place in places),
            *(many + len(stage.groups) + place for place in places),
        ]
        slots = reads.slots(stage, receivers)
        normed = slots if attention.norm is None else attention.norm(slots).value
        if normed.shape[2] == 1:
            q_in = k_in = v_in = normed
        else:
            q_in, k_in, v_in = torch.split(normed, [len(heads), len(groups), len(groups)], 2)
        q = self._turned(_projected(q_in, attention.queries, heads, shape.d_head))
        k = self._turned(_projected(k_in, attention.keys, groups, shape.d_head))
        v = _projected(v_in, attention.values, groups, shape.d_head)
        owner = [groups.index(shape.group_of(h)) for h in heads]
        if owner != list(range(len(groups))):
            k, v = k[:, :, owner], v[:, :, owner]
        scores = (q @ k.mT) * decoder.factor
        exact = torch.promote_types(scores.dtype, torch.float32)
        # The lowest number, not -inf: a padding row with nothing to attend to stays finite.
        scores = scores.to(exact).masked_fill(
            self.columns.hidden[None, :, None], torch.finfo(exact).min
        )
        z = scores.softmax(-1).to(v.dtype) @ v
        return _by_receiver(z, attention.output[heads], None)

    def _turned(self, x: Tensor) -> Tensor:
        """Rotate [M, B, R, T, d_head], first half against second."""
        if self.columns.turns is None:
            return x
        cos, sin = (each[None, :, None] for each in self.columns.turns)
        one, two = x.chunk(2, -1)
        return torch.cat([one * cos - two * sin, two * cos + one * sin], -1)


def _projected(x: Tensor, projection: Affine, chosen: Sequence[int], width: int) -> Tensor:
    """Return the chosen columns of a projection, [M, B, R, T, e], of what each receiver reads."""
    weights = torch.unflatten(projection.into, 1, (-1, width)).transpose(0, 1)[list(chosen)]
    bias = (
        None
        if projection.bias is None
        else torch.unflatten(projection.bias, 0, (-1, width))[list(chosen)]
    )
    return _by_receiver(x, weights, bias)


def _by_receiver(x: Tensor, weights: Tensor, bias: Tensor | None) -> Tensor:
    """Return x[r] @ weights[r] + bias[r] for every receiver: [M, B, R, T, e] of [M, B, R, T, d]."""
    receivers, into, out = weights.shape
    versions, batch, given, length = x.shape[:4]
    if given == 1:
        flat = x[:, :, 0] @ weights.transpose(0, 1).reshape(into, -1)
        found = torch.unflatten(flat, -1, (receivers, out)).transpose(2, 3)
    else:
        rows = x.permute(2, 0, 1, 3, 4).reshape(receivers, -1, into)
        product = torch.bmm(rows, weights).view(receivers, versions, batch, length, out)
        found = product.permute(1, 2, 0, 3, 4)
    return found if bias is None else found + bias[:, None]
