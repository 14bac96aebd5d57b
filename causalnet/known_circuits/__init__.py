"""Networks whose circuits are known: written by hand, half trained, planted, or small and trained.

Written by hand, from a residual stream of named slots; `load("known:NAME")` loads one, the task
`known:NAME` draws its prompts, and `known_circuit(NAME, junk=0)` builds one with other options.
Edges are those of the residual stream of the lifted graph.

| name | what it computes | layers | true / all edges |
|---|---|---|---|
| `induction`, `induction_soft` | A B ... A -> B (Olsson et al. 2022) | attention twice | 7 / 106 |
| `proportion` | the share of a token so far | MLP, attention | 3 / 69 |
| `sort`, `sort_soft` | six different tokens in order | attention + MLP, MLP, attention | 8 / 160 |
| `brackets` | whether brackets are balanced | attention + MLP twice | 6 / 96 |
| `indirect_object`, `…_soft` | the name that is there once | attention three times | 14 / 146 |
| `indirect_object_backup_negative` | and with a backup that waits | attention, 4 times | 25 / 282 |

Soft attention keeps gradients alive; hard attention (sharpness 20 and more) makes methods by
gradients fail, as in compiled networks.  Every layer has junk heads: random soft attention that
writes what nothing reads.

Trained when it is first used, by a recipe that is the same everywhere, and kept in the user's
folder (`known_circuit(NAME, seed=1)` trains another):

| name | what it computes | truth |
|---|---|---|
| `sum_strict` | (first + second) mod 7 | three nodes alone, by strict interchange training |
| `sum_plain` | the same | the same three, by plain interchange training, which leaks |
| `learned_induction` | A B ... A -> B | previous-token heads into keys of induction heads |
| `learned_addition` | (first + second) mod 53 | all nodes; a few frequencies of the embedding |

How they are made, and more of their kind:

| name | what | source |
|---|---|---|
| `train_strict` | a network with a given circuit for a `HighLevelModel` | Gupta et al. 2024 |
| `measure_interchange` | interchange accuracies, and what all other nodes do | Geiger et al. 2021 |
| `train_induction`, `measure_induction` | two layers of attention | Olsson et al. 2022 |
| `train_addition`, `measure_addition` | addition modulo m | Nanda et al. 2023 |
| `Course`, `Look` | how long and fast; what is seen on the way | |

Planted, with effects that are known by arithmetic:

| name | what |
|---|---|
| `plant(mechanisms)`, `Planted.effect(heads)` | a network of `Mechanism`s, and what removing does |
| `MechanismKind` | additive, backup, conjunction, cancelling, saturated, balanced, idle |

What a truth is:

| name | what |
|---|---|
| `KnownCircuit` | network, prompts, roles of nodes, and its truths |
| `KnownCircuit.truth`, `structural_truth` | edges that the weights connect, computed from them |
| `KnownCircuit.active`, `active_truth` | those that run in the intact network: no waiting backup |
| `SmallTransformer`, `SmallShape` | the architecture: no norms, positions a writer of their own |
"""

from importlib import import_module
from typing import TYPE_CHECKING

from causalnet.known_circuits.catalogue import KNOWN, TRAINED, known_circuit

if TYPE_CHECKING:
    from causalnet.known_circuits.circuit import KnownCircuit as KnownCircuit
    from causalnet.known_circuits.interchange import HighLevelModel as HighLevelModel
    from causalnet.known_circuits.interchange import Variable as Variable
    from causalnet.known_circuits.interchange import modular_sum as modular_sum
    from causalnet.known_circuits.interchange_report import InterchangeReport as InterchangeReport
    from causalnet.known_circuits.interchange_report import (
        measure_interchange as measure_interchange,
    )
    from causalnet.known_circuits.interchange_training import Enough as Enough
    from causalnet.known_circuits.interchange_training import train_strict as train_strict
    from causalnet.known_circuits.modular_addition import AdditionSetting as AdditionSetting
    from causalnet.known_circuits.modular_addition import measure_addition as measure_addition
    from causalnet.known_circuits.modular_addition import train_addition as train_addition
    from causalnet.known_circuits.module import SmallShape as SmallShape
    from causalnet.known_circuits.module import SmallTransformer as SmallTransformer
    from causalnet.known_circuits.planted import Mechanism as Mechanism
    from causalnet.known_circuits.planted import MechanismKind as MechanismKind
    from causalnet.known_circuits.planted import Planted as Planted
    from causalnet.known_circuits.planted import plant as plant
    from causalnet.known_circuits.trained_induction import InductionSetting as InductionSetting
    from causalnet.known_circuits.trained_induction import measure_induction as measure_induction
    from causalnet.known_circuits.trained_induction import train_induction as train_induction
    from causalnet.known_circuits.training import Course as Course
    from causalnet.known_circuits.training import Look as Look
    from causalnet.known_circuits.truth import active_truth as active_truth
    from causalnet.known_circuits.truth import structural_truth as structural_truth

# The names are listed without torch, which what is built from them needs.
_MODULE_OF = {
    "AdditionSetting": "modular_addition",
    "Course": "training",
    "Enough": "interchange_training",
    "HighLevelModel": "interchange",
    "InductionSetting": "trained_induction",
    "InterchangeReport": "interchange_report",
    "KnownCircuit": "circuit",
    "Look": "training",
    "Mechanism": "planted",
    "MechanismKind": "planted",
    "Planted": "planted",
    "SmallShape": "module",
    "SmallTransformer": "module",
    "Variable": "interchange",
    "active_truth": "truth",
    "measure_addition": "modular_addition",
    "measure_induction": "trained_induction",
    "measure_interchange": "interchange_report",
    "modular_sum": "interchange",
    "plant": "planted",
    "structural_truth": "truth",
    "train_addition": "modular_addition",
    "train_induction": "trained_induction",
    "train_strict": "interchange_training",
}

__all__ = [
    "KNOWN",
    "TRAINED",
    "AdditionSetting",
    "Course",
    "Enough",
    "HighLevelModel",
    "InductionSetting",
    "InterchangeReport",
    "KnownCircuit",
    "Look",
    "Mechanism",
    "MechanismKind",
    "Planted",
    "SmallShape",
    "SmallTransformer",
    "Variable",
    "active_truth",
    "known_circuit",
    "measure_addition",
    "measure_induction",
    "measure_interchange",
    "modular_sum",
    "plant",
    "structural_truth",
    "train_addition",
    "train_induction",
    "train_strict",
]


def __getattr__(name: str) -> object:
    """Import a public name when it is first used (PEP 562)."""
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'causalnet.known_circuits' has no attribute {name!r}")
    found: object = getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
    globals()[name] = found
    return found
