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
| `subspace_diagnostics` | signs that a subspace only seems to hold it | Makelov et al. 2024 |
| `scrub`, `Interpretation`, `Resampling` | causal scrubbing, every variant named | \
Chan et al. 2022 |
| `simulatability`, `CircuitSimulator`, `ProgramSimulator` | what a claim adds to predictions | \
Hase and Bansal 2020 |
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from causalnet.abstraction.accuracy import interchange_accuracy as interchange_accuracy
    from causalnet.abstraction.accuracy_results import InterchangeAccuracy as InterchangeAccuracy
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
    from causalnet.abstraction.illusion import SubspaceDiagnostics as SubspaceDiagnostics
    from causalnet.abstraction.illusion import readers_of as readers_of
    from causalnet.abstraction.illusion import subspace_diagnostics as subspace_diagnostics
    from causalnet.abstraction.interpretation import Datum as Datum
    from causalnet.abstraction.interpretation import Feature as Feature
    from causalnet.abstraction.interpretation import Interpretation as Interpretation
    from causalnet.abstraction.interpretation import InterpretationNode as InterpretationNode
    from causalnet.abstraction.interpretation import answer as answer
    from causalnet.abstraction.interpretation import anything as anything
    from causalnet.abstraction.interpretation import everything as everything
    from causalnet.abstraction.interpretation import identity as identity
    from causalnet.abstraction.interpretation import nothing as nothing
    from causalnet.abstraction.interpretation import token_at as token_at
    from causalnet.abstraction.pairs import Interchanges as Interchanges
    from causalnet.abstraction.pairs import draw_interchanges as draw_interchanges
    from causalnet.abstraction.rates import PairedWins as PairedWins
    from causalnet.abstraction.rates import Rate as Rate
    from causalnet.abstraction.ravel import Disentanglement as Disentanglement
    from causalnet.abstraction.ravel import disentangle as disentangle
    from causalnet.abstraction.rivals import Rival as Rival
    from causalnet.abstraction.rivals import RivalComparison as RivalComparison
    from causalnet.abstraction.rivals import compare as compare
    from causalnet.abstraction.scrubbing import scrub as scrub
    from causalnet.abstraction.scrubbing_draws import Resampling as Resampling
    from causalnet.abstraction.scrubbing_results import Scrubbed as Scrubbed
    from causalnet.abstraction.simulation import KindScores as KindScores
    from causalnet.abstraction.simulation import Simulatability as Simulatability
    from causalnet.abstraction.simulation import Simulator as Simulator
    from causalnet.abstraction.simulation import compare_predictions as compare_predictions
    from causalnet.abstraction.simulation import simulatability as simulatability
    from causalnet.abstraction.simulation_circuits import CircuitSimulator as CircuitSimulator
    from causalnet.abstraction.simulation_circuits import MemberIntervention as MemberIntervention
    from causalnet.abstraction.simulation_circuits import draw_interventions as draw_interventions
    from causalnet.abstraction.simulation_programs import ProgramSimulator as ProgramSimulator
    from causalnet.abstraction.simulation_scores import Questions as Questions

# The names are listed without torch, which only what runs a network needs.
_MODULE_OF = {
    "CONTROLS": "controls",
    "OPERATORS": "expressions",
    "AlignedSite": "alignment",
    "Alignment": "alignment",
    "ApproximateAbstraction": "graded",
    "Basis": "alignment",
    "CircuitSimulator": "simulation_circuits",
    "Datum": "interpretation",
    "Disentanglement": "ravel",
    "Examples": "examples",
    "Expression": "expressions",
    "Feature": "interpretation",
    "HighLevelModel": "high_level",
    "InterchangeAccuracy": "accuracy_results",
    "Interchanges": "pairs",
    "Interpretation": "interpretation",
    "InterpretationNode": "interpretation",
    "KindScores": "simulation",
    "MemberIntervention": "simulation_circuits",
    "PairedWins": "rates",
    "ProgramSimulator": "simulation_programs",
    "Questions": "simulation_scores",
    "Rate": "rates",
    "Reading": "examples",
    "Resampling": "scrubbing_draws",
    "Rival": "rivals",
    "RivalComparison": "rivals",
    "Scrubbed": "scrubbing_results",
    "Simulatability": "simulation",
    "Simulator": "simulation",
    "Spelling": "examples",
    "SubspaceDiagnostics": "illusion",
    "Variable": "high_level",
    "aligned": "alignment",
    "answer": "interpretation",
    "anything": "interpretation",
    "approximate_abstraction": "graded",
    "compare": "rivals",
    "compare_predictions": "simulation",
    "disentangle": "ravel",
    "draw_interchanges": "pairs",
    "draw_interventions": "simulation_circuits",
    "everything": "interpretation",
    "identity": "interpretation",
    "interchange_accuracy": "accuracy",
    "nothing": "interpretation",
    "parse_expression": "expressions",
    "readers_of": "illusion",
    "scrub": "scrubbing",
    "simulatability": "simulation",
    "subspace_diagnostics": "illusion",
    "token_at": "interpretation",
}

__all__ = [
    "CONTROLS",
    "OPERATORS",
    "AlignedSite",
    "Alignment",
    "ApproximateAbstraction",
    "Basis",
    "CircuitSimulator",
    "Datum",
    "Disentanglement",
    "Examples",
    "Expression",
    "Feature",
    "HighLevelModel",
    "InterchangeAccuracy",
    "Interchanges",
    "Interpretation",
    "InterpretationNode",
    "KindScores",
    "MemberIntervention",
    "PairedWins",
    "ProgramSimulator",
    "Questions",
    "Rate",
    "Reading",
    "Resampling",
    "Rival",
    "RivalComparison",
    "Scrubbed",
    "Simulatability",
    "Simulator",
    "Spelling",
    "SubspaceDiagnostics",
    "Variable",
    "aligned",
    "answer",
    "anything",
    "approximate_abstraction",
    "compare",
    "compare_predictions",
    "disentangle",
    "draw_interchanges",
    "draw_interventions",
    "everything",
    "identity",
    "interchange_accuracy",
    "nothing",
    "parse_expression",
    "readers_of",
    "scrub",
    "simulatability",
    "subspace_diagnostics",
    "token_at",
]


def __getattr__(name: str) -> object:
    """Import a public name when it is first used (PEP 562)."""
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'causalnet.abstraction' has no attribute {name!r}")
    found: object = getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
    globals()[name] = found
    return found
