"""Claims that a circuit serves its task more than other tasks."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from causalnet.claims.kinds.base import EVERYTHING, WITHOUT, CircuitField, ClaimBase, Part
from causalnet.claims.spec import mistake
from causalnet.claims.task_spec import TaskSpec
from causalnet.statistics import Direction

__all__ = ["ControlledClaim", "SelectiveClaim", "SpecificClaim", "check_controls"]


class ControlledClaim(ClaimBase):
    """A comparison of the circuit's necessity for its task with that for control tasks.

    The necessity of a circuit for a task is G = (M - K) / (M - E), K with the circuit ablated: each
    task is measured in shares of its own behaviour, so that read-outs of other sizes compare.
    """

    circuit: CircuitField = None
    controls: Annotated[tuple[TaskSpec, ...], Field(strict=False, min_length=1)] = Field(
        description="The control tasks, with their own prompts; the claim is about each of them."
    )
    at_least: float = Field(examples=[3.0], description="The claim: the number is at least this.")

    exact_in_range: ClassVar[bool] = True

    @property
    def threshold(self) -> float:
        """The number that the claim compares with."""
        return self.at_least

    @property
    def direction(self) -> Direction:
        """The number is claimed to be at least so large."""
        return "at_least"

    def parts(self, circuit: tuple[str, ...]) -> tuple[Part, ...]:
        """Return everything ablated and the circuit ablated; each control runs as much."""
        return ((EVERYTHING, ()), (WITHOUT, circuit))

    @property
    def control_tasks(self) -> tuple[TaskSpec, ...]:
        """The control tasks."""
        return self.controls


class SpecificClaim(ControlledClaim):
    """The circuit is needed so many times more for its task than for any control task."""

    kind: Literal["specific"] = Field(
        description="Necessity for the task is at least so many times that for each control task."
    )

    quantity: ClassVar[str] = "necessity for the task over that for a control"

    @property
    def number(self) -> str:
        """The number in words."""
        return (
            "least, over control tasks, of G of the task / |G of the control|, with "
            "G = (model - circuit knocked out) / (model - everything ablated), of means, each task "
            "on its own prompts"
        )


class SelectiveClaim(ControlledClaim):
    """The circuit is needed for its task by so much more than for any control task."""

    kind: Literal["selective"] = Field(
        description="Necessity for the task exceeds that for each control task by at least so much."
    )

    quantity: ClassVar[str] = "necessity for the task less that for a control"

    @property
    def number(self) -> str:
        """The number in words."""
        return (
            "least, over control tasks, of G of the task - |G of the control|, with "
            "G = (model - circuit knocked out) / (model - everything ablated), of means, each task "
            "on its own prompts"
        )


def check_controls(index: int, controls: tuple[TaskSpec, ...], task: TaskSpec) -> None:
    """Refuse a control that is the task itself; raises a schema error.

    Args:
        index: The claim's place in the file.
        controls: Its control tasks.
        task: The file's task.
    """
    for place, control in enumerate(controls):
        same = control.model_copy(update={"n": None, "seed": None})
        if same == task.model_copy(update={"n": None, "seed": None}):
            raise mistake(
                f"claims.{index}.controls.{place}",
                "The control task is the task itself.",
                "A control is another task that the model does.",
                "Write for example '{name: successor, n: 64, seed: 1}'.",
            )
