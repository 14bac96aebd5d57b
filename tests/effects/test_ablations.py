"""Ablations against values computed by hand from recorded activations."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch

from causalnet.effects import (
    constant,
    counterfactual,
    mean,
    mean_per_position,
    resample,
    run,
    steer,
    vector,
    zero,
)
from causalnet.effects.reference import resampled_inputs
from causalnet.errors import AlignmentError, TermError
from causalnet.execute import TokenBatch, record
from causalnet.interventions import ablation_effect, joint, kl, nie
from causalnet.lift import raised_casts
from causalnet.tasks import Prompts
from tests.toys import net, word_pairs

NETWORK = "llama"


@pytest.fixture(autouse=True)
def in_float64_throughout() -> Iterator[None]:
    """What is recorded comes from the model's own modules, what is run from the wavefront."""
    with raised_casts(net(NETWORK).model.module):
        yield


def recorded(node: str, prompts: Prompts) -> list[torch.Tensor]:
    """The node's value on each prompt, [T, d], without padding."""
    rows: list[torch.Tensor] = []

    def keep(batch: TokenBatch, values: object) -> None:
        assert isinstance(values, dict)
        rows.extend(values[node][row, :length] for row, length in enumerate(batch.prompts.lengths))

    record([node], net(NETWORK), prompts, keep, batch_size=1)
    return rows


def test_pooled_mean_counts_every_real_token_once() -> None:
    network, pairs = net(NETWORK), word_pairs(4)
    reference = word_pairs(9, seed=5, lengths=(3, 8)).base
    by_hand = torch.cat(recorded("L0.mlp", reference)).mean(0)
    handle, bound = vector("mean by hand", by_hand)
    ours = run(
        ablation_effect(network["L0.mlp"], mean(reference)), network, pairs, reference=reference
    )
    theirs = run(
        ablation_effect(network["L0.mlp"], constant(handle)),
        network,
        pairs,
        vectors={handle: bound},
    )
    np.testing.assert_allclose(ours.values, theirs.values, atol=1e-10)
    assert np.abs(ours.values).max() > 1e-3


def test_mean_of_a_head_is_set_on_its_z() -> None:
    network, pairs = net(NETWORK), word_pairs(4)
    reference = word_pairs(9, seed=5).base
    z = torch.cat(recorded("L1.H2.z", reference)).mean(0)
    handle, bound = vector("mean output by hand", z @ network.output_weight(1)[2])
    ours = run(
        ablation_effect(network["L1.H2"], mean(reference)), network, pairs, reference=reference
    )
    theirs = run(
        ablation_effect(network["L1.H2"], constant(handle)), network, pairs, vectors={handle: bound}
    )
    np.testing.assert_allclose(ours.values, theirs.values, atol=1e-10)


def test_mean_per_position_keeps_templates_apart() -> None:
    network = net(NETWORK)
    pairs = word_pairs(4, lengths=(5, 7))
    reference = word_pairs(8, seed=3, lengths=(5, 7)).base
    query = ablation_effect(network["L0.H1"], mean_per_position(reference))
    ours = run(query, network, pairs, reference=reference)
    for row, template in enumerate(pairs.base.templates):
        alike = reference.rows(
            [index for index, other in enumerate(reference.templates) if other == template]
        )
        alone = run(
            ablation_effect(network["L0.H1"], mean_per_position(alike)),
            network,
            pairs.rows([row]),
            reference=alike,
        )
        np.testing.assert_allclose(ours.values[0, row], alone.values[0, 0], atol=1e-10)


def test_mean_per_position_needs_the_template() -> None:
    network, reference = net(NETWORK), word_pairs(4, lengths=(5,)).base
    query = ablation_effect(network["L0.H1"], mean_per_position(reference))
    with pytest.raises(AlignmentError, match="same template and length"):
        run(query, network, word_pairs(2, lengths=(6,)), reference=reference)


def test_mean_over_one_prompt_is_an_interchange_with_it() -> None:
    network, pairs = net(NETWORK), word_pairs(1)
    ours = run(
        ablation_effect(network.heads(), mean_per_position(pairs.source)),
        network,
        pairs,
        reference=pairs.source,
    )
    np.testing.assert_allclose(
        ours.values, run(nie(network.heads()), network, pairs).values, atol=1e-10
    )


def test_resampling_averages_its_draws() -> None:
    network, pairs = net(NETWORK), word_pairs(3)
    reference = word_pairs(6, seed=8).base
    ablation = resample(reference, draws=3)
    averaged = run(
        ablation_effect(network["L0.H1"], ablation), network, pairs, reference=reference, seed=4
    )
    inputs = resampled_inputs(ablation, pairs.base, reference, 4)
    single = []
    for drawn in inputs.values():
        table = run(
            ablation_effect(network["L0.H1"], mean_per_position(drawn.rows([0]))),
            network,
            pairs.rows([0]),
            reference=drawn.rows([0]),
        )
        single.append(table.values[0, 0])
    assert averaged.values[0, 0] == pytest.approx(np.mean(single), abs=1e-10)
    again = run(
        ablation_effect(network["L0.H1"], ablation), network, pairs, reference=reference, seed=5
    )
    assert not np.allclose(again.values, averaged.values)


def test_resampling_needs_prompts_that_line_up() -> None:
    network, reference = net(NETWORK), word_pairs(3, lengths=(5,)).base
    with pytest.raises(AlignmentError, match="no reference prompt of its template with 6 tokens"):
        run(
            ablation_effect(network["L0.H1"], resample(reference)),
            network,
            word_pairs(2),
            reference=reference,
        )


def test_steering_by_nothing_is_nothing_and_by_minus_itself_is_zero() -> None:
    network, pairs = net(NETWORK), word_pairs(1)
    own = recorded("L1.mlp", pairs.base)[0][-1]
    handle, bound = vector("own value", own)

    def effect(factor: float) -> float:
        query = ablation_effect(network["L1.mlp"], steer(handle, factor), at="end")
        return float(run(query, network, pairs, vectors={handle: bound}).values[0, 0])

    zeroed = run(ablation_effect(network["L1.mlp"], zero(), at="end"), network, pairs).values[0, 0]
    assert effect(0.0) == 0.0
    assert effect(-1.0) == pytest.approx(zeroed, abs=1e-10)
    assert abs(zeroed) > 1e-3


def test_denoising_measures_from_the_source() -> None:
    network, pairs = net(NETWORK), word_pairs(4)
    every = joint("all", network["embed"])
    query = ablation_effect(every, counterfactual(), direction="denoising")
    table = run(query, network, pairs)
    total = run(nie(every), network, pairs).values
    np.testing.assert_allclose(table.values, -total, atol=1e-10)
    assert table.conventions.direction == "denoising"


def test_kl_is_summed_over_the_vocabulary_and_zero_at_the_base() -> None:
    network, pairs = net(NETWORK), word_pairs(3)
    table = run(nie(network["L1.resid_post"], outcome=kl), network, pairs)
    logits = [
        network.run(torch.tensor([ids]))[0, -1].log_softmax(-1)
        for prompts in (pairs.base, pairs.source)
        for ids in prompts.ids
    ]
    base, source = logits[:3], logits[3:]
    by_hand = [float((b.exp() * (b - s)).sum()) for b, s in zip(base, source, strict=True)]
    np.testing.assert_allclose(table.values[0], by_hand, atol=1e-10)
    np.testing.assert_allclose(table.unpatched, 0, atol=1e-12)
    assert table.conventions.unit == "nats"


@pytest.mark.parametrize("given", [True, False])
def test_reference_must_be_the_one_that_was_named(given: bool) -> None:
    network, reference = net(NETWORK), word_pairs(3).base
    query = ablation_effect(network["L0.H1"], mean(reference))
    other = word_pairs(3, seed=9).base if given else None
    with pytest.raises(TermError, match="reference"):
        run(query, network, word_pairs(2), reference=other)
    with pytest.raises(TermError, match="uses no reference"):
        run(nie(network["L0.H1"]), network, word_pairs(2), reference=reference)
