"""What cannot be lifted is refused, with what is possible and what to write."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from causalnet.errors import LiftError, TermError, UnknownMediatorError
from causalnet.graphs import MediatorGraph
from causalnet.lift import declare_module, lift_module
from causalnet.lift.modules import check_module
from tests.lift.modules.networks import Blocks, Choosing, Tuples, randomised

ROWS = torch.randn(3, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


class Made(nn.Module):
    """A module with a linear layer and a forward that is given."""

    def __init__(self, body: Callable[[Any, Tensor], Any]) -> None:
        super().__init__()
        self.linear, self.body = nn.Linear(3, 3), body
        self.register_buffer("count", torch.zeros(()))

    def forward(self, x: Tensor) -> Any:
        return self.body(self, x)


def _counting(module: Any, x: Tensor) -> Any:
    module.count += 1
    return module.linear(x)


UNTRACEABLE = {
    "data decides": lambda m, x: m.linear(x) if float(x.sum()) > 0 else x,
    "rows are mixed": lambda m, x: m.linear(x - x.mean(0)),
    "chance": lambda m, x: m.linear(x) + torch.rand(3),
    "fixed batch": lambda m, x: m.linear(x).reshape(9).reshape(3, 3),
    "own buffer": _counting,
    "numpy": lambda m, x: torch.tensor(m.linear(x).detach().numpy() ** 2),
    "no tensor": lambda m, x: 3,
}


@pytest.mark.parametrize("case", UNTRACEABLE)
def test_what_cannot_be_traced_is_refused(case: str) -> None:
    with pytest.raises(LiftError) as refused:
        lift_module(randomised(Made(UNTRACEABLE[case])), ROWS)
    assert refused.value.came and refused.value.possible and refused.value.write


def test_control_flow_by_data_names_the_way_out() -> None:
    with pytest.raises(LiftError, match="declare_module") as refused:
        lift_module(randomised(Choosing()), ROWS)
    assert "Choosing cannot be traced" in refused.value.came


@pytest.mark.parametrize(
    "inputs, told",
    [
        (ROWS[:1], "has 1"),
        ((ROWS, ROWS), "cannot be called"),
        ({"y": ROWS}, "cannot be called"),
        ({"x": [ROWS, ROWS[:2]]}, "no common number of rows"),
        ("text", "is a str"),
        ((3,), "there is no tensor"),
    ],
)
def test_examples_that_do_not_fit_are_refused(inputs: Any, told: str) -> None:
    with pytest.raises(LiftError, match=told):
        lift_module(randomised(Made(lambda m, x: m.linear(x))), inputs)


def test_a_module_that_fails_on_the_examples_says_how() -> None:
    with pytest.raises(LiftError, match="shape"):
        lift_module(randomised(Blocks()), ROWS)


def test_training_mode_is_refused() -> None:
    module = randomised(Made(lambda m, x: m.linear(x)))
    module.linear.train()
    with pytest.raises(LiftError, match=r"linear is in training mode.*eval"):
        lift_module(module, ROWS)
    with pytest.raises(LiftError, match="no torch"):
        lift_module(torch.relu, ROWS)  # type: ignore[arg-type]  # what is tested


def test_names_that_are_not_there_are_refused() -> None:
    module = randomised(Made(lambda m, x: m.linear(x)))
    with pytest.raises(LiftError, match=r"No submodule is called 'liner'.*linear"):
        lift_module(module, ROWS, nodes=["liner"])
    with pytest.raises(LiftError, match="no node is called so"):
        lift_module(module, ROWS, axes={"layers.*": ("pos", "feature")})
    with pytest.raises(LiftError, match="there are 1 axes"):
        lift_module(module, ROWS, axes={"linear": ("pos", "feature")})
    with pytest.raises(UnknownMediatorError, match="linear"):
        lift_module(module, ROWS)["liner"]


def test_several_outputs_ask_for_a_choice() -> None:
    two = randomised(Made(lambda m, x: (m.linear(x), x)))
    with pytest.raises(LiftError, match=r"returned 2 tensors.*output='0'"):
        lift_module(two, ROWS)
    assert lift_module(two, ROWS, output="1").graph.parents("logits") == ("x",)
    with pytest.raises(LiftError, match="no output 'loss'"):
        lift_module(randomised(Tuples()), {"x": ROWS, "flags": (ROWS, "word")}, output="loss")


def test_a_module_that_was_changed_is_refused() -> None:
    module = randomised(Made(lambda m, x: m.linear(x)))
    net = lift_module(module, ROWS)
    net.check_unchanged()
    module.linear.weight.mul_(2.0)
    with pytest.raises(LiftError, match="Lift the module again"):
        net.check_unchanged()


def without_edge(graph: MediatorGraph, sender: str, receiver: str) -> MediatorGraph:
    nodes = tuple(
        replace(node, slots=tuple(slot for slot in node.slots if slot.name != sender))
        if node.mediator.name == receiver
        else node
        for node in graph.nodes
    )
    return replace(graph, nodes=nodes)


@pytest.mark.parametrize("layer", range(3))
def test_a_graph_that_lacks_an_edge_fails_the_check(layer: int) -> None:
    module, inputs = randomised(Blocks(3)), torch.randn(3, 6, dtype=torch.float64)
    net = lift_module(module, inputs)
    tensors = {"x": inputs}
    for sender in net.graph.parents(f"blocks.{layer}"):
        graph = without_edge(net.graph, sender, f"blocks.{layer}")
        with pytest.raises(LiftError, match=rf"{sender} -> blocks.{layer}"):
            check_module(net.parts, graph, tensors, net.mechanisms)
    check_module(net.parts, net.graph, tensors, net.mechanisms)


CHOICES = [("x", "first"), ("first", "plus"), ("first", "minus"), ("plus", "out")]
EVERY = [*CHOICES, ("minus", "out"), ("first", "out"), ("out", "logits")]


def test_a_declared_graph_says_so() -> None:
    names = ["first", "plus", "minus", "out"]
    net = declare_module(randomised(Choosing()), ROWS, nodes=names, edges=EVERY)
    assert not net.is_traced
    assert net.graph.origin == "declared; its edges held on 3 example inputs"
    assert "declared" in repr(net)


@pytest.mark.parametrize("missing", [edge for edge in EVERY if edge != ("minus", "out")])
def test_an_edge_that_is_not_declared_is_found_and_named(missing: tuple[str, str]) -> None:
    edges = [edge for edge in EVERY if edge != missing]
    with pytest.raises(LiftError, match=f"{missing[0]} -> {missing[1]}"):
        declare_module(
            randomised(Choosing(), seed=1),
            ROWS,
            nodes=["first", "plus", "minus", "out"],
            edges=edges,
        )


def test_declared_names_are_checked() -> None:
    module = randomised(Choosing())
    with pytest.raises(LiftError, match=r"ends at 'frist'.*first"):
        declare_module(module, ROWS, nodes=["first"], edges=[("x", "frist")])
    with pytest.raises(LiftError, match=r"'x -> first' is no pair of names.*\('x', 'first'\)"):
        declare_module(module, ROWS, nodes=["first"], edges=["x -> first"])  # type: ignore[list-item]  # text
    with pytest.raises(LiftError, match="No submodule"):
        declare_module(module, ROWS, nodes=["third"], edges=[])
    with pytest.raises(TermError, match="were given"):
        declare_module(
            module,
            ROWS,
            nodes=["first", "out"],
            edges=[
                ("x", "first"),
                ("x", "logits"),
                ("x", "out"),
                ("first", "out"),
                ("out", "logits"),
            ],
        ).parts.arguments.check({"y": ROWS})
