"""The language of interventions: worlds, read-outs, effects as contrasts; no tensors.

| name | what | source |
|---|---|---|
| `Base`, `Do`, `Node` | a world, a layer of interventions, a site | Pearl 2009, ch. 7 |
| `Const`, `At`, `Self`, `Op` | values at a site | Vig et al. 2020; Geiger et al. 2021 |
| `ReadOut`, `Read` | one number for each prompt | |
| `Ablation` | zero, mean, resample, counterfactual, constant, steer | Zhang and Nanda 2024 |
| `te`, `nde`, `nie`, `tie`, `tde` | effects | Robins and Greenland 1992; Pearl 2001 |
| `ablation_effect`, `joint`, `patch` | patched - unpatched | |
| `check_world` | types of a world against a graph | |
"""

from causalnet.interventions.ablations import Ablation, AblationKind, mean_handle
from causalnet.interventions.check import SETTABLE, check_world
from causalnet.interventions.contrasts import (
    Contrast,
    Direction,
    MediatorSet,
    Query,
    ablation_effect,
    joint,
    nde,
    nie,
    patch,
    tde,
    te,
    tie,
)
from causalnet.interventions.readouts import (
    READOUTS,
    Read,
    ReadOut,
    accuracy,
    kl,
    logit_diff,
    loss,
    probability,
)
from causalnet.interventions.worlds import (
    Assignment,
    At,
    Base,
    Const,
    Do,
    Handle,
    Node,
    Op,
    Position,
    Self,
    Value,
    World,
    inputs_of,
    layers_of,
    reads_of,
    worlds_read_by,
)

__all__ = [
    "READOUTS",
    "SETTABLE",
    "Ablation",
    "AblationKind",
    "Assignment",
    "At",
    "Base",
    "Const",
    "Contrast",
    "Direction",
    "Do",
    "Handle",
    "MediatorSet",
    "Node",
    "Op",
    "Position",
    "Query",
    "Read",
    "ReadOut",
    "Self",
    "Value",
    "World",
    "ablation_effect",
    "accuracy",
    "check_world",
    "inputs_of",
    "joint",
    "kl",
    "layers_of",
    "logit_diff",
    "loss",
    "mean_handle",
    "nde",
    "nie",
    "patch",
    "probability",
    "reads_of",
    "tde",
    "te",
    "tie",
    "worlds_read_by",
]
