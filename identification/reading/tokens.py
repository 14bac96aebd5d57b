"""The words of formulas, of questions and of graphs as they are typed."""

import re

from causalnet.interventions.tokens import Token, mistake

__all__ = ["tokens_of"]

_TOKEN = re.compile(
    r"""(?P<space>\s+)
    |(?P<text>"(?:[^"\\]|\\.)*")
    |(?P<number>\d+)
    |(?P<name>[A-Za-z_][A-Za-z0-9_.]*'*)
    |(?P<mark><->|->|<-|[-*/(){}\[\],;|=])""",
    re.VERBOSE | re.DOTALL,
)
_UNREADABLE = {
    '"': "a quoted name that is not closed",
    "'": "a prime without a symbol before it",
}


def tokens_of(text: str) -> list[Token]:
    r"""Return the words of a text, and one of kind `end`.

    Primes belong to the name before them; names with odd characters are in double quotes.

    Raises:
        TermError: A character that begins no word.

    >>> [token.text for token in tokens_of('P(y|x\', "L9.H6[end]"=1)')]
    ['P', '(', 'y', '|', "x'", ',', '"L9.H6[end]"', '=', '1', ')', '']
    """
    found: list[Token] = []
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            told = _UNREADABLE.get(text[at], repr(text[at]))
            possible = 'names with odd characters are in double quotes: "L9.H6[end]"'
            raise mistake(text, at, f"found {told}", possible)
        if match.lastgroup != "space":
            found.append(Token(str(match.lastgroup), match[0], at))
        at = match.end()
    return [*found, Token("end", "", len(text))]
