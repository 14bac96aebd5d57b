"""Claims about control tasks and about several conventions: `specific`, `selective`, `robust`."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from causalnet.claims import ClaimResult, verify
from causalnet.faithfulness import Regime
from causalnet.lift import LiftedNetwork
from causalnet.statistics import Reason, Verdict
from causalnet.tasks import read_pairs
from tests.claims.known_case import CIRCUIT, JUNK, known_file, known_net
from tests.claims.small_case import claim_file, small_net, write_pairs


@pytest.fixture(scope="module")
def net() -> LiftedNetwork:
    return small_net()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, net: LiftedNetwork) -> Path:
    """A task, and another one with prompts of its own."""
    path = tmp_path_factory.mktemp("controls")
    write_pairs(path / "pairs.jsonl", net, 48)
    write_pairs(path / "control.jsonl", net, 48, seed=7)
    return path


def result(net: LiftedNetwork, folder: Path, **claim: Any) -> ClaimResult:
    """Verify one claim with a control task."""
    plain = {"id": "c", "statement": "s", "controls": [{"file": "control.jsonl"}], **claim}
    return verify(claim_file(folder, claims=[plain]), net=net)["c"]


def necessity(net: LiftedNetwork, path: Path, found: ClaimResult, folder: Path) -> float:
    """The circuit's necessity for a task, by a scorer of its own."""
    from causalnet.claims.circuits import universe
    from causalnet.claims.measuring import scorer_of

    file = claim_file(folder)
    known = universe(file, net.graph)
    pairs = read_pairs(path, net.model.tokenizer)
    scorer = scorer_of(file, net, tuple(known.values()), None, 0)
    circuit = tuple(known[name] for name in found.circuit)
    parts = scorer.read(pairs, [(part, circuit) for part in Regime]).values
    model, empty, without = (
        parts[part, circuit] for part in (Regime.MODEL, Regime.EMPTY, Regime.KNOCKED_OUT)
    )
    return float((model - without).mean() / (model - empty).mean())


def test_the_comparison_is_that_of_the_two_tasks_apart(net: LiftedNetwork, folder: Path) -> None:
    found = result(net, folder, kind="selective", at_least=5.0)
    task, control = found.evidence["necessity"]
    own = necessity(net, folder / "pairs.jsonl", found, folder)
    other = necessity(net, folder / "control.jsonl", found, folder)
    n = found.decision.n
    assert found.decision.verdict is Verdict.REFUTED and n in (32, 48)
    if n == 48:
        assert np.allclose([task["share"], control["share"]], [own, other])
    assert found.decision.estimate == pytest.approx(task["share"] - abs(control["share"]))


@pytest.mark.parametrize(
    ("kind", "at_least", "verdict"),
    [
        ("selective", -5.0, Verdict.SUPPORTED),
        ("selective", 5.0, Verdict.REFUTED),
        ("specific", 0.0, Verdict.SUPPORTED),
        ("specific", 100.0, Verdict.REFUTED),
    ],
)
def test_far_thresholds_are_decided(
    net: LiftedNetwork, folder: Path, kind: str, at_least: float, verdict: Verdict
) -> None:
    assert result(net, folder, kind=kind, at_least=at_least).decision.verdict is verdict


def test_a_share_under_every_convention(net: LiftedNetwork) -> None:
    """Oracle: by hand the circuit's share is 1 under each, and that of a junk head 0."""
    grid: dict[str, Any] = {"robustness": {"prompts": 16, "reference_sizes": [16]}}
    for circuit, verdict in ((CIRCUIT, Verdict.SUPPORTED), ((JUNK,), Verdict.REFUTED)):
        claim = {"kind": "robust", "at_least": 0.5, "circuit": list(circuit)}
        [found] = verify(known_file(claim, n=32, **grid), net=known_net()).results
        assert found.decision.verdict is verdict, found.decision.sentence
    assert "Refuted under" in found.decision.sentence


def test_conventions_that_are_left_out_decide_nothing(net: LiftedNetwork, folder: Path) -> None:
    claim = {"id": "r", "kind": "robust", "statement": "s", "at_least": 0.0}
    grid = {"prompts": 2, "conventions": [{"ablation": "counterfactual"}]}
    found = verify(claim_file(folder, claims=[claim], robustness=grid), net=net)["r"]
    assert found.decision.verdict in (Verdict.INCONCLUSIVE, Verdict.UNDEFINED)
    assert found.decision.reason in (Reason.TOO_FEW_PROMPTS, Reason.UNDERDETERMINED)
