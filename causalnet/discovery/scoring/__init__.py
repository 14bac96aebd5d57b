"""How good a ranking or a circuit is, in numbers whose conventions are part of them.

Sites are edges, nodes or features, by any hashable name.  Nothing here runs a network.

| name | what | source |
|---|---|---|
| `score_ranking`, `RankingScore` | exact AUROC and AUPRC against a known circuit, ties included | \
Hanley and McNeil 1982; Davis and Goadrich 2006 |
| `threshold_curve`, `ThresholdCurve` | ROC and precision-recall points, one per distinct value | |
| `compare_with_truth`, `Recovery` | precision, recall, F1, false and missed names | |
| `score_curve`, `CurveScore`, `point_weights`, `MIB_GRID` | CPR, CMD, their log-k areas, k90, and \
what each point weighs | Mueller et al. 2025 (MIB) |
| `overlap_of_circuits`, `Overlap` | counts, Jaccard, overlap coefficient, exact hypergeometric \
p-value, layers matched or not | Merullo et al. 2024; Fisher 1935 |
| `overlap_of_rankings`, `OverlapSweep`, `SweepRow` | the same over thresholds, adjusted; rank \
correlation | Holm 1979; Spearman 1904 |
| `Chance` | what chance alone would share | |
| `top_sites` | the first k sites of a ranking, no ties broken | |
| `bootstrap_stability`, `Stability`, `Inclusion` | circuits of resampled items compared pair by \
pair | Méloux et al. 2025; Wilson 1927 |
| `Convention` | "signed" or "absolute": which values are ranked, largest first | |

What has no value is refused (`ParameterError`), or printed as undefined, and never given as a
number: a ranking without true sites, an area over an undefined faithfulness, the precision of an
empty circuit.
"""

from causalnet.discovery.scoring.chance import Chance
from causalnet.discovery.scoring.conventions import Convention
from causalnet.discovery.scoring.curves import MIB_GRID, CurveScore, point_weights, score_curve
from causalnet.discovery.scoring.overlap import (
    Overlap,
    OverlapSweep,
    SweepRow,
    overlap_of_circuits,
    overlap_of_rankings,
)
from causalnet.discovery.scoring.rankings import (
    RankingScore,
    ThresholdCurve,
    score_ranking,
    threshold_curve,
)
from causalnet.discovery.scoring.recovery import Recovery, compare_with_truth
from causalnet.discovery.scoring.selection import top_sites
from causalnet.discovery.scoring.stability import Inclusion, Stability, bootstrap_stability

__all__ = [
    "MIB_GRID",
    "Chance",
    "Convention",
    "CurveScore",
    "Inclusion",
    "Overlap",
    "OverlapSweep",
    "RankingScore",
    "Recovery",
    "Stability",
    "SweepRow",
    "ThresholdCurve",
    "bootstrap_stability",
    "compare_with_truth",
    "overlap_of_circuits",
    "overlap_of_rankings",
    "point_weights",
    "score_curve",
    "score_ranking",
    "threshold_curve",
    "top_sites",
]
