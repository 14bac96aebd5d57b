from pathlib import Path
from typing import Any

import pytest

from causalnet.claims import explain_claims, verify
from causalnet.claims.prompts import testing_pairs as pairs_of
from causalnet.effects import counterfactual
from causalnet.faithfulness import CircuitScorer, Regime
from causalnet.interventions import logit_diff
from causalnet.lift import LiftedNetwork
from causalnet.statistics import Reason, Verdict
from tests.claims.small_case import claim_file, small_net, write_pairs
from tests.claims.written import known

MOVER, BACKUP, NEGATIVE = "L2.H0", "L3.H0", "L3.H1"
NAME = "indirect_object_backup_negative"
FOUND = {"method": "by hand", "task": {"file": "found.jsonl", "n": 12}}


@pytest.fixture(scope="module")
def net() -> LiftedNetwork:
    return small_net()


@pytest.fixture(scope="module")
def folder(net: LiftedNetwork, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("backups")
    write_pairs(path / "pairs.jsonl", net, 48)
    write_pairs(path / "found.jsonl", net, 12, seed=9)
    return path


def no_backups(**options: Any) -> dict[str, Any]:
    claim = {"id": "alone", "kind": "no_backups", "statement": "Nothing takes over."}
    return {**claim, "at_most": 0.3, **options}


def test_the_mover_has_a_backup_and_both_have_none(tmp_path: Path) -> None:
    """The backup of this network reads a flag that the mover writes; the early heads do not."""
    claims = [no_backups(circuit=[MOVER]), no_backups(circuit=[MOVER, BACKUP])]
    file = known(tmp_path, NAME, [MOVER], claims, n=160, range=[-5, 15])
    alone, both = verify(file).results
    assert alone.decision.verdict is Verdict.REFUTED
    assert alone.decision.sentence.startswith(f"{BACKUP} takes over")
    beyond = [one["name"] for one in alone.evidence["candidates"] if one["is_beyond"]]
    assert beyond == [BACKUP]
    assert both.decision.verdict is Verdict.SUPPORTED
    assert "12 units" not in both.decision.sentence and "Of 11 units" in both.decision.sentence
    assert both.decision.estimate == pytest.approx(0.0, abs=1e-6)


def test_a_head_upstream_is_no_backup(tmp_path: Path) -> None:
    """Its effect is as large before the mover is gone: that of the duplicate and inhibition."""
    file = known(tmp_path, NAME, [MOVER], [no_backups(candidates=12)], n=48, range=[-5, 15])
    (result,) = verify(file).results
    rows = {one["name"]: one for one in result.evidence["largest_on_finding_prompts"]}
    for name in ("L0.H0", "L1.H0"):
        assert rows[name]["effect_without_circuit"] > 5 and rows[name]["effect_in_model"] > 5
    assert result.decision.sentence.startswith(f"{BACKUP} takes over")
    assert "so do" not in result.decision.sentence


def test_takeovers_are_those_of_the_scores(net: LiftedNetwork, folder: Path) -> None:
    """Oracle: five runs of the scorer on the prompts that were used."""
    circuit = ["L0.H0", "L1.H2"]
    claim = no_backups(candidates=2, circuit=circuit)
    file = claim_file(folder, claims=[claim], found=FOUND)
    (result,) = verify(file, net=net).results
    pairs = pairs_of(file, net.model.tokenizer).rows(range(result.decision.n))
    scorer = CircuitScorer(net, logit_diff, counterfactual(), net.heads())
    members = tuple(map(net.graph.find, circuit))

    def mean(regime: Regime, nodes: Any) -> float:
        return float(scorer.read(pairs, [(regime, nodes)]).values[regime, nodes].mean())

    model, empty = mean(Regime.MODEL, ()), mean(Regime.EMPTY, ())
    gone = mean(Regime.KNOCKED_OUT, members)
    for row in result.evidence["candidates"]:
        unit = net.graph.find(row["name"])
        after = gone - mean(Regime.KNOCKED_OUT, (*members, unit))
        before = model - mean(Regime.KNOCKED_OUT, (unit,))
        share = (after - before) / (model - empty)
        assert row["estimate"] == pytest.approx(share, abs=1e-9)
    assert result.evidence["screened"] == 6


@pytest.mark.parametrize("changes", [{}, {"direction": "denoising"}])
def test_the_screening_is_counted_before(
    changes: dict[str, Any], net: LiftedNetwork, folder: Path
) -> None:
    """Oracle: what a verification on too few prompts to settle runs."""
    short = {"task": {"file": "pairs.jsonl", "n": 20}, "found": FOUND}
    for options in ({}, {"prompts": 6, "candidates": 2}):
        claim = no_backups(circuit=["L0.H0", "L1.H2"], **options)
        file = claim_file(folder, claims=[claim], **short, **changes)
        plan, report = explain_claims(file, net=net), verify(file, net=net)
        assert report.cost.forwards <= plan.most == plan.fewest  # screened in waves


def test_without_a_behaviour_there_is_nothing_to_take_over(tmp_path: Path) -> None:
    """Base and source are equal at the first name, so that setting it there changes nothing."""
    ablation = {"kind": "counterfactual", "at": ["S1"]}
    claims = [no_backups()]
    file = known(tmp_path, NAME, [MOVER], claims, n=48, ablation=ablation, range=[-5, 15])
    (result,) = verify(file).results
    assert result.decision.verdict is Verdict.UNDEFINED
    assert result.decision.reason in (Reason.BEHAVIOUR_ABSENT, Reason.DENOMINATOR_UNCLEAR)
