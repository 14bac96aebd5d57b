"""Options of methods: what each may be, checked at the door before anything is run."""

import math
from collections.abc import Callable, Mapping, Sequence
from numbers import Integral, Real

from causalnet.errors import ParameterError

__all__ = ["check_option"]


def _is_whole(value: object) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= 0


def _is_number(value: object) -> bool:
    is_real = isinstance(value, Real) and not isinstance(value, bool)
    return is_real and math.isfinite(float(value))  # type: ignore[arg-type]  # a Real


def _is_listed(value: object, each: Callable[[object], bool]) -> bool:
    is_list = isinstance(value, Sequence) and not isinstance(value, str)
    return is_list and all(each(one) for one in value)  # type: ignore[attr-defined]  # a Sequence


def _is_name(value: object) -> bool:
    return isinstance(value, str)


_KINDS: Mapping[str, tuple[Callable[[object], bool], str, str]] = {
    **dict.fromkeys(
        ("steps", "at_once", "size", "k", "control", "seed"),
        (_is_whole, "a whole number", "{name}=5"),
    ),
    **dict.fromkeys(
        ("strength", "rate", "multiplier_rate", "alpha"),
        (_is_number, "a finite number", "{name}=0.05"),
    ),
    "acdc tau": (
        lambda value: _is_number(value) or (bool(value) and _is_listed(value, _is_number)),
        "a finite number, or several",
        "tau=0.1",
    ),
    "tau": (lambda value: value is None or _is_number(value), "a number or None", "tau=0.1"),
    "early": (lambda value: value is None or _is_number(value), "a number or None", "early=0.01"),
    **dict.fromkeys(
        ("grad_drop", "normalised"),
        (lambda value: isinstance(value, bool), "True or False", "{name}=True"),
    ),
    "senders": (_is_name, "a name", "senders='early'"),
    "by": (_is_name, "a name", "by='eap'"),
    "candidates": (
        lambda value: value is None or _is_listed(value, _is_name),
        "names of units, or None",
        "candidates=['L0.H1', 'L1.H2']",
    ),
    "by_options": (
        lambda value: isinstance(value, Mapping),
        "options by their names",
        "by_options={'steps': 5}",
    ),
}


def check_option(method: str, name: str, value: object) -> None:
    """Check that an option of a method has a value that it can have.

    Raises:
        ParameterError: It has not.

    >>> check_option("acdc", "tau", (0.1, 0.2))
    >>> check_option("acdc", "tau", "abc")
    Traceback (most recent call last):
    ...
    causalnet.errors.ParameterError: The method 'acdc' was given tau='abc'. It takes a finite \
number, or several. Write for example tau=0.1.
    """
    own = f"{method} {name}"
    fits, possible, write = _KINDS[own if own in _KINDS else name]
    if not fits(value):
        raise ParameterError(
            f"The method {method!r} was given {name}={value!r}.",
            f"It takes {possible}.",
            f"Write for example {write.replace('{name}', name)}.",
        )
