"""Arguments as they are given: refused, with what to write, where they are of another type.

Whoever passes a wrong type is told so at the public door, and not by an `AttributeError` from
inside.  What is quoted is cut short, so that a message stays readable whatever came.
"""

import reprlib
from collections.abc import Iterable, Mapping
from numbers import Integral
from typing import Any

from causalnet.errors import ParameterError

__all__ = ["check_type", "check_whole", "listed", "mapped", "quoted"]

_LONGEST = 80  # characters of a text that are quoted
_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = _LONGEST


def quoted(value: object) -> str:
    """Return a value as it is written in code, long ones without their middle.

    >>> quoted("X"), len(quoted("X" * 1000))
    ("'X'", 80)
    """
    return _SHORT.repr(value)


def check_type(value: object, kind: type, write: str) -> None:
    """Refuse what is not of a type.

    Raises:
        ParameterError: Something else; `write` says how to make one.

    >>> check_type({"X"}, list, "Write ['X'].")
    Traceback (most recent call last):
    ...
    causalnet.errors.ParameterError: {'X'} is no list. Write ['X'].
    """
    if not isinstance(value, kind):
        raise ParameterError(f"{quoted(value)} is no {kind.__name__}.", "", write)


def check_whole(value: object, name: str, least: int = 0) -> None:
    """Refuse what is not a whole number, or is too small.

    Raises:
        ParameterError: Something else.

    >>> check_whole(-1, "tokens", least=1)
    Traceback (most recent call last):
    ...
    causalnet.errors.ParameterError: tokens is -1. It is a whole number from 1.
    """
    if isinstance(value, bool) or not isinstance(value, Integral) or int(value) < least:
        raise ParameterError(f"{name} is {quoted(value)}.", f"It is a whole number from {least}.")


def listed(value: Iterable[Any], what: str, write: str) -> tuple[Any, ...]:
    """Return what is given one by one.

    Raises:
        ParameterError: Text, or what cannot be gone through.

    >>> listed(3, "worlds", "Write [{}].")
    Traceback (most recent call last):
    ...
    causalnet.errors.ParameterError: 3 is no list of worlds. Write [{}].
    """
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise ParameterError(f"{quoted(value)} is no list of {what}.", "", write)
    return tuple(value)


def mapped(value: Mapping[Any, Any], what: str, write: str) -> dict[Any, Any]:
    """Return a mapping as a dictionary.

    Raises:
        ParameterError: Not a mapping.

    >>> mapped(["X"], "interventions", "Write {'X': 'x'}.")
    Traceback (most recent call last):
    ...
    causalnet.errors.ParameterError: ['X'] is no mapping of interventions. Write {'X': 'x'}.
    """
    if not isinstance(value, Mapping):
        raise ParameterError(f"{quoted(value)} is no mapping of {what}.", "", write)
    return dict(value)
