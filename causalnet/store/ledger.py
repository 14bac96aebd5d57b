"""Ledgers: what a model answered, on disk, so that a verification goes on where it stopped.

A record is the answer to one call: a program (what is run and read) on a batch of prompts by a
model, each known by a digest.  It is inserted in one transaction when it is computed, so that a
process which is killed loses at most the call that it was at; the same call finds the same bits.
Several processes and several claim files may share a ledger.
"""

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as version_of
from pathlib import Path
from types import TracebackType
from typing import Any, Self, final

from causalnet.errors import FormatError, ParameterError
from causalnet.store.ledger_file import connect, meeting_errors
from causalnet.store.ledger_records import (
    Record,
    RecordKey,
    Run,
    RunStatus,
    digest_of,
    packed,
    unpacked,
)

__all__ = ["Ledger"]

_RUN = "run, claim_file, claim_digest, model, asked, status, begun, ended, version, result"
_SHORTEST = 4
"""Characters of a run's id that are looked for at least."""


@final
class Ledger:
    """A file of records, keyed by program, batch and model, and of the runs that made them.

    Args:
        path: The file; it is made where nothing is.

    Attributes:
        path: The file.
        reused: Forward passes that were found and not run, since it was opened.
        run_now: Forward passes that were run and kept, since it was opened.

    Raises:
        FormatError: A file that is no ledger, of another format or damaged; a place that cannot
            be written to.

    >>> import tempfile
    >>> import numpy as np
    >>> path = Path(tempfile.mkdtemp()) / "claims.ledger"
    >>> key = RecordKey(digest_of("kept: L0.H0"), digest_of([1, 2]), digest_of("a model"))
    >>> with Ledger(path) as ledger:
    ...     record = ledger.fetch(key, lambda: Record({"kept": np.array([0.1, 0.2])}, forwards=2))
    >>> with Ledger(path) as ledger:
    ...     found = ledger.fetch(key, lambda: Record({}))
    ...     print(found.arrays["kept"], ledger.reused, len(ledger))
    [0.1 0.2] 2 1
    """

    def __init__(self, path: str | Path) -> None:
        """Open the file, or make it."""
        self.path = Path(path)
        self.reused, self.run_now = 0, 0
        self._goes_on = False
        self._connection = connect(self.path)

    def __enter__(self) -> Self:
        """Return the ledger; leaving the block closes it."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the file."""
        self.close()

    def close(self) -> None:
        """Close the file; every record is in it already."""
        self._connection.close()

    def __len__(self) -> int:
        """Return the number of records."""
        return int(self._rows("SELECT count(*) FROM records")[0][0])

    def __contains__(self, key: RecordKey) -> bool:
        """Return whether a call was answered already."""
        where = "SELECT 1 FROM records WHERE program = ? AND batch = ? AND model = ?"
        return bool(self._rows(where, (key.program, key.batch, key.model)))

    def fetch(self, key: RecordKey, compute: Callable[[], Record]) -> Record:
        """Return the record of a call; run it only where the ledger has none.

        Both ways give the arrays as they are stored: sorted by name and bit by bit the same, also
        where another process inserted the same call meanwhile.

        Args:
            key: The call.
            compute: Runs it.

        Raises:
            FormatError: A record that was altered, arrays that cannot be stored, a file that
                cannot be written to.
        """
        found = self._find(key)
        if found is not None:
            self.reused += found.forwards
            return found
        computed = compute()
        payload = packed(computed.arrays)
        with meeting_errors(self.path):
            inserted = self._connection.execute(
                "INSERT OR IGNORE INTO records VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    *(key.program, key.batch, key.model),
                    computed.forwards,
                    _version(),
                    payload,
                    _checked(key, payload),
                ),
            ).rowcount
        self.run_now += computed.forwards
        if not inserted:  # by another process: all go on with its numbers
            found = self._find(key)
            if found is not None:
                return found
        return Record(unpacked(payload), computed.forwards)

    def _find(self, key: RecordKey) -> Record | None:
        rows = self._rows(
            "SELECT forwards, payload, sha256 FROM records "
            "WHERE program = ? AND batch = ? AND model = ?",
            (key.program, key.batch, key.model),
        )
        if not rows:
            return None
        forwards, payload, checked = rows[0]
        if _checked(key, payload) != checked:
            raise FormatError(
                f"A record of the ledger {str(self.path)!r} was altered: its arrays do not match "
                "its digest.",
                "What a ledger holds is written once and never changed.",
                "Restore the file, or begin again with another.",
            )
        return Record(unpacked(payload), int(forwards))

    def add_model(self, model: str, described: Mapping[str, Any]) -> None:
        """Keep what a model's digest stands for.

        Args:
            model: The digest.
            described: Source, hash of the weights (`weights_sha256`), number type and so on.
        """
        self._write("INSERT OR IGNORE INTO models VALUES (?, ?)", (model, _text(described)))

    def models(self) -> dict[str, dict[str, Any]]:
        """Return what is known of every model, by digest."""
        rows = self._rows("SELECT model, described FROM models ORDER BY rowid")
        return {model: json.loads(described) for model, described in rows}

    def check_is_about(self, weights: str, source: str, claim_digest: str = "") -> None:
        """Refuse to add a model to the ledger of others, which is more likely a wrong path.

        A ledger without a model goes with any; one that knows the weights, or a run of the claim
        file, goes on, and so do further models while it is open.

        Args:
            weights: Hash of the weights that are to be run.
            source: Where they came from, for the message.
            claim_digest: sha256 of the claim file that is to be verified.

        Raises:
            ParameterError: A ledger of other models.
        """
        held = self.models().values()
        is_known = any(one.get("weights_sha256") == weights for one in held)
        if not held or is_known or any(run.claim_digest == claim_digest for run in self.runs()):
            self._goes_on = True
        if self._goes_on:
            return
        names = dict.fromkeys(
            f"{one.get('source')} (weights {str(one.get('weights_sha256'))[:12]}…)" for one in held
        )
        files = dict.fromkeys(run.claim_file for run in self.runs())
        by = f", verified for {', '.join(list(files)[:3])}" if files else ""
        raise ParameterError(
            f"The ledger {str(self.path)!r} belongs to another model: it holds "
            f"{', '.join(list(names)[:3])}{by}; this is {source} (weights {weights[:12]}…).",
            "A ledger goes on with the same model, for any number of claim files.",
            "Name a file that is not there yet; this one is unchanged.",
        )

    def begin(
        self, claim_file: str, claim_digest: str, asked: Mapping[str, Any] | None = None
    ) -> str:
        """Note that a claim file is being verified, and return the run's id.

        The same file with the same options is the same run, whose last report stays until it
        ends again.

        Args:
            claim_file: Path of the file.
            claim_digest: sha256 of its text.
            asked: Options that change the numbers: seed, device, number type.
        """
        options = dict(asked or {})
        run_id = digest_of(["run", claim_digest, options])[:12]
        self._write(
            f"INSERT INTO runs ({_RUN}) VALUES (?, ?, ?, '', ?, 'begun', ?, '', ?, x'') "
            "ON CONFLICT (run) DO UPDATE SET status = 'begun', claim_file = excluded.claim_file",
            (run_id, claim_file, claim_digest, _text(options), _instant(), _version()),
        )
        return run_id

    def about(self, run_id: str, model: str) -> None:
        """Note which model a run is about, once it is loaded."""
        self._write("UPDATE runs SET model = ? WHERE run = ?", (model, run_id))

    def end(self, run_id: str, result: bytes, status: RunStatus = "finished") -> None:
        """Keep the report of a run.

        Args:
            run_id: The run.
            result: The report as JSON bytes.
            status: `finished`, or `out of budget`.
        """
        self._write(
            "UPDATE runs SET status = ?, ended = ?, result = ? WHERE run = ?",
            (status, _instant(), result, run_id),
        )

    def runs(self) -> tuple[Run, ...]:
        """Return all runs, the oldest first."""
        return tuple(map(_run, self._rows(f"SELECT {_RUN} FROM runs ORDER BY rowid")))

    def run(self, run_id: str) -> Run:
        """Return a run by its id, or by the first characters of one.

        Raises:
            ParameterError: No such run, or several.
        """
        runs = self.runs()
        found = [one for one in runs if one.run_id.startswith(run_id)]
        if len(found) == 1 and len(run_id) >= _SHORTEST:
            return found[0]
        listed = ", ".join(f"{one.run_id} ({one.claim_file}, {one.status})" for one in runs[-8:])
        raise ParameterError(
            f"{len(found) or 'No'} {'run begins' if len(found) < 2 else 'runs begin'} with "
            f"{run_id!r} in the ledger {str(self.path)!r}.",
            f"It has {listed}." if listed else "It has no runs yet.",
            f"Write an id, or at least {_SHORTEST} of its first characters."
            if runs
            else f"Make one: causalnet verify FILE --resume {self.path}.",
        )

    def _rows(self, query: str, values: tuple[object, ...] = ()) -> list[tuple[Any, ...]]:
        with meeting_errors(self.path):
            return self._connection.execute(query, values).fetchall()

    def _write(self, statement: str, values: tuple[object, ...]) -> None:
        with meeting_errors(self.path):
            self._connection.execute(statement, values)


def _checked(key: RecordKey, payload: bytes) -> str:
    """Return a digest over a record and its key, so that payloads cannot change places."""
    return hashlib.sha256(f"{key.program}|{key.batch}|{key.model}|".encode() + payload).hexdigest()


def _run(row: tuple[Any, ...]) -> Run:
    run_id, claim_file, claim_digest, model, asked, status, begun, ended, version, result = row
    return Run(
        run_id=run_id,
        claim_file=claim_file,
        claim_digest=claim_digest,
        model=model,
        asked=json.loads(asked),
        status=status,
        begun=begun,
        ended=ended,
        version=version,
        result=bytes(result),
    )


def _text(content: Mapping[str, Any]) -> str:
    return json.dumps(content, sort_keys=True)


def _instant() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def _version() -> str:
    try:
        return version_of("causalnet-lab")
    except PackageNotFoundError:  # run from a checkout, without installing
        return "not installed"
