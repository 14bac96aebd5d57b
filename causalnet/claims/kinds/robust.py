"""The claim that a number holds under several conventions."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from causalnet.claims.kinds.base import Bounded, CircuitField
from causalnet.claims.robustness_spec import ConventionSpec, RobustnessSpec
from causalnet.claims.spec import mistake

__all__ = ["RobustClaim", "check_robust"]


class RobustClaim(Bounded):
    """A share of the behaviour lies on one side of a threshold under every declared convention."""

    kind: Literal["robust"] = Field(
        description="Supported under each declared convention; refuted by one of them."
    )
    circuit: CircuitField = None
    share: Literal["faithfulness", "necessity"] = Field(
        default="faithfulness", description="Which share of the behaviour."
    )
    under: Annotated[tuple[ConventionSpec, ...], Field(strict=False)] = Field(
        default=(),
        examples=[[{"ablation": "counterfactual"}, {"ablation": "resample"}]],
        description="The declared conventions, of those of `robustness`; none means all of them.",
    )

    quantity: ClassVar[str] = "least share under the declared conventions"
    _RANGE: ClassVar[tuple[float, float] | None] = (0.0, 2.0)

    @property
    def number(self) -> str:
        """The number in words."""
        where = ", ".join(map(str, self.under)) or "every convention of the grid"
        return (
            f"{self.share} under {where}: supported by each at alpha (intersection-union), refuted "
            "by one (Bonferroni)"
        )


def check_robust(index: int, claim: RobustClaim, grid: RobustnessSpec) -> None:
    """Refuse a claim about conventions that are not measured; raises a schema error."""
    if grid.skip:
        raise mistake(
            f"claims.{index}.kind",
            "The claim 'robust' with 'robustness: {skip: true}'.",
            "It is about the conventions that the grid measures.",
            "Delete 'skip', or the claim.",
        )
    planned = grid.planned()
    for place, spec in enumerate(claim.under):
        if not any(spec.selects(one) for one in planned):
            raise mistake(
                f"claims.{index}.under.{place}",
                f"The convention {str(spec)!r} is not measured.",
                f"The grid has {', '.join(map(str, planned))}.",
                "Name one of them, or add it to 'robustness: {conventions: […]}'.",
            )
