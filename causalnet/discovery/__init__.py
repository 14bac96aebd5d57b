"""Finding circuits: scores of nodes and edges, circuits made of them, and how good they are.

| step | what | where |
|---|---|---|
| ask | `Question`: network, pairs, ablation, read-out, grain, direction, positions | `question` |
| check | `check_behaviour`: is the behaviour there of which a circuit is sought? | `behaviour` |
| score | `discover(question, method)`: every method of `METHODS` gives `Scores` | `methods` |
| choose | `circuit_of_size`, `circuit_above`, `circuit_of` give a `Circuit` | `circuits` |
| test | `Circuit.scores(pairs)`, `faithfulness_curve`, `stability` | `evaluation` |
| compare | `ranking_score` with a known circuit; `live_truth`: its live edges | `evaluation` |
| overlap | `overlap`: what two tasks share, and would by chance | `evaluation`, `scoring` |
| backups | `co_ablation`, `conditional_patching`: what wakes up with others gone | `conditional` |
| keep | `save_scores`, `open_scores`; `claim_text` for `causalnet verify` | `saving`, `claims` |
| draw | `attribution_of`; back by `circuit_of_graph` | `attribution_writing`, `…_graphs` |
| try | `put_on_trial`: bias, coverage and power where effects are known | `trial` |

| method | source |
|---|---|
| exact patching, greedy search | Vig et al. 2020; Goldowsky-Dill et al. 2023 |
| EAP, clean-corrupted, EAP-IG (inputs, activations), IG of masks | Syed et al. 2024; Hanna et al. \
2024; Mueller et al. 2025; Sundararajan et al. 2017 |
| AtP, AtP*, HISP | Nanda 2023; Kramár et al. 2024; Michel et al. 2019 |
| ACDC | Conmy et al. 2023 |
| hard-concrete masks, edge pruning | Louizos et al. 2018; Cao et al. 2021; Bhaskar et al. 2024 |
| information-flow routes | Ferrando and Voita 2024 |

Long searches keep what they found in a `Journal` and go on from it.
"""

from causalnet.discovery.attribution_graphs import GraphCircuit, circuit_of_graph
from causalnet.discovery.attribution_writing import attribution_of
from causalnet.discovery.behaviour import Behaviour, behaviour_of, check_behaviour
from causalnet.discovery.circuits import Circuit, circuit_above, circuit_of, circuit_of_size
from causalnet.discovery.claims import ClaimPrompts, claim_text
from causalnet.discovery.conditional import CoAblation, co_ablation, conditional_patching
from causalnet.discovery.evaluation import (
    FaithfulnessCurve,
    faithfulness_curve,
    overlap,
    ranking_score,
    stability,
)
from causalnet.discovery.exact import exact_patching
from causalnet.discovery.journal import Journal
from causalnet.discovery.live_truth import LiveTruth, live_truth
from causalnet.discovery.methods import (
    METHODS,
    DiscoveryMethod,
    discover,
    method_of,
    screen_then_verify,
)
from causalnet.discovery.question import Question
from causalnet.discovery.saving import open_scores, save_scores
from causalnet.discovery.scores import Cost, Scores
from causalnet.discovery.scoring import overlap_of_circuits, overlap_of_rankings
from causalnet.discovery.trial import Trial, put_on_trial
from causalnet.discovery.units import CircuitGrain

__all__ = [
    "METHODS",
    "Behaviour",
    "Circuit",
    "CircuitGrain",
    "ClaimPrompts",
    "CoAblation",
    "Cost",
    "DiscoveryMethod",
    "FaithfulnessCurve",
    "GraphCircuit",
    "Journal",
    "LiveTruth",
    "Question",
    "Scores",
    "Trial",
    "attribution_of",
    "behaviour_of",
    "check_behaviour",
    "circuit_above",
    "circuit_of",
    "circuit_of_graph",
    "circuit_of_size",
    "claim_text",
    "co_ablation",
    "conditional_patching",
    "discover",
    "exact_patching",
    "faithfulness_curve",
    "live_truth",
    "method_of",
    "open_scores",
    "overlap",
    "overlap_of_circuits",
    "overlap_of_rankings",
    "put_on_trial",
    "ranking_score",
    "save_scores",
    "screen_then_verify",
    "stability",
]
