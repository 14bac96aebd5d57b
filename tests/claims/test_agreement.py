from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import pearsonr, spearmanr

from causalnet.claims import explain_claims, verify
from causalnet.claims.prompts import finding_pairs
from causalnet.claims.prompts import testing_pairs as pairs_of
from causalnet.effects import counterfactual
from causalnet.errors import ClaimFileError
from causalnet.faithfulness import CircuitScorer, EdgeCircuitScorer, Member, Regime, Wanted
from causalnet.interventions import READOUTS, logit_diff
from causalnet.lift import LiftedNetwork
from causalnet.statistics import Reason, Verdict
from tests.claims.small_case import claim_file, small_net, write_pairs
from tests.claims.written import about, known

CIRCUIT = ["L0.H0", "L0.H1", "L1.H0", "L1.H2", "L1.H3"]
TASK = {"task": {"file": "pairs.jsonl", "n": 40}}
FOUND = {"method": "by hand", "task": {"file": "found.jsonl", "n": 12}}


@pytest.fixture(scope="module")
def net() -> LiftedNetwork:
    return small_net()


@pytest.fixture(scope="module")
def folder(net: LiftedNetwork, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("agreement")
    write_pairs(path / "pairs.jsonl", net, 40)
    write_pairs(path / "found.jsonl", net, 12, seed=9)
    return path


def agreement(measure: str, **options: Any) -> dict[str, Any]:
    return {
        "id": f"{measure}-{len(options)}",
        "kind": "agreement",
        "statement": "It agrees.",
        "measure": measure,
        **options,
    }


@pytest.mark.parametrize("direction", ["noising", "denoising"])
def test_numbers_are_those_of_the_scores(direction: Any, net: LiftedNetwork, folder: Path) -> None:
    """Oracle: the scorer's own columns, on the prompts each used; scipy for correlations."""
    claims = [
        agreement("per_item", tolerance=0.5, at_least=0.5),
        agreement("top1", at_least=0.5),
        agreement("kl", at_most=0.5),
        agreement("kl_recovered", at_least=0.5),
        agreement("correlation", at_least=0.5),
        agreement("rank_correlation", at_least=0.5),
    ]
    file = claim_file(folder, claims=claims, direction=direction, **TASK)
    report = verify(file, net=net)
    pairs = pairs_of(file, net.model.tokenizer)
    scorer = CircuitScorer(net, logit_diff, counterfactual(), net.heads(), direction=direction)
    circuit: tuple[Member, ...] = tuple(map(net.graph.find, CIRCUIT))
    kept = (Regime.KEPT, circuit)
    kl, top1 = READOUTS["kl"], READOUTS["top1_agreement"]
    wanted: list[Wanted] = [
        (Regime.MODEL, ()),
        kept,
        (*kept, top1),
        (*kept, kl),
        (Regime.EMPTY, (), kl),
    ]
    model, alone, tops, divergence, emptied = (
        scorer.read(pairs, wanted).values[one] for one in wanted
    )

    def used(index: int, values: Any) -> float:
        return float(values[: report.results[index].decision.n].mean())

    def correlated(index: int, by: Any) -> float:
        n = report.results[index].decision.n
        return float(by(model[:n], alone[:n]).statistic)

    numbers = (
        used(0, np.abs(alone - model) <= 0.5),
        used(1, tops),
        used(2, divergence),
        1 - used(3, divergence) / used(3, emptied),
        correlated(4, pearsonr),
        correlated(5, spearmanr),
    )
    for result, number in zip(report.results, numbers, strict=True):
        assert result.decision.estimate == pytest.approx(number, abs=1e-9)
    assert [result.unit for result in report.results] == ["", "", "nats", "", "", ""]
    assert report.results[2].readout_unit == "nats"
    exact = [result.conventions["alpha"].endswith("exact") for result in report.results]
    assert exact == [True] * 2 + [False] * 4


def test_a_share_of_the_behaviour_is_measured_on_the_finding_prompts(
    net: LiftedNetwork, folder: Path
) -> None:
    """Oracle: the scorer on those prompts; a tolerance of the test prompts is another."""
    claim = agreement("per_item", epsilon=0.25, at_least=0.9)
    file = claim_file(folder, claims=[claim], found=FOUND, **TASK)
    (result,) = verify(file, net=net).results
    tokenizer = net.model.tokenizer
    tested = pairs_of(file, tokenizer)
    found = finding_pairs(file, tokenizer, tested)
    scorer = CircuitScorer(net, logit_diff, counterfactual(), net.heads())

    def behaviour(pairs: Any) -> float:
        scores = scorer.score(pairs, (net.heads()[0],))
        return float((scores.model - scores.empty).mean())

    assert result.evidence["tolerance"] == pytest.approx(0.25 * abs(behaviour(found)), rel=1e-9)
    assert result.evidence["tolerance"] != pytest.approx(0.25 * abs(behaviour(tested)), rel=1e-3)


@pytest.mark.parametrize("changes", [{}, {"readout": "loss"}, {"direction": "denoising"}])
def test_forwards_are_counted_before(
    changes: dict[str, Any], net: LiftedNetwork, folder: Path
) -> None:
    """Oracle: what a verification on too few prompts to settle runs."""
    claims = [
        agreement("per_item", epsilon=0.5, at_least=0.45),
        agreement("top1", at_least=0.5, margin=0.0001),
        agreement("kl", within=[0.00001, 50.0]),
    ]
    short = {"task": {"file": "pairs.jsonl", "n": 6}, "found": FOUND}
    file = claim_file(folder, claims=claims, **short, **changes)
    plan, report = explain_claims(file, net=net), verify(file, net=net)
    assert report.cost.forwards == plan.most == plan.fewest
    assert "share of prompts with |circuit alone - model|" in str(plan)


def test_edges_are_read_by_their_own_readouts(net: LiftedNetwork, folder: Path) -> None:
    """Oracle: the scorer of edges."""
    edges = ["embed -> L0.KV0.v", "embed -> L0.H1.q", "L0.H1 -> logits", "L1.H2 -> logits"]
    claims = [agreement("kl", at_most=0.5), agreement("kl_recovered", at_least=0.5)]
    ablation = {"kind": "counterfactual", "ablate": "edges"}
    file = claim_file(folder, claims=claims, circuit=edges, ablation=ablation, **TASK)
    report = verify(file, net=net)
    scorer = EdgeCircuitScorer(net, READOUTS["kl"], counterfactual())
    pairs = pairs_of(file, net.model.tokenizer)
    chosen = tuple(edge for edge in scorer.universe if str(edge) in edges)
    scores = scorer.score(pairs, chosen)
    n = report.results[0].decision.n
    assert report.results[0].decision.estimate == pytest.approx(scores.kept[:n].mean(), abs=1e-9)
    n = report.results[1].decision.n
    share = 1 - scores.kept[:n].mean() / scores.empty[:n].mean()
    assert report.results[1].decision.estimate == pytest.approx(share, abs=1e-9)


def test_on_average_right_is_not_right_on_every_prompt(tmp_path: Path) -> None:
    """The soft network's true circuit agrees on every prompt, its first head on none."""
    name = "indirect_object_soft"
    wrong = {"circuit": ["L0.H0"]}
    claims = [
        agreement("per_item", epsilon=0.1, at_least=0.8),
        agreement("top1", at_least=0.8),
        agreement("kl_recovered", at_least=0.8),
        agreement("per_item", epsilon=0.1, at_least=0.8, **wrong),
        agreement("top1", at_least=0.8, **wrong),
        agreement("kl_recovered", at_least=0.8, **wrong),
    ]
    report = verify(known(tmp_path, name, ["L0.H0", "L1.H0", "L2.H0"], claims, n=48))
    verdicts = [result.decision.verdict for result in report.results]
    assert verdicts == [Verdict.SUPPORTED] * 3 + [Verdict.REFUTED] * 3


def test_without_a_behaviour_a_share_of_it_is_undefined(tmp_path: Path) -> None:
    """Base and source are equal at the first name, so that setting it there changes nothing."""
    claims = [agreement("per_item", epsilon=0.1, at_least=0.8)]
    ablation = {"kind": "counterfactual", "at": ["S1"]}
    file = known(tmp_path, "indirect_object", ["L0.H0"], claims, n=16, ablation=ablation)
    (result,) = verify(file).results
    assert result.decision.verdict is Verdict.UNDEFINED
    assert result.decision.reason is Reason.BEHAVIOUR_ABSENT


@pytest.mark.parametrize(
    ("claim", "message"),
    [
        ({"measure": "per_item", "at_least": 0.9}, "Neither 'tolerance' nor 'epsilon'"),
        ({"measure": "kl", "at_most": 0.9, "epsilon": 0.1}, "It is for 'measure: per_item'"),
        ({"measure": "top1", "at_least": 1.0}, "no number of prompts shows an end"),
        ({"measure": "kl", "at_most": 0.0}, "above 0"),
        ({"measure": "kl_recovered", "at_least": 1.5}, "below 1"),
        (
            {"measure": "per_item", "tolerance": 1.0, "epsilon": 0.1, "at_least": 0.9},
            "Both 'tolerance' and 'epsilon'",
        ),
    ],
)
def test_contradictions_are_refused(claim: dict[str, Any], message: str, tmp_path: Path) -> None:
    content = {"id": "a", "kind": "agreement", "statement": "It agrees.", **claim}
    with pytest.raises(ClaimFileError, match=message):
        about(tmp_path, [content])
