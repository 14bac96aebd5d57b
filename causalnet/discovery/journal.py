"""Journals: what a long search has found so far, on disk, so that it goes on where it stopped.

A journal is one file of JSON lines.  The first line says what is asked, by which method and with
which settings; each further line is an entry with a sha256 over it and all lines before.  A line is
written at once and reaches the disk before the search goes on, so that a process which is killed
leaves at most its last line unfinished: that line is dropped.  Any other damage is refused, as is
the journal of another search, and the file stays as it is.
"""

import base64
import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from causalnet.discovery.question import Question
from causalnet.errors import FormatError, ParameterError
from causalnet.estimators.methods import Method

__all__ = ["Entry", "Journal", "Log", "log_of"]

Entry: TypeAlias = Mapping[str, object]
"""What one step found: anything that JSON can say, and arrays, which come back bit by bit."""

_SCHEMA = 1
_ARRAY = "array"
_METHOD, _QUESTION = ("program", "method"), ("program", "question")


@dataclass(frozen=True, slots=True)
class Journal:
    """A file in which a search keeps what it has found.

    Give the same journal to the same search again and it goes on where it stopped, with the scores
    that it would have had without a stop, bit by bit, on the same machine.

    Attributes:
        path: The file; it is made if it is not there.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "search.journal"
    >>> log = Journal(path).log({"method": "toy/v1"})
    >>> log.append({"step": 0, "values": np.array([0.1, 0.2])})
    >>> Journal(path).log({"method": "toy/v1"}).entries[0]["values"]
    array([0.1, 0.2])
    """

    path: Path | str

    def log(self, program: Mapping[str, object]) -> "Log":
        """Open the journal for a search.

        Args:
            program: Everything that its results depend on, as JSON.

        Raises:
            ParameterError: The journal of another search.
            FormatError: A file that is no journal, or one that was altered.
        """
        return Log(Path(self.path), program)


@final
class Log:
    """The entries of one search, those of an earlier run first.

    Args:
        path: The file, or None to keep nothing on disk.
        program: Everything that the results depend on, as JSON.

    Attributes:
        entries: What earlier runs found, in order; entries of this run are not added.
    """

    def __init__(self, path: Path | None, program: Mapping[str, object]) -> None:
        """Read what is there, and begin the file where nothing is."""
        self.path, self.entries = path, tuple[Entry, ...]()
        if path is None:
            return
        header = {"journal": _SCHEMA, "program": json.loads(json.dumps(program))}
        first, self._digest = _line(header, "")
        found = _bytes_of(path)
        self._length = len(found)  # with what an interrupted write left behind the last whole line
        if first.startswith(found):
            self._size = 0
            self._write(first)
            return
        self.entries, self._digest, self._size = _read(path, found, header)

    def append(self, entry: Entry) -> None:
        """Keep what a step found; it is on disk when this returns.

        Raises:
            ParameterError: Another process wrote to the file in between.
            FormatError: The file cannot be written to.
        """
        if self.path is None:
            return
        line, digest = _line(
            {"entry": {name: _packed(each) for name, each in entry.items()}}, self._digest
        )
        self._write(line)
        self._digest = digest

    def _write(self, line: bytes) -> None:
        """Add a line behind the last whole one."""
        assert self.path is not None
        try:
            with open(self.path, "r+b" if self.path.exists() else "x+b") as stream:
                stream.seek(0, os.SEEK_END)
                if stream.tell() != self._length:
                    raise ParameterError(
                        f"The journal {str(self.path)!r} was written to by another search.",
                        "One search at a time writes to a journal.",
                        "Give every search a file of its own.",
                    )
                stream.truncate(self._size)
                stream.seek(self._size)
                stream.write(line)
                stream.flush()
                os.fsync(stream.fileno())
        except OSError as error:
            raise FormatError(
                f"The journal {str(self.path)!r} cannot be written: {error.strerror}.",
                "It is a file in a folder that is there.",
                "Name another file.",
            ) from None
        self._size += len(line)
        self._length = self._size


def log_of(
    journal: Journal | None, question: Question, method: Method, settings: Mapping[str, object]
) -> Log:
    """Return the log of a search; without a journal it keeps nothing.

    Args:
        journal: The journal, or None.
        question: What is asked.
        method: How it is answered.
        settings: What else the results depend on.

    Raises:
        ParameterError: The journal of another search.
        FormatError: A file that is no journal, or one that was altered.
    """
    if journal is None:
        return Log(None, {})
    numbers = {
        "batch size": question.batch_size,
        "dtype": str(question.runs.decoder.tokens.dtype),
        "device": str(question.runs.decoder.tokens.device),
    }
    program = {"question": question.to_json(), "method": method.name, "numbers": numbers}
    return journal.log({**program, "settings": dict(settings)})


def _bytes_of(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise FormatError(
            f"{str(path)!r} cannot be read: {error.strerror}.",
            "A journal is a file that can be read and written.",
            "Name another file.",
        ) from None


def _line(content: Mapping[str, object], before: str) -> tuple[bytes, str]:
    """Return a line with its digest, which covers the one before."""
    body = json.dumps(content, sort_keys=True)
    digest = hashlib.sha256(f"{before}\n{body}".encode()).hexdigest()
    return json.dumps({**content, "digest": digest}, sort_keys=True).encode() + b"\n", digest


def _read(
    path: Path, found: bytes, header: Mapping[str, object]
) -> tuple[tuple[Entry, ...], str, int]:
    """Return the entries of a journal, its last digest and the size of its whole lines."""
    *lines, unfinished = found.split(b"\n")
    entries: list[Entry] = []
    digest = ""
    for number, line in enumerate(lines):
        content = _content(line, digest)
        kind = "entry" if number else "journal"
        if content is None or kind not in content:
            raise _broken(path, number, len(entries))
        digest = str(content.pop("digest"))
        if number == 0:
            _check_same(path, content, header)
            continue
        entry = content["entry"]
        if not isinstance(entry, dict):
            raise _broken(path, number, len(entries))
        entries.append({name: _unpacked(each) for name, each in entry.items()})
    if not lines:
        raise _broken(path, 0, 0)
    return tuple(entries), digest, len(found) - len(unfinished)


def _content(line: bytes, before: str) -> dict[str, object] | None:
    """Return what a line says, or None where it does not follow the line before."""
    try:
        content = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(content, dict) or "digest" not in content:
        return None
    own = {name: value for name, value in content.items() if name != "digest"}
    return content if _line(own, before)[1] == content["digest"] else None


def _broken(path: Path, number: int, entries: int) -> FormatError:
    if number == 0:
        return FormatError(
            f"{str(path)!r} is no journal.",
            "A journal begins with what is asked.",
            "Give a file that is not there yet.",
        )
    return FormatError(
        f"The journal {str(path)!r} was altered: line {number + 1} does not follow from those "
        f"before; {entries} entries before it are whole.",
        "A run that is killed leaves at most its last line unfinished.",
        "Restore the file, or begin again with another.",
    )


def _check_same(path: Path, found: Mapping[str, object], header: Mapping[str, object]) -> None:
    """Refuse the journal of another search, and say in what it differs."""
    if found == header:
        return
    theirs, ours = _flat(found), _flat(header)
    other = [place for place in sorted({*theirs, *ours}) if theirs.get(place) != ours.get(place)]
    # What another method or another question was set to says nothing.
    asked = [place for place in other if place[:2] in (_METHOD, _QUESTION)]
    shown = [
        f"{place[-1]} {theirs.get(place, 'none')} there, {ours.get(place, 'none')} here"
        for place in asked or other
    ]
    raise ParameterError(
        f"The journal {str(path)!r} belongs to another search: {'; '.join(shown[:3])}.",
        "A journal goes on with the same question, method and settings.",
        "Give another file; this one is unchanged.",
    )


def _flat(content: Mapping[str, object]) -> dict[tuple[str, ...], str]:
    """Return what a header says, field by field with its place, for people."""
    found: dict[tuple[str, ...], str] = {}
    waiting: list[tuple[tuple[str, ...], object]] = [((), content)]
    while waiting:
        place, value = waiting.pop()
        if isinstance(value, dict) and value:
            waiting += [((*place, str(key)), each) for key, each in value.items()]
        else:
            text = json.dumps(value)
            found[place] = text if len(text) <= 60 else f"{text[:57]}..."
    return found


def _packed(value: object) -> object:
    if not isinstance(value, np.ndarray):
        return value
    data = base64.b64encode(np.ascontiguousarray(value).tobytes()).decode()
    return {_ARRAY: [value.dtype.str, list(value.shape), data]}


def _unpacked(value: object) -> object:
    if not isinstance(value, dict) or set(value) != {_ARRAY}:
        return value
    dtype, shape, data = value[_ARRAY]
    found: NDArray[np.generic] = np.frombuffer(base64.b64decode(data), np.dtype(dtype))
    return found.reshape(shape).copy()
