"""Optimal ablation of edges: one constant for each sender, learned for a circuit.

Li and Janson 2024: every edge outside the circuit carries its sender's constant; the constants are
learned jointly, from the means, and are never worse than these on the training set.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, final

import torch
from torch import Tensor

from causalnet.effects.descent import descend, learning_json
from causalnet.effects.moments import Moments, Sums
from causalnet.effects.reference import digest_of
from causalnet.errors import TermError
from causalnet.interventions import READOUTS, Ablation, AblationKind, Learning, Position
from causalnet.lift import LiftedNetwork
from causalnet.masked.batches import Batch
from causalnet.masked.edge_runs import EdgeRuns
from causalnet.tasks import PromptPairs

__all__ = ["SenderConstants", "learn_edge_constants"]


@dataclass(frozen=True, slots=True, eq=False)
class SenderConstants:
    """One constant for each sender, learned for a mask.

    Attributes:
        constants: [d] by the name of each sender, as `EdgeRuns(constants=...)` takes them.
        ablation: The ablation that they are for, its settings included.
        kept: How many edges the mask keeps.
        start: Mean loss of the means on the training set, in nats.
        loss: Mean loss of the constants there, at most that of the means.
        curve: Mean loss of each step on its own prompts, before the step.
        looks: Steps and mean losses on the whole training set.
        forwards: Forward passes that were run, each over one batch.
    """

    constants: Mapping[str, Tensor]
    ablation: Ablation
    kept: int
    start: float
    loss: float
    curve: tuple[float, ...]
    looks: tuple[tuple[int, float], ...]
    forwards: int

    def to_json(self) -> dict[str, Any]:
        """Return everything but the vectors."""
        return {
            "senders": len(self.constants),
            "kept_edges": self.kept,
            **learning_json(self),
        }


def learn_edge_constants(
    net: LiftedNetwork,
    mask: Tensor,
    ablation: Ablation,
    training: PromptPairs,
    at: tuple[Position, ...] = (),
    progress: Callable[[], None] | None = None,
) -> SenderConstants:
    """Return the senders' constants that harm least under a mask.

    Args:
        net: The lifted network.
        mask: What is kept, [edges]: 1 where an edge carries its sender's own value.
        ablation: `optimal(training)`.
        training: The pairs that the ablation names; their base prompts are run.
        at: Positions at which edges are masked; none means all.
        progress: Told about every forward pass.

    Raises:
        TermError: Another kind of ablation or training set.
        PromptError, NumericalError, LiftError: See `EdgeRuns`.
    """
    settings = ablation.learning
    if settings is None or digest_of(training.base) != ablation.reference:
        raise TermError(
            f"Constants of edges were to be learned for the ablation {ablation} "
            f"on {len(training)} pairs.",
            "It is optimal ablation, made with the same pairs.",
            "Write optimal(training).",
        )
    learner = _EdgeLearner(net, mask, training, at, settings, progress)
    moments = learner.moments()
    start = learner.whole(moments.means)
    found = descend(learner, moments, start)
    return SenderConstants(
        constants=found.vectors,
        ablation=ablation,
        kept=int((mask > 0).sum()),
        start=start,
        loss=found.loss,
        curve=found.curve,
        looks=found.looks,
        forwards=learner.forwards,
    )


@final
@dataclass(slots=True, eq=False)
class _EdgeLearner:
    """The loss of a training set under a mask, as a function of the senders' constants."""

    net: LiftedNetwork
    mask: Tensor
    training: PromptPairs
    at: tuple[Position, ...]
    settings: Learning
    progress: Callable[[], None] | None = None
    forwards: int = 0

    def __len__(self) -> int:
        """Return the number of training prompts."""
        return len(self.training)

    def losses(self, vectors: Mapping[str, Tensor], rows: Sequence[int], learns: bool) -> Tensor:
        """Return the loss on each of some training prompts, [n]."""
        runs = self._runs(rows)
        parts = []
        for batch in runs.batches():
            with torch.set_grad_enabled(learns):
                given = replace(batch, references=(_carried(runs, batch, vectors),))
                slots = runs.slots(given, self.mask[None], recorded=learns)
                parts.append(runs.value(given, slots)[0])
            self._count(2)  # what is known of the intact model, and the masked run
        return torch.cat(parts)

    def whole(self, vectors: Mapping[str, Tensor]) -> float:
        """Return the mean loss on the whole training set."""
        return float(self.losses(vectors, range(len(self)), learns=False).double().mean())

    def moments(self) -> Moments:
        """Return means over every token, and where edges are masked, with the spreads there."""
        runs = self._runs(range(len(self)))
        every, chosen = Sums(), Sums()
        for batch in runs.batches():
            values = batch.known.transpose(1, 2)
            every.add(values[batch.tokens.mask])
            chosen.add(values[batch.tokens.selected(self.at) & batch.tokens.mask])
            self._count(1)
        names = runs.layout.senders
        return Moments(
            dict(zip(names, every.mean, strict=True)),
            dict(zip(names, chosen.mean, strict=True)),
            dict(zip(names, chosen.spreads.tolist(), strict=True)),
            self.forwards,
        )

    def _runs(self, rows: Sequence[int]) -> EdgeRuns:
        readout = READOUTS[self.settings.loss]
        pairs = self.training.rows(rows)
        zero = Ablation(AblationKind.ZERO)  # its values are replaced
        return EdgeRuns(self.net, pairs, zero, readout, at=self.at, batch_size=self.settings.batch)

    def _count(self, forwards: int) -> None:
        self.forwards += forwards
        for _ in range(forwards if self.progress is not None else 0):
            assert self.progress is not None
            self.progress()


def _carried(runs: EdgeRuns, batch: Batch, vectors: Mapping[str, Tensor]) -> Tensor:
    """Return constants as what edges carry, [B, senders, T, d]."""
    stacked = torch.stack([vectors[name] for name in runs.layout.senders]).to(batch.known)
    return stacked[None, :, None].expand_as(batch.known)
