"""A compiler for causal queries over neural networks.

| name | what |
|---|---|
| `load` | a language model from a package, a GGUF file, a folder, a hub name or a module |
| `lift` | its graph of mediators, checked against the model |
| `tasks` | prompt pairs: `tasks.ioi(model.tokenizer, n=64, seed=0)` |
| `te`, `nde`, `nie`, `tie`, `tde`, `ablation_effect` | effects, as terms |
| `cde`, `mi`, `pse`, `interaction`, `interactions`, `shapley`, `pn`, `ps`, `pns` | more contrasts |
| `path_patch`, `causal_trace`, `attribution_patch`, … | the techniques of the field, as terms |
| `joint`, `importance`, `per_total_effect` | mediators set together; sign and scale |
| `Base`, `Do`, `Node`, `Edge`, `At`, `Read`, `Grad`, … | the language they are written in |
| `parse`, `parse_query` | terms from text |
| `normal_form`, `are_equal`, `zero_effects`, `explain_terms` | what needs no run |
| `MediatorGraph`, `ADMG`, `m_separated`, `read_graph` | graphs |
| `logit_diff`, `probability`, `kl`, `logit_distance`, `loss`, `accuracy`, \
`top1_agreement` | outcomes |
| `zero`, `mean`, `mean_per_position`, `resample`, `counterfactual` | ablations |
| `noise`, `optimal`, `Learning` | ablations by noise, and by constants that are learned |
| `constant`, `steer`, `vector` | ablations by a given vector |
| `explain`, `run`, `open` | what a term would run; its table; a saved table |
| `atp`, `atp_star`, `eap`, `eap_ig`, `mask_ig` | estimators by derivatives, with their errors |
| `screen_then_verify`, `race` | rows ranked cheaply and verified; rows told apart on few prompts |
| `Question`, `discover`, `Circuit`, `circuit_of_size`, … | circuits sought, made and tested |
| `known_circuit` | networks whose circuits are known, as `load("known:induction")` too |
| `identify`, `estimate`, `Sources`, `Logs`, … | whether data determine an answer; its numbers |
| `effect_posterior` | all effects fitted together; a circuit at a false discovery rate |
| `lift_module`, `declare_module`, `head_part` | the graph of any `nn.Module` |
| `evaluate_module`, `evaluate_query`, `ModuleBindings`, `Examples` | terms on it |
| `read_claim_file`, `verify`, `Ledger` | claims and their verdicts; what was run, kept |
| `CausalNetError` | what is raised when something that was given cannot be used |

Every name is imported when it is first used: `import causalnet` loads no torch.
"""

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from causalnet import tasks as tasks
    from causalnet.claims import read_claim_file as read_claim_file
    from causalnet.claims import verify as verify
    from causalnet.design import effect_posterior as effect_posterior
    from causalnet.discovery import Circuit as Circuit
    from causalnet.discovery import Question as Question
    from causalnet.discovery import circuit_above as circuit_above
    from causalnet.discovery import circuit_of as circuit_of
    from causalnet.discovery import circuit_of_size as circuit_of_size
    from causalnet.discovery import discover as discover
    from causalnet.discovery import faithfulness_curve as faithfulness_curve
    from causalnet.effects import EffectTable as EffectTable
    from causalnet.effects import constant as constant
    from causalnet.effects import contrastive_vector as contrastive_vector
    from causalnet.effects import counterfactual as counterfactual
    from causalnet.effects import explain as explain
    from causalnet.effects import matrix as matrix
    from causalnet.effects import mean as mean
    from causalnet.effects import mean_per_position as mean_per_position
    from causalnet.effects import noise as noise
    from causalnet.effects import open_result as open
    from causalnet.effects import optimal as optimal
    from causalnet.effects import resample as resample
    from causalnet.effects import run as run
    from causalnet.effects import steer as steer
    from causalnet.effects import vector as vector
    from causalnet.effects import zero as zero
    from causalnet.errors import CausalNetError as CausalNetError
    from causalnet.estimators import atp as atp
    from causalnet.estimators import atp_star as atp_star
    from causalnet.estimators import eap as eap
    from causalnet.estimators import eap_ig as eap_ig
    from causalnet.estimators import mask_ig as mask_ig
    from causalnet.estimators import race as race
    from causalnet.estimators import screen_then_verify as screen_then_verify
    from causalnet.execute import register_operation as register_operation
    from causalnet.execute.modules import Examples as Examples
    from causalnet.execute.modules import ModuleBindings as ModuleBindings
    from causalnet.execute.modules import evaluate_module as evaluate_module
    from causalnet.execute.modules import evaluate_query as evaluate_query
    from causalnet.graphs import ADMG as ADMG
    from causalnet.graphs import MediatorGraph as MediatorGraph
    from causalnet.graphs import m_separated as m_separated
    from causalnet.graphs import plain_graph as plain_graph
    from causalnet.graphs import read_graph as read_graph
    from causalnet.graphs import transformer_graph as transformer_graph
    from causalnet.graphs import write_graph as write_graph
    from causalnet.identification import Logs as Logs
    from causalnet.identification import OtherPrompts as OtherPrompts
    from causalnet.identification import OtherWeights as OtherWeights
    from causalnet.identification import PartialAccess as PartialAccess
    from causalnet.identification import Sources as Sources
    from causalnet.identification import estimate as estimate
    from causalnet.identification import identify as identify
    from causalnet.interventions import Apply as Apply
    from causalnet.interventions import At as At
    from causalnet.interventions import Base as Base
    from causalnet.interventions import Const as Const
    from causalnet.interventions import Contrast as Contrast
    from causalnet.interventions import Do as Do
    from causalnet.interventions import Edge as Edge
    from causalnet.interventions import Grad as Grad
    from causalnet.interventions import Handle as Handle
    from causalnet.interventions import Indices as Indices
    from causalnet.interventions import Learning as Learning
    from causalnet.interventions import Node as Node
    from causalnet.interventions import Noise as Noise
    from causalnet.interventions import Op as Op
    from causalnet.interventions import Query as Query
    from causalnet.interventions import Read as Read
    from causalnet.interventions import Self as Self
    from causalnet.interventions import Subspace as Subspace
    from causalnet.interventions import ablation_effect as ablation_effect
    from causalnet.interventions import accuracy as accuracy
    from causalnet.interventions import acdc_step as acdc_step
    from causalnet.interventions import are_equal as are_equal
    from causalnet.interventions import attention_knockout as attention_knockout
    from causalnet.interventions import attention_redirect as attention_redirect
    from causalnet.interventions import attribution_patch as attribution_patch
    from causalnet.interventions import causal_scrubbing as causal_scrubbing
    from causalnet.interventions import causal_trace as causal_trace
    from causalnet.interventions import cde as cde
    from causalnet.interventions import contrastive_steering as contrastive_steering
    from causalnet.interventions import denoising as denoising
    from causalnet.interventions import direct_logit_attribution as direct_logit_attribution
    from causalnet.interventions import explain_terms as explain_terms
    from causalnet.interventions import held as held
    from causalnet.interventions import importance as importance
    from causalnet.interventions import integrated_gradients as integrated_gradients
    from causalnet.interventions import interaction as interaction
    from causalnet.interventions import interactions as interactions
    from causalnet.interventions import interchange_accuracy as interchange_accuracy
    from causalnet.interventions import joint as joint
    from causalnet.interventions import kl as kl
    from causalnet.interventions import lens as lens
    from causalnet.interventions import logit_diff as logit_diff
    from causalnet.interventions import logit_distance as logit_distance
    from causalnet.interventions import logit_lens as logit_lens
    from causalnet.interventions import loss as loss
    from causalnet.interventions import mi as mi
    from causalnet.interventions import nde as nde
    from causalnet.interventions import nie as nie
    from causalnet.interventions import noising as noising
    from causalnet.interventions import normal_form as normal_form
    from causalnet.interventions import parse as parse
    from causalnet.interventions import parse_query as parse_query
    from causalnet.interventions import patch as patch
    from causalnet.interventions import path_patch as path_patch
    from causalnet.interventions import per_total_effect as per_total_effect
    from causalnet.interventions import pn as pn
    from causalnet.interventions import pns as pns
    from causalnet.interventions import probability as probability
    from causalnet.interventions import ps as ps
    from causalnet.interventions import pse as pse
    from causalnet.interventions import sae_feature_patch as sae_feature_patch
    from causalnet.interventions import shapley as shapley
    from causalnet.interventions import steering as steering
    from causalnet.interventions import subspace_patch as subspace_patch
    from causalnet.interventions import tde as tde
    from causalnet.interventions import te as te
    from causalnet.interventions import tie as tie
    from causalnet.interventions import top1_agreement as top1_agreement
    from causalnet.interventions import transcoder_edge as transcoder_edge
    from causalnet.interventions import value_of as value_of
    from causalnet.interventions import zero_effects as zero_effects
    from causalnet.known_circuits import known_circuit as known_circuit
    from causalnet.lift import LiftedModule as LiftedModule
    from causalnet.lift import LiftedNetwork as LiftedNetwork
    from causalnet.lift import declare_module as declare_module
    from causalnet.lift import head_part as head_part
    from causalnet.lift import lift as lift
    from causalnet.lift import lift_module as lift_module
    from causalnet.models import LanguageModel as LanguageModel
    from causalnet.models import load as load
    from causalnet.store import Ledger as Ledger
    from causalnet.tasks import PromptPairs as PromptPairs

    __version__: str

_NAMES = {
    "claims": ("read_claim_file", "verify"),
    "design": ("effect_posterior",),
    "discovery": (
        *("Question", "discover", "Circuit", "circuit_of", "circuit_of_size", "circuit_above"),
        "faithfulness_curve",
    ),
    "effects": (
        *("EffectTable", "explain", "run", "open_result", "vector", "matrix"),
        "contrastive_vector",
        *("zero", "mean", "mean_per_position", "resample", "counterfactual", "constant", "steer"),
        *("noise", "optimal"),
    ),
    "interventions": (
        *("te", "nde", "nie", "tie", "tde", "ablation_effect", "joint"),
        *("Base", "Do", "Node", "Edge", "Indices", "Subspace", "Handle", "Const", "At"),
        *("Learning", "Self", "Noise", "Op", "Read", "Grad", "Contrast", "Apply", "Query", "cde"),
        *("mi", "pse", "interaction", "interactions", "shapley", "pn", "ps", "pns"),
        *("importance", "per_total_effect", "patch", "noising", "denoising"),
        *("path_patch", "causal_trace", "causal_scrubbing", "acdc_step"),
        *("attribution_patch", "integrated_gradients", "direct_logit_attribution"),
        *("steering", "contrastive_steering", "subspace_patch", "sae_feature_patch"),
        *("transcoder_edge", "held", "attention_knockout", "attention_redirect"),
        *("logit_lens", "lens", "interchange_accuracy", "value_of", "parse"),
        *("parse_query", "normal_form", "are_equal", "zero_effects", "explain_terms"),
        *("logit_diff", "probability", "kl", "logit_distance", "loss", "accuracy"),
        "top1_agreement",
    ),
    "errors": ("CausalNetError",),
    "estimators": ("atp", "atp_star", "eap", "eap_ig", "mask_ig", "screen_then_verify", "race"),
    "identification": (
        *("identify", "estimate", "Sources"),
        *("Logs", "PartialAccess", "OtherPrompts", "OtherWeights"),
    ),
    "execute": ("register_operation",),
    "store": ("Ledger",),
    "execute.modules": ("Examples", "ModuleBindings", "evaluate_module", "evaluate_query"),
    "graphs": (
        *("MediatorGraph", "transformer_graph", "plain_graph"),
        *("ADMG", "m_separated", "read_graph", "write_graph"),
    ),
    "lift": (
        *("LiftedNetwork", "lift"),
        *("LiftedModule", "lift_module", "declare_module", "head_part"),
    ),
    "known_circuits": ("known_circuit",),
    "models": ("LanguageModel", "load"),
    "tasks": ("PromptPairs",),
}
_ROOM_OF = {name: room for room, names in _NAMES.items() for name in names}

__all__ = [
    "ADMG",
    "Apply",
    "At",
    "Base",
    "CausalNetError",
    "Circuit",
    "Const",
    "Contrast",
    "Do",
    "Edge",
    "EffectTable",
    "Examples",
    "Grad",
    "Handle",
    "Indices",
    "LanguageModel",
    "Learning",
    "Ledger",
    "LiftedModule",
    "LiftedNetwork",
    "Logs",
    "MediatorGraph",
    "ModuleBindings",
    "Node",
    "Noise",
    "Op",
    "OtherPrompts",
    "OtherWeights",
    "PartialAccess",
    "PromptPairs",
    "Query",
    "Question",
    "Read",
    "Self",
    "Sources",
    "Subspace",
    "__version__",
    "ablation_effect",
    "accuracy",
    "acdc_step",
    "are_equal",
    "atp",
    "atp_star",
    "attention_knockout",
    "attention_redirect",
    "attribution_patch",
    "causal_scrubbing",
    "causal_trace",
    "cde",
    "circuit_above",
    "circuit_of",
    "circuit_of_size",
    "constant",
    "contrastive_steering",
    "contrastive_vector",
    "counterfactual",
    "declare_module",
    "denoising",
    "direct_logit_attribution",
    "discover",
    "eap",
    "eap_ig",
    "effect_posterior",
    "estimate",
    "evaluate_module",
    "evaluate_query",
    "explain",
    "explain_terms",
    "faithfulness_curve",
    "head_part",
    "held",
    "identify",
    "importance",
    "integrated_gradients",
    "interaction",
    "interactions",
    "interchange_accuracy",
    "joint",
    "kl",
    "known_circuit",
    "lens",
    "lift",
    "lift_module",
    "load",
    "logit_diff",
    "logit_distance",
    "logit_lens",
    "loss",
    "m_separated",
    "mask_ig",
    "matrix",
    "mean",
    "mean_per_position",
    "mi",
    "nde",
    "nie",
    "noise",
    "noising",
    "normal_form",
    "open",
    "optimal",
    "parse",
    "parse_query",
    "patch",
    "path_patch",
    "per_total_effect",
    "plain_graph",
    "pn",
    "pns",
    "probability",
    "ps",
    "pse",
    "race",
    "read_claim_file",
    "read_graph",
    "register_operation",
    "resample",
    "run",
    "sae_feature_patch",
    "screen_then_verify",
    "shapley",
    "steer",
    "steering",
    "subspace_patch",
    "tasks",
    "tde",
    "te",
    "tie",
    "top1_agreement",
    "transcoder_edge",
    "transformer_graph",
    "value_of",
    "vector",
    "verify",
    "write_graph",
    "zero",
    "zero_effects",
]


def __getattr__(name: str) -> object:
    """Import a public name when it is first used (PEP 562)."""
    if name == "__version__":
        from importlib.metadata import version

        return version("causalnet-lab")
    if name == "tasks":
        return import_module("causalnet.tasks")
    original = "open_result" if name == "open" else name
    if original not in _ROOM_OF:
        raise AttributeError(f"module 'causalnet' has no attribute {name!r}")
    found: object = getattr(import_module(f"causalnet.{_ROOM_OF[original]}"), original)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    """List the public names."""
    return __all__


class _Package(ModuleType):
    """The package itself: importing the room `lift` must not hide the function `lift`."""

    def __setattr__(self, name: str, value: object) -> None:
        """Set an attribute, unless a room would take the place of a public function."""
        if not (isinstance(value, ModuleType) and name in _ROOM_OF):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
