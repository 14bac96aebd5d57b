"""Claims about single members and all mediators: `minimal` and `sweep`."""

import pytest

from causalnet.claims import ClaimFile, verify
from causalnet.errors import ClaimFileError
from causalnet.statistics import Reason, Verdict
from tests.claims.known_case import CIRCUIT, DUPLICATE, JUNK, MOVER, known_file, known_net


def test_every_member_of_the_true_circuit_matters() -> None:
    [result] = verify(known_file({"kind": "minimal", "effect": 0.2}), net=known_net()).results
    assert result.decision.verdict is Verdict.SUPPORTED
    rows = result.evidence["members"]
    assert [row["member"] for row in rows] == list(CIRCUIT)
    assert all(row["effect"] > 0.99 and row["is_shown"] for row in rows)


def test_a_member_that_does_nothing_refutes_and_is_named() -> None:
    claim = {"kind": "minimal", "effect": 0.2, "circuit": [*CIRCUIT, JUNK]}
    [result] = verify(known_file(claim, n=512), net=known_net()).results
    assert result.decision.verdict is Verdict.REFUTED
    assert result.evidence["redundant"] == [JUNK]
    assert result.decision.sentence.startswith(f"{JUNK} moved the circuit by less than 0.2")


def test_prompts_that_are_too_few_decide_nothing_about_members() -> None:
    claim = {"kind": "minimal", "effect": 0.2, "circuit": [*CIRCUIT, JUNK]}
    [result] = verify(known_file(claim, n=32), net=known_net()).results
    assert result.decision.verdict is Verdict.INCONCLUSIVE
    assert result.decision.reason is Reason.TOO_FEW_PROMPTS and JUNK in result.decision.sentence


def test_backups_matter_only_where_the_rest_of_their_class_is_out() -> None:
    """Oracle: the network's own construction, a backup that wakes when the mover is gone."""
    name = "indirect_object_backup_negative"
    net = known_net(name)
    movers = [str(head) for head in net.heads() if str(head) in ("L2.H0", "L3.H0")]
    classes = {"movers": movers}
    circuit = ["L0.H0", "L1.H0", *movers]
    alone = {"kind": "minimal", "effect": 0.2, "circuit": circuit}
    both = alone | {"contexts": ["alone", "class"], "classes": classes}
    found = {}
    for key, claim in (("alone", alone), ("both", both)):
        [result] = verify(known_file(claim, n=512, name=name), net=net).results
        found[key] = result
    assert found["alone"].decision.verdict is Verdict.REFUTED
    assert set(found["alone"].evidence["redundant"]) <= set(movers)
    assert found["both"].decision.verdict is Verdict.SUPPORTED


def test_a_sweep_finds_the_circuit_among_all_heads_at_once() -> None:
    [result] = verify(known_file({"kind": "sweep", "effect": 0.2}), net=known_net()).results
    assert result.decision.verdict is Verdict.SUPPORTED
    assert result.evidence["discovered_fwer"] == list(CIRCUIT)
    assert set(CIRCUIT) <= set(result.evidence["discovered_fdr"])


def test_a_sweep_refutes_a_member_that_does_nothing() -> None:
    claim = {"kind": "sweep", "effect": 0.2, "circuit": [MOVER, JUNK]}
    [result] = verify(known_file(claim, n=512), net=known_net()).results
    assert result.decision.verdict is Verdict.REFUTED and JUNK in result.decision.sentence
    assert DUPLICATE in result.decision.sentence  # what else was found


def test_classes_name_members_of_the_circuit() -> None:
    claim = {"kind": "minimal", "contexts": ["class"], "classes": {"movers": [JUNK]}}
    file: ClaimFile = known_file(claim)
    with pytest.raises(ClaimFileError, match="not in the circuit"):
        verify(file, net=known_net())
