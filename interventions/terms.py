"""What all terms share: a digest, so that equality costs one comparison, and their text.

Terms share sub-terms and may be nested thousands of levels deep.  A term's digest is made when it
is, from those of its parts; its text is written with a stack.  Neither recurses.
"""

import hashlib
from collections.abc import Iterable, Iterator
from typing import Protocol, TypeAlias

from causalnet.errors import TermError

__all__ = ["Piece", "Written", "abbreviated", "digest_of", "separated", "written"]


class Written(Protocol):
    """A term that says of what pieces its text is made."""

    def pieces(self) -> "tuple[Piece, ...]":
        """Return strings, and terms that are written in their places."""
        ...


Piece: TypeAlias = "str | Written"


def digest_of(*parts: object) -> bytes:
    """Return 16 bytes that identify some parts; parts with a digest of their own give that.

    >>> digest_of("At", "L9.H6") == digest_of("At", "L9.H6") != digest_of("At", "L9.H7")
    True
    """
    content = repr([getattr(part, "digest", part) for part in parts])
    return hashlib.blake2b(content.encode(), digest_size=16).digest()


_LONGEST = 50_000_000  # characters of a text; terms that share parts can be exponentially longer
_LINE = 240  # characters of an abbreviated text


def written(term: Piece) -> str:
    """Return the text of a term.

    Raises:
        TermError: A text of more than 50 million characters: parts that a term shares are written
            each time.
    """
    text = _begun(term, _LONGEST)
    check_length(_LONGEST + 1 if text is None else 0)
    return text or ""


def check_length(size: int) -> None:
    """Refuse a text of a term that grows too long.

    Args:
        size: How many characters it has so far.

    Raises:
        TermError: More than 50 million.
    """
    if size > _LONGEST:
        raise TermError(
            f"A text of more than {_LONGEST} characters.",
            "Parts that a term shares are written each time that they occur.",
            "Print the parts, or the digest.",
        )


def abbreviated(term: Written) -> str:
    """Return the text of a term where it is short, else its beginning and its digest."""
    text = _begun(term, _LINE)
    if text is not None:
        return text
    digest = getattr(term, "digest", b"").hex()
    return f"{_begun(term, _LINE, cut=True)} ... #{digest}"


def _begun(term: Piece, at_most: int, cut: bool = False) -> str | None:
    """Return a text up to a length; a longer one is cut, or None."""
    text: list[str] = []
    size = 0
    waiting: list[Piece] = [term]
    while waiting:
        piece = waiting.pop()
        if isinstance(piece, str):
            text.append(piece)
            size += len(piece)
            if size > at_most:
                return "".join(text)[:at_most] if cut else None
        else:
            waiting.extend(reversed(piece.pieces()))
    return "".join(text)


def separated(groups: Iterable[tuple[Piece, ...]], by: str = ", ") -> Iterator[Piece]:
    """Yield the pieces of several groups, with a separator between them."""
    for index, group in enumerate(groups):
        if index:
            yield by
        yield from group
