"""What a world means: a network of functions, interpreted node by node, world by world.

A model gives every node a function of its parents' values; a node without a function is an input.
The value of a node in a world is its natural value (its function of its parents in that world),
with the layers of the world that set the node applied on top, the bottom one first.
"""

from collections.abc import Callable, Mapping
from typing import TypeAlias, assert_never

from causalnet.interventions import At, Const, Contrast, Handle, Op, Self, Value, World, layers_of

Get: TypeAlias = Callable[[str], float]
Model: TypeAlias = Mapping[str, Callable[[Get], float]]
Inputs: TypeAlias = Mapping[str, Mapping[str, float]]


def value_of(
    node: str,
    world: World,
    model: Model,
    inputs: Inputs,
    constants: Mapping[Handle, float] | None = None,
) -> float:
    """The value of a node in a world."""
    bound = constants or {}
    base, layers = layers_of(world)

    def evaluate(value: Value, below: float) -> float:
        match value:
            case Const(handle):
                return 0.0 if handle is None else bound[handle]
            case At(mediator, other):
                return value_of(mediator, other, model, inputs, bound)
            case Self():
                return below
            case Op("add", arguments, parameters):
                first, second = (evaluate(argument, below) for argument in arguments)
                return first + dict(parameters).get("factor", 1.0) * second
            case Op():
                raise NotImplementedError(value.name)
            case _:
                assert_never(value)

    if node in model:
        current = model[node](lambda parent: value_of(parent, world, model, inputs, bound))
    else:
        current = inputs[base.input][node]
    for layer in layers:
        for site, value in layer:
            if site.mediator == node:
                current = evaluate(value, current)
    return current


def effect(
    contrast: Contrast,
    outcome: str,
    model: Model,
    inputs: Inputs,
    constants: Mapping[Handle, float] | None = None,
) -> float:
    """The value of a contrast when every read-out reads one node."""
    return sum(
        weight * value_of(outcome, read.world, model, inputs, constants)
        for weight, read in contrast.terms
    )
