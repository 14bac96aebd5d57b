"""Lifting any `nn.Module` that is not a known decoder.

| name | what |
|---|---|
| `lift_module` | trace a module to the graph of what its submodules return, and check it |
| `declare_module` | the same by declared nodes and edges, where a module cannot be traced |
| `LiftedModule` | the module, its graph, its mechanisms, and what was checked |
| `ModuleCheck` | nodes recomputed from their parents, and settled by them |
| `head_part` | one head of a mixer's input, as a part of that node |
| `run_hooked` | one run of the module itself, with values of nodes and edges set |
"""

from causalnet.lift.modules.arguments import Arguments, ExampleInputs
from causalnet.lift.modules.axes import AxisNames, head_part
from causalnet.lift.modules.check import ModuleCheck, check_module
from causalnet.lift.modules.hooked import Change, HookedRun, ModuleParts, run_hooked
from causalnet.lift.modules.lifted import LiftedModule, declare_module, lift_module
from causalnet.lift.modules.mechanisms import Mechanism, Mechanisms
from causalnet.lift.modules.places import OUTPUT, ModulePlace

__all__ = [
    "OUTPUT",
    "Arguments",
    "AxisNames",
    "Change",
    "ExampleInputs",
    "HookedRun",
    "LiftedModule",
    "Mechanism",
    "Mechanisms",
    "ModuleCheck",
    "ModuleParts",
    "ModulePlace",
    "check_module",
    "declare_module",
    "head_part",
    "lift_module",
    "run_hooked",
]
