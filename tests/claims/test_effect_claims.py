"""Claims about an effect, written as a query in the language of terms."""

from pathlib import Path
from typing import Any

import pytest

from causalnet.claims import explain_claims, verify
from causalnet.claims.prompts import testing_pairs as pairs_of
from causalnet.effects import run
from causalnet.errors import ClaimFileError
from causalnet.interventions import nie, parse_query
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
    """Oracle: the same query run by itself on the prompts that the verdict used."""
    file = claim_file(folder, claims=[effect(query, at_least=1000.0)])
    report, plan = verify(file, net=net), explain_claims(file, net=net)
    [result] = report.results
    assert result.decision.verdict is Verdict.REFUTED and report.exit_status == 1
    pairs = pairs_of(file, net.model.tokenizer).rows(range(result.decision.n))
    table = run(parse_query(query, net.graph), net, pairs)
    assert result.decision.estimate == pytest.approx(table[table.rows[0]].mean, abs=1e-10)
    assert report.cost.forwards == plan.fewest
    assert query in result.conventions["number"]


def test_a_true_effect_is_supported_in_its_unit(net: LiftedNetwork, folder: Path) -> None:
    file = claim_file(folder, claims=[effect("te()", at_most=-0.5)])
    report = verify(file, net=net)
    [result] = report.results
    assert result.decision.verdict is Verdict.SUPPORTED
    assert "The mean TE of TE" in result.why and result.readout_unit == "logits"


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
