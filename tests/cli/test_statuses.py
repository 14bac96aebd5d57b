"""Nothing but a verdict ends with 1 or 2."""

import json
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from causalnet.cli.door import COMMANDS, run_command_line
from causalnet.errors import InternalError, ModelNotFoundError
from tests.cli.processes import COMMAND, causalnet

SLEEPING = """
import signal, sys, time, typer
from causalnet.cli.door import run_command_line
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where a shell started the tests
commands = typer.Typer()

@commands.command()
def sleep() -> None:
    print("asleep", flush=True)
    time.sleep(60)

sys.exit(run_command_line([], commands))
"""


@pytest.mark.parametrize(
    "arguments",
    [
        ("verifi", "x.yaml"),
        ("verify",),
        ("verify", "--sed", "1", "x.yaml"),
        ("verify", "--seed", "one", "x.yaml"),
        ("verify", "--dtype", "float31", "x.yaml"),
        ("verify", "x.yaml", "y.yaml"),
        ("verify", "no-such-file.yaml"),
        ("explain", "no-such-file.yaml"),
        ("identify", "no-such-graph", "P(y)"),
        ("identify", "chain", "P(y | do(q))"),
        ("schema", "--jsn"),
        ("doctor", "--model", "package://no_such_package/file.gguf"),
        ("doctor", "--quite"),
        ("demo", "extra"),
        ("--nothing",),
    ],
    ids=" ".join,
)
def test_bad_input_ends_with_3(arguments: tuple[str, ...]) -> None:
    run = causalnet(*arguments)
    assert run.returncode == 3, run.stderr
    assert run.stderr.startswith("causalnet: ") or "doctor" in arguments
    assert "Traceback" not in run.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_takes_the_options_that_the_readme_promises(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Options are read one after the other: the unknown last one is what is refused."""
    common = ["--json", "--quiet"]
    is_without_model = command in ("schema", "identify")
    model = [] if is_without_model else ["--device", "cpu", "--dtype", "float64"]
    model += [] if is_without_model or command == "why" else ["--seed", "1"]
    file = ["none.yaml"] if command in ("verify", "explain", "identify") else []
    assert run_command_line([command, *file, *common, *model, "--last"]) == 3
    assert "No such option: --last" in capsys.readouterr().err


@pytest.mark.parametrize("options", [(), ("--json",), ("--quiet",), ("--json", "--quiet")])
def test_the_schema_is_printed_whatever_is_asked(
    options: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command_line(["schema", *options]) == 0
    output = capsys.readouterr()
    assert json.loads(output.out)["title"] == "ClaimFile"
    assert output.err == ""


@pytest.mark.parametrize(
    ("arguments", "meant"),
    [
        (("verifi",), "'verify'"),
        (("verify", "--sed", "1"), "--seed"),
        (("demo", "--jsn"), "--json"),
    ],
)
def test_a_misspelt_word_is_guessed(arguments: tuple[str, ...], meant: str) -> None:
    assert f"Did you mean {meant}?" in causalnet(*arguments).stderr


@pytest.mark.parametrize("arguments", [(), ("--help",), ("verify", "-h"), ("--version",)])
def test_help_ends_with_0(arguments: tuple[str, ...]) -> None:
    run = causalnet(*arguments)
    assert (run.returncode, run.stderr) == (0, "")
    assert "causalnet" in run.stdout


def test_the_module_is_the_command() -> None:
    run = subprocess.run(
        [sys.executable, "-m", "causalnet", "--version"], capture_output=True, text=True, check=True
    )
    assert run.stdout == causalnet("--version").stdout


def test_a_bad_claim_file_shows_the_place(tmp_path: Path) -> None:
    file = tmp_path / "claims.yaml"
    file.write_text("schema: 1\nmodle: {source: x}\n")
    run = causalnet("verify", str(file))
    assert run.returncode == 3
    assert "claims.yaml:2:1" in run.stderr
    assert "'model'" in run.stderr


def test_with_json_an_error_is_one_object_too(tmp_path: Path) -> None:
    run = causalnet("verify", str(tmp_path / "none.yaml"), "--json")
    failure = json.loads(run.stdout)
    assert failure["exit_status"] == run.returncode == 3
    assert failure["error"]["kind"] == "ClaimFileError"


def raising(error: BaseException) -> typer.Typer:
    """Commands of which the only one raises."""
    commands = typer.Typer()

    @commands.command()
    def fail() -> None:
        raise error

    return commands


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ModelNotFoundError("No such model."), 3),
        (InternalError("A world was lost."), 4),
        (ZeroDivisionError("division by zero"), 4),
        (RecursionError("too deep"), 4),
        (MemoryError(), 4),
        (PermissionError(13, "Permission denied"), 4),
        (EOFError(), 130),
        (KeyboardInterrupt(), 130),
        (typer.Abort(), 130),
        (BrokenPipeError(32, "Broken pipe"), 141),
        (SystemExit(1), 141),
    ],
    ids=repr,
)
def test_every_way_out_has_its_status(
    error: BaseException, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command_line([], raising(error)) == status
    assert "Traceback" not in capsys.readouterr().err


def test_our_mistakes_ask_for_a_report(capsys: pytest.CaptureFixture[str]) -> None:
    run_command_line([], raising(ZeroDivisionError("division by zero")))
    message = capsys.readouterr().err
    assert "ZeroDivisionError: division by zero" in message
    assert "please report it" in message


def test_the_place_of_a_mistake_is_shown_when_asked_for(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CAUSALNET_DEBUG", "1")
    run_command_line([], raising(ZeroDivisionError("division by zero")))
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize("missing", ["typer", "causalnet.cli.door", "causalnet.cli.app"])
def test_an_installation_that_is_not_whole_ends_with_4(missing: str) -> None:
    program = (
        f"import sys; sys.modules[{missing!r}] = None; sys.argv = ['causalnet', '--version']; "
        "from causalnet.cli import main; main()"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert run.returncode == 4
    assert missing in run.stderr


def test_interrupted_ends_with_130() -> None:
    process = subprocess.Popen([sys.executable, "-c", SLEEPING], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "asleep\n"
    process.send_signal(signal.SIGINT)
    process.stdout.close()
    assert process.wait(timeout=60) == 130


@pytest.mark.parametrize(("command", "status"), [("schema", 0), ("--help", 141)])
def test_a_reader_that_goes_away_changes_no_verdict(command: str, status: int) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    process = subprocess.Popen([str(COMMAND), command], stdout=writing, stderr=subprocess.PIPE)
    os.close(writing)
    _, complaints = process.communicate(timeout=60)
    assert (process.returncode, complaints) == (status, b"")


@pytest.mark.parametrize("command", ["schema", "--help"])
def test_a_full_disk_ends_with_4(command: str, tmp_path: Path) -> None:
    with open(tmp_path / "output", "wb") as output:
        process = subprocess.run(
            [str(COMMAND), command],
            stdout=output,
            stderr=subprocess.PIPE,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0)),
        )
    assert process.returncode == 4


def test_an_encoding_that_lacks_a_sign_is_no_mistake() -> None:
    assert causalnet("schema", PYTHONIOENCODING="ascii").returncode == 0
