"""The trial of a claim about which mediators matter: all of them at once."""

from collections.abc import Mapping
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from causalnet.claims.hearing import Scores
from causalnet.claims.kinds.minimality import SweepClaim
from causalnet.claims.trials.judging import inside
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
from causalnet.statistics import Decision, Reason, SweepJudge, Verdict
from causalnet.statistics.mixture import MINIMUM_N

__all__ = ["SweepTrial"]

Array = NDArray[np.float64]

SIDES = {"+": 1.0, "-": -1.0}
"""Whether ablating a mediator lowers the read-out (its effect helps) or raises it."""


@final
class SweepTrial(TrialBase):
    """Every mediator against the least effect; those that are settled are run no more.

    The effect of mediator v is above e on one side if s (M - K_v) - e (M - E) is above 0 on
    average, s = 1 or -1: one e-process for each side of each mediator.
    """

    def __init__(self, claim: SweepClaim, context: Context) -> None:
        """Start without prompts."""
        super().__init__(claim, context)
        self._settings = claim
        file = context.file
        self._gate = Gate(file)
        self._members = {str(member): member for member in context.universe}
        names = [f"{name} {side}" for name in self._members for side in SIDES]
        bounds = None
        if file.range is not None:
            width = (1 + claim.effect) * (file.range[1] - file.range[0])
            bounds = (-width, width)
        # One named member that does not matter refutes.  One that does, does so on one side: it is
        # that side alone whose null is true, and the union is over members.
        level = file.alpha / max(1, len(context.circuit))
        named = {f"{member} {side}": level for member in context.circuit for side in SIDES}
        self._named = SweepJudge(names, alpha=file.alpha, bounds=bounds, otherwise=named)
        self._listed = SweepJudge(names, alpha=file.alpha, control="fdr", bounds=bounds)
        self._n = 0
        self._sum = {name: 0.0 for name in self._members}
        self._whole = {name: 0.0 for name in self._members}

    def wants(self) -> tuple[Wanted, ...]:
        """Return the whole model and everything ablated; mediators are run apart, in waves."""
        return () if self.is_settled else (WHOLE, EMPTY)

    def take(self, scores: Scores, rows: range) -> None:
        """Take in one batch: every mediator that is not settled is ablated by itself."""
        if self.is_settled:
            return
        self._gate.take(scores)
        file, sign = self.context.file, sign_of(self.context.file)
        going = dict.fromkeys(one.rpartition(" ")[0] for one in self._named.active)
        wanted: dict[str, Wanted] = {
            name: (Regime.KNOCKED_OUT, (self._members[name],)) for name in going
        }
        found = self.context.hearing.sweep("test", tuple(wanted.values()), rows)
        model, empty = (sign * inside(scores[one], file)[0] for one in (WHOLE, EMPTY))
        effects: dict[str, Array] = {}
        for name, part in wanted.items():
            change = model - sign * inside(found[part], file)[0]
            self._sum[name] += float(change.sum())
            self._whole[name] += float((model - empty).sum())
            for side, factor in SIDES.items():
                least = self._settings.effect * (model - empty)
                effects[f"{name} {side}"] = factor * change - least
        self._named.add(effects)
        self._listed.add(effects)
        self._n += len(rows)

    def _shown(self) -> tuple[str, ...]:
        """Return the mediators that were shown to matter, on whichever side."""
        return tuple(dict.fromkeys(one.rpartition(" ")[0] for one in self._named.discoveries()))

    def _idle(self) -> tuple[str, ...]:
        """Return the mediators that were shown not to matter on either side."""
        below: dict[str, int] = {}
        for one in self._named.findings():
            if one.stopped == "shown_otherwise":
                name = one.name.rpartition(" ")[0]
                below[name] = below.get(name, 0) + 1
        return tuple(name for name, sides in below.items() if sides == len(SIDES))

    @property
    def is_settled(self) -> bool:
        """Whether every mediator is shown to matter or not to, or there is no behaviour."""
        return self._n > 0 and (
            self._named.is_settled or self._gate.decision().verdict is Verdict.REFUTED
        )

    def decision(self) -> Decision:
        """Give the verdict as if no further prompt came."""
        gate = self._gate.decision()
        claimed = [str(member) for member in self.circuit]
        shown, idle = self._shown(), self._idle()
        wrong = [name for name in claimed if name in idle]
        right = [name for name in claimed if name in shown]
        effect, n = self._settings.effect, self._n
        if wrong:
            verdict, reason = Verdict.REFUTED, Reason.REFUTED_BY_INTERVAL
            said = f"{_some(wrong)} did not move the read-out by {effect:g} of the behaviour"
        elif len(right) == len(claimed):
            verdict, reason = Verdict.SUPPORTED, Reason.SUPPORTED_BY_INTERVAL
            said = f"Each of the {len(claimed)} moved the read-out by more than {effect:g} of the "
            said += "behaviour"
        else:
            verdict, reason = Verdict.INCONCLUSIVE, Reason.TOO_FEW_PROMPTS
            rest = [name for name in claimed if name not in right]
            said = f"{_some(rest)} were shown neither to matter by {effect:g} nor not to"
        others = [name for name in shown if name not in claimed]
        beside = f"; beside them {_some(others)} did" if others else ""
        sentence = (
            f"{said} after {n} prompts, corrected for {len(self._members)} mediators on both "
            f"sides{beside}."
        )
        sizes = [abs(self._share(name)) for name in claimed]
        decided = Decision(
            verdict=verdict,
            reason=reason,
            sentence=sentence,
            estimate=min(sizes, default=0.0),
            interval=None,
            threshold=effect,
            direction="at_least",
            alpha=self.context.file.alpha,
            n=n,
        )
        is_open = gate.verdict is Verdict.INCONCLUSIVE and gate.n < MINIMUM_N
        if gate.verdict is Verdict.SUPPORTED or is_open:
            return decided
        return without_behaviour(decided, gate)

    def _share(self, name: str) -> float:
        whole = self._whole[name]
        return self._sum[name] / whole if whole > 0 else 0.0

    @property
    def evidence(self) -> Mapping[str, Any]:
        """The mediators shown to matter, at either kind of error rate, and all effects."""
        listed = dict.fromkeys(one.rpartition(" ")[0] for one in self._listed.discoveries())
        shown = self._shown()
        return {
            "discovered_fwer": list(shown),
            "discovered_fdr": list(listed),
            "effects": {name: self._share(name) for name in self._members},
        }


def _some(names: list[str]) -> str:
    return ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")
