"""Trials of claims that nothing of a behaviour is left outside a circuit."""

from collections.abc import Mapping
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from causalnet.claims.circuits import place_error
from causalnet.claims.hearing import Scores
from causalnet.claims.kinds.completeness import CompleteClaim
from causalnet.claims.schema import ClaimFile
from causalnet.claims.trials.agreement import OfRates, rate_judge
from causalnet.claims.trials.judging import OfRatios, inside, ratio_judge
from causalnet.claims.trials.protocol import (
    EMPTY,
    WHOLE,
    Context,
    OfPrompts,
    Trial,
    TrialBase,
    sign_of,
)
from causalnet.claims.trials.sets import GreedySearch, Set, without
from causalnet.claims.trials.several import EQUAL, Several
from causalnet.claims.trials.tolerance import Tolerance
from causalnet.faithfulness import Regime, Wanted
from causalnet.statistics import (
    BoundedSequence,
    Decision,
    MeanSequence,
    Reason,
    TracePoint,
    Verdict,
)
from causalnet.statistics.mixture import MINIMUM_N

__all__ = ["complete_trial"]

Array = NDArray[np.float64]


def complete_trial(claim: CompleteClaim, context: Context) -> Trial:
    """Return the trial of what a circuit lacks, by the way that the claim names."""
    match claim.by:
        case "remainder":
            return RemainderTrial(claim, context)
        case "random":
            return RandomSetsTrial(claim, context)
        case "classes" | "adversarial":
            return SetsTrial(claim, context)


@final
class RemainderTrial(OfPrompts[OfRatios]):
    """What the model does without the circuit, as a share of the behaviour."""

    def __init__(self, claim: CompleteClaim, context: Context) -> None:
        """Start without prompts."""
        judge = ratio_judge(claim, context.file, quantity="What is left without the circuit")
        super().__init__(claim, context, judge)
        self._rest: Wanted = (Regime.KNOCKED_OUT, self.circuit)

    def wants(self) -> tuple[Wanted, ...]:
        """Return the whole model, everything ablated, and the circuit knocked out."""
        return () if self._judge.is_settled else (WHOLE, EMPTY, self._rest)

    def take(self, scores: Scores, rows: range) -> None:
        """Take in one batch."""
        if not self.wants():
            return
        file = self.context.file
        model, empty, rest = (inside(scores[one], file)[0] for one in (WHOLE, EMPTY, self._rest))
        sign = sign_of(file)
        self._judge.add(sign * (rest - empty), sign * (model - empty))
        self._means.add(model=model, everything_ablated=empty, circuit_knocked_out=rest)


@final
class RandomSetsTrial(OfPrompts[OfRates]):
    """The share of random sets that the circuit and the model miss alike, exact.

    Each set is drawn afresh and tried on prompts of its own, so that the answers are independent.
    """

    def __init__(self, claim: CompleteClaim, context: Context) -> None:
        """Start without sets."""
        self._settings = claim
        size, members = claim.size or 1, len(context.circuit)
        if size >= members:
            raise place_error(
                context.file,
                ("claims", context.file.claims.index(claim), "size"),
                f"Sets of {size} members of a circuit of {members}.",
                "K is a part of the circuit; all of it is what 'by: remainder' is about.",
                f"Write 'size: {max(1, members // 2)}'.",
            )
        judge = rate_judge(
            claim,
            context.file,
            quantity=f"The share of sets of {size} members that circuit and model miss alike",
            units="random sets",
        )
        super().__init__(claim, context, judge)
        self._tolerance = Tolerance(claim.tolerance, claim.epsilon)
        self._rng = np.random.default_rng([*context.seed, size])
        self._tried: list[dict[str, Any]] = []

    def prepare(self) -> None:
        """Measure on the finding prompts what the tolerance is a share of."""
        self._tolerance.measure(self.context.hearing)

    def conclude(self) -> None:
        """Try sets, each on the next test prompts, until the judge has settled."""
        hearing, each = self.context.hearing, self._settings.tried_on
        count = 0 if self._tolerance.is_absent else len(hearing.pairs("test")) // each
        batches = -(-each // hearing.file.batch)
        hearing.begin("try random sets of members", 3 * count * batches)
        for number in range(count):
            if self._judge.is_settled:
                break
            chosen = self._rng.choice(len(self.circuit), self._settings.size, replace=False)
            members = tuple(self.circuit[place] for place in sorted(chosen))
            rows = range(number * each, (number + 1) * each)
            kept, knocked_out = without(self.circuit, members)
            scores = hearing.read("test", (kept, knocked_out), rows)
            self._try(members, scores[kept], scores[knocked_out])

    def _try(self, members: Set, kept: Array, knocked_out: Array) -> None:
        kept, knocked_out = (inside(one, self.context.file)[0] for one in (kept, knocked_out))
        gap = float((kept - knocked_out).mean())
        self._judge.add([float(abs(gap) <= (self._tolerance.value or 0.0))])
        self._means.add(circuit_without_K=kept, model_without_K=knocked_out)
        self._tried.append({"members": list(map(str, members)), "gap": gap})

    @property
    def is_settled(self) -> bool:
        """Whether the verdict is final."""
        return self._tolerance.is_absent or self._judge.is_settled

    def decision(self) -> Decision:
        """Give the verdict as if no further set came."""
        decision = self._judge.decision()
        return self._tolerance.undefined(decision) if self._tolerance.is_absent else decision

    @property
    def evidence(self) -> Mapping[str, Any]:
        """The tolerance, and the sets with the largest differences."""
        worst = sorted(self._tried, key=lambda one: -abs(one["gap"]))[:10]
        return {**self._tolerance.evidence, "sets": len(self._tried), "largest": worst}


@final
class SetsTrial(TrialBase):
    """Sets that are declared, or the worst one that a search finds: do both miss them alike?"""

    def __init__(self, claim: CompleteClaim, context: Context) -> None:
        """Start without prompts."""
        super().__init__(claim, context)
        self._settings = claim
        self._tolerance = Tolerance(claim.tolerance, claim.epsilon)
        self._sets: dict[str, Set] = {} if claim.classes is None else self._read_classes()
        self._found: dict[str, Any] = {}
        self._several: Several | None = None
        self._n, self._trace = 0, list[TracePoint]()
        self._settled: Decision | None = None
        self._sums: dict[str, Array] = {}

    def _read_classes(self) -> dict[str, Set]:
        by_name = {str(member): member for member in self.circuit}
        file = self.context.file
        found: dict[str, Set] = {}
        for name, members in (self._settings.classes or {}).items():
            strange = [one for one in members if one not in by_name]
            if strange or len(set(members)) < len(members):
                raise place_error(
                    file,
                    ("claims", file.claims.index(self._settings), "classes"),
                    f"The class {name!r} names {strange[0]!r}, which is not in the circuit."
                    if strange
                    else f"The class {name!r} names a member twice.",
                    "A class is a set of members of the circuit.",
                    f"Write for example '{name}: [{self.circuit[0]}]'.",
                )
            found[name] = tuple(map(by_name.__getitem__, members))
        return found

    def prepare(self) -> None:
        """Measure the tolerance, and search for the worst set where none are declared."""
        hearing = self.context.hearing
        self._tolerance.measure(hearing)
        if self._tolerance.value is None:
            return
        if not self._sets:
            search = GreedySearch(self.circuit, self._settings.tries, self.context)
            members = search.worst()
            self._found = search.to_json(members)
            self._sets = {"{" + ", ".join(map(str, members)) + "}": members}
        file = self.context.file
        self._several = Several(
            tuple(self._sets),
            lambda alpha: _sequence(file, alpha),
            file.alpha,
            self._tolerance.value,
            both_sides=True,
        )

    def wants(self) -> tuple[Wanted, ...]:
        """Return the circuit without every set, and the model without it."""
        if self._several is None or self.is_settled:
            return ()
        return tuple(one for members in self._sets.values() for one in self._both(members))

    def _both(self, members: Set) -> tuple[Wanted, Wanted]:
        return without(self.circuit, members)

    def take(self, scores: Scores, rows: range) -> None:
        """Take in one batch."""
        several = self._several
        if several is None or self.is_settled:
            return
        file = self.context.file
        for name, members in self._sets.items():
            kept, knocked_out = (inside(scores[one], file)[0] for one in self._both(members))
            several.add(name, kept - knocked_out)
            sums = np.array([kept.sum(), knocked_out.sum()])
            self._sums[name] = self._sums.get(name, np.zeros(2)) + sums
        self._n += len(rows)
        worst = several.worst()
        reach = several.reach(worst)
        if reach is not None:
            size = several.size(worst)
            self._trace.append(TracePoint(self._n, size, reach.low, reach.high))
        if several.beyond() or several.are_within():
            self._settled = self._decided(several)

    @property
    def is_settled(self) -> bool:
        """Whether the verdict is final."""
        return self._settled is not None or self._tolerance.is_absent

    def decision(self) -> Decision:
        """Give the verdict as if no further prompt came."""
        if self._several is None or self._n == 0:
            nothing = self._answer(
                Verdict.INCONCLUSIVE, Reason.TOO_FEW_PROMPTS, "There are no prompts.", np.nan, None
            )
            absent = self._tolerance.is_absent
            return self._tolerance.undefined(nothing) if absent else nothing
        return self._settled or self._decided(self._several)

    def _decided(self, several: Several) -> Decision:
        beyond, bound = several.beyond(), f"{self._tolerance.value:.3g}"
        name = beyond[0] if beyond else several.worst()
        size = several.size(name)
        reach = several.reach(name, corrected=bool(beyond))
        known = "" if reach is None else f", {reach.written(self._tolerance.value)}"
        measured = f"|circuit without K - model without K| is {max(size, 0.0):.3g}{known}"
        unit, after = self.context.file.readout.replace("_", " "), f"after {self._n} prompts"
        if beyond:
            others = f"; so are {', '.join(beyond[1:6])}" if beyond[1:] else ""
            corrected = f" corrected for {len(self._sets)} classes," if len(self._sets) > 1 else ""
            return self._answer(
                Verdict.REFUTED,
                Reason.REFUTED_BY_INTERVAL,
                f"For K = {name} {measured} of {unit},{corrected} above {bound} {after}: without "
                f"it circuit and model differ{others}.",
                size,
                reach,
            )
        if several.are_within():
            return self._answer(
                Verdict.SUPPORTED,
                Reason.SUPPORTED_BY_INTERVAL,
                self._supported(name, measured, unit, f"below {bound} {after}"),
                size,
                reach,
            )
        is_flat = several.is_unknown and self._n >= MINIMUM_N
        left = several.open()
        listed = ", ".join(left[:5]) + (" …" if len(left) > 5 else "")
        return self._answer(
            Verdict.INCONCLUSIVE,
            Reason.NO_SPREAD if is_flat else Reason.TOO_FEW_PROMPTS,
            f"For K = {listed} the difference is neither shown to be below {bound} nor above "
            f"{after}; for K = {name} {measured} of {unit}." + (f" {EQUAL}" if is_flat else ""),
            size,
            reach,
        )

    def _supported(self, name: str, measured: str, unit: str, how: str) -> str:
        if self._settings.by == "classes":
            return (
                f"Each of the {len(self._sets)} classes is missed alike by circuit and model: the "
                f"largest difference is that of K = {name}, where {measured} of {unit}, {how}."
            )
        return (
            f"No set K was found, with {self._found['sets_tried']} tried on the finding prompts, "
            f"that circuit and model miss by more: for the worst one, K = {name}, {measured} of "
            f"{unit}, {how}. Sets that were not tried are not excluded."
        )

    def _answer(
        self, verdict: Verdict, reason: Reason, sentence: str, size: float, reach: Any
    ) -> Decision:
        value = self._tolerance.value
        return Decision(
            verdict=verdict,
            reason=reason,
            sentence=sentence,
            estimate=size,
            interval=reach,
            threshold=self._settings.threshold if value is None else value,
            direction="at_most",
            alpha=self.context.file.alpha,
            n=self._n,
            trace=tuple(self._trace),
        )

    @property
    def means(self) -> Mapping[str, float]:
        """Mean read-outs for the worst set, over the prompts that were taken in."""
        if self._several is None or not self._n:
            return {}
        kept, knocked_out = self._sums[self._several.worst()] / self._n
        return {"circuit_without_K": float(kept), "model_without_K": float(knocked_out)}

    @property
    def evidence(self) -> Mapping[str, Any]:
        """The tolerance, every set with its difference, and what a search found."""
        rows = [] if self._several is None else self._several.to_json()
        sets = [{**row, "members": list(map(str, self._sets[str(row["name"])]))} for row in rows]
        return {**self._tolerance.evidence, "sets": sets, **self._found}


def _sequence(file: ClaimFile, alpha: float) -> MeanSequence | BoundedSequence:
    """Return what follows a difference of two read-outs."""
    if file.range is None:
        return MeanSequence(alpha)
    width = file.range[1] - file.range[0]
    return BoundedSequence(alpha, -width, width)
