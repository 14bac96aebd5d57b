"""Pairs of prompts as columns: where they first differ, and which tokens a site selects.

Prompts are padded on the left, so that their last tokens share a column.  A token is influenced by
earlier tokens only; up to the first column in which a pair of a batch differs, both worlds are one,
no difference is there to be attributed, and no gradient is asked for.  That column starts the
window, and what lies before it is run once, for its keys and values.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from causalnet.interventions import Position
from causalnet.tasks import Prompts

__all__ = ["Picked", "Side", "Window", "live_columns", "window_of"]


@dataclass(frozen=True, slots=True, eq=False)
class Side:
    """One prompt of each pair.

    Attributes:
        prompts: B prompts.
        ids: Token ids, [B, T].
        mask: True at real tokens, [B, T].
        position_ids: Position of each token within its prompt, [B, T].
        offsets: Padding in front of each prompt, [B].
    """

    prompts: Prompts
    ids: Tensor
    mask: Tensor
    position_ids: Tensor
    offsets: Tensor

    def columns(self, at: Position) -> Tensor:
        """Return the column of a position in every row, [B]."""
        return torch.tensor(self.prompts.at(at), device=self.ids.device) + self.offsets


@dataclass(frozen=True, slots=True, eq=False)
class Picked:
    """Tokens that a site selects, up to Q in each row.

    Attributes:
        below: Their columns in the patched world, counted from the window's start, [B, Q].
        other: Their columns in the world that values are taken from, likewise.
        counted: True where there is such a token and the worlds may differ, [B, Q].
        is_whole: Whether they are all columns of the window, in order.
    """

    below: Tensor
    other: Tensor
    counted: Tensor
    is_whole: bool = False

    def of_below(self, value: Tensor) -> Tensor:
        """Return [..., B, Q, d] of [..., B, P, d], 0 where nothing is counted."""
        return self._taken(value, self.below)

    def of_other(self, value: Tensor) -> Tensor:
        """Return [..., B, Q, d] of [..., B, P, d], 0 where nothing is counted."""
        return self._taken(value, self.other)

    def _taken(self, value: Tensor, columns: Tensor) -> Tensor:
        if not self.is_whole:
            rows = torch.arange(len(columns), device=columns.device)[:, None]
            value = value[..., rows, columns, :]
        return value * self.counted[..., None].to(value.dtype)


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """The columns of a batch of pairs from the first that matters.

    Attributes:
        below: The prompts of the patched world.
        other: The prompts that values are taken from.
        start: The first column of the window.
        aligned: Whether all pairs have equal lengths.
    """

    below: Side
    other: Side
    start: int
    aligned: bool

    @property
    def width(self) -> int:
        """How many columns the window has."""
        return self.below.ids.shape[1] - self.start

    def picked(self, at: Sequence[Position], each: bool = False) -> Picked:
        """Return what positions select; no position selects every token, of pairs that align.

        Args:
            at: The positions.
            each: Whether each is selected by itself.  Else a token with two names counts once.
        """
        if not at:
            columns = torch.arange(self.width, device=self.below.ids.device)
            columns = columns.expand(len(self.below.ids), -1)
            counted = self.below.mask[:, self.start :]
            return Picked(columns, columns, counted, is_whole=True)
        below, other = (
            torch.stack([side.columns(position) for position in at], 1) - self.start
            for side in (self.below, self.other)
        )
        counted = (below >= 0) & (other >= 0)
        if not each:
            counted &= ~(below[:, :, None] == below[:, None]).tril(-1).any(-1)
        return Picked(below.clamp_min(0), other.clamp_min(0), counted)


def live_columns(below: Prompts, other: Prompts) -> int:
    """Return how many columns a window of these pairs has at most."""
    width = 0
    for ours, theirs in zip(below.ids, other.ids, strict=True):
        same = 0
        if below.lengths == other.lengths:
            pairs = enumerate(zip(ours, theirs, strict=True))
            same = next((place for place, (one, two) in pairs if one != two), len(ours))
        width = max(width, max(len(ours), len(theirs)) - same)
    return max(width, 1)


def window_of(
    below: Prompts, other: Prompts, rows: Sequence[int], read_at: Position, device: torch.device
) -> Window:
    """Return rows of two sets of prompts as one window.

    Args:
        below: The prompts of the patched world.
        other: The prompts that values are taken from.
        rows: Which rows.
        read_at: Where the outcome is read; the window holds it in every row of both.
        device: Where the tensors go.
    """
    chosen = below.rows(rows), other.rows(rows)
    width = max(max(prompts.lengths) for prompts in chosen)
    first, second = (_side(prompts, width, device) for prompts in chosen)
    aligned = chosen[0].lengths == chosen[1].lengths
    start = 0
    if aligned:
        differs = (first.ids != second.ids).any(0).nonzero()
        read = min(int(side.columns(read_at).min()) for side in (first, second))
        start = min(int(differs[0]) if len(differs) else width, read)
    return Window(first, second, start, aligned)


def _side(prompts: Prompts, width: int, device: torch.device) -> Side:
    padded = prompts.padded("left", width=width)
    ids, mask, position_ids = (
        torch.from_numpy(array).to(device)
        for array in (padded.ids, padded.mask, padded.position_ids)
    )
    offsets = width - torch.tensor(prompts.lengths, device=device)
    return Side(prompts, ids, mask.bool(), position_ids, offsets)
