"""The claim that a circuit lets one predict the model (Hase and Bansal 2020)."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from causalnet.claims.kinds.base import Bounded, CircuitField
from causalnet.claims.spec import Seed

__all__ = ["SimulatesClaim"]


class SimulatesClaim(Bounded):
    """The circuit predicts the model's outcomes better than predictors that do not know it."""

    kind: Literal["simulates"] = Field(
        description=(
            "What the circuit adds to the best predictor without it: balanced accuracy with less "
            "accuracy without, on held-out prompts."
        )
    )
    circuit: CircuitField = None
    question: Literal["forward", "counterfactual"] = Field(
        default="counterfactual",
        description=(
            "`forward`: the outcome on new prompts; `counterfactual`: the outcome when members of "
            "the model are ablated, by interventions that made no part of the claim."
        ),
    )
    interventions: Annotated[int, Field(ge=1, le=1000)] = Field(
        default=12,
        description="How many interventions are asked about; as many others teach the rivals.",
    )
    largest: Annotated[int, Field(ge=1, le=1000)] = Field(
        default=4, description="The most mediators that an intervention ablates."
    )
    seed: Seed = Field(default=0, description="Seed of interventions and of the bootstrap.")

    quantity: ClassVar[str] = "accuracy that the circuit adds"
    _RANGE: ClassVar[tuple[float, float] | None] = (-1.0, 1.0)

    @property
    def number(self) -> str:
        """The number in words."""
        asked = (
            "the sign of the outcome on held-out prompts"
            if self.question == "forward"
            else f"the sign of the outcome under {self.interventions} held-out ablations"
        )
        return (
            f"balanced accuracy of the circuit at {asked}, less that of the best predictor without "
            "it (majority, inputs alone), learned on the finding prompts; bootstrap over prompts"
        )
