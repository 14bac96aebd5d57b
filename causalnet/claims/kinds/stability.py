"""Claims that a circuit would be found again on other prompts."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from causalnet.claims.kinds.base import WHOLE_MODEL, WITHOUT, Calls, CircuitField, ClaimBase
from causalnet.claims.spec import Seed
from causalnet.statistics import Direction

__all__ = ["StableClaim"]


class StableClaim(ClaimBase):
    """The circuit is chosen again on resamples of the finding prompts (Meloux et al. 2025)."""

    kind: Literal["stable"] = Field(
        description=(
            "Choosing the units with the largest absolute effects of their own, as many as the "
            "circuit has, on bootstrap resamples of the finding prompts gives much the same "
            "circuit each time: the mean Jaccard index of two of them is `at_least` so large."
        )
    )
    circuit: CircuitField = None
    at_least: Annotated[float, Field(gt=0.0, lt=1.0)] = Field(
        default=0.8, description="The least mean Jaccard index, shared units over all units."
    )
    resamples: Annotated[int, Field(ge=20, le=10_000)] = Field(
        default=200, description="How often the finding prompts are drawn again."
    )
    seed: Seed = Field(default=0, description="Seed of the draws.")

    is_tested: ClassVar[bool] = False
    quantity: ClassVar[str] = "mean overlap of the circuits of resamples"

    @property
    def threshold(self) -> float:
        """The least mean Jaccard index."""
        return self.at_least

    @property
    def direction(self) -> Direction:
        """An overlap is claimed to be at least so large."""
        return "at_least"

    @property
    def reads_model(self) -> bool:
        """Nothing is run on the test prompts."""
        return False

    @property
    def number(self) -> str:
        """The number in words."""
        return (
            "mean pairwise Jaccard index of circuits of as many units with the largest |mean of "
            f"model - model without the unit|, over {self.resamples} bootstrap resamples of the "
            f"finding prompts (seed {self.seed}); ties go to the earlier unit; the interval is "
            "that of resampling, approximate, given these prompts"
        )

    def besides(
        self, circuit: tuple[str, ...], universe: tuple[str, ...], n: int
    ) -> tuple[Calls, ...]:
        """Return the effects of all units on the finding prompts."""
        each = ((WITHOUT, (name,)) for name in universe)
        return (Calls("every unit ablated, on the finding prompts", (WHOLE_MODEL, *each)),)
