"""Under which other conventions a claim's numbers are measured again, as a claim file says it."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Annotated, Literal, Self, TypeAlias

from pydantic import Field, model_validator

from causalnet.claims.spec import Count, Spec, Text, mistake
from causalnet.interventions import Direction as RunDirection

__all__ = ["Convention", "ConventionSpec", "GridAblation", "RobustnessSpec"]

GridAblation: TypeAlias = Literal["counterfactual", "resample", "mean_per_position", "mean", "zero"]
"""The ablations of the grid: those that need no settings of their own."""

_ABLATIONS: tuple[GridAblation, ...] = (
    "counterfactual", "resample", "mean_per_position", "mean", "zero",
)  # fmt: skip
_OF_A_RUN = ("counterfactual", "resample")
_OF_A_REFERENCE = ("resample", "mean_per_position", "mean")


@dataclass(frozen=True, slots=True)
class Convention:
    """One way to ablate: what is put in, into which run, from how many reference prompts.

    Attributes:
        ablation: Its kind.
        direction: `noising` or `denoising`.
        reference: How many prompts the reference set has; None where there is none.

    >>> print(Convention("resample", "denoising", 64))
    resample denoising (64)
    >>> print(Convention("zero", "noising", None))
    zero
    """

    ablation: str
    direction: RunDirection
    reference: int | None = None

    def __str__(self) -> str:
        """Return the name; the direction is said where there are two."""
        said = f" {self.direction}" if self.ablation in _OF_A_RUN else ""
        size = "" if self.reference is None else f" ({self.reference})"
        return f"{self.ablation}{said}{size}"


class ConventionSpec(Spec):
    """Conventions of the grid; what is left out means every one.

    >>> spec = ConventionSpec(ablation="mean")
    >>> [str(one) for one in spec.expanded((16, 64))]
    ['mean (16)', 'mean (64)']
    >>> spec.selects(Convention("mean", "noising", 64))
    True
    """

    ablation: GridAblation = Field(description="What is put in where nothing is kept.")
    direction: RunDirection | None = Field(
        default=None,
        examples=["noising"],
        description="`noising`, or `denoising` where values are those of a run; else both.",
    )
    reference: Count | None = Field(
        default=None,
        examples=[64],
        description="How many prompts the reference set has; else every size of the grid.",
    )

    @model_validator(mode="after")
    def _can_be(self) -> Self:
        if self.direction == "denoising" and self.ablation not in _OF_A_RUN:
            raise mistake(
                "direction",
                f"Denoising with the ablation {self.ablation!r}.",
                f"Values of a run are put in by {' and '.join(_OF_A_RUN)}.",
                "Delete 'direction'.",
            )
        if self.reference is not None and self.ablation not in _OF_A_REFERENCE:
            raise mistake(
                "reference",
                f"A reference size for the ablation {self.ablation!r}.",
                f"Those that have a reference set are {', '.join(_OF_A_REFERENCE)}.",
                "Delete 'reference'.",
            )
        return self

    def expanded(self, sizes: tuple[int, ...]) -> Iterator[Convention]:
        """Yield the conventions that are meant, with these reference sizes where none is named."""
        both: tuple[RunDirection, ...] = (
            ("noising", "denoising") if self.ablation in _OF_A_RUN else ("noising",)
        )
        directions = both if self.direction is None else (self.direction,)
        if self.ablation not in _OF_A_REFERENCE:
            references: tuple[int | None, ...] = (None,)
        else:
            references = sizes if self.reference is None else (self.reference,)
        for direction, reference in product(directions, references):
            yield Convention(self.ablation, direction, reference)

    def selects(self, convention: Convention) -> bool:
        """Return whether a convention is one of those that are meant."""
        return (
            convention.ablation == self.ablation
            and self.direction in (None, convention.direction)
            and self.reference in (None, convention.reference)
        )

    def __str__(self) -> str:
        """Return the conventions in words."""
        size = "" if self.reference is None else f" ({self.reference})"
        return " ".join(filter(None, (self.ablation, self.direction))) + size


class RobustnessSpec(Spec):
    """The grid of conventions in which every circuit claim is measured again, at small n."""

    prompts: Annotated[int, Field(ge=2, le=10_000)] = Field(
        default=16, description="On how many of the test prompts, the first ones."
    )
    reference_sizes: Annotated[
        tuple[Annotated[int, Field(ge=1, le=100_000)], ...], Field(strict=False, min_length=1)
    ] = Field(
        default=(16, 64),
        description="How many prompts the reference sets have, of ablations that need one.",
    )
    conventions: Annotated[tuple[ConventionSpec, ...], Field(strict=False, min_length=1)] | None = (
        Field(
            default=None,
            description=(
                "Which conventions; else counterfactual, resample, mean_per_position, mean and "
                "zero, noising, and denoising where values are those of a run."
            ),
        )
    )
    skip: bool = Field(default=False, description="Measure no other convention; `reason` says why.")
    reason: Text | None = Field(
        default=None, description="For `skip`: why, as a reader of the report should see it."
    )

    @model_validator(mode="after")
    def _reason_where_skipped(self) -> Self:
        if self.skip and self.reason is None:
            raise mistake(
                "skip",
                "The grid of conventions is skipped without a reason.",
                "A faithfulness that was measured under one convention alone may hold under no "
                "other; a reader should see why that was not looked at.",
                "Write for example 'reason: the reference prompts are not at hand'.",
            )
        if self.reason is not None and not self.skip:
            raise mistake(
                "reason",
                "A reason for skipping, and nothing is skipped.",
                "It stands beside 'skip: true'.",
                "Delete 'reason', or write 'skip: true'.",
            )
        for index, size in enumerate(self.reference_sizes):
            if size in self.reference_sizes[:index]:
                raise mistake(
                    f"reference_sizes.{index}",
                    f"The reference size {size} is given twice.",
                    "Sizes are unique.",
                    "Delete one of the two.",
                )
        return self

    def planned(self) -> tuple[Convention, ...]:
        """Return the conventions, each once, in order.

        >>> len(RobustnessSpec().planned()), str(RobustnessSpec().planned()[0])
        (11, 'counterfactual noising')
        """
        if self.skip:
            return ()
        asked = self.conventions or tuple(ConventionSpec(ablation=one) for one in _ABLATIONS)
        found = (one for spec in asked for one in spec.expanded(self.reference_sizes))
        return tuple(dict.fromkeys(found))
