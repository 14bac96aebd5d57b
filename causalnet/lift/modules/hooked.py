"""One run of the module itself, with hooks that read and set the values of nodes."""

from collections.abc import Callable, Collection, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from torch import Tensor, nn
from torch.utils import _pytree as pytree  # torch has no public name for it

from causalnet.errors import FireCountError, TermError
from causalnet.lift.modules.arguments import Arguments, pick_output
from causalnet.lift.modules.places import OUTPUT, ModulePlace, tensors_of

__all__ = ["Change", "HookedRun", "ModuleParts", "run_hooked"]

Change: TypeAlias = Callable[[Tensor], Tensor]
"""From what a value is to what it is set to, [B, ...] both."""


@dataclass(frozen=True, slots=True, eq=False)
class ModuleParts:
    """A module and where its nodes are found.

    Attributes:
        module: The module.
        arguments: How it is called.
        places: The submodule behind every node that is neither an input nor the output.
        output: Which of its outputs is scored.
    """

    module: nn.Module
    arguments: Arguments
    places: Mapping[str, ModulePlace]
    output: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class HookedRun:
    """What was seen in one run.

    Attributes:
        natural: What nodes were before anything was set at them.
        values: What they were set to, or else what they were.
    """

    natural: Mapping[str, Tensor]
    values: Mapping[str, Tensor]


def run_hooked(
    parts: ModuleParts,
    inputs: Mapping[str, Tensor],
    nodes: Mapping[str, Change] | None = None,
    edges: Mapping[tuple[str, str], Change] | None = None,
    record: Collection[str] | None = None,
) -> HookedRun:
    """Run a module once, with values of nodes and of direct edges set.

    Args:
        parts: The module and its places.
        inputs: Its inputs, [B, ...] each.
        nodes: What nodes are set to.
        edges: What senders are set to for one receiver.  The receiver must be given the very
            tensor that the sender is.
        record: The nodes whose values are kept; None keeps all.

    Raises:
        FireCountError: A submodule that was not called as often as when it was lifted.
        TermError: An edge that passes through operations between its ends.
    """
    run = _Run(parts, dict(nodes or {}), dict(edges or {}), record)
    with ExitStack() as hooks:
        for path in run.watched:
            part = parts.module.get_submodule(path)
            before = part.register_forward_pre_hook(run.before(path), with_kwargs=True)
            hooks.callback(before.remove)
            hooks.callback(part.register_forward_hook(run.after(path)).remove)
        given = {name: run.node(name, value) for name, value in inputs.items()}
        result = parts.arguments.call(parts.module, given)
    output = run.received(pick_output(result, parts.output), (OUTPUT,))
    run.node(OUTPUT, output)
    run.check_fired()
    return HookedRun(run.natural, run.values)


@dataclass(slots=True, eq=False)
class _Run:
    """A run in progress."""

    parts: ModuleParts
    nodes: dict[str, Change]
    edges: dict[tuple[str, str], Change]
    record: Collection[str] | None
    natural: dict[str, Tensor] = field(default_factory=dict)
    values: dict[str, Tensor] = field(default_factory=dict)
    sent: dict[str, tuple[Tensor, int]] = field(default_factory=dict)
    calls: dict[str, int] = field(default_factory=dict)
    fired: set[object] = field(default_factory=set)
    at: dict[tuple[str, int, str], dict[int, str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, place in self.parts.places.items():
            key = (place.path, place.call, place.side)
            self.at.setdefault(key, {})[place.item] = name

    @property
    def watched(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(place.path for place in self.parts.places.values()))

    def node(self, name: str, value: Tensor) -> Tensor:
        """Return a node's value as everybody reads it: a tensor of its own."""
        kept = self.record is None or name in self.record
        self.fired.add(name)
        change = self.nodes.get(name)
        if kept:
            self.natural[name] = value.clone()  # others may change the tensor in place
        settled = value.clone() if change is None else change(value)
        if kept:
            self.values[name] = self.natural[name] if change is None else settled
            settled = settled.clone()
        self.sent[name] = (settled, settled._version)
        return settled

    def received(self, value: Tensor, receivers: Collection[str]) -> Tensor:
        """Return what receivers are given in place of a tensor, where an edge says so."""
        for (sender, receiver), change in self.edges.items():
            tensor, version = self.sent.get(sender, (None, 0))
            if receiver in receivers and value is tensor and value._version == version:
                self.fired.add((sender, receiver))
                value = change(value)
        return value

    def before(self, path: str) -> Any:
        def hook(_: nn.Module, args: Any, kwargs: Any) -> Any:
            self.calls[path] = call = self.calls.get(path, 0) + 1
            given = self.at.get((path, call, "in"), {})
            returned = self.at.get((path, call, "out"), {})
            leaves, tensors, spec = tensors_of((args, kwargs))
            for number, at in enumerate(tensors):
                leaves[at] = self.received(leaves[at], tuple(given.values()))
                if number in given:
                    leaves[at] = self.node(given[number], leaves[at])
                leaves[at] = self.received(leaves[at], tuple(returned.values()))
            return pytree.tree_unflatten(leaves, spec)

        return hook

    def after(self, path: str) -> Any:
        def hook(_: nn.Module, __: Any, returned: Any) -> Any:
            nodes = self.at.get((path, self.calls[path], "out"), {})
            leaves, tensors, spec = tensors_of(returned)
            for item, at in enumerate(tensors):
                if item in nodes:
                    leaves[at] = self.node(nodes[item], leaves[at])
            return pytree.tree_unflatten(leaves, spec)

        return hook

    def check_fired(self) -> None:
        silent = [name for name in self.parts.places if name not in self.fired]
        if silent:
            place = self.parts.places[silent[0]]
            raise FireCountError(
                f"{silent[0]} has no value in this run: call {place.call} of {place.path!r} did "
                f"not happen, which was called {self.calls.get(place.path, 0)} times.",
                "A graph has the nodes of one course of the computation.",
                "Lift the module again with example inputs that take this course.",
            )
        unused = [edge for edge in self.edges if edge not in self.fired]
        if unused:
            sender, receiver = unused[0]
            raise TermError(
                f"{sender} -> {receiver} cannot be set: {receiver} is not given {sender} itself, "
                "but what operations in between make of it.",
                "With hooks on modules, an edge is set where one module is handed what another "
                "returned.",
                f"Set the node {receiver}, or trace the module: lift_module sets every edge.",
            )
