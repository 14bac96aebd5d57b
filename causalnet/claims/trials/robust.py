"""The trial of a claim under several conventions: judged by the grid that every file measures."""

import math
from typing import final

from causalnet.claims.kinds.robust import RobustClaim
from causalnet.claims.robustness_grid import Bounds, Grid
from causalnet.claims.robustness_verdict import robust_decision
from causalnet.claims.trials.protocol import Context, TrialBase
from causalnet.statistics import Decision, Reason, Verdict

__all__ = ["RobustTrial"]


@final
class RobustTrial(TrialBase):
    """A share of the behaviour against a threshold, under every declared convention."""

    def __init__(self, claim: RobustClaim, context: Context) -> None:
        """Start without the grid."""
        super().__init__(claim, context)
        self._settings = claim
        self._decision: Decision | None = None

    def judge(self, grid: Grid) -> None:
        """Take in the grid."""
        number = grid.find(self._settings.share, tuple(map(str, self.circuit)))
        bounds = Bounds.of(self._blank())
        alpha = self.context.file.alpha
        self._decision = robust_decision(grid, number, bounds, alpha, self._settings.under)

    @property
    def is_settled(self) -> bool:
        """Whether the grid was measured."""
        return self._decision is not None

    def decision(self) -> Decision:
        """Give the verdict; INCONCLUSIVE before the grid is measured."""
        return self._decision or self._blank()

    def _blank(self) -> Decision:
        return Decision(
            verdict=Verdict.INCONCLUSIVE,
            reason=Reason.TOO_FEW_PROMPTS,
            sentence="The grid of conventions was not measured.",
            estimate=math.nan,
            interval=None,
            threshold=self._settings.threshold,
            direction=self._settings.direction,
            alpha=self.context.file.alpha,
            n=0,
            within=self._settings.within,
        )
