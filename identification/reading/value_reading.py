"""Reading values: which variable a short symbol such as x' is of."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import ParamSpec, TypeVar, final

from causalnet.errors import CausalNetError, TermError
from causalnet.graphs.admg import ADMG
from causalnet.identification.reading.tokens import tokens_of
from causalnet.identification.values import Value, quoted_name, symbol
from causalnet.interventions.reading import Reader
from causalnet.interventions.tokens import Token

__all__ = ["DEEPEST", "ValueReader", "Variables", "names_in"]

DEEPEST = 1000
"""So deeply parentheses may be nested in a text; worlds in worlds are counted likewise."""

_LONGEST_NUMBER = 100  # digits of a level
_VALUE = "a value such as y, y' or Y=1"

P = ParamSpec("P")
T = TypeVar("T")


@final
@dataclass(frozen=True, slots=True)
class Variables:
    """The variables that a text may name; any, if it is not said which.

    Attributes:
        graph: A graph whose nodes they are, None for any.
        alike: For each name in lower case the names that it may stand for.
    """

    graph: ADMG | None
    alike: dict[str, tuple[str, ...]]

    @staticmethod
    def of(graph: ADMG | None) -> "Variables":
        """Return the nodes of a graph, or any variables."""
        alike: dict[str, tuple[str, ...]] = {}
        for name in graph.nodes if graph else ():
            alike[name.lower()] = (*alike.get(name.lower(), ()), name)
        return Variables(graph, alike)

    def named(self, word: str) -> str:
        """Return the variable that a word names: by its own name, or in lower case.

        Raises:
            UnknownMediatorError: None; the nearest names are given.
            TermError: Several.

        >>> Variables.of(ADMG.of(nodes=["Smoking"])).named("smoking")
        'Smoking'
        """
        if self.graph is None or word in self.graph:
            return word
        found = self.alike.get(word, ())
        if len(found) > 1:
            raise _ambiguous(word, map(quoted_name, found))
        return found[0] if found else self.graph.nodes[self.graph.index(word)]

    def value(self, word: str) -> Value:
        """Return the value that a word stands for: x' for X, Smoking for its symbol smoking.

        Raises:
            UnknownMediatorError: No variable has such a symbol; the nearest names are given.
            TermError: Several have.

        >>> variables = Variables.of(ADMG.of(nodes=["X", "Smoking"]))
        >>> print(variables.value("x'"), variables.value("X"), variables.value("smoking'"))
        x' x Smoking=smoking'
        """
        base = word.rstrip("'")
        primes = len(word) - len(base)
        if self.graph is None:
            own = base != base.lower()
            return symbol(base, primes) if own else Value(base.upper(), word)
        found = [symbol(word)] if word in self.graph else []
        found += [symbol(base, primes)] if base in self.graph else []
        found += [Value(name, word) for name in self.alike.get(base, ())]
        distinct = [*dict.fromkeys(found)]
        if len(distinct) > 1:
            raise _ambiguous(
                word, (f"{quoted_name(v.variable)}={quoted_name(v.name)}" for v in distinct)
            )
        return distinct[0] if distinct else symbol(self.graph.nodes[self.graph.index(base)])


def _ambiguous(word: str, readings: Iterable[str]) -> TermError:
    return TermError(
        f"{word!r} may be {' or '.join(readings)}.", "", "Write the one that is meant."
    )


class ValueReader(Reader):
    """Reads values and names of variables."""

    def __init__(self, text: str, variables: Variables) -> None:
        """Split the text into words, which are spelled otherwise than in terms of interventions."""
        self.text, self.tokens, self.at = text, tokens_of(text), 0
        self.possible: dict[str, None] = {}
        self.variables = variables
        self.depth = 0

    def word(self, told: str) -> str:
        """Read a name, a quoted name or a number; `told` says what for.

        Raises:
            TermError: Something else, or too many digits.
        """
        token = self.token
        if token.kind == "number":
            self.advance()
            word = token.text
        else:
            word = self.name(told)
        if word.isdecimal() and len(word) > _LONGEST_NUMBER:
            raise self.wrong(token, f"found {len(word)} digits", "numbers are short")
        return word

    def variable(self, told: str = "a variable") -> str:
        """Read the name of a variable."""
        token = self.token
        return self.located(token, self.variables.named, self.word(told))

    def value(self, told: str = _VALUE) -> Value:
        """Read `x'`, `X=x'`, `X=1` or, for its symbol, `X`."""
        token = self.token
        word = self.word(told)
        if self.took("="):
            return self.explicit(token, word)
        return self.short(token, word)

    def explicit(self, token: Token, word: str) -> Value:
        """Read what stands behind `X=`."""
        variable = self.located(token, self.variables.named, word)
        return Value(variable, self.word("a symbol or a level"))

    def short(self, token: Token, word: str) -> Value:
        """Return the value for which a word stands alone."""
        graph = self.variables.graph
        if word.isdecimal() and (graph is None or word not in graph):
            raise self.wrong(token, f"found {word}", f"a level has its variable: Y={word}")
        if not word.strip("'"):
            raise self.wrong(token, "found an empty name", f"possible here: {_VALUE}")
        return self.located(token, self.variables.value, word)

    def names(self) -> tuple[str, ...]:
        """Read variables with commas between them."""
        found = [self.variable()]
        while self.took(","):
            found.append(self.variable())
        return tuple(found)

    def values(self, told: str = _VALUE) -> tuple[Value, ...]:
        """Read values with commas between them."""
        found = [self.value(told)]
        while self.took(","):
            found.append(self.value(told))
        return tuple(found)

    def opened(self, mark: str, deepest: int = DEEPEST) -> Token:
        """Go past an opening parenthesis or brace.

        Raises:
            TermError: Another word, or too many that are open.
        """
        token = self.take(mark)
        self.depth += 1
        if self.depth > deepest:
            possible = f"at most {deepest} may be open at once"
            raise self.wrong(token, f"found one more {mark!r}", possible)
        return token

    def closed(self, mark: str) -> None:
        """Go past a closing parenthesis or brace."""
        self.take(mark)
        self.depth -= 1

    def located(self, token: Token, make: Callable[P, T], *given: P.args, **named: P.kwargs) -> T:
        """Return what a function returns; its error, of the same type, says at which word.

        Raises:
            CausalNetError: The function's own, with line, column and a caret.
        """
        try:
            return make(*given, **named)
        except CausalNetError as error:
            raise type(error)(str(self.wrong(token, str(error)))) from None


def names_in(text: str, graph: ADMG) -> tuple[str, ...]:
    """Return the variables of a graph that a text lists.

    Raises:
        TermError: A text that is no list of names.
        UnknownMediatorError: A name that is not in the graph.

    >>> names_in("X, z", ADMG.of(directed=[("X", "Z")]))
    ('X', 'Z')
    """
    reader = ValueReader(text, Variables.of(graph))
    found = reader.names()
    if reader.token.kind != "end":
        raise reader.unexpected("the end")
    return found
