"""The fields of a report and its grades, computed from what was verified."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from causalnet.claims import ClaimResult, VerificationReport, verify
from causalnet.claims.grades import EvidenceItem, Grade, grade_of
from causalnet.claims.reporting import Reporting, reporting_of
from causalnet.claims.reporting_evidence import evidence_of, rerun_differences
from causalnet.claims.robustness_grid import Grid
from causalnet.lift import LiftedNetwork
from causalnet.statistics import Verdict
from tests.claims.small_case import claim_file, small_net, write_pairs

HEADS = ["L0.H0", "L0.H1", "L1.H0", "L1.H2", "L1.H3"]
ENOUGH = {"id": "enough", "kind": "faithful", "statement": "It is enough.", "at_least": 0.0}
NEEDED = {"id": "needed", "kind": "necessary", "statement": "It is needed.", "at_least": 0.0}
FALSE = {"id": "false", "kind": "faithful", "statement": "One is enough.", "at_least": 0.99,
         "circuit": ["L0.H2"]}  # fmt: skip
OWN = {"prompts": 32, "conventions": [{"ablation": "counterfactual", "direction": "noising"}]}


@pytest.fixture(scope="module")
def net() -> LiftedNetwork:
    return small_net()


@pytest.fixture(scope="module")
def folder(net: LiftedNetwork, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("reporting")
    write_pairs(path / "pairs.jsonl", net, 64)
    write_pairs(path / "others.jsonl", net, 8, seed=77)
    return path


def test_prompts_of_another_kind_are_a_second_distribution(report: VerificationReport) -> None:
    """The circuit was found on the rows of one file and tested on those of another."""
    known = evidence_of(report, HEADS)
    assert "others.jsonl" in known.found[EvidenceItem.SECOND_DISTRIBUTION]
    same = report.claim_file.found.model_copy(update={"task": report.claim_file.task})
    file = report.claim_file.model_copy(update={"found": same})
    lacking = evidence_of(replace(report, claim_file=file), HEADS).lacking
    assert "one kind" in lacking[EvidenceItem.SECOND_DISTRIBUTION]


def verified(net: LiftedNetwork, folder: Path, **changes: Any) -> VerificationReport:
    found = {"method": "by hand", "task": {"file": "others.jsonl"}}
    claims = [ENOUGH, NEEDED, FALSE]
    return verify(
        claim_file(folder, **{"found": found, "claims": claims, "robustness": OWN, **changes}),
        net=net,
    )


@pytest.fixture(scope="module")
def report(net: LiftedNetwork, folder: Path) -> VerificationReport:
    return verified(net, folder)


def decided(report: VerificationReport, claim: str, **changes: Any) -> VerificationReport:
    """The report with another decision for one claim."""
    results = tuple(
        replace(one, decision=replace(one.decision, **changes)) if one.claim.id == claim else one
        for one in report.results
    )
    return replace(report, results=results)


def everything(report: VerificationReport) -> VerificationReport:
    """The report with a supported claim for every kind of evidence that it lacks."""
    first: ClaimResult = report["enough"]
    kinds = ("better_than_random", "specific")
    more = tuple(
        replace(first, claim=first.claim.model_copy(update={"id": kind, "kind": kind}))
        for kind in kinds
    )
    return replace(report, results=(*report.results, *more), grid=doubled(report.grid))


def doubled(grid: Grid | None) -> Grid:
    """The grid with its own convention once more, as if it were another kind of ablation."""
    assert grid is not None
    (own,) = grid.conventions
    other = replace(own, name="zero", ablation="zero", is_own=False)
    numbers = tuple(replace(one, parts=(*one.parts, *one.parts)) for one in grid.numbers)
    return replace(grid, conventions=(own, other), numbers=numbers)


def grade(report: VerificationReport, again: VerificationReport | None = None) -> Grade:
    return grade_of(evidence_of(report, HEADS, again))


def test_every_field_has_a_value_or_says_why_not(report: VerificationReport) -> None:
    reporting = reporting_of(report)
    for group in reporting.groups:
        for one in group.fields:
            assert bool(one.value) != bool(one.not_done), (group.title, one)
    assert [group.title for group in reporting.groups] == [
        "Claim enough", "Claim needed", "Claim false",
        "Model", "Data", "Evidence", "Limits", "Compute",
    ]  # fmt: skip
    assert str(reporting["Model"]["licence"]).startswith("not done: ")
    assert "false REFUTED" in reporting["Limits"]["claims that failed"].value
    assert "5 of 8 mediators" in reporting["Claim enough"]["mediators searched"].value


def test_a_false_claim_comes_out_rejected(report: VerificationReport) -> None:
    graded = {one.circuit: one for one in reporting_of(report).circuits}
    assert graded["L0.H2",].grade is Grade.REJECTED
    assert graded["L0.H2",].claims == ("false",)
    assert graded[tuple(HEADS)].grade is not Grade.REJECTED


def test_the_whole_evidence_is_verified_and_each_lack_of_it_is_not(
    report: VerificationReport,
) -> None:
    whole = everything(report)
    assert {one.decision.verdict for one in whole.results if one.claim.id != "false"} == {
        Verdict.SUPPORTED
    }
    assert grade(whole, whole) is Grade.VERIFIED
    assert grade(whole) is Grade.TRIANGULATED  # no second run
    # Prompts that found the circuit, or may have, cannot verify it.
    for overlap in (3, None):
        found = replace(whole, provenance={**whole.provenance, "overlap": overlap})
        assert grade(found, found) is Grade.TRIANGULATED
    # An interval that is missing blocks the step of support.
    assert grade(decided(whole, "enough", interval=None), whole) is Grade.CAUSALLY_SUGGESTIVE
    # A second run with another number is no repetition.
    decision = whole["enough"].decision
    other = decided(whole, "enough", estimate=decision.estimate + 0.1)
    assert grade(whole, other) is Grade.TRIANGULATED
    assert rerun_differences(whole, other) == ("the numbers of enough differ",)
    assert rerun_differences(whole, whole) == ()


def test_evidence_comes_from_the_grid_where_no_claim_asks_for_it(
    net: LiftedNetwork, folder: Path
) -> None:
    alone = verified(net, folder, claims=[ENOUGH])
    known = evidence_of(alone, HEADS)
    assert "knocking it out takes" in known.found[EvidenceItem.NECESSITY]
    assert "no claim of kind better_than_random" in known.lacking[EvidenceItem.RANDOM_BASELINE]
    assert grade_of(known) is Grade.CAUSALLY_SUGGESTIVE
    skipped = verified(net, folder, claims=[ENOUGH], robustness={"skip": True, "reason": "to see"})
    assert grade_of(evidence_of(skipped, HEADS)) is Grade.PROPOSED
    reporting = reporting_of(skipped)
    assert reporting["Evidence"]["other conventions"].not_done == "to see"


def test_json_has_no_field_of_the_run(report: VerificationReport) -> None:
    plain = json.loads(json.dumps(reporting_of(report).to_json()))
    assert [group["title"] for group in plain["groups"]][-1] == "Limits"
    assert {one["grade"] for one in plain["circuits"]} >= {"rejected"}
    back = VerificationReport.from_json(json.loads(json.dumps(report.to_json())))
    assert reporting_of(back).to_json() == reporting_of(report).to_json()
    assert isinstance(reporting_of(back), Reporting)
