"""`causalnet why`: on a known circuit that lacks one head, and on runs that cannot be."""

import json
from pathlib import Path
from typing import Any

import pytest

from causalnet.cli.door import run_command_line
from causalnet.cli.why_runs import _of_ledger as read_plain
from causalnet.store import Ledger

KNOWN = "known:indirect_object"
CLAIMS = [
    {"id": "task", "kind": "exists", "statement": "It does it.", "at_least": 0.5},
    {"id": "enough", "kind": "faithful", "statement": "It is enough.", "at_least": 0.9},
]
Output = pytest.CaptureFixture[str]


def write_claims(folder: Path, **changes: Any) -> Path:
    content = {
        "schema": 1,
        "title": "A circuit that lacks a head",
        "model": {"source": KNOWN},
        "task": {"name": KNOWN, "n": 48, "seed": 2},
        "circuit": ["L0.H0", "L2.H0", "L1.H1"],
        "found": {"method": "by hand", "task": {"name": KNOWN, "n": 12, "seed": 1}},
        "ablation": {"kind": "counterfactual"},
        "robustness": {"prompts": 8, "conventions": [{"ablation": "zero"}]},
        "claims": CLAIMS,
        **changes,
    }
    path = folder / "claims.json"
    path.write_text(json.dumps(content))
    return path


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("why")
    file, results = write_claims(folder), folder / "run.json"
    ledger = folder / "claims.ledger"
    run_command_line(
        ["verify", str(file), "--results", str(results), "--resume", str(ledger), "--quiet"]
    )
    return results


def test_the_missing_head_is_named(run: Path, capsys: Output) -> None:
    assert run_command_line(["why", str(run)]) == 0
    text = capsys.readouterr().out
    missing = text.split("missing")[1]
    assert "L1.H0" in missing.split("\n", 3)[2]
    assert "6 measured on 12 of the prompts that found the circuit" in " ".join(missing.split())
    assert "grid     On the first 8 prompts it holds in" in text
    assert "L1.H1" in text.split("idle")[1]


def test_json_holds_the_same(run: Path, capsys: Output) -> None:
    assert run_command_line(["why", str(run), "enough", "--json"]) == 0
    output = capsys.readouterr()
    plain = json.loads(output.out)
    (one,) = plain["explanations"]
    assert one["claim"] == "enough" and one["missing"][0]["name"] == "L1.H0"
    assert one["title"] == "A circuit that lacks a head"
    assert one["forwards"] > 6


def test_a_run_in_a_ledger_is_the_same_run(run: Path, capsys: Output) -> None:
    ledger = run.with_name("claims.ledger")
    assert run_command_line(["why", str(ledger), "enough", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["explanations"]
    assert run_command_line(["why", str(run), "enough", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["explanations"] == found
    assert run_command_line(["why", f"{ledger}#nosuchrun"]) == 3
    assert "nosuchrun" in capsys.readouterr().err


def test_the_last_run_is_the_one_that_ended_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "runs.ledger"
    with Ledger(path) as ledger:
        for second, file in enumerate(("one", "two", "one")):
            monkeypatch.setattr("causalnet.store.ledger._instant", lambda now=second: str(now))
            report = {"report": 1, "title": file}
            ledger.end(ledger.begin(file, file), json.dumps(report).encode())
    assert read_plain(path, "")["title"] == "one"


def test_a_supported_claim_is_explained_where_it_is_named(run: Path, capsys: Output) -> None:
    assert run_command_line(["why", str(run), "task"]) == 0
    assert "The claim is about no circuit." in capsys.readouterr().out


def test_a_file_that_was_changed_is_explained_as_it_was(tmp_path: Path, capsys: Output) -> None:
    file, results = write_claims(tmp_path), tmp_path / "run.json"
    run_command_line(["verify", str(file), "--results", str(results), "--quiet"])
    write_claims(tmp_path, title="Another")
    capsys.readouterr()
    assert run_command_line(["why", str(results)]) == 0
    output = capsys.readouterr()
    assert "A circuit that lacks a head" in output.out
    assert "was changed since" in output.err


@pytest.mark.parametrize(
    ("content", "options", "said"),
    [
        (None, [], "There is no file"),
        ("not json", [], "is no JSON"),
        ("[1, 2]", [], "no report of claims"),
        ('{"report": 2}', [], "no report of claims"),
        ('{"report": 1}', [], "cannot be read"),
        ('{"reports": [{"report": 1}, 3]}', [], "no report of claims"),
        ("{}", ["--budget", "10min"], "is not one of forward passes"),
        ("{}", ["--budget", "much"], "is none"),
        ("{}", ["--prompts", "1"], "prompts"),
        ("[" * 100_000, [], "is no JSON"),
    ],
)
def test_bad_runs_are_bad_input(
    content: str | None, options: list[str], said: str, tmp_path: Path, capsys: Output
) -> None:
    path = tmp_path / "run.json"
    if content is not None:
        path.write_text(content)
    assert run_command_line(["why", str(path), *options]) == 3
    error = capsys.readouterr().err
    assert said in error and "load the model" not in error


def test_a_folder_a_claim_that_is_not_there_and_other_weights(
    run: Path, tmp_path: Path, capsys: Output
) -> None:
    assert run_command_line(["why", str(tmp_path)]) == 3
    assert "is a folder" in capsys.readouterr().err
    assert run_command_line(["why", str(run), "enogh"]) == 3
    assert "no claim 'enogh'. It has task, enough." in capsys.readouterr().err
    plain = json.loads(run.read_text())
    plain["provenance"]["model"]["weights_sha256"] = "0" * 64
    other = tmp_path / "other.json"
    other.write_text(json.dumps(plain))
    assert run_command_line(["why", str(other), "enough"]) == 3
    assert "weights with the hash 0000" in capsys.readouterr().err
