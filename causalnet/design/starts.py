"""Where samplers and approximations start: near the effects, and not all at one place."""

import torch
from torch import Tensor

from causalnet.design.program import Data

__all__ = ["start"]

UNITS = ("slope", "level", "log_noise", "shift")


def start(data: Data, width: float) -> dict[str, Tensor]:
    """Return a value for every site that is drawn.

    A half-Cauchy scale that starts far below the effect of its mediator takes that effect for
    noise, and a sampler is long in finding out.

    Args:
        data: What the program is given.
        width: Standard deviation of the units' values, and of the logarithms of scales.
    """
    left = data.centre - data.slope * data.centre_approximation
    noise = data.centre_log_noise.exp() if data.noise is None else data.noise
    size = left.mean(dim=-1, keepdim=True).abs() / noise
    typical = size.median().clamp(min=1e-3)
    noises = data.centre_log_noise
    values = {
        "degrees_above_1": data.number(5.0),
        "template_ratio": data.number(0.3) * _around(data.number(1.0), width),
        "noise_centre": noises.mean(),
        "noise_spread": noises.std().clamp(min=0.1),
        "spread": typical * _around(data.number(1.0), width),
        "local_spread": (size / typical).clamp(min=0.1) * _around(size, width),
    }
    shapes = {"slope": data.slope, "level": size, "log_noise": size, "shift": data.centre}
    for name in UNITS:
        values[f"{name}_unit"] = width * torch.randn_like(shapes[name])
    return values


def _around(like: Tensor, width: float) -> Tensor:
    """Return positive numbers around 1."""
    return (width * torch.randn_like(like)).exp()
