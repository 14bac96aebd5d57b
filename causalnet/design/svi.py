"""The posterior by variational inference: independent normals, each with a mean and a scale.

Independent normals are too narrow where the posterior's coordinates depend on each other.  Given
what all mediators share, mediators are independent of each other: draws of each mediator are
weighted by how likely they are, and what that changes is the approximation's error, so far as
the shared numbers are right.

Source: Kucukelbir et al. 2017 (automatic variational inference); Yao et al. 2018 (weights as a
check).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

import pyro
import pyro.distributions as dist
import torch
from pyro.infer import SVI, Predictive, Trace_ELBO
from pyro.infer.autoguide import AutoNormal, init_to_value
from pyro.optim import ClippedAdam
from torch import Tensor
from torch.distributions import Transform, biject_to

from causalnet.design.program import Data, kept, levels, program
from causalnet.design.starts import start
from causalnet.errors import InternalError

__all__ = ["Fit", "fit_normals"]

FIRST_STEP, LAST_STEP = 0.05, 1e-3
PARTICLES = 1
AVERAGED = 0.25  # of the steps, the last ones
CHECKED = 1000
AT_ONCE = 50


@final
@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """A fitted approximation, and how far weights move it.

    Attributes:
        levels: [draws, rows].
        parameters: Numbers that all mediators share, by the site's name, [draws].
        elbo: The evidence lower bound at each step, [steps].
        moved: How far weighting moves each mediator's mean, in standard deviations, [rows].
        widened: What it multiplies each standard deviation by, [rows].
        effective: How many of 1,000 draws the weights are worth, [rows].
    """

    levels: Tensor
    parameters: dict[str, Tensor]
    elbo: Tensor
    moved: Tensor
    widened: Tensor
    effective: Tensor


def fit_normals(data: Data, steps: int, draws: int) -> Fit:
    """Fit independent normals, draw from them and weight the draws.

    Args:
        data: What the program is given.
        steps: Steps of the optimiser.
        draws: Draws that are kept.
    """
    guide = AutoNormal(program, init_loc_fn=init_to_value(values=start(data, 0.0)), init_scale=0.3)
    decay = (LAST_STEP / FIRST_STEP) ** (1 / steps)
    optimiser = ClippedAdam({"lr": FIRST_STEP, "lrd": decay})
    bound = Trace_ELBO(num_particles=PARTICLES, vectorize_particles=True, max_plate_nesting=2)
    svi = SVI(program, guide, optimiser, bound)
    averages, elbo = _Averages(), []
    for step in range(steps):
        elbo.append(-float(svi.step(data)))
        if step >= (1 - AVERAGED) * steps:
            averages.add(guide)
    averages.put_into(guide)
    with torch.no_grad():
        drawn = _draw(guide, draws)
        found = Predictive(levels, drawn, return_sites=kept(data), parallel=True)(data)
        moved, widened, effective = _weighted(data, guide)
    shared = {name: values for name, values in drawn.items() if values.dim() == 1}
    if "slope" in found:
        shared["slope"] = found["slope"].flatten()
        del shared["slope_unit"]
    return Fit(
        found["level"].reshape(draws, -1),
        shared,
        torch.tensor(elbo, dtype=torch.float64),
        moved,
        widened,
        effective,
    )


class _Averages:
    """Means of a guide's parameters over steps: what is left of the gradient's noise is small."""

    def __init__(self) -> None:
        self.count, self.sums = 0, dict[str, Tensor]()

    def add(self, guide: AutoNormal) -> None:
        """Take the parameters as they are."""
        self.count += 1
        for name, value in guide.named_parameters():
            self.sums[name] = self.sums.get(name, torch.zeros_like(value)) + value.detach()

    def put_into(self, guide: AutoNormal) -> None:
        """Set the parameters to their means."""
        with torch.no_grad():
            for name, value in guide.named_parameters():
                value.copy_(self.sums[name] / self.count)


def _draw(guide: AutoNormal, draws: int) -> dict[str, Tensor]:
    """Return draws of every site, [draws, ...]."""
    supports = _supports(guide)
    return {
        name: supports[name](normal.sample((draws,))) for name, normal in _normals(guide).items()
    }


def _normals(guide: AutoNormal) -> dict[str, dist.Normal]:
    """Return the normal of every site, on the whole line."""
    return {name: dist.Normal(*guide._get_loc_and_scale(name)) for name in _supports(guide)}


def _supports(guide: AutoNormal) -> dict[str, Transform]:
    """Return what carries the whole line to the support of every site."""
    trace = guide.prototype_trace
    if trace is None:
        raise InternalError("A guide that has not seen its program was drawn from.")
    return {name: biject_to(site["fn"].support) for name, site in trace.iter_stochastic_nodes()}


def _weighted(data: Data, guide: AutoNormal) -> tuple[Tensor, Tensor, Tensor]:
    """Return how weights move means and deviations, and what they are worth, [rows] each.

    What all mediators share is held at the approximation's medians.
    """
    normals, supports = _normals(guide), _supports(guide)
    shared = {
        name: supports[name](normal.loc)
        for name, normal in normals.items()
        if normal.loc.dim() == 0
    }
    own = {name: normal for name, normal in normals.items() if normal.loc.dim() > 0}
    found = [_drawn_weights(data, own, supports, shared) for _ in range(CHECKED // AT_ONCE)]
    level = torch.cat([level for level, _ in found])
    weights = torch.cat([weights for _, weights in found]).softmax(dim=0)
    plain, width = level.mean(dim=0), level.std(dim=0)
    mean = (weights * level).sum(dim=0)
    deviation = (weights * (level - mean) ** 2).sum(dim=0).sqrt()
    return (mean - plain) / width, deviation / width, 1 / (weights**2).sum(dim=0)


def _drawn_weights(
    data: Data,
    own: Mapping[str, dist.Normal],
    supports: Mapping[str, Transform],
    shared: Mapping[str, Tensor],
) -> tuple[Tensor, Tensor]:
    """Return levels and logarithms of their weights, [draws, rows]."""
    values, log_weights = dict(shared), torch.zeros(AT_ONCE, len(data.effects)).double()
    for name, normal in own.items():
        line = normal.sample((AT_ONCE,))
        values[name] = supports[name](line)
        log_weights -= (normal.log_prob(line)).sum(dim=-1)
        log_weights += supports[name].log_abs_det_jacobian(line, values[name]).sum(dim=-1)
    conditioned = pyro.poutine.condition(program, data=values)
    with pyro.plate("draws", AT_ONCE, dim=-3):
        trace = pyro.poutine.trace(conditioned).get_trace(data)
    trace.compute_log_prob()
    for name, site in trace.nodes.items():
        frames = {frame.name for frame in site.get("cond_indep_stack", ())}
        if "mediators" in frames and name != "level":  # the level is no draw of its own
            log_weights += site["log_prob"].sum(dim=-1)
    level = trace.nodes["level"]["value"]
    return torch.as_tensor(level).reshape(AT_ONCE, -1), log_weights
