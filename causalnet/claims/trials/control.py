"""The trials of claims that a circuit serves its task more than other tasks."""

import math
from collections.abc import Mapping
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from causalnet.claims.hearing import Asked, Scores
from causalnet.claims.kinds.control import SelectiveClaim, SpecificClaim
from causalnet.claims.trials.judging import inside, share_sequence
from causalnet.claims.trials.minimality import size_of
from causalnet.claims.trials.protocol import (
    EMPTY,
    WHOLE,
    Context,
    Gate,
    TrialBase,
    sign_of,
    without_behaviour,
)
from causalnet.faithfulness import Regime, Wanted
from causalnet.statistics import Decision, Interval, Reason, TracePoint, Verdict
from causalnet.statistics.mixture import MINIMUM_N

__all__ = ["ControlledTrial"]

Array = NDArray[np.float64]


class _Necessity:
    """What knocking the circuit out takes from one task, as a share of its behaviour."""

    def __init__(self, context: Context, name: str, asked: Asked, ends: int) -> None:
        """Start without prompts; the error is split over so many ends."""
        file = context.file
        self.name, self.asked = name, asked
        self.gate = Gate(file)
        self.sequence = share_sequence(file, file.alpha / ends, (0.0,))
        self._file, self._sign = file, sign_of(file)

    def add(self, scores: Scores, without: Wanted) -> None:
        """Take in one batch."""
        self.gate.take(scores)
        model, empty, knocked = (
            self._sign * inside(scores[one], self._file)[0] for one in (WHOLE, EMPTY, without)
        )
        self.sequence.add(model - knocked, model - empty)

    @property
    def interval(self) -> Interval | None:
        """What is known of the share; None where there is no behaviour to take shares of."""
        is_there = self.gate.decision().verdict is Verdict.SUPPORTED
        return self.sequence.interval if is_there else None


@final
class ControlledTrial(TrialBase):
    """Necessity for the task against that for every control task.

    Task and controls have prompts of their own, so that their intervals are combined by a union
    bound: half of alpha for the task and half for the controls, of which every one must be passed.
    """

    def __init__(self, claim: SpecificClaim | SelectiveClaim, context: Context) -> None:
        """Start without prompts."""
        super().__init__(claim, context)
        self._settings = claim
        self._without: Wanted = (Regime.KNOCKED_OUT, context.circuit)
        self._task = _Necessity(context, "the task", "test", 2)
        ends = 4 * len(claim.controls)  # both ends of a control's share bound its size
        self._controls = [
            _Necessity(context, task.name or str(task.file), task, ends) for task in claim.controls
        ]
        self._settled: Decision | None = None
        self._trace: list[TracePoint] = []

    def wants(self) -> tuple[Wanted, ...]:
        """Return the whole model, everything ablated, and the circuit knocked out."""
        return () if self._settled is not None else (WHOLE, EMPTY, self._without)

    def take(self, scores: Scores, rows: range) -> None:
        """Take in one batch, and run as many prompts of every control task."""
        if self._settled is not None:
            return
        self._task.add(scores, self._without)
        for one in self._controls:
            count = len(self.context.hearing.pairs(one.asked))
            own = range(rows.start, min(rows.stop, count))
            if own:
                wanted = (WHOLE, EMPTY, self._without)
                one.add(self.context.hearing.read(one.asked, wanted, own), self._without)
        _, estimate, interval = self._least()
        if interval is not None:
            self._trace.append(
                TracePoint(self._task.sequence.n, estimate, interval.low, interval.high)
            )
        decided = self._decided()
        if decided.verdict in (Verdict.SUPPORTED, Verdict.REFUTED):
            self._settled = decided

    @property
    def is_settled(self) -> bool:
        """Whether the verdict is final."""
        return self._settled is not None

    def decision(self) -> Decision:
        """Give the verdict as if no further prompt came."""
        if self._settled is not None:
            return self._settled
        for one in (self._task, *self._controls):
            gate = one.gate.decision()
            if gate.verdict is not Verdict.SUPPORTED and gate.n >= MINIMUM_N:
                return without_behaviour(
                    self._decided(), gate, f"a behaviour on {one.name} to take shares of"
                )
        return self._decided()

    def _compared(self, control: _Necessity) -> tuple[float, Interval | None]:
        """Return the estimate and the interval of the comparison with one control."""
        task, other = self._task, control
        ours, theirs = task.sequence.estimate, abs(other.sequence.estimate)
        if isinstance(self._settings, SpecificClaim):
            estimate = _over(ours, theirs)
        else:
            estimate = ours - theirs
        mine, its = task.interval, other.interval
        if mine is None or its is None:
            return estimate, None
        least, most = size_of(its)
        if isinstance(self._settings, SpecificClaim):
            # Signs decide which end of the control's share makes the quotient smallest.
            low = _over(mine.low, most if mine.low > 0 else least)
            high = _over(mine.high, least if mine.high > 0 else most)
        else:
            low, high = mine.low - most, mine.high - least
        level = 1 - 2 * self.context.file.alpha
        return estimate, Interval(low, high, level, f"union_of_{mine.method}")

    def _least(self) -> tuple[_Necessity, float, Interval | None]:
        """Return the control that is nearest to the task; the interval holds for the least."""
        compared = [(one, *self._compared(one)) for one in self._controls]
        control, estimate, _ = min(compared, key=lambda found: found[1])
        intervals = [found[2] for found in compared]
        known = [one for one in intervals if one is not None]
        if len(known) < len(intervals):
            return control, estimate, None
        low, high = min(one.low for one in known), min(one.high for one in known)
        return control, estimate, Interval(low, high, known[0].level, known[0].method)

    def _decided(self) -> Decision:
        threshold, n = self._settings.threshold, self._task.sequence.n
        control, estimate, interval = self._least()
        quantity = self._settings.quantity.capitalize()
        said = f"{quantity} is {estimate:.3g}"
        if interval is not None:
            said += f", {interval.written(threshold)}"
        said += f", for the nearest control, {control.name}, after {n} prompts of the task"
        if interval is not None and interval.low >= threshold:
            verdict, reason = Verdict.SUPPORTED, Reason.SUPPORTED_BY_INTERVAL
            said += f"; at least {threshold:g}, as claimed."
        elif interval is not None and interval.high <= threshold:
            verdict, reason = Verdict.REFUTED, Reason.REFUTED_BY_INTERVAL
            said += f"; at least {threshold:g} was claimed."
        else:
            verdict, reason = Verdict.INCONCLUSIVE, Reason.TOO_FEW_PROMPTS
            said += f"; {threshold:g} is not excluded."
        return Decision(
            verdict=verdict,
            reason=reason,
            sentence=said,
            estimate=estimate,
            interval=interval,
            threshold=threshold,
            direction="at_least",
            alpha=self.context.file.alpha,
            n=n,
            trace=tuple(self._trace),
        )

    @property
    def evidence(self) -> Mapping[str, Any]:
        """The circuit's necessity for the task and for every control."""
        return {
            "necessity": [
                {
                    "task": one.name,
                    "share": None if math.isnan(one.sequence.estimate) else one.sequence.estimate,
                    "interval": None if one.interval is None else one.interval.to_json(),
                    "prompts": one.sequence.n,
                }
                for one in (self._task, *self._controls)
            ]
        }


def _over(numerator: float, denominator: float) -> float:
    """Divide, with 0 below taken for as small as can be."""
    if denominator > 0:
        return numerator / denominator
    return math.copysign(math.inf, numerator) if numerator else 0.0
