"""Does the network do the task at all?  There is no circuit of a behaviour that is not there."""

from dataclasses import dataclass

import numpy as np

from causalnet.discovery.question import Question
from causalnet.discovery.scoring.agreement import wilson_interval
from causalnet.effects import zero
from causalnet.errors import ParameterError
from causalnet.interventions import accuracy, logit_diff
from causalnet.known_circuits import KNOWN
from causalnet.masked import EdgeRuns

__all__ = ["Behaviour", "behaviour_of", "check_behaviour"]


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How well a network does a task on some prompts.

    Attributes:
        prompts: How many.
        right: Share of prompts on which the answer is above the foil.
        low: Lower end of the 95 % Wilson interval of that share.
        difference: Mean logit difference, answer - foil.
        error: Its standard error; NaN with one prompt.
        first: Share of prompts on which an answer is the network's first choice.
    """

    prompts: int
    right: float
    low: float
    difference: float
    error: float
    first: float

    @property
    def is_there(self) -> bool:
        """Whether the answer is above the foil on more than half of such prompts, clearly."""
        return self.low > 0.5

    def __str__(self) -> str:
        """Return the figures in one line."""
        return (
            f"answer above foil on {self.right:.0%} of {self.prompts} prompts (95 % Wilson "
            f"interval from {self.low:.0%}), logit difference {self.difference:+.3g} (standard "
            f"error {self.error:.2g}), first choice on {self.first:.0%}"
        )


def behaviour_of(question: Question) -> Behaviour:
    """Return how well the intact network does the task of a question's base prompts."""
    runs = EdgeRuns(
        question.net, question.pairs, zero(), logit_diff, batch_size=question.batch_size
    )
    whole = question.units.masks(np.ones((1, len(question.units))))
    differences = runs.outcomes(whole)[0]
    hits = runs.outcomes(whole, readout=accuracy)[0]
    count = len(differences)
    right = float((differences > 0).mean())
    interval = wilson_interval(int((differences > 0).sum()), count)
    spread = differences.std(ddof=1) / np.sqrt(count) if count > 1 else np.nan
    return Behaviour(
        count,
        right,
        interval.low,
        float(differences.mean()),
        float(spread),
        float(hits.mean()),
    )


def is_written(question: Question) -> bool:
    """Return whether the network was written by hand to do this task.

    Its outcome may be a number, such as a share or a count of mistakes, and no choice.
    """
    task = question.pairs.record.name
    return task == question.net.model.provenance.source and task.removeprefix("known:") in KNOWN


def check_behaviour(question: Question, force: bool = False) -> Behaviour:
    """Return how well the network does the task.

    Args:
        question: What is asked; its pairs need answers and foils.
        force: Go on with a behaviour that is not there.

    Raises:
        ParameterError: The answer is not clearly above the foil on more than half of the prompts,
            and the network was not written by hand to do this task.
    """
    found = behaviour_of(question)
    if found.is_there or force or is_written(question):
        return found
    raise ParameterError(
        f"The network does not do this task: {found}.",
        "A circuit is sought of a behaviour that is there: the answer above the foil on more than "
        "half of all prompts, at 95 % confidence.",
        "Use another task or more prompts, or say force=True (--force) to go on.",
    )
