"""Prompts as padded tensors, and where their positions lie in them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import torch
from torch import Tensor

from causalnet.execute.devices import on_device
from causalnet.interventions import Position
from causalnet.tasks import Prompts

__all__ = ["Padding", "TokenBatch", "make_batch"]

Padding: TypeAlias = Literal["right", "left"]


@dataclass(frozen=True, slots=True, eq=False)
class TokenBatch:
    """Some prompts as one padded tensor.

    Where tokens lie is known without looking at tensors, which a device may still be busy with.

    Attributes:
        prompts: The prompts of this batch, B of them.
        ids: Token ids, [B, T].
        mask: True at real tokens, [B, T].
        position_ids: Position of each token within its prompt, [B, T]; 0 at padding.
        starts: Number of padding tokens in front of each prompt.
    """

    prompts: Prompts
    ids: Tensor
    mask: Tensor
    position_ids: Tensor
    starts: tuple[int, ...]

    @property
    def is_padded(self) -> bool:
        """Whether any row has padding."""
        return set(self.prompts.lengths) != {self.ids.shape[1]}

    @property
    def offsets(self) -> Tensor:
        """Number of padding tokens in front of each prompt, [B]."""
        return on_device(torch.tensor(self.starts), self.ids.device)

    def listed(self, at: Position) -> tuple[int, ...]:
        """Return the column of a position in every row.

        Raises:
            PromptError: A position that the prompts do not have.
        """
        places = zip(self.prompts.at(at), self.starts, strict=True)
        return tuple(token + start for token, start in places)

    def columns(self, at: Position) -> Tensor:
        """Return the column of a position in every row, [B].

        Raises:
            PromptError: A position that the prompts do not have.
        """
        return on_device(torch.tensor(self.listed(at)), self.ids.device)

    def selected(self, at: Sequence[Position]) -> Tensor:
        """Return which tokens some positions select, [B, T]; no position selects all."""
        if not at:
            return self.mask
        rows = torch.arange(len(self.prompts))
        chosen = torch.zeros(self.mask.shape, dtype=torch.bool)
        for position in at:
            chosen[rows, torch.tensor(self.listed(position))] = True
        return on_device(chosen, self.ids.device)


def make_batch(
    prompts: Prompts, rows: Sequence[int], device: torch.device, padding: Padding = "right"
) -> TokenBatch:
    """Return rows of prompts as tensors, padded to the longest.

    Args:
        prompts: The prompts.
        rows: Which of them.
        device: Where the tensors go.
        padding: The side on which shorter prompts are filled.
    """
    chosen = prompts.rows(rows)
    padded = chosen.padded(padding)
    ids, mask, position_ids = (
        on_device(torch.from_numpy(array), device)
        for array in (padded.ids, padded.mask.astype(bool), padded.position_ids)
    )
    widest = padded.ids.shape[1]
    starts = tuple(widest - length if padding == "left" else 0 for length in chosen.lengths)
    return TokenBatch(chosen, ids, mask, position_ids, starts)
