"""The text of a claim file, and errors that show the place in it."""

import difflib
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from causalnet.errors import ClaimFileError

__all__ = ["MAX_BYTES", "Place", "SourceText", "nearest_word", "read_source"]

MAX_BYTES = 1 << 20
"""The size of the largest file that is read; a claim file has a few thousand bytes."""


@dataclass(frozen=True, slots=True)
class Place:
    """A stretch of one line, from 0: what an error puts carets under."""

    line: int
    column: int
    width: int = 1


@dataclass(frozen=True, slots=True)
class SourceText:
    """A text with the name of its file.

    Attributes:
        path: The file, as it was given; printed in errors.
        text: Its content.

    >>> text = SourceText("claims.yaml", "alpha: yes")
    >>> print(text.error(Place(0, 7, 3), "The key 'alpha' is 'yes'.", "It is a number."))
    claims.yaml:1:8: The key 'alpha' is 'yes'. It is a number.
        1 | alpha: yes
          |        ^^^
    """

    path: str
    text: str

    @property
    def sha256(self) -> str:
        """The hash of the text in UTF-8."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    def error(self, place: Place, came: str, possible: str = "", write: str = "") -> ClaimFileError:
        """Make an error that names the place and shows its line with carets."""
        parts = [came, possible, write]
        last = max(index for index, part in enumerate(parts) if part)
        parts[last] += f"\n{self._excerpt(place)}"
        line, column = place.line + 1, place.column + 1
        return ClaimFileError(*parts, path=self.path, line=line, column=column)

    def _excerpt(self, place: Place) -> str:
        """Show one line, cut to a readable width, with what a terminal could obey escaped."""
        lines = self.text.splitlines()
        line = lines[place.line] if place.line < len(lines) else ""
        start = max(0, place.column - 60)
        shown, before = line[start : start + 100], line[start : place.column]
        width = max(1, min(place.width, len(shown) - len(before)))
        number = str(place.line + 1).rjust(5)
        return (
            f"{number} | {_inert(shown)}\n"
            f"{' ' * len(number)} | {' ' * len(_inert(before))}{'^' * width}"
        )


def _inert(text: str) -> str:
    """Escape characters that are not printed as themselves."""
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)


def nearest_word(word: str, known: Iterable[str]) -> str | None:
    """Return the known word that looks most like a misspelt one, if any does.

    >>> nearest_word("at_lest", ["at_least", "at_most"])
    'at_least'
    """
    close = difflib.get_close_matches(word[:100], list(known), n=1, cutoff=0.6)
    return close[0] if close else None


def read_source(path: str | Path) -> SourceText:
    """Read a text file of at most `MAX_BYTES` bytes.

    Raises:
        ClaimFileError: No such file, too large, or not UTF-8.
    """
    name = str(path)
    try:
        with open(path, "rb") as file:
            content = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: a null character in the path
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise ClaimFileError(
            f"The file {name!r} cannot be read: {reason}.",
            "A claim file is a YAML or JSON file.",
            "Give the path of a file that is there, for example examples/ioi.yaml.",
        ) from error
    if len(content) > MAX_BYTES:
        raise ClaimFileError(
            f"The file has more than {MAX_BYTES} bytes.",
            f"A claim file has at most {MAX_BYTES} bytes.",
            "Keep prompts in a file of their own and name it with 'task: {file: pairs.jsonl}'.",
            path=name,
        )
    return SourceText(name, _decoded(name, content))


def _decoded(name: str, content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start]
        line = before.count(b"\n")
        column = error.start - (before.rfind(b"\n") + 1)
        raise ClaimFileError(
            f"The byte 0x{content[error.start]:02x} is not UTF-8.",
            "A claim file is text in UTF-8.",
            "Save it as UTF-8.",
            path=name,
            line=line + 1,
            column=column + 1,
        ) from error
