"""Text that a graph's reader understands: `smoking` in place of `Smoking=smoking`."""

import re

from causalnet.errors import CausalNetError
from causalnet.graphs.admg import ADMG
from causalnet.identification.reading.value_reading import Variables
from causalnet.identification.values import Value
from causalnet.interventions.spelling import unquoted

__all__ = ["shortened"]

_QUOTED = r'"(?:[^"\\]|\\.)*"'
_WORD = rf"{_QUOTED}|[A-Za-z_][A-Za-z0-9_.]*'*"
# A quoted name that is no value is gone past as a whole, as it may hold anything.
_VALUE = re.compile(rf"(?P<variable>{_WORD})=(?P<name>{_WORD})|{_QUOTED}", re.DOTALL)


def shortened(text: str, graph: ADMG) -> str:
    """Return a printed question or formula with symbols alone where the graph says of what.

    `parse_question(text, graph)` and `parse_expression(text, graph.nodes)` read the same.

    >>> graph = ADMG.of(directed=[("Smoking", "Cancer")])
    >>> shortened("P(Cancer=cancer|Smoking=smoking') - P(Cancer=cancer|Smoking=0)", graph)
    "P(cancer|smoking') - P(cancer|Smoking=0)"
    """
    variables = Variables.of(graph)

    def short(found: re.Match[str]) -> str:
        if found["variable"] is None:
            return found[0]
        value = Value(_unquoted(found["variable"]), _unquoted(found["name"]))
        return found["name"] if _is_told(value, variables) else found[0]

    return _VALUE.sub(short, text)


def _unquoted(word: str) -> str:
    return unquoted(word) if word.startswith('"') else word


def _is_told(value: Value, variables: Variables) -> bool:
    """Return whether the symbol alone is read as the value."""
    if value.name.rstrip("'") != value.variable.lower() or value.level is not None:
        return False
    try:
        return variables.value(value.name) == value
    except CausalNetError:  # of several variables, or of another graph's
        return False
