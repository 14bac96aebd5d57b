"""Noise ablation against a model that is run by hand, and its draws against batches and subsets."""

import hashlib
from collections.abc import Iterator
from typing import Any, Literal

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from causalnet.effects import embedding_spread, noise, run
from causalnet.errors import PromptError, TermError
from causalnet.interventions import ablation_effect, joint, te
from causalnet.lift import raised_casts
from causalnet.tasks import PromptPairs
from tests.toys import net, word_pairs

NETWORK = "llama"


@pytest.fixture(autouse=True)
def in_float64_throughout() -> Iterator[None]:
    with raised_casts(net(NETWORK).model.module):
        yield


def standard_normal(seed: int, draw: int, row: int, length: int, width: int) -> torch.Tensor:
    """The draw that is declared: PCG64 of the first 16 bytes of sha256 of the key and the row."""
    digest = hashlib.sha256(f"noise {seed} {draw}|{row}".encode()).digest()[:16]
    drawn = np.random.Generator(np.random.PCG64(int.from_bytes(digest, "big")))
    return torch.from_numpy(drawn.standard_normal((length, width)))


def by_hand(pairs: PromptPairs, row: int, sigma: float, seed: int, draw: int) -> float:
    """The logit difference with layer 0's MLP set to its value on the noised embedding."""
    model: Any = net(NETWORK).model.module
    mlp = model.model.layers[0].mlp
    ids = torch.tensor([pairs.base.ids[row]])
    embedded = model.model.embed_tokens(ids)
    blurred = embedded + sigma * standard_normal(seed, draw, row, ids.shape[1], embedded.shape[-1])
    kept: list[torch.Tensor] = []
    listening = mlp.register_forward_hook(lambda _m, _i, output: kept.append(output))
    with torch.no_grad():
        model(inputs_embeds=blurred)
        listening.remove()
        setting = mlp.register_forward_hook(lambda _m, _i, _o: kept[0])
        logits = model(input_ids=ids).logits[0, -1]
        setting.remove()
    return float(logits[list(pairs.answers[row])].mean() - logits[list(pairs.foils[row])].mean())


@pytest.mark.parametrize("executor", ["wavefront", "hooks"])
def test_values_are_those_of_the_noised_run(executor: Literal["wavefront", "hooks"]) -> None:
    """Oracle: the model's own modules, a numpy generator and two plain hooks; 1e-10."""
    network, pairs = net(NETWORK), word_pairs(3)
    ablation = noise(network, 2.0, seed=5, draws=2)
    assert ablation.noise is not None
    query = ablation_effect(network["L0.mlp"], ablation)
    table = run(query, network, pairs, executor=executor)
    for row in range(3):
        draws = [by_hand(pairs, row, ablation.noise.sigma, 5, draw) for draw in range(2)]
        found = table.values[0, row] + table.unpatched[row]
        assert found == pytest.approx(np.mean(draws), abs=1e-10)
    assert np.abs(table.values).max() > 1e-3


@settings(max_examples=8)
@given(st.data())
def test_executors_agree_and_no_batch_changes_a_draw(data: st.DataObject) -> None:
    """The wavefront against hooks, in batches and subsets of any size; 1e-9."""
    kind = data.draw(st.sampled_from(["llama", "gpt2"]))
    network, pairs = net(kind), word_pairs(5, lengths=(4, 7))
    nodes = st.sampled_from([*network.heads(), *network.mlps()])
    members = data.draw(st.lists(nodes, min_size=1, max_size=4, unique=True))
    ablation = noise(
        network,
        data.draw(st.sampled_from([0.5, 3.0])),
        at=data.draw(st.sampled_from([(), ("end",), (0, 2)])),
        draws=data.draw(st.integers(1, 2)),
        seed=data.draw(st.integers(0, 99)),
    )
    at: Any = data.draw(st.sampled_from([(), ("end",), (2,)]))
    query = ablation_effect(
        joint("set", *members),
        ablation,
        at=at,
        direction=data.draw(st.sampled_from(["noising", "denoising"])),
    )

    def values(pairs: PromptPairs, **options: Any) -> np.ndarray[Any, Any]:
        with raised_casts(network.model.module):
            return run(query, network, pairs, **options).values

    whole = values(pairs, executor="hooks", batch_size=5)
    np.testing.assert_allclose(values(pairs, executor="wavefront"), whole, atol=1e-9)
    size = data.draw(st.integers(1, 3))
    np.testing.assert_allclose(values(pairs, executor="hooks", batch_size=size), whole, atol=1e-9)
    rows = data.draw(st.lists(st.sampled_from(range(5)), min_size=1, unique=True))
    np.testing.assert_allclose(values(pairs.rows(rows)), whole[:, rows], atol=1e-9)


def test_no_noise_is_no_effect_and_restoring_the_embedding_undoes_all() -> None:
    network, pairs = net(NETWORK), word_pairs(4)
    still = ablation_effect(network.heads(), noise(network, 0.0))
    np.testing.assert_allclose(run(still, network, pairs).values, 0.0, atol=1e-12)
    blurred = noise(network, 1.0, draws=3)
    restored = ablation_effect(network["embed"], blurred, direction="denoising")
    table = run(restored, network, pairs)
    intact = run(te(), network, pairs).unpatched
    np.testing.assert_allclose(table.values[0] + table.unpatched, intact, atol=1e-10)
    embedded = run(ablation_effect(network["embed"], blurred), network, pairs)
    np.testing.assert_allclose(table.values, -embedded.values, atol=1e-10)


def test_its_size_is_declared() -> None:
    """Oracle: numpy's standard deviation of the rows of the embedding; 1e-12."""
    network, pairs = net(NETWORK), word_pairs(4)
    module: Any = network.model.module
    weights = module.model.embed_tokens.weight.detach().numpy()
    assert embedding_spread(network) == pytest.approx(weights.std(), abs=1e-12)
    subjects = [ids[2] for ids in pairs.base.ids]
    own = noise(network, 3.0, at=2, spread_of=pairs.base).noise
    assert own is not None
    assert own.sigma == pytest.approx(3 * weights[subjects].std(), abs=1e-12)
    assert (own.factor, own.at, own.of) == (3.0, (2,), "tokens of 4 prompts")
    every = [token for ids in pairs.base.ids for token in ids]
    assert embedding_spread(network, pairs.base) == pytest.approx(weights[every].std(), abs=1e-12)
    said = run(ablation_effect(network["L0.mlp"], noise(network)), network, pairs)
    assert "3 times the standard deviation of the vocabulary, on every token, seed 0" in (
        said.conventions.ablation
    )
    assert said.provenance["ablation"]["noise"]["factor"] == 3.0
    with pytest.raises(PromptError, match="Unknown position 'S9'"):
        noise(network, at="S9", spread_of=pairs.base)
    with pytest.raises(TermError, match="finite, and 0 or more"):
        noise(network, -1.0)
