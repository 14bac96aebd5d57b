"""`causalnet verify` killed in the middle, as a machine that goes down would."""

import random
import signal
import sqlite3
import subprocess
import time
from contextlib import closing
from pathlib import Path

import pytest

from causalnet.cli.door import run_command_line
from causalnet.store import Ledger
from tests.cli.processes import COMMAND
from tests.cli.small_folder import CLAIMS, make_folder, write_claims


def records(ledger: Path) -> int:
    """Count the records without changing the ledger; 0 while it is being made."""
    if not ledger.exists():
        return 0
    try:
        with closing(sqlite3.connect(f"file:{ledger}?mode=ro", uri=True)) as connection:
            return int(connection.execute("SELECT count(*) FROM records").fetchone()[0])
    except sqlite3.OperationalError:
        return 0


def killed_at(arguments: list[str], ledger: Path, target: int) -> int:
    """Run the command, kill it once the ledger has so many records, and return how many it has."""
    with subprocess.Popen(
        [str(COMMAND), *arguments], stderr=subprocess.PIPE, stdin=subprocess.DEVNULL
    ) as process:
        until = time.monotonic() + 120
        while records(ledger) < target and process.poll() is None and time.monotonic() < until:
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL, process.stderr and process.stderr.read()
    return records(ledger)


def test_killed_runs_come_to_the_same_bytes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = make_folder(tmp_path)
    file = str(write_claims(folder, claims=CLAIMS[:3], batch=1))
    ledger, whole = tmp_path / "cut.ledger", tmp_path / "whole.ledger"
    paths = {name: tmp_path / f"{name}.json" for name in ("plain", "whole", "cut")}
    status = run_command_line(["verify", file, "--results", str(paths["plain"]), "--quiet"])
    options = ["--resume", str(whole), "--results", str(paths["whole"])]
    assert run_command_line(["verify", file, *options, "--quiet"]) == status
    total = records(whole)
    assert total >= 40
    arguments = ["verify", file, "--resume", str(ledger), "--results", str(paths["cut"]), "--quiet"]
    targets = sorted(random.Random(total).sample(range(2, total - 12), 2))
    reached = [killed_at(arguments, ledger, target) for target in targets]
    assert all(target <= count < total for target, count in zip(targets, reached, strict=True))
    assert not paths["cut"].exists()
    with Ledger(ledger) as left:  # what is in the middle of a run says so
        assert [run.status for run in left.runs()] == ["begun"]
    assert run_command_line(arguments) == status
    assert records(ledger) == total
    assert len({path.read_bytes() for path in paths.values()}) == 1
    with Ledger(ledger) as left:
        assert [run.status for run in left.runs()] == ["finished"]
    capsys.readouterr()
