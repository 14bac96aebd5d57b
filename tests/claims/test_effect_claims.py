"""Claims about an effect, written as a query in the language of terms."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from causalnet.claims import explain_claims, verify
from causalnet.claims.hearing import Hearing
from causalnet.claims.kinds import EffectClaim
from causalnet.claims.prompts import testing_pairs as pairs_of
from causalnet.claims.trials import Context
from causalnet.claims.trials.basic import EffectTrial
from causalnet.cli.verdict_text import verdict_lines
from causalnet.effects import run
from causalnet.errors import ClaimFileError
from causalnet.interventions import Apply, Base, Read, logit_diff, nie, parse_query
from causalnet.lift import LiftedNetwork
from causalnet.statistics import Reason, Verdict
from tests.claims.small_case import claim_file, small_net, write_pairs


@pytest.fixture(scope="module")
def net() -> LiftedNetwork:
    return small_net()


@pytest.fixture(scope="module")
def folder(net: LiftedNetwork, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("claims")
    write_pairs(path / "pairs.jsonl", net, 64)
    return path


def effect(query: str, **threshold: float) -> dict[str, Any]:
    return {"id": "effect", "kind": "effect", "statement": "So it is.", "query": query} | threshold


@pytest.mark.parametrize(
    "query",
    [
        "nie(L1.H0; at=end)",
        "nie(both: {L0.H1, L1.H2})",
        "attribution_patch(L0.mlp)",
        "logit_difference(<base> + {L0.H1 -> L1.mlp := L0.H1 in <source>}) "
        "- logit_difference(<base>)",
        "per_total_effect(nie(L0.mlp))",
    ],
)
def test_the_verdict_is_about_the_querys_own_table(
    query: str, net: LiftedNetwork, folder: Path
) -> None:
    """Oracle: the same query run by itself, by hooks as claims are, on the verdict's prompts."""
    file = claim_file(folder, claims=[effect(query, at_least=1000.0)])
    report, plan = verify(file, net=net), explain_claims(file, net=net)
    [result] = report.results
    assert result.decision.verdict is Verdict.REFUTED and report.exit_status == 1
    pairs = pairs_of(file, net.model.tokenizer).rows(range(result.decision.n))
    table = run(parse_query(query, net.graph), net, pairs, executor="hooks")
    assert result.decision.estimate == pytest.approx(table[table.rows[0]].mean, abs=1e-10)
    assert report.cost.forwards == plan.fewest
    assert query in result.conventions["number"]


def test_a_true_effect_is_supported_in_its_unit(net: LiftedNetwork, folder: Path) -> None:
    file = claim_file(folder, claims=[effect("te()", at_most=-0.5)])
    report = verify(file, net=net)
    [result] = report.results
    assert result.decision.verdict is Verdict.SUPPORTED
    assert "The mean TE is" in result.why and result.unit == "logits"


def test_what_is_judged_is_called_by_its_name_and_unit(net: LiftedNetwork, folder: Path) -> None:
    scalar = "logit_difference(<base> + {L1.H0 := 0}) - logit_difference(<base>)"
    claims = [
        {**effect("per_total_effect(nie(L0.mlp))", at_least=1000.0), "id": "share"},
        {**effect(scalar, at_least=1000.0), "id": "scalar"},
    ]
    file = claim_file(folder, claims=claims)
    report, plan = verify(file, net=net), explain_claims(file, net=net)
    share, term = report.results
    assert share.why.startswith("The mean NIE of L0.mlp per total effect is ")
    assert (share.unit, share.readout_unit) == ("of the total effect", "logits")
    assert "claimed ≥ 1000 of the total effect" in "\n".join(verdict_lines(report))
    assert term.why.startswith("The query's mean is ")
    said = plan.claims[0]
    assert (
        said.claims == "The mean NIE of L0.mlp per total effect at least 1000 of the total effect"
    )
    assert said.term[-1] == (
        "divided by the mean of logit_difference(<source>) - logit_difference(<base>)"
    )
    assert "circuit of" not in str(plan)


def test_a_batch_without_a_prompt_of_the_condition_decides_no_sign(
    net: LiftedNetwork, folder: Path
) -> None:
    """Oracle: the ratio of means, the divisor below zero, the first batch outside the condition."""
    query = parse_query("per_total_effect(nie(L0.mlp))", net.graph)
    event = Apply("positive", (Read(logit_diff, Base("base")),))
    file = claim_file(folder, claims=[effect("per_total_effect(nie(L0.mlp))", at_least=0.1)])
    [claim] = file.claims
    assert isinstance(claim, EffectClaim)
    hearing = Hearing(file, net, tuple(net.heads()), 0, None, lambda _: None)
    trial = EffectTrial(claim, Context(hearing, (), (0,), replace(query, given=event)))
    wanted = trial.wants()
    for hit in (0.0, 1.0, 1.0, 1.0, 1.0, 1.0):
        noise = np.linspace(-0.1, 0.1, 8)
        trial.take(
            dict(zip(wanted, (noise - 1.0, noise - 2.0, np.full(8, hit)), strict=True)), range(8)
        )
    decision = trial.decision()
    assert decision.verdict is Verdict.SUPPORTED and decision.estimate == pytest.approx(0.5)


def test_prompts_that_found_the_mediators_cannot_support_an_effect(
    net: LiftedNetwork, folder: Path
) -> None:
    claims = [effect("nie(embed)", at_most=-0.5)]
    found = {"method": "by hand", "task": {"file": "pairs.jsonl", "n": 3}}
    [result] = verify(claim_file(folder, claims=claims, found=found), net=net).results
    assert result.decision.reason is Reason.FIND_TEST_OVERLAP
    [result] = verify(claim_file(folder, claims=claims), net=net).results
    assert result.decision.verdict is Verdict.SUPPORTED and "given" in result.why


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("nie(L1.H9)", r"(?s)Unknown mediator 'L1.H9'.*heads 0..3"),
        ("nie(L1.H0, L1.H1)", "The query has 2 rows.*one number"),
        ("nie(L1.H0; at=)", "column 15"),
        ("nei(L1.H0)", "nei"),
        ("ablation_effect(L1.H0; ablation=mean)", "mean"),
        ("logit_difference(<base> + {L1.H0 -> L0.mlp := 0})", "no edge L1.H0 -> L0.mlp"),
    ],
)
def test_a_query_that_is_none_is_shown_with_its_place(
    query: str, message: str, net: LiftedNetwork, folder: Path
) -> None:
    file = claim_file(folder, claims=[effect(query, at_least=0.0)])
    for refuse in (lambda: verify(file, net=net), lambda: explain_claims(file, net=net)):
        with pytest.raises(ClaimFileError, match=message) as raised:
            refuse()
        assert "claims.json" in str(raised.value)


def test_the_same_table_comes_from_terms_and_from_text(net: LiftedNetwork, folder: Path) -> None:
    pairs = pairs_of(claim_file(folder), net.model.tokenizer).rows(range(4))
    text = parse_query("nie(L1.H0; at=3)", net.graph)
    assert (run(text, net, pairs).values == run(nie(net["L1.H0"], at=3), net, pairs).values).all()
