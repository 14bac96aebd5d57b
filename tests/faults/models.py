"""Defects of models and adapters, which lifting refuses."""

import types
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from causalnet.errors import (
    CausalNetError,
    DeviceError,
    LiftError,
    NumericalError,
    UnsupportedArchitectureError,
)
from causalnet.lift import Adapter, register
from causalnet.lift.architectures import GPT2, LLAMA
from tests.faults.table import Work, fault, lifting
from tests.small_models import linear_network, tiny_gpt2, tiny_llama


def gpt2(folder: Path) -> Work:
    return Work(folder, tiny_gpt2())


def linear(folder: Path) -> Work:
    return Work(folder, linear_network())


def float32(folder: Path) -> Work:
    return Work(folder, tiny_llama(dtype=torch.float32))


def layer(work: Work, number: int = 1) -> Any:
    return work.module.model.layers[number]


def altered(module: Any, forward: Any) -> None:
    """Let a module compute something else with the parts it has."""
    module.forward = types.MethodType(forward, module)


# -- modules that run another number of times than once, or give something else ------------------


@fault(lifting, LiftError, "never ran the module of L1.mlp")
def a_module_is_skipped(work: Work) -> None:
    def forward(self: Any, hidden_states: torch.Tensor, **named: Any) -> torch.Tensor:
        attended, _ = self.self_attn(hidden_states=self.input_layernorm(hidden_states), **named)
        middle: torch.Tensor = hidden_states + attended
        self.post_attention_layernorm(middle)
        return middle  # as with LayerDrop, or a layer that was pruned

    altered(layer(work), forward)


@fault(lifting, LiftError, "L0.attention_norm", "twice")
def two_layers_share_one_block(work: Work) -> None:
    work.module.model.layers[1] = work.module.model.layers[0]


@fault(lifting, LiftError, "L1.mlp", "twice")
def a_block_calls_its_mlp_twice(work: Work) -> None:
    def forward(self: Any, hidden_states: torch.Tensor, **named: Any) -> torch.Tensor:
        attended, _ = self.self_attn(hidden_states=self.input_layernorm(hidden_states), **named)
        middle = hidden_states + attended
        normed = self.post_attention_layernorm(middle)
        both: torch.Tensor = middle + 0.5 * (self.mlp(normed) + self.mlp(normed))
        return both

    altered(layer(work), forward)


@fault(lifting, LiftError, "edits L1.mlp in place")
def the_model_edits_an_output_in_place(work: Work) -> None:
    def forward(self: Any, hidden_states: torch.Tensor, **named: Any) -> torch.Tensor:
        attended, _ = self.self_attn(hidden_states=self.input_layernorm(hidden_states), **named)
        middle = hidden_states + attended
        written: torch.Tensor = self.mlp(self.post_attention_layernorm(middle))
        written += middle
        return written

    altered(layer(work), forward)


@fault(lifting, LiftError, "edits L0.resid_post in place")
def the_model_adds_to_its_stream_in_place(work: Work) -> None:
    def forward(self: Any, hidden_states: torch.Tensor, **named: Any) -> torch.Tensor:
        hidden_states += self.self_attn(self.input_layernorm(hidden_states), **named)[0]
        hidden_states += self.mlp(self.post_attention_layernorm(hidden_states))
        return hidden_states

    altered(layer(work), forward)


@fault(lifting, LiftError, "L1.mlp has the shape (4, 12, 48)", "(4, 12, 32)")
def a_tuple_with_the_value_in_second_place(work: Work) -> None:
    def gated(self: Any, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        gate = self.act_fn(self.gate_proj(x))
        return gate, self.down_proj(gate * self.up_proj(x))

    block = layer(work)
    altered(block.mlp, gated)
    altered(block, takes_the_second)


def takes_the_second(self: Any, hidden_states: torch.Tensor, **named: Any) -> torch.Tensor:
    attended, _ = self.self_attn(hidden_states=self.input_layernorm(hidden_states), **named)
    middle = hidden_states + attended
    added: torch.Tensor = middle + self.mlp(self.post_attention_layernorm(middle))[1]
    return added


@fault(lifting, LiftError, "module of L1.mlp has a dict")
def an_output_that_is_no_tensor(work: Work) -> None:
    def named(self: Any, x: torch.Tensor) -> dict[int, torch.Tensor]:
        return {1: self.down_proj(self.act_fn(self.gate_proj(x)) * self.up_proj(x))}

    altered(layer(work).mlp, named)
    altered(layer(work), takes_the_second)


# -- modules that compute something else ---------------------------------------------------------


@fault(lifting, LiftError, "model.layers.1.mlp is in training mode")
def a_module_in_training_mode(work: Work) -> None:
    assert work.model.module is work.module  # loading switches all of it to evaluation
    layer(work).mlp.train()


@fault(lifting, LiftError, "first part that differs is L1.mlp")
def dropout_that_is_never_switched_off(work: Work) -> None:
    def dropped(module: nn.Module, args: Any, out: torch.Tensor) -> torch.Tensor:
        return nn.functional.dropout(out, 0.1)

    layer(work).mlp.register_forward_hook(dropped)


@fault(lifting, LiftError, "first part that differs is L0.resid_post")
def a_steering_hook_was_left_on_a_block(work: Work) -> None:
    layer(work, 0).register_forward_hook(lambda _module, _args, out: out + 0.01)


@fault(lifting, LiftError, "L0.H0.z", "declares rope_theta=100000", "built with 10000")
def another_rope_theta_than_the_file_states(work: Work) -> None:
    work.declared["rope_theta"] = 100_000.0


@fault(lifting, LiftError, "L1.mlp_norm", "norm_eps=1e-05", "0.0001", start=gpt2)
def another_epsilon_in_one_norm(work: Work) -> None:
    work.module.transformer.h[1].ln_2.eps = 1e-4


@fault(lifting, LiftError, "L1.H0.z", "scale")
def another_scale_of_the_scores(work: Work) -> None:
    layer(work).self_attn.scaling *= 1.01


@fault(lifting, LiftError, "L0.mlp", "declared activation is 'relu'", start=gpt2)
def another_activation_than_the_file_states(work: Work) -> None:
    work.declared["activation"] = "relu"


@fault(lifting, LiftError, "window of 4 tokens", "positions=128")
def a_sliding_window_that_no_adapter_knows(work: Work) -> None:
    work.module.config.sliding_window = 4


@fault(lifting, LiftError, "attention_softcap=50.0")
def scores_that_are_capped(work: Work) -> None:
    work.module.config.attn_logit_softcapping = 50.0


@fault(lifting, LiftError, "logit_softcap=30.0")
def logits_that_are_capped(work: Work) -> None:
    work.module.config.final_logit_softcapping = 30.0


@fault(lifting, LiftError, "embedding and the unembedding tied", "differ")
def weights_that_should_be_tied(work: Work) -> None:
    work.declared["tied"] = True


@fault(lifting, LiftError, "3 tokens of padding in front", "attention_mask", start=linear)
def a_forward_that_ignores_its_mask(work: Work) -> None:
    whole = work.module.forward

    def forward(self: Any, ids: torch.Tensor, attention_mask: torch.Tensor) -> Any:
        return whole(ids, torch.ones_like(attention_mask))

    altered(work.module, forward)


@fault(lifting, LiftError, "3 tokens of padding in front", "position_ids", start=gpt2)
def a_forward_that_ignores_its_positions(work: Work) -> None:
    whole = work.module.forward

    def forward(self: Any, ids: torch.Tensor, position_ids: Any = None, **named: Any) -> Any:
        return whole(ids, position_ids=torch.arange(ids.shape[1]).expand(ids.shape), **named)

    altered(work.module, forward)


# -- adapters ------------------------------------------------------------------------------------


def with_adapter(work: Work, adapter: Adapter) -> None:
    """Lift a model of another class than any that is registered."""
    kind = type(adapter.module_class, (type(work.module),), {})
    work.module.__class__ = kind
    register(adapter)


@fault(lifting, LiftError, "declares kv_heads=4, its weights have 2")
def another_number_of_groups_than_the_file_states(work: Work) -> None:
    work.declared["kv_heads"] = 4


@fault(lifting, LiftError, "first part that differs is L0.H1.z", "q, k and v agree")
def heads_that_share_groups_in_another_order(work: Work) -> None:
    from transformers import AttentionInterface

    def interleaved(
        module: Any, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, *_: Any, **__: Any
    ) -> tuple[torch.Tensor, None]:
        k, v = (side.repeat(1, module.num_key_value_groups, 1, 1) for side in (k, v))
        z = nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        return z.transpose(1, 2), None

    AttentionInterface.register("interleaved", interleaved)
    work.module.config._attn_implementation = "interleaved"


@fault(lifting, LiftError, "L0.H0.z", "q, k and v agree")
def an_adapter_that_takes_keys_for_values(work: Work) -> None:
    with_adapter(
        work,
        replace(LLAMA, module_class="KeysForValues", key=LLAMA.value, value=LLAMA.key),
    )


@fault(lifting, LiftError, "first part that differs is L0.mlp")
def an_adapter_that_takes_the_gate_for_the_input(work: Work) -> None:
    with_adapter(
        work,
        replace(LLAMA, module_class="GateForInput", mlp_in=LLAMA.mlp_gate, mlp_gate=LLAMA.mlp_in),
    )


@fault(lifting, LiftError, "LlamaDecoderLayer has no 'self_attn.out'", "self_attn")
def an_adapter_with_a_path_that_leads_nowhere(work: Work) -> None:
    with_adapter(work, replace(LLAMA, module_class="NoSuchPath", mixer="self_attn.out"))


@fault(lifting, LiftError, "transformer.h.0.mlp.act is a", "no 'weight'", start=gpt2)
def an_adapter_that_names_a_module_without_weights(work: Work) -> None:
    with_adapter(work, replace(GPT2, module_class="NoWeights", mlp_in="mlp.act"))


@fault(
    lifting,
    UnsupportedArchitectureError,
    "No adapter for Newer",
    "GPT2LMHeadModel, ",
    "register(Adapter(module_class='Newer'",
)
def an_architecture_without_an_adapter(work: Work) -> None:
    work.module.__class__ = type("Newer", (type(work.module),), {})


@fault(lifting, LiftError, "Layer 1 has 32 key columns, layer 0 has 16")
def a_layer_with_another_number_of_groups(work: Work) -> None:
    attention = layer(work).self_attn
    for name in ("k_proj", "v_proj"):
        setattr(attention, name, nn.Linear(32, 32, bias=False, dtype=torch.float64).eval())
    attention.num_key_value_groups = 1


@fault(lifting, LiftError, "Layer 1 has 24 rows of MLP input weights, layer 0 has 48")
def a_layer_whose_mlp_was_pruned(work: Work) -> None:
    mlp = layer(work).mlp
    for name, shape in (("gate_proj", (32, 24)), ("up_proj", (32, 24)), ("down_proj", (24, 32))):
        setattr(mlp, name, nn.Linear(*shape, bias=False, dtype=torch.float64).eval())


# -- weights that are no numbers, or not there ---------------------------------------------------


@fault(lifting, NumericalError, "L1.H2.q holds NaN", "prompt 0 of the check")
def nan_in_the_queries_of_one_head(work: Work) -> None:
    layer(work).self_attn.q_proj.weight.data[17] = float("nan")  # heads are 8 rows


@fault(lifting, NumericalError, "L0.H3 holds NaN or infinity", "prompt 0 of the check")
def infinity_in_the_output_of_one_head(work: Work) -> None:
    layer(work, 0).self_attn.o_proj.weight.data[0, 24] = float("inf")


@fault(lifting, LiftError, "float16", "model.layers.1.mlp.gate_proj.weight", start=float32)
def half_of_the_model_is_in_half_precision(work: Work) -> None:
    layer(work).mlp.half()


@fault(lifting, LiftError, "model.layers.1.self_attn.q_proj.weight", "'meta'")
def weights_that_were_never_read(work: Work) -> None:
    layer(work).to("meta")


@fault(lifting, LiftError, "model.layers.0.mlp.up_proj.weight holds int8", "quantised")
def a_quantised_projection(work: Work) -> None:
    up = layer(work, 0).mlp.up_proj
    small = (up.weight * 32).to(torch.int8)
    del up._parameters["weight"]
    up.weight = nn.Parameter(small, requires_grad=False)


# -- wrappers, devices and types -----------------------------------------------------------------


@fault(lifting, LiftError, "The model is wrapped in a DataParallel", ".module")
def a_model_in_data_parallel(work: Work) -> None:
    work.given = nn.DataParallel(work.module)


@fault(lifting, LiftError, "The model is wrapped in a OptimizedModule", "._orig_mod")
def a_model_under_torch_compile(work: Work) -> None:
    work.given = torch.compile(work.module)


@fault(lifting, LiftError, "model.layers.1 is compiled")
def a_block_that_was_compiled_in_place(work: Work) -> None:
    layer(work).compile()


@fault(lifting, DeviceError, "no device 'cuda:99'", "cpu")
def a_device_that_is_not_there(work: Work) -> None:
    work.options["device"] = "cuda:99"


@fault(lifting, CausalNetError, "'int4'", "float32")
def a_number_format_that_models_are_not_loaded_in(work: Work) -> None:
    work.options["dtype"] = "int4"


@fault(lifting, LiftError, "LlamaForCausalLM was given", "cn.load(module")
def a_network_that_was_not_loaded(work: Work) -> None:
    work._model = work.module


@fault(lifting, CausalNetError, "A dict cannot be loaded", "torch.nn.Module")
def a_state_dict_in_place_of_a_model(work: Work) -> None:
    work.given = dict(work.module.state_dict())
