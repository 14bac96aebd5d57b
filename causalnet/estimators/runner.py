"""How screens and races run leaves: on some of the prompts, in some number format.

An executor enters as one function, a `Runner`, so that they are the same for all of them.
"""

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

import torch
from torch import Tensor

from causalnet.errors import ParameterError
from causalnet.execute import Answers, Bindings, Padding, evaluate
from causalnet.interventions import (
    Grad,
    Leaf,
    Noise,
    Op,
    Value,
    World,
    layers_of,
    with_those_read,
)
from causalnet.lift import LiftedNetwork, lift
from causalnet.models import LanguageModel

__all__ = ["Runner", "hook_runner", "lowered"]

Runner: TypeAlias = Callable[
    [Sequence[Leaf], Sequence[int] | None, torch.dtype | None], Mapping[Leaf, Tensor]
]
"""Takes leaves, the prompts they are wanted on (None: all, in order) and the number format to
compute in (None: the network's own); returns the values of the leaves, [n] each."""


def hook_runner(
    net: LiftedNetwork, bindings: Bindings, *, batch_size: int = 16, padding: Padding = "right"
) -> Runner:
    """Return the runner that uses the hook executor, and copies of the model in other formats.

    Args:
        net: The lifted network.
        bindings: Prompts, answers and constants.
        batch_size: Prompts in a batch.
        padding: The side on which shorter prompts are filled.
    """
    nets: dict[torch.dtype, LiftedNetwork] = {net.model.dtype: net}

    def run(
        leaves: Sequence[Leaf], prompts: Sequence[int] | None, dtype: torch.dtype | None
    ) -> Mapping[Leaf, Tensor]:
        wanted = net.model.dtype if dtype is None else dtype
        if wanted not in nets:
            nets[wanted] = lowered(net, wanted)
        chosen = bindings if prompts is None else _some(bindings, prompts, leaves)
        return evaluate(leaves, nets[wanted], chosen, batch_size=batch_size, padding=padding).values

    return run


def lowered(net: LiftedNetwork, dtype: torch.dtype) -> LiftedNetwork:
    """Return a copy of a network whose weights are rounded to a number format, lifted anew.

    Buffers, such as rotary frequencies, are kept as they are, as loading a model in that format
    does.

    Raises:
        LiftError: The copy's parts do not rebuild it.
    """
    module = copy.deepcopy(net.model.module)
    for parameter in module.parameters():
        parameter.data = parameter.data.to(dtype)
    model = net.model
    name = str(dtype).removeprefix("torch.")
    return lift(
        LanguageModel(
            module,
            model.tokenizer,
            model.declared,
            lambda: replace(model.provenance, dtype=name),
        )
    )


def _some(bindings: Bindings, prompts: Sequence[int], leaves: Sequence[Leaf]) -> Bindings:
    """Return the bindings of some prompts.

    Raises:
        ParameterError: A leaf that draws noise, which goes by the number of a prompt.
    """
    if len(prompts) < len(bindings) and any(map(_draws_noise, leaves)):
        raise ParameterError(
            "A row draws noise, and only some of the prompts are asked for.",
            "A draw belongs to the number of a prompt, so that noise is run on all of them.",
            "Run the query with cn.run, or set mediators to something else.",
        )
    return replace(
        bindings,
        inputs={name: rows.rows(prompts) for name, rows in bindings.inputs.items()},
        answers=_some_answers(bindings.answers, prompts),
        other_answers={
            name: _some_answers(answers, prompts)
            for name, answers in bindings.other_answers.items()
        },
    )


def _some_answers(answers: Answers, prompts: Sequence[int]) -> Answers:
    return replace(
        answers,
        answers=tuple(answers.answers[row] for row in prompts),
        foils=tuple(answers.foils[row] for row in prompts),
    )


def _draws_noise(leaf: Leaf) -> bool:
    read = leaf.read if isinstance(leaf, Grad) else leaf
    worlds: dict[World, None] = {}
    for world in (read.world, read.readout.reference):
        if world is not None:
            for inner in with_those_read(world, worlds):
                worlds[inner] = None
    values: list[Value] = [
        value for world in worlds for layer in layers_of(world)[1] for _, value in layer
    ]
    values += [leaf.along] if isinstance(leaf, Grad) else []
    while values:
        match values.pop():
            case Noise():
                return True
            case Op() as operation:
                values.extend(operation.arguments)
    return False
