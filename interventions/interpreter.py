"""The meaning of terms, by brute force: small causal models interpreted node by node.

A model gives every node of a graph a mechanism: a function from the values of its slots to its own.
The value of a node in a world is its natural value, with the layers of the world that set the node
applied on top, the bottom one first.  Nothing is simplified, merged or reordered: this is what
normal forms, rules and executors are held to.  It recurses, and is meant for small models.

>>> from causalnet.graphs import plain_graph
>>> from causalnet.interventions.worlds import At, Base, Do, Node
>>> graph = plain_graph({"X": (), "M": ("X",), "Y": ("X", "M")})
>>> rules = {"M": lambda slots: 2 * slots["X"], "Y": lambda slots: slots["X"] + 3 * slots["M"]}
>>> model = SCM(graph, rules, {"base": {"X": 0.0}, "source": {"X": 1.0}})
>>> patched = Do(Base("base"), ((Node("M"), At("M", Base("source"))),))
>>> model.value("Y", Base("base")), model.value("Y", patched)
(0.0, 6.0)
"""

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeAlias, assert_never

import numpy as np

from causalnet.errors import TermError
from causalnet.graphs import Kind, MediatorGraph, Merge, Slot
from causalnet.graphs import Node as GraphNode
from causalnet.interventions.readouts import ReadOut
from causalnet.interventions.scalars import (
    NUDGE,
    Grad,
    Read,
    Scalar,
    evaluate_scalar,
    leaves_of,
    nudged,
)
from causalnet.interventions.views import Handle, Indices, Part, Subspace
from causalnet.interventions.worlds import (
    At,
    Base,
    Const,
    Edge,
    Node,
    Noise,
    Op,
    Self,
    Site,
    Value,
    World,
    layers_of,
)

__all__ = ["OPERATIONS", "SCM", "array_mix"]

Mechanism: TypeAlias = Callable[[Mapping[str, Any]], Any]
Operation: TypeAlias = Callable[[tuple[Any, ...], Mapping[str, Any]], Any]
Assigned: TypeAlias = tuple[Site, Value]

_STEP = 1e-30  # the imaginary step of a derivative: its square vanishes in float64


def _add(arguments: tuple[Any, ...], parameters: Mapping[str, Any]) -> Any:
    first, second = arguments
    return first + parameters.get("factor", 1.0) * second


def _scale(arguments: tuple[Any, ...], parameters: Mapping[str, Any]) -> Any:
    return parameters["factor"] * arguments[0]


def _subtract(arguments: tuple[Any, ...], _: Mapping[str, Any]) -> Any:
    return arguments[0] - arguments[1]


def _lerp(arguments: tuple[Any, ...], parameters: Mapping[str, Any]) -> Any:
    """Return (1 - factor) times the first argument plus factor times the second."""
    factor = parameters["factor"]
    return (1 - factor) * arguments[0] + factor * arguments[1]


OPERATIONS: Mapping[str, Operation] = {
    "add": _add,
    "scale": _scale,
    "subtract": _subtract,
    "lerp": _lerp,
}
"""Bodies of the operations that make sense on any numbers."""


def array_mix(
    site: Site, new: Any, below: Any, constant: Callable[[Handle], Any] | None = None
) -> Any:
    """Return (1 - P) below + P new for a view on arrays.

    Positions are integers along the last axis but one; a part acts along the last axis.

    Args:
        site: The site, whose view is applied.
        new: The value assigned.
        below: The value after the layers below.
        constant: Gives the bases of subspaces.

    Raises:
        TermError: A named position, whose column only prompts tell, or a basis that is not given.
    """
    kept = np.asarray(below)
    placed = kept + _projected(site.part, np.asarray(new) - kept, constant)
    if site.part is None:
        placed = np.broadcast_to(np.asarray(new), kept.shape)
    if not site.at:
        return placed
    chosen = np.zeros(kept.shape[-2], dtype=bool)
    for position in site.at:
        if not isinstance(position, int):
            raise TermError(
                f"The position {position!r} of {site} has no column here.",
                "Positions of plain arrays are integers.",
                "Give the model a mix function that knows the prompts.",
            )
        chosen[position] = True
    return np.where(chosen[:, None], placed, kept)


def _projected(part: Part | None, change: Any, constant: Callable[[Handle], Any] | None) -> Any:
    match part:
        case None:
            return change
        case Indices(_, indices):
            keep = np.zeros(change.shape[-1], dtype=bool)
            keep[list(indices)] = True
            return np.where(keep, change, 0)
        case Subspace(basis, columns, dual):
            if constant is None:
                raise TermError(f"The basis {basis} is not given.")
            span = np.asarray(constant(basis))[:, list(columns)]
            cospan = span if dual is None else np.asarray(constant(dual))[:, list(columns)]
            return change @ cospan @ span.T


def _no_noise(key: str, like: Any) -> Any:
    raise TermError(f"The noise {key!r} has no values in this model.", "", "Give it `noise`.")


def _as_it_is(readout: ReadOut, value: Any, reference: Any) -> Any:
    return value


def _unchanged(site: Site, value: Any, there: Base, here: Base) -> Any:
    return value


def _zeros(like: Any) -> Any:
    return like * 0


@dataclass(frozen=True, slots=True, eq=False)
class SCM:
    """A structural causal model on a mediator graph; values are of any type.

    Attributes:
        graph: The graph.
        mechanisms: For every node that is not an input, its function of the values of its slots,
            by slot name; the value of a CONCAT slot is a tuple.
        inputs: Input name to the values of input nodes, or a function (node, input name).
        constants: Handle to value, or a function.
        operations: Bodies of operations by name.
        noise: Values of noise: (key, value of the same type) for `Noise` terms, and (key, node
            name) for exogenous noise nodes, where the key is that of the world's `Base`.
        readouts: By name, functions of (read-out, value of its node, that in its reference world);
            a read-out that is not there gives the value itself.
        mix: (1 - P) below + P new for a view: (site, new, below); by default `array_mix`.
        align: What a value read in a world on another input is at a site: (site, value, base read
            in, base set in); by default unchanged.
        plus: The running sum of a stream: (sum so far, next); by default addition.
        zero: The zero of a value's type.
    """

    graph: MediatorGraph
    mechanisms: Mapping[str, Mechanism]
    inputs: Mapping[str, Mapping[str, Any]] | Callable[[str, str], Any]
    constants: Mapping[Handle, Any] | Callable[[Handle], Any] = field(default_factory=dict)
    operations: Mapping[str, Operation] = field(default_factory=lambda: OPERATIONS)
    noise: Callable[[str, Any], Any] = _no_noise
    readouts: Mapping[str, Callable[[ReadOut, Any, Any], Any]] = field(default_factory=dict)
    mix: Callable[[Site, Any, Any], Any] | None = None
    align: Callable[[Site, Any, Base, Base], Any] = _unchanged
    plus: Callable[[Any, Any], Any] = operator.add
    zero: Callable[[Any], Any] = _zeros

    def value(self, mediator: str, world: World) -> Any:
        """Return the value of a node or residual cut in a world."""
        return _Interpretation(self).value(self.graph.find(mediator).name, world)

    def scalar(self, scalar: Scalar) -> Any:
        """Return the value of a scalar; derivatives are taken by a complex step.

        A complex step (Squire and Trapp 1998) has no rounding error of a difference; mechanisms
        must accept complex numbers.
        """
        interpretation = _Interpretation(self)
        return evaluate_scalar(
            scalar, {leaf: interpretation.leaf(leaf) for leaf in leaves_of(scalar)}
        )

    def constant(self, handle: Handle) -> Any:
        """Return the value behind a handle.

        Raises:
            TermError: It was not given.
        """
        if callable(self.constants):
            return self.constants(handle)
        if handle not in self.constants:
            raise TermError(f"The constant {handle} is not bound.", "", "Give it in `constants`.")
        return self.constants[handle]

    def input(self, node: str, name: str) -> Any:
        """Return the value of an input node under an input.

        Raises:
            TermError: The input was not given.
        """
        if callable(self.inputs):
            return self.inputs(node, name)
        if name not in self.inputs or node not in self.inputs[name]:
            raise TermError(
                f"The input {name!r} gives {node} no value.", f"There are {', '.join(self.inputs)}."
            )
        return self.inputs[name][node]


class _Interpretation:
    """Values of one model, each computed once."""

    def __init__(self, model: SCM) -> None:
        self.model, self.graph = model, model.graph
        self.known: dict[tuple[str, World], Any] = {}
        self.layers: dict[World, tuple[Base, tuple[tuple[Assigned, ...], ...]]] = {}
        self.mix = model.mix or partial(array_mix, constant=model.constant)

    def leaf(self, leaf: Read | Grad) -> Any:
        match leaf:
            case Read(readout, world):
                value = self.value(self.graph.find(readout.node).name, world)
                reference = None
                if readout.reference is not None:
                    reference = self.value(readout.node, readout.reference)
                return self.model.readouts.get(readout.name, _as_it_is)(readout, value, reference)
            case Grad(Read(readout)):
                return np.imag(self.leaf(Read(readout, nudged(leaf)))) / _STEP

    def value(self, name: str, world: World) -> Any:
        """Return what a node or cut is in a world: its natural value, then the node layers."""
        key = (name, world)
        if key not in self.known:
            if name in {cut.name for cut in self.graph.cuts}:
                cut = self.graph.cut(name)
                slot = Slot(name, Merge.SUM, (), cut.stream, cut.writers_before)
                self.known[key] = self.summed(slot, None, world)
            else:
                natural = self.natural(self.graph.node(name), world)
                self.known[key] = self.folded(natural, world, partial(_sets_any, names={name}))
        return self.known[key]

    def natural(self, node: GraphNode, world: World) -> Any:
        """Return the node's mechanism at its slots, or what the input or noise key gives it."""
        name = node.mediator.name
        base = self.based(world)[0]
        if node.mediator.kind is Kind.NOISE:
            return self.model.noise(base.key or "", name)
        if not node.slots:
            # A node that reads nothing is an input, unless the model computes it (a bias).
            rule = self.model.mechanisms.get(name)
            return self.model.input(name, base.input) if rule is None else rule({})
        slots = {slot.name: self.slot(slot, slot.owner or name, world) for slot in node.slots}
        return self.model.mechanisms[name](slots)

    def slot(self, slot: Slot, receiver: str, world: World) -> Any:
        match slot.merge:
            case Merge.SUM:
                return self.summed(slot, receiver, world)
            case Merge.CONCAT:
                return tuple(self.sent(name, receiver, slot, world) for name in slot.parents)
            case Merge.PLAIN:
                return self.sent(slot.parents[0], receiver, slot, world)

    def summed(self, slot: Slot, receiver: str | None, world: World) -> Any:
        """Return the running sum of a slot, with the layers at cuts applied where they lie."""
        cuts: dict[int, set[str]] = {}
        for cut in self.graph.cuts:
            if slot.stream == cut.stream:
                cuts.setdefault(cut.writers_before, set()).add(cut.name)
        total: Any = None
        for count, name in enumerate(self.graph.senders(slot), start=1):
            term = self.sent(name, receiver, slot, world)
            total = term if total is None else self.model.plus(total, term)
            if count in cuts:
                total = self.folded(total, world, partial(_sets_any, names=cuts[count]))
        return total

    def sent(self, sender: str, receiver: str | None, slot: Slot, world: World) -> Any:
        """Return what a node sends into a slot: its value, then the edge layers."""
        value = self.value(sender, world)
        if receiver is None:
            return value

        chosen = partial(_is_edge, sender=sender, receiver=receiver, slot=slot.name)
        return self.folded(value, world, chosen)

    def folded(self, natural: Any, world: World, chosen: Callable[[Site], bool]) -> Any:
        base, layers = self.based(world)
        current = natural
        for layer in layers:
            below = current
            for site, value in layer:
                if chosen(site):
                    new = self.assigned(value, site, below, base)
                    # Sites of one layer are apart, so that their order does not matter.
                    current = self.placed(site, new, current)
        return current

    def placed(self, site: Site, new: Any, current: Any) -> Any:
        whole = not site.at and site.part is None
        return new if whole else self.mix(site, new, current)

    def assigned(self, value: Value, site: Site, below: Any, base: Base) -> Any:
        model = self.model
        match value:
            case Const(handle):
                return model.zero(below) if handle is None else model.constant(handle)
            case At(mediator, world):
                read = self.value(self.graph.find(mediator).name, world)
                return model.align(site, read, self.based(world)[0], base)
            case Self():
                return below
            case Noise(key):
                return model.noise(key, below)
            case Op(name, arguments, parameters):
                inside = tuple(self.assigned(part, site, below, base) for part in arguments)
                if name == NUDGE:
                    return inside[0] + 1j * _STEP * inside[1]
                if name not in model.operations:
                    raise TermError(
                        f"The operation {name!r} has no body in this model.",
                        f"There are {', '.join(model.operations)}.",
                    )
                return model.operations[name](inside, dict(parameters))
            case _:
                assert_never(value)

    def based(self, world: World) -> tuple[Base, tuple[tuple[Assigned, ...], ...]]:
        """Return a world's base and its layers, with canonical names."""
        if world not in self.layers:
            base, layers = layers_of(world)
            named = tuple(
                tuple((self.named(site), value) for site, value in layer) for layer in layers
            )
            self.layers[world] = (base, named)
        return self.layers[world]

    def named(self, site: Site) -> Site:
        find = self.graph.find
        match site:
            case Node(mediator, at, part):
                return Node(find(mediator).name, at, part)
            case Edge(sender, receiver, at, part, slot):
                return Edge(find(sender).name, find(receiver).name, at, part, slot)


def _sets_any(site: Site, names: set[str]) -> bool:
    return isinstance(site, Node) and site.mediator in names


def _is_edge(site: Site, sender: str, receiver: str, slot: str) -> bool:
    if not isinstance(site, Edge):
        return False
    same = (site.sender, site.receiver) == (sender, receiver)
    return same and site.slot in (None, slot)
