"""Claims about networks with silent nodes, positions apart, attention to later tokens."""

from pathlib import Path

import numpy as np
import pytest

from causalnet.claims import explain_claims, verify
from causalnet.claims.prompts import testing_pairs as pairs_of
from causalnet.cli.report_view import report_view
from causalnet.effects import counterfactual, run
from causalnet.errors import ClaimFileError
from causalnet.faithfulness import CircuitScorer
from causalnet.interventions import logit_diff, nie, parse_query
from causalnet.lift import LiftedNetwork, lift
from causalnet.models import load
from causalnet.report import write_html
from tests.claims.small_case import CLAIMS, WORDS, claim_file, write_pairs
from tests.claims.test_verification import RANDOM
from tests.small_models import small_transformer, word_tokenizer

QUERIES = (
    "nie(L1.H0; at=end)",
    "logit_difference(<base> + {embed -> L1.H0.q := embed in <source>}) - logit_difference(<base>)",
    "logit_difference(<base> + {pos_embed -> L0.H1.k := 0}) - logit_difference(<base>)",
)
CIRCUIT = ["L0.H0", "L0.H1", "L1.H0", "L1.H3"]


@pytest.fixture(scope="module", params=[True, False], ids=["causal", "encoder"])
def net(request: pytest.FixtureRequest) -> LiftedNetwork:
    module = small_transformer(causal=request.param, silent=("L0.H2", "L0.mlp", "L1.H1"))
    return lift(load(module, tokenizer=word_tokenizer(WORDS)))


@pytest.fixture(scope="module")
def folder(net: LiftedNetwork, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("claims")
    write_pairs(path / "pairs.jsonl", net, 64)
    return path


def test_every_kind_of_claim_is_decided_by_hooks(net: LiftedNetwork, folder: Path) -> None:
    """Oracles: the circuit scored by itself, and each query run by itself; to 1e-10."""
    effects = [
        {"id": f"effect{n}", "kind": "effect", "statement": "So.", "query": query, "at_least": 1e3}
        for n, query in enumerate(QUERIES)
    ]
    file = claim_file(folder, circuit=CIRCUIT, claims=[*CLAIMS, RANDOM, *effects])
    plan, report = explain_claims(file, net=net), verify(file, net=net, heatmap_pairs=4)
    assert plan.fewest <= report.cost.forwards <= plan.most
    assert report.provenance["executor"] == "hooks"
    pairs = pairs_of(file, net.model.tokenizer)
    scorer = CircuitScorer(net, logit_diff, counterfactual(), net.heads())
    scores = scorer.score(pairs, tuple(map(net.graph.find, CIRCUIT)))
    seen = slice(report["enough"].decision.n)
    whole = (scores.model - scores.empty)[seen].mean()
    assert report["enough"].decision.estimate == pytest.approx(
        (scores.kept - scores.empty)[seen].mean() / whole, abs=1e-10
    )
    for number, query in enumerate(QUERIES):
        decision = report[f"effect{number}"].decision
        table = run(parse_query(query, net.graph), net, pairs.rows(range(decision.n)))
        assert decision.estimate == pytest.approx(table[table.rows[0]].mean, abs=1e-10)
    assert report.effects is not None
    singles = run(nie(net.heads()), net, pairs.rows(range(4)))
    np.testing.assert_allclose(report.effects.values, singles.values, atol=1e-10)
    write_html(report_view(report), folder / "report.html")
    page = (folder / "report.html").read_text()
    assert "L1.H3:" in page and "L0.H2:" not in page  # a silent head has no cell


def test_a_silent_head_is_in_no_circuit(net: LiftedNetwork, folder: Path) -> None:
    with pytest.raises(ClaimFileError, match=r"names 'L0\.H2', which this model does not have"):
        verify(claim_file(folder, circuit=["L0.H2"]), net=net)
