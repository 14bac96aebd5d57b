"""What receivers read: the stream itself, senders mixed by masks, or the stream with probes."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from causalnet.masked.layout import Layout, Stage
from causalnet.masked.passes import Reads

__all__ = ["LeanReads", "MaskedReads", "PlainReads", "ProbedReads"]


class PlainReads(Reads):
    """Every receiver reads the stream, the sum of all senders before it.

    Args:
        layout: Where senders and receivers lie.
        embedded: The embeddings, [B, inputs, T, d].
        read: The columns of the read-out, [B, C].
        keep: Whether every sender's value is kept, in `values` [B, senders, T, d].
    """

    def __init__(self, layout: Layout, embedded: Tensor, read: Tensor, keep: bool = True) -> None:
        """Begin with the embeddings."""
        self.stream, self.read = embedded.sum(1)[None], read
        self.values: Tensor | None = None
        if keep:
            batch, inputs, *tail = embedded.shape
            self.values = embedded.new_zeros(batch, len(layout.senders), *tail)
            self.values[:, :inputs] = embedded

    def slots(self, stage: Stage, chosen: Sequence[int], at_end: bool = False) -> Tensor:
        """Return the stream for all, [1, B, 1, T, d]."""
        return _ended(self.stream, self.read, at_end)[:, :, None]

    def add(self, stage: Stage, written: Mapping[int, Tensor]) -> None:
        """Add what was written to the stream."""
        for number, value in written.items():
            self.stream = self.stream + value
            if self.values is not None:
                self.values[:, number] = value[0]


class MaskedReads(Reads):
    """Receiver c reads the sum over senders u of m[u, c] z_u + (1 - m[u, c]) ref_u.

    Args:
        layout: Where senders and receivers lie.
        masks: [M, B or 1, edges]; 1 where an edge carries its sender's own value.
        known: Own values of the senders before the first stage that is run, [B, P, T, d].
        reference: What edges carry otherwise, [B, senders, T, d].
        sums: Sums of the reference over the senders before each stage, [B, T, d].
        read: The columns of the read-out, [B, C].
        selected: Tokens at which edges are masked, [B, T]; None for all.  At the others every
            receiver reads the stream.
        is_recorded: Whether gradients with respect to masks are wanted.
    """

    def __init__(
        self,
        layout: Layout,
        masks: Tensor,
        known: Tensor,
        reference: Tensor,
        sums: Mapping[int, Tensor],
        read: Tensor,
        selected: Tensor | None = None,
        is_recorded: bool = False,
    ) -> None:
        """Begin with the known senders."""
        self.masks, self.reference, self.sums = masks, reference, sums
        self.read, self.selected, self.is_recorded = read, selected, is_recorded
        count = known.shape[1]
        self.shared = known - reference[:, :count]
        room = 0 if is_recorded else len(layout.senders) - count
        self.own = known.new_zeros(masks.shape[0], known.shape[0], room, *known.shape[2:])
        self.count = 0
        self.stream = None if selected is None else known.sum(1)[None]

    def slots(self, stage: Stage, chosen: Sequence[int], at_end: bool = False) -> Tensor:
        """Return what the chosen receivers read, [M, B, R, T, d]."""
        weights = _weights(self.masks, stage, chosen)
        shared, own = self.shared, self.own[:, :, : self.count]
        base = self.sums[stage.parents]
        if at_end:
            shared = _columns(shared, self.read)
            own = torch.stack([_columns(each, self.read) for each in own])
            base = base.take_along_dim(self.read[..., None], 1)
        found = _mixed(weights, shared, own) + base[None, :, None]
        if self.stream is None or self.selected is None:
            return found
        chosen_tokens = _ended(self.selected[None, ..., None], self.read, at_end)[:, :, None]
        return torch.where(chosen_tokens, found, _ended(self.stream, self.read, at_end)[:, :, None])

    def add(self, stage: Stage, written: Mapping[int, Tensor]) -> None:
        """Keep what was written, less the reference."""
        new = len(stage.writers)
        if self.is_recorded:
            deltas = [written[n] - self.reference[:, n] for n in stage.writers]
            shape = self.own.shape
            stacked = torch.stack([d.expand(shape[0], shape[1], *shape[3:]) for d in deltas], 2)
            self.own = torch.cat([self.own, stacked], 2)
        else:
            for number, value in written.items():
                place = self.count + number - stage.writers.start
                self.own[:, :, place] = value - self.reference[:, number]
        if self.stream is not None:
            self.stream = self.stream + sum(written.values())
        self.count += new


class LeanReads(Reads):
    """As `MaskedReads` where all tokens are masked, keeping only what is read, and once.

    What is the same in all versions is computed for one of them.

    Args:
        layout: Where senders and receivers lie.
        masks: [M, B or 1, edges].
        known: Own values of the senders before the first stage that is run, [B, P, T, d].
        reference: What edges carry otherwise, [B, senders, T, d].
        sums: Sums of the reference over the senders before each stage, [B, T, d].
        read: The columns of the read-out, [B, C].
        ended: Senders that are read at these alone.
    """

    def __init__(
        self,
        layout: Layout,
        masks: Tensor,
        known: Tensor,
        reference: Tensor,
        sums: Mapping[int, Tensor],
        read: Tensor,
        ended: frozenset[int],
    ) -> None:
        """Begin with the known senders."""
        self.masks, self.reference, self.sums = masks, reference, sums
        self.read, self.ended, self.known = read, ended, known.shape[1]
        self.shared = known - reference[:, : self.known]
        self.written: dict[int, Tensor] = {}

    def slots(self, stage: Stage, chosen: Sequence[int], at_end: bool = False) -> Tensor:
        """Return what the chosen receivers read, [M or 1, B, R, T, d]."""
        weights = _weights(self.masks, stage, chosen)
        is_read = (weights != 0).flatten(0, 2).any(0)
        own = [n for n in self.written if n < stage.parents and bool(is_read[n])]
        is_same = len(weights) == 1 or bool((weights == weights[:1]).all())
        if is_same and all(len(self.written[n]) == 1 for n in own):
            weights = weights[:1]
        base, known = self.sums[stage.parents], is_read[: self.known].nonzero()[:, 0]
        shared = self.shared if len(known) > self.known // 2 else self.shared[:, known]
        if at_end:
            shared = _columns(shared, self.read)
            base = base.take_along_dim(self.read[..., None], 1)
        # Stacked in the order of the weights: known senders, those that are the same in all
        # versions, those that differ.
        first = torch.arange(self.known) if shared.shape[1] == self.known else known
        values = {n: self._of(n, at_end) for n in own}
        same = [n for n in own if len(values[n]) == 1]
        other = [n for n in own if len(values[n]) > 1]
        if same:
            shared = torch.cat([shared, torch.stack([values[n][0] for n in same], 1)], 1)
        places = [*first.tolist(), *same, *other]
        if other:
            differing = torch.stack([values[n] for n in other], 2)
        else:
            differing = shared.new_zeros(len(weights), len(shared), 0, *shared.shape[2:])
        return _mixed(weights[..., places], shared, differing) + base[None, :, None]

    def add(self, stage: Stage, written: Mapping[int, Tensor]) -> None:
        """Keep what was written, less the reference."""
        for number, value in written.items():
            reference = self.reference[:, number]
            if number in self.ended:
                reference = reference.take_along_dim(self.read[..., None], 1)
                if value.shape[-2] != reference.shape[-2]:
                    value = _ended(value, self.read, True)
            self.written[number] = value - reference

    def _of(self, number: int, at_end: bool) -> Tensor:
        """Return what a sender wrote, at all columns or at those of the read-out."""
        value = self.written[number]
        return _ended(value, self.read, at_end and number not in self.ended)


class ProbedReads(PlainReads):
    """Every receiver reads the stream and, through probes that are 0, moves of its senders.

    A gradient with respect to a probe is the gradient at the receiver's slot times the move.

    Args:
        layout: Where senders and receivers lie.
        embedded: The embeddings, [B, inputs, T, d].
        read: The columns of the read-out, [B, C].
        probes: Zeros of which gradients are recorded, [1, B, edges].
        moves: Of every sender, [B, senders, T, d].
    """

    def __init__(
        self, layout: Layout, embedded: Tensor, read: Tensor, probes: Tensor, moves: Tensor
    ) -> None:
        """Begin with the embeddings."""
        super().__init__(layout, embedded, read, keep=False)
        self.probes, self.moves = probes, moves

    def slots(self, stage: Stage, chosen: Sequence[int], at_end: bool = False) -> Tensor:
        """Return the stream plus what the probes add, [1, B, R, T, d]."""
        weights = _weights(self.probes, stage, chosen)
        moves = self.moves[:, : stage.parents]
        if at_end:
            moves = _columns(moves, self.read)
        own = moves.new_zeros(1, len(moves), 0, *moves.shape[2:])
        return _mixed(weights, moves, own) + super().slots(stage, chosen, at_end)


def _weights(masks: Tensor, stage: Stage, chosen: Sequence[int]) -> Tensor:
    """Return the masks of the edges into some receivers of a stage, [M, B or 1, R, P]."""
    shape = (stage.receivers, stage.parents)
    weights = torch.unflatten(masks[..., stage.edges], -1, shape)
    return weights if len(chosen) == stage.receivers else weights[:, :, list(chosen)]


def _ended(value: Tensor, read: Tensor, at_end: bool) -> Tensor:
    """Return a value [M, B, T, d], or its columns of the read-out alone, [M, B, C, d]."""
    return value.take_along_dim(read[None, ..., None], 2) if at_end else value


def _columns(value: Tensor, read: Tensor) -> Tensor:
    """Return the columns of the read-out, [B, S, C, d] of [B, S, T, d]."""
    return value.take_along_dim(read[:, None, :, None], 2)


def _mixed(weights: Tensor, shared: Tensor, own: Tensor) -> Tensor:
    """Return the sum over senders of weights times values, [M, B, R, T, d].

    Args:
        weights: [M, B or 1, R, P].
        shared: The first senders, the same in all versions, [B, P0, T, d].
        own: The others, [M, B, P - P0, T, d].
    """
    versions, batch = own.shape[:2]
    receivers, before, tail = weights.shape[2], shared.shape[1], shared.shape[2:]
    weights = weights.expand(-1, batch, -1, -1)
    first = weights[..., :before].transpose(0, 1).reshape(batch, versions * receivers, before)
    found = torch.bmm(first, shared.flatten(2)).view(batch, versions, receivers, -1)
    found = found.transpose(0, 1)
    if own.shape[2]:
        later = weights[..., before:].reshape(versions * batch, receivers, -1)
        more = torch.bmm(later, own.reshape(versions * batch, own.shape[2], -1))
        found = found + more.view(versions, batch, receivers, -1)
    return found.reshape(versions, batch, receivers, *tail)
