"""The kinds of claims and their thresholds."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from causalnet.claims.spec import Names, Seed, Spec, Text, mistake
from causalnet.statistics import Direction

__all__ = [
    "BetterThanRandomClaim",
    "ByChance",
    "Claim",
    "EffectClaim",
    "ExistsClaim",
    "FaithfulClaim",
    "NecessaryClaim",
    "check_range",
]

ExpectedVerdict = Literal["SUPPORTED", "REFUTED", "INCONCLUSIVE", "UNDEFINED"]


class _Claim(Spec):
    """What all claims have."""

    id: Annotated[
        str, Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    ] = Field(description="A short name, unique in the file.")
    statement: Text = Field(
        description="The claim in words, as a reader of the report should see it."
    )
    expected: ExpectedVerdict | None = Field(
        default=None,
        description="The verdict that `causalnet demo` expects; `verify` does not look at it.",
    )


class _Bounded(_Claim):
    """A claim that a number is at least, or at most, a threshold."""

    at_least: float | None = Field(
        default=None, examples=[0.8], description="The claim: the number is at least this."
    )
    at_most: float | None = Field(
        default=None, examples=[0.2], description="The claim: the number is at most this."
    )

    _RANGE: ClassVar[tuple[float, float] | None] = None

    @model_validator(mode="after")
    def _one_threshold(self) -> Self:
        if self.at_least is not None and self.at_most is not None:
            raise mistake(
                "at_most",
                "Both 'at_least' and 'at_most'.",
                "A claim has one threshold.",
                "Write two claims.",
            )
        if self.at_least is None and self.at_most is None:
            raise mistake(
                "", "Missing key 'at_least' or 'at_most'.", "A claim has a threshold.",
                "Write for example 'at_least: 0.8'.",
            )  # fmt: skip
        check_range(self._RANGE, self.direction, self.threshold)
        return self

    @property
    def threshold(self) -> float:
        """The number that the claim compares with."""
        value = self.at_least if self.at_least is not None else self.at_most
        assert value is not None  # _one_threshold
        return value

    @property
    def direction(self) -> Direction:
        """Whether the claim says at least or at most."""
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


class ExistsClaim(_Bounded):
    """The model does the task at all: the mean read-out of the whole model."""

    kind: Literal["exists"] = Field(
        description="The model does the task: the threshold is on the mean read-out, in its unit."
    )


class EffectClaim(_Bounded):
    """An effect, written as a query: its mean over the prompts."""

    kind: Literal["effect"] = Field(
        description="An effect written as a query: the threshold is on its mean, in its unit."
    )
    query: Annotated[str, Field(min_length=1, max_length=100_000)] = Field(
        examples=["nie(L20.H0; at=end)"],
        description="A query with one row, in the language of `causalnet explain QUERY`.",
    )


class ByChance(Spec):
    """Members that are kept or removed by chance: partial ablation (Zheng et al. 2024)."""

    probability: Annotated[float, Field(ge=0.0, le=1.0)] = Field(
        examples=[0.1], description="With which each member is drawn, by itself."
    )
    draws: Annotated[int, Field(ge=1, le=1000)] = Field(
        default=10,
        description="How many draws are averaged, the same for all prompts; the interval is "
        "given these draws.",
    )
    seed: Seed = Field(default=0, description="Seed of the draws.")

    def __str__(self) -> str:
        """Return the settings in words."""
        return f"probability {self.probability:g}, {self.draws} draws, seed {self.seed}"


class FaithfulClaim(_Bounded):
    """The circuit alone keeps the behaviour: F = (C - E) / (M - E), a ratio of means."""

    kind: Literal["faithful"] = Field(
        description="C: all but the circuit ablated; E: everything ablated; M: the whole model."
    )
    circuit: Names | str | None = Field(
        default=None,
        examples=[["L20.H0", "L19.H2"]],
        description="For this claim alone: names, or a file of names; else the file's circuit.",
    )

    kept: ByChance | None = Field(
        default=None,
        description=(
            "Partial ablation: with the circuit, each of the rest is kept by chance, which stays "
            "nearer to the data."
        ),
    )

    _RANGE: ClassVar[tuple[float, float] | None] = (0.0, 2.0)

    @property
    def by_chance(self) -> ByChance | None:
        """What is drawn, if anything."""
        return self.kept


class NecessaryClaim(_Bounded):
    """Without the circuit the behaviour goes: G = (M - K) / (M - E), a ratio of means."""

    kind: Literal["necessary"] = Field(
        description=(
            "K: the circuit alone ablated, jointly; M: the whole model; E: everything ablated."
        )
    )
    circuit: Names | str | None = Field(
        default=None,
        examples=[["L20.H0", "L19.H2"]],
        description="For this claim alone: names, or a file of names; else the file's circuit.",
    )

    removed: ByChance | None = Field(
        default=None,
        description=(
            "Partial ablation: each member of the circuit is removed by chance, not all of it."
        ),
    )

    _RANGE: ClassVar[tuple[float, float] | None] = (0.0, 2.0)

    @property
    def by_chance(self) -> ByChance | None:
        """What is drawn, if anything."""
        return self.removed


class BetterThanRandomClaim(_Claim):
    """The circuit is closer to the model than random circuits with as many heads per layer."""

    kind: Literal["better_than_random"] = Field(
        description="Closer: a smaller mean absolute gap to the whole model on the same prompts."
    )
    circuit: Names | str | None = Field(
        default=None,
        examples=[["L20.H0", "L19.H2"]],
        description="For this claim alone: names, or a file of names; else the file's circuit.",
    )
    fraction: Annotated[float, Field(ge=0.5, lt=1.0)] = Field(
        default=0.9,
        description="The claim: it is closer than at least this fraction of such random circuits.",
    )
    max_circuits: Annotated[int, Field(ge=1, le=10_000)] = Field(
        default=200, description="How many random circuits are drawn at most."
    )
    prompts: Annotated[int, Field(ge=1, le=10_000)] = Field(
        default=16, description="On how many prompts the circuits are compared, the same for all."
    )

    @property
    def threshold(self) -> float:
        """The fraction that the claim compares with."""
        return self.fraction

    @property
    def direction(self) -> Direction:
        """A fraction is claimed to be at least so large."""
        return "at_least"


Claim = Annotated[
    ExistsClaim | EffectClaim | FaithfulClaim | NecessaryClaim | BetterThanRandomClaim,
    Field(discriminator="kind"),
]
"""Any of the kinds of claims."""
