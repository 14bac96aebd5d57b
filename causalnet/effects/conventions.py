"""What a number means: its estimand, unit, sign, scale, ablation and read-out."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from causalnet.interventions import Base, Query, ReadOut

__all__ = ["Conventions", "Excluded", "LedgerEntry"]

BASE = Base("base")


@dataclass(frozen=True, slots=True)
class Conventions:
    """Everything that two people must agree on to compare a number.

    Attributes:
        estimand: Versioned name, `NIE/v1`.
        sign: The subtraction that is made.
        direction: `noising` or `denoising`.
        scale: `raw`, in the read-out's unit, or what one unit is.
        unit: The unit of means.
        readout: Versioned name and position of the read-out.
        meaning: What the read-out is, in words.
        ablation: What mediators are set to, with reference set and draws.
        at: Positions at which they are set; `all positions` or names.
        padding: The side on which prompts were padded.
        convention: The published convention that a technique follows; "" where there is one only.
        estimator: `exact`, or the approximation that was made.
        error: What is known of an approximation's error.
        given: The event that prompts are conditioned on; "" for all prompts.
    """

    estimand: str
    sign: str
    direction: str
    scale: str
    unit: str
    readout: str
    meaning: str
    ablation: str
    at: str
    padding: str
    convention: str = ""
    estimator: str = "exact"
    error: str = ""
    given: str = ""

    @classmethod
    def of(cls, query: Query, padding: str, at: str) -> "Conventions":
        """Return the conventions of a query that sets values at some positions, in words."""
        return cls(
            estimand=query.name,
            sign=query.subtraction,
            direction=query.direction,
            scale=query.scale,
            unit=query.unit,
            readout=_described(query.readout),
            meaning=query.readout.meaning,
            ablation="none" if query.ablation is None else str(query.ablation),
            at=at,
            padding=padding,
            convention=query.convention,
            estimator=query.estimator,
            error=query.error,
            given="" if query.given is None else str(query.given),
        )

    def to_json(self) -> dict[str, str]:
        """Return the fields as JSON."""
        return asdict(self)

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> "Conventions":
        """Return the conventions that `to_json` wrote."""
        return cls(**fields)


def _described(readout: ReadOut) -> str:
    """Return `logit_difference/v1 at end`, with answers and a world that are not the usual."""
    answers = "" if readout.answers == "answers" else f", answers {readout.answers}"
    against = "" if readout.reference in (None, BASE) else f", against {readout.reference}"
    return f"{readout.described}{answers}{against}"


@dataclass(frozen=True, slots=True)
class Excluded:
    """A prompt that is not part of the mean's numerator, and why; it stays in the denominator."""

    prompt: str
    reason: str


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """A token that an intervention touched.

    Attributes:
        prompt: Label of the prompt.
        position: The position as it was asked for.
        index: Index of the token in the prompt, without padding.
        token: Token id.
        text: The token's text.
    """

    prompt: str
    position: str
    index: int
    token: int
    text: str
