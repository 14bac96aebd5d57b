"""Screening in a reduced number format: all rows rounded, those that could matter run again.

Rounding errs by about as much in every row, so that a few rows run in both formats tell how far
the others are off.  Unlike a first order it follows the network wherever a patch takes it.
"""

from typing import Unpack

import numpy as np
import torch

from causalnet.errors import ParameterError
from causalnet.estimators.control_sample import ControlBound, ScreenError, drawn, most_among
from causalnet.estimators.query_rows import Numbers, Options, QueryRows
from causalnet.estimators.screened import Screened, Why, errors_by_why
from causalnet.estimators.screening import check_kept
from causalnet.interventions import Query, Scalar
from causalnet.lift import LiftedNetwork
from causalnet.tasks import PromptPairs

__all__ = ["screen_by_precision"]


def screen_by_precision(
    net: LiftedNetwork,
    query: Query | Scalar | str,
    pairs: PromptPairs,
    *,
    dtype: torch.dtype = torch.bfloat16,
    k: int = 40,
    control: int = 20,
    tau: float | None = None,
    margin: float = 5.0,
    alpha: float = 0.05,
    seed: int = 0,
    **options: Unpack[Options],
) -> Screened:
    """Run all rows in a reduced format, and again exactly wherever rounding could decide.

    A random control sample of all rows is run in both formats; the root mean square of its
    differences is the rms error.  Run exactly are the k largest rows, and every row whose size is
    within `margin` rms errors of the boundary: of `tau`, or of the k-th largest size, which is
    looked at again with exact values until no row is left that could be among the k.

    The rows that are not run again carry an error bar of `margin` rms errors, or of the largest
    error in the control sample where that is more.  That at most so many rows are further off
    holds whatever the distribution of errors is (Wilks 1941, for draws without replacement).

    Args:
        net: The lifted network.
        query: What to compute: `cn.nie(net.heads(), at="end")`, or its text.
        pairs: Prompt pairs.
        dtype: The reduced format.
        k: How many of the largest rows are run exactly.
        control: Rows of the control sample; all where there are fewer.
        tau: The size of an effect that rows are told apart by, in the outcome's unit; by default
            that of the k-th largest row.
        margin: How many rms errors a row may lie from the boundary without being run again.
        alpha: The probability that the bound is too small.
        seed: Seed of the control sample, and of resampling.
        **options: See `Options`.

    Raises:
        ParameterError: k outside 1 .. rows, control below 1, tau or margin below 0, or the
            network's own format.
        NumericalError: An effect that is not finite, such as one too large for the format.
        UnknownMediatorError, TermError: A query that does not fit the network.
    """
    rows = QueryRows.of(net, query, pairs, seed, **options)
    check_kept(k, len(rows), tau, alpha)
    _check_format(dtype, net.model.dtype, margin)
    sample = drawn(range(len(rows)), control, seed)
    rounded = rows.effects(range(len(rows)), None, dtype).mean(axis=1)
    values, unpatched = rows.exact(sample)
    exact = dict(zip(sample, values, strict=True))
    measured = ScreenError.of(rounded[list(sample)], values.mean(axis=1))
    means = rounded.copy()
    means[list(sample)] = values.mean(axis=1)
    wanted: set[int] = set()
    while True:
        top, near = _wanted(means, k, tau, margin * measured.rms)
        wanted |= top | near
        again = sorted(wanted - exact.keys())
        if not again:
            break
        values = rows.effects(again)
        exact |= dict(zip(again, values, strict=True))
        means[again] = values.mean(axis=1)
    order = sorted(exact)
    table = rows.table(order, np.stack([exact[row] for row in order]), unpatched)
    why: dict[str, Why] = {
        rows.labels[row]: "top" if row in top else "boundary" if row in wanted else "control"
        for row in order
    }
    bar = max(margin * measured.rms, measured.largest)
    return Screened(
        rows=rows.labels,
        estimates=rounded,
        exact=table,
        why=why,
        threshold=_boundary(means, k) if tau is None else tau,
        bound=_bound(bar, len(sample), len(rows), len(rows) - len(exact), alpha),
        errors={**errors_by_why(rounded, table, rows.labels, why), "control": measured},
        estimator=f"a run in {_name(dtype)}",
        error=(
            f"The error bar is {margin:g} rms errors of the control sample, or its largest error."
        ),
        error_bar=bar,
        seed=seed,
    )


def _wanted(
    means: Numbers, k: int, tau: float | None, distance: float
) -> tuple[set[int], set[int]]:
    """Return the k largest rows, and those that lie within a distance of the boundary."""
    sizes = np.abs(means)
    top = np.argsort(-sizes, kind="stable")[:k]
    boundary = _boundary(means, k) if tau is None else tau
    near = np.flatnonzero(np.abs(sizes - boundary) <= distance)
    return set(top.tolist()), set(near.tolist())


def _boundary(means: Numbers, k: int) -> float:
    """Return the size of the k-th largest mean."""
    return float(np.sort(np.abs(means))[-k])


def _bound(bar: float, sampled: int, among: int, unrun: int, alpha: float) -> ControlBound:
    at_most = min(most_among(0, sampled, among, alpha), unrun)
    what = f"differ from their exact mean by more than {bar:.2g}"
    return ControlBound(what, 0, sampled, unrun, at_most, 1 - alpha)


def _check_format(dtype: torch.dtype, own: torch.dtype, margin: float) -> None:
    if not dtype.is_floating_point or dtype == own:
        raise ParameterError(
            f"The format {_name(dtype)}, for a network in {_name(own)}.",
            "A screen runs in a floating-point format coarser than the network's own.",
            "Write dtype=torch.bfloat16.",
        )
    if not (margin >= 0 and np.isfinite(margin)):
        raise ParameterError(
            f"margin is {margin!r}.",
            "It counts rms errors: a finite number of at least 0.",
            "Write margin=5.",
        )


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
