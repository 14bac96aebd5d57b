"""Masked forward passes: what a network does where some of its edges carry other values.

| name | what it is |
|---|---|
| `EdgeRuns` | a network on pairs under an ablation: outcomes and gradients for masks of edges |
| `learn_edge_constants` | constants of senders that harm least under a mask (optimal ablation) |
| `cell_outcomes` | the same for nodes at positions, each a unit of its own |
| `Layout`, `layout_of` | senders, receivers and stages of a decoder, which number the masks |

A mask m[u, c] in [0, 1] for every residual edge: receiver c reads the sum over senders u of
m z_u + (1 - m) ref_u.  A circuit is a mask of zeros and ones; every measure of a circuit and every
method of discovery is some choice of masks, reference and read-out (Miller et al. 2024; Bhaskar et
al. 2024).
"""

from causalnet.masked.batches import Batch
from causalnet.masked.cell_runs import cell_outcomes
from causalnet.masked.edge_runs import EdgeRuns
from causalnet.masked.layout import Layout, Stage, layout_of
from causalnet.masked.learned import SenderConstants, learn_edge_constants

__all__ = [
    "Batch",
    "EdgeRuns",
    "Layout",
    "SenderConstants",
    "Stage",
    "cell_outcomes",
    "layout_of",
    "learn_edge_constants",
]
