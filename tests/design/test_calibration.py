"""On simulated effects: intervals hold the truth, and reported rates are those that come about."""

import math

import numpy as np
import pytest

from causalnet.design import Assumptions, Sampling, Variational, effect_posterior
from tests.design.simulated import simulated

TAU = 0.2


def test_reported_rates_are_actual_rates() -> None:
    """The closed form with its own prior and noise is calibrated: exactly, not in the long run."""
    rng = np.random.default_rng(0)
    expected, actual, reported, inside = 0.0, 0, 0, 0
    for seed in range(40):
        levels = rng.normal(0, 0.3, 100)
        data = simulated(seed, 100, 8, levels=levels)
        found = effect_posterior(
            data.effects,
            method="gaussian",
            assumptions=Assumptions(noise=tuple(data.noise), spread=0.3),
            seed=0,
        )
        circuit = found.circuit(TAU, fdr=0.1)
        expected += len(circuit) * found.expected_false_discovery_rate(circuit, TAU)
        reported += len(circuit)
        actual += sum(abs(levels[int(label)]) <= TAU for label in circuit)
        inside += sum(level in at for level, at in zip(levels, found.intervals(), strict=True))
    # Counts of about 100 and of 4,000 intervals: 3.5 binomial errors.
    assert reported > 1000
    assert abs(actual - expected) < 3.5 * math.sqrt(expected)
    assert abs(inside / 4000 - 0.95) < 3.5 * math.sqrt(0.95 * 0.05 / 4000)


def test_svi_recovers_and_reports_actual_rates() -> None:
    data = simulated(0, 200, 16)
    found = effect_posterior(data.effects, method="svi", seed=0, steps=500)
    assert isinstance(found.diagnostics, Variational)
    assert "approximate" in str(found) and "importance weights" in str(found)
    circuit = found.circuit(TAU, fdr=0.1)
    expected = len(circuit) * found.expected_false_discovery_rate(circuit, TAU)
    actual = sum(abs(data.levels[int(label)]) <= TAU for label in circuit)
    inside = [level in at for level, at in zip(data.levels, found.intervals(), strict=True)]
    # One simulation, whose levels are not drawn from the horseshoe: within 4 binomial errors.
    assert len(circuit) > 20
    assert actual <= expected + 4 * math.sqrt(max(expected, 1.0))
    assert np.mean(inside) > 0.95 - 4 * math.sqrt(0.95 * 0.05 / 200)


def test_nuts_recovers_large_levels_among_small_ones() -> None:
    levels = np.array([1.0, -0.8, *([0.0] * 6)])
    data = simulated(5, 8, 16, levels=levels, noise=0.3)
    assumed = Assumptions(noise=0.3)
    found = effect_posterior(
        data.effects, method="nuts", assumptions=assumed, seed=0, draws=120, warmup=40
    )
    assert isinstance(found.diagnostics, Sampling)
    assert found.diagnostics.r_hat.max() < 1.2
    assert set(found.circuit(tau=0.3, fdr=0.05)) == {"0", "1"}
    standard = 0.3 / 4
    # Errors of means of 16 effects; small levels shrink below what their means would be.
    assert np.all(np.abs(found.mean - levels) < 4 * standard)
    assert np.abs(found.mean[2:]).mean() < np.abs(data.effects[2:].mean(axis=1)).mean()


def test_templates_widen_intervals_to_hold_the_truth() -> None:
    rng = np.random.default_rng(1)
    inside = {True: 0, False: 0}
    widths = {True: 0.0, False: 0.0}
    for seed in range(10):
        levels = rng.normal(0, 0.5, 60)
        data = simulated(seed, 60, 32, levels=levels, noise=0.4, template_ratio=1.0, templates=8)
        for told in inside:
            found = effect_posterior(
                data.effects,
                method="gaussian",
                templates=data.templates if told else None,
                seed=0,
            )
            widths[told] += float(found.sd.mean()) / 10
            inside[told] += sum(
                level in at for level, at in zip(levels, found.intervals(), strict=True)
            )
    # Oracle: a mean over 8 templates of ratio 1 has variance noise^2 (1/8 + 1/32); taken for 32
    # prompts alike it looks like (noise^2 + noise^2) / 32.
    assert widths[True] / widths[False] == pytest.approx(math.sqrt(5 / 2), rel=0.1)
    assert inside[True] / 600 > 0.92
    assert inside[False] / 600 < 0.85


def test_svi_knows_of_templates() -> None:
    data = simulated(0, 40, 32, noise=0.4, template_ratio=1.0, templates=8)
    told = effect_posterior(data.effects, method="svi", templates=data.templates, seed=0, steps=400)
    untold = effect_posterior(data.effects, method="gaussian", seed=0)
    # As above; levels near 0 shrink, so that only the large ones show the whole factor.
    large = np.abs(data.levels) > 0.5
    assert np.median(told.sd[large] / untold.sd[large]) > 1.3
    assert told.learnt["template_ratio"].mean == pytest.approx(1.0, abs=0.2)


def test_normal_noise_looks_at_the_mean_and_students_t_at_the_middle() -> None:
    rng = np.random.default_rng(0)
    effects = rng.exponential(1.0, (20, 64)) + rng.normal(0, 0.5, (20, 1))
    means, medians = effects.mean(axis=1), np.median(effects, axis=1)
    normal = effect_posterior(effects, method="gaussian", seed=0).mean
    student = effect_posterior(
        effects, method="svi", assumptions=Assumptions(degrees=None), seed=0, steps=400
    ).mean
    # An exponential's median is 0.31 below its mean, 2.5 standard errors.
    assert np.abs(normal - means).mean() < 0.05
    assert (means - student).mean() > 0.1
    assert (student - medians).mean() > -0.1
