"""The closed form against dense linear algebra, and both of Pyro's methods against it."""

import math

import numpy as np
import pytest
import torch
from pyro.ops.stats import effective_sample_size

from causalnet.design import Assumptions, Draws, EffectPosterior, Method, Sampling, effect_posterior
from causalnet.design.conjugate import solve
from causalnet.design.observations import observe
from tests.design.simulated import Numbers, Simulated, simulated

NOISE, SPREAD, RATIO = 0.7, 0.3, 0.8  # the prior says about as much as the effects do
CASES = [(False, False), (True, False), (False, True), (True, True)]


def drawn(seed: int, mediators: int, prompts: int) -> Simulated:
    return simulated(seed, mediators, prompts, noise=NOISE, slope=0.6, template_ratio=RATIO)


def assumptions() -> Assumptions:
    return Assumptions(degrees=math.inf, noise=NOISE, spread=SPREAD, template_ratio=RATIO)


def fitted(
    data: Simulated, method: Method, approximation: bool, templates: bool
) -> EffectPosterior:
    return effect_posterior(
        data.effects,
        method=method,
        approximation=data.approximation if approximation else None,
        templates=data.templates if templates else None,
        assumptions=assumptions(),
        seed=0,
        draws=300 if method == "nuts" else None,
        warmup=40,
        steps=600,
    )


def dense(
    data: Simulated, approximation: bool, templates: bool, slope_sd: float
) -> tuple[Numbers, Numbers]:
    """Posterior mean and covariance of levels, slope and shifts, by the normal equations."""
    rows, prompts = data.effects.shape
    names = list(dict.fromkeys(data.templates))
    columns = [np.kron(np.eye(rows), np.ones((prompts, 1)))]
    prior = [np.full(rows, SPREAD)]
    if approximation:
        columns.append(data.approximation.reshape(-1, 1))
        prior.append(np.array([slope_sd]))
    if templates:
        member = np.array([[name == other for other in names] for name in data.templates])
        columns.append(np.kron(np.eye(rows), member))
        prior.append(np.full(rows * len(names), RATIO * NOISE))
    design = np.concatenate(columns, axis=1)
    precision = np.diag(np.concatenate(prior) ** -2.0) + design.T @ design / NOISE**2
    covariance = np.asarray(np.linalg.inv(precision), dtype=np.float64)
    return covariance @ design.T @ data.effects.reshape(-1) / NOISE**2, covariance


@pytest.mark.parametrize(("approximation", "templates"), CASES)
def test_closed_form_is_that_of_the_normal_equations(approximation: bool, templates: bool) -> None:
    data = drawn(0, 4, 9)
    seen = observe(
        data.effects,
        data.approximation if approximation else None,
        data.templates if templates else None,
    )
    rows = len(data.effects)
    per = seen.scale / seen.approximation_scale
    mean, covariance = dense(data, approximation, templates, seen.slope_scale * per)
    found = solve(seen, assumptions())
    # Oracle: dense least squares in float64; both are exact, 1e-9 is rounding.
    assert found.slope * per == pytest.approx(mean[rows] if approximation else 0.0, abs=1e-9)
    effects = np.zeros((rows, len(mean)))
    effects[:, :rows] = np.eye(rows)
    centre = np.zeros(rows)
    if approximation:
        centre = data.approximation.mean(axis=1)
        effects[:, rows] = centre
    scaled = centre / seen.approximation_scale
    ours, sd = found.effects(scaled, np.zeros(rows))
    assert ours * seen.scale == pytest.approx(effects @ mean, abs=1e-9)
    theirs = np.sqrt(np.diag(effects @ covariance @ effects.T))
    assert sd * seen.scale == pytest.approx(theirs, abs=1e-9)


def test_nuts_agrees_with_the_closed_form() -> None:
    data = drawn(1, 6, 12)
    exact, found = fitted(data, "gaussian", False, True), fitted(data, "nuts", False, True)
    assert isinstance(found.diagnostics, Sampling)
    assert found.diagnostics.divergences == 0
    assert found.diagnostics.r_hat.max() < 1.05
    assert isinstance(found.marginals, Draws)
    # Monte Carlo errors from how many independent draws the values, and their squares, are worth;
    # 4.5 of them, as 12 numbers are compared.
    draws = found.marginals.values.reshape(found.diagnostics.chains, -1, len(found))
    error = exact.sd / np.sqrt(found.diagnostics.effective)
    assert np.all(np.abs(found.mean - exact.mean) < 4.5 * error)
    squares = torch.as_tensor((draws - exact.mean) ** 2)
    error = np.sqrt(2 / effective_sample_size(squares).numpy())  # of a normal's variance
    assert np.all(np.abs((found.sd / exact.sd) ** 2 - 1) < 4.5 * error)
    assert error.max() < 0.25


@pytest.mark.parametrize(("approximation", "templates"), [(False, False), (True, True)])
def test_svi_agrees_with_the_closed_form(approximation: bool, templates: bool) -> None:
    data = drawn(2, 6, 12)
    exact = fitted(data, "gaussian", approximation, templates)
    found = fitted(data, "svi", approximation, templates)
    # 4,000 independent draws, 4.5 errors, and 0.05 deviations for what the optimiser leaves.
    assert np.all(np.abs(found.mean - exact.mean) < (4.5 / 4000**0.5 + 0.05) * exact.sd)
    # The approximation's mean has Student's t, whose deviation is noisier.
    tails = 3 if approximation else 1
    assert np.all(np.abs(found.sd / exact.sd - 1) < 4.5 * tails / 8000**0.5 + 0.05)


def test_estimated_scales_are_those_of_the_simulation() -> None:
    rng = np.random.default_rng(0)
    levels = rng.normal(0, SPREAD, 400)
    data = simulated(3, 400, 40, levels=levels, noise=NOISE, template_ratio=RATIO, templates=10)
    found = effect_posterior(data.effects, templates=data.templates, method="gaussian", seed=0)
    # Standard errors: 0.016 of the spread, about 1 % of the ratio; the typical noise is
    # a median of 400 deviations with 30 degrees, each 13 % off.
    assert found.learnt["spread"].mean == pytest.approx(SPREAD, abs=0.06)
    assert found.learnt["template_ratio"].mean == pytest.approx(RATIO, abs=0.05)
    assert found.learnt["noise"].mean == pytest.approx(NOISE, rel=0.03)
    assert "noise, spread, template_ratio were set to estimates" in str(found)
