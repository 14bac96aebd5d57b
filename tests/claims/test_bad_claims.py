"""What a claim file can have wrong: a clear error or an honest verdict, never an empty number."""

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from causalnet.claims import verify
from causalnet.errors import AlignmentError, ClaimFileError
from causalnet.lift import LiftedNetwork
from causalnet.statistics import Reason, Verdict
from tests.claims.known_case import known_file, known_net
from tests.claims.small_case import claim_file, small_net, write_pairs

FAITHFUL = {"kind": "faithful", "at_least": 0.8}
EDGES: dict[str, Any] = {"ablation": {"kind": "zero", "ablate": "edges"}}


@pytest.fixture(scope="module")
def net() -> LiftedNetwork:
    return small_net()


@pytest.fixture
def folder(tmp_path: Path, net: LiftedNetwork) -> Path:
    write_pairs(tmp_path / "pairs.jsonl", net, 40)
    return tmp_path


def test_a_circuit_without_a_path_keeps_nothing_and_is_noted() -> None:
    """Oracle: nothing gets through, so that the share is 0."""
    circuit = ["embed -> L0.H0.v", "L1.H0 -> logits"]
    report = verify(known_file(FAITHFUL, circuit=circuit, **EDGES), net=known_net())
    [result], [note] = report.results, [one for one in report.notes if "disconnected" in one]
    assert result.decision.verdict is Verdict.REFUTED and result.decision.estimate == 0.0
    assert "2 of 2 edges lie on no path" in note and "They can change nothing" in note


def test_edges_on_no_path_are_noted() -> None:
    circuit = ["embed -> L2.H0.v", "L2.H0 -> logits", "L1.H1 -> L2.H0.q"]
    report = verify(known_file(FAITHFUL, n=32, circuit=circuit, **EDGES), net=known_net())
    [note] = [note for note in report.notes if "no path" in note]
    assert "L1.H1 -> L2.H0.q" in note


def test_an_empty_circuit_is_refused() -> None:
    with pytest.raises(ValidationError, match="at least 1 item"):
        known_file(FAITHFUL, circuit=[])


def test_the_whole_model_is_refused() -> None:
    every = [str(head) for head in known_net().heads()]
    with pytest.raises(ClaimFileError, match="every such claim is true"):
        verify(known_file(FAITHFUL, circuit=every), net=known_net())


def test_a_behaviour_that_is_not_there_is_undefined_with_its_figure() -> None:
    """Oracle: no head of the circuit writes at the first subject, so that nothing changes."""
    missing = known_file(FAITHFUL, n=64, circuit=["L0.H1"], ablation={"kind": "zero", "at": ["S1"]})
    [result] = verify(missing, net=known_net()).results
    assert result.decision.verdict is Verdict.UNDEFINED
    assert "is 0" in result.decision.sentence


@pytest.mark.parametrize(
    ("claim", "message"),
    [
        ({"kind": "faithful", "at_least": 0.9, "at_most": 0.5}, "Both 'at_least' and 'at_most'"),
        ({"kind": "faithful", "within": [1.1, 0.9]}, "contradicts itself"),
        ({"kind": "faithful", "within": [0.9, 1.1], "margin": 0.2}, "leaves nothing of the band"),
        ({"kind": "faithful"}, "Missing key"),
        ({"kind": "faithful", "at_least": 80.0}, "80 %"),
        (
            {"kind": "better_than_random", "min_circuits": 50, "max_circuits": 20},
            "At least 50 random circuits, and at most 20",
        ),
        ({"kind": "minimal", "contexts": ["class"]}, "without classes"),
        ({"kind": "faithful", "at_least": 0.9, "model": {"source": "other"}}, "a model of its own"),
        (
            {
                "kind": "specific",
                "at_least": 2.0,
                "controls": [{"name": "known:indirect_object", "n": 9, "seed": 1}],
            },
            "The control task is the task itself",
        ),
        (
            {"kind": "robust", "at_least": 0.5, "under": [{"ablation": "mean"}]},
            "'robust' with 'robustness: {skip: true}'",
        ),
    ],
)
def test_claims_that_contradict_themselves(claim: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        known_file(claim)


def test_too_few_prompts_say_how_many_are_needed() -> None:
    report = verify(known_file(FAITHFUL, n=8, range=None), net=known_net())
    [result] = report.results
    assert result.decision.reason is Reason.TOO_FEW_PROMPTS
    assert "8 prompts are too few: the sequence starts after 32" in result.decision.sentence


def test_a_pair_that_is_there_twice_is_refused(folder: Path, net: LiftedNetwork) -> None:
    path = folder / "pairs.jsonl"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines, lines[2], lines[5]]) + "\n")
    with pytest.raises(ClaimFileError, match=r"Pair 41 of 'pairs.jsonl' .* 1 more.*Delete"):
        verify(claim_file(folder), net=net)


def test_prompts_that_found_the_circuit_support_nothing(folder: Path, net: LiftedNetwork) -> None:
    found = {"method": "by hand", "task": {"file": "pairs.jsonl", "n": 3}}
    claims = [{"id": "f", "kind": "faithful", "statement": "s", "at_least": 0.0}]
    [result] = verify(claim_file(folder, found=found, claims=claims), net=net).results
    assert result.decision.reason is Reason.FIND_TEST_OVERLAP
    assert "3 of the 40 test prompts" in result.decision.sentence


def test_pairs_that_are_turned_found_the_circuit_too(folder: Path, net: LiftedNetwork) -> None:
    rows = [json.loads(line) for line in (folder / "pairs.jsonl").read_text().splitlines()]
    turned = [
        {
            "base_ids": row["source_ids"],
            "source_ids": row["base_ids"],
            "answer_ids": row["foil_ids"],
            "foil_ids": row["answer_ids"],
        }
        for row in rows[:2]
    ]
    text = "\n".join(map(json.dumps, turned))
    (folder / "turned.jsonl").write_text(f"{text}\n")
    found = {"method": "by hand", "task": {"file": "turned.jsonl"}}
    claims = [{"id": "f", "kind": "faithful", "statement": "s", "at_least": 0.0}]
    [result] = verify(claim_file(folder, found=found, claims=claims), net=net).results
    assert "2 of the 40 test prompts" in result.decision.sentence


def test_a_reference_set_of_another_length_is_refused(folder: Path, net: LiftedNetwork) -> None:
    rows = [json.loads(line) for line in (folder / "pairs.jsonl").read_text().splitlines()]
    for row in rows:
        row["base_ids"], row["source_ids"] = row["base_ids"][:-1], row["source_ids"][:-1]
    text = "\n".join(map(json.dumps, rows))
    (folder / "shorter.jsonl").write_text(f"{text}\n")
    reference = {"file": "shorter.jsonl"}
    ablation = {"kind": "mean_per_position", "ablate": "heads_and_mlps", "reference": reference}
    with pytest.raises(AlignmentError, match="length"):
        verify(claim_file(folder, ablation=ablation), net=net)
