"""What every kind of claim has in common: an id, words, a threshold, what it runs."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self, TypeAlias

from pydantic import Field, model_validator

from causalnet.claims.spec import Names, Spec, Text, mistake
from causalnet.claims.task_spec import TaskSpec
from causalnet.statistics import Direction

__all__ = [
    "BEHAVIOUR",
    "EVERYTHING",
    "ONLY",
    "WHOLE_MODEL",
    "WITHOUT",
    "Bounded",
    "Calls",
    "CircuitField",
    "ClaimBase",
    "ExpectedVerdict",
    "Part",
    "check_range",
]

ExpectedVerdict = Literal["SUPPORTED", "REFUTED", "INCONCLUSIVE", "UNDEFINED"]

Part: TypeAlias = tuple[str, tuple[str, ...]]
"""The name of a run and the circuit that it is about, if any; equal runs are shared."""

EVERYTHING, ONLY, WITHOUT = "everything ablated", "only the circuit", "without the circuit"
"""The runs of circuits, by name."""

WHOLE_MODEL: Part = ("base", ())
"""The run that nothing is ablated in."""


@dataclass(frozen=True, slots=True)
class Calls:
    """Parts that are run beside the batches of test prompts: before them, or afterwards.

    Attributes:
        what: What is run, as `causalnet explain` says it.
        parts: What one call runs, `WHOLE_MODEL` where it is read too.
        prompts: On how many prompts; None for all finding prompts.
        fewest: How many such calls there are at least.
        most: How many at most.
    """

    what: str
    parts: tuple[Part, ...]
    prompts: int | None = None
    fewest: int = 1
    most: int = 1


BEHAVIOUR = "the behaviour, on the finding prompts"
"""What a tolerance may be a share of."""

CircuitField: TypeAlias = Annotated[
    Names | str | None,
    Field(
        examples=[["L20.H0", "L19.H2"]],
        description="For this claim alone: names, or a file of names; else the file's circuit.",
    ),
]


class ClaimBase(Spec):
    """What all claims have."""

    id: Annotated[
        str, Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    ] = Field(description="A short name, unique in the file.")
    statement: Text = Field(
        description="The claim in words, as a reader of the report should see it."
    )
    expected: ExpectedVerdict | None = Field(
        default=None,
        description=(
            "The verdict that the author expects: reports say where it is another, and no verdict "
            "depends on it."
        ),
    )

    quantity: ClassVar[str] = ""
    """The number that the claim is about, in a word or two."""

    if TYPE_CHECKING:  # every kind has both

        @property
        def threshold(self) -> float:
            """The number that the claim compares with."""

        @property
        def direction(self) -> Direction:
            """Whether the claim says at least, at most, or within."""

    about_circuit: ClassVar[bool] = True
    """Whether the claim is about a circuit, the file's or its own."""

    is_tested: ClassVar[bool] = True
    """Whether test prompts decide it; else whatever found the circuit may support it too."""

    exact_in_range: ClassVar[bool] = False
    """Whether the number is judged exactly where the file declares the read-out's range."""

    @model_validator(mode="before")
    @classmethod
    def _one_model(cls, given: Any) -> Any:
        if isinstance(given, dict) and "model" in given and "model" not in cls.model_fields:
            raise mistake(
                "model",
                "A claim names a model of its own.",
                "All claims of a file are about the file's model, so that their numbers belong "
                "together.",
                "Delete it here, or write the claims about the other model into a file of their "
                "own; `causalnet verify` takes several files.",
            )
        return given

    @property
    def number(self) -> str:
        """The number that the claim is about, as a convention in words."""
        raise NotImplementedError

    def is_rate(self, readout: str) -> bool:
        """Whether the number is a rate of yes and no, which is judged exactly."""
        return False

    @property
    def bound(self) -> str:
        """The threshold in words, such as `at least 0.8`."""
        band: tuple[float, float] | None = getattr(self, "within", None)
        if band is not None:
            return f"within {band[0]:g} and {band[1]:g}"
        return f"{self.direction.replace('_', ' ')} {self.threshold:g}"

    @property
    def own_circuit(self) -> tuple[str, ...] | str | None:
        """The claim's own circuit, if it names one."""
        return getattr(self, "circuit", None)

    @property
    def reads_model(self) -> bool:
        """Whether the whole model is read on each batch of test prompts."""
        return True

    @property
    def control_tasks(self) -> tuple[TaskSpec, ...]:
        """Other tasks whose prompts are run too."""
        return ()

    def parts(self, circuit: tuple[str, ...]) -> tuple[Part, ...]:
        """Return the runs that each batch of test prompts needs beside the whole model's."""
        return ()

    def besides(
        self, circuit: tuple[str, ...], universe: tuple[str, ...], n: int
    ) -> tuple[Calls, ...]:
        """Return what is run beside the batches of test prompts, such as a search before them.

        Args:
            circuit: The claim's circuit.
            universe: All that can be ablated.
            n: How many test prompts there are at most.
        """
        return ()


class Bounded(ClaimBase):
    """A claim that a number is at least, or at most, a threshold, or within a band."""

    at_least: float | None = Field(
        default=None, examples=[0.8], description="The claim: the number is at least this."
    )
    at_most: float | None = Field(
        default=None, examples=[0.2], description="The claim: the number is at most this."
    )
    within: Annotated[tuple[float, float], Field(strict=False)] | None = Field(
        default=None,
        examples=[[0.9, 1.1]],
        description="The claim: the number is at least the first and at most the second "
        "(equivalence, by two one-sided tests).",
    )
    margin: Annotated[float, Field(gt=0.0)] | None = Field(
        default=None,
        examples=[0.02],
        description="Around a threshold, differences too small to matter: once the number is known "
        "to be that near, the claim ends INCONCLUSIVE, for more prompts would decide nothing that "
        "matters.",
    )

    _RANGE: ClassVar[tuple[float, float] | None] = None

    @model_validator(mode="after")
    def _one_threshold(self) -> Self:
        given = [key for key in ("at_least", "at_most", "within") if getattr(self, key) is not None]
        if len(given) > 1:
            raise mistake(
                given[1],
                f"Both {given[0]!r} and {given[1]!r}.",
                "A claim has one threshold, or one band.",
                "Write 'within: [0.9, 1.1]' for a band, else two claims.",
            )
        if not given:
            raise mistake(
                "", "Missing key 'at_least' or 'at_most'.",
                "A claim has a threshold, or a band ('within').",
                "Write for example 'at_least: 0.8'.",
            )  # fmt: skip
        for bound in self.within or (self.threshold,):
            check_range(self._RANGE, given[0], bound)
        self._check_band()
        return self

    def _check_band(self) -> None:
        if self.within is None:
            return
        low, high = self.within
        if low >= high:
            raise mistake(
                "within",
                f"The band [{low:g}, {high:g}] contradicts itself.",
                "Its first end lies below its second.",
                f"Write 'within: [{high:g}, {low:g}]'."
                if low > high
                else "Write for example 'within: [0.9, 1.1]'.",
            )
        if self.margin is not None and 2 * self.margin >= high - low:
            raise mistake(
                "margin",
                f"The margin {self.margin:g} leaves nothing of the band [{low:g}, {high:g}].",
                "It is below half of the band's width.",
                f"Write for example 'margin: {(high - low) / 10:g}'.",
            )

    @property
    def threshold(self) -> float:
        """The number that the claim compares with; of a band its lower end."""
        value = self.at_least if self.at_least is not None else self.at_most
        if value is None:
            assert self.within is not None  # _one_threshold
            return self.within[0]
        return value

    @property
    def direction(self) -> Direction:
        """Whether the claim says at least, at most, or within."""
        if self.within is not None:
            return "within"
        return "at_least" if self.at_least is not None else "at_most"


def check_range(bounds: tuple[float, float] | None, key: str, value: float) -> None:
    """Refuse a threshold outside the range of its number; raises a schema error."""
    if bounds is not None and not bounds[0] <= value <= bounds[1]:
        percent = 10 <= value <= 100
        inside = value / 100 if percent else min(max(value, bounds[0]), bounds[1])
        name = key.rsplit(".", 1)[-1]
        raise mistake(
            key,
            f"The threshold {value:g} is outside its range.",
            f"It lies between {bounds[0]:g} and {bounds[1]:g}.",
            f"Write '{name}: {inside:g}' if you mean {value:g} %."
            if percent
            else f"The nearest that can be claimed is '{name}: {inside:g}'.",
        )
