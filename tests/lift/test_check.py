"""The self-check refuses what does not compute what its checkpoint declares, and says where."""

import types
from typing import Any

import pytest
import torch
from torch import nn

from causalnet.errors import LiftError, NumericalError, OutOfMemoryError
from causalnet.lift import lift
from causalnet.lift.machine import check_has_float64
from causalnet.lift.suspicion import theta_of
from causalnet.models import LanguageModel, load
from tests.small_models import linear_network, tiny_gpt2, tiny_llama

TYPES = [torch.float64, torch.float32]


def refusal(module: nn.Module, **declared: object) -> str:
    model = load(module)
    told = LanguageModel(module, None, {**model.declared, **declared}, lambda: model.provenance)
    with pytest.raises(LiftError) as caught:
        lift(told)
    return str(caught.value)


def altered(module: Any, forward: Any) -> None:
    """Let a module compute something else with the weights it has."""
    module.forward = types.MethodType(forward, module)


@pytest.mark.parametrize("dtype", TYPES)
def test_a_rotary_table_with_another_theta(dtype: torch.dtype) -> None:
    module = tiny_llama(rope_theta=10_000.0, dtype=dtype)
    told = refusal(module, rope_theta=100_000.0)
    assert "first part that differs is L0.H0.z" in told
    assert "q, k and v agree" in told
    assert "declares rope_theta=100000" in told
    assert "table is built with 10000." in told


def test_a_rotary_table_that_is_not_its_own_configurations() -> None:
    module = tiny_llama(rope_theta=100_000.0)
    table = module.model.rotary_emb
    table.inv_freq = 10_000.0 ** -(torch.arange(0, 8, 2, dtype=torch.float64) / 8)
    told = refusal(module)
    assert "L0.H0.z" in told
    assert "declares rope_theta=100000, the model's rotary table is built with 10000." in told


@pytest.mark.parametrize("dtype", TYPES)
def test_another_epsilon(dtype: torch.dtype) -> None:
    told = refusal(tiny_llama(eps=1e-5, dtype=dtype), norm_eps=1e-3)
    assert "first part that differs is L0.attention_norm" in told
    assert "declares norm_eps=0.001, the module has 1e-05" in told


def test_an_epsilon_altered_in_one_norm_only() -> None:
    module = tiny_gpt2()
    module.transformer.h[1].ln_2.eps = 1e-4
    told = refusal(module)
    assert "first part that differs is L1.mlp_norm" in told
    assert "declares norm_eps=1e-05, the module has 0.0001" in told


@pytest.mark.parametrize("dtype", TYPES)
def test_a_transposed_output_weight_of_one_head(dtype: torch.dtype) -> None:
    module = tiny_llama(width=16, heads=2, kv_heads=1, dtype=dtype)

    def forward(self: nn.Linear, z: torch.Tensor) -> torch.Tensor:
        weight = self.weight.clone()
        weight[:8, 8:] = weight[:8, 8:].T.clone()
        return z @ weight.T

    altered(module.model.layers[1].self_attn.o_proj, forward)
    told = refusal(module)
    assert "first part that differs is L1.attention" in told
    assert "Every z agrees" in told


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize(
    ("path", "part"),
    [("attn.c_attn", "L1.H0.q"), ("attn.c_proj", "L1.attention"), ("mlp.c_proj", "L1.mlp")],
)
def test_a_dropped_bias(path: str, part: str, dtype: torch.dtype) -> None:
    module = tiny_gpt2(dtype=dtype)
    altered(module.transformer.h[1].get_submodule(path), lambda self, x: x @ self.weight)
    assert f"first part that differs is {part}, by" in refusal(module)


def test_another_activation() -> None:
    told = refusal(tiny_gpt2(), activation="gelu")
    assert "first part that differs is L0.mlp, by" in told
    assert "declared activation is 'gelu'" in told


def test_a_block_that_adds_something_of_its_own() -> None:
    module = tiny_llama()

    def scaled(_module: Any, _args: Any, output: torch.Tensor) -> torch.Tensor:
        return output * 1.001

    module.model.layers[0].register_forward_hook(scaled)
    told = refusal(module)
    assert "first part that differs is L0.resid_post" in told
    assert "All writers agree" in told


def test_scaled_embeddings_and_scaled_logits() -> None:
    module = tiny_llama()
    module.model.embed_tokens.register_forward_hook(lambda _m, _a, out: out * 2)
    assert "first part that differs is embed" in refusal(module)
    module = tiny_llama()
    module.lm_head.register_forward_hook(lambda _m, _a, out: out * 2)
    assert "first part that differs is logits" in refusal(module)


def test_one_altered_key_column_names_the_group() -> None:
    module = tiny_llama()

    def shift(_module: Any, _args: Any, out: torch.Tensor) -> torch.Tensor:
        out = out.clone()
        out[..., 9] += 1e-6  # group 1 of two, 8 columns each
        return out

    module.model.layers[1].self_attn.k_proj.register_forward_hook(shift)
    assert "first part that differs is L1.KV1.k, by 1e-06" in refusal(module)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
@pytest.mark.parametrize(
    ("weight", "index", "named"),
    [
        ("model.embed_tokens.weight", slice(None), "embed"),
        ("model.layers.0.self_attn.o_proj.weight", (0, 9), "L0.H1"),  # a head is 8 columns wide
        ("model.layers.1.self_attn.k_proj.weight", 8, "L1.KV1.k"),
        ("model.layers.1.mlp.down_proj.weight", 0, "L1.mlp"),
        ("model.norm.weight", 0, "logits"),
    ],
)
@pytest.mark.parametrize("dtype", TYPES)
def test_weights_that_are_no_numbers_are_not_blamed_on_the_graph(
    weight: str, index: Any, named: str, bad: float, dtype: torch.dtype
) -> None:
    module = tiny_llama(dtype=dtype)
    module.get_parameter(weight).data[index] = bad
    with pytest.raises(NumericalError) as caught:
        lift(load(module))
    assert str(caught.value).startswith(f"{named} holds NaN or infinity on prompt 0 of the check")


def test_the_prompt_that_meets_nan_is_named() -> None:
    module = tiny_llama()
    token = next(iter(set(_check_prompt(2)) - set(_check_prompt(0)) - set(_check_prompt(1))))
    module.model.embed_tokens.weight.data[token] = float("nan")
    told = f"^embed holds .* on prompt 2 of the check .token ids {_check_prompt(2)[0]}, .*{token}"
    with pytest.raises(NumericalError, match=told):
        lift(load(module))


def _check_prompt(row: int) -> list[int]:
    ids = torch.randint(64, (8, 12), generator=torch.Generator().manual_seed(0))
    return [int(token) for token in ids[row]]


def test_an_overflow_of_a_narrow_type_asks_for_a_wider_one() -> None:
    module = tiny_llama(dtype=torch.float16)
    module.model.layers[1].mlp.down_proj.weight.data.mul_(30_000.0)
    with pytest.raises(NumericalError, match=r"^L1\.mlp holds .* in float16\. .* wider type"):
        lift(load(module))


def test_nan_that_the_models_own_code_makes() -> None:
    module = tiny_llama()
    module.model.norm.register_forward_hook(lambda _m, _a, out: out * float("nan"))
    with pytest.raises(NumericalError, match=r"^final_norm holds .* in float64\. .* is finite"):
        lift(load(module))


def test_memory_that_runs_out_during_the_check() -> None:
    module = tiny_llama(dtype=torch.float32)
    module.model.norm.register_forward_hook(lambda *_: torch.empty(1 << 60, dtype=torch.uint8))
    with pytest.raises(OutOfMemoryError, match=f"attempt to allocate {1 << 60} bytes"):
        lift(load(module))


def test_memory_that_runs_out_on_a_gpu() -> None:
    def hook(*_: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB. GPU 0 has")

    module = tiny_llama(dtype=torch.float32)
    module.model.norm.register_forward_hook(hook)
    with pytest.raises(OutOfMemoryError, match=r"attempt to allocate 20\.00 MiB\."):
        lift(load(module))


def test_another_error_of_the_model_is_not_taken_for_want_of_memory() -> None:
    def hook(*_: Any) -> None:
        raise RuntimeError("The size of tensor a must match.")

    module = tiny_llama()
    module.model.norm.register_forward_hook(hook)
    with pytest.raises(RuntimeError, match="must match"):
        lift(load(module))


def test_a_device_without_float64_is_named() -> None:
    with pytest.raises(LiftError, match=r"is on 'mps:0', which has no float64\. .*device='cpu'"):
        check_has_float64(torch.device("mps:0"))


@pytest.mark.parametrize("make", [tiny_llama, tiny_gpt2, linear_network])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_coarser_types_are_judged_by_their_own_rounding(make: Any, dtype: torch.dtype) -> None:
    check = lift(load(make(dtype=dtype))).check
    assert check.dtype == str(dtype).removeprefix("torch.")
    for comparison in check.comparisons:
        assert comparison.rounding is not None
        assert comparison.tolerance == max(3 * comparison.rounding, 1e-10)
        assert comparison.difference <= comparison.rounding * 1.01 + 1e-10


def test_rounding_includes_one_prompt_alone_against_the_batch() -> None:
    module = tiny_llama(dtype=torch.float32)
    module.lm_head.register_forward_hook(lambda _m, _a, out: out + 1e-3 * (len(out) == 1))
    check = lift(load(module)).check
    assert check.rounding == pytest.approx(1e-3, rel=0.05)
    assert check.tolerance == pytest.approx(3e-3, rel=0.05)


def test_the_check_says_what_it_found() -> None:
    check = lift(load(tiny_llama())).check
    assert check.rounding is None
    assert check.tolerance == 1e-10
    assert check.comparisons[0].part == "embed"
    assert check.logits.part == "logits"
    assert repr(check).startswith("SelfCheck(float64, 23 parts: logits differ by ")
    assert "\n" not in repr(check)
    report = check.to_json()
    assert report["parts"] == 23
    assert report["difference"] == check.logits.difference


def test_the_model_is_left_as_it_was() -> None:
    module = tiny_llama(dtype=torch.float32)
    before = {name: value.clone() for name, value in module.state_dict().items()}
    lift(load(module))
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
    assert not any(part._forward_hooks or part._forward_pre_hooks for part in module.modules())


def test_theta_is_read_off_a_table() -> None:
    assert theta_of(500.0 ** -(torch.arange(0, 8, 2) / 8), 8) == pytest.approx(500.0, rel=1e-5)
