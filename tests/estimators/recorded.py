"""A runner that looks values up, as an executor would give them, and keeps what it was asked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from causalnet.execute import Bindings, evaluate
from causalnet.interventions import Base, Leaf, Query, Read
from causalnet.lift import LiftedNetwork
from causalnet.tasks import PromptPairs


@dataclass
class Recorded:
    """Values of leaves; in a reduced format, noise is added to those of patched worlds."""

    values: Mapping[Leaf, Tensor]
    noise: Mapping[Leaf, Tensor] = field(default_factory=dict)
    asked: list[tuple[int, tuple[int, ...] | None, torch.dtype | None]] = field(
        default_factory=list
    )

    def __call__(
        self, leaves: Sequence[Leaf], prompts: Sequence[int] | None, dtype: torch.dtype | None
    ) -> Mapping[Leaf, Tensor]:
        self.asked.append((len(leaves), None if prompts is None else tuple(prompts), dtype))
        found = {leaf: self.values[leaf] for leaf in leaves}
        if dtype is not None:
            found = {leaf: value + self.noise.get(leaf, 0.0) for leaf, value in found.items()}
        if prompts is None:
            return found
        return {leaf: value[list(prompts)] for leaf, value in found.items()}


def recorded(net: LiftedNetwork, query: Query, pairs: PromptPairs) -> Recorded:
    return Recorded(evaluate(query.leaves, net, Bindings.of(pairs)).values)


def made_up(query: Query, effects: np.ndarray, noise: np.ndarray | None = None) -> Recorded:
    """Values under which the rows of a query have these effects, [rows, prompts]."""
    values: dict[Leaf, Tensor] = {}
    errors: dict[Leaf, Tensor] = {}
    zero = torch.zeros(effects.shape[1], dtype=torch.float64)
    reads = [leaf for leaf in query.leaves if isinstance(leaf, Read)]
    patched = [read for read in reads if not isinstance(read.world, Base)]
    values |= {read: zero for read in reads if isinstance(read.world, Base)}
    values |= dict(zip(patched, torch.from_numpy(effects), strict=True))
    if noise is not None:
        errors = dict(zip(patched, torch.from_numpy(noise), strict=True))
    return Recorded(values, errors)
