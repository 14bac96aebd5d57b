"""The words of the language of interventions, and errors that show where a text goes wrong."""

import re
from dataclasses import dataclass

from causalnet.errors import TermError
from causalnet.interventions.spelling import DIGEST, NAME, QUOTED, WORDS

__all__ = ["Token", "mistake", "tokens_of"]

_TEXT = rf"(?:{QUOTED}|{WORDS})"
_TOKEN = re.compile(
    rf"""(?P<space>\s+|\#\ [^\n]*)
    |(?P<input><\s*{_TEXT.replace(" ", "[ ]").replace("#", "[#]")}\s*
        (?:;\s*{_TEXT.replace(" ", "[ ]").replace("#", "[#]")}\s*)?>)
    |(?P<text>{QUOTED})
    |(?P<digest>\#(?:{QUOTED}|{DIGEST}))
    |(?P<number>[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)
    |(?P<name>{NAME})
    |(?P<version>/v-?[0-9]+)
    |(?P<mark>->|:=|[-+*(){{}}\[\],;:|=])""",
    re.VERBOSE,
)
_UNREADABLE = {
    "<": "an input that is not closed, or has odd characters and no quotes",
    "'": "a quoted text that is not closed",
    '"': "a quoted text that is not closed",
}
_AROUND = 60  # characters of the line that are shown on each side of a mistake


@dataclass(frozen=True, slots=True)
class Token:
    """A word of a text.

    Attributes:
        kind: `input`, `text`, `digest`, `number`, `name`, `version`, `mark` or `end`.
        text: As it stands.
        start: Its first character.
    """

    kind: str
    text: str
    start: int


def tokens_of(text: str) -> list[Token]:
    """Return the words of a text, and one of kind `end`; a comment goes from `# ` to a line's end.

    Raises:
        TermError: A character that begins no word.

    >>> [token.text for token in tokens_of("L9.H6[end] := 0  # ablated")]
    ['L9.H6', '[', 'end', ']', ':=', '0', '']
    """
    found: list[Token] = []
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            told = _UNREADABLE.get(text[at], f"{text[at]!r}")
            raise mistake(text, at, f"found {told}", "names with odd characters are quoted")
        if match.lastgroup != "space":
            found.append(Token(str(match.lastgroup), match[0], at))
        at = match.end()
    return [*found, Token("end", "", len(text))]


def mistake(text: str, at: int, came: str, possible: str = "") -> TermError:
    """Return the error for a mistake in a text, with its line, its column and a caret under it.

    Args:
        text: The whole text.
        at: The character at which the mistake is.
        came: What was found there.
        possible: What could have been there.

    >>> print(mistake("<base> + [", 9, "found '['", "possible here: '{'"))
    Line 1, column 10: found '['. Possible here: '{'.
      <base> + [
               ^
    """
    start = text.rfind("\n", 0, at) + 1
    end = text.find("\n", at)
    line = text[start : end if end >= 0 else len(text)]
    column = at - start
    left = max(0, column - _AROUND)
    shown = line[left : column + _AROUND]
    shown = "".join(character if character.isprintable() else " " for character in shown)
    came = f"Line {text.count(chr(10), 0, at) + 1}, column {column + 1}: {came.rstrip('.')}."
    possible = f"{possible[0].upper()}{possible[1:].rstrip('.')}." if possible else ""
    excerpt = f"\n  {shown}\n  {' ' * (column - left)}^"
    return TermError(f"{came} {possible}".rstrip() + excerpt)
