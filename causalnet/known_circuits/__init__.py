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
    from causalnet.known_circuits.module import SmallShape as SmallShape
    from causalnet.known_circuits.module import SmallTransformer as SmallTransformer
    from causalnet.known_circuits.truth import active_truth as active_truth
    from causalnet.known_circuits.truth import structural_truth as structural_truth

# The names are listed without torch, which what is built from them needs.
_MODULE_OF = {
    "KnownCircuit": "circuit",
    "SmallShape": "module",
    "SmallTransformer": "module",
    "active_truth": "truth",
    "structural_truth": "truth",
}

__all__ = [
    "KNOWN",
    "TRAINED",
    "KnownCircuit",
    "SmallShape",
    "SmallTransformer",
    "active_truth",
    "known_circuit",
    "structural_truth",
]


def __getattr__(name: str) -> object:
    """Import a public name when it is first used (PEP 562)."""
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'causalnet.known_circuits' has no attribute {name!r}")
    found: object = getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
    globals()[name] = found
    return found
