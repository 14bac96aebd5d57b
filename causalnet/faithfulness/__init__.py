"""How well a circuit stands for the whole model.

| name | what | source |
|---|---|---|
| `CircuitScorer` | per-prompt scores of circuits of nodes | Wang et al. 2023 |
| `EdgeCircuitScorer` | the same of circuits of edges, by masked runs | Miller et al. 2024 |
| `CircuitScores` | model, kept, empty, knocked out, [n] each | |
| `partial_faithfulness` | F with each of the rest kept by chance | |
| `robust_fidelity` | Fid+, Fid- and their difference, partly ablated | Zheng et al. 2024 |
| `random_circuits_like` | connected random circuits, alike in layers and kinds | Shi et al. 2024 |
| `connection` | which edges of a circuit lie on a path from inputs to logits | |
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
from causalnet.faithfulness.random_circuits import (
    Connection,
    RandomCircuits,
    Way,
    connection,
    random_circuits_like,
)
from causalnet.interventions import Regime

__all__ = [
    "CircuitScorer",
    "CircuitScores",
    "Connection",
    "EdgeCircuitScorer",
    "Level",
    "Member",
    "PartScores",
    "PartialFaithfulness",
    "RandomCircuits",
    "Regime",
    "RobustFidelity",
    "Scorer",
    "Wanted",
    "Way",
    "connection",
    "draw_with",
    "partial_faithfulness",
    "partly",
    "random_circuits_like",
    "robust_fidelity",
]
