"""Claims about the behaviour, an effect, and a circuit as a whole."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from causalnet.claims.kinds.base import (
    EVERYTHING,
    ONLY,
    WITHOUT,
    Bounded,
    CircuitField,
    ClaimBase,
    Part,
)
from causalnet.claims.spec import Seed, Spec, mistake
from causalnet.statistics import Direction

__all__ = [
    "BetterThanRandomClaim",
    "ByChance",
    "EffectClaim",
    "ExistsClaim",
    "FaithfulClaim",
    "NecessaryClaim",
]


class ExistsClaim(Bounded):
    """The model does the task at all: the mean read-out of the whole model."""

    kind: Literal["exists"] = Field(
        description="The model does the task: the threshold is on the mean read-out, in its unit."
    )

    quantity: ClassVar[str] = "mean read-out"
    exact_in_range: ClassVar[bool] = True
    about_circuit: ClassVar[bool] = False

    @property
    def number(self) -> str:
        """The number in words."""
        return "mean read-out of the whole model"

    def is_rate(self, readout: str) -> bool:
        """Whether the read-out is 0 or 1."""
        return readout == "accuracy" and self.within is None and 0 < self.threshold < 1


class EffectClaim(Bounded):
    """An effect, written as a query: its mean over the prompts."""

    kind: Literal["effect"] = Field(
        description="An effect written as a query: the threshold is on its mean, in its unit."
    )
    query: Annotated[str, Field(min_length=1, max_length=100_000)] = Field(
        examples=["nie(L20.H0; at=end)"],
        description="A query with one row, in the language of `causalnet explain QUERY`.",
    )

    quantity: ClassVar[str] = "mean effect"
    about_circuit: ClassVar[bool] = False

    @property
    def number(self) -> str:
        """The number in words."""
        return f"mean of {self.query}"


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


class _Share(Bounded):
    """A share of a behaviour that a circuit keeps, or takes with it."""

    circuit: CircuitField = None

    exact_in_range: ClassVar[bool] = True
    _RANGE: ClassVar[tuple[float, float] | None] = (0.0, 2.0)
    _OWN: ClassVar[str] = ONLY

    @property
    def by_chance(self) -> ByChance | None:
        """What is drawn, if anything."""
        return None

    def parts(self, circuit: tuple[str, ...]) -> tuple[Part, ...]:
        """Return everything ablated, and the circuit's own run, or one for each draw."""
        drawn = self.by_chance
        if drawn is None:
            return ((EVERYTHING, ()), (self._OWN, circuit))
        named = f"{self._OWN}, by chance {drawn.probability:g} {drawn.seed}"
        return ((EVERYTHING, ()), *((f"{named} {d}", circuit) for d in range(drawn.draws)))


class FaithfulClaim(_Share):
    """The circuit alone keeps the behaviour: F = (C - E) / (M - E), a ratio of means."""

    kind: Literal["faithful"] = Field(
        description="C: all but the circuit ablated; E: everything ablated; M: the whole model."
    )
    kept: ByChance | None = Field(
        default=None,
        description=(
            "Partial ablation: with the circuit, each of the rest is kept by chance, which stays "
            "nearer to the data."
        ),
    )

    quantity: ClassVar[str] = "faithfulness"
    share: ClassVar[Literal["faithfulness", "necessity"]] = "faithfulness"

    @property
    def by_chance(self) -> ByChance | None:
        """What is drawn, if anything."""
        return self.kept

    @property
    def number(self) -> str:
        """The number in words."""
        drawn = self.kept
        alone = "alone" if drawn is None else f"with each of the rest kept by chance ({drawn})"
        return f"(circuit {alone} - everything ablated) / (model - everything ablated), of means"


class NecessaryClaim(_Share):
    """Without the circuit the behaviour goes: G = (M - K) / (M - E), a ratio of means."""

    kind: Literal["necessary"] = Field(
        description=(
            "K: the circuit alone ablated, jointly; M: the whole model; E: everything ablated."
        )
    )
    removed: ByChance | None = Field(
        default=None,
        description=(
            "Partial ablation: each member of the circuit is removed by chance, not all of it."
        ),
    )

    quantity: ClassVar[str] = "necessity"
    share: ClassVar[Literal["faithfulness", "necessity"]] = "necessity"
    _OWN: ClassVar[str] = WITHOUT

    @property
    def by_chance(self) -> ByChance | None:
        """What is drawn, if anything."""
        return self.removed

    @property
    def number(self) -> str:
        """The number in words."""
        drawn = self.removed
        knocked = "" if drawn is None else f", each member by chance ({drawn})"
        return f"(model - circuit knocked out{knocked}) / (model - everything ablated), of means"


class BetterThanRandomClaim(ClaimBase):
    """The circuit is closer to the model than random circuits that are alike in every layer."""

    kind: Literal["better_than_random"] = Field(
        description="Closer: a smaller mean absolute gap to the whole model on the same prompts."
    )
    circuit: CircuitField = None
    fraction: Annotated[float, Field(ge=0.5, lt=1.0)] = Field(
        default=0.9,
        description="The claim: it is closer than at least this fraction of such random circuits.",
    )
    max_circuits: Annotated[int, Field(ge=1, le=10_000)] = Field(
        default=200, description="How many random circuits are drawn at most."
    )
    min_circuits: Annotated[int, Field(ge=0, le=10_000)] = Field(
        default=0,
        description="How many are drawn even where fewer settle the claim: the report's null.",
    )
    prompts: Annotated[int, Field(ge=1, le=10_000)] = Field(
        default=16, description="On how many prompts the circuits are compared, the same for all."
    )

    quantity: ClassVar[str] = "share of random circuits beaten"

    @model_validator(mode="after")
    def _counts_fit(self) -> Self:
        if self.min_circuits > self.max_circuits:
            raise mistake(
                "min_circuits",
                f"At least {self.min_circuits} random circuits, and at most {self.max_circuits}.",
                "The least is not above the most.",
                f"Write 'max_circuits: {self.min_circuits}'.",
            )
        return self

    @property
    def threshold(self) -> float:
        """The fraction that the claim compares with."""
        return self.fraction

    @property
    def direction(self) -> Direction:
        """A fraction is claimed to be at least so large."""
        return "at_least"

    @property
    def number(self) -> str:
        """The number in words."""
        return (
            "share of random circuits, alike in every layer, whose mean absolute gap to the "
            f"model is larger on the same {self.prompts} prompts"
        )

    def is_rate(self, readout: str) -> bool:
        """A share of wins."""
        return True

    def parts(self, circuit: tuple[str, ...]) -> tuple[Part, ...]:
        """Return what tells whether there is a behaviour at all."""
        return ((EVERYTHING, ()),)
