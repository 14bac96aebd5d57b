"""How good scores are: against a known circuit, by their circuits, over resampled prompts."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from causalnet.discovery.circuits import asked_of, check_size
from causalnet.discovery.exact import outcome_of
from causalnet.discovery.scores import Scores
from causalnet.discovery.scoring import (
    MIB_GRID,
    Convention,
    CurveScore,
    OverlapSweep,
    RankingScore,
    Stability,
    bootstrap_stability,
    overlap_of_rankings,
    score_curve,
    score_ranking,
)
from causalnet.discovery.units import CircuitGrain
from causalnet.errors import ParameterError
from causalnet.interventions import AblationKind
from causalnet.tasks import PromptPairs

__all__ = ["FaithfulnessCurve", "faithfulness_curve", "overlap", "ranking_score", "stability"]


def ranking_score(
    scores: Scores, truth: Collection[str], by: Convention = "absolute"
) -> RankingScore:
    """Score the ranking of units against a known circuit, ties at mid-ranks.

    Args:
        scores: The scores.
        truth: Names of units: of edges `L0.H0 -> L1.H0.k`, of nodes `L0.H0`.
        by: Rank by size, or by how much a unit helps.

    Raises:
        ParameterError: An unknown name, no true unit or no other.
    """
    names = scores.question.units.names
    if not truth:
        raise ParameterError(
            "A truth of no units.",
            "Some are true and some are not; where no edge is live alone, as in denoising, the "
            "structural truth is what can be found.",
            "Give truth=live_truth(...).live, or .structural.",
        )
    ranked = scores.ranking(by)
    values = {name: float(value) for name, value in zip(names, ranked, strict=True)}
    return score_ranking(values, truth, convention=by)


@dataclass(frozen=True, slots=True)
class FaithfulnessCurve:
    """Faithfulness of the circuits of a ranking over their size.

    Attributes:
        score: The areas, and the sizes at which the circuit is faithful.
        counts: How many units each circuit keeps.
        model: Mean outcome of the whole network, in the read-out's unit.
        empty: Mean outcome with every unit removed.
        kept: Mean outcome of each circuit.
        prompts: How many prompts were run.
    """

    score: CurveScore
    counts: tuple[int, ...]
    model: float
    empty: float
    kept: tuple[float, ...]
    prompts: int

    def __str__(self) -> str:
        """Return a line for each size, and the areas."""
        lines = [
            f"model {self.model:+.3f}, empty {self.empty:+.3f}, {self.prompts} prompts",
            *(
                f"  {count:>7,} units ({share:6.1%})  F {value:+.3f}"
                for count, share, value in zip(
                    self.counts, self.score.sizes, self.score.faithfulness, strict=True
                )
            ),
        ]
        return "\n".join([*lines, str(self.score)])


def faithfulness_curve(
    scores: Scores,
    pairs: PromptPairs | None = None,
    *,
    sizes: ArrayLike = MIB_GRID,
    by: Convention = "absolute",
) -> FaithfulnessCurve:
    """Return the faithfulness of the circuits of the units that rank highest, size by size.

    F is a ratio of means, (kept - empty) / (model - empty).

    Args:
        scores: The scores.
        pairs: Other prompts than those that were scored, which is what a test needs.
        sizes: Shares of units, ascending; sizes that round to the same number are run once.
        by: Rank by size (CMD), or by how much a unit helps (CPR).

    Raises:
        ParameterError: Sizes that are none, or a behaviour that is not there: model and empty do
            not differ, so that F is undefined.
    """
    asked = scores.question if pairs is None else asked_of(scores.question, pairs)
    if asked.ablation.kind is AblationKind.OPTIMAL:
        raise ParameterError(
            "A curve under optimal ablation.",
            "Its constants are learned for each circuit by itself.",
            "Write circuit_of_size(scores, size).scores(pairs) for the sizes that matter.",
        )
    total, order = len(asked.units), scores.order(by)
    shares = np.asarray(sizes, dtype=np.float64)
    counts = sorted({int(np.clip(round(share * total), 1, total)) for share in shares.tolist()})
    rows = np.zeros((len(counts) + 1, total))
    for row, count in enumerate(counts, start=1):
        rows[row, order[:count]] = 1.0
    outcomes, intact = outcome_of(asked, rows), asked.intact()
    _check_defined(intact - outcomes[0], asked.readout.unit, scores.rounding)
    model, (empty, *kept) = float(intact.mean()), outcomes.mean(1).tolist()
    values = [(each - empty) / (model - empty) for each in kept]
    kept_shares = [count / total for count in counts]
    found = score_curve(values, convention=by, sizes=kept_shares)
    return FaithfulnessCurve(found, tuple(counts), model, empty, tuple(kept), len(asked.pairs))


def _check_defined(gaps: NDArray[np.float64], unit: str, rounding: float) -> None:
    spread = gaps.std(ddof=1) / np.sqrt(len(gaps)) if len(gaps) > 1 else np.nan
    if abs(gaps.mean()) <= max(rounding, 2 * spread if len(gaps) > 1 else 0.0):
        raise ParameterError(
            f"The network and the network with everything removed differ by {gaps.mean():+.3g} "
            f"{unit} (standard error {spread:.2g}).",
            "Faithfulness is a share of that difference, which has to be clearly there.",
            "Use a task that the model does, more prompts, or another ablation.",
        )


def overlap(
    scores: Scores,
    others: Scores,
    *,
    by: Convention = "absolute",
    thresholds: Sequence[float] = (0.01, 0.02, 0.05, 0.1),
    match_layers: bool = False,
) -> OverlapSweep:
    """Compare the tops of two scores of the same units, of two tasks for example.

    Args:
        scores: The scores of one question.
        others: Those of another, on units of the same names.
        by: Rank by size, or by how much a unit helps.
        thresholds: Shares (floats) or counts (whole numbers) of the units.
        match_layers: Whether chance draws as many units in each layer; nodes and heads only.

    Raises:
        ParameterError: Scores of different units, a threshold outside its range, layers asked of
            another grain.

    Source: Merullo, Eickhoff, Pavlick, "Circuit Component Reuse Across Tasks", 2024.
    """
    first, second = (
        dict(zip(each.question.units.names, each.ranking(by).tolist(), strict=True))
        for each in (scores, others)
    )
    layers = None
    if match_layers:
        if scores.question.grain not in (CircuitGrain.HEADS, CircuitGrain.NODES):
            raise ParameterError(
                f"match_layers=True at the grain {str(scores.question.grain)!r}.",
                "A head and an MLP have a layer; an edge has two.",
                "Leave it out, or ask at grain='heads'.",
            )
        layers = {name: name.partition(".")[0] for name in first}
    return overlap_of_rankings(first, second, convention=by, thresholds=thresholds, layers=layers)


def stability(
    scores: Scores,
    size: int,
    *,
    by: Convention = "absolute",
    seed: int = 0,
    resamples: int = 200,
) -> Stability:
    """Return how alike the circuits of resampled prompts are, whole templates being drawn.

    Args:
        scores: Scores with those of every prompt.
        size: How many units a circuit has.
        by: Rank by size, or by how much a unit helps.
        seed: Of the draw.
        resamples: How often prompts are drawn anew.

    Raises:
        ParameterError: Scores without those of single prompts, fewer prompts than two, or a size
            below 1 or beyond the graph.
    """
    if scores.per_prompt is None:
        raise ParameterError(
            f"{scores.method.name} gives no scores of single prompts.",
            "Stability resamples prompts.",
            "Run the method on several sets of prompts, and compare circuits.",
        )
    check_size(size, scores.question.units)

    def largest(means: NDArray[np.float64]) -> NDArray[np.int64]:
        return replace(scores, values=means).order(by)[:size]

    templates = scores.question.pairs.base.templates
    clusters = templates if len(set(templates)) > 2 else None
    return bootstrap_stability(
        scores.per_prompt,
        largest,
        seed=seed,
        resamples=resamples,
        names=scores.question.units.names,
        clusters=clusters,
    )
