from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from causalnet.claims import explain_claims, verify
from causalnet.claims.prompts import finding_pairs
from causalnet.claims.prompts import testing_pairs as pairs_of
from causalnet.claims.trials.stability import jaccard_of_pairs
from causalnet.effects import counterfactual
from causalnet.faithfulness import CircuitScorer
from causalnet.interventions import logit_diff
from causalnet.lift import LiftedNetwork
from causalnet.statistics import Reason, Verdict
from tests.claims.small_case import claim_file, small_net, write_pairs
from tests.claims.written import known

FOUND = {"method": "by hand", "task": {"file": "found.jsonl", "n": 12}}
SHORT = {"task": {"file": "pairs.jsonl", "n": 20}, "found": FOUND}


@pytest.fixture(scope="module")
def net() -> LiftedNetwork:
    return small_net()


@pytest.fixture(scope="module")
def folder(net: LiftedNetwork, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("stable")
    write_pairs(path / "pairs.jsonl", net, 20)
    write_pairs(path / "found.jsonl", net, 12, seed=9)
    return path


def stable(**options: Any) -> dict[str, Any]:
    return {"id": "again", "kind": "stable", "statement": "Found again.", **options}


@settings(max_examples=40, deadline=None)
@given(
    circuits=st.lists(
        st.lists(st.booleans(), min_size=6, max_size=6).filter(any), min_size=3, max_size=8
    )
)
def test_the_mean_of_pairs_and_its_jackknife(circuits: list[list[bool]]) -> None:
    """Oracle: every pair of sets by itself, and the mean without each circuit in turn."""
    sets = [frozenset(np.flatnonzero(one).tolist()) for one in circuits]

    def mean(of: list[frozenset[int]]) -> float:
        shares = [
            len(a & b) / len(a | b) for i, a in enumerate(of) for j, b in enumerate(of) if i < j
        ]
        return float(np.mean(shares))

    without = np.array([mean(sets[:i] + sets[i + 1 :]) for i in range(len(sets))])
    count = len(sets)
    error = np.sqrt((count - 1) / count * ((without - without.mean()) ** 2).sum())
    found = jaccard_of_pairs(np.array(circuits))
    assert found == pytest.approx((mean(sets), error), abs=1e-12)


def test_units_are_chosen_by_their_effects_on_the_finding_prompts(
    net: LiftedNetwork, folder: Path
) -> None:
    """Oracle: the scorer, one unit ablated at a time."""
    circuit = ["L0.H0", "L1.H0", "L1.H2"]
    file = claim_file(folder, claims=[stable()], circuit=circuit, **SHORT)
    (result,) = verify(file, net=net).results
    tokenizer = net.model.tokenizer
    found = finding_pairs(file, tokenizer, pairs_of(file, tokenizer))
    scorer = CircuitScorer(net, logit_diff, counterfactual(), net.heads())
    effects = {
        str(head): abs(float((scores.model - scores.knocked_out).mean()))
        for head in net.heads()
        for scores in [scorer.score(found, (head,))]
    }
    largest = sorted(effects, key=lambda name: -effects[name])[:3]
    assert set(result.evidence["chosen_on_all"]) == set(largest)
    shares = result.evidence["chosen_in_share_of_resamples"]
    assert sum(shares.values()) == pytest.approx(3.0)
    assert result.decision.interval is not None
    assert result.decision.interval.method == "bootstrap_jackknife"
    again = verify(file, net=net).results[0]
    assert again.decision == result.decision and again.evidence == result.evidence


def test_random_heads_are_not_found_again_and_written_ones_are(
    net: LiftedNetwork, folder: Path, tmp_path: Path
) -> None:
    """Heads of a random model differ by little; those of the written network by all or nothing."""
    name, circuit = "indirect_object", ["L0.H0", "L1.H0", "L2.H0"]
    (written,) = verify(known(tmp_path, name, circuit, [stable()], n=16)).results
    assert written.decision.verdict is Verdict.SUPPORTED
    assert set(written.evidence["chosen_on_all"]) == set(circuit)
    assert written.evidence["jaccard_with_circuit"] == 1.0
    file = claim_file(folder, claims=[stable(at_least=0.99)], circuit=["L0.H0", "L1.H0"], **SHORT)
    (drawn,) = verify(file, net=net).results
    assert drawn.decision.verdict is Verdict.REFUTED
    assert 0.0 < drawn.evidence["jaccard_of_chance"] < drawn.decision.estimate < 0.99
    assert "approximate" in drawn.decision.sentence


@pytest.mark.parametrize("changes", [{}, {"direction": "denoising"}])
def test_forwards_are_counted_before(
    changes: dict[str, Any], net: LiftedNetwork, folder: Path
) -> None:
    """Oracle: what a verification runs; no test prompt is."""
    file = claim_file(folder, claims=[stable()], **SHORT, **changes)
    plan, report = explain_claims(file, net=net), verify(file, net=net)
    assert report.cost.prompts == 0
    assert report.cost.forwards <= plan.most == plan.fewest  # in waves


def test_prompts_that_are_tested_elsewhere_may_find_it_again(
    net: LiftedNetwork, folder: Path
) -> None:
    """No test prompt decides the claim, so that none can be one too many."""
    both = {"task": {"file": "pairs.jsonl", "n": 8}}
    found = {"method": "by hand", "task": {"file": "pairs.jsonl", "n": 20}}
    claim = {"id": "c", "kind": "stable", "statement": "s", "at_least": 0.1, "resamples": 20}
    report = verify(claim_file(folder, claims=[claim], found=found, **both), net=net)
    assert report.provenance["overlap"] == 8
    assert report["c"].decision.reason is not Reason.FIND_TEST_OVERLAP
