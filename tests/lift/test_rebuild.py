"""The graph computes what the model does: oracle is the model itself, in float64 to 1e-10."""

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional

from causalnet.errors import LiftError
from causalnet.graphs import Kind
from causalnet.lift import LiftedNetwork, lift, raised_casts, rebuild
from causalnet.models import load
from tests.small_models import linear_network, random_ids, tiny_gpt2, tiny_llama

LLAMA3 = {
    "rope_type": "llama3",
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}
SMALL: dict[str, Any] = {
    "llama, 4 heads on 2 groups": lambda attention: tiny_llama(attention=attention),
    "llama, 4 heads on 1 group": lambda attention: tiny_llama(kv_heads=1, attention=attention),
    "llama, no sharing": lambda attention: tiny_llama(kv_heads=4, attention=attention),
    "llama, biases, tied": lambda attention: tiny_llama(bias=True, tied=True, attention=attention),
    "llama, wide heads": lambda attention: tiny_llama(head_width=16, attention=attention),
    "llama, llama3 positions": lambda attention: tiny_llama(
        rope_scaling=LLAMA3, attention=attention
    ),
    "llama, linear positions": lambda attention: tiny_llama(
        rope_scaling={"rope_type": "linear", "factor": 2.0}, attention=attention
    ),
    "gpt2": lambda attention: tiny_gpt2(attention=attention),
}


def lifted(module: nn.Module) -> LiftedNetwork:
    return lift(load(module))


def distance(a: torch.Tensor, b: torch.Tensor) -> float:
    return float((a.double() - b.double()).abs().max())


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("name", SMALL)
def test_the_rebuilt_logits_are_the_models(name: str, attention: str) -> None:
    net = lifted(SMALL[name](attention))
    ids = random_ids(3, 17, seed=1)
    with raised_casts(net.model.module):
        own = net.run(ids)
    assert distance(rebuild(net, ids).logits, own) <= 1e-10


@settings(max_examples=12, deadline=None)
@given(
    st.integers(1, 3),
    st.sampled_from([(1, 1), (2, 1), (2, 2), (4, 2), (6, 3), (6, 1), (3, 3)]),
    st.sampled_from([2, 4, 6]),
    st.integers(1, 9),
    st.integers(0, 1000),
)
def test_law_rebuild_equals_model(
    layers: int, heads: tuple[int, int], d_head: int, length: int, seed: int
) -> None:
    ids = random_ids(2, length, seed=seed)
    for module in (
        tiny_llama(seed, torch.float64, layers, heads[0], heads[1], heads[0] * d_head),
        tiny_gpt2(seed, torch.float64, layers, heads[0], heads[0] * d_head),
    ):
        net = lifted(module)
        with raised_casts(module):
            assert distance(rebuild(net, ids).logits, net.run(ids)) <= 1e-10


@pytest.mark.parametrize("name", ["llama, 4 heads on 2 groups", "llama, no sharing", "gpt2"])
def test_every_node_is_computed_in_graph_order(name: str) -> None:
    net = lifted(SMALL[name]("sdpa"))
    parts = rebuild(net, random_ids(2, 5)).parts
    nodes = [part for part in parts if net[part].kind is not Kind.RESIDUAL]
    assert nodes == [node.mediator.name for node in net.graph.nodes]
    assert set(parts) == set(net.graph.names())


@pytest.mark.parametrize("name", ["llama, 4 heads on 2 groups", "gpt2"])
def test_every_cut_is_the_sum_of_the_writers_before_it(name: str) -> None:
    net = lifted(SMALL[name]("sdpa"))
    parts = rebuild(net, random_ids(2, 5)).parts
    for cut in net.graph.cuts:
        total = torch.stack([parts[writer] for writer in net.graph.writers_before(cut.name)]).sum(0)
        assert distance(parts[cut.name], total) <= 1e-12, cut


@pytest.mark.parametrize("make", [tiny_llama, tiny_gpt2])
def test_norm_scales_are_the_divisors_of_the_norms(make: Any) -> None:
    """Torch's own norm times the scale is the stream, centred where the norm centres."""
    net = lifted(make())
    parts = rebuild(net, random_ids(2, 5)).parts
    reads = {"logits": "L1.resid_post"}
    for layer in range(net.n_layers):
        reads[f"L{layer}.mlp"] = f"L{layer}.resid_mid"
        for channel in (f"L{layer}.H3.q", *net.graph.parents(f"L{layer}.H3.pattern")):
            reads[channel] = f"L{layer}.resid_pre"
    for receiver, cut in reads.items():
        scale, stream = parts[f"{receiver}.scale"], parts[cut]
        assert scale.shape == (2, 5, 1)
        if make is tiny_llama:
            normed = functional.rms_norm(stream, (32,), eps=1e-5)
        else:
            normed = functional.layer_norm(stream, (32,), eps=1e-5)
            stream = stream - stream.mean(-1, keepdim=True)
        assert distance(normed * scale, stream) <= 1e-12, receiver


def test_heads_are_z_times_their_output_weight() -> None:
    net = lifted(tiny_gpt2())
    parts = rebuild(net, random_ids(2, 5)).parts
    weights = net.output_weight(1)
    assert weights.shape == (4, 8, 32)
    for head in range(4):
        assert distance(parts[f"L1.H{head}"], parts[f"L1.H{head}.z"] @ weights[head]) == 0.0


def test_patterns_are_causal_distributions() -> None:
    pattern = rebuild(lifted(tiny_llama()), random_ids(2, 6)).parts["L1.H3.pattern"]
    assert pattern.shape == (2, 6, 6)
    assert distance(pattern.sum(-1), torch.ones(2, 6)) <= 1e-12
    assert distance(pattern.triu(1), torch.zeros(2, 6, 6)) == 0.0


@pytest.mark.parametrize("make", [tiny_llama, tiny_gpt2, linear_network])
def test_no_module_of_the_model_is_called(make: Any) -> None:
    net = lifted(make())

    def refuse(module: nn.Module, _args: Any) -> None:
        raise AssertionError(f"{type(module).__name__} was called")

    for module in net.model.module.modules():
        module.register_forward_pre_hook(refuse)
    assert rebuild(net, random_ids(2, 4)).logits.isfinite().all()


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("make", [tiny_llama, tiny_gpt2, linear_network])
def test_padding_changes_nothing(make: Any, side: str) -> None:
    net = lifted(make())
    short, pads = random_ids(2, 6), torch.zeros(2, 3, dtype=torch.long)
    halves = (pads, short) if side == "left" else (short, pads)
    ids = torch.cat(halves, 1)
    mask = torch.cat([(half is short) * torch.ones_like(half) for half in halves], 1)
    real = slice(3, None) if side == "left" else slice(0, 6)
    plain, padded = rebuild(net, short), rebuild(net, ids, mask)
    for name, value in padded.parts.items():
        assert value.isfinite().all(), name
        if not name.endswith("pattern"):
            assert distance(value[:, real], plain.parts[name]) <= 1e-12, name
        else:
            assert distance(value[:, real, real], plain.parts[name]) <= 1e-12, name
    with raised_casts(net.model.module):
        assert distance(net.run(ids, mask)[:, real], plain.logits) <= 1e-10


def test_a_linear_network_attends_everywhere_alike() -> None:
    net = lifted(linear_network())
    parts = rebuild(net, random_ids(2, 4)).parts
    assert parts["L0.H0.pattern"][0, 3].tolist() == [0.25] * 4
    assert net.check.difference <= 1e-10


def test_unknown_rotary_scaling_is_refused() -> None:
    module = tiny_llama(rope_scaling={"rope_type": "dynamic", "factor": 2.0})
    with pytest.raises(LiftError, match=r"type 'dynamic'.*'default', 'linear' and 'llama3'"):
        lifted(module)


def test_computing_in_another_type() -> None:
    net = lifted(tiny_llama(dtype=torch.float32))
    ids = random_ids(2, 5)
    assert rebuild(net, ids).logits.dtype == torch.float32
    assert rebuild(net, ids, dtype=torch.float64).logits.dtype == torch.float64
