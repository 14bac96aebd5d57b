"""Journals: what comes back after any stop, and what is refused with the file untouched."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from causalnet.discovery.journal import Entry, Journal
from causalnet.errors import FormatError, ParameterError

PROGRAM = {"method": "toy/v1", "settings": {"tau": 0.1, "order": "as it is"}}


def entries_of(count: int) -> list[Entry]:
    drawn = np.random.default_rng(count)
    return [
        {"step": step, "distance": float(drawn.normal()), "values": drawn.normal(size=(2, step))}
        for step in range(count)
    ]


def written(path: Path, count: int) -> bytes:
    log = Journal(path).log(PROGRAM)
    for entry in entries_of(count):
        log.append(entry)
    return path.read_bytes()


def assert_same(ours: tuple[Entry, ...], theirs: list[Entry]) -> None:
    assert len(ours) == len(theirs)
    for one, other in zip(ours, theirs, strict=True):
        assert one.keys() == other.keys()
        for name, value in one.items():
            np.testing.assert_array_equal(np.asarray(value), np.asarray(other[name]))


@given(count=st.integers(0, 4), share=st.floats(0, 1))
def test_a_file_cut_anywhere_gives_its_whole_entries_and_goes_on(
    tmp_path_factory: pytest.TempPathFactory, count: int, share: float
) -> None:
    path = tmp_path_factory.mktemp("journal") / "search"
    whole = written(path, count)
    cut = round(share * len(whole))
    path.write_bytes(whole[:cut])
    kept = max(whole[:cut].count(b"\n") - 1, 0)
    log = Journal(path).log(PROGRAM)
    assert_same(log.entries, entries_of(count)[:kept])
    for entry in entries_of(count)[kept:]:
        log.append(entry)
    assert path.read_bytes() == whole


@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_a_flipped_bit_is_refused_or_harmless(
    tmp_path_factory: pytest.TempPathFactory, place: float, bit: int
) -> None:
    """A line's end may become another byte: the last line is unfinished then, and dropped."""
    path = tmp_path_factory.mktemp("journal") / "search"
    damaged = bytearray(written(path, 3))
    damaged[int(place * len(damaged))] ^= 1 << bit
    path.write_bytes(damaged)
    try:
        log = Journal(path).log(PROGRAM)
    except (FormatError, ParameterError):
        assert path.read_bytes() == bytes(damaged)
    else:
        assert_same(log.entries, entries_of(3)[: len(log.entries)])
        assert len(log.entries) >= 2


def test_a_dropped_or_swapped_line_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "search"
    first, one, two, three = written(path, 3).splitlines(keepends=True)
    for lines in ([first, two, three], [first, two, one, three], [one, two, three]):
        path.write_bytes(b"".join(lines))
        with pytest.raises(FormatError):
            Journal(path).log(PROGRAM)
        assert path.read_bytes() == b"".join(lines)


def test_another_search_is_refused_and_says_what_differs(tmp_path: Path) -> None:
    path = tmp_path / "search"
    whole = written(path, 2)
    other = {"method": "toy/v1", "settings": {"tau": 0.2, "order": "as it is"}}
    with pytest.raises(ParameterError, match=r"tau 0.1 there, 0.2 here.*unchanged"):
        Journal(path).log(other)
    with pytest.raises(ParameterError, match=r'search: method "toy/v1" there, "other/v1" here\.'):
        Journal(path).log({**other, "method": "other/v1"})
    assert path.read_bytes() == whole


@pytest.mark.parametrize("content", [b"hello\n", b"[1]\n", b"{}\n", b"no line at all", b"\xff\x00"])
def test_other_files_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(content)
    with pytest.raises(FormatError, match="no journal"):
        Journal(path).log(PROGRAM)
    assert path.read_bytes() == content


def test_places_that_cannot_hold_a_journal(tmp_path: Path) -> None:
    for place in (tmp_path, tmp_path / "missing" / "search"):
        with pytest.raises(FormatError):
            Journal(place).log(PROGRAM)


def test_two_searches_on_one_file(tmp_path: Path) -> None:
    path = tmp_path / "search"
    log = Journal(path).log(PROGRAM)
    log.append({"step": 0})
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(ParameterError, match="another search"):
        log.append({"step": 1})


def test_a_killed_process_leaves_whole_entries(tmp_path: Path) -> None:
    path = tmp_path / "search"
    code = (
        "from causalnet.discovery.journal import Journal\n"
        f"log = Journal({str(path)!r}).log({PROGRAM!r})\n"
        "for step in range(10**6):\n"
        "    log.append({'step': step})\n"
        "    print(step, flush=True)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    told = [int(process.stdout.readline()) for _ in range(5)]
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    steps = [entry["step"] for entry in Journal(path).log(PROGRAM).entries]
    assert steps == list(range(len(steps))) and len(steps) > told[-1]
