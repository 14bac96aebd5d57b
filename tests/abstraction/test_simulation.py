"""Scores of predictions: balance, effects and their intervals, regression."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from causalnet.abstraction.simulation import compare_predictions
from causalnet.abstraction.simulation_baselines import fit_regression, predictions_without
from causalnet.abstraction.simulation_scores import Questions, Weights
from causalnet.errors import ParameterError

OUTCOMES = ("a", "b", "c")


def forward(actual: list[str], claimed: list[str], **more: object) -> Questions:
    n = len(actual)
    return Questions(
        "forward",
        tuple(range(n)),
        ("",) * n,
        tuple(actual),
        tuple(claimed),
        **more,  # type: ignore[arg-type]
    )


@given(st.lists(st.sampled_from(OUTCOMES), min_size=1, max_size=30), st.sampled_from(OUTCOMES))
def test_a_constant_guess_scores_one_over_the_outcomes(actual: list[str], guess: str) -> None:
    found = compare_predictions(
        forward(actual, actual), {"guess": (guess,) * len(actual)}, replicates=100
    )
    assert found.claim.balanced == found.claim.accuracy == 1
    expected = (guess in actual) / len(set(actual))
    assert found.without[0].balanced == pytest.approx(expected)
    assert found.effect.value == pytest.approx(1 - expected)
    assert found.effect.value in found.effect.interval


@given(
    st.lists(
        st.tuples(*[st.sampled_from(OUTCOMES[:2])] * 4),
        min_size=1,
        max_size=30,
    )
)
def test_that_nothing_changes_is_right_on_half(rows: list[tuple[str, ...]]) -> None:
    """Of strata that change and strata that do not, each counts alike."""
    before, actual, claimed, other = (tuple(column) for column in zip(*rows, strict=True))
    n = len(rows)
    asked = Questions("counterfactual", tuple(range(n)), ("x",) * n, actual, claimed, before=before)
    found = compare_predictions(asked, {"unchanged": before, "other": other}, replicates=100)
    strata = set(zip(actual, [a != b for a, b in zip(actual, before, strict=True)], strict=True))
    same = sum(not changed for _, changed in strata)
    assert found.without[0].balanced == pytest.approx(same / len(strata))
    by_hand = [
        np.mean([p == a for p, a, b in zip(other, actual, before, strict=True) if (a, a != b) == s])
        for s in strata
    ]
    assert found.without[1].balanced == pytest.approx(np.mean(by_hand))


def test_a_better_claim_scores_no_less() -> None:
    """Making one wrong prediction right never lowers the effect."""
    rng = np.random.default_rng(0)
    actual, claimed, other = (rng.choice(OUTCOMES, 40).tolist() for _ in range(3))
    last = -1.0
    for at in range(40):
        claimed[at] = actual[at]
        effect = compare_predictions(
            forward(actual, claimed), {"other": tuple(other)}, replicates=100
        ).effect
        assert effect.value >= last
        last = effect.value


def test_intervals_cover_over_prompts_and_over_interventions() -> None:
    """Effects of prompts and of interventions add up: both must be drawn again.

    Nominal 95 %; the bootstrap of 12 interventions is known to be a little wide.  Were prompts
    alone drawn again, coverage would be far below.
    """
    rng = np.random.default_rng(0)
    covered = {True: 0, False: 0}
    for trial in range(120):
        easy, mild = rng.normal(0, 1, 40), rng.normal(0, 1, 12)
        chance = 1 / (1 + np.exp(-(easy[:, None] + mild)))
        claimed, other = (rng.random((40, 12)) < rate for rate in (chance, 0.5 * np.ones((40, 12))))
        prompts, interventions = (each.ravel() for each in np.indices((40, 12)))
        for drawn in covered:
            weights = Weights(np.zeros(480, int), prompts, interventions, drawn, 300, trial)
            effect = weights.effect(
                claimed.ravel().astype(float), other.ravel().astype(float), "", 0.95
            )
            covered[drawn] += 0.0 in effect.interval
    assert covered[True] / 120 > 0.9
    assert covered[False] / 120 < 0.85


def test_without_a_miss_the_interval_is_as_wide_as_unseen_ones() -> None:
    """40 prompts, no miss: up to 1 - .025^(1/40) = 8.8 % may be (Clopper and Pearson)."""
    said = ["a"] * 40
    effect = compare_predictions(forward(said, said), {"always a": ("a",) * 40}).effect
    assert effect.interval.high == pytest.approx(1 - 0.025 ** (1 / 40))
    assert effect.interval.low == -effect.interval.high


def test_regression_learns_what_can_be_seen() -> None:
    rng = np.random.default_rng(0)
    tokens, noise = rng.integers(0, 5, 200).tolist(), rng.integers(0, 5, 200).tolist()
    said = ["high" if token > 2 else "low" for token in tokens]
    first, rest = slice(0, 100), slice(100, 200)

    def asked(rows: slice) -> Questions:
        inputs = {"token": tuple(tokens[rows]), "noise": tuple(noise[rows])}
        return forward(said[rows], said[rows], inputs=inputs)

    without = predictions_without(asked(rest), asked(first))
    assert without["regression on inputs"] == tuple(said[rest])
    assert without["majority"] == ("low",) * 100
    assert predictions_without(asked(rest), None) == {}
    unseen = fit_regression(asked(first)).predict({"token": (99,), "noise": (99,)})
    assert unseen[0] in ("high", "low")


def test_every_question_has_a_prediction() -> None:
    with pytest.raises(ParameterError, match="predicts 1 of 2"):
        compare_predictions(forward(["a", "b"], ["a", "b"]), {"short": ("a",)})
    with pytest.raises(ParameterError, match="No question"):
        forward([], [])
    with pytest.raises(ParameterError, match="claimed has 1"):
        forward(["a", "b"], ["a"])
    alone = compare_predictions(forward(["a"], ["a"]), {})
    with pytest.raises(ParameterError, match="no predictor without the claim"):
        _ = alone.effect
