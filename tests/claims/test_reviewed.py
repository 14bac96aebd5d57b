"""Verdicts beside the intervals that give them, and read-outs that are averages over draws.

And numbers that JSON has none for.
"""

import json
import math

import pytest

from causalnet.claims import verify
from causalnet.statistics import Decision, Reason, Verdict
from tests.claims.known_case import CIRCUIT, JUNK, known_file, known_net


def test_a_member_that_refutes_has_the_interval_that_shows_it() -> None:
    """Oracle: the rule of verdicts; the interval for support, in the evidence, is wider here."""
    claim = {"kind": "minimal", "effect": 0.2, "circuit": [JUNK]}
    [result] = verify(known_file(claim, n=512, batch=2), net=known_net()).results
    decision = result.decision
    assert decision.verdict is Verdict.REFUTED and decision.interval is not None
    assert decision.interval.high <= 0.2
    assert result.evidence["members"][0]["interval"]["high"] > 0.2
    assert decision.trace[-1].high == decision.interval.high


@pytest.mark.parametrize("kind", ["resample", "noise"])
def test_agreement_of_the_first_choice_may_be_averaged_over_draws(kind: str) -> None:
    """Three draws give thirds, which are no yes or no: the mean is judged in [0, 1]."""
    source = {"name": "known:indirect_object", "n": 9, "seed": 8}
    ablation = {"kind": kind, "draws": 3} | ({"reference": source} if kind == "resample" else {})
    claim = {"kind": "agreement", "measure": "top1", "at_least": 0.5, "circuit": [*CIRCUIT, JUNK]}
    [result] = verify(known_file(claim, ablation=ablation), net=known_net()).results
    assert result.decision.verdict is Verdict.SUPPORTED
    half = claim | {"circuit": [JUNK], "at_least": 0.9}
    [result] = verify(known_file(half, ablation=ablation), net=known_net()).results
    assert result.decision.verdict is Verdict.REFUTED
    assert 0 < result.decision.estimate < 1


@pytest.mark.parametrize("number", [math.inf, -math.inf, math.nan])
def test_an_estimate_that_is_no_finite_number_is_null_in_json(number: float) -> None:
    """A share over a control's share of 0 is infinite."""
    decision = Decision(
        verdict=Verdict.INCONCLUSIVE,
        reason=Reason.TOO_FEW_PROMPTS,
        sentence="Nothing is below.",
        estimate=number,
        interval=None,
        threshold=3.0,
        direction="at_least",
        alpha=0.05,
        n=32,
    )
    plain = json.loads(json.dumps(decision.to_json(), allow_nan=False))
    assert plain["estimate"] is None and Decision.from_json(plain).to_json() == plain


def test_a_seed_that_replaces_the_file_s_leaves_prompts_to_search_on() -> None:
    """The file names no finding prompts: those of the next seed would be the test prompts."""
    claim = {"kind": "complete", "by": "adversarial", "epsilon": 0.2, "budget": 6}
    file = known_file(claim, n=32)  # its seed is 3
    for seed in (3, 4, 5):
        [result] = verify(file, net=known_net(), seed=seed).results
        assert result.evidence["sets_tried"] == 6


def test_conventions_that_the_budget_left_out_are_no_reason_to_give_up() -> None:
    """More prompts would not help there, but more budget would."""
    claim = {"kind": "robust", "share": "faithfulness", "at_least": 0.5}
    file = known_file(claim, n=32, robustness={})
    [result] = verify(file, net=known_net(), budget="1 forwards").results
    assert result.decision.verdict is Verdict.INCONCLUSIVE
    assert result.decision.reason is Reason.BUDGET
    assert "The budget ran out" in result.decision.sentence
