"""Some prompts of a run, with everything that masked passes over them begin with."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from causalnet.execute.batch import TokenBatch
from causalnet.masked.outcomes import Scored
from causalnet.masked.passes import Columns, Pass

__all__ = ["Batch"]


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Some prompts with everything that runs on them begin with.

    Attributes:
        rows: Which pairs.
        tokens: The prompts that are run.
        columns: Their columns.
        known: What every sender writes where nothing is masked, [B, senders, T, d].
        references: What edges carry otherwise, one [B, senders, T, d] for each draw.
        selected: Tokens at which edges are masked, [B, T]; None for all.
        scored: The read-out.
        intact: What is read for the logits where nothing is masked, [B, C, d].
    """

    rows: range
    tokens: TokenBatch
    columns: Columns
    known: Tensor
    references: tuple[Tensor, ...]
    selected: Tensor | None
    scored: Scored
    intact: Tensor

    def cut(self, going: Pass) -> "Batch":
        """Return the batch without the columns before the first in which anything can change.

        In a network whose attention is causal these are the columns before the first token in which
        a prompt differs from the one that values are taken from, and before the first position at
        which edges are masked.

        Args:
            going: A pass over all columns.
        """
        inputs, known = going.layout.inputs, self.known
        if self.selected is None:
            moved = [(each != known)[:, :inputs].flatten(3).any(3) for each in self.references]
            changed = torch.stack(moved).flatten(0, 2).any(0)
        else:
            changed = self.selected.any(0)
        start = int(changed.nonzero()[0]) if bool(changed.any()) else known.shape[2]
        start = min(start, int(self.columns.read.min()))
        return replace(
            self,
            columns=self.columns.cut(start, going.before(known, start) if start else ()),
            known=known[:, :, start:].contiguous(),
            references=tuple(each[:, :, start:].contiguous() for each in self.references),
            selected=None if self.selected is None else self.selected[:, start:],
        )
