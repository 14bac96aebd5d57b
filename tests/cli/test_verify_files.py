"""Several claim files in one command, and the paths that it writes to."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from causalnet.cli.door import run_command_line
from causalnet.models import load
from tests.cli.small_folder import exists, make_folder, write_claims

Output = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_folder(tmp_path_factory.mktemp("files"))


@pytest.fixture(autouse=True)
def saved_quietly(folder: Path, capsys: Output) -> Iterator[None]:
    """Forget what saving the model printed."""
    capsys.readouterr()
    yield


def one(folder: Path, threshold: float, name: str) -> str:
    """A claim file that is supported or refuted by its threshold."""
    return str(write_claims(folder, f"{name}.json", title=name, claims=[exists(threshold, name)]))


def test_the_worst_verdict_is_the_status(folder: Path, capsys: Output) -> None:
    yes, no = one(folder, -1e6, "yes"), one(folder, 1e6, "no")
    assert run_command_line(["verify", yes, "--json", "--quiet"]) == 0
    mean = json.loads(capsys.readouterr().out)["results"][0]["decision"]["estimate"]
    still = one(folder, mean, "still")
    assert run_command_line(["verify", yes, still, "--quiet"]) == 2
    assert run_command_line(["verify", yes, still, no, "--quiet"]) == 1


def test_files_are_told_apart_and_counted(folder: Path, capsys: Output) -> None:
    files = [one(folder, -1e6, "yes"), one(folder, 1e6, "no")]
    assert run_command_line(["verify", *files]) == 1
    told = capsys.readouterr().out
    assert all(f" file     {file}" in told for file in files)
    assert " 2 files: 1 SUPPORTED, 1 REFUTED" in told
    assert run_command_line(["verify", *files, "--json", "--quiet"]) == 1
    content = json.loads(capsys.readouterr().out)
    assert [report["claim_file"]["title"] for report in content["reports"]] == ["yes", "no"]
    assert content["exit_status"] == 1


def test_each_model_is_loaded_once(
    folder: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where files of one model do not follow each other; reports keep the files' order."""
    loaded: list[tuple[str, object]] = []

    def counted(source: str, **options: object) -> object:
        loaded.append((source, options["dtype"]))
        return load(source, **options)  # type: ignore[arg-type]

    monkeypatch.setattr("causalnet.models.load", counted)
    names = ("first", "single", "third")
    files = [one(folder, -1e6, name) for name in names]
    content = json.loads(Path(files[1]).read_text())
    content["model"]["dtype"] = "float32"
    Path(files[1]).write_text(json.dumps(content))
    assert run_command_line(["verify", *files, "--json", "--quiet"]) == 0
    reports = json.loads(capsys.readouterr().out)["reports"]
    assert [report["claim_file"]["title"] for report in reports] == list(names)
    assert [dtype for _, dtype in loaded] == ["float64", "float32"]


def refused(capsys: Output, *arguments: str) -> str:
    """Run a command that is bad input, and return what it says; nothing was loaded."""
    assert run_command_line(["verify", *arguments]) == 3
    told = capsys.readouterr()
    assert "load the model" not in told.err and told.out == ""
    return told.err


def test_a_file_given_twice(folder: Path, tmp_path: Path, capsys: Output) -> None:
    file = one(folder, -1e6, "twice")
    assert f"The claim file {file!r} is given twice." in refused(capsys, file, file)
    link = tmp_path / "link.json"
    link.symlink_to(file)
    assert f"given twice, also as {file!r}" in refused(capsys, file, str(link))


def test_bad_files_are_found_before_anything_runs(folder: Path, capsys: Output) -> None:
    assert "cannot be read" in refused(capsys, one(folder, -1e6, "good"), str(folder / "absent"))


@pytest.mark.parametrize("option", ["--results", "--junit", "--report", "--png", "--resume"])
def test_a_path_that_is_read_is_not_written_to(
    folder: Path, tmp_path: Path, capsys: Output, option: str
) -> None:
    file = one(folder, -1e6, "input")
    before = Path(file).read_bytes()
    told = refused(capsys, file, option, file)
    assert f"{option} {file!r} is the claim file" in told and "Name another file" in told
    other = str(tmp_path / "other")
    taken = "--results" if option != "--results" else "--junit"
    assert "is also the path of" in refused(capsys, file, option, other, taken, other)
    assert Path(file).read_bytes() == before and not Path(other).exists()


@pytest.mark.parametrize("option", ["--results", "--junit", "--resume"])
def test_places_that_cannot_be_written(folder: Path, capsys: Output, option: str) -> None:
    file = one(folder, -1e6, "place")
    assert "cannot be written" in refused(capsys, file, option, "/proc/out")
    assert "folder" in refused(capsys, file, option, str(folder)).lower()


def test_a_ledger_that_is_a_text_file(folder: Path, tmp_path: Path, capsys: Output) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("Dear ledger,\n" * 100)
    told = refused(capsys, one(folder, -1e6, "text"), "--resume", str(text))
    assert "is no ledger" in told and text.read_text().startswith("Dear ledger,")


def test_a_page_is_of_one_file(folder: Path, tmp_path: Path, capsys: Output) -> None:
    files = [one(folder, -1e6, "yes"), one(folder, 1e6, "no")]
    told = refused(capsys, *files, "--report", str(tmp_path / "report.html"))
    assert "--report with 2 claim files." in told and "one at a time" in told


def test_results_replace_what_was_there(folder: Path, tmp_path: Path, capsys: Output) -> None:
    path = tmp_path / "results.json"
    path.write_text("old")
    file = one(folder, -1e6, "yes")
    assert run_command_line(["verify", file, "--results", str(path), "--quiet"]) == 0
    assert json.loads(path.read_text())["exit_status"] == 0
    assert [child.name for child in tmp_path.iterdir()] == ["results.json"]
    assert run_command_line(["verify", file, "--results", "/dev/null", "--quiet"]) == 0
