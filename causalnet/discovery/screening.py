"""Screen, then verify: what ranks highest is run exactly, and so is a random sample of the rest."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from causalnet.discovery.exact import Progress, exact_effects
from causalnet.discovery.journal import Journal, log_of
from causalnet.discovery.scores import Cost, Scores
from causalnet.estimators.control_sample import ControlBound, ScreenError, drawn, most_among
from causalnet.estimators.methods import Method
from causalnet.estimators.screening import check_kept

__all__ = ["SCREENED", "verified"]

SCREENED = Method(
    name="screen-then-verify/v1",
    formula="outcome with the unit removed, alone - outcome with nothing removed, for the units "
    "that the screen ranks highest and for a random sample; the screen's score for the others",
    gradient_at="that of the screen",
    approximates="the effect of removing the unit alone",
    error="none but rounding for the units that were run; the notes bound how many of the others "
    "were missed",
    fails=("what exact patching does not see", "screens that rank a large effect low"),
    source="Kramár et al. 2024, section 4.3",
)


def verified(
    scores: Scores,
    k: int = 40,
    *,
    control: int = 20,
    tau: float | None = None,
    alpha: float = 0.05,
    seed: int = 0,
    progress: Progress | None = None,
    journal: Journal | None = None,
) -> Scores:
    """Run the units that rank highest exactly, and a random sample of the others.

    A unit counts as missed where its exact effect is larger in size than the smallest of the first
    k, or than `tau`, but was not run.  How many were missed is bounded from the control sample, by
    Clopper and Pearson's way for draws without replacement.  The others keep their estimate where
    it is an effect; a magnitude keeps its size without a sign, and what only ranks, such as a
    threshold that a unit survives, becomes 0.

    Args:
        scores: What ranks.
        k: How many units are run because they rank high.
        control: How many of the others are run because they were drawn; all where they are fewer.
        tau: The size of an effect that is not to be missed; by default the smallest of the first k.
        alpha: The probability that the bound is too small.
        seed: Seed of the control sample.
        progress: Told after every group of units.
        journal: Where exact effects are kept.

    Raises:
        ParameterError: k outside 1 .. units, no control sample, tau or alpha out of range, the
            journal of another search.
        NumericalError: NaN or infinity in an outcome.
    """
    question = scores.question
    check_kept(k, len(scores), tau, alpha)
    if control < 1:
        drawn((), control, seed)
    order = scores.order()
    first, rest = order[:k], order[k:]
    sample = drawn(rest, control, seed) if len(rest) else ()
    run = np.array([*first, *sample], dtype=np.int64)
    settings = {"screen": scores.method.name, "k": k, "control": control, "seed": seed}
    log = log_of(journal, question, SCREENED, {**settings, "units": [int(unit) for unit in run]})
    effects, forwards = exact_effects(question, run, log, progress)
    means = effects.mean(1)
    threshold = float(np.abs(means[:k]).min()) if tau is None else tau
    missed = int((np.abs(means[k:]) > threshold).sum())
    at_most = most_among(missed, len(sample), len(rest), alpha) - missed
    what = f"have an effect larger in size than {threshold:.3g}"
    bound = ControlBound(what, missed, len(sample), len(rest) - len(sample), at_most, 1 - alpha)
    values = scores.values.copy() if _is_estimate(scores) else np.zeros(len(scores))
    values[run] = means
    return Scores(
        question,
        SCREENED.but(gradient_at=scores.method.gradient_at),
        values,
        _by_prompt(scores, run, effects),
        "effect",
        question.readout.unit,
        scores.total,
        settings={**scores.settings, "screen": scores.method.name, "exact": str(len(run))},
        cost=Cost(
            scores.cost.forwards + forwards,
            scores.cost.backwards,
            len(run),
            len(rest) - len(sample),
        ),
        notes=(*_notes(scores, run, k, means, bound),),
    )


def _is_estimate(scores: Scores) -> bool:
    """Return whether scores are in the unit of effects, signed or not."""
    return scores.sign != "survival" and scores.unit == scores.question.readout.unit


def _by_prompt(
    scores: Scores, run: NDArray[np.int64], effects: NDArray[np.float64]
) -> NDArray[np.float64] | None:
    """Return every prompt's scores, or None where the screen has none for the others."""
    if scores.per_prompt is None or not _is_estimate(scores):
        return None
    found = scores.per_prompt.copy()
    found[run] = effects
    return found


def _notes(
    scores: Scores,
    run: NDArray[np.int64],
    k: int,
    means: NDArray[np.float64],
    bound: ControlBound,
) -> Iterator[str]:
    names = scores.question.units.names
    yield f"exact because they rank high: {_listed(names, run[:k])}"
    if len(run) > k:
        yield f"exact because they were drawn: {_listed(names, run[k:])}"
    yield str(bound).replace("rows", "units").replace("row", "unit")
    if not _is_estimate(scores):
        yield "units that were not run have the score 0: the screen ranks, and has no estimate"
    elif scores.sign == "effect":
        for what, part in (("ranked high", slice(0, k)), ("drawn", slice(k, None))):
            error = ScreenError.of(scores.values[run[part]], means[part])
            if error.n:
                yield f"screen - exact, units {what}: {error}"
    else:
        yield "the scores of units that were not run are magnitudes, without a sign"
    yield from scores.notes


def _listed(names: Sequence[str], chosen: NDArray[np.int64]) -> str:
    return ", ".join(names[int(number)] for number in chosen)
