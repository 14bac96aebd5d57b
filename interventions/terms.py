"""What all terms share: a digest, so that equality costs one comparison, and their text.

Terms share sub-terms and may be nested thousands of levels deep.  A term's digest is made when it
is, from those of its parts; its text is written with a stack.  Neither recurses.
"""

import hashlib
from collections.abc import Iterable, Iterator
from typing import Protocol, TypeAlias

__all__ = ["Piece", "Written", "digest_of", "separated", "written"]


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


def written(term: Piece) -> str:
    """Return the text of a term."""
    text: list[str] = []
    waiting: list[Piece] = [term]
    while waiting:
        piece = waiting.pop()
        if isinstance(piece, str):
            text.append(piece)
        else:
            waiting.extend(reversed(piece.pieces()))
    return "".join(text)


def separated(groups: Iterable[tuple[Piece, ...]], by: str = ", ") -> Iterator[Piece]:
    """Yield the pieces of several groups, with a separator between them."""
    for index, group in enumerate(groups):
        if index:
            yield by
        yield from group
