"""Claims by noise, learned constants and masked edges: verdicts, costs, files and their errors."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pytest import approx

from causalnet.claims import VerificationReport, explain_claims, json_schema, verify
from causalnet.claims.prompts import reference_prompts
from causalnet.claims.prompts import testing_pairs as pairs_of
from causalnet.cli.report_view import report_view
from causalnet.effects import counterfactual, noise, optimal, zero
from causalnet.errors import ClaimFileError
from causalnet.faithfulness import (
    CircuitScorer,
    EdgeCircuitScorer,
    partial_faithfulness,
    robust_fidelity,
)
from causalnet.interventions import Edge, Learning, logit_diff
from causalnet.lift import LiftedNetwork
from causalnet.tasks import PromptPairs
from tests.claims.claim_text import read, replaced
from tests.claims.small_case import CLAIMS, claim_file, small_net, write_pairs
from tests.claims.test_verification import RANDOM

TRAINING = {"file": "training.jsonl"}
EDGES = ["embed -> L0.H0.q", "L0.H1 -> logits", "a0.h2->m1", "L1.H3 -> logits", "L0.H0->L1.KV1.v"]
LEARNING = {"steps": 3, "batch": 4, "rate": 0.1}
CASES: dict[str, dict[str, Any]] = {
    "noise": {"ablation": {"kind": "noise", "draws": 2, "noise": {"factor": 1.0, "seed": 3}}},
    "noise, denoising": {
        "ablation": {"kind": "noise", "noise": {"at": "end"}, "draws": 2},
        "direction": "denoising",
    },
    "resample, denoising": {
        "ablation": {"kind": "resample", "reference": TRAINING, "draws": 2},
        "direction": "denoising",
    },
    "optimal": {"ablation": {"kind": "optimal", "reference": TRAINING, "learning": LEARNING}},
    "edges": {"circuit": EDGES, "ablation": {"kind": "counterfactual", "ablate": "edges"}},
    "edges, denoising": {
        "circuit": EDGES,
        "ablation": {"kind": "counterfactual", "ablate": "edges", "at": "end"},
        "direction": "denoising",
    },
    "edges by noise": {
        "circuit": EDGES,
        "ablation": {"kind": "noise", "ablate": "edges", "draws": 2},
    },
    "edges by means": {
        "circuit": EDGES,
        "ablation": {"kind": "mean", "ablate": "edges", "reference": TRAINING},
    },
    "optimal edges": {
        "circuit": EDGES,
        "ablation": {
            "kind": "optimal",
            "ablate": "edges",
            "at": "end",
            "reference": TRAINING,
            "learning": LEARNING,
        },
    },
}


@pytest.fixture(scope="module")
def net() -> LiftedNetwork:
    return small_net()


@pytest.fixture(scope="module")
def folder(net: LiftedNetwork, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("claims")
    write_pairs(path / "pairs.jsonl", net, 20)
    write_pairs(path / "training.jsonl", net, 8, seed=5)
    return path


@pytest.mark.parametrize("changes", CASES.values(), ids=list(CASES))
def test_what_is_said_is_what_is_run(
    changes: dict[str, Any], net: LiftedNetwork, folder: Path
) -> None:
    """Forwards are counted; conventions, JSON and the file itself come back as they went."""
    claims = [CLAIMS[0], {**CLAIMS[1], "at_least": 0.9}, CLAIMS[2]]
    file = claim_file(folder, claims=claims, **changes)
    plan, report = explain_claims(file, net=net), verify(file, net=net)
    means = 1 if changes["ablation"]["kind"] == "mean" else 0
    uncounted = means if file.ablation.level == "nodes" else 0
    assert report.cost.forwards + uncounted == plan.most == plan.fewest
    again = VerificationReport.from_json(report.to_json())
    assert again.claim_file.model_dump() == file.model_dump()
    assert again.to_json() == report.to_json()
    level = "edges" if "edges" in changes["ablation"].get("ablate", "") else "nodes"
    assert [report[one].conventions["level"] for one in ("enough", "needed")] == [level] * 2
    assert report["task"].conventions["level"].startswith("the whole model")
    assert report["enough"].conventions["ablation"].startswith(changes["ablation"]["kind"])
    assert report.provenance["level"] == level
    assert report.provenance["ablation"]["kind"] == changes["ablation"]["kind"]
    shown = report_view(report).circuit
    assert shown is not None and len(shown.members) == len(report.nodes) == 5
    if level == "edges":
        assert report.circuit == (
            "embed -> L0.H0.q",
            "L0.H1 -> logits",
            "L0.H2 -> L1.mlp",
            "L1.H3 -> logits",
            "L0.H0 -> L1.KV1.v",
        )
        assert report.nodes == ("L0.H0", "L0.H1", "L0.H2", "L1.mlp", "L1.H3")
        assert "82 edges" in str(plan)


def used(report: VerificationReport, claim: str, values: np.ndarray[Any, Any]) -> float:
    return float(values[: report[claim].decision.n].mean())


def test_the_verdict_is_that_of_the_scorer(net: LiftedNetwork, folder: Path) -> None:
    """Oracle: the same circuit scored by itself; noise is that of each pair's own number."""
    for name, ablation in (
        ("edges", counterfactual()),
        ("edges by noise", noise(net, draws=2)),
        ("noise", noise(net, 1.0, draws=2, seed=3)),
    ):
        file = claim_file(folder, **CASES[name])
        report = verify(file, net=net)
        pairs = pairs_of(file, net.model.tokenizer)
        if name == "noise":
            nodes = CircuitScorer(net, logit_diff, ablation, net.heads())
            scores = nodes.score(pairs, [net.graph.find(one) for one in report.circuit])
        else:
            edges = EdgeCircuitScorer(net, logit_diff, ablation)
            ends = [one.split(" -> ") for one in report.circuit]
            scores = edges.score(pairs, [Edge(sender, receiver) for sender, receiver in ends])
        intact = used(report, "enough", scores.model - scores.empty)
        kept = used(report, "enough", scores.kept - scores.empty)
        assert report["enough"].decision.estimate == approx(kept / intact, abs=1e-9)


def test_constants_are_learned_on_the_base_prompts_of_the_reference(
    net: LiftedNetwork, folder: Path
) -> None:
    file = claim_file(folder, **CASES["optimal"])
    training = reference_prompts(file, net.model.tokenizer)
    assert isinstance(training, PromptPairs)
    report = verify(file, net=net)
    told = report.provenance["learned"]
    assert [len(one["nodes"]) for one in told] == [8, 3, 5]
    assert all(one["loss"] <= one["start"] for one in told)
    assert told[0]["training_set"] == optimal(training).reference
    learning = Learning(steps=3, batch=4, rate=0.1)
    scorer = CircuitScorer(
        net, logit_diff, optimal(training, learning), net.heads(), reference=training
    )
    circuit = [net.graph.find(one) for one in report.circuit]
    scores = scorer.score(pairs_of(file, net.model.tokenizer), circuit)
    assert report["enough"].means["circuit_alone"] == approx(used(report, "enough", scores.kept))
    with_own = claim_file(
        folder, ablation={"kind": "optimal", "reference": {"file": "pairs.jsonl"}}
    )
    overlapping = verify(with_own.model_copy(update={"claims": with_own.claims[:1]}), net=net)
    assert "20 prompts that constants were learned on are test prompts." in overlapping.notes


@pytest.mark.parametrize("name", ["nodes", "edges"])
def test_members_by_chance(name: str, net: LiftedNetwork, folder: Path) -> None:
    """Oracle: the fidelity of the circuit by itself, on the prompts that were used."""
    chance = {"probability": 0.4, "draws": 3, "seed": 5}
    claims = [{**CLAIMS[1], "kept": chance}, {**CLAIMS[2], "removed": chance}]
    changes = CASES["edges"] if name == "edges" else {}
    file = claim_file(folder, claims=claims, **changes)
    report, plan = verify(file, net=net), explain_claims(file, net=net)
    assert report.cost.forwards <= plan.most
    assert "by chance (probability 0.4, 3 draws, seed 5)" in str(plan)
    pairs = pairs_of(file, net.model.tokenizer)
    scorer: Any
    if name == "edges":
        scorer = EdgeCircuitScorer(net, logit_diff, counterfactual())
    else:
        scorer = CircuitScorer(net, logit_diff, counterfactual(), net.heads())
    circuit = [one for one in scorer.universe if str(one) in report.circuit]
    for claim in ("enough", "needed"):
        prompts = pairs.rows(range(report[claim].decision.n))
        found = robust_fidelity(scorer, prompts, circuit, removed=0.4, kept=0.4, draws=3, seed=5)
        scores = scorer.score(prompts, circuit)
        behaviour = float((scores.model - scores.empty).mean())
        lost = found.minus if claim == "enough" else found.plus
        expected = 1 - lost / behaviour if claim == "enough" else lost / behaviour
        assert report[claim].decision.estimate == approx(expected, abs=1e-9)
    curve = partial_faithfulness(scorer, pairs, circuit, [0.4], draws=3, seed=5)
    if report["enough"].decision.n == len(pairs):
        assert report["enough"].decision.estimate == approx(curve.faithfulness[0], abs=1e-9)


def test_random_circuits_of_edges_join_the_same_layers(net: LiftedNetwork, folder: Path) -> None:
    claims = [{**RANDOM, "max_circuits": 8, "prompts": 4}]
    for name in ("edges", "optimal edges"):
        file = claim_file(folder, claims=claims, **CASES[name])
        report, plan = verify(file, net=net), explain_claims(file, net=net)
        assert 0 < report.cost.forwards <= plan.most
        assert report["special"].decision.n > 0 or report["special"].decision.reason
        assert "only random circuits" in plan.claims[0].worlds
        said = report["special"].conventions["random circuits"]
        assert "connected circuits" in said


def test_effects_say_what_they_set(net: LiftedNetwork, folder: Path) -> None:
    queries = {
        "te()": "inputs: no mediator is set",
        "nie(L0.H1; at=end)": "nodes",
        "path_patch(L0.mlp; receivers=L1.H2.q)": "edges",
    }
    claims = [
        {"id": f"q{i}", "kind": "effect", "statement": "?", "query": query, "at_least": 0.0}
        for i, query in enumerate(queries)
    ]
    for changes in ({}, CASES["edges"]):
        report = verify(claim_file(folder, claims=claims, **changes), net=net)
        said = [one.conventions["level"] for one in report.results]
        assert said[:2] == list(queries.values())[:2]
        assert "edges" in said[2]


def wrong(text: str) -> str:
    with pytest.raises(ClaimFileError) as caught:
        read(text)
    return str(caught.value)


ABLATION = "  kind: counterfactual\n  ablate: heads\n"


@pytest.mark.parametrize(
    ("ablation", "message"),
    [
        ("  kind: optimal\n", "'optimal' without 'reference'"),
        ("  kind: zero\n  noise: {factor: 2.0}\n", "key 'noise' with the ablation 'zero'"),
        ("  kind: noise\n  learning: {steps: 5}\n", "key 'learning' with the ablation 'noise'"),
        ("  kind: noise\n  noise: {factor: -1.0}\n", "factor"),
        ("  kind: mean\n  draws: 2\n  reference: {name: ioi, n: 8, seed: 3}\n", "draws nothing"),
        (
            "  kind: optimal\n  reference: {name: ioi, n: 8, seed: 3, side: source}\n",
            "learned on source prompts",
        ),
        ("  kind: optimal\n  learning: {loss: accuracy}\n", "'accuracy'"),
        ("  kind: counterfactual\n  ablate: edges\n", "'L1.H0' is a node, but edges are ablated"),
    ],
)
def test_what_does_not_fit_is_refused(ablation: str, message: str) -> None:
    assert message in wrong(replaced(ABLATION, ablation))


@pytest.mark.parametrize(
    ("circuit", "message"),
    [
        ("[L0.H0 -> L1.H0.k]", "is an edge, but nodes are ablated"),
        ("[L1.H0, L0.H0 -> L1.H0.k]", "is an edge, but nodes are ablated"),
    ],
)
def test_nodes_and_edges_are_not_mixed(circuit: str, message: str) -> None:
    assert message in wrong(replaced("[L1.H0, L1.H2, L0.H3]", circuit))


@pytest.mark.parametrize(
    ("edge", "message"),
    [
        ("L0.H0 -> L1.H0.k", "share keys and values"),
        ("L1.H0 -> L0.H1.q", "L1.H0"),
        ("L9.H0 -> logits", "L9.H0"),
        ("L0.H0 -> L1.H1", "no edge of the residual stream"),
        ("L0.H0 -> L1.H1.q -> logits", "no edge of the residual stream"),
        ("L0.H1 -> logits", "twice"),
    ],
)
def test_edges_that_are_none_are_named(
    edge: str, message: str, net: LiftedNetwork, folder: Path
) -> None:
    with pytest.raises(ClaimFileError, match=message):
        file = claim_file(folder, **{**CASES["edges"], "circuit": ["L0.H1 -> logits", edge]})
        explain_claims(file, net=net)


def test_denoising_needs_values_of_a_run(net: LiftedNetwork, folder: Path) -> None:
    for ablation in ({"kind": "zero"}, {"kind": "optimal", "reference": TRAINING}):
        with pytest.raises(ClaimFileError, match="Denoising with the ablation"):
            claim_file(folder, ablation=ablation, direction="denoising")
    with pytest.raises(ClaimFileError, match="'noise' of edges"):
        claim_file(folder, **{**CASES["edges by noise"], "direction": "denoising"})
    edges = EdgeCircuitScorer(net, logit_diff, zero())
    assert edges.conventions["direction"] == "noising"


def test_every_key_is_described() -> None:
    schema = json_schema()["$defs"]
    for name in ("AblationSpec", "NoiseSpec", "LearningSpec", "ReferenceSpec"):
        assert all("description" in key for key in schema[name]["properties"].values())
