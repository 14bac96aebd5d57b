"""What terms leave open: the prompts behind inputs and the tensors behind constants."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

import torch
from torch import Tensor

from causalnet.errors import AlignmentError, InternalError, TermError
from causalnet.execute.batch import TokenBatch
from causalnet.execute.devices import is_accelerator, on_device
from causalnet.interventions import Handle
from causalnet.tasks import PromptPairs, Prompts

__all__ = [
    "Answers",
    "Bindings",
    "Constant",
    "Matrix",
    "PerPosition",
    "Pooled",
    "check_is_value",
    "constant_rows",
    "moved_constants",
]


@dataclass(frozen=True, slots=True, eq=False)
class Pooled:
    """One vector for every prompt and position.

    Attributes:
        vector: [d].
    """

    vector: Tensor


@dataclass(frozen=True, slots=True, eq=False)
class PerPosition:
    """A vector for each position of each template.

    Attributes:
        by_template: Template key to values, [T, d]; of attention patterns [T, T].
    """

    by_template: Mapping[str, Tensor]


@dataclass(frozen=True, slots=True, eq=False)
class Matrix:
    """What views and operations name: a basis [d, k], an encoder [d, k], a bias [k].

    Attributes:
        values: The tensor, of any shape.
    """

    values: Tensor


Constant: TypeAlias = Pooled | PerPosition | Matrix


@dataclass(frozen=True, slots=True)
class Answers:
    """The token sets that read-outs score, a row for each prompt.

    Attributes:
        answers: Token ids of the right answers.
        foils: Token ids of the wrong ones.
        reduction: How the logits of a set become one number: `mean` or `logsumexp`.
    """

    answers: tuple[tuple[int, ...], ...]
    foils: tuple[tuple[int, ...], ...]
    reduction: str


@dataclass(frozen=True, slots=True)
class Bindings:
    """Everything that a term needs to be executed.

    Attributes:
        inputs: Prompts by the name of their input, all with the same number of rows.
        answers: What read-outs score, under the name `answers`.
        constants: Tensors by handle.
        other_answers: Further sets of answers, by the names under which read-outs score them.
        numbers: The number of each row, which decides its noise; none means 0, 1, 2, ...
    """

    inputs: Mapping[str, Prompts]
    answers: Answers
    constants: Mapping[Handle, Constant] = field(default_factory=dict)
    other_answers: Mapping[str, Answers] = field(default_factory=dict)
    numbers: tuple[int, ...] = ()

    @classmethod
    def of(
        cls, pairs: PromptPairs, constants: Mapping[Handle, Constant] | None = None
    ) -> "Bindings":
        """Return the bindings of prompt pairs: inputs `base` and `source`, and their answers.

        A pair keeps its number in every subset, and so its noise.
        """
        answers = Answers(pairs.answers, pairs.foils, pairs.reduction)
        return cls(
            {"base": pairs.base, "source": pairs.source},
            answers,
            dict(constants or {}),
            numbers=pairs.record.rows or (),
        )

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.answers.answers)

    def numbered(self, rows: Sequence[int]) -> Sequence[int]:
        """Return the numbers of some rows."""
        return [self.numbers[row] for row in rows] if self.numbers else rows

    def prompts(self, name: str) -> Prompts:
        """Return the prompts of an input.

        Raises:
            TermError: The input was not bound.
        """
        if name not in self.inputs:
            raise TermError(
                f"The input {name!r} is not bound.", f"Bound are {', '.join(self.inputs)}."
            )
        return self.inputs[name]

    def answers_named(self, name: str) -> Answers:
        """Return a set of answers by the name under which read-outs score it.

        Raises:
            TermError: The name was not bound.
        """
        named = {"answers": self.answers, **self.other_answers}
        if name not in named:
            raise TermError(
                f"The answers {name!r} are not bound.", f"Bound are {', '.join(named)}."
            )
        return named[name]

    def tensor(self, handle: Handle) -> Tensor:
        """Return what a view or an operation names.

        Raises:
            TermError: It was not bound, or to a value for each position.
        """
        match self.constant(handle):
            case Pooled(vector):
                return vector
            case Matrix(values):
                return values
            case PerPosition():
                raise TermError(
                    f"The constant {handle.label!r} has a value for each position.",
                    "Views and operations take one tensor.",
                )

    def constant(self, handle: Handle) -> Constant:
        """Return the constant of a handle.

        Raises:
            TermError: It was not bound.
        """
        if handle not in self.constants:
            raise TermError(
                f"The constant {handle.label!r} is not bound.",
                "",
                "Pass it in `vectors` of cn.run.",
            )
        return self.constants[handle]


def moved_constants(bindings: Bindings, device: torch.device, dtype: torch.dtype) -> Bindings:
    """Return bindings whose constants lie on an accelerator in the type that is computed in.

    Each is moved once there instead of at every use; for a CPU the bindings stay as they are.
    """
    if not is_accelerator(device):
        return bindings

    def moved(value: Tensor) -> Tensor:
        return on_device(value.to(dtype) if value.is_floating_point() else value, device)

    constants: dict[Handle, Constant] = {}
    for handle, constant in bindings.constants.items():
        match constant:
            case Pooled(vector):
                constants[handle] = Pooled(moved(vector))
            case Matrix(values):
                constants[handle] = Matrix(moved(values))
            case PerPosition(by_template):
                there = {template: moved(values) for template, values in by_template.items()}
                constants[handle] = PerPosition(there)
    return replace(bindings, constants=constants)


def constant_rows(
    constant: Constant, batch: TokenBatch, like: Tensor, attended: bool = False
) -> Tensor:
    """Return a constant as values for a batch, [B, T, d] or broadcastable to it.

    Args:
        constant: The constant.
        batch: The prompts it is set in.
        like: The value that it replaces, [B, T, d].
        attended: Whether the last axis is tokens that are attended to.

    Raises:
        AlignmentError: A prompt whose template has no reference, or is longer than it.
        TermError: A vector of another width, one for an attention pattern, or a matrix.
    """
    check_is_value(constant, attended)
    match constant:
        case Pooled(vector):
            _check_width(vector, like)
            return vector.to(like)
        case PerPosition(by_template):
            return _by_position(by_template, batch, like, attended)
        case Matrix():
            raise InternalError("A matrix was taken for a value.")


def check_is_value(constant: Constant, attended: bool) -> None:
    """Check that a constant can be a value.

    Args:
        constant: The constant.
        attended: Whether the last axis of the value is tokens that are attended to.

    Raises:
        TermError: One vector for an attention pattern, or a matrix.
    """
    match constant:
        case Pooled() if attended:
            raise TermError(
                "One vector was given for an attention pattern.",
                "Its entries are tokens, which differ from prompt to prompt.",
                "Write an operation: mask_pattern, redirect or uniform_pattern.",
            )
        case Matrix(values):
            raise TermError(
                f"A matrix {list(values.shape)} was given as a value.",
                "A value is one vector, or one for each position.",
                "Bind it as Pooled or PerPosition.",
            )
        case _:
            pass


def _by_position(
    by_template: Mapping[str, Tensor], batch: TokenBatch, like: Tensor, attended: bool
) -> Tensor:
    filled = torch.zeros_like(like)
    for row, (template, ids) in enumerate(
        zip(batch.prompts.templates, batch.prompts.ids, strict=True)
    ):
        values = by_template.get(template)
        if values is None or len(values) < len(ids):
            raise AlignmentError(
                f"Prompt {batch.prompts.texts[row]!r} has no mean at every position.",
                "A mean per position needs reference prompts of the same template and length.",
                "Use the pooled mean, or a reference set with this template.",
            )
        tokens = slice(batch.starts[row], batch.starts[row] + len(ids))
        if attended:
            filled[row, tokens, tokens] = values[: len(ids), : len(ids)].to(like)
        else:
            _check_width(values, like)
            filled[row, tokens] = values[: len(ids)].to(like)
    return filled


def _check_width(values: Tensor, like: Tensor) -> None:
    if values.shape[-1] != like.shape[-1]:
        raise TermError(
            f"A constant of width {values.shape[-1]} was given.",
            f"The value that it replaces is {like.shape[-1]} wide.",
        )
