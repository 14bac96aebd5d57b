"""Hearing the trials of a file: batch by batch, until each is settled or the budget is spent."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

from causalnet.claims.budget import OutOfBudget
from causalnet.claims.hearing import Hearing
from causalnet.claims.trials import Trial
from causalnet.statistics import Decision, Reason, Verdict

__all__ = ["hear"]


def hear(hearing: Hearing, trials: Sequence[Trial]) -> tuple[Decision, ...]:
    """Feed all trials batch by batch, then let each do what comes after; return the verdicts.

    Where the budget runs out, a claim that is not settled and that wanted more is INCONCLUSIVE,
    with what it would have needed.

    Args:
        hearing: Prompts, model, and what may be run.
        trials: One for each claim.

    Raises:
        AlignmentError, NumericalError, OutOfMemoryError: As `Hearing.read`.
    """
    cut = {index for index, trial in enumerate(trials) if not _goes(trial.prepare)}
    heard = [index for index in range(len(trials)) if index not in cut]
    if not _goes(lambda: _feed(hearing, [trials[index] for index in heard])):
        cut |= {index for index in heard if trials[index].wants()}
    for index, trial in enumerate(trials):
        if index not in cut and not _goes(trial.conclude):
            cut.add(index)
    return tuple(
        _cut_short(hearing, trial.decision(), len(trial.wants()))
        if index in cut and not trial.is_settled
        else trial.decision()
        for index, trial in enumerate(trials)
    )


def _goes(step: Callable[[], None]) -> bool:
    """Return whether a step could be done within the budget."""
    try:
        step()
    except OutOfBudget:
        return False
    return True


def _feed(hearing: Hearing, trials: Sequence[Trial]) -> None:
    batch, count = hearing.file.batch, len(hearing.pairs("test"))
    for start in range(0, count, batch):
        wanted = tuple(dict.fromkeys(part for trial in trials for part in trial.wants()))
        if not wanted:
            break
        each = len(wanted) + 1  # the source prompts, whose values are set
        hearing.expect("test claims", each * -(-(count - start) // batch))
        rows = range(start, min(start + batch, count))
        scores = hearing.read("test", wanted, rows)
        for trial in trials:
            trial.take(scores, rows)


def _cut_short(hearing: Hearing, decision: Decision, parts: int) -> Decision:
    """Return INCONCLUSIVE, how far it came, what is left, and how it stands."""
    used, count = hearing.used, len(hearing.pairs("test"))
    told = [
        f"The budget of {hearing.meter.spending.budget} ran out after {used} of {count} prompts, "
        "before the claim was settled."
    ]
    batches = -(-(count - used) // hearing.file.batch)
    if parts and batches:
        most = (parts + 1) * batches
        told.append(f"The other {count - used} prompts take at most {most} forwards more.")
    elif not parts:
        told.append("What comes after the prompts was not run to its end.")
    needed = _by_the_width(decision)
    if needed is not None:
        told.append(f"By the width so far it needs about {needed} observations.")
    if decision.n:
        told.append(f"So far: {decision.sentence}")
    return replace(
        decision,
        verdict=Verdict.INCONCLUSIVE,
        reason=Reason.BUDGET,
        sentence=" ".join(told),
    )


def _by_the_width(decision: Decision) -> int | None:
    """Return about how many observations settle a claim: an interval's width goes as 1 / sqrt(n).

    None where there is no interval yet, or the estimate is at the threshold.
    """
    interval = decision.interval
    if interval is None or not math.isfinite(interval.high - interval.low):
        return None
    bounds = decision.within or (decision.threshold,)
    gap = min(abs(decision.estimate - bound) for bound in bounds)
    half = (interval.high - interval.low) / 2
    needed = decision.n * (half / gap) ** 2 if gap else math.inf
    return math.ceil(needed) if decision.n < needed < 1e9 else None
