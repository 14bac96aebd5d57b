"""Columns before the first difference, and what is the same in all versions, against hooks."""

import random

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from causalnet.effects import counterfactual
from causalnet.interventions import Direction, ReadOut, kl, logit_diff
from causalnet.masked import EdgeRuns
from causalnet.tasks import PromptPairs
from tests.masked.test_edge_runs import EXACT, by_hooks
from tests.toys import WORDS, net, sentence, words


def pairs_with(prefix: int, lengths: tuple[int, ...] = (7, 6)) -> PromptPairs:
    """Pairs whose first words are the same in base and source."""
    rng = random.Random(prefix)
    rows = []
    for length in lengths:
        shared, answer = sentence(rng, prefix), rng.sample(WORDS, 2)
        base, source = (f"{shared} {sentence(rng, length - prefix)}" for _ in range(2))
        tokens = {"answer": f" {answer[0]}", "foil": f" {answer[1]}"}
        rows.append({"base": base, "source": source, "template": str(length), **tokens})
    return PromptPairs.build(words(), rows)


@settings(max_examples=12)
@given(
    model=st.sampled_from(["llama", "gpt2"]),
    readout=st.sampled_from([logit_diff, kl]),
    prefix=st.sampled_from([1, 4]),
    at=st.sampled_from([(), ("end",)]),
    direction=st.sampled_from(["noising", "denoising"]),
    seed=st.integers(0, 10_000),
    share=st.sampled_from([0.1, 0.8]),
)
def test_many_versions_with_known_columns_are_worlds(
    model: str,
    readout: ReadOut,
    prefix: int,
    at: tuple[str | int, ...],
    direction: Direction,
    seed: int,
    share: float,
) -> None:
    """Versions that agree but for a few edges, from the first stage that they change on."""
    runs = EdgeRuns(net(model), pairs_with(prefix), counterfactual(), readout, direction, at)
    drawn = np.random.default_rng(seed)
    first = int(drawn.integers(len(runs.layout.stages)))
    start = runs.layout.stages[first].edges.start
    removed = drawn.random((3, len(runs.sites))) < share
    removed[1:, start + 40 :] = removed[0, start + 40 :]
    removed[:, :start] = False
    ours = runs.outcomes(torch.from_numpy(~removed), first=first)
    for version in range(3):
        edges = np.flatnonzero(removed[version]).tolist()
        theirs = by_hooks("counterfactual", runs, edges, readout)
        np.testing.assert_allclose(ours[version], theirs, atol=EXACT, rtol=0)


@pytest.mark.parametrize("prefix", [0, 4, 5])
def test_equal_columns_are_left_out(prefix: int) -> None:
    runs = EdgeRuns(net("llama"), pairs_with(prefix, (7,)), counterfactual(), kl)
    (batch,) = runs.batches()
    assert batch.known.shape[2] == 7 - prefix


def test_equal_versions_have_a_row_each() -> None:
    """What all versions read alike runs once; every mask has its outcome and its logits."""
    runs = EdgeRuns(net("llama"), pairs_with(3), counterfactual(), logit_diff)
    masks = torch.ones(3, len(runs.sites), dtype=torch.float64)
    masks[:, 5] = 0.0
    alone, together = runs.outcomes(masks[:1]), runs.outcomes(masks)
    assert together.shape == (3, len(runs))
    np.testing.assert_array_equal(together, np.tile(alone, (3, 1)))
    assert all(len(batch) == 3 for batch in runs.logits(masks))
