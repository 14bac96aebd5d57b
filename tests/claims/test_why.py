"""Why claims fail: what is missing is found in a circuit that is known, and by an oracle."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from causalnet.claims import ClaimFile, VerificationReport, read_claims, verify
from causalnet.claims.circuits import universe
from causalnet.claims.hearing import Hearing
from causalnet.claims.source_text import SourceText
from causalnet.claims.why import explain_result, to_be_explained
from causalnet.effects import counterfactual
from causalnet.faithfulness import CircuitScorer
from causalnet.interventions import logit_diff
from causalnet.lift import LiftedNetwork, lift
from causalnet.models import load
from causalnet.statistics import Verdict
from tests.claims.small_case import CLAIMS, claim_file, small_net, write_pairs

NO_GRID = {"skip": True, "reason": "not tested here"}
KNOWN = "known:indirect_object"


def known_file(circuit: list[str], **changes: Any) -> ClaimFile:
    content = {
        "schema": 1,
        "model": {"source": KNOWN, "dtype": "float64"},
        "task": {"name": KNOWN, "n": 48, "seed": 2},
        "circuit": circuit,
        "found": {"method": "by hand", "task": {"name": KNOWN, "n": 12, "seed": 1}},
        "ablation": {"kind": "counterfactual"},
        "robustness": NO_GRID,
        "claims": [CLAIMS[1] | {"at_least": 0.9}],
        **changes,
    }
    return read_claims(SourceText("claims.json", json.dumps(content)))


def heard(file: ClaimFile, net: LiftedNetwork) -> Hearing:
    return Hearing(file, net, tuple(universe(file, net.graph).values()), 0, None, lambda _: None)


@pytest.fixture(scope="module")
def known() -> LiftedNetwork:
    return lift(load(KNOWN, dtype="float64"))


@pytest.fixture(scope="module")
def net() -> LiftedNetwork:
    return small_net()


@pytest.fixture(scope="module")
def folder(net: LiftedNetwork, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("why")
    write_pairs(path / "pairs.jsonl", net, 40)
    write_pairs(path / "others.jsonl", net, 20, seed=77)
    return path


def test_the_head_that_a_circuit_lacks_comes_first(known: LiftedNetwork) -> None:
    """Truth by construction: L0.H0 -> L1.H0 -> L2.H0 is the circuit, all else is junk."""
    file = known_file(["L0.H0", "L2.H0", "L1.H1"])
    report = verify(file, net=known)
    assert report["enough"].decision.verdict is not Verdict.SUPPORTED
    why = explain_result(heard(file, known), report["enough"])
    assert why.number == "faithfulness" and why.left_out == 0 and why.measured == 6
    assert why.missing[0].name == "L1.H0"
    assert all(one.gain < 0.1 * why.missing[0].gain for one in why.missing[1:])
    assert "L1.H1" in {one.name for one in why.idle}
    assert "found the circuit" in why.prompts


def test_the_edge_that_a_circuit_lacks_comes_first_within_a_small_budget(
    known: LiftedNetwork,
) -> None:
    lacking = ["embed -> L1.H0.q", "embed -> L1.H0.k", "L0.H0 -> L1.H0.v", "embed -> L0.H0.v",
               "embed -> L2.H0.v", "embed -> L2.H0.k", "embed -> L2.H0.q", "L0.H0 -> L1.H0.k",
               "L1.H0 -> L2.H0.q", "embed -> L0.H0.q", "embed -> L0.H0.k"]  # fmt: skip
    ablation = {"kind": "counterfactual", "ablate": "edges"}
    file = known_file(lacking, ablation=ablation)
    report = verify(file, net=known)
    all_of_them = explain_result(heard(file, known), report["enough"], prompts=8)
    assert all_of_them.missing[0].name == "L2.H0 -> logits" and not all_of_them.order
    few = explain_result(heard(file, known), report["enough"], prompts=8, budget=60)
    assert few.left_out > 0 and few.forwards <= 60
    assert few.order == "edges between nodes that the circuit's edges join first"


def test_where_estimators_apply_they_say_which_edges_are_tried_first(
    net: LiftedNetwork, folder: Path
) -> None:
    found = {"method": "by hand", "task": {"file": "others.jsonl"}}
    ablation = {"kind": "counterfactual", "ablate": "edges"}
    circuit = ["L0.H0 -> logits", "L1.H1 -> logits"]
    file = claim_file(
        folder, found=found, robustness=NO_GRID, ablation=ablation, circuit=circuit,
        claims=[CLAIMS[1] | {"at_least": 1.5}],
    )  # fmt: skip
    report = verify(file, net=net)
    few = explain_result(heard(file, net), report["enough"], prompts=8, budget=40)
    every = explain_result(heard(file, net), report["enough"], prompts=8)
    assert few.order == "largest edge attribution patching first" and few.left_out > 30
    assert few.missing[0].name in {one.name for one in every.missing[:3]}


def test_gains_are_differences_of_the_circuits_own_scores(net: LiftedNetwork, folder: Path) -> None:
    """Oracle: both circuits scored by themselves, on the prompts that are there to search on."""
    found = {"method": "by hand", "task": {"file": "others.jsonl"}}
    file = claim_file(folder, found=found, robustness=NO_GRID)
    report = verify(file, net=net)
    hearing = heard(file, net)
    pairs = hearing.pairs("find").rows(range(12))
    scorer = CircuitScorer(net, logit_diff, counterfactual(), net.heads())
    circuit = tuple(map(net.graph.find, report.circuit))

    def score(names: Any) -> Any:
        return scorer.score(pairs, tuple(one for one in net.heads() if one in names))

    base = score(circuit)
    whole = float((base.model - base.empty).mean())
    for claim, upward in (("enough", True), ("needed", True)):
        why = explain_result(hearing, report[claim], prompts=12)
        assert [one.gain for one in why.missing] == sorted(
            (one.gain for one in why.missing), reverse=upward
        )
        for one in (*why.missing, *why.members):
            inside = one.name in report.circuit
            node = net.graph.find(one.name)
            other = score([m for m in circuit if m != node] if inside else [*circuit, node])
            kept = float((other.kept - base.kept).mean()) / whole
            gone = float((base.knocked_out - other.knocked_out).mean()) / whole
            expected = (kept if claim == "enough" else gone) * (-1 if inside else 1)
            # Waves take norms in float64, this model's own modules in float32.
            assert one.gain == pytest.approx(expected, abs=1e-6)
        assert len(why.members) == 5 and why.measured == 3


def test_the_budget_is_kept_and_what_it_leaves_out_is_counted(
    net: LiftedNetwork, folder: Path
) -> None:
    file = claim_file(
        folder, robustness=NO_GRID, found={"method": "by hand", "task": {"file": "others.jsonl"}}
    )
    report = verify(file, net=net)
    for budget in (0, 5, 12, 24, 1000):
        hearing = heard(file, net)
        why = explain_result(hearing, report["enough"], prompts=8, budget=budget)
        assert why.forwards == hearing.meter.forwards <= max(budget, 6)
        assert why.measured + why.left_out == 3
    assert why.left_out == 0


def templated(folder: Path, net: LiftedNetwork) -> Path:
    """The same pairs, of two templates."""
    lines = (folder / "pairs.jsonl").read_text().splitlines()
    rows: list[Mapping[str, Any]] = [json.loads(line) for line in lines]
    named = [{**row, "template": f"t{index % 2}"} for index, row in enumerate(rows)]
    path = folder / "templated.jsonl"
    path.write_text("".join(f"{json.dumps(row)}\n" for row in named))
    return path


def test_the_worst_template_comes_first(net: LiftedNetwork, folder: Path) -> None:
    templated(folder, net)
    found = {"method": "by hand", "task": {"file": "others.jsonl"}}
    file = claim_file(folder, found=found, robustness=NO_GRID, task={"file": "templated.jsonl"})
    report = verify(file, net=net)
    why = explain_result(heard(file, net), report["enough"])
    assert {one.template for one in why.splits} == {"t0", "t1"}
    estimates = [one.estimate for one in why.splits]
    assert None not in estimates and estimates == sorted(estimates, key=lambda one: one or 0.0)
    assert sum(one.n for one in why.splits) == report["enough"].decision.n
    model = explain_result(heard(file, net), report["task"])
    assert model.no_search == "The claim is about no circuit." and len(model.splits) == 2
    means = [float(one.estimate or 0.0) for one in model.splits]
    mean = np.average(means, weights=[one.n for one in model.splits])
    assert mean == pytest.approx(report["task"].decision.estimate)


def test_which_claims_are_explained(net: LiftedNetwork, folder: Path) -> None:
    claims = [CLAIMS[0] | {"at_least": -100.0}, CLAIMS[1] | {"at_least": 1.9}]
    report = verify(claim_file(folder, robustness=NO_GRID, claims=claims), net=net)
    assert isinstance(report, VerificationReport)
    assert [one.claim.id for one in to_be_explained(report.results)] == ["enough"]
    assert [one.claim.id for one in to_be_explained(report.results, "task")] == ["task"]
    assert to_be_explained(report.results, "nothing") == ()


def test_without_prompts_to_search_on_it_says_so(net: LiftedNetwork, folder: Path) -> None:
    file = claim_file(folder, robustness=NO_GRID)
    report = verify(file, net=net)
    why = explain_result(heard(file, net), report["enough"])
    assert "no prompts to search on" in why.no_search and "found: {task" in why.no_search
    assert why.noise is not None and not why.missing
