"""Traced graphs are the true flow of data, whatever a module's code looks like."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from causalnet.graphs import Kind, MediatorGraph, Role
from causalnet.lift import LiftedModule, head_part, lift_module
from tests.lift.modules.networks import Blocks, Branches, Cnn, Tuples, examples, lifted, randomised


def parents(net: LiftedModule) -> dict[str, tuple[str, ...]]:
    return {node.mediator.name: net.graph.parents(node.mediator) for node in net.graph.nodes}


def rows(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_skips_repeated_calls_in_place_operations_and_dead_branches_show() -> None:
    assert parents(lift_module(randomised(Cnn()), rows(3, 1, 8, 8))) == {
        "x": (),
        "first": ("x",),
        "act": ("first",),
        "second": ("act",),
        "norm": ("second",),
        "act@2": ("norm",),
        "pool": ("act", "act@2"),
        "aux": ("pool",),
        "out": ("pool",),
        "logits": ("out",),
    }


def test_residual_blocks_read_every_earlier_block() -> None:
    found = parents(lift_module(randomised(Blocks(3)), rows(3, 6)))
    assert found["blocks.2"] == ("embed", "blocks.0", "blocks.1")
    assert found["head"] == ("embed", "blocks.0", "blocks.1", "blocks.2")


def test_shapes_and_constants_are_no_flow_of_data() -> None:
    net = lift_module(randomised(Branches()), (rows(3, 3), rows(3, 2, seed=1)))
    found = parents(net)
    assert found["out"] == ("left", "right", "gate")
    assert found["logits"] == ("out", "skip")  # zeros_like(b) has b's shape only
    assert found["idle"] == ("right",)
    assert net.graph.find("logits").kind is Kind.LOGITS


def test_tensors_in_tuples_and_mappings_are_nodes_of_their_own() -> None:
    module = randomised(Tuples())
    flags = (rows(3, 3, seed=1), "word")
    net = lift_module(module, {"x": rows(3, 3), "flags": flags})
    assert parents(net) == {
        "x": (),
        "flags/0": (),
        "pair.a": ("x",),
        "pair.b": ("x",),
        "pair/0": ("pair.a",),
        "pair/2": ("pair.b",),
        "same": ("flags/0", "pair/0", "pair/2"),
        "out": ("same",),
        "logits": ("out",),
    }
    again = lift_module(module, {"x": rows(3, 3), "flags": flags}, output="hidden")
    assert again.graph.parents("logits") == ("pair/0",)


def test_nodes_can_be_chosen_and_the_rest_is_folded_into_them() -> None:
    net = lift_module(randomised(Blocks(3)), rows(3, 6), nodes=["blocks.*"])
    assert [node.mediator.name for node in net.graph.nodes] == [
        "x",
        "blocks.0",
        "blocks.1",
        "blocks.2",
        "logits",
    ]
    assert net.graph.parents("blocks.1") == ("x", "blocks.0")


def test_modules_called_like_inputs_or_the_output_have_their_call_number() -> None:
    class Named(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.x, self.logits = nn.Linear(2, 2), nn.Linear(2, 2)

        def forward(self, x: Tensor) -> Any:
            return self.logits(self.x(x))

    found = parents(lift_module(randomised(Named()), rows(2, 2)))
    assert found == {"x": (), "x@1": ("x",), "logits@1": ("x@1",), "logits": ("logits@1",)}


def test_a_shared_module_is_a_node_for_each_call() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one = nn.Linear(3, 3)
            self.two = self.one  # the same module by another name

        def forward(self, x: Tensor) -> Any:
            return self.two(self.one(x)) + x

    found = parents(lift_module(randomised(Twice()), rows(3, 3)))
    assert found == {"x": (), "one": ("x",), "one@2": ("one",), "logits": ("x", "one@2")}


def test_axes_are_named_by_number_or_as_declared() -> None:
    net = lifted("vit")
    tokens = net.graph.axes("vit.layers.0")[1]
    assert (tokens.name, tokens.role, tokens.size) == ("pos", Role.POSITION, 17)
    assert [axis.name for axis in net.graph.axes("pixel_values")][1:] == [
        "channel",
        "height",
        "width",
    ]
    mixed = net.graph.parents("vit.layers.0.attention.o_proj/in")
    assert [name.rpartition(".")[2] for name in mixed] == ["q_proj", "k_proj", "v_proj"]
    assert head_part(3, 4, 32).indices == tuple(range(24, 32))


@pytest.mark.parametrize("kind", ["mlp", "cnn", "bert", "vit"])
def test_trained_networks_are_recomputed_exactly(kind: str) -> None:
    inputs, net = examples(kind, slice(0, 4))[0], lifted(kind)
    assert net.check.varied == tuple(inputs)
    assert {one.part for one in net.check.settled} == set(parents(net)) - set(inputs)
    assert max(one.difference for one in (*net.check.replayed, *net.check.settled)) < 1e-10


def test_encoders_show_their_residual_skips() -> None:
    net = lifted("bert")
    layer = "bert.encoder.layer.0"
    assert net.graph.parents(f"{layer}.attention.output.LayerNorm") == (
        "bert.embeddings",
        f"{layer}.attention.output.dropout",
    )
    assert net.graph.is_ancestor("attention_mask", "logits")
    assert not net.graph.is_ancestor("attention_mask", "bert.embeddings")


def test_the_graph_says_that_it_was_traced_and_keeps_it_in_files() -> None:
    graph = lift_module(randomised(Blocks(2)), rows(3, 6)).graph
    assert graph.origin.startswith("traced by torch.export")
    assert "traced" in repr(graph)
    again = MediatorGraph.from_json(graph.to_json())
    assert again == graph and again.origin == graph.origin
    assert again != MediatorGraph(graph.nodes)


def test_float32_is_lifted_within_its_rounding() -> None:
    net = lift_module(randomised(Blocks(2)).float(), rows(3, 6).float())
    assert all(one.difference <= one.tolerance for one in net.check.replayed)
    assert 0 < net.check.replayed[0].tolerance < 1e-2


def test_a_module_that_changes_its_input_in_place_leaves_the_examples_alone() -> None:
    class Scaling(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(3, 2)

        def forward(self, x: Tensor) -> Any:
            before = self.linear(x)
            x.mul_(2.0)
            return before + self.linear(x)

    given = rows(3, 3)
    net = lift_module(randomised(Scaling()), given)
    assert torch.equal(given, rows(3, 3))
    assert parents(net) == {
        "x": (),
        "linear": ("x",),
        "linear@2": ("x",),
        "logits": ("linear", "linear@2"),
    }
