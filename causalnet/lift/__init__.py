"""Lifting: a loaded model becomes a mediator graph that provably computes what the model does.

| name | what |
|---|---|
| `lift` | take a model apart, rebuild it from its graph, and refuse where they differ |
| `LiftedNetwork` | the model, its graph and the modules behind the mediators |
| `rebuild`, `Rebuilt` | every node of the graph computed without calling the model |
| `Adapter`, `register`, `registered` | what an architecture declares to be lifted |
| `Places`, `Columns` | the modules where mediators are read and set |
| `SelfCheck`, `Comparison` | how closely the graph rebuilds the model, part by part |
| `check_unchanged`, `state_of`, `ModuleState` | that a model is still the one that was lifted |
| `changed_mechanisms`, `changed_weights` | which mediators another checkpoint changes (`changed`) |
| `lift_module`, `declare_module`, `LiftedModule` | any `nn.Module` (`modules`) |
| `head_part` | one head of what an attention's output projection is given |
| `raised_casts`, `float64_copy` | a model's internal float32 casts raised to float64 |
| `positions_of` | positions of padded prompts |
"""

from causalnet.lift.adapter import Adapter
from causalnet.lift.casts import float64_copy, raised_casts
from causalnet.lift.changed import changed_mechanisms, changed_weights
from causalnet.lift.check import Comparison, SelfCheck
from causalnet.lift.modules import LiftedModule, declare_module, head_part, lift_module
from causalnet.lift.network import LiftedNetwork, lift, rebuild
from causalnet.lift.parts import Constants, Parts
from causalnet.lift.places import Columns, Places
from causalnet.lift.rebuild import Rebuilt, positions_of
from causalnet.lift.registry import register, registered
from causalnet.lift.unchanged import ModuleState, check_unchanged, state_of

__all__ = [
    "Adapter",
    "Columns",
    "Comparison",
    "Constants",
    "LiftedModule",
    "LiftedNetwork",
    "ModuleState",
    "Parts",
    "Places",
    "Rebuilt",
    "SelfCheck",
    "changed_mechanisms",
    "changed_weights",
    "check_unchanged",
    "declare_module",
    "float64_copy",
    "head_part",
    "lift",
    "lift_module",
    "positions_of",
    "raised_casts",
    "rebuild",
    "register",
    "registered",
    "state_of",
]
