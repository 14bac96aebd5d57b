"""Exact patching: every unit removed alone, the outcome with it removed less that with none."""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from causalnet.discovery.journal import Journal, Log, log_of
from causalnet.discovery.question import Question
from causalnet.discovery.scores import Cost, Scores
from causalnet.estimators.methods import Method
from causalnet.interventions.techniques.measured import on_trial

__all__ = ["EXACT", "Progress", "exact_effects", "exact_patching", "total_effect"]

Progress: TypeAlias = Callable[[int, int], None]
"""Told how much of the work is done: units, and units in all."""

AT_ONCE = 256  # units whose masks are made together

EXACT = Method(
    name="exact-patching/v1",
    formula="outcome with the unit removed, alone - outcome with nothing removed",
    gradient_at="none",
    approximates="nothing: it is the effect of removing the unit alone",
    error="none but rounding; the effect of one unit says nothing of several together",
    fails=(
        "backups and OR-like structures: each alone has no effect",
        "read-outs that do not see what changes: score by logit_distance beside them",
    ),
    source="Vig et al. 2020; Goldowsky-Dill et al. 2023",
    measured=(on_trial("exact_patching"),),
)


def exact_patching(
    question: Question, *, progress: Progress | None = None, journal: Journal | None = None
) -> Scores:
    """Return the exact effect of removing each unit alone, on every prompt.

    Units are run from the first stage that they change on, many at once.

    On trial with planted heads, 200 sets of 32 prompts: coverage 96% of 95%, power 100%, false
    finds 2%.

    Args:
        question: What is asked.
        progress: Told after every group of units.
        journal: Where the effects of each group are kept.

    Raises:
        NumericalError: NaN or infinity in an outcome.
        ParameterError: The journal of another search.
    """
    everyone = np.arange(len(question.units))
    log = log_of(journal, question, EXACT, {})
    effects, forwards = exact_effects(question, everyone, log, progress)
    return Scores(
        question,
        EXACT,
        effects.mean(1),
        effects,
        "effect",
        question.readout.unit,
        total_effect(question),
        cost=Cost(forwards=forwards, looked_at=len(everyone)),
    )


def exact_effects(
    question: Question,
    members: NDArray[np.int64],
    log: Log,
    progress: Progress | None = None,
) -> tuple[NDArray[np.float64], float]:
    """Return exact effects [members, n] of removing some units, each alone, and the forwards.

    Args:
        question: What is asked.
        members: The numbers of the units.
        log: Where groups are kept; those that it has are not run again.
        progress: Told after every group of units.
    """
    place = {int(member): at for at, member in enumerate(members)}
    found = np.zeros((len(members), len(question.pairs)))
    whole = np.ones(len(question.units))
    below = whole if question.direction == "noising" else 0 * whole
    base = outcome_of(question, below[None])[0]
    stages, done, forwards = len(question.runs.layout.stages), 0, 1.0
    for number, (first, chosen) in enumerate(_groups(question, members)):
        if number < len(log.entries):
            effects = np.asarray(log.entries[number]["effects"], dtype=np.float64)
        else:
            kept = np.tile(below, (len(chosen), 1))
            kept[np.arange(len(chosen)), chosen] = 1 - kept[np.arange(len(chosen)), chosen]
            effects = outcome_of(question, kept, first) - base
            log.append({"group": number, "effects": effects})
        found[[place[int(each)] for each in chosen]] = effects
        done += len(chosen)
        forwards += len(chosen) * (1 - first / stages)
        if progress is not None:
            progress(done, len(members))
    return found, forwards


def _groups(
    question: Question, members: NDArray[np.int64]
) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """Yield units by the first stage that they change, few enough for their masks to fit."""
    for first, units in by_first_stage(question):
        chosen = units[np.isin(units, members)]
        for start in range(0, len(chosen), AT_ONCE):
            yield first, chosen[start : start + AT_ONCE]


def outcome_of(
    question: Question, kept: NDArray[np.float64], first: int = 0
) -> NDArray[np.float64]:
    """Return outcomes [M, n] of circuits given by their kept units [M, units]."""
    return question.outcomes(kept, first)


def total_effect(question: Question) -> float:
    """Return the mean outcome with all units patched less that with none.

    Noising removes them from the base run; denoising restores them in the source run.
    """
    ends = np.stack([np.zeros(len(question.units)), np.ones(len(question.units))])
    removed, whole = outcome_of(question, ends).mean(1)
    return float(removed - whole if question.direction == "noising" else whole - removed)


def by_first_stage(question: Question) -> Sequence[tuple[int, NDArray[np.int64]]]:
    """Return the units by the first stage whose receivers read any of their edges."""
    layout, units = question.runs.layout, question.units
    if units.cells:
        return _grouped(np.array([layout.first_reader(sender) for sender, _ in units.cells]))
    stage_of = np.concatenate(
        [np.full(stage.receivers * stage.parents, n) for n, stage in enumerate(layout.stages)]
    )
    first = np.full(len(units) + 1, len(layout.stages))
    np.minimum.at(first, units.owner, stage_of)
    return _grouped(first[:-1])


def _grouped(first: NDArray[np.int64]) -> Sequence[tuple[int, NDArray[np.int64]]]:
    return [(int(stage), np.flatnonzero(first == stage)) for stage in sorted(set(first.tolist()))]
