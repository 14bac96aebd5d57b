"""How well a circuit stands for the whole model.

| name | what | source |
|---|---|---|
| `CircuitScorer` | per-prompt scores of circuits of nodes | Wang et al. 2023 |
| `EdgeCircuitScorer` | the same of circuits of edges, by masked runs | Miller et al. 2024 |
| `CircuitScores` | model, kept, empty, knocked out, [n] each | |
| `faithfulness_curve` | F with each of the rest kept by chance | |
| `robust_fidelity` | Fid+, Fid- and their difference, partly ablated | Zheng et al. 2024 |
"""

from causalnet.faithfulness.circuits import CircuitScorer
from causalnet.faithfulness.edge_circuits import EdgeCircuitScorer
from causalnet.faithfulness.partial import (
    FaithfulnessCurve,
    RobustFidelity,
    draw_with,
    faithfulness_curve,
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
    "FaithfulnessCurve",
    "Level",
    "Member",
    "PartScores",
    "Regime",
    "RobustFidelity",
    "Scorer",
    "Wanted",
    "draw_with",
    "faithfulness_curve",
    "partly",
    "robust_fidelity",
]
