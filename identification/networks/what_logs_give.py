"""What to expect of logs of a network, from little to much."""

from dataclasses import dataclass
from typing import final

__all__ = ["WhatLogsGive", "what_logs_give"]


@final
@dataclass(frozen=True, slots=True)
class WhatLogsGive:
    """One kind of log.

    Attributes:
        logs: What was recorded.
        gives: What follows from it.
        lacks: What does not, and why.
    """

    logs: str
    gives: str
    lacks: str

    def __str__(self) -> str:
        """Return the three in three lines."""
        return f"{self.logs}\n  gives: {self.gives}\n  lacks: {self.lacks}"


def what_logs_give() -> tuple[WhatLogsGive, ...]:
    """Return what kinds of logs give and lack.

    >>> for row in what_logs_give():
    ...     print(row.logs)
    activations and outputs of unrelated prompts
    the same, with a label of the prompt
    pairs of runs whose prompts differ in one token, none of them patched
    direct contributions to the logits, with the scale of the final norm
    the residual stream after one layer, at every position
    a steering flag that was switched by a fair coin
    a flag that was switched by the traffic, and all that it acts through
    a mediator whose value was drawn at random
    """
    return _EXPECTED


_EXPECTED = (
    WhatLogsGive(
        "activations and outputs of unrelated prompts",
        "associations, and bounds on effects of mediators with few levels",
        "every patch effect: the prompt drives the mediator and the output",
    ),
    WhatLogsGive(
        "the same, with a label of the prompt",
        "the effect of the label, if the label was chosen at random before the prompt was written",
        "patch effects: prompts with one label still differ, and drive mediator and output",
    ),
    WhatLogsGive(
        "pairs of runs whose prompts differ in one token, none of them patched",
        "the total effect, exactly: mean over sources minus mean over bases",
        "natural direct and indirect effects: the patched world was not run",
    ),
    WhatLogsGive(
        "direct contributions to the logits, with the scale of the final norm",
        "direct logit attribution with the norm frozen, exactly: it is linear in what was recorded",
        "what goes through later layers: a head may have an effect and no direct contribution",
    ),
    WhatLogsGive(
        "the residual stream after one layer, at every position",
        "a formula for patch effects of later nodes: the stream is a back-door set by construction",
        "data for it: the stream determines every later node, so that any number is extrapolated",
    ),
    WhatLogsGive(
        "a steering flag that was switched by a fair coin",
        "the effect of the flag, exactly; for what it acts on, an instrument",
        "the effect of what it acts on, unless one assumes linearity or is content with bounds",
    ),
    WhatLogsGive(
        "a flag that was switched by the traffic, and all that it acts through",
        "the effect of the flag by the front-door formula, if the traffic does not drive what it "
        "acts through in another way",
        "the effect if one path from the flag to the output was not recorded",
    ),
    WhatLogsGive(
        "a mediator whose value was drawn at random",
        "its effect on average over prompts: the conditional mean",
        "what it does on single prompts, and effects of mediators that were not drawn",
    ),
)
