"""The trial of a claim that a circuit agrees with the model on single prompts."""

from collections.abc import Mapping
from typing import Any, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from causalnet.claims.hearing import Scores
from causalnet.claims.kinds import AgreementClaim, Bounded
from causalnet.claims.schema import ClaimFile
from causalnet.claims.trials.judging import (
    OfMeans,
    OfRatios,
    inside,
    mean_judge,
    ratio_judge,
)
from causalnet.claims.trials.protocol import WHOLE, Context, OfPrompts
from causalnet.claims.trials.tolerance import Tolerance
from causalnet.faithfulness import Member, Regime, Wanted
from causalnet.interventions import READOUTS
from causalnet.statistics import (
    BoundedJudge,
    BoundedRatioJudge,
    CorrelationJudge,
    Decision,
    RatioJudge,
    WinJudge,
)

__all__ = ["AgreementTrial", "rate_judge"]

Array = NDArray[np.float64]

OfRates: TypeAlias = WinJudge | BoundedJudge
"""What judges a share of prompts; exact."""


@final
class AgreementTrial(OfPrompts[OfMeans | OfRatios | OfRates | CorrelationJudge]):
    """Agreement of the circuit alone with the whole model, prompt by prompt."""

    def __init__(self, claim: AgreementClaim, context: Context) -> None:
        """Start without prompts."""
        self._settings = claim
        self._tolerance = Tolerance(claim.tolerance, claim.epsilon)
        self._outside = 0
        super().__init__(claim, context, _judge(claim, context.file))
        self._parts = _parts(claim, self.circuit)

    def prepare(self) -> None:
        """Measure on the finding prompts what a tolerance is a share of."""
        self._tolerance.measure(self.context.hearing)

    def wants(self) -> tuple[Wanted, ...]:
        """Return the circuit alone, and what it is compared with."""
        return () if self.is_settled else self._parts

    def take(self, scores: Scores, rows: range) -> None:
        """Take in one batch."""
        if not self.wants():
            return
        columns = [self._inside(scores[part]) for part in self._parts]
        judge = self._judge
        match self._settings.measure:
            case "kl_recovered":
                empty, kept = columns
                if isinstance(judge, RatioJudge | BoundedRatioJudge):
                    judge.add(empty - kept, empty)
                self._means.add(everything_ablated=empty, circuit_alone=kept)
                return
            case "correlation" | "rank_correlation":
                model, kept = columns
                if isinstance(judge, CorrelationJudge):
                    judge.add(model, kept)
                self._means.add(model=model, circuit_alone=kept)
                return
            case "per_item":
                model, kept = columns
                gap = np.abs(kept - model)
                self._means.add(model=model, circuit_alone=kept, gap=gap)
                numbers = (gap <= (self._tolerance.value or 0.0)).astype(np.float64)
            case "top1" | "kl":
                numbers = columns[0]
                self._means.add(circuit_alone=numbers)
        if not isinstance(judge, RatioJudge | BoundedRatioJudge | CorrelationJudge):
            judge.add(numbers)

    def _inside(self, values: Array) -> Array:
        """Return divergences inside the range that the file declares for them, if it does."""
        file = self.context.file
        if self._settings.read_by != file.readout:
            return values
        clipped, outside = inside(values, file)
        self._outside += outside
        return clipped

    @property
    def is_settled(self) -> bool:
        """Whether the verdict is final; without a behaviour there is nothing to agree on."""
        return self._tolerance.is_absent or self._judge.is_settled

    def decision(self) -> Decision:
        """Give the verdict as if no further prompt came."""
        decision = self._judge.decision()
        return self._tolerance.undefined(decision) if self._tolerance.is_absent else decision

    @property
    def evidence(self) -> Mapping[str, Any]:
        """The tolerance, and what it is a share of."""
        found = self._tolerance.evidence if self._settings.measure == "per_item" else {}
        if self._outside:
            found["clipped_readouts"] = self._outside
        return found


def rate_judge(
    claim: Bounded,
    file: ClaimFile,
    *,
    quantity: str,
    units: str = "prompts",
    is_averaged: bool = False,
) -> OfRates:
    """Return the judge of a share of yes and no, exact at every sample size.

    Args:
        claim: The claim: its threshold or band, and its margin.
        file: Its file.
        quantity: The share's name, as it starts a sentence.
        units: What is counted.
        is_averaged: Whether one observation is a mean of yes and no, such as over several draws.
    """
    if claim.within is not None or is_averaged:
        threshold = None if claim.within else claim.threshold
        return BoundedJudge(
            threshold, claim.direction, file.alpha,
            within=claim.within, margin=claim.margin, quantity=quantity, units=units,
        )  # fmt: skip
    return WinJudge(
        claim.threshold, file.alpha, claim.direction,
        margin=claim.margin, quantity=quantity, units=units,
    )  # fmt: skip


def _judge(
    claim: AgreementClaim, file: ClaimFile
) -> OfMeans | OfRatios | OfRates | CorrelationJudge:
    name = f"The {claim.named}"
    match claim.measure:
        case "per_item":
            return rate_judge(claim, file, quantity=name)
        case "top1":
            return rate_judge(claim, file, quantity=name, is_averaged=file.ablation.draws > 1)
        case "kl":
            # A declared range is that of the file's read-out.
            bounds = file.range if file.readout == "kl" else None
            return mean_judge(claim, file, quantity=name, bounds=bounds)
        case "kl_recovered":
            return ratio_judge(claim, file, quantity=name, of_readouts=file.readout == "kl")
        case "correlation" | "rank_correlation":
            return CorrelationJudge(
                None if claim.within else claim.threshold,
                claim.direction,
                file.alpha,
                "pearson" if claim.measure == "correlation" else "spearman",
                within=claim.within,
                margin=claim.margin,
                quantity=name,
            )


def _parts(claim: AgreementClaim, circuit: tuple[Member, ...]) -> tuple[Wanted, ...]:
    kept: Wanted = (Regime.KEPT, circuit)
    match claim.measure:
        case "top1":
            return ((Regime.KEPT, circuit, READOUTS["top1_agreement"]),)
        case "kl":
            return ((Regime.KEPT, circuit, READOUTS["kl"]),)
        case "kl_recovered":
            return ((Regime.EMPTY, (), READOUTS["kl"]), (Regime.KEPT, circuit, READOUTS["kl"]))
    return (WHOLE, kept)
