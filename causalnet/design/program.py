"""The hierarchical model of effects over mediators and prompts, as a Pyro program.

effect[h, i] ~ Student's t(degrees, level[h] + slope approximation[h, i] + shift[h, t(i)], noise[h])
level[h] ~ Normal(0, spread local_spread[h] noise[h]),  local_spread[h] ~ half-Cauchy(1)
log noise[h] ~ Normal(noise_centre, noise_spread)
shift[h, t] ~ Normal(0, template_ratio noise[h])

with h a mediator, i a prompt and t its template, in units in which the typical noise is 1.  Priors:
spread ~ half-Cauchy(1), noise_centre ~ Normal(0, 1), noise_spread ~ half-normal(1),
degrees ~ 1 + Gamma(2, 0.1), template_ratio ~ half-normal(1), and slope ~ Normal(0, twice the root
mean square of the effects over that of the approximation).

Levels are large where noise is: those of a language model's heads range over orders of magnitude
together, and a horseshoe of one scale for all would shrink away large levels that are known less
well.

Each block of mediators is one site.  Levels, shifts and noises are drawn near where the effects
put them, and their density is put right by a factor: what is sampled is close to independent
standard normals whatever the scales are, so that neither a sampler nor independent normals
meet a funnel.

Source: Carvalho, Polson and Scott 2010 (the horseshoe); Juárez and Steel 2010 (the prior of the
degrees of freedom).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import pyro
import pyro.distributions as dist
import torch
from torch import Tensor

from causalnet.design.assumptions import Assumptions, Numbers, for_each
from causalnet.design.centres import LEAST, find_centres
from causalnet.design.observations import Observations

__all__ = ["Data", "Latents", "kept", "levels", "program"]


@final
@dataclass(frozen=True, slots=True, eq=False)
class Data:
    """What the program is given, as tensors in float64.

    Attributes:
        effects: [rows, prompts].
        approximation: [rows, prompts], or None.
        template_of: [prompts], or None.
        degrees: Assumed, or None.
        noise: Assumed, [rows, 1], or None.
        spread: Assumed, [rows, 1], or None.
        template_ratio: Assumed, or None.
        slope_scale: Of the slope's prior.
        least_noise: Below it no noise is learnt, [rows, 1].
        centre: Where the effects are, [rows, groups].
        centre_approximation: Where the approximations are, [rows, groups].
        centre_log_noise: Where the logarithm of the noise is, [rows, 1].
        counts: Prompts in each group, [groups].
        slope: Where the slope is.
        slope_known: How precisely effects tell it.
    """

    effects: Tensor
    approximation: Tensor | None
    template_of: Tensor | None
    degrees: Tensor | None
    noise: Tensor | None
    spread: Tensor | None
    template_ratio: Tensor | None
    slope_scale: Tensor
    least_noise: Tensor
    centre: Tensor
    centre_approximation: Tensor
    centre_log_noise: Tensor
    counts: Tensor
    slope: Tensor
    slope_known: Tensor

    @classmethod
    def of(cls, seen: Observations, assumed: Assumptions) -> "Data":
        """Return effects with what is assumed of them, scaled alike."""
        centres = find_centres(seen)
        deviations = seen.effects.std(axis=1, ddof=1, keepdims=True)
        return cls(
            effects=_tensor(seen.effects),
            approximation=None if seen.approximation is None else _tensor(seen.approximation),
            template_of=None if seen.template_of is None else torch.as_tensor(seen.template_of),
            degrees=None if assumed.degrees is None else _tensor(assumed.degrees),
            noise=_column(scaled(assumed.noise, seen, "noise")),
            spread=_column(scaled(assumed.spread, seen, "spread")),
            template_ratio=(
                None if assumed.template_ratio is None else _tensor(assumed.template_ratio)
            ),
            slope_scale=_tensor(seen.slope_scale),
            least_noise=_tensor(LEAST * deviations),
            centre=_tensor(centres.effects),
            centre_approximation=_tensor(centres.approximation),
            centre_log_noise=_tensor(centres.log_noise[:, None]),
            counts=_tensor(centres.counts),
            slope=_tensor(centres.slope),
            slope_known=_tensor(centres.slope_known),
        )

    def number(self, value: float) -> Tensor:
        """Return a number in the type and on the device of the effects."""
        return self.effects.new_tensor(value)


@final
@dataclass(frozen=True, slots=True, eq=False)
class Latents:
    """What is drawn before effects are.

    Attributes:
        level: [..., rows, 1].
        slope: Of the approximation; 0 without one.
        shift: What a template adds, [..., rows, templates]; None without templates.
        noise: [..., rows, 1].
        degrees: Infinite for normal noise.
    """

    level: Tensor
    slope: Tensor
    shift: Tensor | None
    noise: Tensor
    degrees: Tensor


def program(data: Data) -> None:
    """Draw latents, and effects given them."""
    mediators = _mediators(data)
    drawn = _latents(data, mediators)
    where = drawn.level
    if data.approximation is not None:
        where = where + drawn.slope * data.approximation
    if drawn.shift is not None:
        where = where + drawn.shift[..., data.template_of]
    noise: dist.TorchDistribution = dist.Normal(where, drawn.noise)
    if not bool(torch.isinf(drawn.degrees).all()):
        noise = dist.StudentT(drawn.degrees, where, drawn.noise)
    with mediators, pyro.plate("prompts", data.effects.shape[1], dim=-1):
        pyro.sample("effects", noise, obs=data.effects)


def levels(data: Data) -> Latents:
    """Draw everything but effects; the level is kept by its name."""
    return _latents(data, _mediators(data))


def _mediators(data: Data) -> pyro.plate:
    return pyro.plate("mediators", len(data.effects), dim=-2)


def _latents(data: Data, mediators: pyro.plate) -> Latents:
    one = data.number(1.0)
    degrees = data.degrees
    if degrees is None:
        degrees = 1 + pyro.sample("degrees_above_1", dist.Gamma(2 * one, 0.1 * one))
    slope = 0 * one
    if data.approximation is not None:
        slope = near("slope", 0 * one, data.slope_scale, data.slope, data.slope_known)
        pyro.deterministic("slope", slope)
    told = Information.at(degrees)
    noise = _noise(data, mediators, told)
    spread = _spread(data, mediators, noise)
    centre = data.centre - slope * data.centre_approximation
    known = told.of_level * data.counts / noise**2  # in each group of prompts
    if data.template_of is None:
        level = _level(mediators, spread, centre, known)
        return Latents(level, slope, None, noise, degrees)
    ratio = data.template_ratio
    if ratio is None:
        ratio = pyro.sample("template_ratio", dist.HalfNormal(one))
    width = ratio * noise
    level = _level(mediators, spread, centre, 1 / (width**2 + 1 / known))
    with mediators, pyro.plate("templates", len(data.counts), dim=-1):
        shift = near("shift", 0 * one, width, centre - level, known)
    return Latents(level, slope, shift, noise, degrees)


def _noise(data: Data, mediators: pyro.plate, told: "Information") -> Tensor:
    """Draw the scale of each mediator's noise, [rows, 1]."""
    if data.noise is not None:
        return data.noise
    one = data.number(1.0)
    middle = pyro.sample("noise_centre", dist.Normal(0 * one, one))
    width = pyro.sample("noise_spread", dist.HalfNormal(one))
    known = told.of_log_noise * data.counts.sum()
    with mediators:
        log_noise = near("log_noise", middle, width, data.centre_log_noise, known)
    return ((2 * log_noise).exp() + data.least_noise**2).sqrt()


def _spread(data: Data, mediators: pyro.plate, noise: Tensor) -> Tensor:
    """Draw the standard deviation of each level's prior, [rows, 1]."""
    if data.spread is not None:
        return data.spread
    one = data.number(1.0)
    whole = pyro.sample("spread", dist.HalfCauchy(one))
    with mediators:
        return whole * noise * pyro.sample("local_spread", dist.HalfCauchy(one))


def _level(mediators: pyro.plate, spread: Tensor, centre: Tensor, known: Tensor) -> Tensor:
    """Draw each mediator's level, [rows, 1], from what each group of prompts tells of it."""
    whole = known.sum(dim=-1, keepdim=True)
    middle = (known * centre).sum(dim=-1, keepdim=True) / whole
    with mediators:
        return pyro.deterministic("level", near("level", 0 * spread, spread, middle, whole))


def near(name: str, loc: Tensor, scale: Tensor, centre: Tensor, known: Tensor) -> Tensor:
    """Draw from Normal(loc, scale), looking first where data put the value.

    A standard normal is drawn and carried to the normal posterior that data of this centre and
    precision, `known`, would leave; a factor puts the density right.  The value's law is
    Normal(loc, scale) whatever centre and precision are.
    """
    precision = 1 / scale**2 + known
    posterior = dist.Normal((loc / scale**2 + known * centre) / precision, precision.rsqrt())
    unit = pyro.sample(f"{name}_unit", dist.Normal(0 * precision, torch.ones_like(precision)))
    value = posterior.loc + posterior.scale * unit
    pyro.factor(
        f"{name}_prior", dist.Normal(loc, scale).log_prob(value) - posterior.log_prob(value)
    )
    return value


@final
@dataclass(frozen=True, slots=True, eq=False)
class Information:
    """What one effect tells of its mediator, by Student's t: Fisher's information.

    Attributes:
        of_level: Of the level, times the squared noise.
        of_log_noise: Of the logarithm of the noise.
    """

    of_level: Tensor
    of_log_noise: Tensor

    @classmethod
    def at(cls, degrees: Tensor) -> "Information":
        """Return it for these degrees of freedom; infinity is allowed."""
        return cls(1 - 2 / (degrees + 3), 2 - 6 / (degrees + 3))


def scaled(given: float | Sequence[float] | None, seen: Observations, name: str) -> Numbers | None:
    """Return what is assumed of each mediator in the model, in its units."""
    if given is None:
        return None
    return for_each(given, len(seen.labels), name)[seen.varies] / seen.scale


def _tensor(numbers: Numbers | float) -> Tensor:
    return torch.as_tensor(numbers, dtype=torch.float64)


def _column(numbers: Numbers | None) -> Tensor | None:
    return None if numbers is None else _tensor(numbers)[:, None]


def kept(data: Data) -> list[str]:
    """Return the sites that are worked out from others and belong to the answer."""
    return ["level"] if data.approximation is None else ["level", "slope"]
