"""Prompts as padded tensors, and where their positions lie in them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import torch
from torch import Tensor

from causalnet.interventions import Position
from causalnet.tasks import Prompts

__all__ = ["Padding", "TokenBatch", "make_batch"]

Padding: TypeAlias = Literal["right", "left"]


@dataclass(frozen=True, slots=True, eq=False)
class TokenBatch:
    """Some prompts as one padded tensor.

    Attributes:
        prompts: The prompts of this batch, B of them.
        ids: Token ids, [B, T].
        mask: True at real tokens, [B, T].
        position_ids: Position of each token within its prompt, [B, T]; 0 at padding.
    """

    prompts: Prompts
    ids: Tensor
    mask: Tensor
    position_ids: Tensor

    @property
    def is_padded(self) -> bool:
        """Whether any row has padding."""
        return not bool(self.mask.all())

    @property
    def offsets(self) -> Tensor:
        """Number of padding tokens in front of each prompt, [B]."""
        return self.mask.long().argmax(1)

    def columns(self, at: Position) -> Tensor:
        """Return the column of a position in every row, [B].

        Raises:
            PromptError: A position that the prompts do not have.
        """
        return torch.tensor(self.prompts.at(at), device=self.ids.device) + self.offsets

    def selected(self, at: Sequence[Position]) -> Tensor:
        """Return which tokens some positions select, [B, T]; no position selects all."""
        if not at:
            return self.mask
        rows = torch.arange(len(self.prompts), device=self.ids.device)
        chosen = torch.zeros_like(self.mask)
        for position in at:
            chosen[rows, self.columns(position)] = True
        return chosen


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
        torch.from_numpy(array).to(device)
        for array in (padded.ids, padded.mask, padded.position_ids)
    )
    return TokenBatch(chosen, ids, mask.bool(), position_ids)
