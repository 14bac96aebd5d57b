"""The posterior by the no-U-turn sampler.

Source: Hoffman and Gelman 2014, as Pyro has it.
"""

from dataclasses import dataclass
from typing import final

import torch
from pyro.infer import MCMC, NUTS, Predictive
from pyro.infer.autoguide import init_to_value
from torch import Tensor

from causalnet.design.program import Data, kept, levels, program
from causalnet.design.starts import start

__all__ = ["Chains", "run_chains"]

START_WIDTH = 0.5
DEEPEST = 7  # trajectories of at most 127 steps: longer ones are of the first draws, before masses


@final
@dataclass(frozen=True, slots=True, eq=False)
class Chains:
    """What chains drew after their warm-up.

    Attributes:
        levels: [chains, draws, rows].
        parameters: Numbers that all mediators share, by the site's name, [chains, draws].
        divergences: Draws after which a trajectory left the posterior.
    """

    levels: Tensor
    parameters: dict[str, Tensor]
    divergences: int


def run_chains(data: Data, draws: int, warmup: int, chains: int) -> Chains:
    """Run chains one after the other, each from a place of its own.

    Args:
        data: What the program is given.
        draws: Draws of each chain.
        warmup: Draws of each that are thrown away, in which step and masses are found.
        chains: How many.
    """
    found = [_chain(data, draws, warmup) for _ in range(chains)]
    names = found[0].parameters
    return Chains(
        torch.cat([chain.levels for chain in found]),
        {name: torch.cat([chain.parameters[name] for chain in found]) for name in names},
        sum(chain.divergences for chain in found),
    )


def _chain(data: Data, draws: int, warmup: int) -> Chains:
    begin = init_to_value(values=start(data, START_WIDTH))
    kernel = NUTS(program, init_strategy=begin, max_tree_depth=DEEPEST)
    sampler = MCMC(kernel, num_samples=draws, warmup_steps=warmup, disable_progbar=True)
    sampler.run(data)
    drawn = sampler.get_samples()
    found = Predictive(levels, drawn, return_sites=kept(data), parallel=True)(data)
    shared = {name: values for name, values in drawn.items() if values.dim() == 1}
    if "slope" in found:
        shared["slope"] = found["slope"].flatten()
        del shared["slope_unit"]
    return Chains(
        found["level"].reshape(1, draws, -1),
        {name: values[None] for name, values in shared.items()},
        len(sampler.diagnostics()["divergences"]["chain 0"]),
    )
