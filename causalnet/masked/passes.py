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
        hidden: True where a query must not attend, [B, T, columns before and T].
        turns: Cosines and sines of the rotation [B, T, d_head / 2], or None.
        read: The columns that are read for the logits, [B, C].
        real: Which of these hold a token, [B, C].
        before: Keys and values of columns before these, in which nothing changes, for every
            layer, [B, groups, columns before, d_head] each; none where these are all.
    """

    ids: Tensor
    position_ids: Tensor
    hidden: Tensor
    turns: tuple[Tensor, Tensor] | None
    read: Tensor
    real: Tensor
    before: tuple[tuple[Tensor, Tensor], ...] = ()

    def cut(self, start: int, before: tuple[tuple[Tensor, Tensor], ...]) -> "Columns":
        """Return the columns from one on, given keys and values of those before it."""
        turns = None if self.turns is None else (self.turns[0][:, start:], self.turns[1][:, start:])
        ids, places = self.ids[:, start:], self.position_ids[:, start:]
        hidden, read = self.hidden[:, start:], self.read - start
        return Columns(ids, places, hidden, turns, read, self.real, before)

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

    def before(self, values: Tensor, start: int) -> tuple[tuple[Tensor, Tensor], ...]:
        """Return keys and values of the columns before one in the untouched network, by layer.

        Args:
            values: What every sender writes, [B, senders, T, d].
            start: The column.
        """
        found = []
        for stage in self.layout.stages:
            if stage.kind == "attention":
                attention = self.decoder.attentions[stage.layer]
                stream = values[:, : stage.parents, :start].sum(1)[None, :, None]
                normed = stream if attention.norm is None else attention.norm(stream).value
                width = self.decoder.shape.d_head
                k = _projected(normed, attention.keys, stage.groups, width)
                v = _projected(normed, attention.values, stage.groups, width)
                found.append((self._turned(k)[0], v[0]))
        return tuple(found)

    def run(
        self,
        reads: Reads,
        first: int = 0,
        live: frozenset[int] | None = None,
        ended: frozenset[int] = frozenset(),
    ) -> Tensor:
        """Run all stages from one on and return what is read for the logits, [M, B, C, d].

        Args:
            reads: What receivers read; it knows the senders before the first stage.
            first: The number of that stage.
            live: The senders that anything reads; None for all.
            ended: Those of them that are read at the columns of the read-out alone.
        """
        *stages, last = self.layout.stages
        for stage in stages[first:]:
            wanted = [n for n in stage.writers if live is None or n in live]
            reads.add(stage, self._written(stage, reads, wanted, ended) if wanted else {})
        return reads.slots(last, (0,), at_end=True)[:, :, 0]

    def _written(
        self, stage: Stage, reads: Reads, wanted: list[int], ended: frozenset[int]
    ) -> dict[int, Tensor]:
        if stage.kind == "mlp":
            slot = reads.slots(stage, (0,), wanted[0] in ended)[:, :, 0]
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
        for at_end in (False, True):
            heads = [
                n - stage.writers.start
                for n in wanted
                if n - stage.writers.start < len(stage.queries) and (n in ended) == at_end
            ]
            if heads:
                outputs = self._attention(stage, reads, heads, at_end)
                found |= {stage.writers.start + h: outputs[:, :, i] for i, h in enumerate(heads)}
        bias = self.decoder.attentions[stage.layer].bias
        if stage.biased and bias is not None and stage.writers[-1] in wanted:
            batch, length = self.columns.ids.shape
            found[stage.writers[-1]] = bias.expand(1, batch, length, -1)
        return found

    def looked(self, stage: Stage, reads: Reads) -> tuple[Tensor, Tensor]:
        """Return where all heads of a stage look, and what each token gives them to write.

        What a head writes at token t is the sum over s of pattern[t, s] * given[s].

        Returns:
            Patterns [M, B, heads, T, T] and [M, B, heads, T, d].
        """
        output = self.decoder.attentions[stage.layer].output[list(stage.queries)]
        pattern, v = self._patterned(stage, reads, list(range(len(stage.queries))), False)
        return pattern, _by_receiver(v, output, None)

    def _attention(self, stage: Stage, reads: Reads, chosen: list[int], at_end: bool) -> Tensor:
        """Return what some heads write, [M, B, heads, T, d], by their numbers in the stage."""
        output = self.decoder.attentions[stage.layer].output[[stage.queries[h] for h in chosen]]
        pattern, v = self._patterned(stage, reads, chosen, at_end)
        return _by_receiver(pattern @ v, output, None)

    def _patterned(
        self, stage: Stage, reads: Reads, chosen: list[int], at_end: bool
    ) -> tuple[Tensor, Tensor]:
        """Return patterns [M, B, heads, T, T] and values [M, B, heads, T, e] of some heads."""
        decoder, shape = self.decoder, self.decoder.shape
        attention = decoder.attentions[stage.layer]
        heads = [stage.queries[h] for h in chosen]
        groups = sorted({shape.group_of(h) for h in heads})
        places = [stage.groups.index(group) for group in groups]
        many = len(stage.queries)

        def normed(receivers: Sequence[int], is_ended: bool = False) -> Tensor:
            slots = reads.slots(stage, receivers, is_ended)
            return slots if attention.norm is None else attention.norm(slots).value

        q_in = normed(chosen, at_end)
        k_in = normed([many + place for place in places])
        v_in = normed([many + len(stage.groups) + place for place in places])
        q = self._turned(_projected(q_in, attention.queries, heads, shape.d_head), at_end)
        k = self._turned(_projected(k_in, attention.keys, groups, shape.d_head))
        v = _projected(v_in, attention.values, groups, shape.d_head)
        if self.columns.before:
            order = [each.layer for each in self.layout.stages if each.kind == "attention"]
            old_k, old_v = self.columns.before[order.index(stage.layer)]
            k, v = (
                torch.cat([old[:, places].expand(len(new), -1, -1, -1, -1), new], -2)
                for old, new in ((old_k, k), (old_v, v))
            )
        owner = [groups.index(shape.group_of(h)) for h in heads]
        if owner != list(range(len(groups))):
            k, v = k[:, :, owner], v[:, :, owner]
        scores = (q @ k.mT) * decoder.factor
        exact = torch.promote_types(scores.dtype, torch.float32)
        # The lowest number, not -inf: a padding row with nothing to attend to stays finite.
        hidden = self.columns.hidden
        hidden = hidden.take_along_dim(self.columns.read[..., None], 1) if at_end else hidden
        scores = scores.to(exact).masked_fill(hidden[None, :, None], torch.finfo(exact).min)
        return scores.softmax(-1).to(v.dtype), v

    def _turned(self, x: Tensor, at_end: bool = False) -> Tensor:
        """Rotate [M, B, R, T, d_head], first half against second; the first T columns."""
        if self.columns.turns is None:
            return x
        turns, read = self.columns.turns, self.columns.read[..., None]
        chosen = (each.take_along_dim(read, 1) if at_end else each for each in turns)
        cos, sin = (each[None, :, None, : x.shape[-2]] for each in chosen)
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
