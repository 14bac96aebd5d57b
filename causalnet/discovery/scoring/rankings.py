"""How well a ranking of sites finds a known circuit: exact AUROC and AUPRC, ties included.

Both areas run over the full ranking.  AUROC is the probability that a true site ranks before one
that is not, a tie counting one half (mid-ranks; Hanley and McNeil 1982).  AUPRC is the average
precision: no line is drawn between points, which would promise more than any threshold gives
(Davis and Goadrich 2006).  Sites that tie enter together, at the precision of the whole block;
`auprc_expected` is the mean over all orders of tied sites instead, and the same mean with all
sites tied is the level of a random ranking, which lies above the share of true sites.

Sites without an effect tie at 0 only as far as the arithmetic gives them 0; where it leaves
rounding noise, `resolution` says up to which size a score is 0.
"""

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from causalnet.discovery.scoring.conventions import Array, Convention, Site, check_known, ranked_by
from causalnet.discovery.scoring.wording import share
from causalnet.errors import ParameterError

__all__ = ["RankingScore", "ThresholdCurve", "score_ranking", "threshold_curve"]

Counts = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class RankingScore:
    """How well a ranking finds the sites of a known circuit.

    Attributes:
        auroc: Area under the ROC curve, ties counting one half; in [0, 1], 0.5 by chance.
        auprc: Average precision, tied sites entering together; in (0, 1].
        auprc_expected: The mean of the average precision over all orders of tied sites.
        auprc_chance: The mean average precision of a random ranking with as many true sites.
        positives: Sites of the known circuit.
        total: All sites.
        ties: Sites that share their value with another one.
        undecided_pairs: Pairs of a true site and another one that tie, out of
            positives * (total - positives).
        convention: Which values were ranked, largest first.
        resolution: Scores of at most this size counted as 0.
    """

    auroc: float
    auprc: float
    auprc_expected: float
    auprc_chance: float
    positives: int
    total: int
    ties: int
    undecided_pairs: int
    convention: Convention
    resolution: float

    @property
    def undecided(self) -> float:
        """The share of pairs that ties leave undecided, in [0, 1]."""
        return self.undecided_pairs / (self.positives * (self.total - self.positives))

    def __str__(self) -> str:
        """Print the areas, what chance would give, and what ties left open."""
        lines = [
            f"AUROC {share(self.auroc)} (chance 0.500), AUPRC {share(self.auprc)} "
            f"(chance {share(self.auprc_chance)})",
            f"{self.positives} true of {self.total} sites, ranked by {self.convention} score"
            + (f", 0 up to {self.resolution:.2g}" if self.resolution else ""),
        ]
        if self.ties:
            lines.append(
                f"{self.ties} sites tie and leave {share(self.undecided)} of the pairs undecided; "
                f"AUPRC over all orders of them {share(self.auprc_expected)}"
            )
        return "\n".join(lines)

    def to_json(self) -> dict[str, object]:
        """Give JSON values."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class ThresholdCurve:
    """What every threshold on a ranking keeps: one point per distinct value, largest first.

    Attributes:
        thresholds: The distinct values; a threshold keeps the sites at or above it.
        kept: Sites kept.
        kept_true: Sites of the known circuit among them.
        positives: Sites of the known circuit.
        total: All sites.
        convention: Which values were ranked.
    """

    thresholds: tuple[float, ...]
    kept: tuple[int, ...]
    kept_true: tuple[int, ...]
    positives: int
    total: int
    convention: Convention

    @property
    def roc(self) -> tuple[tuple[float, float], ...]:
        """False and true positive rates, from (0, 0) to (1, 1)."""
        negatives = self.total - self.positives
        points = zip(self.kept, self.kept_true, strict=True)
        return (
            (0.0, 0.0),
            *(((kept - true) / negatives, true / self.positives) for kept, true in points),
        )

    @property
    def precision_recall(self) -> tuple[tuple[float, float], ...]:
        """Recall and precision of every threshold."""
        points = zip(self.kept, self.kept_true, strict=True)
        return tuple((true / self.positives, true / kept) for kept, true in points)

    def __str__(self) -> str:
        """Print the number of thresholds and the best F1 with its threshold."""
        points = zip(self.thresholds, self.kept, self.kept_true, strict=True)
        f1, at, kept = max((2 * t / (k + self.positives), at, k) for at, k, t in points)
        return (
            f"{len(self.thresholds)} thresholds over {self.total} sites, {self.positives} true, "
            f"ranked by {self.convention} score; best F1 {share(f1)} with {kept} sites at or "
            f"above {at:.4g}"
        )

    def to_json(self) -> dict[str, object]:
        """Give JSON values; an infinite threshold is written as a string."""
        return {
            "thresholds": [t if np.isfinite(t) else str(t) for t in self.thresholds],
            "kept": list(self.kept),
            "kept_true": list(self.kept_true),
            "positives": self.positives,
            "total": self.total,
            "convention": self.convention,
        }


class _Blocks(NamedTuple):
    """Tied sites, block by block from the largest value; each of shape (blocks)."""

    values: Array
    sizes: Counts
    trues: Counts


def score_ranking(
    scores: Mapping[Site, float],
    truth: Collection[Site],
    *,
    convention: Convention,
    resolution: float = 0.0,
) -> RankingScore:
    """Score a ranking against a known circuit.

    Args:
        scores: The score of every site, any unit; an infinite one ranks first or last.
        truth: The sites of the known circuit, e.g. those live under the same ablation and data.
        convention: Rank by the scores as given ("signed", largest first) or by their absolute
            values ("absolute").
        resolution: Scores of at most this size are 0 and tie, e.g. 1e-6 where a model in float32
            leaves rounding noise; in the unit of the scores.

    Raises:
        ParameterError: A true site without a score, NaN among the scores, no true site or no
            other one (the areas are then undefined), or a resolution below 0.

    >>> scores = {"L0.H0": 0.9, "L0.H1": -2.0, "L1.H0": 0.1, "L1.H1": 0.0, "L1.H2": 0.0}
    >>> print(score_ranking(scores, ["L0.H0", "L0.H1"], convention="absolute"))
    AUROC 1.000 (chance 0.500), AUPRC 1.000 (chance 0.593)
    2 true of 5 sites, ranked by absolute score
    2 sites tie and leave 0.000 of the pairs undecided; AUPRC over all orders of them 1.000
    >>> score_ranking(scores, ["L0.H0", "L0.H1"], convention="signed").auroc
    0.5
    """
    blocks = _blocks(scores, truth, convention, resolution)
    total, positives = int(blocks.sizes.sum()), int(blocks.trues.sum())
    negatives = total - positives
    others = blocks.sizes - blocks.trues
    below = negatives - np.cumsum(others)
    undecided = int(np.dot(blocks.trues, others))
    won = int(np.dot(blocks.trues, below))
    precision = np.cumsum(blocks.trues) / np.cumsum(blocks.sizes)
    return RankingScore(
        auroc=(2 * won + undecided) / (2 * positives * negatives),
        auprc=min(1.0, float(np.dot(blocks.trues, precision)) / positives),
        auprc_expected=_expected_precision(blocks.sizes, blocks.trues),
        auprc_chance=_expected_precision(np.array([total]), np.array([positives])),
        positives=positives,
        total=total,
        ties=int(blocks.sizes[blocks.sizes > 1].sum()),
        undecided_pairs=undecided,
        convention=convention,
        resolution=resolution,
    )


def threshold_curve(
    scores: Mapping[Site, float],
    truth: Collection[Site],
    *,
    convention: Convention,
    resolution: float = 0.0,
) -> ThresholdCurve:
    """Count what every threshold keeps, for ROC and precision-recall curves.

    Args:
        scores: As for `score_ranking`.
        truth: The sites of the known circuit.
        convention: Which values are ranked, largest first.
        resolution: Scores of at most this size are 0 and tie.

    Raises:
        ParameterError: As for `score_ranking`.

    >>> curve = threshold_curve({"a": 3.0, "b": 1.0, "c": 1.0}, ["a", "b"], convention="signed")
    >>> curve.roc
    ((0.0, 0.0), (0.0, 0.5), (1.0, 1.0))
    """
    blocks = _blocks(scores, truth, convention, resolution)
    return ThresholdCurve(
        thresholds=tuple(blocks.values.tolist()),
        kept=tuple(np.cumsum(blocks.sizes).tolist()),
        kept_true=tuple(np.cumsum(blocks.trues).tolist()),
        positives=int(blocks.trues.sum()),
        total=int(blocks.sizes.sum()),
        convention=convention,
    )


def _blocks(
    scores: Mapping[Site, float],
    truth: Collection[Site],
    convention: Convention,
    resolution: float,
) -> _Blocks:
    if not 0 <= resolution < np.inf:
        raise ParameterError(
            came=f"The resolution is {resolution!r}.",
            possible="It is a size of scores, 0 or more.",
            write="Write resolution=1e-6, or leave it out.",
        )
    values = ranked_by(scores, convention)
    values = np.where(np.abs(values) <= resolution, 0.0, values)
    members = check_known(truth, scores, "the known circuit")
    if len(members) in (0, len(scores)):
        raise ParameterError(
            came=f"{len(members)} of {len(scores)} sites are true.",
            possible="A ranking is scored where some sites are true and some are not.",
            write="Score against a known circuit that is part of the graph.",
        )
    is_true = np.fromiter((site in members for site in scores), np.bool_, len(scores))
    distinct, block = np.unique(values, return_inverse=True)
    sizes = np.bincount(block, minlength=distinct.size)
    trues = np.bincount(block[is_true], minlength=distinct.size)
    return _Blocks(distinct[::-1], sizes[::-1].astype(np.int64), trues[::-1].astype(np.int64))


def _expected_precision(sizes: Counts, trues: Counts) -> float:
    """Return the mean average precision over all orders within every block.

    The j-th place of a block of b sites, p of them true, after B sites with Q true ones, is true
    with probability p/b; then Q + 1 + (j - 1)(p - 1)/(b - 1) true sites are expected up to it.
    """
    before = np.cumsum(sizes) - sizes
    true_before = np.cumsum(trues) - trues
    block = np.repeat(np.arange(sizes.size), sizes)
    place = np.arange(block.size) - before[block]  # j - 1
    rate = (trues - 1) / np.maximum(sizes - 1, 1)
    expected_true = true_before[block] + 1 + place * rate[block]
    precision = expected_true / (before[block] + place + 1)
    weights = (trues / sizes)[block]
    return min(1.0, float(np.dot(weights, precision)) / int(trues.sum()))
