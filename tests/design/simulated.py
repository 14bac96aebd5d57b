"""Effects that are drawn from the models, so that the truth is known."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Simulated:
    effects: Numbers
    levels: Numbers
    noise: Numbers
    approximation: Numbers
    templates: list[str]


def simulated(
    seed: int,
    mediators: int,
    prompts: int,
    *,
    levels: Numbers | None = None,
    noise: Numbers | float | None = None,
    slope: float = 0.0,
    template_ratio: float = 0.0,
    templates: int = 4,
) -> Simulated:
    """Draw levels (a fifth of them large), noises over a range of scales, and effects."""
    rng = np.random.default_rng(seed)
    if levels is None:
        large = rng.random(mediators) < 0.2
        levels = np.where(large, rng.normal(0, 1, mediators), rng.normal(0, 0.02, mediators))
    scales = np.exp(rng.normal(-1, 0.7, mediators)) if noise is None else noise
    noises = np.broadcast_to(np.asarray(scales, dtype=np.float64), (mediators,))
    member = np.arange(prompts) % templates
    shifts = template_ratio * noises[:, None] * rng.normal(size=(mediators, templates))
    approximation = rng.normal(size=(mediators, prompts)) + rng.normal(size=(mediators, 1))
    residual = noises[:, None] * rng.normal(size=(mediators, prompts))
    effects = levels[:, None] + slope * approximation + shifts[:, member] + residual
    names = [f"template {at}" for at in member]
    return Simulated(effects, levels, noises.copy(), approximation, names)
