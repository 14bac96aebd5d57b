"""The trial of a claim that a circuit lets one predict the model."""

from collections.abc import Mapping
from typing import Any, final

from causalnet.abstraction import CircuitSimulator, draw_interventions, simulatability
from causalnet.claims.kinds.simulation import SimulatesClaim
from causalnet.claims.trials.protocol import Context, TrialBase
from causalnet.errors import ParameterError
from causalnet.statistics import Decision, Reason, Verdict, verdict_of, verdict_within

__all__ = ["SimulatesTrial"]


@final
class SimulatesTrial(TrialBase):
    """What the circuit adds to predictions, on all test prompts at one look; a bootstrap."""

    def __init__(self, claim: SimulatesClaim, context: Context) -> None:
        """Start without a run."""
        super().__init__(claim, context)
        self._settings = claim
        self._decision: Decision | None = None
        self._evidence: dict[str, Any] = {}

    def conclude(self) -> None:
        """Ask the circuit and predictors without it."""
        claim, hearing = self._settings, self.context.hearing
        test, finding = hearing.pairs("test"), hearing.pairs("find")
        used = draw_interventions(
            hearing.universe, self.circuit, claim.interventions, largest=claim.largest,
            seed=claim.seed,
        )  # fmt: skip
        held_out = draw_interventions(
            hearing.universe, self.circuit, claim.interventions, largest=claim.largest,
            seed=claim.seed + 1, excluding=used,
        )  # fmt: skip
        simulator = CircuitSimulator(
            hearing.scorer, self.circuit, held_out, used, reading=hearing.meter.read
        )
        alpha = self.context.file.alpha
        found = simulatability(simulator, test, finding, level=1 - 2 * alpha, seed=claim.seed)
        hearing.used = len(test)
        scores = found.forward if claim.question == "forward" else found.counterfactual
        self._evidence = {"simulatability": found.to_json()}
        if scores is None or not scores.effects:
            raise ParameterError(
                f"There is nothing to compare the circuit with on {claim.question} questions.",
                "Predictors without the claim learn on the finding prompts.",
                "Name other prompts with 'found: {task: …}'.",
            )
        effect = scores.effect
        within = claim.within
        verdict = (
            verdict_of(effect.interval, claim.threshold, claim.direction)
            if within is None
            else verdict_within(effect.interval, *within)
        )
        reasons = {
            Verdict.SUPPORTED: Reason.SUPPORTED_BY_INTERVAL,
            Verdict.REFUTED: Reason.REFUTED_BY_INTERVAL,
        }
        self._decision = Decision(
            verdict=verdict,
            reason=reasons.get(verdict, Reason.TOO_FEW_PROMPTS),
            sentence=(
                f"The circuit answers {scores.claim.balanced:.3g} of {scores.questions} "
                f"{claim.question} questions rightly, every outcome counting alike: "
                f"{effect.value:+.3g} over {effect.over}, "
                f"{effect.interval.written(claim.threshold)} by bootstrap over {scores.prompts} "
                "prompts, an approximation."
            ),
            estimate=effect.value,
            interval=effect.interval,
            threshold=claim.threshold,
            direction=claim.direction,
            alpha=alpha,
            n=scores.prompts,
            within=within,
        )

    @property
    def is_settled(self) -> bool:
        """Whether it was run."""
        return self._decision is not None

    def decision(self) -> Decision:
        """Give the verdict; INCONCLUSIVE before it was run."""
        return self._decision or Decision(
            verdict=Verdict.INCONCLUSIVE,
            reason=Reason.TOO_FEW_PROMPTS,
            sentence="The questions were not asked.",
            estimate=float("nan"),
            interval=None,
            threshold=self._settings.threshold,
            direction=self._settings.direction,
            alpha=self.context.file.alpha,
            n=0,
            within=self._settings.within,
        )

    @property
    def evidence(self) -> Mapping[str, Any]:
        """All scores, with the claim and without."""
        return self._evidence
