"""Causal abstraction: high-level models of what a network computes, held against the network.

| name | what | source |
|---|---|---|
| `HighLevelModel`, `Variable` | named variables, each a function of others | Geiger et al. 2021 |
| `Expression`, `parse_expression` | such functions as plain values that files can hold | |
| `Examples`, `Reading`, `Spelling` | prompts with the values of a model's inputs | |
| `draw_interchanges`, `Interchanges` | pairs whose answer changes, and pairs whose answer stays | |
| `aligned`, `Alignment`, `AlignedSite`, `Basis` | which nodes or subspaces hold which variable | |
| `interchange_accuracy`, `InterchangeAccuracy` | accuracy with four controls | Geiger et al. 2021 |
| `approximate_abstraction` | eps of every intervention, and the worst pair | Geiger et al. 2025 |
| `compare`, `Rival` | two hypotheses, on pairs for which they predict different answers | |
| `disentangle` | whether a feature holds one attribute and no other | Huang et al. 2024 |
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from causalnet.abstraction.accuracy import InterchangeAccuracy as InterchangeAccuracy
    from causalnet.abstraction.accuracy import interchange_accuracy as interchange_accuracy
    from causalnet.abstraction.alignment import AlignedSite as AlignedSite
    from causalnet.abstraction.alignment import Alignment as Alignment
    from causalnet.abstraction.alignment import Basis as Basis
    from causalnet.abstraction.alignment import aligned as aligned
    from causalnet.abstraction.controls import CONTROLS as CONTROLS
    from causalnet.abstraction.examples import Examples as Examples
    from causalnet.abstraction.examples import Reading as Reading
    from causalnet.abstraction.examples import Spelling as Spelling
    from causalnet.abstraction.expressions import OPERATORS as OPERATORS
    from causalnet.abstraction.expressions import Expression as Expression
    from causalnet.abstraction.expressions import parse_expression as parse_expression
    from causalnet.abstraction.graded import ApproximateAbstraction as ApproximateAbstraction
    from causalnet.abstraction.graded import approximate_abstraction as approximate_abstraction
    from causalnet.abstraction.high_level import HighLevelModel as HighLevelModel
    from causalnet.abstraction.high_level import Variable as Variable
    from causalnet.abstraction.pairs import Interchanges as Interchanges
    from causalnet.abstraction.pairs import draw_interchanges as draw_interchanges
    from causalnet.abstraction.rates import PairedWins as PairedWins
    from causalnet.abstraction.rates import Rate as Rate
    from causalnet.abstraction.ravel import Disentanglement as Disentanglement
    from causalnet.abstraction.ravel import disentangle as disentangle
    from causalnet.abstraction.rivals import Rival as Rival
    from causalnet.abstraction.rivals import RivalComparison as RivalComparison
    from causalnet.abstraction.rivals import compare as compare

# The names are listed without torch, which only what runs a network needs.
_MODULE_OF = {
    "CONTROLS": "controls",
    "OPERATORS": "expressions",
    "AlignedSite": "alignment",
    "Alignment": "alignment",
    "ApproximateAbstraction": "graded",
    "Basis": "alignment",
    "Disentanglement": "ravel",
    "Examples": "examples",
    "Expression": "expressions",
    "HighLevelModel": "high_level",
    "InterchangeAccuracy": "accuracy",
    "Interchanges": "pairs",
    "PairedWins": "rates",
    "Rate": "rates",
    "Reading": "examples",
    "Rival": "rivals",
    "RivalComparison": "rivals",
    "Spelling": "examples",
    "Variable": "high_level",
    "aligned": "alignment",
    "approximate_abstraction": "graded",
    "compare": "rivals",
    "disentangle": "ravel",
    "draw_interchanges": "pairs",
    "interchange_accuracy": "accuracy",
    "parse_expression": "expressions",
}

__all__ = [
    "CONTROLS",
    "OPERATORS",
    "AlignedSite",
    "Alignment",
    "ApproximateAbstraction",
    "Basis",
    "Disentanglement",
    "Examples",
    "Expression",
    "HighLevelModel",
    "InterchangeAccuracy",
    "Interchanges",
    "PairedWins",
    "Rate",
    "Reading",
    "Rival",
    "RivalComparison",
    "Spelling",
    "Variable",
    "aligned",
    "approximate_abstraction",
    "compare",
    "disentangle",
    "draw_interchanges",
    "interchange_accuracy",
    "parse_expression",
]


def __getattr__(name: str) -> object:
    """Import a public name when it is first used (PEP 562)."""
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'causalnet.abstraction' has no attribute {name!r}")
    found: object = getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
    globals()[name] = found
    return found
