"""Screening by precision: what rounding could change is run again, the rest has an error bar."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from causalnet.effects import run
from causalnet.errors import NumericalError, ParameterError
from causalnet.estimators.precision import screen_by_precision
from causalnet.estimators.screened import Screened
from causalnet.interventions import Query, nie
from causalnet.lift import raised_casts
from tests.estimators.recorded import made_up
from tests.toys import net, word_pairs


def query() -> Query:
    return nie(net(layers=16).heads(), at="end")


def screened(effects: np.ndarray, noise: np.ndarray, **options: Any) -> Screened:
    runner = made_up(query(), effects, noise)
    pairs = word_pairs(effects.shape[1])
    return screen_by_precision(net(layers=16), query(), pairs, runner=runner, **options)


def reasons(found: Screened, why: str) -> set[str]:
    return {label for label, reason in found.why.items() if reason == why}


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
def test_a_bfloat16_copy_finds_the_largest_rows(kind: str) -> None:
    network, pairs = net(kind, layers=4), word_pairs(6)
    asked = nie((*network.heads(), *network.mlps()), at="end")
    with raised_casts(network.model.module):
        table = run(asked, network, pairs)
        found = screen_by_precision(network, asked, pairs, k=4, control=6)
    largest = {effect.label for effect in table.top(4)}
    assert reasons(found, "top") == largest
    known = [found[label].is_exact for label in found.rows]
    assert 4 <= sum(known) < len(known)
    np.testing.assert_allclose(found.means()[known], table.means()[known], atol=1e-10, rtol=0)
    assert found.error_bar is not None and found.error_bar < 0.3
    assert (np.abs(found.means() - table.means()) <= found.error_bar).all()
    assert np.abs(found.estimates - table.means()).max() > 1e-4  # it was rounded
    np.testing.assert_allclose(found.exact.unpatched, table.unpatched, atol=1e-10)


@settings(max_examples=40)
@given(st.integers(0, 2**32 - 1), st.integers(1, 12), st.booleans())
def test_no_row_is_on_the_wrong_side_while_errors_are_within_the_margin(
    seed: int, k: int, has_tau: bool
) -> None:
    """Errors of one size, so that all of them are within 5 rms errors."""
    rng = np.random.default_rng(seed)
    effects = rng.normal(size=(64, 1)) + np.zeros((64, 3))
    noise = 0.2 * rng.choice([-1.0, 1.0], size=(64, 1)) + np.zeros((64, 3))
    tau = 0.5 if has_tau else None
    found = screened(effects, noise, k=k, control=8, tau=tau, seed=seed)
    sizes = np.abs(effects[:, 0])
    truly_first = {found.rows[row] for row in np.argsort(-sizes)[:k]}
    if has_tau:
        assert ((np.abs(found.means()) > 0.5) == (sizes > 0.5)).all()
    else:
        assert reasons(found, "top") == truly_first
        assert found.threshold == pytest.approx(np.sort(sizes)[-k])
    assert found.errors["control"].rms == pytest.approx(0.2)
    assert found.error_bar == pytest.approx(1.0)
    for row, label in enumerate(found.rows):
        assert found[label].mean == pytest.approx(
            effects[row, 0] + (0 if found[label].is_exact else noise[row, 0])
        )


def test_only_what_rounding_could_change_is_run_again() -> None:
    effects = np.linspace(0.0, 6.3, 64)[:, None] + np.zeros((64, 2))
    noise = 0.01 * np.where(np.arange(64) % 2, 1.0, -1.0)[:, None] + np.zeros((64, 2))
    found = screened(effects, noise, k=3, control=4, tau=2.0, margin=12.0)
    labels = np.array(found.rows)
    assert reasons(found, "top") == set(labels[61:])
    # 12 rms errors are 0.12: rows at 1.9, 2.0 and 2.1, rounded to 1.91, 1.99 and 2.11
    near = set(labels[[19, 20, 21]])
    assert near == reasons(found, "boundary")
    assert len(found.exact) <= 3 + 3 + 4
    assert found.bound.unrun == 64 - len(found.exact)


def test_a_row_that_rounding_hid_is_found_by_looking_again() -> None:
    """Exact values move the boundary down to a row that was too far from where it seemed."""
    effects = np.zeros((64, 1))
    effects[:4, 0], noise = [10.0, 9.0, 5.0, 7.1], np.zeros((64, 1))
    noise[2], noise[3] = 4.0, -0.6  # 5 looks like 9; the third is truly 7.1 and looks like 6.5
    noise[4:, 0] = 0.2 * np.where(np.arange(60) % 2, 1, -1)
    found = screened(effects, noise, k=3, control=6, seed=0)
    assert not {"L0.H2", "L0.H3"} & reasons(found, "control")
    assert reasons(found, "top") == {"L0.H0", "L0.H1", "L0.H3"}
    assert found.threshold == pytest.approx(7.1)


def test_so_many_rows_are_further_off_as_seldom_as_it_says() -> None:
    """Heavy-tailed errors: the bound on how many rows lie outside the error bar still holds."""
    rng = np.random.default_rng(0)
    effects, noise = np.zeros((64, 1)), 0.01 * rng.standard_cauchy(size=(64, 1))
    effects[0], noise[0] = 1e9, 0.0
    runner, pairs, short, some = made_up(query(), effects, noise), word_pairs(1), 0, 0
    for seed in range(100):
        found = screen_by_precision(
            net(layers=16), query(), pairs, k=1, control=10, margin=0.0, seed=seed, runner=runner
        )
        assert found.error_bar is not None
        exact = np.isin(found.rows, found.exact.rows)
        outside = int((np.abs(noise[~exact, 0]) > found.error_bar).sum())
        short += outside > found.bound.at_most
        some += outside > 0
    assert short <= 0.05 * 100 + 3 * (0.05 * 0.95 * 100) ** 0.5
    assert some > 50


def test_formats_and_prompts_are_asked_for_as_said() -> None:
    effects = np.arange(64.0)[:, None] + np.zeros((64, 2))
    runner = made_up(query(), effects, np.full((64, 2), 0.01))
    found = screen_by_precision(
        net(layers=16), query(), word_pairs(2), k=3, control=5, runner=runner, dtype=torch.float16
    )
    first, *others = runner.asked
    assert first == (65, None, torch.float16)
    assert all(dtype is None for _, _, dtype in others)
    reads = sum(count - 1 for count, _, _ in others)
    assert reads == len(found.exact)  # each row once, with the base each time


def test_a_screen_by_precision_says_what_it_is() -> None:
    effects = np.arange(64.0)[:, None] + np.zeros((64, 2))
    found = screened(effects, np.full((64, 2), 0.01), k=3, control=5)
    text = str(found)
    assert "screened by a run in bfloat16, ± 0.05 logits; boundary at 61 logits" in text
    assert "differ from their exact mean by more than 0.05; of 5 control rows" in text
    assert "5 rms errors of the control sample" in text
    assert "a run in bfloat16 for the others" in found.conventions.estimator


def test_a_format_without_errors_leaves_the_rest_unrun() -> None:
    effects = np.arange(64.0)[:, None] + np.zeros((64, 2))
    found = screened(effects, np.zeros((64, 2)), k=3, control=5)
    assert found.error_bar == 0.0 and 3 <= len(found.exact) <= 8


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"k": 65}, "k is 65, and the query has 64 rows"),
        ({"control": 0}, "control is 0"),
        ({"tau": -0.5}, "tau is -0.5"),
        ({"margin": -1.0}, "margin is -1.0"),
        ({"margin": math.inf}, "margin is inf"),
        ({"dtype": torch.float64}, "The format float64, for a network in float64"),
        ({"dtype": torch.int8}, "The format int8"),
    ],
)
def test_bad_parameters_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ParameterError, match=message) as caught:
        screened(np.ones((64, 1)), np.zeros((64, 1)), **options)
    assert caught.value.possible and caught.value.write


def test_what_is_too_large_for_the_format_is_named() -> None:
    noise = np.zeros((64, 1))
    noise[9] = np.inf
    with pytest.raises(NumericalError, match=r"L2.H1 is inf .* wider number format"):
        screened(np.ones((64, 1)), noise)
