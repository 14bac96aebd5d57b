"""The language of interventions: worlds, read-outs, effects as contrasts; no tensors.

| name | what | source |
|---|---|---|
| `Base`, `Do`, `Node`, `Edge` | a world, a layer of interventions, sites | Pearl 2009, ch. 7 |
| `Indices`, `Subspace` | parts of a value | Geiger et al. 2024 |
| `Const`, `At`, `Self`, `Noise`, `Op` | values at a site | Vig et al. 2020; Geiger et al. 2021 |
| `ReadOut`, `Read` | one number for each prompt | |
| `Grad`, `Contrast`, `Apply` | derivatives, sums and functions of them | |
| `Ablation` | zero, mean, resample, counterfactual, noise, optimal, ... | Zhang and Nanda 2024 |
| `Noising`, `Learning` | how noise falls, how optimal constants are learned | Li and Janson 2024 |
| `te`, `cde`, `nde`, `nie`, `tie`, `tde`, `mi` | effects | Robins and Greenland 1992; Pearl 2001 |
| `pse` | path-specific effects | Pearl 2001; Avin, Shpitser and Pearl 2005 |
| `interaction`, `interactions`, `shapley` | how mediators act together | Shapley 1953 |
| `pn`, `ps`, `pns` | probabilities of causation | Pearl 1999 |
| `ablation_effect`, `joint`, `patch` | patched - unpatched | |
| `CircuitTerms`, `Regime`, `Cell` | the parts of a circuit; a node at a position as a member | |
| `importance`, `per_total_effect`, `held` | the negative, a fraction, with mediators held | |
| `OPERATIONS` | what values may do to values | |
| `causalnet.interventions.techniques` | the techniques of the field, by name | |
| `SECOND_LEVEL`, `applied_rules` | exact rules beyond the free theory, and where they apply | |
| `with_mean`, `linearity` | an average as a run with the mean, or refused | |
| `plan_worlds` | the fewest runs that terms need, as a trie | |
| `zero_effects`, `Facts` | effects that are zero, with the reason | |
| `normal_form`, `are_equal` | equal terms are recognised | Galles and Pearl 1998; Halpern 2000 |
| `check_world`, `check_scalar`, `check_query`, `RULES` | types of terms against a graph | |
| `parse_world`, `parse_value`, `parse_site`, `parse_scalar`, `parse_query` | terms from text | |
| `to_latex`, `to_sympy`, `from_sympy` | potential outcomes; algebra over read-outs | |
"""

from causalnet.interventions.ablations import (
    Ablation,
    AblationKind,
    mean_handle,
    optimal_handle,
)
from causalnet.interventions.algebra import from_sympy, symbols_of, to_sympy
from causalnet.interventions.any_parsing import parse
from causalnet.interventions.averages import MergedMean, Refused, with_mean
from causalnet.interventions.cells import Cell
from causalnet.interventions.check import (
    RULES,
    SETTABLE,
    check_query,
    check_scalar,
    check_world,
    check_worlds,
)
from causalnet.interventions.circuit_terms import CircuitTerms, Regime
from causalnet.interventions.closure import (
    GRADS_AT_ONCE,
    runs_of,
    with_those_read,
    worlds_needed,
)
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
from causalnet.interventions.explanation import TermExplanation, explain_scalars, explain_terms
from causalnet.interventions.facts import Facts
from causalnet.interventions.interactions import (
    EXACT_PLAYERS,
    interaction,
    interactions,
    shapley,
)
from causalnet.interventions.latex import to_latex
from causalnet.interventions.learning import Learning, LearningLoss
from causalnet.interventions.linearity import Linear, NotLinear, linearity
from causalnet.interventions.necessity import Twins, event, pn, pns, ps
from causalnet.interventions.noising import Noising, noised_world
from causalnet.interventions.normal_form import NormalForm, are_equal, normal_form
from causalnet.interventions.operations import OPERATIONS, Operation, check_operation
from causalnet.interventions.parsing import (
    parse_readout,
    parse_scalar,
    parse_site,
    parse_value,
    parse_world,
)
from causalnet.interventions.path_effects import causal_diagram, path_worlds, pse
from causalnet.interventions.plan_worlds import PlanWorld, WorldPlan, plan_worlds
from causalnet.interventions.proofs import Reason, ZeroEffect, zero_effects
from causalnet.interventions.queries import (
    ESTIMANDS,
    Direction,
    MediatorSet,
    Query,
    importance,
    joint,
    per_total_effect,
)
from causalnet.interventions.query_parsing import parse_query
from causalnet.interventions.readouts import (
    READOUTS,
    ReadOut,
    accuracy,
    kl,
    lens,
    logit_diff,
    logit_distance,
    loss,
    probability,
    top1_agreement,
    value_of,
)
from causalnet.interventions.rules import SECOND_LEVEL, Applied, Rule, RuleClass, applied_rules
from causalnet.interventions.scalars import (
    FUNCTIONS,
    Apply,
    Contrast,
    Grad,
    Leaf,
    Read,
    Scalar,
    evaluate_scalar,
    leaves_of,
)
from causalnet.interventions.techniques import (
    Agreement,
    Dictionary,
    Hypothesis,
    Interpreted,
    PathConvention,
    acdc_step,
    attention_knockout,
    attention_redirect,
    attribution_patch,
    causal_scrubbing,
    causal_trace,
    contrastive_steering,
    denoising,
    direct_logit_attribution,
    held,
    hold,
    integrated_gradients,
    interchange_accuracy,
    logit_lens,
    mean_difference,
    noised,
    noising,
    nonlinear,
    path_patch,
    sae_feature_patch,
    scrubbing_inputs,
    steering,
    subspace_patch,
    transcoder_edge,
    undifferentiated_attention,
    windows,
    without_edge,
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
    "FUNCTIONS",
    "GRADS_AT_ONCE",
    "OPERATIONS",
    "READOUTS",
    "RULES",
    "SECOND_LEVEL",
    "SETTABLE",
    "Ablation",
    "AblationKind",
    "Agreement",
    "Applied",
    "Apply",
    "Assignment",
    "At",
    "Base",
    "Cell",
    "CircuitTerms",
    "Const",
    "Contrast",
    "Dictionary",
    "Direction",
    "Do",
    "Edge",
    "Facts",
    "Grad",
    "Handle",
    "Hypothesis",
    "Indices",
    "Interpreted",
    "Leaf",
    "Learning",
    "LearningLoss",
    "Linear",
    "MediatorSet",
    "MergedMean",
    "Node",
    "Noise",
    "Noising",
    "NormalForm",
    "NotLinear",
    "Op",
    "Operation",
    "Part",
    "PathConvention",
    "PlanWorld",
    "Position",
    "Query",
    "Read",
    "ReadOut",
    "Reason",
    "Refused",
    "Regime",
    "Rule",
    "RuleClass",
    "Scalar",
    "Self",
    "Site",
    "Subspace",
    "TermExplanation",
    "Twins",
    "Value",
    "World",
    "WorldPlan",
    "ZeroEffect",
    "ablation_effect",
    "accuracy",
    "acdc_step",
    "applied_rules",
    "are_disjoint",
    "are_equal",
    "attention_knockout",
    "attention_redirect",
    "attribution_patch",
    "causal_diagram",
    "causal_scrubbing",
    "causal_trace",
    "cde",
    "check_operation",
    "check_query",
    "check_scalar",
    "check_world",
    "check_worlds",
    "contrastive_steering",
    "denoising",
    "direct_logit_attribution",
    "evaluate_scalar",
    "event",
    "explain_scalars",
    "explain_terms",
    "from_sympy",
    "held",
    "hold",
    "importance",
    "inputs_of",
    "integrated_gradients",
    "interaction",
    "interactions",
    "interchange_accuracy",
    "joint",
    "kl",
    "layers_of",
    "leaves_of",
    "lens",
    "linearity",
    "logit_diff",
    "logit_distance",
    "logit_lens",
    "loss",
    "mean_difference",
    "mean_handle",
    "mi",
    "nde",
    "nie",
    "noised",
    "noised_world",
    "noising",
    "nonlinear",
    "normal_form",
    "optimal_handle",
    "parse",
    "parse_query",
    "parse_readout",
    "parse_scalar",
    "parse_site",
    "parse_value",
    "parse_world",
    "patch",
    "path_patch",
    "path_worlds",
    "per_total_effect",
    "plan_worlds",
    "pn",
    "pns",
    "probability",
    "ps",
    "pse",
    "reads_of",
    "runs_of",
    "sae_feature_patch",
    "scrubbing_inputs",
    "shapley",
    "steering",
    "subspace_patch",
    "symbols_of",
    "tde",
    "te",
    "tie",
    "to_latex",
    "to_sympy",
    "top1_agreement",
    "transcoder_edge",
    "undifferentiated_attention",
    "value_of",
    "windows",
    "with_mean",
    "with_those_read",
    "without_edge",
    "worlds_needed",
    "worlds_read_by",
    "zero_effects",
]
