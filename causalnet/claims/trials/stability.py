"""The trial of a claim that a circuit would be found again on other prompts."""

import math
from collections.abc import Mapping
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from causalnet.claims.kinds.stability import StableClaim
from causalnet.claims.trials.protocol import WHOLE, Context, TrialBase
from causalnet.faithfulness import Regime, Wanted
from causalnet.statistics import Decision, Interval, Reason, Verdict, verdict_of

__all__ = ["StableTrial", "jaccard_of_pairs"]

Array = NDArray[np.float64]
Chosen = NDArray[np.bool_]


@final
class StableTrial(TrialBase):
    """The circuits of bootstrap resamples of the finding prompts, compared in pairs.

    The interval is that of the resampling, by the jackknife over resamples: it says how well the
    overlap of resamples of these prompts is known, not what other prompts would give.
    """

    def __init__(self, claim: StableClaim, context: Context) -> None:
        """Start without resamples."""
        super().__init__(claim, context)
        self._settings = claim
        self._decision: Decision | None = None
        self._evidence: Mapping[str, Any] = {}

    def prepare(self) -> None:
        """Measure every unit on the finding prompts, and choose circuits of resamples."""
        hearing, universe = self.context.hearing, tuple(self.context.universe)
        pairs = hearing.pairs("find")
        batches = -(-len(pairs) // hearing.file.batch)
        hearing.begin("measure single units", (len(universe) + 2) * batches)
        ablated: list[Wanted] = [(Regime.KNOCKED_OUT, (one,)) for one in universe]
        scores = hearing.sweep("find", (WHOLE, *ablated))
        effects = np.stack([scores[WHOLE] - scores[one] for one in ablated])
        self._judge(effects)

    def _judge(self, effects: Array) -> None:
        """Draw resamples of the prompts and compare what is chosen on them.

        Args:
            effects: Of every unit on every finding prompt, [units, prompts].
        """
        claim, file = self._settings, self.context.file
        size, n = len(self.circuit), effects.shape[1]
        rng = np.random.default_rng([claim.seed, *self.context.seed])
        counts = rng.multinomial(n, np.full(n, 1 / n), size=claim.resamples)
        drawn = np.stack([largest(effects @ row / n, size) for row in counts.astype(np.float64)])
        overlap, error = jaccard_of_pairs(drawn)
        level = 1 - 2 * file.alpha
        interval = Interval(
            max(0.0, overlap - _quantile(file.alpha) * error),
            min(1.0, overlap + _quantile(file.alpha) * error),
            level,
            "bootstrap_jackknife",
        )
        own = np.array([one in self.circuit for one in self.context.universe])
        full = largest(effects.mean(axis=1), size)
        self._decision = self._decided(overlap, interval, n)
        self._evidence = self._found(drawn, full, own, overlap, n)

    def _decided(self, overlap: float, interval: Interval, n: int) -> Decision:
        claim = self._settings
        verdict = verdict_of(interval, claim.at_least, "at_least")
        number, ends = interval.estimate_written(overlap, claim.at_least), interval
        measured = (
            f"Two circuits of resamples of the {n} finding prompts share {number} of their units "
            f"(mean Jaccard index; bootstrap interval {ends.written(claim.at_least)} over "
            f"{claim.resamples} resamples, approximate)"
        )
        match verdict:
            case Verdict.SUPPORTED:
                reason, end = Reason.SUPPORTED_BY_INTERVAL, f"above {claim.at_least:g}, as claimed"
            case Verdict.REFUTED:
                reason = Reason.REFUTED_BY_INTERVAL
                end = f"below {claim.at_least:g}; at least that was claimed"
            case _:
                reason = Reason.TOO_CLOSE_TO_THRESHOLD
                end = f"too near {claim.at_least:g}; more 'resamples' narrow it"
        return Decision(
            verdict=verdict,
            reason=reason,
            sentence=f"{measured}, {end}.",
            estimate=overlap,
            interval=interval,
            threshold=claim.at_least,
            direction="at_least",
            alpha=self.context.file.alpha,
            n=claim.resamples,
        )

    def _found(
        self, drawn: Chosen, full: Chosen, own: Chosen, overlap: float, n: int
    ) -> Mapping[str, Any]:
        names = [str(one) for one in self.context.universe]
        share = drawn.mean(axis=0)
        often = sorted(np.flatnonzero(share).tolist(), key=lambda place: (-share[place], place))
        return {
            "finding_prompts": n,
            "resamples": len(drawn),
            "chosen_on_all": [names[place] for place in np.flatnonzero(full)],
            "jaccard_of_pairs": overlap,
            "jaccard_with_chosen_on_all": float(np.mean([_jaccard(one, full) for one in drawn])),
            "jaccard_with_circuit": float(np.mean([_jaccard(one, own) for one in drawn])),
            "jaccard_of_chance": _of_chance(len(self.circuit), len(names)),
            "chosen_in_share_of_resamples": {
                names[place]: float(share[place]) for place in often[:50]
            },
        }

    @property
    def is_settled(self) -> bool:
        """Whether the verdict is final."""
        return self._decision is not None

    def decision(self) -> Decision:
        """Give the verdict."""
        if self._decision is not None:
            return self._decision
        return Decision(
            verdict=Verdict.INCONCLUSIVE,
            reason=Reason.TOO_FEW_PROMPTS,
            sentence="Nothing was resampled.",
            estimate=math.nan,
            interval=None,
            threshold=self._settings.at_least,
            direction="at_least",
            alpha=self.context.file.alpha,
            n=0,
        )

    @property
    def evidence(self) -> Mapping[str, Any]:
        """Overlaps, with the claim's circuit too, and how often each unit was chosen."""
        return self._evidence


def largest(effects: Array, size: int) -> Chosen:
    """Return which units have the largest absolute effects; of equal ones the earlier.

    >>> largest(np.array([0.1, -3.0, 2.0, 2.0]), 2).tolist()
    [False, True, True, False]
    """
    chosen = np.zeros(len(effects), dtype=np.bool_)
    chosen[np.argsort(-np.abs(effects), kind="stable")[:size]] = True
    return chosen


def jaccard_of_pairs(drawn: Chosen) -> tuple[float, float]:
    """Return the mean Jaccard index of pairs, and its standard error by the jackknife.

    Args:
        drawn: Which units each circuit has, [circuits, units].

    >>> jaccard_of_pairs(np.array([[True, True, False]] * 4))
    (1.0, 0.0)
    """
    members = drawn.astype(np.float64)
    shared = members @ members.T
    sizes = members.sum(axis=1)
    every = shared / np.maximum(sizes[:, None] + sizes[None] - shared, 1.0)
    np.fill_diagonal(every, 0.0)
    count, total = len(drawn), every.sum()
    mean = total / (count * (count - 1))
    without = (total - 2 * every.sum(axis=1)) / ((count - 1) * (count - 2))
    error = math.sqrt((count - 1) / count * float(((without - without.mean()) ** 2).sum()))
    return float(mean), error


def _jaccard(first: Chosen, second: Chosen) -> float:
    return float((first & second).sum() / max(1, (first | second).sum()))


def _of_chance(size: int, units: int) -> float:
    """Return the mean Jaccard index of two sets of a size that are drawn by chance."""
    total = math.comb(units, size)
    found = 0.0
    for shared in range(size + 1):
        ways = math.comb(size, shared) * math.comb(units - size, size - shared)
        found += ways / total * shared / (2 * size - shared)
    return found


def _quantile(alpha: float) -> float:
    """Return the quantile of the standard normal distribution that has `alpha` above it."""
    from statistics import NormalDist

    return NormalDist().inv_cdf(1 - alpha)
