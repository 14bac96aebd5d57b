"""The trial of a claim that every member of a circuit matters inside it."""

import math
from collections.abc import Mapping
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from causalnet.claims.circuits import place_error
from causalnet.claims.hearing import Scores
from causalnet.claims.kinds.minimality import MinimalClaim
from causalnet.claims.trials.judging import inside, share_sequence
from causalnet.claims.trials.protocol import (
    EMPTY,
    WHOLE,
    Context,
    Gate,
    TrialBase,
    sign_of,
    without_behaviour,
)
from causalnet.faithfulness import Member, Regime, Wanted
from causalnet.statistics import Decision, Interval, Reason, TracePoint, Verdict
from causalnet.statistics.mixture import MINIMUM_N

__all__ = ["MinimalTrial", "size_of"]

Array = NDArray[np.float64]


def size_of(interval: Interval) -> tuple[float, float]:
    """Return the ends for the absolute value of a number that lies in an interval.

    >>> size_of(Interval(-0.2, 0.1, 0.9, "student_t"))
    (0.0, 0.2)
    >>> size_of(Interval(-0.2, -0.1, 0.9, "student_t"))
    (0.1, 0.2)
    """
    low, high = interval.low, interval.high
    least = max(low, -high, 0.0)
    return least, max(-low, high)


class _Removal:
    """What taking one member out does in one context, by two confidence sequences."""

    def __init__(
        self, member: Member, before: tuple[Member, ...], after: tuple[Member, ...]
    ) -> None:
        """Name what is kept before and after."""
        self.member, self.kept = member, before
        self.before: Wanted = (Regime.KEPT, before)
        self.after: Wanted = (Regime.KEPT, after)

    def start(self, claim: MinimalClaim, context: Context) -> None:
        """Start without prompts."""
        file, bounds = context.file, (-claim.effect, claim.effect)
        # It is shown to matter above or below 0, in any of its contexts ...
        self.matters = share_sequence(file, file.alpha / (2 * len(claim.contexts)), bounds)
        # ... and not to among all members, of which one is enough to refute.
        self.idle = share_sequence(file, file.alpha / len(context.circuit), bounds)

    def add(self, change: Array, whole: Array) -> None:
        """Take in the change of the read-out, and what it is a share of."""
        self.matters.add(change, whole)
        self.idle.add(change, whole)

    def is_shown(self, effect: float) -> bool:
        """Whether it was shown to be at least the effect: the ends are excluded themselves."""
        interval = self.matters.interval
        return interval is not None and size_of(interval)[0] >= effect

    def is_excluded(self, effect: float) -> bool:
        """Whether it was shown to be below the effect."""
        interval = self.idle.interval
        return interval is not None and size_of(interval)[1] <= effect


@final
class MinimalTrial(TrialBase):
    """Every member against the least effect: all shown to matter, or one shown not to."""

    def __init__(self, claim: MinimalClaim, context: Context) -> None:
        """Start without prompts."""
        super().__init__(claim, context)
        self._settings = claim
        self._check_classes()
        self._gate = Gate(context.file)
        by_name = {str(member): member for member in context.circuit}
        self._removals: list[_Removal] = []
        for index, before, after in claim.removals(tuple(by_name)):
            kept = [tuple(by_name[name] for name in names) for names in (before, after)]
            removal = _Removal(context.circuit[index], kept[0], kept[1])
            removal.start(claim, context)
            self._removals.append(removal)
        self._n = 0
        self._settled: Decision | None = None
        self._trace: list[TracePoint] = []

    def _check_classes(self) -> None:
        names = set(map(str, self.circuit))
        for members in self._settings.classes.values():
            for name in members:
                if name not in names:
                    claims = self.context.file.claims
                    raise place_error(
                        self.context.file,
                        ("claims", claims.index(self._settings), "classes"),
                        f"A class names {name!r}, which is not in the circuit.",
                        "Classes say which members of the circuit stand in for each other.",
                        f"Write for example {self.circuit[0]}.",
                    )

    def wants(self) -> tuple[Wanted, ...]:
        """Return the whole model, everything ablated, and the circuit less every member."""
        if self._settled is not None:
            return ()
        kept = (run for one in self._removals for run in (one.before, one.after))
        return (WHOLE, EMPTY, *dict.fromkeys(kept))

    def take(self, scores: Scores, rows: range) -> None:
        """Take in one batch."""
        if self._settled is not None:
            return
        self._gate.take(scores)
        file, sign = self.context.file, sign_of(self.context.file)

        def read(wanted: Wanted) -> Array:
            return sign * inside(scores[wanted], file)[0]

        whole = read(WHOLE) - read(EMPTY)
        for one in self._removals:
            one.add(read(one.before) - read(one.after), whole)
        self._n += len(rows)
        self._look()

    def _look(self) -> None:
        gate = self._gate.decision()
        if gate.verdict is Verdict.REFUTED:
            self._settled = without_behaviour(self._decided(), gate)
        if gate.verdict is not Verdict.SUPPORTED:
            return
        _, estimate, interval = self._least(self._idle())
        if interval is not None:
            self._trace.append(TracePoint(self._n, estimate, interval.low, interval.high))
        if self._shown() or self._idle():
            self._settled = self._decided()

    @property
    def is_settled(self) -> bool:
        """Whether the verdict is final."""
        return self._settled is not None

    def decision(self) -> Decision:
        """Give the verdict as if no further prompt came."""
        if self._settled is not None:
            return self._settled
        gate = self._gate.decision()
        if gate.verdict is not Verdict.SUPPORTED and self._n >= MINIMUM_N:
            return without_behaviour(self._decided(), gate)
        return self._decided()

    def _by_member(self) -> dict[Member, list[_Removal]]:
        found: dict[Member, list[_Removal]] = {}
        for one in self._removals:
            found.setdefault(one.member, []).append(one)
        return found

    def _shown(self) -> bool:
        effect, members = self._settings.effect, self._by_member().values()
        return all(any(one.is_shown(effect) for one in ways) for ways in members)

    def _idle(self) -> tuple[Member, ...]:
        """Return the members that were shown to matter in none of their contexts."""
        effect = self._settings.effect
        return tuple(
            member
            for member, ways in self._by_member().items()
            if all(one.is_excluded(effect) for one in ways)
        )

    def _least(self, idle: tuple[Member, ...]) -> tuple[str, float, Interval | None]:
        """Return the member with the smallest effect, its size and the interval of that.

        Where members were shown not to matter it is one of them, with the interval that shows it.
        """
        best: dict[Member, _Removal] = {}
        for member, ways in self._by_member().items():
            if not idle or member in idle:
                best[member] = max(ways, key=lambda one: _size(one.matters.estimate))
        member, removal = min(best.items(), key=lambda pair: _size(pair[1].matters.estimate))
        sequence = removal.idle if idle else removal.matters
        found = sequence.interval
        if found is None:
            return str(member), _size(sequence.estimate), None
        low, high = size_of(found)
        shown = Interval(low, high, found.level, found.method)
        return str(member), _size(sequence.estimate), shown

    def _decided(self) -> Decision:
        effect, idle = self._settings.effect, self._idle()
        name, estimate, interval = self._least(idle)
        known = "" if interval is None else f", {interval.written(effect)}"
        least = f"The least effect of a member is that of {name}, {estimate:.3g}{known}"
        if idle:
            listed = ", ".join(map(str, idle[:5])) + (" …" if len(idle) > 5 else "")
            verdict, reason = Verdict.REFUTED, Reason.REFUTED_BY_INTERVAL
            sentence = (
                f"{listed} moved the circuit by less than {effect:g} of the behaviour, "
                f"corrected for {len(self.circuit)} members, after {self._n} prompts. {least}."
            )
        elif self._shown():
            verdict, reason = Verdict.SUPPORTED, Reason.SUPPORTED_BY_INTERVAL
            sentence = (
                f"Each of the {len(self.circuit)} members moved the circuit by more than "
                f"{effect:g} of the behaviour after {self._n} prompts. {least}."
            )
        else:
            verdict, reason = Verdict.INCONCLUSIVE, self._doubt()
            open_ = [str(one) for one in self._by_member() if not self._member_shown(one)]
            listed = ", ".join(open_[:5]) + (" …" if len(open_) > 5 else "")
            sentence = (
                f"{len(open_)} of {len(self.circuit)} members are neither shown to move the "
                f"circuit by {effect:g} of the behaviour nor not to, after {self._n} prompts: "
                f"{listed}. {least}."
            )
        return Decision(
            verdict=verdict,
            reason=reason,
            sentence=sentence,
            estimate=estimate,
            interval=interval,
            threshold=effect,
            direction="at_least",
            alpha=self.context.file.alpha,
            n=self._n,
            trace=tuple(self._trace),
        )

    def _member_shown(self, member: Member) -> bool:
        return any(one.is_shown(self._settings.effect) for one in self._by_member()[member])

    def _doubt(self) -> Reason:
        no_interval = all(one.matters.interval is None for one in self._removals)
        has_enough = self._n >= MINIMUM_N
        return Reason.NO_SPREAD if no_interval and has_enough else Reason.TOO_FEW_PROMPTS

    @property
    def evidence(self) -> Mapping[str, Any]:
        """Each member's effect, by context, and the members that were shown not to matter."""
        rows = []
        for one in self._removals:
            interval = one.matters.interval
            rows.append(
                {
                    "member": str(one.member),
                    "out_already": [str(m) for m in self.circuit if m not in one.kept],
                    "effect": _finite(one.matters.estimate),
                    "interval": None if interval is None else interval.to_json(),
                    "is_shown": one.is_shown(self._settings.effect),
                }
            )
        return {"members": rows, "redundant": [str(one) for one in self._idle()]}


def _size(estimate: float) -> float:
    return abs(estimate)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
