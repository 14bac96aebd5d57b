"""The text of a file with its name, and errors that point into it."""

from dataclasses import dataclass
from pathlib import Path
from typing import final

from causalnet.errors import FormatError
from causalnet.graphs.arguments import quoted

__all__ = ["MAX_BYTES", "Source", "reason", "source_of_file", "source_of_text"]

MAX_BYTES = 64 * 2**20
"""The largest file that is read."""


@final
@dataclass(frozen=True, slots=True)
class Source:
    """A text and the name under which messages speak of it.

    Attributes:
        name: The file's name, or `text`.
        text: The whole text.
    """

    name: str
    text: str

    def error(self, at: int | str | None, came: str, possible: str, write: str) -> FormatError:
        r"""Return an error with its place in front.

        Args:
            at: An index into the text, told as its line; or a JSON pointer; or None.
            came: What was found.
            possible: What would have been accepted.
            write: What to write.

        >>> str(Source("g.dot", "digraph {\n a -- b }").error(12, "An edge '--'.", "", ""))
        "g.dot:2: An edge '--'."
        """
        place = f":{self.line(at)}" if isinstance(at, int) else f":{at}" if at else ""
        return FormatError(f"{self.name}{place}: {came}", possible, write)

    def line(self, index: int) -> int:
        """Return the line of a character, from 1."""
        return self.text.count("\n", 0, index) + 1


def source_of_text(text: str, name: str = "text") -> Source:
    """Return a text that is small enough to read and is Unicode.

    Raises:
        FormatError: More than `MAX_BYTES`, or half of a surrogate pair.
    """
    try:
        size = len(text.encode())
    except UnicodeEncodeError as error:
        raise Source(name, text).error(
            error.start,
            "Half of a surrogate pair.",
            "A graph file is Unicode text.",
            "Decode the file as UTF-8.",
        ) from None
    if size > MAX_BYTES:
        raise _too_large(name, size)
    return Source(name, text.removeprefix("\ufeff"))


def source_of_file(path: Path) -> Source:
    """Read a file of UTF-8 text.

    Raises:
        FormatError: No regular file, more than `MAX_BYTES`, or bytes that are not UTF-8.
    """
    try:
        if not path.is_file():
            raise FormatError(
                f"{quoted(str(path))} is not a file.",
                "A graph is read from a file, or from a text that holds a line end or a bracket.",
                "Check the path.",
            )
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: a null character in the path
        raise FormatError(
            f"{quoted(str(path))} cannot be read: {reason(error)}.",
            "A readable file.",
            "Check the path.",
        ) from error
    if len(content) > MAX_BYTES:
        raise _too_large(path.name, len(content))
    return _decoded(path.name, content)


def reason(error: OSError | ValueError) -> str:
    """Return what the system says of a file, without its name, which may be long."""
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def _decoded(name: str, content: bytes) -> Source:
    try:
        return Source(name, content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise FormatError(
            f"{name}:{line}: The byte {content[error.start]:#04x} is not UTF-8.",
            "Graph files are UTF-8 text; pickled graphs and tensors (.gpickle, .pt) are not read.",
            "Save the file as UTF-8, or export it as JSON from the program that wrote it.",
        ) from None


def _too_large(name: str, size: int) -> FormatError:
    return FormatError(
        f"{name} has {size:,} bytes or more.",
        f"At most {MAX_BYTES:,} are read.",
        "Prune the graph before it is written.",
    )
