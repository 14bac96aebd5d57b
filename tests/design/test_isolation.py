"""Fitting changes nothing of the caller's: generators, parameters, threads, loaded modules."""

import random
import subprocess
import sys

import numpy as np
import pyro
import pytest
import torch

from causalnet.design import Assumptions, EffectPosterior, Method, effect_posterior
from tests.design.simulated import simulated

DATA = simulated(0, 4, 6)


def few(unit: float = 1.0, seed: int = 7, *, method: Method) -> EffectPosterior:
    """A posterior from few draws."""
    return effect_posterior(
        DATA.effects * unit,
        method=method,
        assumptions=Assumptions(noise=0.5 * unit, spread=unit),
        seed=seed,
        draws=20,
        warmup=10,
        chains=2,
        steps=100,
    )


def state() -> list[object]:
    """Everything that sampling could change."""
    kind, keys, place, *rest = np.random.get_state(legacy=True)
    return [
        torch.get_rng_state().tolist(),
        random.getstate(),
        (kind, np.asarray(keys).tolist(), place, *rest),
        {name: value.detach().tolist() for name, value in pyro.get_param_store().items()},
        torch.get_num_threads(),
        torch.is_grad_enabled(),
        torch.get_default_dtype(),
        torch.distributions.Distribution._validate_args,
    ]


@pytest.mark.parametrize("method", ["nuts", "svi"])
def test_nothing_of_the_callers_changes(method: Method) -> None:
    pyro.param("AutoNormal.locs.spread", torch.tensor(3.0))  # a name that the guide uses as well
    before = state()
    with torch.no_grad():
        few(method=method)
    assert state() == before
    pyro.get_param_store().clear()


@pytest.mark.parametrize("method", ["nuts", "svi"])
def test_the_seed_decides_and_the_generator_does_not(method: Method) -> None:
    def fitted(seed: int, around: int) -> list[float]:
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(around)
            found = few(seed=seed, method=method)
        return [float(mean) for mean in found.mean]

    assert fitted(1, 0) == fitted(1, 99)
    assert fitted(1, 0) != fitted(2, 0)


@pytest.mark.parametrize("method", ["nuts", "svi"])
def test_units_that_are_powers_of_two_change_nothing_else(method: Method) -> None:
    # Divided by their scale, effects are the same but for the last digits, and so are the draws for
    # as long as trajectories do not part.
    plain, large = few(method=method), few(1024.0, method=method)
    assert large.mean == pytest.approx(1024 * plain.mean, rel=1e-4)
    assert large.sd == pytest.approx(1024 * plain.sd, rel=1e-4)
    assert large.probability_above(102.4) == pytest.approx(plain.probability_above(0.1), abs=0.06)


def test_units_of_effects_and_approximation_do_not_matter() -> None:
    data = simulated(1, 10, 16, slope=0.5)
    plain = effect_posterior(
        data.effects, approximation=data.approximation, method="gaussian", seed=0
    )
    other = effect_posterior(
        1e3 * data.effects, approximation=1e-5 * data.approximation, method="gaussian", seed=0
    )
    # The closed form is exact; the slope's prior and all estimates scale along.
    assert other.mean == pytest.approx(1e3 * plain.mean, rel=1e-3, abs=1e-3)
    assert other.sd == pytest.approx(1e3 * plain.sd, rel=1e-3)
    assert other.learnt["slope"].mean == pytest.approx(1e8 * plain.learnt["slope"].mean, rel=1e-4)
    assert list(other.circuit(300)) == list(plain.circuit(0.3))


def test_pyro_is_loaded_when_it_samples() -> None:
    program = (
        "import sys, causalnet.design as d\n"
        "d.effect_posterior([[1., 2.], [0., .5]], method='gaussian', seed=0)\n"
        "assert 'pyro' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=120)
