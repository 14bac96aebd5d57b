"""Masked runs against the hook executor: worlds in which edges are set, in float64 at 1e-10."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from causalnet.effects import bind, counterfactual, mean, mean_per_position, resample, zero
from causalnet.errors import AlignmentError, ParameterError, TermError
from causalnet.execute import run_leaves
from causalnet.interventions import (
    Ablation,
    AblationKind,
    At,
    Base,
    Const,
    Direction,
    Do,
    Edge,
    Read,
    ReadOut,
    Value,
    accuracy,
    kl,
    lens,
    logit_diff,
    loss,
    mean_handle,
    probability,
)
from causalnet.lift import raised_casts
from causalnet.masked import EdgeRuns
from causalnet.tasks import Prompts
from tests.toys import net, word_pairs

EXACT = 1e-10
PAIRS = word_pairs(5, seed=3, lengths=(6, 4))
REFERENCE = word_pairs(7, seed=8, lengths=(6, 4)).base


def ablation_of(kind: str) -> tuple[Ablation, Prompts | None]:
    made = {
        "zero": (zero(), None),
        "counterfactual": (counterfactual(), None),
        "mean": (mean(REFERENCE), REFERENCE),
        "mean_per_position": (mean_per_position(REFERENCE), REFERENCE),
        "resample": (resample(REFERENCE, draws=2), REFERENCE),
    }
    return made[kind]


def by_hooks(
    kind: str, runs: EdgeRuns, removed: list[int], readout: ReadOut
) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """The same by hooks: every removed edge set in one world, averaged over draws."""
    ablation, reference = ablation_of(kind)
    names = runs.layout.senders
    with raised_casts(runs.net.model.module):
        bindings = bind(ablation, tuple(names), runs.net, runs.pairs, reference, seed=runs.seed)
    noising = runs.direction == "noising"
    below, other = (Base("base"), Base("source")) if noising else (Base("source"), Base("base"))
    found = []
    for draw in range(ablation.draws):
        layer: list[tuple[Edge, Value]] = []
        for number in removed:
            edge = runs.sites[number]
            assert isinstance(edge, Edge)
            edge = Edge(edge.sender, edge.receiver, runs.at)
            values: dict[AblationKind, Value] = {
                AblationKind.ZERO: Const(),
                AblationKind.COUNTERFACTUAL: At(edge.sender, other),
                AblationKind.RESAMPLE: At(edge.sender, Base(f"resample {draw}")),
            }
            mean_value = Const(mean_handle(edge.sender, ablation))
            layer.append((edge, values.get(ablation.kind, mean_value)))
        read = Read(readout, Do(below, tuple(layer)) if layer else below)
        with raised_casts(runs.net.model.module):
            result = run_leaves([read], runs.net, bindings, executor="hooks", batch_size=5)
        found.append(result.values[read].double().numpy())
    return np.asarray(np.mean(found, axis=0))


@settings(max_examples=15, deadline=None)
@given(
    kind=st.sampled_from(["zero", "counterfactual", "mean", "mean_per_position", "resample"]),
    model=st.sampled_from(["llama", "gpt2"]),
    readout=st.sampled_from([logit_diff, kl, loss, probability, accuracy]),
    at=st.sampled_from([(), ("end",), (0, "end")]),
    seed=st.integers(0, 10_000),
    share=st.sampled_from([0.0, 0.05, 0.5, 1.0]),
    denoising=st.booleans(),
)
def test_masks_are_worlds_in_which_edges_are_set(
    kind: str,
    model: str,
    readout: ReadOut,
    at: tuple[str | int, ...],
    seed: int,
    share: float,
    denoising: bool,
) -> None:
    ablation, reference = ablation_of(kind)
    direction: Direction = "denoising" if denoising and kind == "counterfactual" else "noising"
    runs = EdgeRuns(
        net(model), PAIRS, ablation, readout, direction, at, reference, seed=1, batch_size=2
    )
    drawn = np.random.default_rng(seed)
    removed = drawn.random(len(runs.sites)) < share
    masks = torch.tensor(~removed, dtype=torch.float64)[None]
    ours = runs.outcomes(masks)[0]
    theirs = by_hooks(kind, runs, np.flatnonzero(removed).tolist(), readout)
    np.testing.assert_allclose(ours, theirs, atol=EXACT, rtol=0)


def test_what_cannot_be_run_is_refused() -> None:
    with pytest.raises(TermError, match="Denoising with the ablation zero"):
        EdgeRuns(net("llama"), PAIRS, zero(), logit_diff, "denoising")
    with pytest.raises(TermError, match="Masked runs read the logits"):
        EdgeRuns(net("llama"), PAIRS, zero(), lens(logit_diff, "L0.resid_post"))
    with pytest.raises(ParameterError, match="batch"):
        EdgeRuns(net("llama"), PAIRS, zero(), logit_diff, batch_size=0)
    with pytest.raises(TermError, match="needs reference prompts"):
        EdgeRuns(net("llama"), PAIRS, mean(REFERENCE), logit_diff)
    uneven = word_pairs(2, seed=3, align=False, extra=1)
    with pytest.raises(AlignmentError, match="at=\\('end',\\)"):
        runs = EdgeRuns(net("llama"), uneven, counterfactual(), logit_diff)
        runs.outcomes(torch.ones(1, len(runs.sites)))


def test_accuracy_has_outcomes_and_no_gradient() -> None:
    runs = EdgeRuns(net("llama"), PAIRS, zero(), accuracy)
    ones = torch.ones(len(runs.sites))
    assert set(runs.outcomes(ones[None]).ravel().tolist()) <= {0.0, 1.0}
    with pytest.raises(TermError, match="accuracy has no gradient"):
        runs.gradients(ones)


def test_gradients_are_slopes_of_outcomes() -> None:
    """Central differences at a point between, step 1e-5, to 1e-7."""
    runs = EdgeRuns(net("gpt2"), PAIRS, counterfactual(), logit_diff)
    point = torch.rand(
        len(runs.sites), dtype=torch.float64, generator=torch.Generator().manual_seed(0)
    )
    slopes, values = runs.gradients(point)
    np.testing.assert_allclose(values, runs.outcomes(point[None])[0], atol=EXACT)
    for edge in (0, 7, 40, len(runs.sites) - 1):
        step = torch.zeros_like(point)
        step[edge] = 1e-5
        above, below = runs.outcomes(torch.stack([point + step, point - step]))
        np.testing.assert_allclose(slopes[:, edge], (above - below) / 2e-5, atol=1e-7)
