"""Mechanisms: what each node of a traced module is computed from, and how.

A node's mechanism is the operations between it and the nodes before it.  Operations between nodes
belong to the nodes that read them, so that each receiver can be given a value of a sender that
others do not see.
"""

import operator
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx, nn

from causalnet.lift.modules.tracing import Program

__all__ = ["Mechanism", "Mechanisms", "read_mechanisms"]

aten = torch.ops.aten
_FILLED: Mapping[Any, Callable[[fx.Node], Any]] = {
    aten.zeros_like.default: lambda node: 0,
    aten.ones_like.default: lambda node: 1,
    aten.empty_like.default: lambda node: 0,
    aten.full_like.default: lambda node: node.args[1],
    aten.new_zeros.default: lambda node: 0,
    aten.new_ones.default: lambda node: 1,
    aten.new_empty.default: lambda node: 0,
    aten.new_full.default: lambda node: node.args[2],
}
"""Operations that read nothing of a tensor but its shape and type, and what they fill in: a value
does not flow through them."""


@dataclass(frozen=True, slots=True, eq=False)
class Mechanism:
    """One node as a function of others.

    Attributes:
        parents: The nodes that it reads, in the order in which it does.
        steps: The operations, in order.
        result: The operation whose value is the node's; that of a parent where it is the parent.
    """

    parents: tuple[str, ...]
    steps: tuple[fx.Node, ...]
    result: fx.Node


@dataclass(frozen=True, slots=True, eq=False)
class Mechanisms:
    """All mechanisms of a traced module.

    Attributes:
        module: The module, whose parameters and buffers are read when a node is computed.
        program: The traced operations.
        of: The mechanism of every node that is not an input, parents first.
        names: The nodes by the operations that compute them, inputs included.
        shared: The operations that belong to several mechanisms.
    """

    module: nn.Module
    program: Program
    of: Mapping[str, Mechanism]
    names: Mapping[fx.Node, str]
    shared: frozenset[fx.Node]

    def compute(
        self,
        name: str,
        values: Mapping[str, Tensor],
        rows: int,
        known: dict[fx.Node, Any] | None = None,
    ) -> Tensor:
        """Return a node's value, [B, ...], from those of its parents.

        Args:
            name: The node.
            values: The values of its parents.
            rows: B.
            known: Values of shared operations at the same values of all nodes; read and filled.
        """
        mechanism = self.of[name]
        done: dict[fx.Node, Any] = {}

        def value(node: fx.Node) -> Any:
            if node in done:
                return done[node]
            if node in self.names:
                return values[self.names[node]]
            return self._given(node, rows)

        for step in mechanism.steps:
            if known is not None and step in known:
                done[step] = known[step]
                continue
            done[step] = _run(step, value, rows)
            if known is not None and step in self.shared:
                known[step] = done[step]
        found: Tensor = value(mechanism.result)
        return found

    def _given(self, node: fx.Node, rows: int) -> Any:
        """Return a parameter, a buffer, a constant, or a number that the batch's size decides."""
        path = self.program.state.get(node)
        if path is not None:
            owner, _, name = path.rpartition(".")
            return getattr(self.module.get_submodule(owner), name)
        if node in self.program.constants:
            return self.program.constants[node]
        return _number(node.meta["val"], rows)


def _run(step: fx.Node, value: Callable[[fx.Node], Any], rows: int) -> Any:
    if step.target in _FILLED:
        like = step.meta["val"]
        shape = [_number(size, rows) for size in like.shape]
        fill = fx.node.map_arg(_FILLED[step.target](step), value)
        return torch.full(shape, fill, dtype=like.dtype, device=like.device)
    args: Any = fx.node.map_arg(step.args, value)
    kwargs: Any = fx.node.map_arg(step.kwargs, value)
    if step.target is aten.clone.default and not kwargs:
        return args[0]  # nothing is changed in place, so that nobody sees the difference
    if step.target is aten.view.default:  # a value that was set may lie otherwise in memory
        return aten.reshape.default(*args)
    assert callable(step.target)
    return step.target(*args, **kwargs)


def _is_number(node: fx.Node) -> bool:
    """Return whether an operation yields a size, which the number of rows decides."""
    return isinstance(node.meta.get("val"), int | float | bool | torch.SymInt | torch.SymBool)


def _number(size: Any, rows: int) -> Any:
    """Return a size where a batch has so many rows."""
    if not isinstance(size, torch.SymInt | torch.SymBool):
        return size
    expression = size.node.expr
    found = expression.subs(dict.fromkeys(expression.free_symbols, rows))
    return bool(found) if isinstance(size, torch.SymBool) else int(found)


def read_mechanisms(
    module: nn.Module, program: Program, nodes: Mapping[str, fx.Node]
) -> Mechanisms:
    """Return every node's mechanism.

    Args:
        module: The module.
        program: It, traced.
        nodes: For each node, inputs first, the operation that computes it.
    """
    names = {node: name for name, node in nodes.items()}
    order = {node: index for index, node in enumerate(program.graph.nodes)}
    given = {*program.state, *program.constants}
    of: dict[str, Mechanism] = {}
    users: dict[fx.Node, int] = {}
    for name, node in sorted(nodes.items(), key=lambda pair: order[pair[1]]):
        if name not in program.inputs:
            of[name] = _mechanism(node, names, given, order)
            for step in of[name].steps:
                users[step] = users.get(step, 0) + 1
    shared = frozenset(step for step, count in users.items() if count > 1)
    return Mechanisms(module, program, of, names, shared)


def _mechanism(
    node: fx.Node,
    names: Mapping[fx.Node, str],
    given: Iterable[fx.Node],
    order: Mapping[fx.Node, int],
) -> Mechanism:
    """Walk back from a node to the nodes before it."""
    stops = set(given)
    parents: dict[fx.Node, None] = {}
    steps: set[fx.Node] = set()
    waiting = [node]
    while waiting:
        current = waiting.pop()
        if current in steps or current in stops or _is_number(current):
            continue
        if current in names and current is not node:
            parents[current] = None
            continue
        steps.add(current)
        waiting.extend(_read_by(current))
    return Mechanism(
        tuple(names[parent] for parent in sorted(parents, key=order.__getitem__)),
        tuple(sorted(steps, key=order.__getitem__)),
        node,
    )


def _read_by(step: fx.Node) -> Iterable[fx.Node]:
    """Return the operations whose values, not only whose shapes, an operation reads."""
    if step.target in _FILLED:
        fill = _FILLED[step.target](step)
        return [fill] if isinstance(fill, fx.Node) else []
    if step.target is operator.getitem:
        assert isinstance(step.args[0], fx.Node)
        return [step.args[0]]
    return step.all_input_nodes
