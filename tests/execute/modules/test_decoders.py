"""A decoder lifted as any module means what it means to the hook executor of decoders."""

from functools import lru_cache
from typing import Any

import pytest
import torch

from causalnet.execute import Bindings, evaluate
from causalnet.execute.modules import ModuleBindings, evaluate_module
from causalnet.interventions import (
    At,
    Base,
    Const,
    Do,
    Edge,
    Leaf,
    Node,
    Op,
    Read,
    Self,
    World,
    kl,
    logit_diff,
    loss,
)
from causalnet.lift import LiftedModule, head_part, lift_module, raised_casts
from tests.toys import net, word_pairs

NAMES = {
    "gpt2": ("transformer.h.{}.mlp", "transformer.h.{}", "transformer.h.{}.attn.c_proj/in"),
    "llama": ("model.layers.{}.mlp", "model.layers.{}", "model.layers.{}.self_attn.o_proj/in"),
}


def ids(prompts: Any) -> dict[str, Any]:
    return {"input_ids": torch.tensor(prompts.ids), "use_cache": False}


@lru_cache
def lifted(kind: str) -> LiftedModule:
    module = net(kind).model.module
    with raised_casts(module):
        return lift_module(
            module,
            ids(word_pairs(3).base),
            axes={
                "logits": ("pos", "class"),
                **{pattern.format("*"): ("pos", "feature") for pattern in NAMES[kind]},
            },
            inputs_of=["*.c_proj" if kind == "gpt2" else "*.o_proj"],
        )


def worlds(mlps: list[str], streams: list[str]) -> list[World]:
    """Worlds in the names of either graph: two MLPs, and the stream behind each of two layers."""
    base, source = Base("base"), Base("source")
    mlp = Do(base, ((Node(mlps[0], (1, -1)), At(mlps[0], source)),))
    half = Op("lerp", (Self(), At(streams[0], source)), (("factor", 0.5),))
    nested = Do(source, ((Node(mlps[1], (2,)), At(mlps[1], mlp)), (Node(mlps[0]), Const())))
    return [
        mlp,
        nested,
        Do(base, ((Node(streams[0], (0, 3)), half),)),
        Do(mlp, ((Node(streams[1], (-1,)), At(streams[1], nested)),)),
    ]


@pytest.mark.parametrize("kind", NAMES)
def test_both_executors_agree(kind: str) -> None:
    pairs, network = word_pairs(5), lifted(kind)
    mlp, stream, _ = NAMES[kind]
    ours = worlds([mlp.format(0), mlp.format(1)], [stream.format(0), stream.format(1)])
    theirs = worlds(["L0.mlp", "L1.mlp"], ["L0.resid_post", "L1.resid_post"])
    readouts = (kl, logit_diff, loss)
    mine: list[Leaf] = [Read(readout, world) for world in ours for readout in readouts]
    wanted: list[Leaf] = [Read(readout, world) for world in theirs for readout in readouts]
    right, wrong = ([row[0] for row in rows] for rows in (pairs.answers, pairs.foils))
    given = ModuleBindings.of(
        network, ids(pairs.base), ids(pairs.source), answers=right, foils=wrong
    )
    with raised_casts(net(kind).model.module):
        found = evaluate_module(mine, network, given, batch_size=2).values
        oracle = evaluate(wanted, net(kind), Bindings.of(pairs)).values
    for leaf, other in zip(mine, wanted, strict=True):
        assert (found[leaf] - oracle[other]).abs().max() < 1e-10, str(leaf)
        assert oracle[other].abs().max() > 1e-6


def test_heads_are_parts_of_what_the_mixer_is_given() -> None:
    pairs, network = word_pairs(4), lifted("llama")
    mixer = NAMES["llama"][2].format(1)
    site = Node(mixer, (-1,), head_part(2, 4, 32))
    mine = Read(logit_diff, Do(Base("base"), ((site, At(mixer, Base("source"))),)))
    head = Node("L1.H2.z", ("end",))
    wanted = Read(logit_diff, Do(Base("base"), ((head, At("L1.H2.z", Base("source"))),)))
    right, wrong = ([row[0] for row in rows] for rows in (pairs.answers, pairs.foils))
    given = ModuleBindings.of(
        network, ids(pairs.base), ids(pairs.source), answers=right, foils=wrong
    )
    with raised_casts(net("llama").model.module):
        found = evaluate_module([mine], network, given).values[mine]
        oracle = evaluate([wanted], net("llama"), Bindings.of(pairs)).values[wanted]
    assert (found - oracle).abs().max() < 1e-10


def test_an_edge_into_one_mlp_is_that_of_the_decoders_graph() -> None:
    pairs = word_pairs(4)
    own = Edge("transformer.h.0.mlp", "transformer.h.1.ln_2")
    mine = Read(logit_diff, Do(Base("base"), ((own, At(own.sender, Base("source"))),)))
    right, wrong = ([row[0] for row in rows] for rows in (pairs.answers, pairs.foils))
    fine = lift_module(
        net("gpt2").model.module,
        ids(word_pairs(3).base),
        nodes=["*.wte", "*.wpe", "*.attn", "*.mlp", "*.ln_?", "*.ln_f", "lm_head"],
        axes={"logits": ("pos", "class")},
    )
    assert own.sender in fine.graph.parents(own.receiver)  # blocks are no nodes here
    given = ModuleBindings.of(fine, ids(pairs.base), ids(pairs.source), answers=right, foils=wrong)
    natural = Read(logit_diff, Base("base"))
    found = evaluate_module([mine, natural], fine, given).values
    edge = Edge("L0.mlp", "L1.mlp")
    wanted = Read(logit_diff, Do(Base("base"), ((edge, At("L0.mlp", Base("source"))),)))
    oracle = evaluate([wanted], net("gpt2"), Bindings.of(pairs)).values[wanted]
    assert (found[mine] - oracle).abs().max() < 1e-10
    assert (found[mine] - found[natural]).abs().max() > 1e-6
