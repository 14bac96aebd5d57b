"""What a ledger knows of runs and models."""

import json
from pathlib import Path

import pytest

from causalnet.errors import FormatError, ParameterError
from causalnet.store import Ledger, digest_of

MODEL = {"source": "package://tiny", "weights_sha256": "a" * 64, "dtype": "float32"}
OTHER = {"source": "other/model", "weights_sha256": "b" * 64, "dtype": "float32"}


def test_the_same_question_is_the_same_run(tmp_path: Path) -> None:
    with Ledger(tmp_path / "a") as ledger:
        first = ledger.begin("claims.yaml", "f" * 64, {"seed": 1})
        assert ledger.begin("claims.yaml", "f" * 64, {"seed": 2}) != first
        assert ledger.begin("claims.yaml", "e" * 64, {"seed": 1}) != first
        assert ledger.begin("moved/claims.yaml", "f" * 64, {"seed": 1}) == first
        assert len(ledger.runs()) == 3
        assert ledger.run(first).claim_file == "moved/claims.yaml"


def test_a_report_stays_until_the_run_ends_again(tmp_path: Path) -> None:
    with Ledger(tmp_path / "a") as ledger:
        run_id = ledger.begin("claims.yaml", "f" * 64)
        with pytest.raises(FormatError, match=r"has not ended.*causalnet verify claims\.yaml"):
            ledger.run(run_id).report()
        ledger.about(run_id, "m")
        ledger.end(run_id, json.dumps({"report": 1}).encode(), "out of budget")
    with Ledger(tmp_path / "a") as ledger:
        run = ledger.run(run_id)
        assert run.report() == {"report": 1}
        assert (run.status, run.model, run.asked) == ("out of budget", "m", {})
        assert run.begun and run.ended and run.version
        ledger.begin("claims.yaml", "f" * 64)
        assert ledger.run(run_id).status == "begun"
        assert ledger.run(run_id).report() == {"report": 1}
        ledger.end(run_id, b"[" * 100_000)
        assert ledger.run(run_id).status == "finished"
        with pytest.raises(FormatError, match="is no JSON"):
            ledger.run(run_id).report()


def test_a_run_is_found_by_its_first_characters(tmp_path: Path) -> None:
    with Ledger(tmp_path / "a") as ledger:
        with pytest.raises(ParameterError, match=r"No run begins.*no runs yet.*--resume"):
            ledger.run("abcd")
        ids = [ledger.begin("claims.yaml", digest_of(number)) for number in range(40)]
        assert ledger.run(ids[3][:6]).run_id == ids[3]
        for asked in ("", ids[0][:3], "zzzz"):
            with pytest.raises(ParameterError, match=r"begin.* with .*It has .*Write an id"):
                ledger.run(asked)


def test_a_ledger_of_another_model_names_both(tmp_path: Path) -> None:
    with Ledger(tmp_path / "a") as ledger:
        ledger.check_is_about("b" * 64, "other/model")  # an empty one goes with any
        ledger.about(ledger.begin("claims.yaml", "f" * 64), "m")
        ledger.add_model("m", MODEL)
        ledger.check_is_about("b" * 64, "other/model")  # the second model of one command
    with Ledger(tmp_path / "a") as ledger:
        with pytest.raises(ParameterError) as caught:
            ledger.check_is_about("b" * 64, "other/model", "e" * 64)
        for part in ("package://tiny", "aaaaaaaaaaaa", "claims.yaml", "other/model", "not there"):
            assert part in str(caught.value)
        ledger.check_is_about("b" * 64, "other/model", "f" * 64)  # its claim file is known
    with Ledger(tmp_path / "a") as ledger:
        ledger.check_is_about("a" * 64, "package://tiny")
        ledger.check_is_about("b" * 64, "other/model")


def test_models_are_described_once(tmp_path: Path) -> None:
    with Ledger(tmp_path / "a") as ledger:
        ledger.add_model("m", MODEL)
        ledger.add_model("m", OTHER)
        ledger.add_model("n", OTHER)
        assert ledger.models() == {"m": MODEL, "n": OTHER}


@pytest.mark.parametrize("content", [{"a": float("nan")}, {"a": {1}}, {"a": Path("b")}])
def test_digests_are_of_json(content: object) -> None:
    with pytest.raises(FormatError, match="cannot be written as JSON"):
        digest_of(content)


def test_digests_tell_programs_apart() -> None:
    programs = [["a", "b"], ["ab"], {"a": "b"}, "ab", 1, "1", True, None, 1.5]
    assert len({digest_of(one) for one in programs}) == len(programs)
