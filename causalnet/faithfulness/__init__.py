"""How well a circuit stands for the whole model.

| name | what | source |
|---|---|---|
| `CircuitScorer` | per-prompt scores of circuits under declared conventions | Wang et al. 2023 |
| `CircuitScores` | model, kept, empty, knocked out, [n] each | |
| `circuit_members` | names to mediators | |
"""

from causalnet.faithfulness.circuits import (
    CircuitScorer,
    CircuitScores,
    Part,
    Wanted,
    circuit_members,
)

__all__ = ["CircuitScorer", "CircuitScores", "Part", "Wanted", "circuit_members"]
