"""The posterior in closed form: normal noise of known scale, a normal prior, normal shifts.

With noise s, prior deviation v of a level, template ratio w and Z the prompts' templates, effects
given a slope b are Normal(b a, s^2 K + v^2 1 1'), K = I + w^2 Z Z'.  K is the same for all
mediators, so that everything is a product in the metric of its inverse.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import numpy as np

from causalnet.design.assumptions import Assumptions, Numbers, for_each
from causalnet.design.observations import Observations

__all__ = ["Solved", "solve"]


FREE = 1e6  # deviation of a level's prior that leaves the level free
SEARCHED = (-12.0, 12.0)  # logarithms of scales


@final
@dataclass(frozen=True, slots=True, eq=False)
class Solved:
    """The posterior of levels and slope, in the observations' units.

    A level given the slope b is normal with mean `level - b * lean` and deviation `level_sd`.

    Attributes:
        level: [rows].
        lean: How a level gives way to the slope, [rows].
        level_sd: [rows].
        slope: Posterior mean; 0 without an approximation.
        slope_sd: Posterior standard deviation.
        noise: Taken as known, [rows].
        spread: Taken as known, [rows].
        template_ratio: Taken as known; 0 without templates.
        learnt: Names of those that were estimated.
    """

    level: Numbers
    lean: Numbers
    level_sd: Numbers
    slope: float
    slope_sd: float
    noise: Numbers
    spread: Numbers
    template_ratio: float
    learnt: tuple[str, ...]

    def effects(self, approximation: Numbers, variance: Numbers) -> tuple[Numbers, Numbers]:
        """Return mean and deviation of level + slope A, A of this mean and variance, [rows]."""
        mean = self.level + self.slope * (approximation - self.lean)
        slope_variance = self.slope_sd**2
        total = (
            self.level_sd**2
            + slope_variance * (approximation - self.lean) ** 2
            + (self.slope**2 + slope_variance) * variance
        )
        return mean, np.sqrt(total)


@final
@dataclass(frozen=True, slots=True, eq=False)
class _Products:
    """Products of effects y, approximations a and ones, [rows] each; `ones` is one number."""

    ones: float
    y: Numbers
    a: Numbers
    yy: Numbers
    ay: Numbers
    aa: Numbers
    log_determinant: float

    @classmethod
    def of(cls, seen: Observations, ratio: float) -> "_Products":
        y = seen.effects
        a = np.zeros_like(y) if seen.approximation is None else seen.approximation
        metric = np.eye(seen.prompts) + ratio**2 * seen.indicator @ seen.indicator.T
        inverse = np.linalg.inv(metric)
        ones = inverse.sum(axis=0)
        return cls(
            float(ones.sum()),
            y @ ones,
            a @ ones,
            np.einsum("hi,ij,hj->h", y, inverse, y),
            np.einsum("hi,ij,hj->h", a, inverse, y),
            np.einsum("hi,ij,hj->h", a, inverse, a),
            float(np.linalg.slogdet(metric)[1]),
        )


def solve(seen: Observations, assumed: Assumptions) -> Solved:
    """Return the posterior; scales that are not assumed are set to estimates and taken as known.

    The noise is then the deviation within mediators and templates, the template ratio that of the
    largest likelihood with the levels integrated out, and the spread that of the levels' squares.
    """
    rows = len(seen.labels)
    learnt = []
    if assumed.noise is None:
        noise = _deviations(seen)
        learnt.append("noise")
    else:
        noise = for_each(assumed.noise, rows, "noise")[seen.varies] / seen.scale
    spread = None
    if assumed.spread is None:
        learnt.append("spread")
    else:
        spread = for_each(assumed.spread, rows, "spread")[seen.varies] / seen.scale
    ratio = assumed.template_ratio if seen.templates else 0.0
    if ratio is None:
        learnt.append("template_ratio")
    spread, ratio = _estimated(seen, noise, spread, ratio)
    return _posterior(seen, noise, spread, ratio, tuple(learnt))


def _posterior(
    seen: Observations, noise: Numbers, spread: Numbers, ratio: float, learnt: tuple[str, ...]
) -> Solved:
    found = _Products.of(seen, ratio)
    precision = found.ones / noise**2 + 1 / spread**2
    explained, informed = _slope_products(found, noise, precision)
    slope_sd = slope = 0.0
    if seen.approximation is not None:
        slope_sd = (1 / seen.slope_scale**2 + float(informed.sum())) ** -0.5
        slope = float(explained.sum()) * slope_sd**2
    return Solved(
        level=found.y / noise**2 / precision,
        lean=found.a / noise**2 / precision,
        level_sd=precision**-0.5,
        slope=slope,
        slope_sd=slope_sd,
        noise=noise,
        spread=spread,
        template_ratio=ratio,
        learnt=learnt,
    )


def _slope_products(
    found: _Products, noise: Numbers, precision: Numbers
) -> tuple[Numbers, Numbers]:
    """Return a'y and a'a with the levels integrated out, [rows] each."""
    shared = 1 / (noise**2 * precision)
    explained = (found.ay - found.a * found.y * shared) / noise**2
    return explained, (found.aa - found.a**2 * shared) / noise**2


def _deviations(seen: Observations) -> Numbers:
    """Return each mediator's deviation around its templates' means and the slope."""
    groups = seen.indicator if seen.templates else np.ones((seen.prompts, 1))
    within = np.eye(seen.prompts) - groups @ np.linalg.pinv(groups)
    residual = seen.effects @ within
    freedom = seen.prompts - groups.shape[1]
    if seen.approximation is not None:
        a = seen.approximation @ within
        deviations = residual.std(axis=1, keepdims=True)
        for _ in range(5):
            weights = 1 / np.maximum(deviations, 1e-3) ** 2
            slope = (weights * a * residual).sum() / (weights * a**2).sum()
            deviations = (residual - slope * a).std(axis=1, keepdims=True)
        residual = residual - slope * a
    own = (residual**2).sum(axis=1) / freedom
    return np.asarray(np.sqrt(np.maximum(own, 1e-12)))


def _estimated(
    seen: Observations, noise: Numbers, spread: Numbers | None, ratio: float | None
) -> tuple[Numbers, float]:
    """Return spread and ratio; those that are None are estimated with the levels left free.

    The likelihood of one spread for all is ruled by the many small levels that are known well, and
    would shrink the large ones away; squares of levels less their errors weigh by size.
    """
    free = np.full(seen.rows, FREE)
    if ratio is None:
        ratio = _best(lambda tried: _evidence(seen, noise, free, tried))
    if spread is None:
        found = _posterior(seen, noise, free, ratio, ())
        errors = found.level_sd**2
        squares = (found.level - found.slope * found.lean) ** 2
        variance = max(float((squares - errors).mean()), float(errors.mean()) / seen.rows)
        spread = np.full(seen.rows, np.sqrt(variance))
    return spread, ratio


def _best(evidence: Callable[[float], float]) -> float:
    """Return the scale at which the evidence is largest: the best of a grid, made finer."""
    from scipy.optimize import minimize_scalar

    grid = np.linspace(*SEARCHED, 49)
    at = int(np.argmax([evidence(float(np.exp(point))) for point in grid]))
    low, high = grid[max(at - 1, 0)], grid[min(at + 1, len(grid) - 1)]
    found = minimize_scalar(
        lambda point: -evidence(float(np.exp(point))),
        bounds=(low, high),
        method="bounded",
        options={"xatol": 1e-8},
    )
    return float(np.exp(found.x))


def _evidence(seen: Observations, noise: Numbers, spread: Numbers, ratio: float) -> float:
    """Return the logarithm of the marginal likelihood, up to a constant."""
    found = _Products.of(seen, ratio)
    precision = found.ones / noise**2 + 1 / spread**2
    squares = (found.yy - found.y**2 / (noise**2 * precision)) / noise**2
    determinant = (
        2 * seen.prompts * np.log(noise)
        + found.log_determinant
        + np.log(precision)
        + 2 * np.log(spread)
    )
    total = -0.5 * float((squares + determinant).sum())
    if seen.approximation is not None:
        explained, informed = _slope_products(found, noise, precision)
        known = 1 / seen.slope_scale**2 + float(informed.sum())
        total += 0.5 * float(explained.sum()) ** 2 / known - 0.5 * float(np.log(known))
    return total
