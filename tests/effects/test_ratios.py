"""Tables whose means are ratios: per total effect, and among the prompts of an event."""

from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

import causalnet as cn
from causalnet.effects import EffectTable, contrastive_vector, matrix, run
from causalnet.errors import TermError
from causalnet.execute import Answers
from causalnet.interventions import (
    Base,
    Contrast,
    Read,
    Subspace,
    importance,
    logit_diff,
    nie,
    per_total_effect,
    pn,
    pns,
    ps,
    te,
    tie,
)
from causalnet.interventions.techniques import (
    contrastive_steering,
    interchange_accuracy,
    subspace_patch,
)
from causalnet.lift import rebuild
from tests.toys import net, word_pairs

PAIRS = word_pairs(24, seed=3)
Numbers: TypeAlias = NDArray[np.float64]


def outcomes(label: str) -> tuple[Numbers, Numbers, Numbers]:
    """The read-out in the base, in the source, and in the base with one head patched."""
    patched = run(nie(net()[label]), net(), PAIRS)
    total = run(te(), net(), PAIRS)
    base = patched.unpatched
    return base, base + total.values[0], base + patched.values[0]


def test_necessity_and_sufficiency_are_proportions_by_hand() -> None:
    base, source, patched = (values > 0 for values in outcomes("L1.mlp"))
    necessity = run(pn(net()["L1.mlp"]), net(), PAIRS)
    assert necessity.means()[0] == pytest.approx((base & ~patched).sum() / base.sum())
    assert 0 < necessity.means()[0] < 1
    assert necessity.conventions.unit == "probability"
    assert necessity.conventions.given == "positive(logit_difference(<base>))"
    whole = run(pns(), net(), PAIRS)
    assert whole.means()[0] == pytest.approx((base & ~source).mean())
    enough = run(ps(), net(), PAIRS)
    assert enough.means()[0] == pytest.approx((base & ~source).sum() / (~source).sum())


def test_per_total_effect_is_the_fraction_of_the_total_table() -> None:
    query = per_total_effect(nie(net().heads(1)))
    table = run(query, net(), PAIRS)
    raw, total = run(nie(net().heads(1)), net(), PAIRS), run(te(), net(), PAIRS)
    fractions = raw.fraction_of(total)
    np.testing.assert_allclose(table.means(), [fraction.value for fraction in fractions])
    np.testing.assert_array_equal(table.values, raw.values)
    for effect, fraction in zip(table.effects(), fractions, strict=True):
        assert effect.interval == fraction.interval
        assert effect.unit == "of the total effect"
    each = run(per_total_effect(nie(net().heads(1)), "prompt by prompt"), net(), PAIRS)
    np.testing.assert_allclose(each.values, raw.values / total.values)


def test_a_negative_total_effect_has_an_interval_too() -> None:
    table = run(te(), net(), PAIRS)
    level = float(np.abs(table.values).max())
    shifted = EffectTable(
        table.values - 2 * level,
        table.rows,
        table.prompts,
        table.conventions,
        table.unpatched,
        denominators=table.values[0] - 3 * level,
    )
    interval = shifted.effects()[0].interval
    assert interval is not None and interval.low < shifted.means()[0] < interval.high


def test_denominators_come_back_from_a_file(tmp_path: Path) -> None:
    table = run(pn(net().heads(0)), net(), PAIRS)
    again = cn.open(table.save(tmp_path / "table.cnet"))
    assert isinstance(again, EffectTable)
    np.testing.assert_array_equal(again.means(), table.means())
    assert again.conventions == table.conventions
    assert again["L0.H1"] == table["L0.H1"]


def test_importance_is_the_negative_and_says_so() -> None:
    query = tie(net().heads(0))
    plain, negative = (run(each, net(), PAIRS) for each in (query, importance(query)))
    np.testing.assert_array_equal(plain.values, -negative.values)
    assert negative.conventions.sign == f"-({plain.conventions.sign})"


def test_the_steering_vector_is_the_mean_difference() -> None:
    network = net()
    handle, bound = contrastive_vector(network["L1.mlp"], network, PAIRS, at=("end", 0))
    values = []
    for prompts in (PAIRS.base, PAIRS.source):
        output = rebuild(network, torch.tensor(prompts.ids)).parts["L1.mlp"]
        values.append(output[:, [5, 0]].mean((0, 1)))
    torch.testing.assert_close(bound.vector, values[0] - values[1], atol=1e-6, rtol=0)
    query = contrastive_steering(network["L1.mlp"], 2.0, read_at=("end", 0), at="end")
    table = run(query, network, PAIRS, vectors={handle: bound})
    assert np.abs(table.values).max() > 1e-3
    assert table.conventions.convention.startswith("contrastive activation addition")


def test_a_matrix_must_be_the_one_that_its_handle_names() -> None:
    handle, bound = matrix("basis", torch.eye(32)[:, :3])
    query = subspace_patch(net()["L0.mlp"], handle, (0, 1))
    run(query, net(), PAIRS, vectors={handle: bound})
    _, other = matrix("other", torch.eye(32)[:, 1:4])
    with pytest.raises(TermError, match="not the one that its handle names"):
        run(query, net(), PAIRS, vectors={handle: other})
    assert Subspace(handle, (1, 0)).columns == (0, 1)


def test_answers_of_a_high_level_model_are_given_by_name() -> None:
    query = interchange_accuracy(net().heads(0))
    with pytest.raises(TermError, match="'interchange' are not bound"):
        run(query, net(), PAIRS)
    every = Answers((tuple(range(64)),) * len(PAIRS), ((),) * len(PAIRS), "mean")
    table = run(query, net(), PAIRS, answers={"interchange": every})
    np.testing.assert_array_equal(table.values, np.ones((4, len(PAIRS))))
    assert table.conventions.readout == "accuracy/v1 at end, answers interchange"


def test_inputs_are_paired() -> None:
    contrast = Contrast(((1.0, Read(logit_diff, Base("third"))),))
    query = replace(te(), contrasts=(("third", contrast),))
    with pytest.raises(TermError, match="third"):
        run(query, net(), PAIRS)
    with pytest.raises(TermError, match="third"):
        run(query, net(), PAIRS, inputs={"third": word_pairs(3).base})
    table = run(query, net(), PAIRS, inputs={"third": PAIRS.source})
    total = run(te(), net(), PAIRS)
    np.testing.assert_allclose(table.values[0], total.values[0] + total.unpatched)
