"""Where the effects put each mediator's level and noise: what samplers start from.

Nothing of the posterior depends on these numbers: they only say where to look for it.
"""

from dataclasses import dataclass
from typing import final

import numpy as np

from causalnet.design.assumptions import Numbers
from causalnet.design.observations import Observations

__all__ = ["Centres", "find_centres"]

DEGREES = 4.0
ROUNDS = 20
LEAST = 1e-3  # of a row's deviation: most effects of a row may be equal


@final
@dataclass(frozen=True, slots=True, eq=False)
class Centres:
    """Weighted means of effects and approximations, in all prompts or in each template.

    Attributes:
        effects: Weighted mean of the effects, [rows, groups].
        approximation: The same of the approximations, [rows, groups]; 0 without them.
        counts: Prompts in each group, [groups].
        log_noise: Logarithm of the scale of the noise, [rows].
        slope: Of the effects on the approximation within groups; 0 without one.
        slope_known: The precision with which they tell it.
    """

    effects: Numbers
    approximation: Numbers
    counts: Numbers
    log_noise: Numbers
    slope: float
    slope_known: float


def find_centres(seen: Observations) -> Centres:
    """Return weighted means that far effects move little, and the noise around them.

    The weights are those of Student's t with four degrees of freedom, found by reweighting.
    """
    groups = seen.indicator if seen.templates else np.ones((seen.prompts, 1))
    approximation = (
        np.zeros_like(seen.effects) if seen.approximation is None else seen.approximation
    )
    deviations = seen.effects.std(axis=1, ddof=1, keepdims=True)
    weights, noise, slope = np.ones_like(seen.effects), deviations, 0.0
    for _ in range(ROUNDS):
        totals = weights @ groups
        effects = (weights * seen.effects) @ groups / totals
        approximate = (weights * approximation) @ groups / totals
        left = seen.effects - effects @ groups.T
        explained = approximation - approximate @ groups.T
        precision = weights / noise**2
        slope = _ratio(
            float((precision * left * explained).sum()), float((precision * explained**2).sum())
        )
        residual = left - slope * explained
        weights = (DEGREES + 1) / (DEGREES + (residual / noise) ** 2)
        freedom = seen.prompts - groups.shape[1]
        noise = np.sqrt((weights * residual**2).sum(axis=1, keepdims=True) / freedom)
        noise = np.maximum(noise, LEAST * deviations)
    known = float((weights / noise**2 * explained**2).sum())
    return Centres(effects, approximate, groups.sum(axis=0), np.log(noise[:, 0]), slope, known)


def _ratio(upper: float, lower: float) -> float:
    return upper / lower if lower > 0 else 0.0
