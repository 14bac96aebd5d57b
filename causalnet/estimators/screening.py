"""Screen, then verify: rank all rows by a cheap estimator and run the first of them exactly.

A screen is for ranking, never the number: what is reported as an effect was run exactly, and a
random control sample of the other rows bounds how many of them the screen missed.
"""

from collections.abc import Callable, Sequence
from typing import Literal, TypeAlias, Unpack

import numpy as np
import torch
from numpy.typing import ArrayLike

from causalnet.errors import NumericalError, ParameterError
from causalnet.estimators.control_sample import ControlBound, drawn, most_among
from causalnet.estimators.first_orders import first_order_means
from causalnet.estimators.query_rows import Numbers, Options, QueryRows
from causalnet.estimators.screened import Screened, Why, errors_by_why
from causalnet.interventions import Query, Scalar
from causalnet.lift import LiftedNetwork
from causalnet.tasks import PromptPairs

__all__ = ["Rank", "Scorer", "check_kept", "screen_then_verify"]

Scorer: TypeAlias = Callable[[tuple[str, ...]], ArrayLike]
"""Takes the labels of all rows and returns a score for each: an estimate of its mean effect, of
which the size ranks the row."""

Rank: TypeAlias = Literal["atp", "bf16"] | Scorer

_NAMES = {
    "atp": (
        "attribution patching (first order)",
        "First orders misjudge large effects and saturated attention; they can rank a row too low.",
    ),
    "bf16": (
        "a run in bfloat16",
        "Rounding errs by about as much in every row; it has no saturation to miss.",
    ),
    "given": ("the scores that were given", "Nothing is known of their error but what is below."),
}


def screen_then_verify(
    net: LiftedNetwork,
    query: Query | Scalar | str,
    pairs: PromptPairs,
    *,
    rank: Rank = "atp",
    k: int = 40,
    control: int = 20,
    tau: float | None = None,
    alpha: float = 0.05,
    seed: int = 0,
    **options: Unpack[Options],
) -> Screened:
    """Rank rows by a cheap estimator, run the first k and a random sample of the others exactly.

    A row counts as missed where its exact mean effect is larger in size than the smallest of the
    first k, or than `tau`, but was not run.  How many were missed is bounded from the control
    sample, by Clopper and Pearson's way for draws without replacement.  The prompts are taken as
    they are: the statement is about these prompts' means.

    Args:
        net: The lifted network.
        query: What to compute: `cn.nie(net.heads(), at="end")`, or its text.
        pairs: Prompt pairs.
        rank: `atp` (first orders of the patches, by one backward pass), `bf16` (all rows in
            bfloat16), or a function from the labels of rows to scores.
        k: How many rows are run exactly because they rank high.
        control: How many of the others are run exactly because they were drawn; all where they
            are fewer.
        tau: The size of an effect that is not to be missed, in the outcome's unit; by default the
            smallest size among the first k.
        alpha: The probability that the bound is too small.
        seed: Seed of the control sample, and of resampling.
        **options: See `Options`.

    Raises:
        ParameterError: k outside 1 .. rows, control below 1, tau below 0, scores that rank
            nothing, or rows that first orders cannot rank.
        NumericalError: A score or an effect that is not finite.
        UnknownMediatorError, TermError: A query that does not fit the network.
    """
    rows = QueryRows.of(net, query, pairs, seed, **options)
    check_kept(k, len(rows), tau, alpha)
    if control < 1:
        drawn((), control, seed)
    estimates, (name, statement) = _scores(rows, rank)
    order = np.argsort(-np.abs(estimates), kind="stable")
    first, rest = order[:k], order[k:]
    sample = drawn(rest, control, seed) if len(rest) else ()
    effects, unpatched = rows.exact((*first, *sample))
    table = rows.table((*first, *sample), effects, unpatched)
    sizes = np.abs(table.means())
    threshold = float(sizes[:k].min()) if tau is None else tau
    found = int((sizes[k:] > threshold).sum())
    why: dict[str, Why] = {
        label: "top" if at < k else "control" for at, label in enumerate(table.rows)
    }
    return Screened(
        rows=rows.labels,
        estimates=estimates,
        exact=table,
        why=why,
        threshold=threshold,
        bound=_bound(found, len(sample), len(rest), threshold, alpha),
        errors=errors_by_why(estimates, table, rows.labels, why),
        estimator=name,
        error=statement,
        error_bar=None,
        seed=seed,
    )


def check_kept(k: int, rows: int, tau: float | None, alpha: float) -> None:
    """Check what is asked of a screen.

    Raises:
        ParameterError: k outside 1 .. rows, tau below 0, or alpha outside (0, 1).
    """
    if not 1 <= k <= rows:
        raise ParameterError(
            f"k is {k}, and the query has {rows} rows.",
            f"From 1 to {rows} rows can be run exactly because they rank high.",
            "Write a smaller k, or run all rows with cn.run.",
        )
    if tau is not None and not (tau >= 0 and np.isfinite(tau)):
        raise ParameterError(
            f"tau is {tau!r}.",
            "It is the size of an effect: a finite number of at least 0.",
            "Write for example tau=0.1.",
        )
    if not 0 < alpha < 1:
        raise ParameterError(
            f"alpha is {alpha!r}.", "It lies above 0 and below 1.", "Write for example alpha=0.05."
        )


def _bound(found: int, sampled: int, rest: int, threshold: float, alpha: float) -> ControlBound:
    at_most = most_among(found, sampled, rest, alpha) - found
    what = f"have an effect larger in size than {threshold:.3g}"
    return ControlBound(what, found, sampled, rest - sampled, at_most, 1 - alpha)


def _scores(rows: QueryRows, rank: Rank) -> tuple[Numbers, tuple[str, str]]:
    """Return the mean that a screen estimates for every row, [rows], and the screen's name."""
    if rank == "atp":
        estimates = first_order_means(rows)
    elif rank == "bf16":
        estimates = rows.effects(range(len(rows)), None, torch.bfloat16).mean(axis=1)
    elif callable(rank):
        estimates = np.asarray(rank(rows.labels), dtype=np.float64)
    else:
        raise ParameterError(
            f"The rank {rank!r}.",
            "There are 'atp', 'bf16', and functions from the labels of rows to scores.",
            "Write rank='atp'.",
        )
    _check_scores(estimates, rows.labels)
    return estimates, _NAMES[rank if isinstance(rank, str) else "given"]


def _check_scores(estimates: Numbers, labels: Sequence[str]) -> None:
    if estimates.shape != (len(labels),):
        raise ParameterError(
            f"The scores have the shape {estimates.shape}.",
            f"There is one number for each of the {len(labels)} rows.",
            "Return them in the order of the labels.",
        )
    bad = np.flatnonzero(~np.isfinite(estimates))
    if len(bad):
        raise NumericalError(
            f"The score of {labels[bad[0]]} is {estimates[bad[0]]}.",
            "Scores are finite numbers.",
            "Rank by another estimator, or leave the row out.",
        )
    if len(labels) > 1 and not estimates.any():
        raise ParameterError(
            "Every score is 0, so that they rank nothing.",
            "The size of a score ranks its row.",
            "Rank by another estimator, or run all rows with cn.run.",
        )
