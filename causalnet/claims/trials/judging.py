"""The judge of a claim: exact where the file declares a range, else by the prompts' spread."""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from causalnet.claims.kinds import Bounded
from causalnet.claims.schema import ClaimFile
from causalnet.statistics import (
    BoundedJudge,
    BoundedRatioJudge,
    BoundedRatioSequence,
    MeanJudge,
    RatioJudge,
    RatioSequence,
)

__all__ = [
    "GATE_ALPHA",
    "OfMeans",
    "OfRatios",
    "inside",
    "mean_judge",
    "ratio_judge",
    "share_sequence",
]

GATE_ALPHA = 0.005
"""Probability of taking a behaviour for present that is not."""

OfMeans: TypeAlias = MeanJudge | BoundedJudge
"""What judges a mean."""

OfRatios: TypeAlias = RatioJudge | BoundedRatioJudge
"""What judges a share of a behaviour, a ratio of means."""


def mean_judge(
    claim: Bounded, file: ClaimFile, *, quantity: str, bounds: tuple[float, float] | None = None
) -> OfMeans:
    """Return the judge of a claim about a mean.

    Args:
        claim: The claim: its threshold or band, and its margin.
        file: Its file.
        quantity: The number's name, as it starts a sentence.
        bounds: Between which numbers it lies on every prompt, where that is declared.
    """
    threshold = None if claim.within else claim.threshold
    if bounds is not None:
        return BoundedJudge(
            threshold, claim.direction, file.alpha, *bounds,
            within=claim.within, margin=claim.margin, quantity=quantity,
        )  # fmt: skip
    return MeanJudge(
        threshold, claim.direction, file.alpha,
        within=claim.within, margin=claim.margin, quantity=quantity,
    )  # fmt: skip


def ratio_judge(
    claim: Bounded,
    file: ClaimFile,
    *,
    quantity: str,
    gate_alpha: float = GATE_ALPHA,
    of_readouts: bool = True,
) -> OfRatios:
    """Return the judge of a claim about a ratio of means.

    Args:
        claim: The claim: its threshold or band, and its margin.
        file: Its file; where it declares a range, pairs of differences are judged exactly.
        quantity: The number's name, as it starts a sentence.
        gate_alpha: Probability of taking a denominator for positive that is not.
        of_readouts: Whether both are differences of two read-outs, which the declared range bounds.
    """
    threshold = None if claim.within else claim.threshold
    if file.range is not None and of_readouts:
        width = file.range[1] - file.range[0]
        return BoundedRatioJudge(
            threshold, claim.direction, file.alpha, gate_alpha,
            numerators=(-width, width), denominators=(-width, width),
            within=claim.within, margin=claim.margin, quantity=quantity,
        )  # fmt: skip
    return RatioJudge(
        threshold, claim.direction, file.alpha, gate_alpha,
        within=claim.within, margin=claim.margin, quantity=quantity,
    )  # fmt: skip


def inside(values: NDArray[np.float64], file: ClaimFile) -> tuple[NDArray[np.float64], int]:
    """Return read-outs inside the declared range, and how many lay outside."""
    if file.range is None:
        return values, 0
    low, high = file.range
    outside = int(((values < low) | (values > high)).sum())
    return np.clip(values, low, high), outside


def share_sequence(
    file: ClaimFile, alpha: float, bounds: tuple[float, ...]
) -> RatioSequence | BoundedRatioSequence:
    """Return a confidence sequence for a share of a behaviour, for claims about several at once.

    Args:
        file: The claim file: exact where it declares a range.
        alpha: Error probability of each end.
        bounds: What the share will be compared with.
    """
    if file.range is None:
        return RatioSequence(alpha)
    width = file.range[1] - file.range[0]
    both = (-width, width)
    return BoundedRatioSequence(both, both, alpha, GATE_ALPHA, ratios=(-2.0, 2.0), bounds=bounds)
