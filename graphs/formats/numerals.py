"""Numbers as texts spell them."""

import math
import re
from collections.abc import Callable
from decimal import Decimal

__all__ = ["numeral", "spelt_out", "spelt_scalar"]

_NUMERAL = re.compile(r"([+-]?\d{1,308})|[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,6})?")


def numeral(text: str) -> int | float | None:
    """Return the number that a text spells, or None if it spells none that is finite.

    >>> numeral("12"), numeral("-0.5"), numeral("1e400"), numeral("12 m")
    (12, -0.5, None, None)
    """
    match = _NUMERAL.fullmatch(text) if text.isascii() else None
    if match is None:
        return None
    if match[1]:
        return int(text)
    value = float(text)
    return value if math.isfinite(value) else None


def spelt_out(value: float) -> str:
    """Return a number in digits, without an exponent and with a point, so that it is read back.

    >>> spelt_out(1e-7), spelt_out(3.0)
    ('0.0000001', '3.0')
    """
    text = format(Decimal(repr(value)), "f")
    return text if "." in text else f"{text}.0"


def spelt_scalar(value: str | bool | int | float, quoted: Callable[[str], str]) -> str:
    """Return a value as DOT and dagitty write it; texts are quoted as the format does.

    >>> spelt_scalar(True, repr), spelt_scalar(2.5, repr), spelt_scalar("a", repr)
    ('true', '2.5', "'a'")
    """
    match value:
        case bool():
            return str(value).lower()
        case int():
            return str(value)
        case float():
            return spelt_out(value)
    return quoted(value)
