"""A difference that does not matter: given, or a share of the behaviour on the finding prompts."""

from typing import Any, final

import numpy as np

from causalnet.claims.hearing import Hearing
from causalnet.claims.trials.protocol import EMPTY, WHOLE
from causalnet.faithfulness.parts import ROUNDING
from causalnet.statistics import Decision, Reason

__all__ = ["Tolerance"]


@final
class Tolerance:
    """The largest difference that counts as none, fixed before the test.

    Args:
        given: It, in the read-out's unit; None where `share` is given.
        share: It as a share of |mean of the model - mean of everything ablated| on the finding
            prompts.
    """

    def __init__(self, given: float | None, share: float | None) -> None:
        """Start without having measured anything."""
        self.value, self._share = given, share
        self.behaviour: float | None = None

    def measure(self, hearing: Hearing) -> None:
        """Measure on the finding prompts what it is a share of, where it is one."""
        if self._share is None:
            return
        batches = -(-len(hearing.pairs("find")) // hearing.file.batch)
        hearing.begin("measure the behaviour on the finding prompts", 3 * batches)
        scores = hearing.read("find", (WHOLE, EMPTY))
        model, empty = scores[WHOLE], scores[EMPTY]
        self.behaviour = abs(float((model - empty).mean()))
        smallest = ROUNDING * max(1.0, float(np.abs(model).max()))
        self.value = self._share * self.behaviour if self.behaviour > smallest else None

    @property
    def is_absent(self) -> bool:
        """Whether it is a share of a behaviour that is not there."""
        return self.behaviour is not None and self.value is None

    def undefined(self, decision: Decision) -> Decision:
        """Say that there is no behaviour that it could be a share of."""
        return decision.undefined(
            Reason.BEHAVIOUR_ABSENT,
            "The tolerance is a share of a behaviour that is not there: on the finding prompts "
            f"the model and everything ablated differ by {self.behaviour:.1e} on average.",
        )

    @property
    def evidence(self) -> dict[str, Any]:
        """Its value, and the behaviour that it is a share of."""
        found = {"tolerance": self.value}
        if self.behaviour is not None:
            found["behaviour_on_finding_prompts"] = self.behaviour
        return found
