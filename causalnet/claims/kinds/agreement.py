"""Claims that a circuit agrees with the model prompt by prompt, not in the mean alone."""

import math
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from causalnet.claims.kinds.base import (
    BEHAVIOUR,
    EVERYTHING,
    ONLY,
    WHOLE_MODEL,
    Bounded,
    Calls,
    CircuitField,
    Part,
)
from causalnet.claims.spec import mistake

__all__ = ["READ_BY", "AgreementClaim", "Measure"]

Measure = Literal["per_item", "top1", "kl", "kl_recovered", "correlation", "rank_correlation"]

READ_BY = ", read by "
"""Between the name of a run and that of a read-out that is not the file's."""

_QUANTITY: dict[Measure, str] = {
    "per_item": "share of prompts on which the circuit agrees with the model",
    "top1": "share of prompts with the model's most likely token",
    "kl": "mean divergence of the circuit from the model",
    "kl_recovered": "share of the divergence that the circuit recovers",
    "correlation": "correlation of the circuit's read-outs with the model's",
    "rank_correlation": "rank correlation of the circuit's read-outs with the model's",
}

# Ends are never shown: no number of prompts shows a rate of 1, nor a divergence of 0.
_BETWEEN: dict[Measure, tuple[float, float]] = {
    "per_item": (0.0, 1.0),
    "top1": (0.0, 1.0),
    "kl": (0.0, math.inf),
    "kl_recovered": (-math.inf, 1.0),
    "correlation": (-1.0, 1.0),
    "rank_correlation": (-1.0, 1.0),
}


class AgreementClaim(Bounded):
    """The circuit alone gives what the model gives, prompt by prompt.

    A ratio of means is 1 where a circuit is far too high on half of the prompts and far too low on
    the others; these numbers are not.
    """

    kind: Literal["agreement"] = Field(
        description=(
            "The circuit alone (all but it ablated) agrees with the whole model on single prompts, "
            "by `measure`."
        )
    )
    circuit: CircuitField = None
    measure: Measure = Field(
        description=(
            "`per_item`: share of prompts whose read-out is within `tolerance` (or `epsilon`) of "
            "the model's; `top1`: share of prompts with the model's most likely token; `kl`: mean "
            "KL(model || circuit) in nats over the whole vocabulary; `kl_recovered`: 1 - KL of the "
            "circuit / KL of everything ablated, a ratio of means; `correlation` (Pearson) and "
            "`rank_correlation` (Spearman): of the read-outs over prompts."
        )
    )
    tolerance: Annotated[float, Field(gt=0.0)] | None = Field(
        default=None,
        examples=[0.5],
        description="For `per_item`: the largest difference that counts, in the read-out's unit.",
    )
    epsilon: Annotated[float, Field(gt=0.0)] | None = Field(
        default=None,
        examples=[0.2],
        description=(
            "For `per_item`, in place of `tolerance`: that difference as a share of |mean of the "
            "model - mean of everything ablated| on the prompts that found the circuit, so that it "
            "is fixed before the test."
        ),
    )

    quantity: ClassVar[str] = "agreement"
    exact_in_range: ClassVar[bool] = True

    @model_validator(mode="after")
    def _fits_measure(self) -> Self:
        given = [key for key in ("tolerance", "epsilon") if getattr(self, key) is not None]
        if self.measure != "per_item" and given:
            raise mistake(
                given[0],
                f"The key {given[0]!r} with 'measure: {self.measure}'.",
                "It is for 'measure: per_item'.",
                f"Delete {given[0]!r}, or write 'measure: per_item'.",
            )
        if self.measure == "per_item" and len(given) != 1:
            raise mistake(
                given[1] if given else "",
                "Both 'tolerance' and 'epsilon'."
                if given
                else "Neither 'tolerance' nor 'epsilon'.",
                "One of the two says how near is near: in the read-out's unit, or as a share of "
                "the behaviour.",
                "Delete one of them." if given else "Write for example 'epsilon: 0.2'.",
            )
        self._check_ends()
        return self

    def _check_ends(self) -> None:
        low, high = _BETWEEN[self.measure]
        key = self.direction
        for bound in self.within or (self.threshold,):
            if not low < bound < high:
                ends = f"above {low:g}" if high == math.inf else f"below {high:g}"
                if math.isfinite(low) and math.isfinite(high):
                    ends = f"above {low:g} and below {high:g}"
                raise mistake(
                    key,
                    f"The threshold {bound:g} for 'measure: {self.measure}'.",
                    f"It lies {ends}: no number of prompts shows an end itself, or more.",
                    f"Write for example '{key}: {_example(self.measure, key)}'.",
                )

    @property
    def is_share(self) -> bool:
        """Whether the number is a share of prompts, which is judged exactly."""
        return self.measure in ("per_item", "top1")

    @property
    def number(self) -> str:
        """The number in words."""
        match self.measure:
            case "per_item" if self.epsilon is not None:
                return (
                    "share of prompts with |circuit alone - model| of at most "
                    f"{self.epsilon:g} of |mean of the model - mean of everything ablated| on the "
                    "prompts that found it"
                )
            case "per_item":
                return (
                    f"share of prompts with |circuit alone - model| of at most {self.tolerance:g}"
                )
            case "kl":
                return (
                    "mean KL(model || circuit alone) of next-token distributions, summed over the "
                    "whole vocabulary"
                )
            case "kl_recovered":
                return (
                    "1 - KL(model || circuit alone) / KL(model || everything ablated), of means, "
                    "summed over the whole vocabulary"
                )
            case "top1":
                return "share of prompts whose most likely token is the model's, circuit alone"
            case "correlation":
                return "Pearson correlation, over prompts, of the read-outs of circuit and model"
            case "rank_correlation":
                return "Spearman correlation, over prompts, of the read-outs of circuit and model"

    @property
    def bound(self) -> str:
        """The measure and its threshold in words."""
        return f"by {self.measure} {super().bound}"

    @property
    def read_by(self) -> str:
        """The read-out, where it is not the file's."""
        match self.measure:
            case "top1":
                return "top1_agreement"
            case "kl" | "kl_recovered":
                return "kl"
        return ""

    @property
    def named(self) -> str:
        """The number in a few words."""
        return _QUANTITY[self.measure]

    def is_rate(self, readout: str) -> bool:
        """Whether the number is a share of prompts."""
        return self.is_share

    def parts(self, circuit: tuple[str, ...]) -> tuple[Part, ...]:
        """Return the circuit's own run, and everything ablated where it is compared with."""
        by = f"{READ_BY}{self.read_by}" if self.read_by else ""
        own: Part = (f"{ONLY}{by}", circuit)
        return ((f"{EVERYTHING}{by}", ()), own) if self.measure == "kl_recovered" else (own,)

    def besides(
        self, circuit: tuple[str, ...], universe: tuple[str, ...], n: int
    ) -> tuple[Calls, ...]:
        """Return what measures the behaviour that a tolerance is a share of."""
        return () if self.epsilon is None else (Calls(BEHAVIOUR, (WHOLE_MODEL, (EVERYTHING, ()))),)


def _example(measure: Measure, key: str) -> str:
    """Return a threshold that can be claimed."""
    low, high = (0.1, 0.5) if measure == "kl" else (0.8, 0.95)
    if key == "within":
        return f"[{low:g}, {high:g}]"
    return f"{low if measure != 'kl' or key == 'at_least' else high:g}"
