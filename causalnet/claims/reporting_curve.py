"""Faithfulness over circuit size: what a ranking of single effects gives, beside the claims' own.

Descriptive: nothing is judged by it.  Units are ranked by the absolute effect of knocking out each
by itself, on the prompts that are there to search on; the curve is on the first test prompts.
"""

from collections.abc import Sequence

import numpy as np

from causalnet.claims.budget import OutOfBudget
from causalnet.claims.circuits import circuit_of
from causalnet.claims.hearing import Hearing
from causalnet.claims.kinds import FaithfulClaim, NecessaryClaim
from causalnet.claims.reporting_curve_values import CurvePoint, SizeCurve
from causalnet.errors import AlignmentError, ClaimFileError, NumericalError
from causalnet.faithfulness import Member, Regime, Wanted
from causalnet.statistics import Interval, ratio_interval

__all__ = ["curve_sizes", "size_curve"]

RANKED_ON = 8
"""Prompts that single effects are measured on."""

LARGEST_UNIVERSE = 1000
"""Up to so many units each is knocked out by itself."""

WHOLE: Wanted = (Regime.MODEL, ())
EMPTY: Wanted = (Regime.EMPTY, ())


def curve_sizes(universe: int) -> tuple[int, ...]:
    """Return about twelve sizes, closer where they are small.

    >>> curve_sizes(270)
    (1, 2, 3, 5, 8, 13, 21, 34, 55, 90, 146, 237)
    """
    sizes: list[int] = []
    size = 1.0
    while round(size) < universe:
        sizes.append(round(size))
        size = max(size * 1.625, size + 1) if size > 2 else size + 1
    return tuple(sizes)


def size_curve(hearing: Hearing, prompts: int = 16) -> SizeCurve:
    """Measure the curve, and the circuits of faithful and necessary claims beside it.

    Args:
        hearing: Prompts, network and whoever runs it; forwards are counted there.
        prompts: On how many test prompts, the first ones.
    """
    universe = tuple(hearing.universe)
    reason = _not_done(hearing, universe)
    if reason:
        return SizeCurve(universe=len(universe), not_done=reason)
    try:
        return _curve(hearing, universe, prompts)
    except OutOfBudget:
        return SizeCurve(universe=len(universe), not_done="The budget ran out.")
    except (ClaimFileError, AlignmentError, NumericalError) as error:
        return SizeCurve(universe=len(universe), not_done=f"{error.came} {error.possible}".strip())


def _curve(hearing: Hearing, universe: tuple[Member, ...], prompts: int) -> SizeCurve:
    ranked, said = _ranked(hearing, universe)
    tops = {size: frozenset(ranked[:size]) for size in curve_sizes(len(universe))}
    curve = {size: tuple(one for one in universe if one in top) for size, top in tops.items()}
    named = _claimed(hearing, universe)
    circuits = tuple(dict.fromkeys((*curve.values(), *named)))
    rows = range(min(prompts, len(hearing.pairs("test"))))
    hearing.expect("measure the curve over sizes", len(circuits) + 3)
    wanted = [(Regime.KEPT, one) for one in circuits]
    scores = hearing.sweep("test", (WHOLE, EMPTY, *wanted), rows)
    sign = -1.0 if hearing.file.readout in ("kl", "loss") else 1.0
    whole = sign * (scores[WHOLE] - scores[EMPTY])
    level = 1 - 2 * hearing.file.alpha

    def point(circuit: tuple[Member, ...], name: str = "") -> CurvePoint:
        above = sign * (scores[Regime.KEPT, circuit] - scores[EMPTY])
        interval: Interval | None = ratio_interval(above, whole, level)
        if interval is None:
            return CurvePoint(len(circuit), None, name=name)
        estimate = float(above.mean() / whole.mean())
        return CurvePoint(len(circuit), estimate, interval.low, interval.high, name)

    return SizeCurve(
        points=tuple(map(point, curve.values())),
        marks=tuple(point(circuit, ", ".join(ids)) for circuit, ids in named.items()),
        n=len(rows),
        universe=len(universe),
        level=level,
        ranking=said,
    )


def _not_done(hearing: Hearing, universe: Sequence[Member]) -> str:
    if hearing.file.ablation.kind == "optimal":
        return "Constants would be learned for every unit and every size."
    if len(universe) > LARGEST_UNIVERSE:
        return (
            f"Ranking {len(universe):,} units one by one takes as many forward passes; it is done "
            f"for up to {LARGEST_UNIVERSE:,}."
        )
    return ""


def _ranked(hearing: Hearing, universe: tuple[Member, ...]) -> tuple[tuple[Member, ...], str]:
    """Return the units by the absolute effect of knocking out each, and how that was measured."""
    find = hearing.pairs("find")
    rows = range(min(RANKED_ON, len(find)))
    hearing.expect("rank units by their own effects", len(universe) + 2)
    single: list[Wanted] = [(Regime.KNOCKED_OUT, (one,)) for one in universe]
    scores = hearing.sweep("find", (WHOLE, *single), rows)
    effects = [float(np.mean(scores[one] - scores[WHOLE])) for one in single]
    order = sorted(range(len(universe)), key=lambda index: (-abs(effects[index]), index))
    where = (
        "prompts of another seed"
        if hearing.file.found.task is None
        else "the prompts that found the circuit"
    )
    said = f"absolute effect of knocking out each by itself, on {len(rows)} of {where}"
    return tuple(universe[index] for index in order), said


def _claimed(
    hearing: Hearing, universe: tuple[Member, ...]
) -> dict[tuple[Member, ...], tuple[str, ...]]:
    """Return the circuits of claims, with the ids of those claims."""
    found: dict[tuple[Member, ...], tuple[str, ...]] = {}
    for claim in hearing.file.claims:
        if isinstance(claim, FaithfulClaim | NecessaryClaim):
            names = frozenset(circuit_of(hearing.file, claim))
            circuit = tuple(one for one in universe if str(one) in names)
            found[circuit] = (*found.get(circuit, ()), claim.id)
    return found
