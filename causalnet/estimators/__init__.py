"""Estimators: numbers that stand in for exact effects, each with what is known of its error.

| name | what | source |
|---|---|---|
| `eap` | edge attribution patching: all residual edges, one pass backwards | Syed et al. 2024 |
| `Attribution`, `Score` | scores with their convention and error statement | |
| `Check` | a random sample of scores beside exact effects | |
| `Method` | an estimator: formula, where its gradient is taken, how it fails | |

No estimator takes the place of an exact effect by itself: its name and its error go with it.
"""

from causalnet.estimators.attribution import Attribution, Passes, Score, exact_effect
from causalnet.estimators.checking import Check
from causalnet.estimators.eap import eap
from causalnet.estimators.methods import Method
from causalnet.estimators.sites import EdgeSites, NodeSites, edge_sites

__all__ = [
    "Attribution",
    "Check",
    "EdgeSites",
    "Method",
    "NodeSites",
    "Passes",
    "Score",
    "eap",
    "edge_sites",
    "exact_effect",
]
