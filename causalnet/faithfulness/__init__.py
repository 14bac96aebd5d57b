"""How well a circuit stands for the whole model.

| name | what | source |
|---|---|---|
| `CircuitScorer` | per-prompt scores of circuits under declared conventions | Wang et al. 2023 |
| `CircuitScores` | model, kept, empty, knocked out, [n] each | |
"""

from causalnet.faithfulness.circuits import (
    CircuitScorer,
    CircuitScores,
    PartScores,
    Regime,
    Wanted,
)

__all__ = ["CircuitScorer", "CircuitScores", "PartScores", "Regime", "Wanted"]
