"""What terms about a lifted module leave open: its inputs, answers and constants."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from causalnet.errors import TermError
from causalnet.execute.bindings import Answers, Bindings, Constant
from causalnet.interventions import Handle, Position
from causalnet.lift.modules import ExampleInputs, LiftedModule
from causalnet.lift.modules.arguments import read_arguments

__all__ = ["Examples", "ModuleBindings"]


@dataclass(frozen=True, slots=True, eq=False)
class Examples:
    """The tensors behind one input of a term: images, feature vectors, token ids.

    Attributes:
        tensors: The module's arguments by name, [n, ...] each.
        positions: Named positions along axes of positions, an index for each row.
    """

    tensors: Mapping[str, Tensor]
    positions: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(next(iter(self.tensors.values())))

    def columns(self, at: Position, size: int, rows: Sequence[int]) -> Tensor:
        """Return the index of a position along an axis in some rows, [B].

        An index counts from the end where it is negative; `end` is the last one unless it is
        named otherwise.

        Raises:
            TermError: A position that there is not.
        """
        if isinstance(at, str) and at not in self.positions and at != "end":
            known = ", ".join(sorted({*self.positions, "end"}))
            raise TermError(
                f"There is no position {at!r}.",
                f"Named are {known}; an index is one of 0..{size - 1}.",
                "Name it in Examples(positions=...).",
            )
        if isinstance(at, str) and at in self.positions:
            found = [self.positions[at][row] for row in rows]
        else:
            found = [-1 if isinstance(at, str) else at] * len(rows)
        wrong = [index for index in found if not -size <= index < size]
        if wrong:
            raise TermError(f"There is no position {wrong[0]}.", f"They are 0..{size - 1}.")
        return torch.tensor([index % size for index in found])


@dataclass(frozen=True, slots=True, eq=False)
class ModuleBindings:
    """Everything that a term about a module needs to be executed.

    Attributes:
        inputs: Examples by the name of their input, all with the same number of rows.
        answers: The classes that read-outs score, under the name `answers`.
        constants: Tensors by handle: `Pooled` is one value for every row, and `Matrix` is what
            views and operations name.
        other_answers: Further sets of answers, by the names under which read-outs score them.

    Raises:
        TermError: Inputs and answers with different numbers of rows.
    """

    inputs: Mapping[str, Examples]
    answers: Answers
    constants: Mapping[Handle, Constant] = field(default_factory=dict)
    other_answers: Mapping[str, Answers] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse inputs that are not paired."""
        counts = {name: len(examples) for name, examples in self.inputs.items()}
        if set(counts.values()) != {len(self)} or not len(self):
            told = ", ".join(f"{name} has {count}" for name, count in counts.items())
            raise TermError(
                f"There are {len(self)} rows of answers, and of inputs: {told or 'none'}.",
                "Worlds are compared row by row, of which there is at least one.",
                "Give every input and the answers equally many rows.",
            )

    @classmethod
    def of(
        cls,
        net: LiftedModule,
        base: ExampleInputs,
        source: ExampleInputs | None = None,
        *,
        answers: Sequence[int],
        foils: Sequence[int] = (),
        constants: Mapping[Handle, Constant] | None = None,
    ) -> "ModuleBindings":
        """Return the bindings of inputs `base` and `source`, with one class right in each row.

        Args:
            net: The lifted module.
            base: What the module is called with: a tensor, a tuple or a mapping, [n, ...] each.
            source: The same for `source`; None where no world reads it.
            answers: The class that is the answer of each row.
            foils: The class that it is compared with, for logit differences.
            constants: Tensors by handle.

        Raises:
            LiftError: What the module cannot be called with.
            TermError: Other tensors than it was lifted with, or another number of rows.
        """
        inputs = {}
        for name, given in (("base", base), ("source", source)):
            if given is not None:
                tensors = read_arguments(net.module, given, least=1)[1]
                net.parts.arguments.check(tensors)
                inputs[name] = Examples(tensors)
        right = tuple((int(label),) for label in answers)
        wrong = tuple((int(label),) for label in foils) or ((),) * len(right)
        if len(wrong) != len(right):
            raise TermError(
                f"There are {len(right)} answers and {len(wrong)} foils.",
                "Each row has an answer, and a foil where logit differences are read.",
            )
        return cls(inputs, Answers(right, wrong, "mean"), dict(constants or {}))

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.answers.answers)

    @property
    def of_terms(self) -> Bindings:
        """The answers and constants, without the inputs."""
        return Bindings({}, self.answers, self.constants, self.other_answers)

    def examples(self, name: str) -> Examples:
        """Return the examples of an input.

        Raises:
            TermError: The input was not bound.
        """
        if name not in self.inputs:
            raise TermError(
                f"The input {name!r} is not bound.",
                f"Bound are {', '.join(self.inputs)}.",
                "Give it in ModuleBindings.",
            )
        return self.inputs[name]
