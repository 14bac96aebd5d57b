"""The trial of a claim that nothing outside a circuit takes over once it is gone."""

from collections.abc import Mapping
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from causalnet.claims.hearing import Scores
from causalnet.claims.kinds.completeness import NoBackupsClaim
from causalnet.claims.running_means import RunningMeans
from causalnet.claims.schema import ClaimFile
from causalnet.claims.trials.judging import GATE_ALPHA, inside
from causalnet.claims.trials.protocol import (
    EMPTY,
    WHOLE,
    Context,
    Gate,
    TrialBase,
    sign_of,
    without_behaviour,
)
from causalnet.claims.trials.several import EQUAL, Several
from causalnet.faithfulness import Member, Regime, Wanted
from causalnet.statistics import (
    BoundedRatioSequence,
    Decision,
    RatioSequence,
    Reason,
    TracePoint,
    Verdict,
)
from causalnet.statistics.mixture import MINIMUM_N

__all__ = ["BackupsTrial"]

Array = NDArray[np.float64]


@final
class BackupsTrial(TrialBase):
    """Conditional co-ablation: what gains an effect once the circuit is ablated.

    All units outside the circuit are screened on the finding prompts, and those that gain most are
    tested on the others.
    """

    def __init__(self, claim: NoBackupsClaim, context: Context) -> None:
        """Start without prompts."""
        super().__init__(claim, context)
        self._settings = claim
        self._gate = Gate(context.file)
        self._gone: Wanted = (Regime.KNOCKED_OUT, self.circuit)
        self._screened: dict[Member, tuple[float, float]] = {}
        self._behaviour = np.nan
        self._tested: dict[str, Member] = {}
        self._several: Several | None = None
        self._means = RunningMeans()
        self._n, self._trace = 0, list[TracePoint]()
        self._settled: Decision | None = None

    def prepare(self) -> None:
        """Screen everything outside the circuit, and choose what is tested."""
        hearing, file = self.context.hearing, self.context.file
        others = tuple(one for one in self.context.universe if one not in self.circuit)
        count = len(hearing.pairs("find"))
        rows = range(min(count, self._settings.prompts or count))
        batches = -(-len(rows) // file.batch)
        hearing.begin("screen for backups", (2 * len(others) + 3) * batches)
        wanted = (part for one in others for part in self._parts(one))
        scores = hearing.sweep("find", (WHOLE, self._gone, *wanted), rows)
        sign = sign_of(file)
        self._screened = {
            one: (
                sign * float((scores[self._gone] - scores[both]).mean()),
                sign * float((scores[WHOLE] - scores[alone]).mean()),
            )
            for one in others
            for both, alone in [self._parts(one)]
        }
        largest = sorted(others, key=lambda one: -self._takeover(one))[: self._settings.candidates]
        self._tested = {str(one): one for one in largest}
        bound = self._settings.at_most
        self._several = Several(
            tuple(self._tested),
            lambda alpha: _sequence(file, alpha, bound),
            file.alpha,
            bound,
            both_sides=False,
        )

    def _parts(self, unit: Member) -> tuple[Wanted, Wanted]:
        """Return a unit's ablation with the circuit's, and alone."""
        together = tuple(one for one in self.context.universe if one == unit or one in self.circuit)
        return (Regime.KNOCKED_OUT, together), (Regime.KNOCKED_OUT, (unit,))

    def _takeover(self, unit: Member) -> float:
        after, before = self._screened[unit]
        return after - before

    def wants(self) -> tuple[Wanted, ...]:
        """Return the whole model, everything ablated, and candidates with and without the rest."""
        if self._settled is not None or self._several is None:
            return ()
        tried = (part for one in self._tested.values() for part in self._parts(one))
        return (WHOLE, EMPTY, self._gone, *tried)

    def take(self, scores: Scores, rows: range) -> None:
        """Take in one batch."""
        several = self._several
        if several is None or self._settled is not None:
            return
        self._gate.take(scores)
        file, sign = self.context.file, sign_of(self.context.file)

        def read(wanted: Wanted) -> Array:
            return sign * inside(scores[wanted], file)[0]

        whole, gone = read(WHOLE), read(self._gone)
        for name, unit in self._tested.items():
            both, alone = map(read, self._parts(unit))
            several.add(name, (gone - both) - (whole - alone), whole - read(EMPTY))
        self._means.add(
            model=scores[WHOLE],
            everything_ablated=scores[EMPTY],
            circuit_knocked_out=scores[self._gone],
        )
        self._n += len(rows)
        self._look(several)

    def _look(self, several: Several) -> None:
        gate = self._gate.decision()
        if gate.verdict is Verdict.REFUTED:
            self._settled = without_behaviour(self._decided(several), gate)
        if gate.verdict is not Verdict.SUPPORTED:
            return
        worst = several.worst()
        reach = several.reach(worst)
        if reach is not None:
            size = several.estimate(worst)
            self._trace.append(TracePoint(self._n, size, reach.low, reach.high))
        if several.beyond() or several.are_within():
            self._settled = self._decided(several)

    @property
    def is_settled(self) -> bool:
        """Whether the verdict is final."""
        return self._settled is not None

    def decision(self) -> Decision:
        """Give the verdict as if no further prompt came."""
        if self._settled is not None:
            return self._settled
        if self._several is None or not self._n:
            few = Reason.TOO_FEW_PROMPTS
            return self._answer(Verdict.INCONCLUSIVE, few, "There are no prompts.", None)
        gate = self._gate.decision()
        if gate.verdict is not Verdict.SUPPORTED and self._n >= MINIMUM_N:
            return without_behaviour(self._decided(self._several), gate)
        return self._decided(self._several)

    def _decided(self, several: Several) -> Decision:
        beyond, bound = several.beyond(), self._settings.at_most
        worst = beyond[0] if beyond else several.worst()
        reach = several.reach(worst, corrected=bool(beyond))
        known = "" if reach is None else f", {reach.written(bound)}"
        gain = f"{several.estimate(worst):.3g} of the behaviour{known}"
        after = f"after {self._n} prompts"
        if beyond:
            others = f"; so do {', '.join(beyond[1:6])}" if beyond[1:] else ""
            return self._answer(
                Verdict.REFUTED,
                Reason.REFUTED_BY_INTERVAL,
                f"{worst} takes over: once the circuit is ablated its effect grows by {gain} "
                f"(corrected for {len(self._tested)} candidates), above {bound:g} {after}{others}.",
                worst,
            )
        screened = (
            f"Of {len(self._screened)} units outside the circuit, the {len(self._tested)} that "
            "gained most on the finding prompts were tested"
        )
        if several.are_within():
            return self._answer(
                Verdict.SUPPORTED,
                Reason.SUPPORTED_BY_INTERVAL,
                f"{screened}: no backup was found. The largest gain is that of {worst}, {gain}, "
                f"below {bound:g} {after}.",
                worst,
            )
        left = several.open()
        listed = ", ".join(left[:5]) + (" …" if len(left) > 5 else "")
        is_flat = several.is_unknown and self._n >= MINIMUM_N
        return self._answer(
            Verdict.INCONCLUSIVE,
            Reason.NO_SPREAD if is_flat else Reason.TOO_FEW_PROMPTS,
            f"{screened}; of {listed} it is neither shown that the effect grows by less than "
            f"{bound:g} nor by more {after}. The largest gain is that of {worst}, {gain}."
            + (f" {EQUAL}" if is_flat else ""),
            worst,
        )

    def _answer(
        self, verdict: Verdict, reason: Reason, sentence: str, worst: str | None
    ) -> Decision:
        several = self._several
        is_refuted = verdict is Verdict.REFUTED
        known = several is not None and worst is not None
        return Decision(
            verdict=verdict,
            reason=reason,
            sentence=sentence,
            estimate=several.estimate(worst) if several and worst else np.nan,
            interval=several.reach(worst, corrected=is_refuted) if several and worst else None,
            threshold=self._settings.at_most,
            direction="at_most",
            alpha=self.context.file.alpha,
            n=self._n if known else 0,
            trace=tuple(self._trace),
        )

    @property
    def means(self) -> Mapping[str, float]:
        """Mean read-outs, over the prompts that were taken in."""
        return self._means.means() if self._n else {}

    @property
    def evidence(self) -> Mapping[str, Any]:
        """The candidates as tested, and the screening that chose them."""
        shown = max(10, self._settings.candidates)
        ranked = sorted(self._screened, key=lambda one: -self._takeover(one))[:shown]
        return {
            "candidates": [] if self._several is None else self._several.to_json(),
            "screened": len(self._screened),
            "largest_on_finding_prompts": [
                {
                    "name": str(one),
                    "effect_without_circuit": self._screened[one][0],
                    "effect_in_model": self._screened[one][1],
                }
                for one in ranked
            ],
        }


def _sequence(file: ClaimFile, alpha: float, bound: float) -> RatioSequence | BoundedRatioSequence:
    """Return what follows a takeover, a difference of two differences, as a share of a third."""
    if file.range is None:
        return RatioSequence(alpha)
    width = file.range[1] - file.range[0]
    return BoundedRatioSequence(
        (-2 * width, 2 * width),
        (-width, width),
        alpha,
        GATE_ALPHA,
        ratios=(-2.0, 3.0),
        bounds=(bound,),
    )
