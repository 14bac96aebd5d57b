"""Estimators: numbers that stand in for exact effects, each with what is known of its error.

| name | what | source |
|---|---|---|
| `atp` | attribution patching of nodes: one pass backwards | Nanda 2023 |
| `atp_star` | the same with patterns computed again and gradients dropped | Kramár et al. 2024 |
| `eap` | edge attribution patching: all residual edges, one pass backwards | Syed et al. 2024 |
| `eap_ig` | the same, averaged on a way between the worlds | Hanna et al. 2024 |
| `mask_ig` | integrated gradients of the masks of all edges | Sundararajan et al. 2017 |
| `screen_then_verify` | rank by an estimator, run the first exactly, bound what was missed | |
| `screen_by_precision` | all rows in a reduced number format, those that could matter exactly | |
| `race` | rows above and below a size, on as few prompts as that takes | |
| `Attribution`, `Score` | scores with their convention and error statement | |
| `Check` | a random sample of scores beside exact effects | |
| `Method` | an estimator: formula, where its gradient is taken, how it fails | |

No estimator takes the place of an exact effect by itself: its name and its error go with it.
"""

from causalnet.estimators.atp import atp, atp_star
from causalnet.estimators.attribution import Attribution, Passes, Score, exact_effect
from causalnet.estimators.checking import Check
from causalnet.estimators.eap import eap
from causalnet.estimators.integrated import eap_ig, mask_ig
from causalnet.estimators.methods import Method
from causalnet.estimators.precision import screen_by_precision
from causalnet.estimators.racing import Race, RaceRow, race
from causalnet.estimators.screened import Screened, ScreenedRow
from causalnet.estimators.screening import screen_then_verify
from causalnet.estimators.sites import EdgeSites, NodeSites, edge_sites

__all__ = [
    "Attribution",
    "Check",
    "EdgeSites",
    "Method",
    "NodeSites",
    "Passes",
    "Race",
    "RaceRow",
    "Score",
    "Screened",
    "ScreenedRow",
    "atp",
    "atp_star",
    "eap",
    "eap_ig",
    "edge_sites",
    "exact_effect",
    "mask_ig",
    "race",
    "screen_by_precision",
    "screen_then_verify",
]
