"""Value symbols: x and x' are values of one variable, and are never told apart by its name alone.

| name | what |
|---|---|
| `Value` | a symbol, or a level, of one variable |
| `symbol` | the symbol of a variable: `x`, `x'`, `x''` |
| `fresh` | one that is not in use |
"""

import re
from collections.abc import Container
from dataclasses import dataclass
from itertools import count
from typing import final

__all__ = ["Value", "fresh", "quoted_name", "symbol"]

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*'*")
_SHORT = re.compile(r"([a-z][a-z0-9_.]*)'*")
_LEVEL = re.compile(r"[0-9]{1,18}")


@final
@dataclass(frozen=True, slots=True, order=True)
class Value:
    """A value of a variable: a symbol such as x or x', or a level such as 1.

    Two symbols of one variable stand for values that may differ; in a counterfactual query they
    do.  A level is a number in up to 18 digits, an index into the variable's levels.

    Attributes:
        variable: The variable.
        name: The symbol, or a level.

    >>> print(Value("X", "x'"), Value("Smoking", "s"), Value("Y", "1"))
    x' Smoking=s Y=1
    """

    variable: str
    name: str

    @property
    def level(self) -> int | None:
        """Return the level, if this is one; None for a symbol."""
        return int(self.name) if _LEVEL.fullmatch(self.name) else None

    @property
    def primes(self) -> int:
        """Return how many primes the symbol ends with."""
        return len(self.name) - len(self.name.rstrip("'"))

    def __str__(self) -> str:
        """Return `x` where that says X as well, else `X=x`; odd names in quotes."""
        short = _SHORT.fullmatch(self.name)
        if short and short[1].upper() == self.variable:
            return self.name
        return f"{quoted_name(self.variable)}={quoted_name(self.name)}"


def symbol(variable: str, primes: int = 0) -> Value:
    """Return the symbol of a variable: its name in lower case, with primes.

    A variable whose name is a number has a `v` in front of it, as numbers are levels.

    >>> print(symbol("X"), symbol("X1", 2), symbol("2"))
    x x1'' 2=v2
    """
    name = variable.lower()
    return Value(variable, ("v" if _LEVEL.fullmatch(name) else "") + name + "'" * primes)


def fresh(variable: str, used: Container[Value]) -> Value:
    """Return the symbol of a variable with the fewest primes that is not in use.

    >>> print(fresh("X", {symbol("X")}))
    x'
    """
    return next(value for k in count() if (value := symbol(variable, k)) not in used)


def quoted_name(name: str) -> str:
    """Return a name as it is written in text: in quotes unless letters, digits, dots and primes.

    >>> quoted_name("L24.H4"), quoted_name("L24.H4[end]")
    ('L24.H4', '"L24.H4[end]"')
    """
    if _NAME.fullmatch(name) or _LEVEL.fullmatch(name):
        return name
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
