"""Worlds start at their first site: counted in calls of mechanisms, never in seconds."""

from functools import lru_cache

import pytest
import torch
from torch import Tensor, nn

from causalnet.errors import FireCountError, TermError
from causalnet.execute.modules import ModuleBindings, evaluate_module
from causalnet.interventions import (
    At,
    Base,
    Const,
    Do,
    Edge,
    Grad,
    Node,
    Noise,
    Read,
    World,
    logit_diff,
    probability,
)
from causalnet.lift import LiftedModule, declare_module, lift_module
from tests.lift.modules.networks import Blocks, Choosing, Cnn, randomised

BASE, SOURCE = Base("base"), Base("source")
COUNT = 5
INPUTS = torch.randn(4, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@lru_cache
def net() -> LiftedModule:
    return lift_module(randomised(Blocks(COUNT)), INPUTS)


def bindings(network: LiftedModule) -> ModuleBindings:
    return ModuleBindings.of(network, INPUTS, INPUTS.flip(0), answers=[0, 1, 2, 0], foils=[1] * 4)


def block_calls(worlds: list[World], **options: bool) -> dict[int, int]:
    network = net()
    leaves = [Read(logit_diff, world) for world in worlds]
    calls = evaluate_module(leaves, network, bindings(network), **options).calls
    return {layer: calls.get(f"blocks.{layer}", 0) for layer in range(COUNT)}


def ablated(layer: int) -> World:
    return Do(BASE, ((Node(f"blocks.{layer}"), Const()),))


@pytest.mark.parametrize("layer", range(COUNT))
def test_a_world_starts_behind_its_first_site(layer: int) -> None:
    shared = block_calls([BASE, ablated(layer)])
    assert shared == {block: 1 + (block > layer) for block in range(COUNT)}
    alone = block_calls([ablated(layer)])
    assert alone == {block: 1 for block in range(COUNT)}  # the base up to there, the world behind
    whole = block_calls([BASE, ablated(layer)], reuse=False)
    assert whole == dict.fromkeys(range(COUNT), 2)


def test_one_world_for_each_block_costs_half_of_all() -> None:
    calls = block_calls([BASE, *(ablated(layer) for layer in range(COUNT))])
    assert sum(calls.values()) == COUNT + COUNT * (COUNT - 1) // 2
    assert sum(block_calls([BASE, *map(ablated, range(COUNT))], reuse=False).values()) == 30


def test_a_source_is_run_up_to_what_is_read_of_it() -> None:
    read = Do(BASE, ((Node("blocks.1"), At("blocks.1", SOURCE)),))
    assert block_calls([BASE, read]) == {0: 2, 1: 2, 2: 2, 3: 2, 4: 2}
    only = Do(BASE, ((Edge("embed", "head"), At("embed", SOURCE)),))
    assert block_calls([BASE, only]) == dict.fromkeys(range(COUNT), 1)


def test_branches_that_are_not_read_are_not_run() -> None:
    network = lift_module(randomised(Cnn()), torch.randn(3, 1, 8, 8, dtype=torch.float64))
    given = ModuleBindings.of(
        network, torch.randn(3, 1, 8, 8, dtype=torch.float64), answers=[0, 1, 2]
    )
    world = Do(BASE, ((Node("norm"), Const()),))
    calls = evaluate_module([Read(probability, world)], network, given).calls
    assert "aux" not in calls and calls["first"] == 1
    assert calls["act@2"] == calls["pool"] == 1


def test_batches_change_no_value_and_repeat_the_calls() -> None:
    network = net()
    leaves = [
        Read(logit_diff, ablated(2)),
        Read(logit_diff, Do(BASE, ((Node("embed"), Noise("k")),))),
    ]
    together = evaluate_module(leaves, network, bindings(network))
    apart = evaluate_module(leaves, network, bindings(network), batch_size=3)
    for leaf in leaves:
        assert (together.values[leaf] - apart.values[leaf]).abs().max() < 1e-12
    assert {name: 2 * count for name, count in together.calls.items()} == apart.calls


EDGES = [("x", "first"), ("first", "plus"), ("first", "minus"), ("plus", "out"), ("minus", "out")]
EVERY = [*EDGES, ("first", "out"), ("out", "logits")]


def choosing() -> LiftedModule:
    rows = torch.randn(4, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return declare_module(
        randomised(Choosing(), seed=1),
        rows,
        nodes=["first", "plus", "minus", "out"],
        edges=EVERY,
    )


def test_a_declared_module_is_run_with_hooks() -> None:
    network = choosing()
    base, source = (
        torch.randn(5, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        for seed in (1, 2)
    )
    given = ModuleBindings.of(network, base, source, answers=[0] * 5, foils=[1] * 5)
    direct = Do(BASE, ((Edge("first", "plus"), At("first", SOURCE)),))
    node = Do(direct, ((Node("out"), At("out", direct)), (Node("minus"), Const())))
    leaves = [Read(logit_diff, direct), Read(logit_diff, node)]
    found = evaluate_module(leaves, network, given).values
    module = network.module
    assert isinstance(module, Choosing)
    with torch.no_grad():
        here, there = module.first(base), module.first(source)
        ways = torch.where((here.sum(1) > 0)[:, None], module.plus(there), module.minus(here))
        wanted = module.out(ways)
    for leaf in leaves:  # setting `out` to what it is anyway hides the zeroed branch
        assert (found[leaf] - (wanted[:, 0] - wanted[:, 1])).abs().max() < 1e-10


def test_an_edge_that_hooks_cannot_set_is_refused() -> None:
    network = choosing()
    given = ModuleBindings.of(network, torch.ones(2, 3).double(), answers=[0, 0], foils=[1, 1])
    with pytest.raises(TermError, match=r"plus -> out cannot be set.*lift_module"):
        world = Do(BASE, ((Edge("plus", "out"), Const()),))
        evaluate_module([Read(logit_diff, world)], network, given)


class Sometimes(nn.Module):
    """Calls its second layer where the first gives anything positive."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(3, 2), nn.Linear(2, 2)

    def forward(self, x: Tensor) -> Tensor:
        h: Tensor = self.first(x)
        return self.second(h) if bool((h > 0).any()) else h


def test_a_module_that_takes_another_course_is_refused() -> None:
    module = Sometimes().double().eval().requires_grad_(False)
    module.first.weight.fill_(1.0)
    module.first.bias.zero_()
    rows = torch.tensor([[1.0, 2.0, 3.0], [0.5, 0.0, 1.0]], dtype=torch.float64)
    edges = [("x", "first"), ("first", "second"), ("second", "logits")]
    network = declare_module(module, rows, nodes=["first", "second"], edges=edges)
    given = ModuleBindings.of(network, -rows, answers=[0, 1])
    with pytest.raises(FireCountError, match=r"second.*called 0 times"):
        evaluate_module([Read(probability, BASE)], network, given)


def test_derivatives_through_hooks_are_those_of_finite_steps() -> None:
    network = choosing()
    base = torch.randn(3, 3, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    given = ModuleBindings.of(network, base, base.flip(0), answers=[0] * 3, foils=[1] * 3)
    leaf = Grad(Read(logit_diff, BASE), Node("out"), At("out", SOURCE))
    found = evaluate_module([leaf], network, given).values[leaf]
    out = network.module(base.flip(0))
    assert (found - (out[:, 0] - out[:, 1])).abs().max() < 1e-10
