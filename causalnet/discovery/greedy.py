"""Greedy search by exact joint effects: unit after unit, the one that adds most to those chosen.

Where units back each other up or need each other, their effects alone do not add; a greedy search
measures each candidate together with what is chosen.  Walks from the logits along given scores are
in `connecting`.
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from causalnet.discovery.exact import Progress, by_first_stage, total_effect
from causalnet.discovery.journal import Journal, log_of
from causalnet.discovery.question import Question
from causalnet.discovery.scores import ROUNDINGS, Cost, Scores
from causalnet.discovery.scoring import Convention
from causalnet.errors import ParameterError
from causalnet.estimators.methods import Method

__all__ = ["GREEDY", "greedy_search"]

AT_ONCE = 256  # candidates whose masks are made together

GREEDY = Method(
    name="greedy-search/v1",
    formula="size - i for the unit chosen as number i (from 0), 0 for those not chosen",
    gradient_at="none",
    approximates="the set of that size with the largest joint effect",
    error="each step is exact; a set found step by step need not be the best of its size",
    fails=(
        "noising seeks what to remove: of a chain of edges it takes one, and that edge alone is no "
        "circuit",
        "AND-like structures in denoising and backups in noising: no single step shows them",
        "few prompts: candidates close to each other swap",
    ),
    source="Vig et al. 2020; Zhou et al. 2024",
)


def greedy_search(
    question: Question,
    size: int = 3,
    *,
    by: Convention = "signed",
    candidates: Sequence[str] | None = None,
    progress: Progress | None = None,
    journal: Journal | None = None,
) -> Scores:
    """Choose units one after the other, each the one that moves the outcome most with the others.

    Noising begins with nothing removed and removes; denoising begins in the source run and
    restores.  An effect is patched - unpatched: the outcome with the chosen units set, less that
    with none.  `signed` follows the sign of the total effect and ends where no candidate goes on in
    that direction; `absolute` takes the candidate that changes most either way.  Of equals the
    first in the order of the units is chosen.

    Args:
        question: What is asked; the grain says what is chosen.
        size: How many units at most.
        by: Which candidate is the best.
        candidates: The units that may be chosen; None for all.
        progress: Told after every step.
        journal: Where the steps are kept.

    Returns:
        Scores whose order is the order of choice; `notes` has a line for each step with the joint
        effect.

    Raises:
        ParameterError: A size outside 1..candidates, a candidate given twice, the journal of
            another search.
        UnknownMediatorError: A candidate that is no unit.
        NumericalError: NaN or infinity in an outcome.
    """
    units = question.units
    asked = range(len(units)) if candidates is None else [units.index(name) for name in candidates]
    if len(set(asked)) != len(asked) or not 1 <= size <= len(asked):
        raise ParameterError(
            f"A greedy search for {size} of {len(asked)} candidates, {len(set(asked))} different.",
            "Each candidate is given once, and the size is at least 1 and at most their number.",
            "Write for example size=3.",
        )
    if by not in ("signed", "absolute"):
        raise ParameterError(
            f"by={by!r}.", "There are 'signed' and 'absolute'.", "Write by='signed'."
        )
    settings = {"size": size, "by": by, "candidates": sorted(asked)}
    log = log_of(journal, question, GREEDY, settings)
    search = _Search(question, np.array(sorted(asked)))
    total = total_effect(question)
    wanted = -1.0 if total < 0 else 1.0
    entries = list(log.entries)
    while len(search.chosen) < size:
        if len(search.chosen) < len(entries):
            entry = entries[len(search.chosen)]
        else:
            entry = search.best(by, wanted)
            log.append(entry)
        if not search.take(entry):
            break
        if progress is not None:
            progress(len(search.chosen), size)
    values = np.zeros(len(units))
    values[search.chosen] = size - np.arange(len(search.chosen))
    chosen = zip(search.chosen, search.joint, strict=True)
    notes = [f"{units.names[n]}: joint effect {effect:+.3f}" for n, effect in chosen]
    if len(search.chosen) < size:
        notes.append("no further unit moves the outcome on")
    return Scores(
        question,
        GREEDY,
        values,
        None,
        "survival",
        "",
        total,
        settings={"size": str(size), "by": by},
        cost=search.cost,
        notes=tuple(notes),
    )


class _Search:
    """What is chosen so far.

    Attributes:
        chosen: The units, in order.
        joint: The joint effect after each of them.
        cost: What it cost.
        rounding: What is below is rounding of outcomes.
    """

    def __init__(self, question: Question, asked: NDArray[np.int64]) -> None:
        self.question, self.left = question, asked
        self.chosen, self.joint, self.cost = list[int](), list[float](), Cost()
        self.first = np.full(len(question.units), len(question.runs.layout.stages) - 1)
        for stage, members in by_first_stage(question):
            self.first[members] = stage
        self.unpatched = self._outcomes(np.zeros((1, 0), dtype=np.int64), 0)[0]
        size = max(1.0, float(np.abs(self.unpatched).max()))
        self.rounding = ROUNDINGS * torch.finfo(question.net.model.dtype).eps * size

    def best(self, by: Convention, wanted: float) -> dict[str, object]:
        """Return the best candidate: its number, or -1, the joint effect and the work it took."""
        effects, forwards = np.zeros(len(self.left)), 0.0
        stages = len(self.question.runs.layout.stages)
        before = min((int(self.first[unit]) for unit in self.chosen), default=stages)
        starts = np.minimum(self.first[self.left], before)
        for first in sorted(set(starts.tolist())):
            members = np.flatnonzero(starts == first)
            for part in np.array_split(members, -(-len(members) // AT_ONCE)):
                sets = np.array([[*self.chosen, unit] for unit in self.left[part]])
                effects[part] = (self._outcomes(sets, first) - self.unpatched).mean(1)
                forwards += len(part) * (1 - first / stages)
        reached = self.joint[-1] if self.joint else 0.0
        gains = effects - reached
        gains = np.abs(gains) if by == "absolute" else wanted * gains
        # Gains that differ by rounding are equal, and the first of them is taken.
        place = int(np.argmax(gains >= gains.max() - self.rounding))
        unit = int(self.left[place]) if gains[place] > self.rounding else -1
        work = {"forwards": forwards, "looked_at": len(self.left)}
        return {"unit": unit, "effect": float(effects[place]), **work}

    def take(self, entry: object) -> bool:
        """Take a step that was found, or say that there is none."""
        assert isinstance(entry, dict)
        self.cost = Cost(
            self.cost.forwards + float(entry["forwards"]),
            looked_at=self.cost.looked_at + int(entry["looked_at"]),
        )
        unit = int(entry["unit"])
        if unit < 0:
            return False
        self.chosen.append(unit)
        self.joint.append(float(entry["effect"]))
        self.left = self.left[self.left != unit]
        return True

    def _outcomes(self, sets: NDArray[np.int64], first: int) -> NDArray[np.float64]:
        """Return outcomes with some units set, [sets, n] of [sets, size]."""
        untouched = np.ones((len(sets), len(self.question.units)), dtype=bool)
        np.put_along_axis(untouched, sets, False, 1)
        kept = untouched if self.question.direction == "noising" else ~untouched
        return self.question.outcomes(kept, first)
