"""Weights that differ are assigned to the nodes whose values they change."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from causalnet.errors import ParameterError
from causalnet.lift import LiftedNetwork, lift, rebuild
from causalnet.lift.changed import changed_mechanisms, changed_weights
from causalnet.models import load
from tests.small_models import random_ids, tiny_gpt2, tiny_llama

State = dict[str, Tensor]


def state_of(network: LiftedNetwork) -> State:
    return {name: tensor.clone() for name, tensor in network.model.module.state_dict().items()}


def edited(network: LiftedNetwork, name: str, edit: Callable[[Tensor], object]) -> State:
    state = state_of(network)
    edit(state[name])
    return state


def llama(tied: bool = False) -> LiftedNetwork:
    return lift(load(tiny_llama(tied=tied)))


LAYER = "model.layers.1."


@pytest.mark.parametrize(
    ("name", "rows", "columns", "nodes"),
    [
        (LAYER + "self_attn.q_proj.weight", slice(16, 24), slice(None), ["L1.H2.q"]),
        (LAYER + "self_attn.k_proj.weight", slice(8, 16), slice(None), ["L1.KV1.k"]),
        (LAYER + "self_attn.v_proj.weight", slice(0, 1), slice(None), ["L1.KV0.v"]),
        (LAYER + "self_attn.o_proj.weight", slice(None), slice(24, 32), ["L1.H3"]),
        (LAYER + "mlp.gate_proj.weight", slice(3, 4), slice(None), ["L1.mlp"]),
        (LAYER + "mlp.down_proj.weight", slice(3, 4), slice(None), ["L1.mlp"]),
        ("lm_head.weight", slice(3, 4), slice(None), ["logits"]),
        ("model.embed_tokens.weight", slice(3, 4), slice(None), ["embed"]),
    ],
)
def test_entries_of_a_weight_belong_to_nodes(
    name: str, rows: slice, columns: slice, nodes: list[str]
) -> None:
    net = llama()
    state = edited(net, name, lambda weight: weight[rows, columns].add_(1.0))
    assert list(changed_mechanisms(net, state)) == nodes
    assert changed_weights(net.model.module.state_dict(), state) == (name,)


def test_a_norm_is_that_of_all_that_reads_through_it() -> None:
    net = llama()
    state = edited(net, "model.layers.0.input_layernorm.weight", lambda weight: weight.add_(1.0))
    queries = {f"L0.H{head}.q" for head in range(4)}
    groups = {f"L0.KV{group}.{side}" for group in range(2) for side in "kv"}
    assert set(changed_mechanisms(net, state)) == queries | groups
    final = edited(net, "model.norm.weight", lambda weight: weight.add_(1.0))
    assert changed_mechanisms(net, final) == ("logits",)


def test_tied_weights_change_both_ends() -> None:
    net = llama(tied=True)
    state = edited(net, "model.embed_tokens.weight", lambda weight: weight.add_(1.0))
    state["lm_head.weight"] = state["model.embed_tokens.weight"]
    assert changed_mechanisms(net, state) == ("embed", "logits")


def test_a_fused_projection_is_taken_apart() -> None:
    net = lift(load(tiny_gpt2()))
    name = "transformer.h.1.attn.c_attn."
    state = edited(net, name + "weight", lambda weight: weight[:, 32 + 8 : 32 + 16].add_(1.0))
    assert changed_mechanisms(net, state) == ("L1.H1.k",)
    biased = edited(net, name + "bias", lambda bias: bias[64:72].add_(1.0))
    assert changed_mechanisms(net, biased) == ("L1.H0.v",)
    mixed = edited(net, "transformer.h.0.attn.c_proj.bias", lambda bias: bias.add_(1.0))
    assert changed_mechanisms(net, mixed) == ("L0.attn_bias",)
    places = edited(net, "transformer.wpe.weight", lambda weight: weight.add_(1.0))
    assert changed_mechanisms(net, places) == ("embed",)


@pytest.mark.parametrize("build", [tiny_llama, tiny_gpt2])
def test_every_weight_belongs_to_a_node_that_it_changes(build: Callable[..., nn.Module]) -> None:
    """Nodes that depend on no changed mechanism keep every bit; changed ones do not."""
    net, ids = lift(load(build())), random_ids(2, 6)
    before = values_of(net, ids)
    for name in state_of(net):
        state = edited(net, name, lambda weight: weight.mul_(1.5).add_(0.3))
        if "lm_head" in name and "gpt" in type(net.model.module).__name__.lower():
            continue  # tied: the embedding stands for both
        if "wte" in name:
            state["lm_head.weight"] = state[name]
        changed = set(changed_mechanisms(net, state))
        assert changed, name
        module = build()
        module.load_state_dict(state)
        after = values_of(lift(load(module)), ids)
        below = {node for node in before if net.graph.ancestors(node) & changed}
        for node, value in before.items():
            same = torch.equal(value, after[node])
            assert same or node in below, (name, node)
            assert not (same and node in changed), (name, node)


def values_of(net: LiftedNetwork, ids: Tensor) -> State:
    names = {node.mediator.name for node in net.graph.nodes}
    values = rebuild(net, ids).parts
    return {name: value for name, value in values.items() if name in names}


def test_the_same_weights_change_nothing() -> None:
    net = llama()
    assert changed_mechanisms(net, state_of(net)) == ()


def test_states_of_other_architectures_are_refused() -> None:
    net = llama()
    state = state_of(net)
    with pytest.raises(ParameterError, match="no 'lora'"):
        changed_mechanisms(net, {**state, "lora": torch.zeros(1)})
    del state["lm_head.weight"]
    with pytest.raises(ParameterError, match="second state has no 'lm_head"):
        changed_mechanisms(net, state)
    with pytest.raises(ParameterError, match="shape"):
        changed_mechanisms(net, {**state, "lm_head.weight": torch.zeros(1)})
