"""ACDC: edges are removed one after the other, from the logits back, while little changes.

The order is fixed.  Stages are visited from the logits back; within a stage receivers from the last
to the first in the order of `EdgeSites` (values, then keys, then queries, the highest index first);
the senders of a receiver from the embedding on, or from the last back.  At other grains units are
visited from the last to the first.

What is decided is what the loop over one candidate after the other decides.  But candidates are run
many at once, on the guess that all of them go: the outcomes of H - e1, H - e1 - e2, ... come from
one batch, and count up to the first candidate that stays.  A round that follows is as long as twice
the last one's decisions, so that a search of n candidates runs less than 2 n + `FIRST_ROUND` of
them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from causalnet.discovery.exact import Progress, by_first_stage, total_effect
from causalnet.discovery.journal import Journal, Log, log_of
from causalnet.discovery.question import Question
from causalnet.discovery.scores import Cost, Scores
from causalnet.discovery.units import CircuitGrain
from causalnet.errors import ParameterError
from causalnet.estimators.methods import Method
from causalnet.interventions.techniques.measured import on_trial
from causalnet.masked.liveness import live_edges
from causalnet.statistics.bounds import mean_sequence_bounds
from causalnet.statistics.moments import moments_of

__all__ = ["ACDC", "FIRST_ROUND", "Senders", "acdc", "acdc_cost"]

Senders: TypeAlias = Literal["early", "late"]
"""Which senders of a receiver are looked at first: `early` from the embedding on."""

FIRST_ROUND = 8  # candidates of a stage that are run together first
AT_ONCE = 256  # candidates that are run together at most
LEAST = 8  # prompts after which an early decision may be taken

ACDC = Method(
    name="ACDC/v1",
    formula="the largest tau at which the unit survives: it goes if the distance grows by less",
    gradient_at="none",
    approximates="whether the outcome needs the unit once those before it in the order are decided",
    error="exact decisions of a greedy search in one order; other orders give other circuits",
    fails=(
        "backups: whichever comes first in the order goes, since the other one stands in for it",
        "many small effects: each is below tau, and together they are not",
        "read-outs that do not see what changes: use kl or logit_distance",
    ),
    source="Conmy et al. 2023",
    measured=(on_trial("acdc"),),
)


@dataclass(frozen=True, slots=True)
class _State:
    """Where a search at one threshold stands.

    Attributes:
        group: Which group of candidates, in the order of the search.
        position: The next candidate of that group.
        round: How many candidates are run next.
        distance: Of the circuit so far from the intact network.
    """

    group: int
    position: int
    round: int
    distance: float


def acdc(
    question: Question,
    tau: float | Sequence[float] = 0.01,
    *,
    senders: Senders = "early",
    early: float | None = None,
    at_once: int = AT_ONCE,
    progress: Progress | None = None,
    journal: Journal | None = None,
) -> Scores:
    """Return which units survive ACDC at a threshold, or up to which of several thresholds.

    The distance from the intact network is the mean over prompts of the read-out where it is a
    distance (`kl`, `logit_distance`), and of the absolute change of the read-out elsewhere.
    Survival at one threshold is 1 or 0.  Receivers whose owner reaches the logits by no kept edge
    lose their edges without a run: nothing changes.

    On trial with planted heads, 40 sets of 32 prompts, best ranked: power 71%, false finds 50%;
    misses additive of -0.25, saturated of -0.33; takes backup, balanced.

    Args:
        question: What is asked, in the direction noising.
        tau: The threshold, or several; in the unit of the read-out.
        senders: Which senders of a receiver are looked at first.
        early: Decide a candidate before all prompts are run, once a confidence bound with this
            error probability keeps its mean from tau; None for exact decisions.
        at_once: How many candidates are run together at most; what is found does not depend on it.
        progress: Told after every round: candidates that are decided, and candidates in all.
        journal: Where what is decided is kept.

    Raises:
        ParameterError: Thresholds that are not above 0, the direction denoising, the journal of
            another search.
        NumericalError: NaN or infinity in an outcome.
    """
    taus = _checked(question, tau, senders, early, at_once)
    settings = {"tau": taus, "senders": senders, "early": early, "at once": at_once}
    log = log_of(journal, question, ACDC, settings)
    search = _Search(question, senders, early, at_once, log, progress, len(taus))
    survived = np.stack([search.survivors(number, each) for number, each in enumerate(taus)])
    values = survived[0].astype(float) if len(taus) == 1 else (survived.T * taus).max(1)
    words = {"tau": ", ".join(f"{each:g}" for each in taus), "senders": f"{senders} first"}
    return Scores(
        question,
        ACDC,
        values,
        None,
        "survival",
        "" if len(taus) == 1 else question.readout.unit,
        total_effect(question),
        settings=words if early is None else {**words, "early": f"alpha {early:g}"},
        cost=search.cost,
    )


def acdc_cost(question: Question, taus: int = 1) -> float:
    """Return an upper bound on the forwards of a search, as its `Cost` counts them.

    A group of n candidates from a stage on runs at most 2 n + `FIRST_ROUND` of them, each a share
    of the network; what is skipped costs nothing.

    Args:
        question: What is asked.
        taus: How many thresholds.
    """
    stages = len(question.runs.layout.stages)
    return taus * sum(
        min(2 * len(members) + FIRST_ROUND, len(members) * (len(members) + 1) // 2)
        * (1 - first / stages)
        for first, members in by_first_stage(question)
    )


def _checked(
    question: Question,
    tau: float | Sequence[float],
    senders: Senders,
    early: float | None,
    at_once: int,
) -> tuple[float, ...]:
    """Return the thresholds, checked with everything else."""
    taus = (float(tau),) if isinstance(tau, int | float) else tuple(map(float, tau))
    if not taus or not all(0 < each < float("inf") for each in taus):
        raise ParameterError(
            f"tau={tau!r}.",
            "A threshold is above 0.",
            f"Write tau=0.01, in {question.readout.unit}.",
        )
    if senders not in ("early", "late"):
        raise ParameterError(
            f"senders={senders!r}.", "There are 'early' and 'late'.", "Write senders='early'."
        )
    if early is not None and not 0 < early < 0.5:
        raise ParameterError(
            f"early={early!r}.", "An error probability between 0 and 0.5.", "Write early=0.01."
        )
    if isinstance(at_once, bool) or not isinstance(at_once, int) or at_once < 1:
        raise ParameterError(f"at_once={at_once!r}.", "At least 1.", f"Write at_once={AT_ONCE}.")
    if question.units.cells:
        raise ParameterError(
            f"ACDC at the grain {str(question.grain)!r}.",
            "It decides on edges, nodes, heads or receivers.",
            "Write grain='edges'.",
        )
    if question.direction != "noising":
        raise ParameterError(
            "ACDC in the direction denoising.",
            "It removes edges from the intact network, which is the base run.",
            "Write direction='noising', or use exact patching.",
        )
    return taus


class _Search:
    """A search, threshold after threshold."""

    def __init__(
        self,
        question: Question,
        senders: Senders,
        early: float | None,
        at_once: int,
        log: Log,
        progress: Progress | None,
        taus: int,
    ) -> None:
        self.question, self.runs = question, question.runs
        self.early, self.at_once, self.log, self.progress = early, at_once, log, progress
        self.groups = _ordered(question, senders)
        self.intact = self._outcomes(np.ones((1, len(question.units)), dtype=bool), 0)[0]
        self.cost, self.done, self.total = Cost(), 0, taus * len(question.units)
        self._entries = iter(log.entries)

    def survivors(self, number: int, tau: float) -> NDArray[np.bool_]:
        """Return which units survive a threshold, [units]."""
        kept = np.ones(len(self.question.units), dtype=bool)
        distance = self._distance(self.intact)
        for group, (first, members) in enumerate(self.groups):
            alive = self._alive(kept)[members]
            kept[members[~alive]] = False
            self._count(0.0, 0, int((~alive).sum()))
            state = _State(group, 0, FIRST_ROUND, distance)
            while state.position < alive.sum():
                state = self._round(number, tau, kept, members[alive], first, state)
            distance = state.distance
        return kept

    def _round(
        self,
        number: int,
        tau: float,
        kept: NDArray[np.bool_],
        members: NDArray[np.int64],
        first: int,
        state: _State,
    ) -> _State:
        """Decide some candidates, from the journal where it knows them; changes `kept`."""
        many = min(state.round, self.at_once, len(members) - state.position)
        candidates = members[state.position : state.position + many]
        where = {"tau": number, "group": state.group, "position": state.position, "of": many}
        known = next(self._entries, None)
        if known is None:
            removed, distance, share = self._decided(kept, candidates, first, tau, state.distance)
            found = {"removed": removed, "distance": distance, "share": share}
            self.log.append({**where, **found})
        else:
            removed, distance, share = _replayed(known, where)
        kept[candidates[:removed]] = False
        decided = min(removed + 1, many)
        stages = len(self.runs.layout.stages)
        self._count(many * share * (1 - first / stages), many, decided)
        return _State(state.group, state.position + decided, 2 * decided, distance)

    def _decided(
        self,
        kept: NDArray[np.bool_],
        candidates: NDArray[np.int64],
        first: int,
        tau: float,
        distance: float,
    ) -> tuple[int, float, float]:
        """Return how many candidates go before one stays, the distance then, the prompts' share."""
        circuits = np.repeat(kept[None], len(candidates), 0)
        for number, candidate in enumerate(candidates):
            circuits[number:, candidate] = False
        if self.early is not None:
            return self._decided_early(np.concatenate([kept[None], circuits]), first, tau)
        distances = [self._distance(each) for each in self._outcomes(circuits, first)]
        before = [distance, *distances]
        growth = np.diff(before)
        stays = np.flatnonzero(growth >= tau)
        removed = int(stays[0]) if len(stays) else len(candidates)
        return removed, before[removed], 1.0

    def _decided_early(
        self, circuits: NDArray[np.bool_], first: int, tau: float
    ) -> tuple[int, float, float]:
        """Decide on as many batches of prompts as are needed."""
        assert self.early is not None
        masks, many = self._masks(circuits), len(circuits) - 1
        growth = np.zeros((many, 0))
        stays, is_open, seen, run = np.zeros(many, dtype=bool), np.ones(many, dtype=bool), 0, 0.0
        for batch in self.runs.batches():
            asked = np.flatnonzero(is_open)
            if not len(asked):
                break
            versions, places = np.unique([asked, asked + 1], return_inverse=True)
            found = self.runs.batch_outcomes(batch, masks[versions], first=first)
            gaps = self._gaps(found.cpu().double().numpy(), seen)
            seen, run = seen + gaps.shape[1], run + gaps.size / len(self.runs)
            before, after = places.reshape(2, -1)
            more = np.full((many, gaps.shape[1]), np.nan)
            more[asked] = gaps[after] - gaps[before]
            growth = np.concatenate([growth, more], 1)
            side = _sides(growth[asked], tau, self.early, seen == len(self.runs))
            stays[asked], is_open[asked] = side > 0, side == 0
            if stays.any():
                is_open[int(np.argmax(stays)) :] = False
        removed = int(np.argmax(stays)) if stays.any() else many
        return removed, 0.0, run / many

    def _alive(self, kept: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return which units have an edge into something that reaches the logits, [units]."""
        if self.question.positions:  # other positions read the whole stream
            return np.ones(len(kept), dtype=bool)
        masks = self._masks(kept[None])
        heard = live_edges(self.runs.layout, masks[:, None])
        found = np.zeros(len(kept) + 1, dtype=bool)
        found[self.question.units.owner[heard]] = True
        return found[:-1]

    def _masks(self, kept: NDArray[np.bool_]) -> torch.Tensor:
        padded = np.concatenate([kept, np.ones((len(kept), 1), dtype=bool)], 1)
        return torch.from_numpy(padded[:, self.question.units.owner])

    def _outcomes(self, kept: NDArray[np.bool_], first: int) -> NDArray[np.float64]:
        return self.runs.outcomes(self._masks(kept), first=first)

    def _gaps(self, outcomes: NDArray[np.float64], start: int = 0) -> NDArray[np.float64]:
        """Return distances prompt by prompt; those of `outcomes` begin at prompt `start`."""
        intact = self.intact[start : start + outcomes.shape[-1]]
        found: NDArray[np.float64] = np.abs(outcomes - intact)
        return outcomes if self.question.is_distance else found

    def _distance(self, outcomes: NDArray[np.float64]) -> float:
        return float(self._gaps(outcomes).mean())

    def _count(self, forwards: float, run: int, decided: int) -> None:
        before = self.cost
        self.cost = Cost(
            before.forwards + forwards,
            0,
            before.looked_at + run,
            before.skipped + (0 if run else decided),
        )
        self.done += decided
        if self.progress is not None:
            self.progress(self.done, self.total)


def _replayed(known: object, where: dict[str, int]) -> tuple[int, float, float]:
    """Return what a journal says of a round."""
    assert isinstance(known, dict)
    if any(known.get(name) != value for name, value in where.items()):
        raise ParameterError(
            f"The journal decides {known}, where {where} is next.",
            "A journal goes on where it was stopped, in the same order.",
            "Begin again with another file.",
        )
    return int(known["removed"]), float(known["distance"]), float(known["share"])


def _sides(
    growth: NDArray[np.float64], tau: float, alpha: float, is_last: bool
) -> NDArray[np.int64]:
    """Return 1 for candidates that stay, -1 for those that go, 0 where bounds leave it open.

    Args:
        growth: Of the distance, [candidates, prompts].
        tau: The threshold.
        alpha: Error probability of each decision.
        is_last: Whether these are all prompts; then means decide.
    """
    mean = growth.mean(1)
    if is_last:
        return np.where(mean >= tau, 1, -1)
    low, high = mean_sequence_bounds(moments_of(growth[..., None]), alpha, growth.shape[1], LEAST)
    return np.where(low >= tau, 1, np.where(high < tau, -1, 0))


def _ordered(question: Question, senders: Senders) -> list[tuple[int, NDArray[np.int64]]]:
    """Return the units in the order of the search, by the first stage that they change."""
    groups = reversed(list(by_first_stage(question)))
    if question.grain is not CircuitGrain.EDGES or senders == "late":
        return [(first, members[::-1].copy()) for first, members in groups]
    return [(first, np.concatenate(list(_receivers(question, first)))) for first, _ in groups]


def _receivers(question: Question, stage: int) -> Iterator[NDArray[np.int64]]:
    """Yield the edges of a stage, receivers from the last to the first, senders in order."""
    where = question.runs.layout.stages[stage]
    for receiver in reversed(range(where.receivers)):
        start = where.edges.start + receiver * where.parents
        yield np.arange(start, start + where.parents)
