"""What is done to a model after it was lifted: what was checked is not what would run."""

from typing import Any

import torch
from torch import nn

from causalnet.errors import LiftError
from tests.faults.table import Work, fault, running

CHANGED = "changed after it was lifted: "


def lifted(work: Work) -> Any:
    """The network in memory, after it was lifted."""
    module = work.net.model.module
    assert module is work.module
    return module


@fault(running, LiftError, f"{CHANGED}model.layers.1.mlp.down_proj.weight was edited in place")
def a_weight_edited_in_place(work: Work) -> None:
    with torch.no_grad():
        lifted(work).model.layers[1].mlp.down_proj.weight[0] *= 2


@fault(running, LiftError, f"{CHANGED}model.layers.0.self_attn.o_proj.weight holds other numbers")
def a_head_ablated_behind_torchs_back(work: Work) -> None:
    lifted(work).model.layers[0].self_attn.o_proj.weight.data[:, 8:16] = 0


@fault(running, LiftError, f"{CHANGED}model.norm.weight is another tensor")
def a_weight_that_was_replaced(work: Work) -> None:
    norm = lifted(work).model.norm
    norm.weight = nn.Parameter(norm.weight.clone(), requires_grad=False)


@fault(running, LiftError, f"{CHANGED}lm_head is another module")
def an_unembedding_that_was_replaced(work: Work) -> None:
    lifted(work).lm_head = nn.Linear(32, 64, bias=False, dtype=torch.float64)


@fault(running, LiftError, f"{CHANGED}lm_head.weight is another tensor")
def tied_weights_that_were_untied(work: Work) -> None:
    work.module.lm_head.weight = work.module.model.embed_tokens.weight
    head = lifted(work).lm_head
    head.weight = nn.Parameter(head.weight.clone(), requires_grad=False)


@fault(running, LiftError, f"{CHANGED}its training is True")
def dropout_left_on_after_fine_tuning(work: Work) -> None:
    lifted(work).train()


@fault(running, LiftError, "Hooks on model.layers.0.mlp were added", "handle.remove()")
def a_hook_left_from_an_earlier_experiment(work: Work) -> None:
    lifted(work).model.layers[0].mlp.register_forward_hook(lambda _m, _a, out: 0 * out)


@fault(running, LiftError, f"{CHANGED}model.layers.1.self_attn has another forward")
def a_forward_that_was_patched(work: Work) -> None:
    attention = lifted(work).model.layers[1].self_attn
    attention.forward = lambda *args, **named: type(attention).forward(attention, *args, **named)


@fault(running, LiftError, f"{CHANGED}model.embed_tokens.weight is torch.float32")
def a_model_that_was_converted(work: Work) -> None:
    lifted(work).float()


@fault(running, LiftError, f"{CHANGED}model.layers.1.input_layernorm.variance_epsilon is 0.1")
def an_epsilon_that_was_changed(work: Work) -> None:
    lifted(work).model.layers[1].input_layernorm.variance_epsilon = 0.1


@fault(running, LiftError, f"{CHANGED}model.rotary_emb.inv_freq holds other numbers")
def a_rotary_table_that_was_changed(work: Work) -> None:
    lifted(work).model.rotary_emb.inv_freq *= 0.5
