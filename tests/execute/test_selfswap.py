"""The three legs of the self-swap, at every port of the model."""

from functools import cache
from typing import Any

import pytest
import torch

from causalnet.execute import Bindings, check_determinism, evaluate, self_swap
from causalnet.interventions import At, Base, Do, Node, Read, logit_diff
from causalnet.lift import LiftedNetwork, lift
from causalnet.models import load
from causalnet.tasks import PromptPairs
from tests.small_models import tiny_gpt2, tiny_llama
from tests.toys import fresh_net, net, word_pairs, words

EVERY_PORT = (
    "embed",
    "L0.resid_pre",
    "L1.resid_pre",
    "L0.resid_mid",
    "L0.resid_post",
    "L1.resid_post",
    "L0.mlp",
    "L1.H2.z",
    "L1.H2",
)


CHANNELS = ("L1.H2.q", "L0.{}.k", "L1.{}.v", "L0.H2.pattern")
SCALES = ("L0.H2.q.scale", "L0.{}.k.scale", "L1.mlp.scale", "logits.scale")


@cache
def half(dtype: torch.dtype, kind: str = "llama") -> LiftedNetwork:
    build: Any = {"llama": tiny_llama, "gpt2": tiny_gpt2}[kind]
    return lift(load(build(dtype=dtype), tokenizer=words()))


@pytest.mark.parametrize("kind", ["llama", "gpt2", "linear"])
@pytest.mark.parametrize("mediator", EVERY_PORT)
def test_all_legs_hold_at_every_port(mediator: str, kind: str) -> None:
    swap = self_swap(net(kind), word_pairs(), net(kind)[mediator])
    assert swap.is_sound
    assert swap.mediator == mediator


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
@pytest.mark.parametrize("mediator", [*CHANNELS, *SCALES, "logits"])
def test_all_legs_hold_within_attention_and_at_norms(mediator: str, kind: str) -> None:
    owner = "KV1" if net(kind).graph.shape.shares_keys else "H3"
    assert self_swap(net(kind), word_pairs(), net(kind)[mediator.format(owner)]).is_sound


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("mediator", [*CHANNELS, *SCALES, "logits"])
def test_a_no_op_within_attention_changes_no_bit_of_coarser_types(
    mediator: str, dtype: torch.dtype
) -> None:
    network = half(dtype)
    name = mediator.format("KV1")
    assert self_swap(network, word_pairs(), network[name]).no_op_is_exact


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("mediator", EVERY_PORT)
def test_a_no_op_changes_no_bit_of_coarser_types(mediator: str, dtype: torch.dtype) -> None:
    assert self_swap(half(dtype), word_pairs(), half(dtype)[mediator]).no_op_is_exact


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
def test_worlds_beside_one_that_sets_logits_are_rounded_alike(kind: str) -> None:
    """Logits of all positions are rounded otherwise than those of one."""
    network, base = half(torch.float32, kind), Base("base")
    reads = [Read(logit_diff, base)]
    for name in ("logits", "L0.mlp", "embed"):
        reads.append(Read(logit_diff, Do(base, ((Node(name), At(name, base)),))))
    bindings = Bindings.of(word_pairs(6, lengths=(6, 4, 5)))
    values = evaluate(reads, network, bindings).values
    plain, *others = (values[read] for read in reads)
    assert all(torch.equal(plain, other) for other in others)


@pytest.mark.parametrize("mediator", ["embed", "L0.resid_pre", "L0.resid_mid", "L1.resid_post"])
def test_the_whole_stream_carries_the_whole_difference(mediator: str) -> None:
    # Theory: all that comes after a cut of the stream is a function of the cut alone.
    swap = self_swap(net(), word_pairs(), net()[mediator])
    assert swap.receiver_difference == pytest.approx(swap.world_difference, rel=1e-12)


@pytest.mark.parametrize(("mediator", "at_the_input"), [("L1.H2", False), ("L1.H2.z", True)])
def test_a_head_is_set_at_the_mixers_output_and_z_at_its_input(
    mediator: str, at_the_input: bool
) -> None:
    network, read = fresh_net(), []
    network.places.mixers[1].register_forward_hook(lambda _m, args, _out: read.append(args[0]))
    swap = self_swap(network, word_pairs(), network[mediator])
    plain, _, _, swapped = read
    assert torch.equal(plain, swapped) is not at_the_input
    assert swap.receiver_difference > 0


def test_a_head_and_its_z_have_one_effect() -> None:
    head, z = (self_swap(net(), word_pairs(), net()[name]) for name in ("L1.H2", "L1.H2.z"))
    assert head.receiver_difference == pytest.approx(z.receiver_difference, rel=1e-9)
    assert head.source_difference != z.source_difference


def test_a_head_that_nothing_reads_fails_the_third_leg_only() -> None:
    network = fresh_net()
    network.places.mixers[1].get_parameter("weight")[:, 16:24] = 0.0  # head 2 is 8 columns wide
    z = self_swap(network, word_pairs(), network["L1.H2.z"])
    assert (z.no_op_is_exact, z.receiver_difference, z.is_sound) == (True, 0.0, False)
    assert z.source_difference > 0
    assert self_swap(network, word_pairs(), network["L1.H2"]).source_difference == 0
    assert self_swap(network, word_pairs(), network["L1.H1"]).is_sound


def test_one_prompt_on_both_sides_fails_the_last_two_legs() -> None:
    pairs = word_pairs()
    same = PromptPairs.build(
        words(),
        [
            {"base": text, "source": text, "answer": " w1", "foil": " w2"}
            for text in pairs.base.texts
        ],
    )
    swap = self_swap(net(), same, net()["L0.mlp"])
    assert swap.no_op_is_exact
    assert swap.source_difference == swap.receiver_difference == swap.world_difference == 0
    assert not swap.is_sound


def test_a_network_that_never_repeats_itself_is_found() -> None:
    network, generator = fresh_net(), torch.Generator().manual_seed(0)
    assert check_determinism(network, word_pairs()).repeats_exactly
    network.places.unembedding.register_forward_hook(
        lambda _m, _a, out: out + torch.rand(out.shape, generator=generator)
    )
    assert not self_swap(network, word_pairs(), network["embed"]).no_op_is_exact
    found = check_determinism(network, word_pairs())
    assert not found.repeats_exactly
    assert 0 < found.batch_difference < 2
