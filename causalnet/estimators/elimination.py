"""Successive elimination: rows that take prompts together until each is on one side of tau.

Every row has a confidence sequence for its mean; a row leaves once its sequence lies on one side.
Sequences hold at every look, so that stopping when they decide costs nothing, which is not so for
t intervals that are made again after every round.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from causalnet.estimators.query_rows import Numbers
from causalnet.statistics.bounds import mean_sequence_bounds
from causalnet.statistics.mixture import MINIMUM_N
from causalnet.statistics.moments import Moments, moments_of

__all__ = ["Observe", "Raced", "race_rows"]

Observe: TypeAlias = Callable[[Sequence[int], Sequence[int]], Numbers]
"""Takes rows and prompts by their numbers and returns their effects, [rows, prompts]."""


@dataclass(frozen=True, slots=True, eq=False)
class Raced:
    """How a race over any rows ended.

    Attributes:
        side: 1 where the size of the mean is above tau, -1 where it is below, 0 where neither is
            known, [rows].
        n: Prompts that each row took, [rows].
        mean: Mean effect over those, [rows].
        low: Low ends of the sequences when the rows left, [rows]; NaN where there is no interval.
        high: High ends, alike.
    """

    side: NDArray[np.int64]
    n: NDArray[np.int64]
    mean: Numbers
    low: Numbers
    high: Numbers


def race_rows(
    observe: Observe,
    rows: int,
    prompts: Sequence[int],
    tau: float,
    *,
    row_alpha: float,
    round_size: int = 4,
    start: int = MINIMUM_N,
    expected_n: int = MINIMUM_N,
) -> Raced:
    """Take prompts in their order, and drop every row whose sequence lies on one side of tau.

    Args:
        observe: Gives the effects of some rows on some prompts.
        rows: How many rows there are.
        prompts: The prompts in the order in which they are taken.
        tau: The size of an effect that rows are told apart by.
        row_alpha: The probability with which the sequence of one row may ever miss its mean.
        round_size: Prompts between two looks.
        start: Prompts before the first look; they are taken at once.
        expected_n: The number of prompts at which sequences are narrowest.

    >>> effects = np.random.default_rng(0).normal([[0.0], [2.0]], 1.0, size=(2, 200))
    >>> ended = race_rows(
    ...     lambda rows, prompts: effects[np.ix_(rows, prompts)], 2, range(200), 1.0, row_alpha=0.01
    ... )
    >>> ended.side.tolist(), ended.n.tolist()
    ([-1, 1], [32, 32])
    """
    ended = Raced(
        np.zeros(rows, dtype=np.int64), np.zeros(rows, dtype=np.int64), *np.full((3, rows), np.nan)
    )
    alive, taken, moments = np.arange(rows), 0, None
    while len(alive) and taken < len(prompts):
        step = prompts[taken : taken + (round_size if taken else max(start, round_size))]
        fresh = moments_of(observe(alive.tolist(), step)[..., None])
        moments = fresh if moments is None else moments.merge(fresh)
        taken += len(step)
        low, high = mean_sequence_bounds(moments, row_alpha / 2, expected_n, start)
        side = _sides(low, high, tau)
        ended.side[alive], ended.n[alive], ended.mean[alive] = side, taken, moments.mean[:, 0]
        ended.low[alive], ended.high[alive] = low, high
        moments, alive = _rows_of(moments, side == 0), alive[side == 0]
    return ended


def _sides(low: Numbers, high: Numbers, tau: float) -> NDArray[np.int64]:
    """Say on which side of tau the sizes of all numbers of an interval are; NaN decides nothing."""
    above = (low > tau) | (high < -tau)
    below = (low > -tau) & (high < tau)
    return above.astype(np.int64) - below.astype(np.int64)


def _rows_of(moments: Moments, chosen: NDArray[np.bool_]) -> Moments:
    return Moments(moments.n, moments.mean[chosen], moments.second[chosen], moments.third[chosen])
