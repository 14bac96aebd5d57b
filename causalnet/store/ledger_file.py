"""The file of a ledger: making it, opening it, and refusing what is none.

The header of an SQLite file has room for two numbers of an application's own: `application_id`
says that the file is a ledger, `user_version` which format its tables have.
"""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from causalnet.errors import FormatError

__all__ = ["APPLICATION", "FORMAT", "connect", "meeting_errors"]

APPLICATION = 0x434E4C47  # "CNLG"
FORMAT = 1
WAIT = 60.0
"""Seconds to wait for another process that writes."""

_MAGIC = b"SQLite format 3\0"
_SMALLEST = 512
"""Bytes that an SQLite file has at least."""

_TABLES = (
    """CREATE TABLE models (
        model TEXT PRIMARY KEY,
        described TEXT NOT NULL
    )""",
    """CREATE TABLE records (
        program TEXT NOT NULL,
        batch TEXT NOT NULL,
        model TEXT NOT NULL,
        forwards INTEGER NOT NULL,
        version TEXT NOT NULL,
        payload BLOB NOT NULL,
        sha256 TEXT NOT NULL,
        PRIMARY KEY (program, batch, model)
    )""",
    """CREATE TABLE runs (
        run TEXT PRIMARY KEY,
        claim_file TEXT NOT NULL,
        claim_digest TEXT NOT NULL,
        model TEXT NOT NULL,
        asked TEXT NOT NULL,
        status TEXT NOT NULL,
        begun TEXT NOT NULL,
        ended TEXT NOT NULL,
        version TEXT NOT NULL,
        result BLOB NOT NULL
    )""",
)


def connect(path: Path) -> sqlite3.Connection:
    """Open a ledger; make it where nothing is, or an empty file.

    Raises:
        FormatError: A folder, a file that is no ledger, one of another format, one that is
            damaged, or a place that cannot be written to.
    """
    _check_place(path)
    with meeting_errors(path):
        connection = sqlite3.connect(path, timeout=WAIT, isolation_level=None)
        try:
            _check_header(path, connection)
            _make_tables(path, connection)
            # A log that is synced at checkpoints only: whatever happens to the process, nothing
            # that was committed is lost; a loss of power may cost the last records, which are
            # run again, and never the file.
            _set_wal(connection)
            connection.execute("PRAGMA synchronous = NORMAL")
            _check_whole(path, connection)
        except BaseException:
            connection.close()
            raise
    return connection


@contextmanager
def meeting_errors(path: Path) -> Iterator[None]:
    """Turn what SQLite refuses into an error that says what to write."""
    try:
        yield
    except sqlite3.OperationalError as error:
        if "locked" in str(error) or "busy" in str(error):
            raise FormatError(
                f"Another process kept the ledger {str(path)!r} for {WAIT:g} seconds.",
                "Several processes share a ledger, each writing for a moment at a time.",
                "Wait for the other process, or give a ledger of its own.",
            ) from None
        raise FormatError(
            f"The ledger {str(path)!r} cannot be written: {error}.",
            "A ledger is a file in a folder that you may write to, on a disk with room.",
            "Name another file.",
        ) from None
    except sqlite3.DatabaseError as error:
        if "not a database" in str(error):
            raise _no_ledger(path) from None
        raise _damaged(path, str(error)) from None


def _check_place(path: Path) -> None:
    if path.is_dir():
        raise FormatError(
            f"{str(path)!r} is a folder.",
            "A ledger is one file.",
            f"Write for example --resume {path / 'claims.ledger'}.",
        )
    if not path.parent.is_dir():
        raise FormatError(
            f"There is no folder {str(path.parent)!r}.",
            "A ledger is a file in a folder that is there.",
            "Make the folder, or name another file.",
        )
    _check_beginning(path)


def _check_beginning(path: Path) -> None:
    """Refuse a short file of another kind, which SQLite would take for an empty one."""
    try:
        with path.open("rb") as stream:
            start = stream.read(_SMALLEST)
    except FileNotFoundError:
        return
    except OSError as error:
        raise FormatError(
            f"The ledger {str(path)!r} cannot be read: {error.strerror}.",
            "A ledger is a file that you may read and write.",
            "Name another file.",
        ) from None
    if not start.startswith(_MAGIC[: len(start)]):
        raise _no_ledger(path)
    if start and len(start) < _SMALLEST:
        raise _damaged(path, f"it ends after {len(start)} bytes")


def _number(connection: sqlite3.Connection, pragma: str) -> int:
    return int(connection.execute(f"PRAGMA {pragma}").fetchone()[0])


def _check_header(path: Path, connection: sqlite3.Connection) -> None:
    """Refuse the file of another program or format, before anything is written to it."""
    mark, version = _number(connection, "application_id"), _number(connection, "user_version")
    if mark != APPLICATION:
        if connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] or mark:
            raise _no_ledger(path)
    elif version != FORMAT:
        raise FormatError(
            f"The ledger {str(path)!r} has format {version}.",
            f"This version of causalnet reads format {FORMAT}.",
            "Use a newer causalnet, or name another file."
            if version > FORMAT
            else "Name another file.",
        )


def _make_tables(path: Path, connection: sqlite3.Connection) -> None:
    """Make the tables in one transaction, so that a ledger has all of them or is none yet."""
    if _number(connection, "application_id") == APPLICATION:
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        if _number(connection, "application_id") != APPLICATION:  # no other process was faster
            for table in _TABLES:
                connection.execute(table)
            connection.execute(f"PRAGMA application_id = {APPLICATION}")
            connection.execute(f"PRAGMA user_version = {FORMAT}")
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def _set_wal(connection: sqlite3.Connection) -> None:
    """Let readers and a writer work at once; SQLite does not wait by itself for this change."""
    until = time.monotonic() + WAIT
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > until:
                raise
            time.sleep(0.01)


def _check_whole(path: Path, connection: sqlite3.Connection) -> None:
    found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if found != "ok":
        raise _damaged(path, str(found))


def _no_ledger(path: Path) -> FormatError:
    return FormatError(
        f"{str(path)!r} is no ledger of causalnet.",
        "A ledger is a file that 'causalnet verify FILE --resume LEDGER' made.",
        "Name a file that is not there yet; this one is unchanged.",
    )


def _damaged(path: Path, how: str) -> FormatError:
    return FormatError(
        f"The ledger {str(path)!r} is damaged: {' '.join(how.split())}.",
        "A process that is killed leaves a whole ledger; one that was cut or altered is refused.",
        "Restore the file, or begin again with another.",
    )
