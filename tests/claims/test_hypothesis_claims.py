"""Claims about high-level models, interpretations and predictions."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from causalnet.claims import ClaimFile, read_claims, verify
from causalnet.claims.source_text import SourceText
from causalnet.errors import ClaimFileError
from causalnet.statistics import Reason, Verdict
from tests.claims.known_case import DUPLICATE, JUNK, MOVER, known_file, known_net

INPUTS = {
    "first": {"token": ["IO", "S1"], "nth": 0},
    "second": {"token": ["IO", "S1"], "nth": 1},
    "third": {"token": "S2"},
}
OTHER = {"if": [{"equal": ["third", "first"]}, "second", "first"]}


def hypothesis(node: str, other: Any = OTHER, name: str = "the mover writes it") -> dict[str, Any]:
    """The other name lies in a node at the end and is the answer."""
    return {
        "name": name,
        "inputs": INPUTS,
        "variables": {"other": other, "answer": {"choose": [0, "other"]}},
        "output": "answer",
        "alignment": {"other": [node]},
        "at": "end",
    }


def claim(kind: str, **keys: Any) -> dict[str, Any]:
    """A claim about answers that are names."""
    return {"kind": kind, "pairs": 120, **keys}


def decided(plain: dict[str, Any], n: int = 48) -> Any:
    """Verify one claim."""
    [result] = verify(known_file(plain, n=n), net=known_net()).results
    return result


def test_the_movers_value_is_the_answer() -> None:
    found = decided(claim("abstracts", hypothesis=hypothesis(MOVER), at_least=0.8))
    assert found.decision.verdict is Verdict.SUPPORTED
    told = found.evidence["interchange_accuracy"]
    assert told["cause"]["estimate"] == 1.0 and told["isolate"]["estimate"] == 1.0
    assert {one["control"] for one in told["controls"]} >= {"no intervention", "shuffled source"}
    assert found.circuit == (MOVER,)


def test_another_node_does_not_hold_it() -> None:
    found = decided(claim("abstracts", hypothesis=hypothesis(JUNK), at_least=0.8))
    assert found.decision.verdict is Verdict.REFUTED
    assert found.evidence["interchange_accuracy"]["cause"]["estimate"] == 0.0


def test_the_better_of_two_hypotheses_is_told_where_they_differ() -> None:
    subject = {"if": [{"equal": ["third", "first"]}, "first", "second"]}
    last = hypothesis(MOVER, subject, "the mover writes the subject")
    plain = claim("prefers", hypothesis=hypothesis(MOVER), rival=last)
    assert decided(plain).decision.verdict is Verdict.SUPPORTED
    turned = claim("prefers", hypothesis=last, rival=hypothesis(MOVER))
    assert decided(turned).decision.verdict is Verdict.REFUTED


def test_rivals_that_predict_alike_are_underdetermined() -> None:
    same = hypothesis(MOVER, {"if": [{"equal": ["third", "second"]}, "first", "second"]}, "same")
    found = decided(claim("prefers", hypothesis=hypothesis(MOVER), rival=same))
    assert found.decision.verdict is Verdict.INCONCLUSIVE
    assert found.decision.reason is Reason.UNDERDETERMINED


def scrubbed(node: str, **keys: Any) -> dict[str, Any]:
    """The output needs one node alone, which is said to know the answer."""
    nodes = [
        {"name": "out", "mediators": ["logits"], "feature": "identity", "parents": ["node"]},
        {"name": "node", "mediators": [node], "feature": "answer", "at": ["end"]},
    ]
    return {"kind": "scrubbed", "at_least": 0.9, "interpretation": nodes, **keys}


@pytest.mark.parametrize("unimportant", ["jointly", "independently"])
def test_scrubbing_recovers_a_true_interpretation(unimportant: str) -> None:
    found = decided(scrubbed(MOVER, unimportant=unimportant))
    assert found.decision.verdict is Verdict.SUPPORTED
    assert found.decision.estimate == pytest.approx(1.0)


def test_scrubbing_refutes_a_false_one() -> None:
    assert decided(scrubbed(DUPLICATE)).decision.verdict is Verdict.REFUTED


def test_a_circuit_predicts_what_ablations_do() -> None:
    found = decided({"kind": "simulates", "at_least": 0.0}, n=96)
    assert found.decision.verdict is Verdict.SUPPORTED
    assert "approximation" in found.decision.sentence


def test_code_runs_only_where_it_is_allowed_and_has_its_hash(tmp_path: Path) -> None:
    code = tmp_path / "hypothesis.py"
    code.write_text(
        "from causalnet.abstraction import HighLevelModel\n\n"
        "def model():\n"
        "    def other(first, second, third):\n"
        "        return second if third == first else first\n\n"
        "    def answer(other):\n"
        "        return other\n\n"
        "    return HighLevelModel.of('coded', inputs=['first', 'second', 'third'],\n"
        "                             variables=[other, answer], output='answer')\n"
    )
    digest = hashlib.sha256(code.read_bytes()).hexdigest()
    spec = {
        "name": "coded", "inputs": INPUTS, "python": f"{code}:model", "sha256": digest,
        "alignment": {"other": [MOVER]}, "at": "end",
    }  # fmt: skip
    file: ClaimFile = known_file(claim("abstracts", hypothesis=spec, at_least=0.8), n=48)
    with pytest.raises(ClaimFileError, match="only where that is allowed"):
        verify(file, net=known_net())
    [result] = verify(file, net=known_net(), allow_code=True).results
    assert result.decision.verdict is Verdict.SUPPORTED
    code.write_text("def model(:\n")
    with pytest.raises(ClaimFileError, match="has the hash"):
        verify(file, net=known_net(), allow_code=True)
    spec["sha256"] = hashlib.sha256(code.read_bytes()).hexdigest()
    broken = known_file(claim("abstracts", hypothesis=spec, at_least=0.8), n=48)
    with pytest.raises(ClaimFileError, match=r"hypothesis.py fails: SyntaxError"):
        verify(broken, net=known_net(), allow_code=True)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"alignment": {"other": ["L2.H10"]}}, r"claims.json:\d+:\d+: Unknown mediator 'L2.H10'"),
        ({"inputs": INPUTS | {"first": {"token": "X"}}}, r"claims.json:\d+:\d+: .*'X'"),
    ],
)
def test_hypotheses_that_do_not_fit_are_placed(changes: dict[str, Any], message: str) -> None:
    plain = claim("abstracts", hypothesis=hypothesis(MOVER) | changes, at_least=0.8)
    content = known_file(plain, n=48).model_dump(mode="json", by_alias=True, exclude_none=True)
    file = read_claims(SourceText("claims.json", json.dumps(content, indent=1)))
    with pytest.raises(ClaimFileError, match=message):
        verify(file, net=known_net())


def test_rivals_have_names_of_their_own() -> None:
    same = hypothesis(MOVER)
    with pytest.raises(ValidationError, match="Both hypotheses are called"):
        known_file(claim("prefers", hypothesis=same, rival=same))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"output": None}, "Neither 'variables' nor 'python'"),
        ({"alignment": {"colour": [MOVER]}}, "'colour' is aligned"),
        ({"alignment": {}}, "No variable is aligned"),
        ({"python": "a.py:model"}, "without the other"),
        ({"output": "anser"}, "'anser' .* is not computed"),
        ({"variables": {"other": "answer", "answer": "other"}}, "in a circle"),
        ({"variables": {"other": "thrd", "answer": "other"}}, "'thrd'"),
    ],
)
def test_hypotheses_that_contradict_themselves(changes: dict[str, Any], message: str) -> None:
    spec = hypothesis(MOVER) | changes
    with pytest.raises(ValidationError, match=message):
        known_file(claim("abstracts", hypothesis=spec, at_least=0.8))
