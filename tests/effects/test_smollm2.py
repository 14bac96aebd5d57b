"""Figures on a real language model: the indirect-object task on SmolLM2-135M-Instruct.

The expected figures were measured with plain hooks on the same templates; the tolerances are
those of fresh samples of the stated size.
"""

from typing import Any

import numpy as np
import pytest

from causalnet.effects import run
from causalnet.execute import Bindings, evaluate
from causalnet.interventions import (
    At,
    Base,
    Do,
    Node,
    Op,
    Read,
    Self,
    Value,
    accuracy,
    joint,
    logit_diff,
    nie,
)
from causalnet.lift import LiftedNetwork
from causalnet.tasks import PromptPairs, ioi

BASE, SOURCE = Base("base"), Base("source")
INHIBITION = ("L20.H0", "L19.H2")


def pairs_for(net: LiftedNetwork, n: int, seed: int, **options: Any) -> PromptPairs:
    return ioi(net.model.tokenizer, n=n, seed=seed, **options)


def test_the_model_does_the_task(smollm2_net: LiftedNetwork) -> None:
    """Mean logit difference 4.22 with standard error 0.25 (n = 120); top-1 at least 0.80."""
    pairs = pairs_for(smollm2_net, 200, 11)
    reads = [Read(logit_diff, BASE), Read(accuracy, BASE)]
    result = evaluate(reads, smollm2_net, Bindings.of(pairs), batch_size=25)
    difference, correct = (result.values[read].numpy() for read in reads)
    error = float(np.hypot(0.25, difference.std() / np.sqrt(len(pairs))))
    assert abs(difference.mean() - 4.22) <= 3 * error
    assert correct.mean() >= 0.80


@pytest.mark.parametrize(
    ("corruption", "lowered", "tolerance"), [("names", 2.5, 0.4), ("flip", 5.3, 0.6)]
)
def test_inhibition_heads_lower_the_logit_difference(
    smollm2_net: LiftedNetwork, corruption: str, lowered: float, tolerance: float
) -> None:
    pairs = pairs_for(smollm2_net, 128, 17, corruption=corruption, templates="acceptance")
    heads = joint("inhibition", *(smollm2_net[name] for name in INHIBITION))
    table = run(nie(heads, at="end"), smollm2_net, pairs, batch_size=32)
    assert table.means()[0] == pytest.approx(-lowered, abs=tolerance)


def test_inhibition_heads_have_no_direct_effect(smollm2_net: LiftedNetwork) -> None:
    """Only what they write into the last residual stream changes; the final norm is recomputed."""
    value: Value = Self()
    for head in INHIBITION:
        value = Op("add", (value, At(head, SOURCE)))
        value = Op("add", (value, At(head, BASE)), (("factor", -1.0),))
    direct = Do(BASE, ((Node("L29.resid_post", ("end",)), value),))
    reads = [Read(logit_diff, direct), Read(logit_diff, BASE)]
    pairs = pairs_for(smollm2_net, 64, 23, corruption="names", templates="acceptance")
    result = evaluate(reads, smollm2_net, Bindings.of(pairs), batch_size=32)
    patched, unpatched = (result.values[read].numpy() for read in reads)
    effect = patched - unpatched
    assert np.abs(effect).max() > 0  # something was patched
    assert abs(effect.mean()) < 0.05


def test_padding_stays_within_the_rounding_bound(smollm2_net: LiftedNetwork) -> None:
    """Templates of several lengths: padded left, right or not, effects agree."""
    pairs = pairs_for(smollm2_net, 8, 5)
    assert len(set(pairs.base.lengths)) > 1
    query = nie(smollm2_net["L20.H0"], at="end")
    alone = run(query, smollm2_net, pairs, batch_size=1).values
    bound = 2 * smollm2_net.check.tolerance  # an effect is a difference of two read-outs
    for padding in ("left", "right"):
        padded = run(query, smollm2_net, pairs, batch_size=8, padding=padding)
        np.testing.assert_allclose(padded.values, alone, atol=bound)
