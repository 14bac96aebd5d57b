"""Laws of ledgers: a call is run once, and found bit by bit, by whoever asks."""

import math
import multiprocessing
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of
from numpy.typing import NDArray

from causalnet.errors import FormatError, ParameterError
from causalnet.store import Ledger, Record, RecordKey, digest_of

DTYPES = ("float64", "float32", "int64", "int8", "bool", ">f8", ">i4")
ARRAYS = st.dictionaries(
    st.text("abä.|[] ", max_size=5),
    arrays_of.arrays(st.sampled_from(DTYPES), arrays_of.array_shapes(min_dims=0, min_side=0)),
    max_size=3,
)
KEYS = st.builds(RecordKey, *[st.sampled_from(["one", "two"])] * 3)


def bits(arrays: Any) -> dict[str, tuple[object, ...]]:
    """Arrays byte by byte, in the machine's byte order."""
    native = {name: one.astype(one.dtype.newbyteorder("=")) for name, one in arrays.items()}
    return {name: (one.dtype.name, one.shape, one.tobytes()) for name, one in native.items()}


@settings(max_examples=40)
@given(st.lists(st.tuples(KEYS, ARRAYS, st.booleans()), max_size=8))
def test_a_ledger_is_a_mapping_from_calls_to_the_first_answer(
    tmp_path_factory: pytest.TempPathFactory,
    calls: list[tuple[RecordKey, dict[str, NDArray[Any]], bool]],
) -> None:
    """Also where it is closed and opened between calls."""
    path = tmp_path_factory.mktemp("ledger") / "a.ledger"
    model: dict[RecordKey, dict[str, tuple[object, ...]]] = {}
    ledger, run = Ledger(path), []
    for key, arrays, reopens in calls:
        if reopens:
            ledger.close()
            ledger = Ledger(path)

        def compute(key: RecordKey = key, arrays: dict[str, NDArray[Any]] = arrays) -> Record:
            run.append(key)
            return Record(arrays, 1)

        found = ledger.fetch(key, compute)
        assert bits(found.arrays) == model.setdefault(key, bits(arrays))
        assert list(found.arrays) == sorted(found.arrays)
        assert key in ledger
    assert len(ledger) == len(model) and sorted(run, key=str) == sorted(model, key=str)
    ledger.close()


def key_of(number: int) -> RecordKey:
    return RecordKey(digest_of(["program", number]), digest_of("batch"), digest_of("model"))


def test_what_is_not_a_number_and_views_are_kept_bit_by_bit(tmp_path: Path) -> None:
    values = np.array([np.nan, -np.nan, np.inf, -0.0])
    values.view(np.uint64)[0] |= 5  # a NaN with a payload
    arrays = {"values": values, "view": np.arange(12.0).reshape(3, 4)[::2, ::-1]}
    with Ledger(tmp_path / "a") as ledger:
        computed = ledger.fetch(key_of(0), lambda: Record(arrays))
    with Ledger(tmp_path / "a") as ledger:
        found = ledger.fetch(key_of(0), lambda: Record({}))
    assert bits(computed.arrays) == bits(found.arrays) == bits(arrays)
    found.arrays["values"][0] = 1.0  # a copy of its own: nobody else's numbers change
    with Ledger(tmp_path / "a") as ledger:
        again = ledger.fetch(key_of(0), lambda: Record({}))
    assert math.isnan(again.arrays["values"][0])


def test_forwards_are_counted_by_where_they_come_from(tmp_path: Path) -> None:
    with Ledger(tmp_path / "a") as ledger:
        for number in range(3):
            ledger.fetch(key_of(number), lambda: Record({"a": np.zeros(1)}, forwards=7))
        assert (ledger.run_now, ledger.reused) == (21, 0)
    with Ledger(tmp_path / "a") as ledger:
        for number in range(4):
            ledger.fetch(key_of(number), lambda: Record({"a": np.zeros(1)}, forwards=7))
        assert (ledger.run_now, ledger.reused) == (7, 21)


def test_a_call_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def fail() -> Record:
        raise KeyboardInterrupt

    with Ledger(tmp_path / "a") as ledger:
        with pytest.raises(KeyboardInterrupt):
            ledger.fetch(key_of(0), fail)
        assert len(ledger) == 0 and key_of(0) not in ledger
        assert ledger.fetch(key_of(0), lambda: Record({}, 2)).forwards == 2


def test_the_first_answer_counts_when_two_compute_the_same(tmp_path: Path) -> None:
    with Ledger(tmp_path / "a") as one, Ledger(tmp_path / "a") as other:

        def slow() -> Record:
            other.fetch(key_of(0), lambda: Record({"a": np.ones(2)}, 1))
            return Record({"a": np.zeros(2)}, 1)

        assert one.fetch(key_of(0), slow).arrays["a"].tolist() == [1.0, 1.0]
        assert len(one) == len(other) == 1


def numbers(value: float) -> Callable[[], Record]:
    """Answer with three equal numbers, after one forward."""
    return lambda: Record({"a": np.full(3, value)}, 1)


def fill(path: str, count: int) -> None:
    """Insert records that other processes insert too."""
    with Ledger(path) as ledger:
        for number in range(count):
            ledger.fetch(key_of(number), numbers(float(number)))


def test_processes_that_begin_and_fill_a_ledger_at_once(tmp_path: Path) -> None:
    spawned = multiprocessing.get_context("fork")
    path = str(tmp_path / "a")
    workers = [spawned.Process(target=fill, args=(path, 40)) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert [worker.exitcode for worker in workers] == [0] * 4
    with Ledger(path) as ledger:
        assert len(ledger) == 40
        found = ledger.fetch(key_of(17), lambda: Record({}))
    assert found.arrays["a"].tolist() == [17.0] * 3


ENDLESS = """
import sys
import numpy as np
from causalnet.store import Ledger, Record, RecordKey
with Ledger(sys.argv[1]) as ledger:
    for number in range(10**6):
        key = RecordKey(f"{number:06}", "batch", "model")
        ledger.fetch(key, lambda: Record({"a": np.full(500, float(number))}, 1))
        print(number, flush=True)
"""


@pytest.mark.parametrize("records", [1, 5, 40])
def test_a_killed_process_leaves_every_record_that_it_finished(
    tmp_path: Path, records: int
) -> None:
    path = tmp_path / "a"
    process = subprocess.Popen(
        [sys.executable, "-c", ENDLESS, str(path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    for _ in range(records):
        process.stdout.readline()
    process.send_signal(signal.SIGKILL)
    told = records + len(process.stdout.read().splitlines())
    assert process.wait() == -signal.SIGKILL
    with Ledger(path) as ledger:
        assert told <= len(ledger) <= told + 1  # one may be in the file and not yet told
        for number in range(len(ledger)):
            record = ledger.fetch(RecordKey(f"{number:06}", "batch", "model"), never)
            assert record.arrays["a"].tolist() == [float(number)] * 500


def never() -> Record:
    raise AssertionError("this is in the ledger")


@contextmanager
def refused(*parts: str) -> Iterator[None]:
    """Expect an error of three parts that says all this, and a file as it was."""
    with pytest.raises((FormatError, ParameterError)) as caught:
        yield
    assert caught.value.came and caught.value.possible and caught.value.write
    for part in parts:
        assert part in str(caught.value)


@pytest.mark.parametrize(
    "raw",
    [b"hello\n" * 300, b"PK\x03\x04" + bytes(200), b"{}" * 40, b"x"],
    ids=["text", "zip", "json", "x"],
)
def test_other_files_are_refused_and_stay(tmp_path: Path, raw: bytes) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(raw)
    with refused("a.txt' is no ledger", "Name a file that is not there yet"):
        Ledger(path)
    assert path.read_bytes() == raw and os.listdir(tmp_path) == ["a.txt"]


def test_the_database_of_another_program_is_refused_and_stays(tmp_path: Path) -> None:
    path = tmp_path / "a"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE records (program, batch)")
    connection.close()
    before = path.read_bytes()
    with refused("is no ledger"):
        Ledger(path)
    assert path.read_bytes() == before


def test_an_empty_file_becomes_a_ledger(tmp_path: Path) -> None:
    """A process that is killed while it makes one may leave an empty file."""
    (tmp_path / "a").touch()
    with Ledger(tmp_path / "a") as ledger:
        assert len(ledger) == 0


@pytest.mark.parametrize(("version", "told"), [(2, "Use a newer causalnet"), (0, "Name another")])
def test_another_format_is_named(tmp_path: Path, version: int, told: str) -> None:
    Ledger(tmp_path / "a").close()
    with sqlite3.connect(tmp_path / "a") as connection:
        connection.execute(f"PRAGMA user_version = {version}")
    connection.close()
    with refused(f"has format {version}.", "reads format 1", told):
        Ledger(tmp_path / "a")


def filled(path: Path, count: int = 60) -> Path:
    with Ledger(path) as ledger:
        for number in range(count):
            ledger.fetch(key_of(number), lambda: Record({"a": np.arange(64.0)}, 1))
    return path


@pytest.mark.parametrize("share", [0.0001, 0.01, 0.2, 0.5, 0.9])
def test_a_truncated_ledger_is_refused(tmp_path: Path, share: float) -> None:
    path = filled(tmp_path / "a")
    raw = path.read_bytes()
    path.write_bytes(raw[: int(share * len(raw))])
    with refused("is damaged", "begin again with another"):
        Ledger(path)


def test_an_altered_byte_is_refused_or_changes_nothing(tmp_path: Path) -> None:
    path = filled(tmp_path / "a", 12)
    raw, noticed = path.read_bytes(), 0
    places = np.random.default_rng(0).integers(100, len(raw), 120)
    for place in places:
        altered = bytearray(raw)
        altered[place] ^= 0x24
        path.write_bytes(altered)
        try:
            with Ledger(path) as ledger:
                for number in range(12):
                    record = ledger.fetch(key_of(number), lambda: Record({"a": np.arange(64.0)}))
                    assert record.arrays["a"].tolist() == list(range(64))
        except FormatError:
            noticed += 1
        path.unlink()
    assert noticed > 20  # most of a small file is free space


def test_an_altered_number_is_refused(tmp_path: Path) -> None:
    path = filled(tmp_path / "a", 2)
    with sqlite3.connect(path) as connection:
        statement = "UPDATE records SET payload = (SELECT payload FROM records LIMIT 1)"
        connection.execute("UPDATE records SET payload = zeroblob(length(payload)) WHERE rowid = 1")
        connection.execute(statement + " WHERE rowid = 2")
    connection.close()
    with Ledger(path) as ledger:
        for number in range(2):
            with refused("A record of the ledger", "was altered"):
                ledger.fetch(key_of(number), never)


def test_records_that_change_places_are_refused(tmp_path: Path) -> None:
    with Ledger(tmp_path / "a") as ledger:
        for number in range(2):
            ledger.fetch(key_of(number), numbers(float(number)))
    with sqlite3.connect(tmp_path / "a") as connection:
        connection.execute(
            "UPDATE records SET (payload, sha256) = "
            "(SELECT payload, sha256 FROM records WHERE rowid = 2) WHERE rowid = 1"
        )
    connection.close()
    with Ledger(tmp_path / "a") as ledger, refused("was altered"):
        ledger.fetch(key_of(0), never)


def test_places_where_no_ledger_can_be(tmp_path: Path) -> None:
    with refused("is a folder", "--resume"):
        Ledger(tmp_path)
    with refused(f"There is no folder '{tmp_path / 'absent'}'"):
        Ledger(tmp_path / "absent" / "a")
    with refused("cannot be written", "Name another file"):
        Ledger("/proc/a.ledger")  # nobody can make a file there
    assert os.listdir(tmp_path) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="everything is writable to root")
def test_a_folder_that_cannot_be_written_to(tmp_path: Path) -> None:
    path = filled(tmp_path / "a", 1)
    tmp_path.chmod(0o500)
    try:
        with refused("cannot be written"):
            Ledger(path)
    finally:
        tmp_path.chmod(0o700)


def test_numbers_that_are_not_stored_are_refused(tmp_path: Path) -> None:
    given: tuple[NDArray[Any], ...] = (np.array([None]), np.array(["text"]), np.zeros(2, complex))
    with Ledger(tmp_path / "a") as ledger:
        for array in given:
            record = Record({"a": array})
            with refused("'a' has dtype", "A ledger stores", "astype"):
                ledger.fetch(key_of(0), partial(replace, record))
        assert len(ledger) == 0


def test_another_process_that_keeps_writing_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = filled(tmp_path / "a", 1)
    monkeypatch.setattr("causalnet.store.ledger_file.WAIT", 0.05)
    other = sqlite3.connect(path, isolation_level=None)
    with Ledger(path) as ledger:
        other.execute("BEGIN IMMEDIATE")
        started = time.monotonic()
        with refused("Another process kept the ledger", "Wait for the other process"):
            ledger.fetch(key_of(7), lambda: Record({"a": np.zeros(1)}))
        assert time.monotonic() - started >= 0.05
        other.execute("ROLLBACK")
        assert len(ledger.fetch(key_of(7), lambda: Record({"a": np.zeros(1)})).arrays) == 1
    other.close()
