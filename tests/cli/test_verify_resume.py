"""A verification that is stopped anywhere and goes on ends with the bytes of one that is not."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from causalnet.claims import ClaimFile, VerificationReport, verify
from causalnet.claims.runs import begin_run
from causalnet.cli.door import run_command_line
from causalnet.errors import ParameterError
from causalnet.lift import LiftedNetwork
from causalnet.store import Ledger, Record, RecordKey
from tests.claims.small_case import claim_file, small_net, write_pairs
from tests.cli.small_folder import CLAIMS, exists, make_folder, without_run, write_claims

Output = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def net() -> LiftedNetwork:
    return small_net()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_folder(tmp_path_factory.mktemp("resume"))


@pytest.fixture(autouse=True)
def saved_quietly(folder: Path, capsys: Output) -> Iterator[None]:
    """Forget what saving the model printed."""
    capsys.readouterr()
    yield


def results(report: VerificationReport) -> bytes:
    return json.dumps(report.to_json(run=False), sort_keys=True).encode()


class Stopped(Exception):
    """Takes the place of a kill."""


def stopping(monkeypatch: pytest.MonkeyPatch, after: int) -> None:
    """Let every process stop after it has run so many calls, right behind the last."""
    fetch, run = Ledger.fetch, [0]

    def counted(self: Ledger, key: RecordKey, compute: Any) -> Record:
        is_new = key not in self
        record = fetch(self, key, compute)
        run[0] += is_new
        if run[0] >= after and is_new:
            raise Stopped
        return record

    monkeypatch.setattr(Ledger, "fetch", counted)


CASES: dict[str, dict[str, Any]] = {
    "counterfactual": {},
    "mean": {"ablation": {"kind": "mean", "reference": {"file": "pairs.jsonl", "n": 8}}},
    "edges": {
        "ablation": {"kind": "counterfactual", "ablate": "edges"},
        "circuit": ["L0.H0 -> L1.H0.q", "L0.H1 -> logits", "L1.H2 -> logits"],
        "claims": CLAIMS[:3],
    },
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("calls", [1, 3])
def test_stopped_after_every_so_many_calls_it_ends_with_the_same_bytes(
    net: LiftedNetwork, tmp_path: Path, case: str, calls: int
) -> None:
    write_pairs(tmp_path / "pairs.jsonl", net, 40)
    file = claim_file(tmp_path, **{"claims": CLAIMS, **CASES[case]})
    plain = verify(file, net=net)
    with Ledger(tmp_path / "whole") as ledger:
        assert results(verify(file, net=net, ledger=ledger)) == results(plain)
        total = len(ledger)
    assert total > 3
    stops, records = 0, [0]
    while True:
        with pytest.MonkeyPatch.context() as patched, Ledger(tmp_path / "cut") as ledger:
            stopping(patched, calls)
            try:
                report = verify(file, net=net, ledger=ledger)
            except Stopped:
                stops += 1
                assert len(ledger) == records[-1] + calls  # nothing was run twice
                records.append(len(ledger))
                continue
            break
    assert stops == total // calls
    assert results(report) == results(plain)
    assert report.cost.forwards == plain.cost.forwards
    assert report.cost.reused > 0


def test_learned_constants_are_told_as_without_a_stop(net: LiftedNetwork, tmp_path: Path) -> None:
    write_pairs(tmp_path / "pairs.jsonl", net, 24)
    reference = {"file": "pairs.jsonl", "n": 8}
    ablation = {"kind": "optimal", "reference": reference, "learning": {"steps": 3}}
    file = claim_file(tmp_path, ablation=ablation, claims=[*CLAIMS[1:3]])
    plain = verify(file, net=net)
    assert plain.provenance["learned"]
    with pytest.MonkeyPatch.context() as patched, Ledger(tmp_path / "cut") as ledger:
        stopping(patched, 1)
        with pytest.raises(Stopped):
            verify(file, net=net, ledger=ledger)
    with Ledger(tmp_path / "cut") as ledger:
        report = verify(file, net=net, ledger=ledger)
    assert results(report) == results(plain)


def test_the_heat_map_is_found_again(net: LiftedNetwork, tmp_path: Path) -> None:
    write_pairs(tmp_path / "pairs.jsonl", net, 24)
    file = claim_file(tmp_path, claims=CLAIMS[:1])
    plain = verify(file, net=net, heatmap_pairs=4)
    with Ledger(tmp_path / "a") as ledger:
        first = verify(file, net=net, heatmap_pairs=4, ledger=ledger)
    with Ledger(tmp_path / "a") as ledger:
        again = verify(file, net=net, heatmap_pairs=4, ledger=ledger)
        assert ledger.run_now == 0
    assert plain.effects is not None and len(plain.effects) == 8
    assert results(plain) == results(first) == results(again)


def test_everything_is_found_again(net: LiftedNetwork, tmp_path: Path) -> None:
    write_pairs(tmp_path / "pairs.jsonl", net, 24)
    file = claim_file(tmp_path, claims=CLAIMS)
    with Ledger(tmp_path / "a") as ledger:
        first = verify(file, net=net, ledger=ledger)
        again = verify(file, net=net, ledger=ledger)
    assert (first.cost.reused, again.cost.reused) == (0, first.cost.forwards)
    assert again.cost.forwards == first.cost.forwards > 0
    assert results(again) == results(first)
    assert again.run_id == first.run_id
    assert VerificationReport.from_json(again.to_json()).to_json() == again.to_json()
    told = VerificationReport.from_json(again.to_json(run=False))
    assert told.to_json(run=False) == again.to_json(run=False) and told.cost.forwards == 0


CHANGES: list[dict[str, Any]] = [
    {"readout": "probability", "claims": CLAIMS[1:2]},
    {"circuit": ["L0.H0"], "claims": CLAIMS[1:2]},
    {"ablation": {"kind": "zero"}, "claims": CLAIMS[1:2]},
    {"ablation": {"kind": "counterfactual", "at": "end"}, "claims": CLAIMS[1:2]},
    {"direction": "denoising", "claims": CLAIMS[1:2]},
    {"batch": 12, "claims": CLAIMS[1:2]},
    {"ablation": {"kind": "counterfactual", "ablate": "heads_and_mlps"}, "claims": CLAIMS[1:2]},
]


@pytest.mark.parametrize("changes", CHANGES, ids=lambda one: "+".join(one))
def test_another_question_takes_nothing_from_the_ledger(
    net: LiftedNetwork, tmp_path: Path, changes: dict[str, Any]
) -> None:
    write_pairs(tmp_path / "pairs.jsonl", net, 24)
    with Ledger(tmp_path / "a") as ledger:
        verify(claim_file(tmp_path, claims=CLAIMS[1:2]), net=net, ledger=ledger)
        other = claim_file(tmp_path, **changes)
        report = verify(other, net=net, ledger=ledger)
    assert report.cost.reused == 0
    assert results(report) == results(verify(other, net=net))


def test_another_seed_is_other_prompts(net: LiftedNetwork, tmp_path: Path) -> None:
    write_pairs(tmp_path / "pairs.jsonl", net, 24)
    file = claim_file(tmp_path, claims=CLAIMS[:1])
    with Ledger(tmp_path / "a") as ledger:
        verify(file, net=net, ledger=ledger)
        write_pairs(tmp_path / "pairs.jsonl", net, 24, seed=5)
        assert verify(file, net=net, ledger=ledger).cost.reused == 0


def test_a_harder_claim_goes_on_from_an_easier_one(net: LiftedNetwork, tmp_path: Path) -> None:
    """Another claim file of the same model: what both ask is run once."""
    write_pairs(tmp_path / "pairs.jsonl", net, 40)
    easy = claim_file(tmp_path, claims=[exists(-1e6)])
    with Ledger(tmp_path / "a") as ledger:
        first = verify(easy, net=net, ledger=ledger)
        hard = claim_file(tmp_path, claims=[exists(first.results[0].decision.estimate)])
        report = verify(hard, net=net, ledger=ledger)
    assert report.cost.reused == first.cost.forwards < report.cost.forwards
    assert results(report) == results(verify(hard, net=net))


def test_a_ledger_of_another_model_is_refused(net: LiftedNetwork, tmp_path: Path) -> None:
    write_pairs(tmp_path / "pairs.jsonl", net, 24)
    file = claim_file(tmp_path, claims=CLAIMS[:1])
    other = small_net(seed=9)
    with Ledger(tmp_path / "a") as ledger:
        verify(file, net=net, ledger=ledger)
        records = len(ledger)
    changed = claim_file(tmp_path, claims=CLAIMS[:2])
    with Ledger(tmp_path / "a") as ledger:
        with pytest.raises(ParameterError, match=r"another model: it holds .*; this is .*weights"):
            verify(changed, net=other, ledger=ledger)
        assert len(ledger) == records and len(ledger.runs()) == 1
    with Ledger(tmp_path / "a") as ledger:  # the same claim file, of which the model changed
        report = verify(file, net=other, ledger=ledger)
        assert report.cost.reused == 0 and len(ledger.models()) == 2


def test_a_run_is_kept_with_its_report(net: LiftedNetwork, tmp_path: Path) -> None:
    write_pairs(tmp_path / "pairs.jsonl", net, 24)
    file = claim_file(tmp_path, claims=CLAIMS[:1])
    with Ledger(tmp_path / "a") as ledger:
        report = verify(file, net=net, ledger=ledger)
        [run] = ledger.runs()
        assert run.run_id == report.run_id and run.status == "finished"
        assert run.claim_file.endswith("claims.json")
        assert VerificationReport.from_json(run.report()).to_json() == report.to_json()
        assert ledger.models()[run.model]["dtype"] == "float64"


def test_a_claim_file_built_in_python_is_a_run_too(net: LiftedNetwork, tmp_path: Path) -> None:
    write_pairs(tmp_path / "pairs.jsonl", net, 24)
    file = ClaimFile.model_validate(
        claim_file(tmp_path, claims=CLAIMS[:1]).model_dump(by_alias=True)
    )
    with Ledger(tmp_path / "a") as ledger:
        begin_run(ledger, file, net, None)
        assert ledger.runs()[0].claim_file == "built in Python"


def test_the_command_goes_on_and_says_what_it_did_not_run(
    folder: Path, tmp_path: Path, capsys: Output
) -> None:
    file, ledger = str(write_claims(folder)), str(tmp_path / "a.ledger")
    paths = [tmp_path / name for name in ("plain.json", "first.json", "again.json")]
    status = run_command_line(["verify", file, "--results", str(paths[0]), "--json", "--quiet"])
    plain = capsys.readouterr().out
    for path in paths[1:]:
        options = ["--resume", ledger, "--results", str(path)]
        assert run_command_line(["verify", file, *options]) == status
    told = capsys.readouterr().out
    assert "ledger   0 of " in told and f"wrote {paths[1]}" in told
    [line] = [
        line for line in told.splitlines() if line.startswith(" ledger") and " 0 of" not in line
    ]
    number, total = line.split()[1], line.split()[3]
    assert number == total != "0" and "run " in line
    assert len({path.read_bytes() for path in paths}) == 1
    assert json.loads(paths[0].read_text()) == without_run(plain)
