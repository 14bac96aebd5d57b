"""What the float32 casts inside Hugging Face models cost, and that they can be raised."""

from typing import Any

import pytest
import torch

from causalnet.lift import LiftedNetwork, float64_copy, lift, raised_casts, rebuild
from causalnet.models import load
from tests.small_models import random_ids, tiny_gpt2, tiny_llama


def cost(net: LiftedNetwork, ids: torch.Tensor) -> float:
    return float((net.run(ids) - rebuild(net, ids).logits).abs().max())


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("kv_heads", [1, 2, 4])
def test_llama_casts_cost_some_1e_6_unless_raised(attention: str, kv_heads: int) -> None:
    net = lift(load(tiny_llama(kv_heads=kv_heads, attention=attention)))
    ids = random_ids(4, 20)
    assert 1e-8 < cost(net, ids) < 1e-4
    with raised_casts(net.model.module):
        assert cost(net, ids) <= 1e-10
    assert 1e-8 < cost(net, ids) < 1e-4  # put back


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_gpt2_has_no_such_casts(attention: str) -> None:
    net = lift(load(tiny_gpt2(attention=attention)))
    ids = random_ids(4, 20)
    assert cost(net, ids) <= 1e-10
    with raised_casts(net.model.module):
        assert cost(net, ids) <= 1e-10


def test_the_rotary_table_is_put_back_after_an_error() -> None:
    module = tiny_llama()
    before = module.model.rotary_emb.inv_freq
    with pytest.raises(ZeroDivisionError), raised_casts(module):
        assert module.model.rotary_emb.inv_freq.dtype == torch.float64
        assert module.model.rotary_emb.inv_freq is not before
        raise ZeroDivisionError
    assert module.model.rotary_emb.inv_freq is before


def test_a_table_that_is_not_the_configurations_is_not_put_right() -> None:
    module = tiny_llama()
    module.model.rotary_emb.inv_freq *= 1.001
    kept = module.model.rotary_emb.inv_freq
    with raised_casts(module):
        assert module.model.rotary_emb.inv_freq is kept


def test_float32_is_float32_again_outside() -> None:
    with raised_casts(tiny_llama()):
        assert torch.zeros(1).double().to(torch.float32).dtype == torch.float64
        assert torch.zeros(1).float().dtype == torch.float64
    assert torch.zeros(1).double().to(torch.float32).dtype == torch.float32
    assert torch.zeros(1).float().dtype == torch.float32


@pytest.mark.parametrize("make", [tiny_llama, tiny_gpt2])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_float64_copy_computes_what_float64_weights_compute(
    make: Any, dtype: torch.dtype
) -> None:
    module = make(dtype=dtype)
    net = lift(load(module))
    ids = random_ids(3, 7)
    twin = float64_copy(module, net.places.blocks)
    with raised_casts(twin):
        own = twin(ids, attention_mask=torch.ones_like(ids)).logits
    exact = rebuild(net, ids, dtype=torch.float64).logits
    assert own.dtype == torch.float64
    assert float((own - exact).abs().max()) <= 1e-10
    assert {parameter.dtype for parameter in module.parameters()} == {dtype}
    twins = [p for path, p in twin.named_parameters() if ".layers." in path or ".h." in path]
    assert twins
    assert {parameter.dtype for parameter in twins} == {dtype}  # one block at a time was wide
