"""Posteriors that Pyro draws from, in the effects' own units."""

import numpy as np
import torch
from pyro.ops.stats import effective_sample_size, split_gelman_rubin
from torch import Tensor

from causalnet.design.assumptions import Assumptions, Numbers
from causalnet.design.diagnostics import Diagnostics, Sampling, Variational
from causalnet.design.isolation import isolated
from causalnet.design.marginals import Draws
from causalnet.design.nuts import run_chains
from causalnet.design.observations import Observations
from causalnet.design.program import Data
from causalnet.design.shared import Learnt, learnt_from_draws
from causalnet.design.svi import CHECKED, fit_normals

__all__ = ["by_nuts", "by_svi"]

Found = tuple[Draws, dict[str, Learnt], Diagnostics]


def by_nuts(
    seen: Observations, assumed: Assumptions, seed: int, draws: int, warmup: int, chains: int
) -> Found:
    """Return draws of the no-U-turn sampler, and whether its chains agree."""
    with isolated(seed):
        each = -(-draws // chains)
        found = run_chains(Data.of(seen, assumed), each, warmup, chains)
        slopes = found.parameters.get("slope")
        levels = _effects(found.levels.flatten(0, 1), _flat(slopes), seen)
        ratios = [float(split_gelman_rubin(values)) for values in found.parameters.values()]
        diagnostics = Sampling(
            chains=chains,
            draws=each,
            warmup=warmup,
            r_hat=_numbers(split_gelman_rubin(found.levels)),
            effective=_numbers(_worth(found.levels)),
            shared_r_hat=max(ratios, default=1.0),
            divergences=found.divergences,
        )
    drawn = {name: _numbers(values.flatten()) for name, values in found.parameters.items()}
    return Draws(levels), learnt_from_draws(drawn, seen), diagnostics


def by_svi(seen: Observations, assumed: Assumptions, seed: int, draws: int, steps: int) -> Found:
    """Return draws of fitted normals, and how far weights move them."""
    with isolated(seed):
        found = fit_normals(Data.of(seen, assumed), steps, draws)
        levels = _effects(found.levels, found.parameters.get("slope"), seen)
    drawn = {name: _numbers(values) for name, values in found.parameters.items()}
    diagnostics = Variational(
        elbo=_numbers(found.elbo),
        moved=_numbers(found.moved),
        widened=_numbers(found.widened),
        effective=_numbers(found.effective),
        checked=CHECKED,
    )
    return Draws(levels), learnt_from_draws(drawn, seen), diagnostics


def _effects(levels: Tensor, slopes: Tensor | None, seen: Observations) -> Numbers:
    """Return draws of level + slope times the approximation's mean over the population."""
    found = levels
    if slopes is not None:
        mean, error, freedom = seen.approximation_mean()
        law = torch.distributions.StudentT(
            levels.new_tensor(float(freedom)), levels.new_tensor(mean), levels.new_tensor(error)
        )
        found = levels + slopes[:, None] * law.sample((len(levels),))
    return _numbers(found) * seen.scale


def _worth(values: Tensor) -> Tensor:
    """Return effective draws, at most those that there are: antithetic chains exceed them."""
    count = float(values.shape[0] * values.shape[1])
    worth = effective_sample_size(values)
    return torch.where(worth > 0, worth, count).clamp(max=count)


def _flat(values: Tensor | None) -> Tensor | None:
    return None if values is None else values.flatten()


def _numbers(values: Tensor) -> Numbers:
    return np.asarray(values.detach().numpy(), dtype=np.float64)
