"""Addition modulo a prime, trained at a small size: sparse in frequencies, not in nodes."""

import numpy as np
import pytest
import torch

from causalnet.errors import ParameterError
from causalnet.known_circuits.modular_addition import (
    AdditionSetting,
    frequency_powers,
    key_frequencies,
    measure_addition,
    train_addition,
    with_frequencies,
)
from causalnet.known_circuits.training import Course, fresh

SMALL = AdditionSetting(
    modulus=31,
    share=0.75,
    width=48,
    mlp_width=128,
    course=Course(steps=1000, rate=5e-3, weight_decay=2.0, seed=1),
)


def test_a_small_network_adds_by_few_frequencies_and_all_its_nodes() -> None:
    report = train_addition(SMALL).report
    assert report.accuracy > 0.98
    assert len(report.key) <= 5 < report.frequencies == 15
    assert report.key_only > 0.85
    assert report.without_key < 0.1
    assert min(report.without_one.values()) < 0.5
    assert set(report.without_node) == {"L0.H0", "L0.H1", "L0.H2", "L0.H3", "L0.mlp"}
    assert max(report.without_node.values()) < 0.8


def test_frequencies_of_an_embedding_are_those_of_a_transform_written_out() -> None:
    """The oracle is the sum over digits of e^(-2πi k d / m), in numpy, to 1e-6."""
    embedding = torch.randn(11, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    turns = np.exp(-2j * np.pi * np.outer(np.arange(1, 6), np.arange(11)) / 11)
    powers = (np.abs(turns @ embedding.numpy()) ** 2).sum(1)
    np.testing.assert_allclose(frequency_powers(embedding), powers / powers.sum(), atol=1e-6)
    order = np.argsort(-powers)
    held = np.cumsum(powers[order]) / powers.sum()
    fewest = int(np.argmax(held >= 0.6)) + 1
    assert key_frequencies(embedding, 0.6) == tuple(sorted(order[:fewest] + 1))


def test_parts_of_an_embedding_add_up() -> None:
    embedding = torch.randn(11, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    mean = embedding.mean(0)
    parts = [with_frequencies(embedding, (one,)) - mean for one in range(1, 6)]
    torch.testing.assert_close(torch.stack(parts).sum(0) + mean, embedding)
    torch.testing.assert_close(with_frequencies(embedding, ()), mean.expand(11, 5))
    assert float((parts[0] * parts[1]).sum().abs()) < 1e-9


def test_measuring_leaves_the_network_as_it_is() -> None:
    module = fresh(SMALL.shape(), seed=0)
    before = {name: value.clone() for name, value in module.state_dict().items()}
    report = measure_addition(module, SMALL)
    assert all(torch.equal(before[name], value) for name, value in module.state_dict().items())
    assert report.accuracy < 0.2


def test_training_and_test_pairs_are_all_pairs() -> None:
    ids, answers, trains = SMALL.pairs()
    assert len({tuple(row) for row in ids.tolist()}) == 31**2
    assert torch.equal((ids[:, 0] + ids[:, 1]) % 31, answers)
    assert int(trains.sum()) == round(0.75 * 31**2 + 0.25)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [({"modulus": 10}, "modulus=10"), ({"share": 1.0}, "share=1.0"), ({"heads": 5}, "5 heads")],
)
def test_settings_that_cannot_be_are_refused(wrong: dict[str, float], said: str) -> None:
    with pytest.raises(ParameterError, match=said):
        AdditionSetting(**wrong)  # type: ignore[arg-type]  # numbers of either kind
