"""What a posterior says: probabilities, circuits, tables; and what it refuses."""

import itertools
import math
from collections.abc import Callable
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import causalnet as cn
from causalnet.design import (
    Assumptions,
    ClosedForm,
    Draws,
    EffectPosterior,
    Method,
    Normals,
    effect_posterior,
)
from causalnet.effects import Conventions, EffectTable
from causalnet.errors import CausalNetError, NumericalError, ParameterError, UnknownMediatorError
from tests.design.simulated import Numbers, simulated

DATA = simulated(0, 12, 16)


def gaussian(**options: Any) -> EffectPosterior:
    return effect_posterior(DATA.effects, method="gaussian", seed=0, **options)


def believed(means: list[float], sds: list[float]) -> EffectPosterior:
    """A posterior of given normals."""
    return EffectPosterior(
        labels=tuple(f"L{at}.mlp" for at in range(len(means))),
        marginals=Normals(np.array(means), np.array(sds)),
        sample_means=np.array(means),
        fixed=(),
        prompts=8,
        templates=0,
        method="gaussian",
        assumptions=Assumptions(),
        learnt={},
        diagnostics=ClosedForm(()),
        conventions=None,
        seed=0,
    )


def test_probability_above_is_both_tails() -> None:
    found = believed([0.0, 1.0, -1.0], [1.0, 0.5, 0.5])
    # Oracle: the normal table; P(|Z| > 1) = 0.3173, P(Z > 1) = 0.1587.
    assert found.probability_above(1.0)[0] == pytest.approx(0.3173, abs=1e-4)
    assert found.probability_above(0.5)[1] == pytest.approx(1 - 0.1587 + 0.00135, abs=1e-4)
    assert found.probability_above(0.5)[1] == pytest.approx(found.probability_above(0.5)[2])
    assert (found.probability_above(0.0) == 1).all()


def test_draws_and_normals_say_the_same() -> None:
    rng = np.random.default_rng(0)
    normals = Normals(np.array([0.3, -1.0]), np.array([0.2, 0.5]))
    draws = Draws(normals.mean + normals.sd * rng.normal(size=(100_000, 2)))
    # 100,000 draws: errors of 0.0016 deviations in a mean, below 0.01 in a 95 % quantile.
    assert draws.mean == pytest.approx(normals.mean, abs=0.01)
    assert draws.sd == pytest.approx(normals.sd, rel=0.02)
    assert draws.above(0.5) == pytest.approx(normals.above(0.5), abs=0.01)
    for ours, theirs in zip(draws.interval(0.95), normals.interval(0.95), strict=True):
        assert ours == pytest.approx(theirs, abs=0.01)


@given(
    st.lists(st.tuples(st.floats(-2, 2), st.floats(0.01, 2)), min_size=2, max_size=7),
    st.floats(0, 1),
    st.floats(0, 0.9),
)
@settings(max_examples=60)
def test_a_circuit_is_the_largest_set_with_its_rate(
    laws: list[tuple[float, float]], tau: float, fdr: float
) -> None:
    found = believed([mean for mean, _ in laws], [sd for _, sd in laws])
    circuit = found.circuit(tau, fdr)
    # Oracle: all subsets.
    sets = itertools.chain.from_iterable(
        itertools.combinations(found.labels, size) for size in range(len(laws) + 1)
    )
    rates = {each: found.expected_false_discovery_rate(each, tau) for each in sets}
    allowed = [each for each, rate in rates.items() if rate <= fdr]
    largest = max(map(len, allowed))
    assert len(circuit) in (largest, largest - 1)  # a rate equal to fdr is rounded either way
    assert found.expected_false_discovery_rate(circuit, tau) <= fdr + 1e-12
    of_its_size = [rate for each, rate in rates.items() if len(each) == len(circuit)]
    assert found.expected_false_discovery_rate(circuit, tau) <= min(of_its_size) + 1e-12


def test_the_rate_is_the_mean_probability_of_a_small_effect() -> None:
    found = believed([2.0, 0.0], [0.1, 1.0])
    assert found.expected_false_discovery_rate(["L0.mlp"], 1.0) == pytest.approx(0, abs=1e-9)
    assert found.expected_false_discovery_rate(found.labels, 1.0) == pytest.approx(
        0.34134, abs=1e-4
    )
    assert found.expected_false_discovery_rate([], 1.0) == 0
    assert found.circuit(5.0) == ()


def test_large_effects_stay_and_small_ones_shrink() -> None:
    found, means = gaussian(), DATA.effects.mean(axis=1)
    assert np.all(np.abs(found.mean) <= np.abs(means))
    assert np.all(np.sign(found.mean) == np.sign(means))
    assert np.all(found.sd <= DATA.effects.std(axis=1, ddof=1) / 4 + 1e-12)


def test_a_mediator_that_does_not_vary_is_known() -> None:
    effects = DATA.effects.copy()
    effects[3], effects[5] = 0.0, 0.25
    found = effect_posterior(effects, method="gaussian", seed=0)
    assert found.fixed == ("3", "5")
    assert (found.mean[3], found.sd[3], found.mean[5], found.sd[5]) == (0, 0, 0.25, 0)
    assert list(found.probability_above(0.2)[[3, 5]]) == [0, 1]
    assert "the same effect on all prompts" in str(found)


def test_it_prints_as_a_table() -> None:
    text = str(gaussian(labels=[f"L0.H{at}" for at in range(12)]))
    lines = text.splitlines()
    assert lines[0] == "Posterior of effects: 12 mediators x 16 prompts"
    assert lines[1].split() == ["mediator", "mean", "sd", "95", "%", "interval", "sample", "mean"]
    assert [line.split()[0] for line in lines[2:14]] == [
        row.label for row in gaussian(labels=[f"L0.H{at}" for at in range(12)]).top(12)
    ]
    assert any(line.startswith("closed form:") for line in lines)
    assert len(repr(gaussian()).splitlines()) == 1


def test_one_mediator_by_its_name() -> None:
    found = gaussian(labels=[f"L0.H{at}" for at in range(12)])
    row = found["l0h3"]
    assert (row.label, row.mean, row.sd) == ("L0.H3", found.mean[3], found.sd[3])
    assert row.mean in row.interval
    with pytest.raises(UnknownMediatorError, match="Nearest"):
        found["L0.H99"]


def table(values: Numbers, rows: list[str], prompts: list[str]) -> EffectTable:
    words = dict.fromkeys(
        ("sign", "direction", "scale", "readout", "meaning", "ablation", "at", "padding"), "x"
    )
    conventions = Conventions(estimand="NIE/v1", unit="logits", **words)
    return EffectTable(values, tuple(rows), tuple(prompts), conventions, np.zeros(len(prompts)))


def test_tables_are_matched_by_name() -> None:
    heads, prompts = [f"L0.H{at}" for at in range(12)], [str(at) for at in range(16)]
    effects = table(DATA.effects, heads, prompts)
    scores = table(DATA.effects[::-1] * 0.5, [f"{head}[end]" for head in heads[::-1]], prompts)
    found = effect_posterior(effects, approximation=scores, method="gaussian", seed=0)
    assert found.unit == "logits"
    assert found.learnt["slope"].mean == pytest.approx(2.0, rel=1e-3)
    other = table(DATA.effects, heads, prompts[::-1])
    with pytest.raises(ParameterError, match="other prompts"):
        effect_posterior(effects, approximation=other, method="gaussian", seed=0)
    less = table(DATA.effects[1:], heads[1:], prompts)
    with pytest.raises(ParameterError, match=r"no row of its own for L0\.H0"):
        effect_posterior(effects, approximation=less, method="gaussian", seed=0)


def holding(value: float) -> Numbers:
    values = DATA.effects.copy()
    values[2, 5] = value
    return values


REFUSED: list[tuple[str, type[CausalNetError], Callable[[], object]]] = [
    ("of 2 on prompt 5 is nan", NumericalError, lambda: fit(holding(math.nan))),
    ("of 2 on prompt 5 is inf", NumericalError, lambda: fit(holding(math.inf))),
    ("approximation of 2", NumericalError, lambda: gaussian(approximation=holding(math.nan))),
    ("Effects on 1 prompt", ParameterError, lambda: fit(DATA.effects[:, :1])),
    ("Effects of 1 mediator", ParameterError, lambda: fit(DATA.effects[:1])),
    ("shape \\(12,\\)", ParameterError, lambda: fit(DATA.effects[:, 0])),
    ("0 of 12 mediators", ParameterError, lambda: fit(np.zeros((12, 8)))),
    ("shape \\(11, 16\\)", ParameterError, lambda: gaussian(approximation=DATA.effects[:11])),
    ("0 everywhere", ParameterError, lambda: gaussian(approximation=0 * DATA.effects)),
    ("15 templates", ParameterError, lambda: gaussian(templates=DATA.templates[1:])),
    ("1 of them different", ParameterError, lambda: gaussian(templates=["a"] * 16)),
    ("16 of them different", ParameterError, lambda: gaussian(templates=list(map(str, range(16))))),
    ("2 templates", ParameterError, lambda: scored_on_two_templates()),
    ("No method 'hmc'", ParameterError, lambda: fit(DATA.effects, cast(Method, "hmc"))),
    ("tau is -0.1", ParameterError, lambda: gaussian().probability_above(-0.1)),
    ("tau is nan", ParameterError, lambda: gaussian().circuit(math.nan)),
    ("fdr is 1.0", ParameterError, lambda: gaussian().circuit(0.1, fdr=1.0)),
    ("level is 95", ParameterError, lambda: gaussian().intervals(95)),
    ("1 of them different", ParameterError, lambda: rate_of_a_double()),
    ("labels for 12", ParameterError, lambda: gaussian(labels=["a", "b"])),
    ("chains is 0", ParameterError, lambda: gaussian(chains=0)),
    ("noise is -1", ParameterError, lambda: Assumptions(noise=-1)),
    ("noise has the shape \\(3,\\)", ParameterError, lambda: assuming(noise=(1.0, 1.0, 1.0))),
    ("degrees=4", ParameterError, lambda: assuming(degrees=4.0)),
]


def fit(values: Numbers, method: Method = "gaussian") -> EffectPosterior:
    return effect_posterior(values, method=method, seed=0)


def assuming(**given: Any) -> EffectPosterior:
    return gaussian(assumptions=Assumptions(**given))


def scored_on_two_templates() -> EffectPosterior:
    return gaussian(approximation=DATA.effects, templates=["a", "b"] * 8)


def rate_of_a_double() -> float:
    return gaussian().expected_false_discovery_rate(["1", "1"], 0.1)


@pytest.mark.parametrize(("message", "error", "attempt"), REFUSED)
def test_what_cannot_be_used_is_refused_in_three_parts(
    message: str, error: type[CausalNetError], attempt: Callable[[], object]
) -> None:
    with pytest.raises(error, match=message) as caught:
        attempt()
    assert caught.value.came and caught.value.possible and caught.value.write


def test_the_name_is_public() -> None:
    assert cn.effect_posterior is effect_posterior
