"""Means and spreads of nodes over a set of prompts: where learning starts, how far a step goes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from causalnet.effects.reference import REFERENCE_BATCH
from causalnet.execute import TokenBatch, record
from causalnet.interventions import Position
from causalnet.lift import LiftedNetwork
from causalnet.tasks import Prompts

__all__ = ["Moments", "Sums", "moments_of"]


@dataclass(frozen=True, slots=True, eq=False)
class Moments:
    """What a set of prompts says of nodes, each by name.

    Attributes:
        means: Means over every token, [d].
        means_where_set: Means over the positions at which they are set, [d].
        spreads: Standard deviations there, one number each.
        forwards: Forward passes that were run.
    """

    means: dict[str, Tensor]
    means_where_set: dict[str, Tensor]
    spreads: dict[str, float]
    forwards: int


@dataclass(slots=True)
class Sums:
    """Sums of values and of their squares, in float64.

    Attributes:
        count: How many values were taken in.
        total: Their sum, [..., d].
        squares: The sum of their squares, [..., d].
    """

    count: int = 0
    total: Tensor | float = 0.0
    squares: Tensor | float = 0.0

    def add(self, values: Tensor) -> None:
        """Take in values, [n, ..., d]."""
        wide = values.to("cpu", torch.float64)
        self.count += len(wide)
        self.total, self.squares = self.total + wide.sum(0), self.squares + wide.square().sum(0)

    @property
    def mean(self) -> Tensor:
        """The mean of each entry, [..., d]."""
        return torch.as_tensor(self.total) / self.count

    @property
    def spreads(self) -> Tensor:
        """Root mean squares of the entries' standard deviations, [...]; 1 where nothing varies."""
        variances = torch.as_tensor(self.squares) / self.count - self.mean.square()
        found = variances.clamp(min=0).mean(-1).sqrt()
        return torch.where(found > 0, found, torch.ones_like(found))


def moments_of(
    nodes: Sequence[str],
    net: LiftedNetwork,
    prompts: Prompts,
    at: tuple[Position, ...],
) -> Moments:
    """Return means and spreads of nodes over prompts, summed in float64.

    Args:
        nodes: Names of nodes.
        net: The lifted network.
        prompts: The prompts; padding is not counted.
        at: Positions at which nodes are set; none means every token.

    Raises:
        PromptError: A position that the prompts do not have.
    """
    sums = {node: Sums() for node in nodes}
    chosen = {node: Sums() for node in nodes}

    def add(batch: TokenBatch, values: Mapping[str, Tensor]) -> None:
        for node in nodes:
            sums[node].add(values[node][batch.mask])
            chosen[node].add(values[node][batch.selected(at) & batch.mask])

    forwards = record(nodes, net, prompts, add, batch_size=REFERENCE_BATCH)
    return Moments(
        {node: one.mean for node, one in sums.items()},
        {node: one.mean for node, one in chosen.items()},
        {node: float(one.spreads) for node, one in chosen.items()},
        forwards,
    )
