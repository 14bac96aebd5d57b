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
from causalnet.estimators.query_rows import Numbers, Options, QueryRows
from causalnet.estimators.screened import Screened, Why, errors_by_why
from causalnet.interventions import (
    Apply,
    Base,
    Contrast,
    Do,
    Grad,
    Leaf,
    Op,
    Query,
    Read,
    Scalar,
    Self,
    World,
    layers_of,
    worlds_read_by,
)
from causalnet.lift import LiftedNetwork
from causalnet.tasks import PromptPairs

__all__ = ["Rank", "Scorer", "check_kept", "first_order", "screen_then_verify"]

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
        estimates = _first_orders(rows)
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


# -- first orders ------------------------------------------------------------------------------


def _first_orders(rows: QueryRows) -> Numbers:
    """Return first orders of all rows, [rows], by one backward pass for each unpatched read."""
    expanded = [
        Contrast(tuple((weight, leaf) for leaf, weight in first_order(scalar, label).items()))
        for label, scalar in rows.query.contrasts
    ]
    return np.asarray(rows.values(expanded).mean(axis=1))


def first_order(scalar: Scalar, label: str = "the row") -> dict[Leaf, float]:
    """Return the first order of a scalar in everything that its worlds set, as leaves and weights.

    A read-out in a world that sets sites becomes the read-out where nothing is set, plus its
    derivative at every site along (value that is set) - (value that is there).  Read-outs that
    cancel are left out, so that a contrast of patched and unpatched costs no forward pass of its
    own.

    Args:
        scalar: A linear combination of read-outs and derivatives.
        label: What it is called in messages.

    Raises:
        ParameterError: A ratio or an event, a read-out whose first order is 0 (kl in its own
            reference world, accuracy), or a world with several layers or values read in worlds
            that are patched themselves.

    >>> from causalnet.interventions import parse_scalar
    >>> effect = "kl(<source> + {L0.mlp := 0}) - kl(<source>)"
    >>> [(weight, str(leaf)) for leaf, weight in first_order(parse_scalar(effect)).items()]
    [(1.0, 'grad(kl(<source>); L0.mlp; subtract(0, self))')]
    """
    weights: dict[Leaf, float] = {}
    waiting: list[tuple[float, Scalar]] = [(1.0, scalar)]
    while waiting:
        weight, current = waiting.pop()
        match current:
            case Contrast(terms):
                waiting += [(weight * inner, part) for inner, part in terms]
            case Read(readout, Do() as world):
                below = _cheap_base(world, label)
                read = Read(readout, below)
                if _is_flat(read):
                    raise _no_first_order(label, f"reads {readout.name}, whose first order is 0")
                waiting.append((weight, read))
                for site, value in layers_of(world)[1][0]:
                    grad = Grad(read, site, Op("subtract", (value, Self())))
                    waiting.append((weight, grad))
            case Read() | Grad():
                weights[current] = weights.get(current, 0.0) + weight
            case Apply(name):
                raise _no_first_order(label, f"applies {name!r}, which is not linear")
    return {leaf: weight for leaf, weight in weights.items() if weight != 0}


def _cheap_base(world: World, label: str) -> Base:
    """Return the input of a world whose values are read in untouched networks only."""
    base, layers = layers_of(world)
    if len(layers) > 1:
        raise _no_first_order(label, "sets sites in several layers")
    if any(isinstance(read.world, Do) for read in worlds_read_by(world)):
        raise _no_first_order(label, "reads values in worlds that are patched themselves")
    return base


def _is_flat(read: Read) -> bool:
    """Return whether derivatives of a read-out are 0 everywhere, or at its least value."""
    is_least = read.readout.name == "kl" and read.readout.reference == read.world
    return is_least or read.readout.name == "accuracy"


def _no_first_order(label: str, why: str) -> ParameterError:
    return ParameterError(
        f"{label} {why}.",
        "First orders rank rows that set one layer of sites to values of untouched networks, by a "
        "read-out that has a slope there.",
        "Rank by 'bf16', or by a function from the labels of rows to scores.",
    )
