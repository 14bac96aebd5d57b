"""How terms spell names, labels and inputs, so that what is printed can be read back.

A name that is a word, or words joined by dots, stands as it is; any other text is quoted and
escaped as Python quotes it.

>>> print(name_text("L9.H6.q"), name_text("X'"), name_text("in"))
L9.H6.q "X'" 'in'
"""

import re

from causalnet.errors import TermError

__all__ = [
    "NAME",
    "QUOTED",
    "RESERVED",
    "WORDS",
    "digest_text",
    "input_text",
    "name_text",
    "unquoted",
]

NAME = r"[^\W\d]\w*(?:\.\w+)*"
WORDS = r"[\w.:/+-]+(?: [\w.:/+-]+)*"
DIGEST = r"[\w.:|/=+-]+"
QUOTED = r"""'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*\""""

RESERVED = frozenset({"in", "self", "noise", "grad", "against", "none"})
"""Words that are part of the grammar; a name that is one of them is quoted."""

_NAME, _WORDS, _DIGEST = re.compile(NAME), re.compile(WORDS), re.compile(DIGEST)
_ESCAPE = re.compile(
    r"\\(?:([\\'\"])|([ntr])|(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8})|(.|$))", re.DOTALL
)
_CONTROL = {"n": "\n", "t": "\t", "r": "\r"}


def name_text(name: str) -> str:
    """Return a name as terms write it: bare where it is words joined by dots, else quoted."""
    return name if _NAME.fullmatch(name) and name not in RESERVED else repr(name)


def input_text(name: str) -> str:
    """Return the name of an input or of a noise key, bare where it is a few words, else quoted."""
    return name if _WORDS.fullmatch(name) else repr(name)


def digest_text(digest: str) -> str:
    """Return a digest with the sign in front of it, quoted where it has odd characters."""
    return f"#{digest}" if _DIGEST.fullmatch(digest) else f"#{digest!r}"


def unquoted(text: str) -> str:
    r"""Return what a quoted text says.

    Raises:
        TermError: An escape that there is not.

    >>> unquoted("'L9\\n'")
    'L9\n'
    """
    return _ESCAPE.sub(_escaped, text[1:-1])


def _escaped(match: re.Match[str]) -> str:
    same, control, code, _ = match.groups()
    if same:
        return str(same)
    if control:
        return _CONTROL[control]
    number = int(code[1:], 16) if code else -1
    if 0 <= number <= 0x10FFFF:
        return chr(number)
    raise TermError(
        f"The escape {match[0]!r}.", r"There are \\ \' \" \n \t \r \xNN \uNNNN \UNNNNNNNN."
    )
