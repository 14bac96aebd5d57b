"""What interchanges depend on, as JSON values, so that they can be kept and found again."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from numpy.typing import NDArray

from causalnet.execute import Bindings, Matrix
from causalnet.interventions import Read

__all__ = ["Recall", "program_of", "prompts_of"]

Recall: TypeAlias = Callable[
    [object, object, Callable[[], tuple[Mapping[str, NDArray[Any]], int]]],
    Mapping[str, NDArray[Any]],
]
"""Gives the arrays of a program on prompts, both JSON values; runs what it does not know, which
gives arrays and the forwards that they took."""


def program_of(reads: Sequence[Read], bound: Bindings, executor: str) -> object:
    """Return what is read, in which worlds, with which constants.

    Args:
        reads: What is read, in order.
        bound: What the worlds are bound to.
        executor: What runs them.
    """
    constants = {str(handle): _digest(constant) for handle, constant in bound.constants.items()}
    return [
        "interchanges/v1",
        executor,
        [[read.readout.digest.hex(), str(read.world)] for read in reads],
        constants,
    ]


def _digest(constant: object) -> str:
    if not isinstance(constant, Matrix):
        return str(constant)
    values = constant.values.detach().cpu().double().contiguous()
    return hashlib.sha256(str(tuple(values.shape)).encode() + values.numpy().tobytes()).hexdigest()


def prompts_of(bound: Bindings) -> object:
    """Return what is read of the prompts: ids, named positions, answers.

    Args:
        bound: What the worlds are bound to.
    """
    inputs = {
        name: [prompts.ids, {place: list(rows) for place, rows in prompts.positions.items()}]
        for name, prompts in bound.inputs.items()
    }
    named = {"answers": bound.answers, **bound.other_answers}
    answers = {name: [own.answers, own.foils, own.reduction] for name, own in named.items()}
    return {"inputs": inputs, "answers": answers, "numbers": bound.numbers}
