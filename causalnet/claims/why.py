"""Searching for why a claim failed: what is added to, or taken out of, its circuit one at a time.

Nothing that a search finds is a verdict: it is the largest of many, found on the prompts that are
there to search on, so that the test prompts stay fresh for a claim about what was found.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from causalnet.claims.circuits import circuit_of
from causalnet.claims.hearing import Hearing, Scores
from causalnet.claims.kinds import Claim, ExistsClaim, NecessaryClaim
from causalnet.claims.results import ClaimResult
from causalnet.claims.robustness_grid import Bounds, Grid, Quantity
from causalnet.claims.robustness_verdict import robustness_sentence
from causalnet.claims.why_values import Explanation, Split, Suspect, noise_of
from causalnet.errors import AlignmentError, ClaimFileError, ParameterError, TermError
from causalnet.faithfulness import Member, Regime, Wanted
from causalnet.interventions import READOUTS
from causalnet.statistics import Verdict, ratio_interval, student_interval

__all__ = ["explain_result", "to_be_explained"]

SHOWN = 10
"""Outsiders that are kept, of all that were measured."""

SPLIT_PROMPTS = 64
"""Test prompts that are split by template, at most."""

WHOLE: Wanted = (Regime.MODEL, ())
EMPTY: Wanted = (Regime.EMPTY, ())
Array = NDArray[np.float64]


def to_be_explained(results: Iterable[ClaimResult], claim_id: str = "") -> tuple[ClaimResult, ...]:
    """Return the claim with an id, or all that are not SUPPORTED."""
    if claim_id:
        return tuple(one for one in results if one.claim.id == claim_id)
    return tuple(one for one in results if one.decision.verdict is not Verdict.SUPPORTED)


def explain_result(
    hearing: Hearing,
    result: ClaimResult,
    *,
    grid: Grid | None = None,
    prompts: int = 16,
    budget: int = 1000,
) -> Explanation:
    """Say why a claim came out as it did.

    Args:
        hearing: Prompts and network of the claim's file; forwards are counted there.
        result: The claim and its verdict.
        grid: What was measured under other conventions, if anything.
        prompts: On how many prompts outsiders and members are measured.
        budget: Forward passes, at most; outsiders that it leaves no room for are counted.

    Raises:
        AlignmentError, NumericalError, OutOfMemoryError: The network cannot be run.
    """
    before = hearing.meter.forwards
    decision = result.decision
    explained = Explanation(
        claim=result.claim.id,
        verdict=decision.verdict.value,
        reason=decision.reason.value,
        sentence=decision.sentence,
        noise=noise_of(decision),
        conventions=robustness_sentence(grid, result.claim, result.circuit, decision),
    )
    search = _Search.of(hearing, result)
    explained = replace(explained, splits=_splits(hearing, search, result))
    if isinstance(search, str):
        explained = replace(explained, no_search=search)
    else:
        left = budget - (hearing.meter.forwards - before)
        try:
            explained = replace(explained, **_suspects(search, prompts, left))
        except ClaimFileError as error:  # no prompts to search on
            explained = replace(explained, no_search=f"{error.came} {error.write}".strip())
    return replace(explained, forwards=hearing.meter.forwards - before)


@dataclass(frozen=True, slots=True)
class _Search:
    """What is searched: the number of a circuit, and which way it should go."""

    hearing: Hearing
    quantity: Quantity
    circuit: tuple[Member, ...]
    bounds: Bounds
    estimate: float
    level: float

    @staticmethod
    def of(hearing: Hearing, result: ClaimResult) -> "_Search | str":
        """Return the search for a claim, or why there is none."""
        if not result.circuit:
            return "The claim is about no circuit."
        if hearing.file.ablation.kind == "optimal":
            return "Constants would be learned for every circuit that is tried."
        names = frozenset(circuit_of(hearing.file, result.claim))
        circuit = tuple(one for one in hearing.universe if str(one) in names)
        decision = result.decision
        return _Search(
            hearing,
            _quantity(result.claim),
            circuit,
            Bounds.of(decision) if _is_share(result.claim) else Bounds(low=1.0),
            decision.estimate if _is_share(result.claim) else 0.0,
            1 - 2 * decision.alpha,
        )

    def part(self, circuit: Iterable[Member]) -> Wanted:
        """Return the run that the number of a circuit is about."""
        regime = Regime.KEPT if self.quantity == "faithfulness" else Regime.KNOCKED_OUT
        chosen = frozenset(circuit)
        return regime, tuple(one for one in self.hearing.universe if one in chosen)

    @property
    def upward(self) -> bool:
        """Whether a larger number would be nearer to the claim."""
        if self.bounds.low is None:
            return False
        return self.bounds.high is None or not self.estimate > self.bounds.high

    def shares(self, scores: Scores, wanted: Wanted) -> Array:
        """Return what a part keeps, or loses, on every prompt, [n]."""
        sign = -1.0 if self.hearing.file.readout in ("kl", "loss") else 1.0
        if self.quantity == "faithfulness":
            return np.asarray(sign * (scores[wanted] - scores[EMPTY]))
        return np.asarray(sign * (scores[WHOLE] - scores[wanted]))

    def whole(self, scores: Scores) -> Array:
        """Return the behaviour on every prompt, [n]."""
        sign = -1.0 if self.hearing.file.readout in ("kl", "loss") else 1.0
        return np.asarray(sign * (scores[WHOLE] - scores[EMPTY]))


def _quantity(claim: Claim) -> Quantity:
    return "necessity" if isinstance(claim, NecessaryClaim) else "faithfulness"


def _is_share(claim: Claim) -> bool:
    return claim.kind in ("faithful", "necessary")


def _suspects(search: _Search, prompts: int, budget: int) -> dict[str, Any]:
    """Add every outsider and take out every member, one at a time, on prompts to search on."""
    hearing = search.hearing
    find = hearing.pairs("find")
    rows = range(min(prompts, len(find)))
    batches = -(-len(rows) // hearing.meter.batch_size)
    inside = frozenset(search.circuit)
    outside = [one for one in hearing.universe if one not in inside]
    # Beside one run for each there are donors, the intact model, and two runs for attribution.
    room = (budget // batches - 8) // hearing.file.ablation.draws - 3
    taken_out = search.circuit if room >= len(search.circuit) else ()
    room = max(0, room - len(taken_out))
    chosen, order = _first(search, outside, room, rows)
    grown = {one: search.part((*search.circuit, one)) for one in chosen}
    shrunk = {
        one: search.part(other for other in search.circuit if other != one) for one in taken_out
    }
    own = search.part(search.circuit)
    hearing.expect("search for what is missing", batches * (len(grown) + len(shrunk) + 4))
    scores = hearing.sweep("find", (WHOLE, EMPTY, own, *grown.values(), *shrunk.values()), rows)
    whole, base = search.whole(scores), search.shares(scores, own)

    def suspect(member: Member, gained: Array) -> Suspect:
        interval = ratio_interval(gained, whole, search.level)
        ends = (None, None) if interval is None else (interval.low, interval.high)
        return Suspect(str(member), float(gained.mean() / whole.mean()), *ends)

    gains = [suspect(one, search.shares(scores, part) - base) for one, part in grown.items()]
    members = [suspect(one, base - search.shares(scores, part)) for one, part in shrunk.items()]
    sign = -1.0 if search.upward else 1.0
    gains.sort(key=lambda one: (sign * one.gain, one.name))
    members.sort(key=lambda one: (abs(one.gain), one.name))
    named = hearing.file.found.task is not None
    return {
        "number": search.quantity,
        "missing": tuple(one for one in gains if sign * one.gain < 0)[:SHOWN],
        "members": tuple(members),
        "measured": len(chosen),
        "left_out": len(outside) - len(chosen),
        "order": order,
        "prompts": f"{len(rows)} of "
        + ("the prompts that found the circuit" if named else "other prompts of the same task"),
    }


def _first(
    search: _Search, outside: Sequence[Member], room: int, rows: range
) -> tuple[list[Member], str]:
    """Return as many outsiders as there is room for, and how they were chosen."""
    if len(outside) <= room:
        return list(outside), ""
    if search.hearing.file.ablation.level == "nodes":
        return list(outside)[::-1][:room], "late layers first"
    sizes = _attributed(search.hearing, rows)
    order = "largest edge attribution patching first"
    if not sizes:
        ends = {end for one in search.circuit for end in _nodes(one)}
        sizes = {str(one): float(len(ends & _nodes(one))) for one in outside}
        order = "edges between nodes that the circuit's edges join first"
    ranked = sorted(outside, key=lambda one: -sizes[str(one)])
    return ranked[:room], order


def _nodes(edge: Member) -> frozenset[str]:
    """Return the heads and MLPs at both ends of an edge."""
    return frozenset(".".join(end.split(".")[:2]) for end in str(edge).split(" -> "))


def _attributed(hearing: Hearing, rows: range) -> dict[str, float]:
    """Return the size of every edge's attribution; nothing where estimators do not apply."""
    from causalnet.estimators import eap

    try:
        scored = eap(
            hearing.net,
            hearing.pairs("find").rows(rows),
            readout=READOUTS[hearing.file.readout],
            at=hearing.file.ablation.positions or (),
            direction=hearing.file.direction,
            batch_size=hearing.meter.batch_size,
        )
    except (AlignmentError, ParameterError, TermError):
        return {}
    for _ in range(3):
        hearing.told(0, 0)
    return {
        str(one): abs(float(score))
        for one, score in zip(hearing.universe, scored.scores, strict=True)
    }


def _splits(hearing: Hearing, search: "_Search | str", result: ClaimResult) -> tuple[Split, ...]:
    """Return the number for every template, worst first; nothing where there is one template."""
    test = hearing.pairs("test")
    rows = range(min(len(test), max(result.decision.n, 1), SPLIT_PROMPTS))
    templates = test.base.templates[: len(rows)]
    names = tuple(dict.fromkeys(templates))
    level = 1 - 2 * result.decision.alpha
    if len(names) < 2:
        return ()
    if isinstance(search, _Search):
        own = search.part(search.circuit)
        scores = hearing.read("test", (WHOLE, EMPTY, own), rows)
        above, below, bounds = search.shares(scores, own), search.whole(scores), search.bounds
    elif isinstance(result.claim, ExistsClaim):
        above = np.asarray(hearing.read("test", (WHOLE,), rows)[WHOLE])
        below, bounds = None, Bounds.of(result.decision)
    else:
        return ()
    splits = []
    for name in names:
        chosen = np.array([one == name for one in templates])
        splits.append(_split(name, above[chosen], None if below is None else below[chosen], level))
    return tuple(sorted(splits, key=lambda one: _slack(one, bounds)))


def _split(name: str, above: Array, below: Array | None, level: float) -> Split:
    if below is None:
        interval = student_interval(above, level)
        ends = (interval.low, interval.high) if np.isfinite(interval.width) else (None, None)
        return Split(name, len(above), float(above.mean()), *ends)
    ratio = ratio_interval(above, below, level)
    if ratio is None:
        return Split(name, len(above), None)
    return Split(name, len(above), float(above.mean() / below.mean()), ratio.low, ratio.high)


def _slack(split: Split, bounds: Bounds) -> float:
    return float("inf") if split.estimate is None else bounds.slack(split.estimate)
