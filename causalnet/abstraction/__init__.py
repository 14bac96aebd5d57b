"""Causal abstraction: high-level models of what a network computes, held against the network.

| name | what | source |
|---|---|---|
| `HighLevelModel`, `Variable` | named variables, each a function of others; no tensors | Geiger et \
al. 2021 |
| `Expression`, `parse_expression` | such functions as plain values that files can hold | |
| `Examples`, `Reading`, `Spelling` | prompts with the values of a model's inputs | |
| `draw_interchanges`, `Interchanges` | pairs whose answer changes, and pairs whose answer stays | |
| `aligned`, `Alignment`, `AlignedSite`, `Basis` | which nodes or subspaces hold which variable | |
| `interchange_accuracy`, `InterchangeAccuracy` | accuracy with four controls | Geiger et al. 2021 |
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
    from causalnet.abstraction.high_level import HighLevelModel as HighLevelModel
    from causalnet.abstraction.high_level import Variable as Variable
    from causalnet.abstraction.pairs import Interchanges as Interchanges
    from causalnet.abstraction.pairs import draw_interchanges as draw_interchanges
    from causalnet.abstraction.rates import PairedWins as PairedWins
    from causalnet.abstraction.rates import Rate as Rate

# The names are listed without torch, which only what runs a network needs.
_MODULE_OF = {
    "CONTROLS": "controls",
    "OPERATORS": "expressions",
    "AlignedSite": "alignment",
    "Alignment": "alignment",
    "Basis": "alignment",
    "Examples": "examples",
    "Expression": "expressions",
    "HighLevelModel": "high_level",
    "InterchangeAccuracy": "accuracy",
    "Interchanges": "pairs",
    "PairedWins": "rates",
    "Rate": "rates",
    "Reading": "examples",
    "Spelling": "examples",
    "Variable": "high_level",
    "aligned": "alignment",
    "draw_interchanges": "pairs",
    "interchange_accuracy": "accuracy",
    "parse_expression": "expressions",
}

__all__ = [
    "CONTROLS",
    "OPERATORS",
    "AlignedSite",
    "Alignment",
    "Basis",
    "Examples",
    "Expression",
    "HighLevelModel",
    "InterchangeAccuracy",
    "Interchanges",
    "PairedWins",
    "Rate",
    "Reading",
    "Spelling",
    "Variable",
    "aligned",
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
