"""Reading words in order, without recursion: what every parser of the language shares.

A rule of the grammar is a generator: it takes words, yields the rules inside it, is sent what they
return, and returns a term.  `Reader.run` keeps the rules that are open on a list, so that terms may
be nested as deeply as memory allows.
"""

from collections.abc import Callable, Generator
from typing import Any, ParamSpec, TypeAlias, TypeVar

from causalnet.errors import ParameterError, TermError
from causalnet.interventions.spelling import unquoted
from causalnet.interventions.tokens import Token, mistake, tokens_of

__all__ = ["Reader", "Rule"]

P = ParamSpec("P")
T = TypeVar("T")
Rule: TypeAlias = Generator[Any, Any, T]
"""A rule of the grammar: yields rules, returns a term."""

_LONGEST_NUMBER = 400  # digits


class Reader:
    """A text, and how far it is read."""

    def __init__(self, text: str) -> None:
        """Split the text into words."""
        self.text = text
        self.tokens = tokens_of(text)
        self.at = 0
        self.possible: dict[str, None] = {}

    def run(self, first: "Rule[T]") -> T:
        """Return what a rule returns, and refuse words that are left.

        Raises:
            TermError: A word that is not possible where it stands.
        """
        open_: list[Rule[Any]] = [first]
        value: Any = None
        while open_:
            try:
                inner = open_[-1].send(value)
            except StopIteration as end:
                value = end.value
                open_.pop()
            else:
                open_.append(inner)
                value = None
        if self.token.kind != "end":
            raise self.unexpected("the end")
        result: T = value
        return result

    # -- words -----------------------------------------------------------------------------------

    @property
    def token(self) -> Token:
        """The word that is read next."""
        return self.tokens[self.at]

    def following(self, count: int = 1) -> Token:
        """Return a word after the next one."""
        return self.tokens[min(self.at + count, len(self.tokens) - 1)]

    def is_next(self, text: str) -> bool:
        """Return whether a mark or word of the grammar is next; it counts as possible here."""
        token = self.tokens[self.at]
        if token.text == text and token.kind in ("mark", "name"):
            return True
        self.possible[repr(text)] = None
        return False

    def is_kind(self, kind: str, told: str) -> bool:
        """Return whether a word of a kind is next; `told` says what that is."""
        if self.tokens[self.at].kind == kind:
            return True
        self.possible[told] = None
        return False

    def advance(self) -> Token:
        """Return the next word and go past it."""
        token = self.tokens[self.at]
        self.at += token.kind != "end"
        self.possible = {}
        return token

    def took(self, text: str) -> bool:
        """Go past a mark or word if it is next, and return whether it was."""
        if self.is_next(text):
            self.advance()
            return True
        return False

    def take(self, text: str) -> Token:
        """Go past a mark or word.

        Raises:
            TermError: Another one is next.
        """
        if not self.is_next(text):
            raise self.unexpected()
        return self.advance()

    def take_kind(self, kind: str, told: str) -> Token:
        """Go past a word of a kind.

        Raises:
            TermError: Another one is next.
        """
        if not self.is_kind(kind, told):
            raise self.unexpected()
        return self.advance()

    # -- what words say --------------------------------------------------------------------------

    def name(self, told: str) -> str:
        """Return the name that is next, bare or quoted."""
        if self.is_kind("name", told):
            return self.advance().text
        if self.token.kind == "text":
            return self.quoted()
        raise self.unexpected()

    def quoted(self) -> str:
        """Return what the quoted text that is next says."""
        token = self.take_kind("text", "a quoted text")
        return self.made(token, unquoted, token.text)

    def digest(self) -> str:
        """Return the digest that is next."""
        token = self.take_kind("digest", "'#' and a digest")
        inside = token.text[1:]
        return self.made(token, unquoted, inside) if inside[0] in "'\"" else inside

    def whole_number(self, told: str) -> int:
        """Return the whole number that is next, which may have a minus sign."""
        sign = -1 if self.took("-") else 1
        token = self.take_kind("number", told)
        if not token.text.isdigit() or len(token.text) > _LONGEST_NUMBER:
            raise self.wrong(token, f"found {token.text[:20]}", f"possible here: {told}")
        return sign * int(token.text)

    def number(self) -> float:
        """Return the number that is next: an integer where it has neither point nor exponent."""
        sign = -1 if self.took("-") else 1
        if self.token.text.isdigit():
            return sign * self.whole_number("a number")
        return sign * float(self.take_kind("number", "a number").text)

    def version(self) -> int:
        """Return the version that is next, 1 where there is none."""
        if not self.is_kind("version", "a version such as '/v2'"):
            return 1
        token = self.advance()
        if len(token.text) > _LONGEST_NUMBER:
            raise self.wrong(token, f"found a version of {len(token.text)} digits")
        return int(token.text[2:])

    # -- errors ----------------------------------------------------------------------------------

    def made(self, token: Token, make: Callable[P, T], *given: P.args, **named: P.kwargs) -> T:
        """Return what a constructor makes; where it refuses, say at which word.

        Raises:
            TermError: The constructor's own, with line and column.
        """
        try:
            return make(*given, **named)
        except (TermError, ParameterError) as error:
            raise self.wrong(token, str(error)) from None

    def unexpected(self, *more: str) -> TermError:
        """Return the error for the next word, with what was possible in its place."""
        token = self.token
        ends = "the text ends" if self.text.strip() else "the text is empty"
        found = ends if token.kind == "end" else f"found {token.text!r}"
        possible = list(dict.fromkeys((*self.possible, *more)))
        listed = " or ".join(filter(None, (", ".join(possible[:-1]), *possible[-1:])))
        return self.wrong(token, found, f"possible here: {listed}" if listed else "")

    def wrong(self, token: Token, came: str, possible: str = "") -> TermError:
        """Return the error for a word."""
        return mistake(self.text, token.start, came, possible)
