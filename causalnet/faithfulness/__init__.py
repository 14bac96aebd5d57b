"""How well a circuit stands for the whole model.

| name | what | source |
|---|---|---|
| `CircuitScorer` | per-prompt scores of circuits of nodes | Wang et al. 2023 |
| `EdgeCircuitScorer` | the same of circuits of edges, by masked runs | Miller et al. 2024 |
| `CircuitScores` | model, kept, empty, knocked out, [n] each | |
| `partial_faithfulness` | F with each of the rest kept by chance | |
| `robust_fidelity` | Fid+, Fid- and their difference, partly ablated | Zheng et al. 2024 |
"""

from causalnet.faithfulness.circuits import CircuitScorer
from causalnet.faithfulness.edge_circuits import EdgeCircuitScorer
from causalnet.faithfulness.partial import (
    PartialFaithfulness,
    RobustFidelity,
    draw_with,
    partial_faithfulness,
    partly,
    robust_fidelity,
)
from causalnet.faithfulness.parts import (
    CircuitScores,
    Level,
    Member,
    PartScores,
    Scorer,
    Wanted,
)
from causalnet.interventions import Regime

__all__ = [
    "CircuitScorer",
    "CircuitScores",
    "EdgeCircuitScorer",
    "Level",
    "Member",
    "PartScores",
    "PartialFaithfulness",
    "Regime",
    "RobustFidelity",
    "Scorer",
    "Wanted",
    "draw_with",
    "partial_faithfulness",
    "partly",
    "robust_fidelity",
]
