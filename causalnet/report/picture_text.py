"""Words in a picture: only letters that its font has, cut to a length."""

from typing import Any

__all__ = ["cut", "drawable"]


def cut(text: str, length: int) -> str:
    """Return at most so many letters.

    >>> cut("indirect object", 9)
    'indirect…'
    """
    return text if len(text) <= length else text[: length - 1] + "…"


def drawable(text: str) -> str:
    """Put a box for each character that the font lacks, which matplotlib would warn about."""
    from matplotlib.font_manager import findfont, get_font

    # matplotlib's own font, so that the picture is the same on every machine.
    font: Any = get_font(findfont("DejaVu Sans"))
    known = font.get_charmap()
    spaced = " ".join(text.split())
    return "".join(letter if ord(letter) in known else "\u25a1" for letter in spaced)
