"""The trials of claims about high-level causal models."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any, final

import numpy as np

from causalnet.abstraction import (
    Alignment,
    Examples,
    InterchangeAccuracy,
    Interchanges,
    Rate,
    Rival,
    compare,
    disentangle,
    draw_interchanges,
    interchange_accuracy,
)
from causalnet.claims.hypotheses import alignment_of, errors_at, examples_of, model_of
from causalnet.claims.kinds.abstraction import (
    AbstractionClaim,
    AbstractsClaim,
    DisentanglesClaim,
    PrefersClaim,
)
from causalnet.claims.trials.protocol import Context, TrialBase
from causalnet.statistics import Decision, Interval, Reason, Verdict

__all__ = ["AbstractsTrial", "DisentanglesTrial", "PrefersTrial"]

_KEYS = ("hypothesis", "rival")  # of a claim, in the order of its hypotheses


class _AbstractionTrial(TrialBase):
    """Interchanges between test prompts, run after them; decided at one look."""

    def __init__(self, claim: Any, context: Context) -> None:
        """Start without a decision; the members are those that the hypotheses align."""
        super().__init__(claim, context)
        self._decision: Decision | None = None
        self._evidence: dict[str, Any] = {}
        self._made = [self._hypothesis(index) for index in range(len(claim.hypotheses))]
        graph, found = context.hearing.net.graph, []
        for index, spec in enumerate(claim.hypotheses):
            with self._errors_at(_KEYS[index], "alignment"):
                found += [graph.find(name) for own in spec.alignment.values() for name in own]
        self.circuit = tuple(dict.fromkeys(found))

    def _hypothesis(self, index: int) -> tuple[Any, Alignment]:
        spec, hearing = self._asked.hypotheses[index], self.context.hearing
        with self._errors_at(_KEYS[index], "python" if spec.python else "variables"):
            model = model_of(hearing.file, spec, allow_code=hearing.allow_code)
        return model, alignment_of(spec)

    def _errors_at(self, *keys: str) -> AbstractContextManager[None]:
        """Say of errors at which keys of the claim they are."""
        return errors_at(self.context.file, ("claims", self.context.seed[-1], *keys))

    @property
    def _asked(self) -> AbstractionClaim:
        claim: Any = self.claim
        asked: AbstractionClaim = claim
        return asked

    def _examples(self) -> Examples:
        hearing = self.context.hearing
        with self._errors_at(_KEYS[0], "inputs"):
            return examples_of(self._asked, hearing.net, hearing.pairs("test"))

    def _use_all(self) -> None:
        """Note that the prompts are used from the first to the last."""
        hearing = self.context.hearing
        hearing.used = len(hearing.pairs("test"))

    def _decide(
        self, verdict: Verdict, reason: Reason, sentence: str, shown: Rate | None, n: int
    ) -> None:
        found = None if shown is None else shown.interval
        self._decision = Decision(
            verdict=verdict,
            reason=reason,
            sentence=sentence,
            estimate=float("nan") if shown is None else shown.estimate,
            interval=found,
            threshold=self.claim.threshold,
            direction="at_least",
            alpha=self.context.file.alpha,
            n=n,
        )

    @property
    def is_settled(self) -> bool:
        """Whether the interchanges were run."""
        return self._decision is not None

    def decision(self) -> Decision:
        """Give the verdict; INCONCLUSIVE before the interchanges were run."""
        if self._decision is None:
            self._decide(
                Verdict.INCONCLUSIVE,
                Reason.TOO_FEW_PROMPTS,
                "The interchanges were not run.",
                None,
                0,
            )
        assert self._decision is not None  # decided just now
        return self._decision

    @property
    def evidence(self) -> Mapping[str, Any]:
        """What was measured, with the controls and the worst pair."""
        return self._evidence


@final
class AbstractsTrial(_AbstractionTrial):
    """Interchange accuracy, on both kinds of pairs and above every control."""

    def conclude(self) -> None:
        """Run the interchanges."""
        claim: Any = self.claim
        asked: AbstractsClaim = claim
        hearing, alpha = self.context.hearing, self.context.file.alpha
        model, alignment = self._made[0]
        pairs = draw_interchanges(
            model, self._examples(), asked.swapped, asked.pairs, seed=asked.seed, within=asked.alike
        )
        self._measured(asked, pairs, alignment, alpha, hearing)

    def _measured(
        self,
        asked: AbstractsClaim,
        pairs: Interchanges,
        alignment: Alignment,
        alpha: float,
        hearing: Any,
    ) -> None:
        found = interchange_accuracy(
            hearing.net,
            pairs,
            alignment,
            criterion=asked.criterion,
            draws=asked.draws,
            waive={str(name): why for name, why in asked.waive.items()},
            alpha=alpha,
            executor="hooks",
            batch_size=hearing.meter.batch_size,
            recall=hearing.remember,
        )
        self._use_all()
        self._evidence = {"interchange_accuracy": found.to_json()}
        self._judge(found, asked.at_least, alpha)

    def _judge(self, found: InterchangeAccuracy, least: float, alpha: float) -> None:
        sides = {"change the answer": found.cause, "keep it": found.isolate}
        n = found.overall.n
        worst_name, worst = min(sides.items(), key=lambda one: one[1].estimate)
        told = (
            f"{found.cause.hits} of {found.cause.n} pairs that should change the answer did as "
            f"predicted, and {found.isolate.hits} of {found.isolate.n} that should keep it"
        )
        # Either side refutes: half of the error for each.
        strict = {name: Rate(rate.hits, rate.n, alpha / 2) for name, rate in sides.items()}
        failed = [name for name, rate in strict.items() if _high(rate) < least]
        held = all(_low(rate) > least for rate in sides.values())
        waived = "".join(f" Waived: {name} ({why})." for name, why in found.waived)
        if failed:
            self._decide(
                Verdict.REFUTED,
                Reason.REFUTED_BY_INTERVAL,
                f"{told}; at least {least:g} was claimed of both, and pairs that should "
                f"{failed[0]} lie below.{waived}",
                sides[failed[0]],
                n,
            )
        elif held and not found.not_beaten:
            self._decide(
                Verdict.SUPPORTED,
                Reason.SUPPORTED_BY_INTERVAL,
                f"{told}; both above {least:g}, and above every control that can tell.{waived}",
                worst,
                n,
            )
        elif held:
            self._decide(
                Verdict.INCONCLUSIVE,
                Reason.CONTROL_NOT_BEATEN,
                f"{told}, both above {least:g}; but not shown to do better than "
                f"{', '.join(found.not_beaten)}.{waived}",
                worst,
                n,
            )
        else:
            self._decide(
                Verdict.INCONCLUSIVE,
                Reason.TOO_FEW_PROMPTS,
                f"{told}; whether pairs that should {worst_name} reach {least:g} is not "
                f"decided: more pairs would tell.{waived}",
                worst,
                n,
            )


def _low(rate: Rate) -> float:
    return 0.0 if rate.interval is None else rate.interval.low


def _high(rate: Rate) -> float:
    return 1.0 if rate.interval is None else rate.interval.high


@final
class PrefersTrial(_AbstractionTrial):
    """Two hypotheses on the pairs for which they predict different answers."""

    def conclude(self) -> None:
        """Run both on the pairs that tell them apart."""
        claim: Any = self.claim
        asked: PrefersClaim = claim
        hearing, alpha = self.context.hearing, self.context.file.alpha
        rivals = [
            Rival(spec.name, model, tuple(spec.alignment), alignment)
            for spec, (model, alignment) in zip(asked.hypotheses, self._made, strict=True)
        ]
        found = compare(
            hearing.net,
            rivals[0],
            rivals[1],
            self._examples(),
            asked.pairs,
            seed=asked.seed,
            within=asked.alike,
            criterion=asked.criterion,
            alpha=alpha,
            executor="hooks",
            batch_size=hearing.meter.batch_size,
            recall=hearing.remember,
        )
        self._use_all()
        self._evidence = {"comparison": found.to_json()}
        paired, names = found.paired, found.names
        told = (
            f"On {found.n} pairs for which they predict different answers, {names[0]} alone was "
            f"right {paired.wins} times and {names[1]} alone {paired.losses} times"
        )
        if found.is_underdetermined:
            searched = "all" if found.is_exhaustive else "none of"
            self._decide(
                Verdict.INCONCLUSIVE,
                Reason.UNDERDETERMINED,
                f"{names[0]} and {names[1]} predict the same answer on {searched} "
                f"{found.searched} pairs that were searched: more of these prompts will not tell "
                "them apart.",
                None,
                0,
            )
        elif paired.is_above:
            self._decide(
                Verdict.SUPPORTED, Reason.SUPPORTED_BY_INTERVAL, f"{told}.", paired.decided, found.n
            )
        elif paired.reversed().is_above:
            self._decide(
                Verdict.REFUTED, Reason.REFUTED_BY_INTERVAL, f"{told}.", paired.decided, found.n
            )
        else:
            self._decide(
                Verdict.INCONCLUSIVE,
                Reason.TOO_FEW_PROMPTS,
                f"{told}, which decides nothing.",
                paired.decided,
                found.n,
            )


@final
class DisentanglesTrial(_AbstractionTrial):
    """The disentangle score of one attribute's mediators."""

    def conclude(self) -> None:
        """Run the swaps on held-out examples."""
        claim: Any = self.claim
        asked: DisentanglesClaim = claim
        hearing, alpha = self.context.hearing, self.context.file.alpha
        model, alignment = self._made[0]
        found = disentangle(
            hearing.net,
            model,
            alignment,
            self._examples(),
            asked.attribute,
            asked.pairs,
            question=asked.question,
            seen=asked.seen or None,
            seed=asked.seed,
            within=asked.alike,
            criterion=asked.criterion,
            draws=asked.draws,
            waive={str(name): why for name, why in asked.waive.items()},
            alpha=alpha,
            executor="hooks",
            batch_size=hearing.meter.batch_size,
            recall=hearing.remember,
        )
        self._use_all()
        self._evidence = {"disentanglement": found.to_json()}
        # A union bound over the rates that the score is made of.
        share = alpha / (1 + len(found.isolate))
        cause = Rate(found.cause.hits, found.cause.n, share)
        others = [Rate(one.hits, one.n, share) for one in found.isolate.values()]
        low = (_low(cause) + float(np.mean([_low(one) for one in others]))) / 2
        high = (_high(cause) + float(np.mean([_high(one) for one in others]))) / 2
        interval = Interval(low, high, 1 - 2 * alpha, "union_of_beta_mixture_sequences")
        told = (
            f"The disentangle score of {asked.attribute} is {found.score:.3g}, "
            f"{interval.written(asked.at_least)}: Cause {found.cause.estimate:.3g}, mean Isolate "
            f"{2 * found.score - found.cause.estimate:.3g}, on {found.accuracy.overall.n} pairs"
        )
        beaten = found.accuracy.not_beaten
        verdict, reason = Verdict.INCONCLUSIVE, Reason.TOO_FEW_PROMPTS
        if high < asked.at_least:
            verdict, reason = Verdict.REFUTED, Reason.REFUTED_BY_INTERVAL
        elif low > asked.at_least and not beaten:
            verdict, reason = Verdict.SUPPORTED, Reason.SUPPORTED_BY_INTERVAL
        elif low > asked.at_least:
            reason = Reason.CONTROL_NOT_BEATEN
            told += f"; not shown to do better than {', '.join(beaten)}"
        self._decision = Decision(
            verdict=verdict,
            reason=reason,
            sentence=f"{told}.",
            estimate=found.score,
            interval=interval,
            threshold=asked.at_least,
            direction="at_least",
            alpha=alpha,
            n=found.accuracy.overall.n,
        )
