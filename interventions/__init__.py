"""The language of interventions: worlds, read-outs, effects as contrasts; no tensors.

| name | what | source |
|---|---|---|
| `Base`, `Do`, `Node`, `Edge` | a world, a layer of interventions, sites | Pearl 2009, ch. 7 |
| `Indices`, `Subspace` | parts of a value | Geiger et al. 2024 |
| `Const`, `At`, `Self`, `Noise`, `Op` | values at a site | Vig et al. 2020; Geiger et al. 2021 |
| `ReadOut`, `Read` | one number for each prompt | |
| `Grad`, `Contrast`, `Apply` | derivatives, sums and functions of them | |
| `Ablation` | zero, mean, resample, counterfactual, constant, steer | Zhang and Nanda 2024 |
| `te`, `nde`, `nie`, `tie`, `tde` | effects | Robins and Greenland 1992; Pearl 2001 |
| `ablation_effect`, `joint`, `patch` | patched - unpatched | |
| `check_world` | types of a world against a graph | |
"""

from causalnet.interventions.ablations import Ablation, AblationKind, mean_handle
from causalnet.interventions.check import SETTABLE, check_world
from causalnet.interventions.circuit_terms import CircuitTerms, Regime
from causalnet.interventions.closure import worlds_needed
from causalnet.interventions.contrasts import (
    ablation_effect,
    cde,
    mi,
    nde,
    nie,
    patch,
    tde,
    te,
    tie,
)
from causalnet.interventions.interactions import (
    EXACT_PLAYERS,
    interaction,
    interactions,
    shapley,
)
from causalnet.interventions.necessity import Twins, event, pn, pns, ps
from causalnet.interventions.operations import OPERATIONS, Operation, check_operation
from causalnet.interventions.path_effects import causal_diagram, path_worlds, pse
from causalnet.interventions.queries import (
    ESTIMANDS,
    Direction,
    MediatorSet,
    Query,
    importance,
    joint,
    per_total_effect,
)
from causalnet.interventions.readouts import (
    READOUTS,
    ReadOut,
    accuracy,
    kl,
    lens,
    logit_diff,
    loss,
    probability,
    value_of,
)
from causalnet.interventions.scalars import (
    Apply,
    Contrast,
    Grad,
    Leaf,
    Read,
    Scalar,
    evaluate_scalar,
    leaves_of,
)
from causalnet.interventions.views import (
    Handle,
    Indices,
    Part,
    Position,
    Subspace,
    are_disjoint,
)
from causalnet.interventions.worlds import (
    Assignment,
    At,
    Base,
    Const,
    Do,
    Edge,
    Node,
    Noise,
    Op,
    Self,
    Site,
    Value,
    World,
    inputs_of,
    layers_of,
    reads_of,
    worlds_read_by,
)

__all__ = [
    "ESTIMANDS",
    "EXACT_PLAYERS",
    "OPERATIONS",
    "READOUTS",
    "SETTABLE",
    "Ablation",
    "AblationKind",
    "Apply",
    "Assignment",
    "At",
    "Base",
    "CircuitTerms",
    "Const",
    "Contrast",
    "Direction",
    "Do",
    "Edge",
    "Grad",
    "Handle",
    "Indices",
    "Leaf",
    "MediatorSet",
    "Node",
    "Noise",
    "Op",
    "Operation",
    "Part",
    "Position",
    "Query",
    "Read",
    "ReadOut",
    "Regime",
    "Scalar",
    "Self",
    "Site",
    "Subspace",
    "Twins",
    "Value",
    "World",
    "ablation_effect",
    "accuracy",
    "are_disjoint",
    "causal_diagram",
    "cde",
    "check_operation",
    "check_world",
    "evaluate_scalar",
    "event",
    "importance",
    "inputs_of",
    "interaction",
    "interactions",
    "joint",
    "kl",
    "layers_of",
    "leaves_of",
    "lens",
    "logit_diff",
    "loss",
    "mean_handle",
    "mi",
    "nde",
    "nie",
    "patch",
    "path_worlds",
    "per_total_effect",
    "pn",
    "pns",
    "probability",
    "ps",
    "pse",
    "reads_of",
    "shapley",
    "tde",
    "te",
    "tie",
    "value_of",
    "worlds_needed",
    "worlds_read_by",
]
