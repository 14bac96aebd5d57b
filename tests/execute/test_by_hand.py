"""The executor against hooks written by hand, on the same random networks in float64."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from causalnet.effects import run
from causalnet.interventions import joint, nie
from causalnet.lift import LiftedNetwork, raised_casts
from causalnet.tasks import PromptPairs
from tests.toys import net, word_pairs

D_HEAD = 8


def mixer(network: LiftedNetwork, layer: int) -> Any:
    model: Any = network.model.module
    if hasattr(model, "transformer"):
        return model.transformer.h[layer].attn.c_proj
    return model.model.layers[layer].self_attn.o_proj


def logit_difference(logits: torch.Tensor, pairs: PromptPairs, row: int) -> float:
    (answer,), (foil,) = pairs.answers[row], pairs.foils[row]
    return float(logits[answer] - logits[foil])


def run_hooked(network: LiftedNetwork, ids: tuple[int, ...], hooks: dict[int, Any]) -> torch.Tensor:
    handles = [
        mixer(network, layer).register_forward_pre_hook(hook) for layer, hook in hooks.items()
    ]
    logits: torch.Tensor = network.model.module(torch.tensor([ids])).logits[0, -1]
    for handle in handles:
        handle.remove()
    return logits


def kept(store: dict[int, torch.Tensor], layer: int) -> Callable[[Any, Any], None]:
    def hook(_module: Any, inputs: Any) -> None:
        store[layer] = inputs[0].clone()

    return hook


def patched(value: torch.Tensor, head: int, position: int | None) -> Callable[[Any, Any], Any]:
    def hook(_module: Any, inputs: Any) -> tuple[torch.Tensor]:
        z = inputs[0].clone()
        columns = slice(head * D_HEAD, (head + 1) * D_HEAD)
        rows = slice(None) if position is None else position
        z[:, rows, columns] = value[:, rows, columns]
        return (z,)

    return hook


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
@pytest.mark.parametrize("position", [None, -1, 2])
def test_patched_heads(kind: str, position: int | None) -> None:
    """Two heads of two layers at once, prompts of three lengths in one padded batch."""
    network, pairs = net(kind), word_pairs(6, lengths=(4, 7, 6))
    chosen = {0: 1, 1: 3}
    with raised_casts(network.model.module):
        _compare(network, pairs, chosen, position)


def _compare(
    network: LiftedNetwork, pairs: PromptPairs, chosen: dict[int, int], position: int | None
) -> None:
    by_hand = []
    for row, (base, source) in enumerate(zip(pairs.base.ids, pairs.source.ids, strict=True)):
        store: dict[int, torch.Tensor] = {}
        run_hooked(network, source, {layer: kept(store, layer) for layer in chosen})
        hooks = {layer: patched(store[layer], head, position) for layer, head in chosen.items()}
        after = logit_difference(run_hooked(network, base, hooks), pairs, row)
        before = logit_difference(run_hooked(network, base, {}), pairs, row)
        by_hand.append(after - before)
    heads = joint("two", *(network[f"L{layer}.H{head}"] for layer, head in chosen.items()))
    table = run(nie(heads, at=() if position is None else position), network, pairs)
    assert np.abs(by_hand).max() > 1e-3
    np.testing.assert_allclose(table.values[0], by_hand, atol=1e-10)
