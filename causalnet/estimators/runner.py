"""How screens and races run leaves: on some of the prompts, in some number format.

An executor enters as one function, a `Runner`, so that they are the same for all of them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

import torch
from torch import Tensor

from causalnet.errors import ParameterError
from causalnet.execute import Answers, Bindings, Padding
from causalnet.execute.run_leaves import run_leaves
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
from causalnet.lift import LiftedNetwork

__all__ = ["Runner", "default_runner"]

Runner: TypeAlias = Callable[
    [Sequence[Leaf], Sequence[int] | None, torch.dtype | None], Mapping[Leaf, Tensor]
]
"""Takes leaves, the prompts they are wanted on (None: all, in order) and the number format to
compute in (None: the network's own); returns the values of the leaves, [n] each."""


def default_runner(
    net: LiftedNetwork, bindings: Bindings, *, batch_size: int = 16, padding: Padding = "right"
) -> Runner:
    """Return the runner that uses `run_leaves`, in whatever number format is asked for.

    Args:
        net: The lifted network.
        bindings: Prompts, answers and constants.
        batch_size: Prompts in a batch.
        padding: The side on which shorter prompts are filled, where hooks are used.
    """

    def run(
        leaves: Sequence[Leaf], prompts: Sequence[int] | None, dtype: torch.dtype | None
    ) -> Mapping[Leaf, Tensor]:
        if dtype is not None and any(isinstance(leaf, Grad) for leaf in leaves):
            raise ParameterError(
                f"A derivative in {str(dtype).removeprefix('torch.')}.",
                "Read-outs can be run in a reduced format, derivatives in the network's own.",
                "Rank the query of patched read-outs that it approximates.",
            )
        chosen = bindings if prompts is None else _some(bindings, prompts, leaves)
        return run_leaves(
            leaves, net, chosen, batch_size=batch_size, padding=padding, dtype=dtype
        ).values

    return run


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
