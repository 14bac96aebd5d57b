"""Scores by gradients: own passes against masked runs, masks against differences; float64."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from causalnet.discovery.exact import exact_patching, outcome_of
from causalnet.discovery.gradients import clean_corrupted, eap
from causalnet.discovery.integrated import eap_ig_activations, eap_ig_inputs, mask_ig
from causalnet.discovery.journal import Journal
from causalnet.discovery.question import Question
from causalnet.discovery.scores import Scores
from causalnet.effects import counterfactual, mean, resample, zero
from causalnet.errors import ParameterError, TermError
from causalnet.interventions import (
    Base,
    Direction,
    ReadOut,
    accuracy,
    kl,
    logit_diff,
    logit_distance,
    loss,
    probability,
)
from tests.toys import net, word_pairs

EXACT = 1e-10
PAIRS = word_pairs(3, seed=3, lengths=(5,))
REFERENCE = word_pairs(4, seed=8, lengths=(5,)).base
METHODS: dict[str, Callable[..., Scores]] = {
    "eap": eap,
    "eap_ig_inputs": eap_ig_inputs,
    "eap_ig_activations": eap_ig_activations,
    "mask_ig": mask_ig,
}


def question_of(
    model: str = "llama",
    ablation: str = "counterfactual",
    readout: ReadOut = logit_diff,
    grain: str = "edges",
    direction: Direction = "noising",
    at: tuple[str, ...] = (),
) -> Question:
    made = {
        "counterfactual": (counterfactual(), None),
        "zero": (zero(), None),
        "mean": (mean(REFERENCE), REFERENCE),
        "resample": (resample(REFERENCE, draws=2), REFERENCE),
    }
    chosen, reference = made[ablation]
    return Question(net(model), PAIRS, chosen, readout, grain, direction, at, reference)


def slope_at(question: Question, mask: NDArray[np.float64]) -> NDArray[np.float64]:
    """Minus the derivative of every prompt's outcome by every edge's mask, [edges, n]."""
    return -question.runs.gradients(torch.from_numpy(mask))[0].T


def averaged(each: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    found: NDArray[np.float64] = np.mean(each, 0)
    return found


def by_masks(question: Question, method: str, steps: int) -> NDArray[np.float64]:
    """What a method says by its definition, in masked runs, [edges, n]."""
    ones = np.ones(len(question.runs.sites))
    points = [(step + 0.5) / steps for step in range(steps)]
    if method == "eap":
        return slope_at(question, ones)
    if method == "mask_ig":
        return averaged([slope_at(question, ones * point) for point in points])
    if method == "eap_ig_inputs":
        return averaged([question.runs.input_gradients(point).T for point in points])
    layout, sites = question.runs.layout, question.runs.sites
    senders = np.array([sites.label(number).split(" -> ")[0] for number in range(len(sites))])
    found = np.zeros((len(sites), len(question.pairs)))
    for wrote in (range(layout.inputs), *(stage.writers for stage in layout.stages)):
        mine = np.isin(senders, [layout.senders[number] for number in wrote])
        masks = [np.where(mine, point, ones) for point in points]
        found += mine[:, None] * np.mean([slope_at(question, mask) for mask in masks], 0)
    return found


@settings(max_examples=8)
@given(
    model=st.sampled_from(["llama", "gpt2", "small"]),
    method=st.sampled_from(sorted(METHODS)),
    readout=st.sampled_from([logit_diff, probability, loss]),
    direction=st.sampled_from(["noising", "denoising"]),
    grain=st.sampled_from(["edges", "nodes", "heads", "receivers"]),
    steps=st.integers(1, 3),
)
def test_own_passes_say_what_masked_runs_say(
    model: str, method: str, readout: ReadOut, direction: Direction, grain: str, steps: int
) -> None:
    question = question_of(model, readout=readout, grain=grain, direction=direction)
    options = {} if method == "eap" else {"steps": steps}
    found = METHODS[method](question, **options)
    own = "causalnet.estimators" if model != "small" else "masked runs"
    kept = grain in ("nodes", "heads")
    if method == "mask_ig" and kept:  # edges that are always kept do not move
        own, ones = "masked runs", np.ones((1, len(question.units)))
        points = [(step + 0.5) / steps for step in range(steps)]
        masks = [question.units.masks(ones * point)[0].numpy() for point in points]
        expected = averaged([slope_at(question, mask) for mask in masks])
    else:
        expected = by_masks(question, method, steps)
    expected = question.units.gathered(expected.T).T
    assert found.settings["passes"] == own
    assert found.per_prompt is not None
    np.testing.assert_allclose(found.per_prompt, expected, atol=EXACT, rtol=0)
    np.testing.assert_allclose(found.values, expected.mean(1), atol=EXACT, rtol=0)


@settings(max_examples=8)
@given(
    model=st.sampled_from(["llama", "gpt2", "small"]),
    ablation=st.sampled_from(["counterfactual", "zero", "mean", "resample"]),
    at=st.sampled_from([(), ("end",)]),
    unit=st.integers(0, 1_000),
    grain=st.sampled_from(["edges", "nodes", "receivers"]),
)
def test_eap_is_the_slope_of_removing_a_little(
    model: str, ablation: str, at: tuple[str, ...], unit: int, grain: str
) -> None:
    question = question_of(model, ablation, at=at, grain=grain)
    kept, little = np.ones((2, len(question.units))), 1e-5
    kept[:, unit % len(question.units)] += (little, -little)
    more, less = outcome_of(question, kept)
    found = eap(question).per_prompt
    assert found is not None
    slope = (less - more) / (2 * little)  # central difference: errs by the third derivative
    np.testing.assert_allclose(found[unit % len(question.units)], slope, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("model", ["llama", "gpt2"])
def test_both_ends_are_eap_in_both_directions(model: str) -> None:
    both = clean_corrupted(question_of(model)).values
    there, back = (
        eap(question_of(model, direction=way)).values for way in ("noising", "denoising")
    )
    np.testing.assert_allclose(both, (there - back) / 2, atol=EXACT, rtol=0)


@pytest.mark.parametrize("ablation", ["counterfactual", "mean"])
@pytest.mark.parametrize("grain", ["edges", "nodes"])
def test_masks_together_add_up_to_the_total_effect(ablation: str, grain: str) -> None:
    question = question_of("gpt2", ablation, grain=grain)
    gaps = []
    for steps in (4, 32):
        found = mask_ig(question, steps)
        gaps.append(abs(found.values.sum() - found.total))
        assert f"add up to {found.values.sum():+.4g}, the total effect is" in found.notes[0]
    assert gaps[1] < 2e-3 * abs(found.total) + 1e-6  # midpoints err by 1 / steps squared
    assert gaps[1] < gaps[0]


@pytest.mark.parametrize(("model", "steps"), [("gpt2", 16), ("llama", 48)])
def test_edges_out_of_a_stage_add_up_to_removing_it(model: str, steps: int) -> None:
    question = question_of(model, "mean")  # a stream near 0 in front of a norm needs many steps
    found, layout = eap_ig_activations(question, steps), question.runs.layout
    names = [name.split(" -> ")[0] for name in question.units.names]
    for wrote in (range(layout.inputs), *(stage.writers for stage in layout.stages[:-1])):
        mine = np.isin(names, [layout.senders[number] for number in wrote])
        removed, whole = outcome_of(question, np.stack([~mine, np.ones(len(mine))])).mean(1)
        assert found.values[mine].sum() == pytest.approx(removed - whole, abs=2e-2)


@pytest.mark.parametrize("ablation", ["counterfactual", "zero"])
def test_where_everything_is_linear_slopes_are_exact(ablation: str) -> None:
    question = question_of("linear", ablation)
    exact = exact_patching(question).values
    for name, method in METHODS.items():
        if name != "mask_ig" and (name, ablation) != ("eap_ig_inputs", "zero"):
            np.testing.assert_allclose(method(question).values, exact, atol=1e-8)


@pytest.mark.parametrize("method", [eap, clean_corrupted])
@pytest.mark.parametrize("readout", [kl, logit_distance])
def test_a_distance_has_no_slope_at_the_start(
    method: Callable[..., Scores], readout: ReadOut
) -> None:
    with pytest.raises(ParameterError, match=r"gradient there is 0.*logit_diff.*eap_ig_inputs"):
        method(question_of(readout=readout))
    assert mask_ig(question_of(readout=kl), 2).values.any()
    away = replace(kl, reference=Base("source"))
    assert eap(question_of(readout=away)).values.any()


def test_what_cannot_be_asked_says_what_can() -> None:
    for method in (eap_ig_inputs, clean_corrupted):
        with pytest.raises(ParameterError, match=r"zero.*eap_ig_activations or mask_ig"):
            method(question_of(ablation="zero"))
    for method in (eap_ig_inputs, eap_ig_activations, mask_ig):
        with pytest.raises(ParameterError, match="steps=0"):
            method(question_of(), 0)
    with pytest.raises(TermError, match="accuracy has no gradient"):
        eap(question_of(readout=accuracy))


def test_interrupted_work_goes_on_bit_by_bit(tmp_path: Path) -> None:
    question = question_of("small", "zero")
    whole, journal, seen = mask_ig(question, 4), Journal(tmp_path / "search"), []

    def interrupted(done: int, of: int) -> None:
        seen.append((done, of))
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        mask_ig(question, 4, progress=interrupted, journal=journal)
    again = mask_ig(question, 4, journal=journal)
    assert seen == [(1, 4), (2, 4)]
    assert np.array_equal(again.per_prompt, whole.per_prompt)  # type: ignore[arg-type]  # arrays
    before = (tmp_path / "search").read_bytes()
    with pytest.raises(ParameterError, match="another search"):
        mask_ig(question, 5, journal=journal)
    assert (tmp_path / "search").read_bytes() == before


def test_a_vanishing_gradient_is_told() -> None:
    # A token behind the one that is read: attention is causal, and the outcome does not see it.
    read = replace(logit_diff, at=1)
    question = Question(net("gpt2"), PAIRS, zero(), read, at=("end",))
    (note,) = eap(question).notes
    assert "every score is 0" in note and "exact_patching" in note
