import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from causalnet.claims import ProgressReport, VerificationReport, verify
from causalnet.claims.prompts import testing_pairs as pairs_of
from causalnet.effects import counterfactual
from causalnet.errors import (
    AlignmentError,
    ClaimFileError,
    NumericalError,
    OutOfMemoryError,
    ParameterError,
    PromptError,
)
from causalnet.faithfulness import CircuitScorer
from causalnet.interventions import logit_diff
from causalnet.lift import LiftedNetwork
from causalnet.statistics import Reason, TracePoint, Verdict
from tests.claims.small_case import CLAIMS, batches_above, claim_file, small_net, write_pairs
from tests.toys import taken_as_it_is

RANDOM = {
    "id": "special",
    "kind": "better_than_random",
    "statement": "Others are further off.",
    "fraction": 0.5,
    "prompts": 6,
    "max_circuits": 24,
}


@pytest.fixture(scope="module")
def net() -> LiftedNetwork:
    return small_net()


@pytest.fixture(scope="module")
def folder(net: LiftedNetwork, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("claims")
    write_pairs(path / "pairs.jsonl", net, 64)
    return path


def test_verdicts_are_those_of_the_circuits_own_scores(net: LiftedNetwork, folder: Path) -> None:
    """Oracle: the circuit scored by itself on the prompts that each verdict used."""
    file = claim_file(folder)
    report = verify(file, net=net)
    pairs = pairs_of(file, net.model.tokenizer)
    scorer = CircuitScorer(net, logit_diff, counterfactual(), net.heads())
    scores = scorer.score(pairs, tuple(map(net.graph.find, report.circuit)))

    def used(claim_id: str, values: Any) -> float:
        return float(values[: report[claim_id].decision.n].mean())

    intact = used("enough", scores.model - scores.empty)
    faithful = used("enough", scores.kept - scores.empty) / intact
    assert report["enough"].decision.estimate == pytest.approx(faithful, abs=1e-10)
    intact = used("needed", scores.model - scores.empty)
    needed = used("needed", scores.model - scores.knocked_out) / intact
    assert report["needed"].decision.estimate == pytest.approx(needed, abs=1e-10)
    assert report["task"].decision.estimate == pytest.approx(used("task", scores.model), abs=1e-10)
    assert report["task"].decision.verdict is Verdict.SUPPORTED
    assert report["enough"].means["circuit_alone"] == pytest.approx(used("enough", scores.kept))


def test_claims_share_forwards_and_settled_ones_ask_for_none(
    net: LiftedNetwork, folder: Path
) -> None:
    claims = [
        {**CLAIMS[0], "at_least": 0.0},
        {**CLAIMS[1], "at_least": 0.0},  # both settle at once
        {**CLAIMS[1], "id": "same circuit", "at_most": 2.0} | {"id": "same"},
    ]
    claims[2].pop("at_least")
    report = verify(claim_file(folder, claims=claims), net=net)
    assert {one.decision.verdict for one in report.results} == {Verdict.SUPPORTED}
    batches = report.cost.prompts // 8
    assert report.cost.prompts < 64
    # source (its values are set), base, everything ablated, the circuit alone
    assert report.cost.forwards == 4 * batches
    assert report.exit_status == 0


def test_a_false_claim_is_refuted(net: LiftedNetwork, folder: Path) -> None:
    claims = [{**CLAIMS[1], "circuit": ["L0.H2"], "at_least": 0.99, "expected": "REFUTED"}]
    report = verify(claim_file(folder, claims=claims), net=net)
    assert report["enough"].decision.verdict is Verdict.REFUTED
    assert report.exit_status == 1 and report.is_expected
    assert "at least 0.99 was claimed" in report["enough"].why
    claims[0]["expected"] = "SUPPORTED"
    assert not verify(claim_file(folder, claims=claims), net=net).is_expected


def test_too_few_prompts_are_inconclusive(net: LiftedNetwork, folder: Path) -> None:
    report = verify(claim_file(folder, task={"file": "pairs.jsonl", "n": 20}), net=net)
    assert {one.decision.verdict for one in report.results} == {Verdict.INCONCLUSIVE}
    assert report.exit_status == 2


def test_without_a_behaviour_claims_are_undefined(net: LiftedNetwork, tmp_path: Path) -> None:
    """Answers and foils swapped: the model does the opposite."""
    write_pairs(tmp_path / "pairs.jsonl", net, 64)
    rows = [json.loads(line) for line in (tmp_path / "pairs.jsonl").read_text().splitlines()]
    for row in rows:
        row["answer_ids"], row["foil_ids"] = row["foil_ids"], row["answer_ids"]
    (tmp_path / "pairs.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    report = verify(claim_file(tmp_path, claims=[*CLAIMS[1:], RANDOM]), net=net)
    for result in report.results:
        assert result.decision.verdict is Verdict.UNDEFINED
        assert result.decision.reason is Reason.BEHAVIOUR_ABSENT
    assert report.exit_status == 2


def test_prompts_that_found_the_circuit_cannot_support_it(net: LiftedNetwork, folder: Path) -> None:
    found = {"method": "by hand", "task": {"file": "pairs.jsonl", "n": 3}}
    report = verify(claim_file(folder, found=found), net=net)
    for result in report.results:
        assert result.decision.verdict is not Verdict.SUPPORTED
    task = report["task"].decision
    assert task.verdict is Verdict.INCONCLUSIVE and task.reason is Reason.FIND_TEST_OVERLAP
    assert "3 of the 64 test prompts also found the circuit" in task.sentence
    assert report.provenance["overlap"] == 3


def test_a_search_on_prompts_without_a_name_cannot_support(
    net: LiftedNetwork, folder: Path
) -> None:
    claims = [CLAIMS[0], {**CLAIMS[1], "at_least": 0.0}]
    found = {"method": "largest effects", "note": "on prompts that are lost"}
    report = verify(claim_file(folder, found=found, claims=claims), net=net)
    assert report["task"].decision.verdict is Verdict.SUPPORTED  # it is about no circuit
    decision = report["enough"].decision
    assert decision.verdict is Verdict.INCONCLUSIVE
    assert decision.reason is Reason.FINDING_PROMPTS_UNKNOWN
    assert "name them with 'found: {task: …}'. On these prompts: Faithfulness" in decision.sentence


def test_a_circuit_that_was_given_is_supported_with_a_caveat(
    net: LiftedNetwork, folder: Path
) -> None:
    claims = [CLAIMS[0], {**CLAIMS[1], "at_least": 0.0}]
    report = verify(claim_file(folder, claims=claims), net=net)
    decision = report["enough"].decision
    assert decision.verdict is Verdict.SUPPORTED
    assert decision.sentence.endswith("is the author's word.")
    assert "word" not in report["task"].decision.sentence
    assert any("cannot be ruled out" in note for note in report.notes)


def test_a_reference_set_of_test_prompts_is_told(net: LiftedNetwork, folder: Path) -> None:
    write_pairs(folder / "others.jsonl", net, 12, seed=50)
    for name, shared in (("pairs.jsonl", 12), ("others.jsonl", 0)):
        ablation = {"kind": "mean", "reference": {"file": name, "n": 12}}
        report = verify(claim_file(folder, ablation=ablation, claims=CLAIMS[:1]), net=net)
        told = [note for note in report.notes if "reference set are test prompts" in note]
        assert [note.split()[0] for note in told] == ([str(shared)] if shared else [])


@pytest.mark.parametrize("kind", ["zero", "mean", "mean_per_position", "resample"])
def test_every_ablation_runs(kind: str, net: LiftedNetwork, folder: Path) -> None:
    ablation: dict[str, Any] = {"kind": kind}
    if kind != "zero":
        ablation["reference"] = {"file": "pairs.jsonl", "n": 24, "side": "source"}
    if kind == "resample":
        ablation["draws"] = 2
    report = verify(claim_file(folder, ablation=ablation), net=net)
    assert np.isfinite(report["needed"].means["circuit_knocked_out"])
    assert report["needed"].conventions["ablation"].startswith(kind)
    assert ("reference set" in report["needed"].conventions) == (kind != "zero")


def test_denoising_and_mlps(net: LiftedNetwork, folder: Path) -> None:
    file = claim_file(
        folder,
        direction="denoising",
        ablation={"kind": "counterfactual", "ablate": "heads_and_mlps"},
        circuit=["L0.H0", "L0.mlp", "L1.mlp", "L1.H2"],
        claims=[*CLAIMS, RANDOM],
    )
    report = verify(file, net=net)
    pairs = pairs_of(file, net.model.tokenizer)
    every = (*net.heads(), *net.mlps())
    order = tuple(mediator for mediator in net.graph.writers if mediator in map(str, every))
    scorer = CircuitScorer(
        net,
        logit_diff,
        counterfactual(),
        tuple(net[name] for name in order),
        direction="denoising",
    )
    scores = scorer.score(pairs, tuple(map(net.graph.find, report.circuit)))
    n = report["needed"].decision.n
    drop = (scores.model - scores.knocked_out)[:n].mean() / (scores.model - scores.empty)[:n].mean()
    assert report["needed"].decision.estimate == pytest.approx(drop, abs=1e-10)


@pytest.mark.parametrize("readout", ["probability", "loss", "kl", "accuracy"])
def test_every_readout_has_behaviour_above_zero(
    readout: str, net: LiftedNetwork, folder: Path
) -> None:
    """Loss and divergence are better when smaller: their sign is turned for the ratio."""
    claims = [{**CLAIMS[1], "at_least": 0.0}]
    report = verify(claim_file(folder, readout=readout, claims=claims), net=net)
    assert report["enough"].decision.verdict is not Verdict.UNDEFINED
    assert np.isfinite(report["enough"].decision.estimate)


def test_accuracy_is_judged_exactly(net: LiftedNetwork, folder: Path) -> None:
    """All answers are the model's first choice: no spread, yet the rate has a bound."""
    claims = [{**CLAIMS[0], "at_least": 0.8}]
    report = verify(claim_file(folder, readout="accuracy", claims=claims), net=net)
    assert report["task"].decision.verdict is Verdict.SUPPORTED
    assert report["task"].decision.n < 32
    assert report["task"].conventions["alpha"].endswith("false REFUTED, exact")
    report = verify(claim_file(folder, claims=claims), net=net)
    assert report["task"].conventions["alpha"].endswith("false REFUTED, asymptotic")


def test_random_circuits_are_alike_reproducible_and_compared_on_the_same_prompts(
    net: LiftedNetwork, folder: Path
) -> None:
    """Oracle: the gaps of the circuit and of every other circuit of its sizes, one by one."""
    claims = [{**RANDOM, "fraction": 0.95, "max_circuits": 16}]
    circuit = ["L0.H0", "L1.H2"]
    file = claim_file(folder, claims=claims, circuit=circuit)
    report = verify(file, net=net)
    assert verify(file, net=net)["special"].decision == report["special"].decision
    pairs = pairs_of(file, net.model.tokenizer).rows(range(6))
    scorer = CircuitScorer(net, logit_diff, counterfactual(), net.heads())

    def gap(*names: str) -> float:
        scores = scorer.score(pairs, tuple(map(net.graph.find, names)))
        return float(np.abs(scores.kept - scores.model).mean())

    own = gap(*circuit)
    others = [gap(f"L0.H{a}", f"L1.H{b}") for a in range(4) for b in range(4) if (a, b) != (0, 2)]
    better = float(np.mean([own < other for other in others]))
    result = report["special"]
    assert result.means["gap_of_circuit"] == pytest.approx(own, abs=1e-10)
    interval = result.decision.interval
    assert interval is not None and better in interval
    assert min(others) <= result.means["gap_of_random_circuits"] <= max(others)


def test_a_report_survives_json(net: LiftedNetwork, folder: Path) -> None:
    report = verify(claim_file(folder, claims=[*CLAIMS, RANDOM]), net=net, heatmap_pairs=3)
    text = json.dumps(report.to_json(), allow_nan=False)
    again = VerificationReport.from_json(json.loads(text))
    assert again.to_json() == report.to_json()
    assert again.effects is not None and again.effects.rows == tuple(map(str, net.heads()))
    assert len(again.effects.prompts) == 3
    known = report.provenance
    assert known["model"]["weights_sha256"] and known["claim_file"]["sha256"]
    assert known["pairs"]["digest"] and known["seed"] == 0 and known["self_check"]


def test_a_report_with_open_bounds_survives_json(net: LiftedNetwork, folder: Path) -> None:
    report = verify(claim_file(folder, claims=CLAIMS[:1]), net=net)
    result = report.results[0]
    looks = (TracePoint(8, 1.0, -math.inf, math.inf), *result.decision.trace)
    decision = replace(result.decision, trace=looks, interval=None)
    open_ended = replace(result, decision=decision, means={"model": math.nan})
    changed = replace(report, results=(open_ended,))
    again = VerificationReport.from_json(json.loads(json.dumps(changed.to_json(), allow_nan=False)))
    assert again.results[0].decision == decision
    assert again.results[0].why == changed.results[0].why
    assert math.isnan(again.results[0].means["model"])


def test_progress_never_goes_back(net: LiftedNetwork, folder: Path) -> None:
    seen: list[ProgressReport] = []
    claims = [*CLAIMS, RANDOM]
    report = verify(
        claim_file(folder, claims=claims), net=net, heatmap_pairs=2, progress=seen.append
    )
    stages = list(dict.fromkeys(one.stage for one in seen))
    assert stages == [
        "make prompts",
        "test claims",
        "compare with random circuits",
        "measure single heads",
    ]
    for stage in stages:
        done = [one.done for one in seen if one.stage == stage]
        assert done == sorted(done)
        assert all(one.done <= one.total for one in seen if one.stage == stage)
    counted = [one for one in seen if one.stage in stages[1:3]]
    last = {one.stage: one.done for one in counted}
    assert sum(last.values()) == report.cost.forwards


def test_a_circuit_of_another_model(net: LiftedNetwork, folder: Path) -> None:
    with pytest.raises(ClaimFileError, match=r"'L7\.H0', which this model does not have") as caught:
        verify(claim_file(folder, circuit=["L0.H0", "L7.H0"]), net=net)
    assert caught.value.line is not None
    with pytest.raises(ClaimFileError, match="all 8 mediators"):
        verify(
            claim_file(folder, circuit=[f"L{a}.H{b}" for a in (0, 1) for b in range(4)]), net=net
        )
    model = {"source": "given", "weights_sha256": "0" * 64}
    with pytest.raises(ClaimFileError, match="weights have the hash") as caught:
        verify(claim_file(folder, model=model), net=net)
    assert caught.value.line == 5
    weights = net.model.provenance.weights_sha256
    model["weights_sha256"] = weights
    assert verify(claim_file(folder, model=model), net=net).provenance["model"]["weights_sha256"]


def test_a_position_that_the_prompts_lack(net: LiftedNetwork, folder: Path) -> None:
    with pytest.raises(PromptError, match="Unknown position 'S2'"):
        verify(claim_file(folder, ablation={"kind": "zero", "at": ["S2"]}), net=net)


def test_a_circuit_without_an_alternative(net: LiftedNetwork, folder: Path) -> None:
    whole_layer = [f"L0.H{head}" for head in range(4)]
    with pytest.raises(ParameterError, match="all or none of every group"):
        verify(claim_file(folder, circuit=whole_layer, claims=[RANDOM]), net=net)


def test_prompts_that_do_not_line_up(net: LiftedNetwork, tmp_path: Path) -> None:
    write_pairs(tmp_path / "pairs.jsonl", net, 4)
    rows = [json.loads(line) for line in (tmp_path / "pairs.jsonl").read_text().splitlines()]
    rows[2]["source_ids"] += [5]
    (tmp_path / "pairs.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    with pytest.raises(AlignmentError, match=r"pairs\.jsonl:3.*'ablation: \{at: end\}'") as caught:
        verify(claim_file(tmp_path), net=net)
    assert "align=False" not in str(caught.value)
    for ablation in ({"kind": "counterfactual", "at": "end"}, {"kind": "zero"}):
        report = verify(claim_file(tmp_path, ablation=ablation), net=net)  # nothing must line up
        assert report.cost.prompts == 4
    rows[2]["source_ids"], rows[2]["base_ids"] = rows[2]["source_ids"][:6], [1, 2, "x"]
    (tmp_path / "pairs.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    with pytest.raises(PromptError):
        verify(claim_file(tmp_path), net=net)
    with pytest.raises(ClaimFileError, match="A seed is for prompts of a generator"):
        verify(claim_file(tmp_path), net=net, seed=3)


def test_memory_that_runs_out_halves_the_batch_and_is_told(
    net: LiftedNetwork, folder: Path
) -> None:
    file = claim_file(folder)
    expected = verify(file, net=net)
    hook = batches_above(net, 3)
    try:
        report = verify(file, net=taken_as_it_is(net))
    finally:
        hook.remove()
    assert report.cost.batch_size == 2 and report.cost.halvings == 2
    assert any("halved 2 times" in note for note in report.notes)
    for ours, theirs in zip(report.results, expected.results, strict=True):
        assert ours.decision.verdict is theirs.decision.verdict
        assert ours.decision.estimate == pytest.approx(theirs.decision.estimate, abs=1e-10)
    hook = batches_above(net, 0)
    try:
        with pytest.raises(OutOfMemoryError):
            verify(file, net=taken_as_it_is(net))
    finally:
        hook.remove()


def test_infinite_activations_are_named(folder: Path) -> None:
    broken = small_net()
    with torch.no_grad():
        weights = dict(broken.model.module.named_parameters())
        weights["model.layers.1.mlp.down_proj.weight"][0, 0] = float("nan")
    with pytest.raises(NumericalError, match=r"L1\.mlp"):
        verify(claim_file(folder), net=taken_as_it_is(broken))
