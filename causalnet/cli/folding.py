"""Long lines folded, so that terms can be read on a terminal."""

import shutil
import sys
import textwrap

__all__ = ["folded", "terminal_width"]

WIDEST, LABEL = 100, 10


def terminal_width() -> int:
    """Return the terminal's columns, at most 100; 100 where the text goes elsewhere."""
    if not sys.stdout.isatty():
        return WIDEST
    return min(WIDEST, max(40, shutil.get_terminal_size((WIDEST, 24)).columns))


def folded(text: str, width: int = WIDEST) -> str:
    """Return a text of labelled lines with none wider than so many characters.

    What is folded goes on two characters further in, at least behind the label.  A word is never
    broken.

    >>> print(folded("TERM      " + "conventions " * 9))
    TERM      conventions conventions conventions conventions conventions conventions conventions
                conventions conventions
    """
    return "\n".join(_folded(line, width) for line in text.splitlines())


def _folded(line: str, width: int) -> str:
    if len(line) <= width:
        return line
    start = len(line) - len(line[LABEL:].lstrip()) if line[:LABEL].strip() else _indent(line)
    words = textwrap.wrap(
        line[start:],
        width,
        initial_indent=line[:start],
        subsequent_indent=" " * (max(start, LABEL) + 2),
        break_long_words=False,
        break_on_hyphens=False,
    )
    return "\n".join(words)


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())
