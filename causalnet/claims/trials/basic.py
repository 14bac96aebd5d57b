"""Trials of claims about the behaviour, an effect, and a circuit as a whole."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, final

import numpy as np

from causalnet.claims.effects import name_of
from causalnet.claims.hearing import Scores
from causalnet.claims.kinds import EffectClaim, ExistsClaim, FaithfulClaim, NecessaryClaim
from causalnet.claims.trials.judging import (
    GATE_ALPHA,
    OfMeans,
    OfRatios,
    inside,
    mean_judge,
    ratio_judge,
)
from causalnet.claims.trials.protocol import (
    EMPTY,
    WHOLE,
    Context,
    OfPrompts,
    sign_of,
)
from causalnet.errors import InternalError
from causalnet.faithfulness import Regime, Wanted, partly
from causalnet.statistics import BoundedJudge, BoundedRatioJudge, MeanJudge, RatioJudge, WinJudge

__all__ = ["EffectTrial", "ExistsTrial", "RatioTrial"]


@final
class ExistsTrial(OfPrompts[OfMeans | WinJudge]):
    """The mean read-out of the whole model against a threshold."""

    def __init__(self, claim: ExistsClaim, context: Context) -> None:
        """Start without prompts; rates are judged exactly, other means by their spread."""
        file = context.file
        name = f"The model's mean {file.readout.replace('_', ' ')}"
        judge = (
            WinJudge(
                claim.threshold,
                file.alpha,
                claim.direction,
                margin=claim.margin,
                quantity="The model's accuracy",
                units="prompts",
            )
            if claim.is_rate(file.readout)
            else mean_judge(claim, file, quantity=name, bounds=file.range)
        )
        super().__init__(claim, context, judge)

    def wants(self) -> tuple[Wanted, ...]:
        """Return the whole model."""
        return () if self._judge.is_settled else (WHOLE,)

    def take(self, scores: Scores, rows: range) -> None:
        """Take in one batch."""
        if self.wants():
            self._judge.add(scores[WHOLE])
            self._means.add(model=scores[WHOLE])


@final
class EffectTrial(OfPrompts[OfMeans | OfRatios]):
    """The mean of an effect, or a ratio of means where the query is one, against a threshold."""

    def __init__(self, claim: EffectClaim, context: Context) -> None:
        """Start without prompts."""
        file, query = context.file, context.query
        if query is None:
            raise InternalError(f"The effect {claim.id} was not read.")
        self._effect = query.contrasts[0][1]
        self._divisor, self._given = query.denominator, query.given
        name = name_of(query)
        judge = (
            mean_judge(claim, file, quantity=name)
            if self._divisor is None
            # what it is divided by may have either sign
            else ratio_judge(
                claim, file, quantity=name, gate_alpha=GATE_ALPHA / 2, of_readouts=False
            )
        )
        self._sign = 0.0
        super().__init__(claim, replace(context, circuit=query.treated[0]), judge)

    def wants(self) -> tuple[Wanted, ...]:
        """Return the effect, and what it is divided by or conditioned on."""
        if self._judge.is_settled:
            return ()
        others = (scalar for scalar in (self._divisor, self._given) if scalar is not None)
        return (self._effect, *others)

    def take(self, scores: Scores, rows: range) -> None:
        """Take in one batch; prompts outside the condition do not count."""
        if not self.wants():
            return
        effect = scores[self._effect]
        counted = np.ones(len(effect), dtype=bool)
        if self._given is not None:
            counted = scores[self._given] > 0
        if not counted.any():
            return
        columns = {"effect": effect[counted]}
        if isinstance(self._judge, RatioJudge | BoundedRatioJudge) and self._divisor is not None:
            columns["divided_by"] = scores[self._divisor][counted]
            # The first prompts decide which sign; a ratio is the same with both signs turned.
            self._sign = self._sign or (-1.0 if columns["divided_by"].sum() < 0 else 1.0)
            self._judge.add(*(self._sign * column for column in columns.values()))
        elif isinstance(self._judge, MeanJudge | BoundedJudge):
            self._judge.add(columns["effect"])
        self._means.add(**columns)


@final
class RatioTrial(OfPrompts[OfRatios]):
    """Faithfulness (C - E) / (M - E), or necessity (M - K) / (M - E), against a threshold."""

    def __init__(
        self,
        claim: FaithfulClaim | NecessaryClaim,
        context: Context,
    ) -> None:
        """Start without prompts; of a partial ablation the draws are averaged."""
        file, circuit, universe = context.file, context.circuit, context.universe
        self._is_faithful = isinstance(claim, FaithfulClaim)
        regime = Regime.KEPT if self._is_faithful else Regime.KNOCKED_OUT
        drawn = claim.by_chance
        self._parts: list[Wanted] = (
            [(regime, circuit)]
            if drawn is None
            else partly(regime, circuit, universe, drawn.probability, drawn.draws, drawn.seed)
        )
        self._sign, self._outside = sign_of(file), 0
        judge = ratio_judge(
            claim, file, quantity="Faithfulness" if self._is_faithful else "Necessity"
        )
        super().__init__(claim, context, judge)

    def wants(self) -> tuple[Wanted, ...]:
        """Return the whole model, everything ablated, and the circuit kept or knocked out."""
        return () if self._judge.is_settled else (WHOLE, EMPTY, *self._parts)

    def take(self, scores: Scores, rows: range) -> None:
        """Take in one batch."""
        if not self.wants():
            return
        mean = np.asarray(np.mean([scores[one] for one in self._parts], axis=0))
        (model, first), (empty, second), (part, third) = (
            inside(one, self.context.file) for one in (scores[WHOLE], scores[EMPTY], mean)
        )
        self._outside += first + second + third
        model, empty, part = (self._sign * one for one in (model, empty, part))
        self._judge.add(part - empty if self._is_faithful else model - part, model - empty)
        name = "circuit_alone" if self._is_faithful else "circuit_knocked_out"
        raw = {name: mean}
        self._means.add(model=scores[WHOLE], everything_ablated=scores[EMPTY], **raw)

    @property
    def evidence(self) -> Mapping[str, Any]:
        """How many read-outs lay outside the declared range, if any did."""
        return {"clipped_readouts": self._outside} if self._outside else {}
