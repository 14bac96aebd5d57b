"""The trial of a claim that an interpretation survives causal scrubbing."""

from collections.abc import Mapping
from typing import Any, final

import numpy as np

from causalnet.abstraction import (
    Feature,
    Interpretation,
    InterpretationNode,
    Resampling,
    answer,
    anything,
    identity,
    scrub,
    token_at,
)
from causalnet.claims.kinds.scrubbing import FeatureSpec, NodeSpec, ScrubbedClaim
from causalnet.claims.trials.judging import ratio_judge
from causalnet.claims.trials.protocol import Context, OfPrompts, sign_of
from causalnet.interventions import READOUTS
from causalnet.statistics import BoundedRatioJudge, RatioJudge

__all__ = ["ScrubbedTrial"]

_FEATURES: Mapping[str, Feature] = {"identity": identity, "anything": anything, "answer": answer}


@final
class ScrubbedTrial(OfPrompts[RatioJudge | BoundedRatioJudge]):
    """What scrubbing recovers, on all test prompts at one look."""

    def __init__(self, claim: ScrubbedClaim, context: Context) -> None:
        """Start without a run; the members are the mediators that are interpreted."""
        judge = ratio_judge(
            claim, context.file, quantity="The share recovered by scrubbing", of_readouts=False
        )
        super().__init__(claim, context, judge)
        self._settings = claim
        graph = context.hearing.net.graph
        names = (name for node in claim.interpretation for name in node.mediators)
        self.circuit = tuple(dict.fromkeys(graph.find(name) for name in names if name != "logits"))
        self._evidence: dict[str, Any] = {}

    def conclude(self) -> None:
        """Scrub."""
        claim, hearing = self._settings, self.context.hearing
        pairs = hearing.pairs("test")
        variant = Resampling(
            unimportant=claim.unimportant,
            data=claim.data,
            again=claim.again,
            among=claim.among,
            floor=claim.floor,
            draws=claim.draws,
        )
        found = scrub(
            hearing.net,
            Interpretation(tuple(map(_node, claim.interpretation))),
            pairs,
            readout=READOUTS[self.context.file.readout],
            population=hearing.pairs("find") if claim.population == "find" else None,
            resampling=variant,
            seed=claim.seed,
            executor="hooks",
            batch_size=hearing.meter.batch_size,
            recall=hearing.remember,
        )
        hearing.used = len(pairs)
        sign = sign_of(self.context.file)
        model, floor, kept = found.model, found.random.mean(0), found.scrubbed.mean(0)
        self._judge.add(sign * (kept - floor), sign * (model - floor))
        self._means.add(model=model, on_random_data=floor, scrubbed=np.asarray(kept))
        self._evidence = {"scrubbed": found.to_json()}

    @property
    def evidence(self) -> Mapping[str, Any]:
        """What was drawn, how many prompts agree, and warnings."""
        return self._evidence


def _node(spec: NodeSpec) -> InterpretationNode:
    feature = (
        token_at(spec.feature.token)
        if isinstance(spec.feature, FeatureSpec)
        else _FEATURES[spec.feature]
    )
    return InterpretationNode(
        spec.name, spec.mediators, feature, spec.parents, spec.at, spec.enters
    )
