"""Identification: when data must stand in for experiments.

A network that can be run needs none: `identify` says so.  Formulas are for logs, for sites that
cannot be set, for other prompts or weights, and for causal diagrams of anything else.

| name | what | source, and for what it is complete |
|---|---|---|
| `identify` | formula, witness or bounds for any question; the gate for networks | |
| `Effect` | ID, IDC | Tian and Pearl 2002; Shpitser and Pearl 2006; complete |
| `Sources` | gID, zID, transport | Lee, Correa and Bareinboim 2019, 2020; complete |
| `Counterfactual` | ID*, IDC*, nested | Shpitser and Pearl 2008; Correa et al. 2021; complete |
| `PathSpecific` | edge g-formula | Shpitser 2013; Shpitser and Tchetgen Tchetgen 2016; complete |
| `Mediation` | TE, CDE, NDE, NIE | Pearl 2001; term by term |
| `Causation`, `identify_causation` | PN, PS, PNS | Tian and Pearl 2000 |
| `Hedge`, `Thicket`, `InconsistentFactor` | why not; validated | as above |
| `parse_question`, `parse_expression` | questions and formulas from text | |
| `simplify`, `canonical`, `to_latex`, `to_sympy` | formulas | |
| `derive`, `search_derivation`, `DoDerivation` | the do-calculus, step by step | Pearl 1995 |
| `linear_bounds`, `natural_bounds` | bounds | Balke and Pearl 1997; Manski 1990 |
| `certify_not_identified` | two models that tell | |
| `is_valid_adjustment`, `adjustment_set`, `minimal_...`, `minimum_...` | back-door sets | \
Perković et al. 2018; van der Zander and Liśkiewicz 2020 |
| `optimal_adjustment_set`, ... | those of least variance | Henckel et al. 2022 |
| `front_door_set`, `conditional_instruments` | | Jeong et al. 2022; van der Zander et al. 2015 |
| `FullAccess`, `PartialAccess`, `Logs`, `OtherPrompts`, `OtherWeights` | access to a network | |
| `refinement_interval`, `reweighted`, `unchanged_terms`, `what_logs_give` | | |
| `estimate`, `empirical_table`, `discretise` | numbers from data | |
| `evaluate`, `Table`, `causalnet.identification.oracle` | formulas on tables; random models | |
"""

from causalnet.graphs.path_checks import RecantingDistrict
from causalnet.identification.adjusting.adjustment import (
    NoAdjustmentSet,
    NotValidAdjustment,
    ValidAdjustment,
    adjustment_set,
    is_valid_adjustment,
    minimal_adjustment_set,
)
from causalnet.identification.adjusting.front_door import (
    NoFrontDoorSet,
    front_door_set,
    is_front_door_set,
    minimal_front_door_set,
)
from causalnet.identification.adjusting.instruments import (
    NoInstrument,
    conditional_instruments,
    is_instrument,
)
from causalnet.identification.adjusting.minimum_adjustment import minimum_adjustment_set
from causalnet.identification.adjusting.optimal_adjustment import (
    optimal_adjustment_set,
    optimal_minimal_adjustment_set,
    optimal_minimum_adjustment_set,
)
from causalnet.identification.algorithms.counterfactual_witnesses import (
    inconsistent_factor_faults,
    recanting_district_faults,
)
from causalnet.identification.algorithms.nested_paths import as_nested
from causalnet.identification.algorithms.witnesses import hedge_faults, thicket_faults
from causalnet.identification.answers import (
    Answer,
    Bounds,
    Check,
    Derivation,
    Hedge,
    Identified,
    InconsistentFactor,
    NotIdentified,
    Step,
    Thicket,
    Witness,
)
from causalnet.identification.bounding.causation import identify_causation
from causalnet.identification.bounding.certificates import (
    Certificate,
    NotCertified,
    certify_not_identified,
)
from causalnet.identification.bounding.linear_bounds import linear_bounds
from causalnet.identification.bounding.natural_bounds import natural_bounds
from causalnet.identification.derivations.do_calculus import DoDerivation, NotDerived, derive
from causalnet.identification.derivations.do_json import derivation_from_json, derivation_to_json
from causalnet.identification.derivations.do_search import search_derivation
from causalnet.identification.door import identify
from causalnet.identification.estimating.columns import discretise
from causalnet.identification.estimating.estimation import AIPW, Estimate, Regression, estimate
from causalnet.identification.estimating.samples import empirical_table
from causalnet.identification.evaluation import Evaluated, Table, evaluate
from causalnet.identification.expressions import (
    Const,
    Difference,
    Expression,
    Prob,
    Product,
    Ratio,
    Sum,
)
from causalnet.identification.formulas.algebra import from_sympy, to_sympy
from causalnet.identification.formulas.canonical import canonical
from causalnet.identification.formulas.latex import to_latex
from causalnet.identification.formulas.simplify import Simplified, simplify
from causalnet.identification.networks.access import (
    Flag,
    FullAccess,
    Logs,
    OtherPrompts,
    OtherWeights,
    PartialAccess,
)
from causalnet.identification.networks.gate import CannotRun, GateAnswer, NotNeeded, RunIt
from causalnet.identification.networks.granularity import (
    ManyRefinements,
    RefinementInterval,
    check_grain,
    coarse_diagram,
    refinement_interval,
)
from causalnet.identification.networks.log_answers import FromLogs, NotInLogs
from causalnet.identification.networks.transport_prompts import Refused, Reweighted, reweighted
from causalnet.identification.networks.transport_weights import unchanged_terms
from causalnet.identification.networks.what_logs_give import what_logs_give
from causalnet.identification.oracle import RandomModel
from causalnet.identification.queries import (
    Causation,
    Counterfactual,
    Effect,
    Fact,
    Mediation,
    PathSpecific,
    Potential,
    Question,
)
from causalnet.identification.reading.graph_text import parse_graph
from causalnet.identification.reading.parsing import parse_expression, parse_question
from causalnet.identification.renaming import renamed
from causalnet.identification.showing.dot import answer_dot
from causalnet.identification.showing.drawing import draw_answer
from causalnet.identification.sources import OBSERVED, Distribution, Sources
from causalnet.identification.values import Value, symbol
from causalnet.identification.verification import verified

__all__ = [
    "AIPW",
    "OBSERVED",
    "Answer",
    "Bounds",
    "CannotRun",
    "Causation",
    "Certificate",
    "Check",
    "Const",
    "Counterfactual",
    "Derivation",
    "Difference",
    "Distribution",
    "DoDerivation",
    "Effect",
    "Estimate",
    "Evaluated",
    "Expression",
    "Fact",
    "Flag",
    "FromLogs",
    "FullAccess",
    "GateAnswer",
    "Hedge",
    "Identified",
    "InconsistentFactor",
    "Logs",
    "ManyRefinements",
    "Mediation",
    "NoAdjustmentSet",
    "NoFrontDoorSet",
    "NoInstrument",
    "NotCertified",
    "NotDerived",
    "NotIdentified",
    "NotInLogs",
    "NotNeeded",
    "NotValidAdjustment",
    "OtherPrompts",
    "OtherWeights",
    "PartialAccess",
    "PathSpecific",
    "Potential",
    "Prob",
    "Product",
    "Question",
    "RandomModel",
    "Ratio",
    "RecantingDistrict",
    "RefinementInterval",
    "Refused",
    "Regression",
    "Reweighted",
    "RunIt",
    "Simplified",
    "Sources",
    "Step",
    "Sum",
    "Table",
    "Thicket",
    "ValidAdjustment",
    "Value",
    "Witness",
    "adjustment_set",
    "answer_dot",
    "as_nested",
    "canonical",
    "certify_not_identified",
    "check_grain",
    "coarse_diagram",
    "conditional_instruments",
    "derivation_from_json",
    "derivation_to_json",
    "derive",
    "discretise",
    "draw_answer",
    "empirical_table",
    "estimate",
    "evaluate",
    "from_sympy",
    "front_door_set",
    "hedge_faults",
    "identify",
    "identify_causation",
    "inconsistent_factor_faults",
    "is_front_door_set",
    "is_instrument",
    "is_valid_adjustment",
    "linear_bounds",
    "minimal_adjustment_set",
    "minimal_front_door_set",
    "minimum_adjustment_set",
    "natural_bounds",
    "optimal_adjustment_set",
    "optimal_minimal_adjustment_set",
    "optimal_minimum_adjustment_set",
    "parse_expression",
    "parse_graph",
    "parse_question",
    "recanting_district_faults",
    "refinement_interval",
    "renamed",
    "reweighted",
    "search_derivation",
    "simplify",
    "symbol",
    "thicket_faults",
    "to_latex",
    "to_sympy",
    "unchanged_terms",
    "verified",
    "what_logs_give",
]
