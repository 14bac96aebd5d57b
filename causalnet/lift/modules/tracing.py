"""Tracing a module: torch.export, with a mark at every value that a submodule returns.

While the module is traced, a forward hook on each submodule puts two copies around every tensor
that it returns.  The first is the node: what the submodule computed, whatever is done to the tensor
in place afterwards.  The second is what everybody else reads.  So the traced program says which
operation is which node, exactly, and a submodule that returns what it was given is a node as well.
docs/decisions/0008-tracing.md says why torch.export.
"""

import warnings
from collections.abc import Collection, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.export import Dim, ExportedProgram, export
from torch.utils import _pytree as pytree  # torch has no public name for it

from causalnet.errors import LiftError
from causalnet.lift.modules.arguments import Arguments, key_text, pick_output
from causalnet.lift.modules.places import ModulePlace, tensors_of

__all__ = ["Marks", "Program", "mark_calls", "trace"]

UNTRACEABLE = (
    "A module is traced where its operations do not depend on the values of its tensors and it "
    "takes batches of any size."
)
INSTEAD = (
    "Declare it: declare_module(module, example_inputs, nodes=[...], edges=[...]); a decoder-only "
    "language model is lifted by an adapter (register) and cn.lift."
)


@dataclass(frozen=True, slots=True, eq=False)
class Program:
    """A traced module.

    Attributes:
        graph: The operations, none of which changes a tensor in place.
        inputs: The graph's placeholder of each input.
        state: The graph's placeholders of parameters and buffers, and their names in the module.
        constants: The graph's placeholders of other tensors, and those.
        places: The marked values, in the order in which they come about.
        marks: The graph's node of each of them.
        output: The graph's node of the module's output.
    """

    graph: fx.Graph
    inputs: Mapping[str, fx.Node]
    state: Mapping[fx.Node, str]
    constants: Mapping[fx.Node, Tensor]
    places: tuple[ModulePlace, ...]
    marks: tuple[fx.Node, ...]
    output: fx.Node


def trace(
    module: nn.Module,
    arguments: Arguments,
    inputs: Mapping[str, Tensor],
    output: str | None,
    outputs_of: Collection[str],
    inputs_of: Collection[str],
) -> Program:
    """Trace a module on example inputs.

    Args:
        module: The module, in evaluation mode.
        arguments: How it is called.
        inputs: The example inputs, [B, ...] each.
        output: Which of its outputs is scored.
        outputs_of: The submodules whose outputs are marked.
        inputs_of: The submodules whose first inputs are marked.

    Raises:
        LiftError: The module cannot be traced; says why, what can be, and what to do instead.
    """
    marked = _Marked(module, Marks(arguments, output, outputs_of, inputs_of))
    every_row = {"inputs": {name: {0: Dim.AUTO} for name in inputs}}
    try:
        with torch.no_grad(), warnings.catch_warnings():
            # torch warns of itself when it copies a traced program.
            warnings.filterwarnings("ignore", message=".*LeafSpec", category=FutureWarning)
            exported = export(marked, (dict(inputs),), strict=False, dynamic_shapes=every_row)
            program = exported.run_decompositions({})  # in-place operations become plain ones
    except Exception as error:  # tracing runs the module's own code, which may raise anything
        raise _refused(module, _first_line(error)) from error
    return _read(module, program, tuple(inputs), marked.marks.places)


def _refused(module: nn.Module, why: str) -> LiftError:
    return LiftError(f"{type(module).__name__} cannot be traced: {why}.", UNTRACEABLE, INSTEAD)


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0].rstrip('.')[:300]}" if lines else repr(error)


@dataclass(slots=True, eq=False)
class Marks:
    """What is marked in one run.

    Attributes:
        arguments: How the module is called.
        output: Which of its outputs is scored.
        outputs_of: The submodules whose outputs are marked.
        inputs_of: The submodules whose first inputs are marked.
        places: The marked values, in the order in which they came about.
        values: Those values.
        calls: How often each submodule was called.
    """

    arguments: Arguments
    output: str | None
    outputs_of: Collection[str]
    inputs_of: Collection[str]
    places: list[ModulePlace] = field(default_factory=list)
    values: list[Tensor] = field(default_factory=list)
    calls: dict[str, int] = field(default_factory=dict)

    def clear(self) -> None:
        """Forget an earlier run: torch may run a module more than once."""
        self.places.clear()
        self.values.clear()
        self.calls.clear()

    def mark(self, place: ModulePlace, value: Tensor) -> Tensor:
        """Keep a value, and return a copy for those who read it."""
        self.places.append(place)
        self.values.append(value.clone())
        return self.values[-1].clone()

    def before(self, path: str) -> Any:
        """Return the hook that runs before a submodule."""

        def hook(_: nn.Module, args: Any, kwargs: Any) -> Any:
            self.calls[path] = call = self.calls.get(path, 0) + 1
            if path not in self.inputs_of:
                return None
            leaves, tensors, spec = tensors_of((args, kwargs))
            for at in tensors[:1]:
                leaves[at] = self.mark(ModulePlace(path, call, 0, "in"), leaves[at])
            return pytree.tree_unflatten(leaves, spec)

        return hook

    def after(self, path: str) -> Any:
        """Return the hook that runs after a submodule."""

        def hook(_: nn.Module, __: Any, returned: Any) -> Any:
            if path not in self.outputs_of:
                return None
            leaves, tensors, spec = tensors_of(returned)
            keys = [key_text(key) for key, _ in pytree.tree_flatten_with_path(returned)[0]]
            for item, at in enumerate(tensors):
                key = keys[at] if len(tensors) > 1 else ""
                place = ModulePlace(path, self.calls[path], item, "out", key)
                leaves[at] = self.mark(place, leaves[at])
            return pytree.tree_unflatten(leaves, spec)

        return hook


def mark_calls(module: nn.Module, marks: Marks, inputs: Mapping[str, Tensor]) -> Tensor:
    """Run a module once with marks on its submodules, and return its output.

    Args:
        module: The module.
        marks: What to mark; filled.
        inputs: The module's inputs, [B, ...] each.
    """
    marks.clear()
    with ExitStack() as hooks:
        for path, part in module.named_modules():
            if path:
                before = part.register_forward_pre_hook(marks.before(path), with_kwargs=True)
                hooks.callback(before.remove)
                hooks.callback(part.register_forward_hook(marks.after(path)).remove)
        # A copy, so that an output that is an input or a node has an operation of its own.
        return pick_output(marks.arguments.call(module, inputs), marks.output).clone()


class _Marked(nn.Module):
    """A module that returns its marked values beside its output."""

    def __init__(self, module: nn.Module, marks: Marks) -> None:
        super().__init__()
        self.module = module
        self.marks = marks

    def forward(self, inputs: dict[str, Tensor]) -> tuple[Tensor, list[Tensor]]:
        output = mark_calls(self.module, self.marks, inputs)
        return output, list(self.marks.values)


def _read(
    module: nn.Module, exported: ExportedProgram, names: tuple[str, ...], places: list[ModulePlace]
) -> Program:
    """Return the traced operations with what they stand for.

    Raises:
        LiftError: Regions with a graph of their own, buffers that are changed, or a fixed batch.
    """
    graph, signature = exported.graph, exported.graph_signature
    by_name = {node.name: node for node in graph.nodes}
    regions = [n for n in graph.nodes if isinstance(n.target, torch._ops.HigherOrderOperator)]
    if regions:
        raise _refused(module, f"it has a region of its own kind, {regions[0].target}")
    if signature.buffers_to_mutate:
        changed = next(iter(signature.buffers_to_mutate.values())).removeprefix("module.")
        raise _refused(module, f"it changes its buffer {changed!r} when it is run")
    inputs = {
        name: by_name[str(placeholder)]
        for name, placeholder in zip(names, signature.user_inputs, strict=True)
    }
    for name, node in inputs.items():
        rows = node.meta["val"].shape[0]
        if isinstance(rows, int) or not rows.node.expr.free_symbols:
            raise _refused(module, f"its operations fix the number of rows of {name!r} at {rows}")
    stored = {**signature.inputs_to_parameters, **signature.inputs_to_buffers}
    state = {by_name[own]: path.removeprefix("module.") for own, path in stored.items()}
    constants = {
        by_name[own]: exported.constants[key]
        for own, key in signature.inputs_to_lifted_tensor_constants.items()
    }
    output, *marks = (by_name[str(own)] for own in signature.user_outputs)
    return Program(graph, inputs, state, constants, tuple(places), tuple(marks), output)
