"""Which architectures can be lifted, and how to add one."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn

from causalnet.errors import (
    CausalNetError,
    LiftError,
    UnknownMediatorError,
    UnsupportedArchitectureError,
)
from causalnet.lift import Adapter, lift, register, registered
from causalnet.lift.architectures import GPT2, LLAMA
from causalnet.lift.parts import take_apart
from causalnet.models import load
from tests.small_models import LinearNetwork, linear_network, random_ids, tiny_gpt2, tiny_llama


def test_an_architecture_of_ones_own() -> None:
    class Renamed(LinearNetwork):
        pass

    network: Any = Renamed(layers=1, heads=2, width=8, vocabulary=11)
    register(
        Adapter(
            module_class="Renamed",
            embedding="embed",
            tokens="embed",
            blocks="blocks",
            query="q",
            key="k",
            value="v",
            mixer="o",
            mlp="mlp",
            mlp_in="mlp.0",
            mlp_out="mlp.1",
            unembedding="unembed",
            activation="identity",
            accepts=("attention_mask",),
            declared=(("heads", 2),),
        )
    )
    net = lift(load(network.double()))
    assert "Renamed" in registered()
    assert [head.name for head in net.heads()] == ["L0.H0", "L0.H1"]
    assert net.run(random_ids(2, 3, 11)).shape == (2, 3, 11)


def test_an_unknown_class_is_refused_by_name() -> None:
    class Mystery(nn.Linear):
        pass

    with pytest.raises(UnsupportedArchitectureError) as caught:
        lift(load(Mystery(2, 2)))
    assert "No adapter for Mystery" in str(caught.value)
    assert "GPT2LMHeadModel" in str(caught.value)
    assert "LlamaForCausalLM" in str(caught.value)
    assert "register(Adapter(module_class='Mystery'" in str(caught.value)


def test_another_grain_is_refused() -> None:
    other: Any = "neurons"
    with pytest.raises(LiftError, match=r"No grain 'neurons'\. There is 'channels'"):
        lift(load(tiny_llama()), grain=other)


def test_keys_belong_to_their_group() -> None:
    net = lift(load(tiny_llama()))
    assert net["L1.KV1.k"].index == 1
    with pytest.raises(UnknownMediatorError, match=r"L1\.KV1\.k"):
        net["L1.H3.k"]
    assert lift(load(tiny_llama(kv_heads=4)))["L1.H3.k"].index == 3


def test_a_lifted_network_tells_its_sizes() -> None:
    net = lift(load(tiny_gpt2(layers=3)))
    assert (net.n_layers, net.n_heads) == (3, 4)
    assert len(net.heads()) == 12
    assert len(net.heads(layer=1)) == 4
    assert [mlp.name for mlp in net.mlps()] == ["L0.mlp", "L1.mlp", "L2.mlp"]
    assert net.adapter is GPT2
    assert "L0.attn_bias" in net.graph.writers
    assert repr(net).startswith("LiftedNetwork(GPT2LMHeadModel, MediatorGraph(3 layers x 4 heads")


def test_places_are_where_the_values_are() -> None:
    net = lift(load(tiny_llama()))
    model: Any = net.model.module
    block = model.model.layers[1]
    assert net.places.mixers[1] is block.self_attn.o_proj
    assert net.places.mlps[1] is block.mlp
    assert net.places.blocks[1] is block
    fused = lift(load(tiny_gpt2())).places
    assert (fused.keys[0].start, fused.keys[0].stop) == (32, 64)
    linear = lift(load(linear_network())).places
    assert linear.mlp_norms == linear.mlps  # the stream enters the MLP itself
    assert linear.final_norm is None


def test_an_adapter_must_say_where_its_parts_are() -> None:
    with pytest.raises(LiftError, match="needs query, key and value, or fused"):
        replace(LLAMA, key="")
    with pytest.raises(LiftError, match="needs attention_norm, mlp_norm and final_norm"):
        replace(LLAMA, final_norm="")
    with pytest.raises(LiftError, match="needs learned_positions"):
        replace(GPT2, learned_positions="")


def test_a_path_that_leads_nowhere() -> None:
    wrong = replace(LLAMA, mixer="self_attn.out")
    with pytest.raises(
        LiftError, match=r"LlamaDecoderLayer has no 'self_attn.out'.*self_attn, mlp"
    ):
        take_apart(tiny_llama(), wrong, load(tiny_llama()).declared)


def test_declared_sizes_must_be_those_of_the_weights() -> None:
    declared = dict(load(tiny_llama()).declared)
    with pytest.raises(LiftError, match="declares kv_heads=4, its weights have 2"):
        take_apart(tiny_llama(), LLAMA, {**declared, "kv_heads": 4})
    with pytest.raises(LiftError, match="cannot be shared out among 5 heads"):
        take_apart(tiny_llama(), LLAMA, {**declared, "heads": 5})


def test_a_fact_that_nobody_declares() -> None:
    declared = dict(load(tiny_llama()).declared)
    del declared["norm_eps"]
    with pytest.raises(LiftError, match=r"does not declare 'norm_eps'.*declared=\(\('norm_eps'"):
        take_apart(tiny_llama(), LLAMA, declared)
    with pytest.raises(LiftError, match="declares norm_eps='small'"):
        take_apart(tiny_llama(), LLAMA, {**declared, "norm_eps": "small"})


def test_a_part_that_the_model_never_runs() -> None:
    class Spare(LinearNetwork):
        def __init__(self) -> None:
            super().__init__(layers=1, heads=4, width=8, vocabulary=11)
            self.spare = nn.Linear(8, 8)

    linear = lift(load(linear_network())).adapter
    register(replace(linear, module_class="Spare", embedding="spare"))
    with pytest.raises(LiftError, match="The model never ran the module of embed"):
        lift(load(Spare().double()))


def test_an_activation_that_nobody_knows() -> None:
    network = linear_network()
    register(replace(lift(load(network)).adapter, activation="swoosh"))
    try:
        with pytest.raises(LiftError, match=r"Unknown activation 'swoosh'\. Known: .*identity"):
            lift(load(network))
    finally:
        linear_network()  # registers the right one again


def test_padding_needs_a_mask_that_the_model_takes() -> None:
    network = linear_network()
    net = lift(load(network))
    ids, mask = random_ids(1, 4), torch.tensor([[0, 1, 1, 1]])
    assert net.run(ids, mask).shape == (1, 4, 64)
    deaf = replace(net, parts=replace(net.parts, adapter=replace(net.adapter, accepts=())))
    with pytest.raises(CausalNetError, match="takes no attention mask"):
        deaf.run(ids, mask)
