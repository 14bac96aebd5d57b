"""HTML and SVG built from elements, so that a string can only ever become text.

`tag` escapes every attribute and every child that is not itself `Markup`; nothing in this package
joins strings into HTML by hand.

>>> print(tag("p", "a < b", class_="why"))
<p class="why">a &lt; b</p>
>>> print(tag("p", tag("b", "</p>")))
<p><b>&lt;/p&gt;</b></p>
"""

import json
import re

__all__ = ["Markup", "join", "printable", "script_json", "tag"]

_VOID = frozenset({"meta", "br", "hr"})
_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;", "`": "&#96;"}
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_JSON_ESCAPES = re.compile("[<>&\u2028\u2029\x7f-\x9f]")


class Markup(str):
    """Text that is HTML already; only this module makes it."""

    __slots__ = ()


def printable(text: str) -> str:
    r"""Show control characters and lone surrogates as pictures, since no HTML file may hold them.

    >>> printable("a\x00b\x1b[31m")
    'a␀b␛[31m'
    """
    return _UNPRINTABLE.sub(_picture, text)


def tag(
    name: str, /, *children: str | None, **attributes: str | int | float | bool | None
) -> Markup:
    """Return one element.

    Args:
        name: Its name.
        children: Text, which is escaped, or `Markup`, which is not; `None` is left out.
        attributes: `class_` stands for `class`, an underscore for a hyphen; `None` and `False`
            are left out.
    """
    opening = " ".join([name, *_attributes(attributes)])
    if name in _VOID:
        return Markup(f"<{opening}>")
    return Markup(f"<{opening}>{join(*children)}</{name}>")


def join(*children: str | None) -> Markup:
    """Return the children one after the other, plain text escaped."""
    parts = (child for child in children if child is not None)
    return Markup("".join(part if isinstance(part, Markup) else _escape(part) for part in parts))


def script_json(text: str) -> Markup:
    r"""Return JSON text that cannot end the script element that holds it.

    >>> print(script_json('{"a": "</script>"}'))
    {"a": "\u003c/script\u003e"}

    Raises:
        json.JSONDecodeError: `text` is not JSON.
    """
    json.loads(text)  # anything else would be passed through as a script of unknown content
    return Markup(_JSON_ESCAPES.sub(lambda found: f"\\u{ord(found[0]):04x}", text))


def _escape(text: str) -> str:
    return re.sub("[&<>\"'`]", lambda found: _ESCAPES[found[0]], printable(text))


def _picture(found: re.Match[str]) -> str:
    code = ord(found[0])
    if code < 0x20:
        return chr(0x2400 + code)
    return "\u2421" if code == 0x7F else "\ufffd"


def _attributes(attributes: dict[str, str | int | float | bool | None]) -> list[str]:
    shown: list[str] = []
    for key, value in attributes.items():
        name = key.rstrip("_").replace("_", "-")
        match value:
            case None | False:
                continue
            case True:
                shown.append(name)
            case float():
                shown.append(f'{name}="{_decimal(value)}"')
            case _:
                shown.append(f'{name}="{_escape(str(value))}"')
    return shown


def _decimal(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")
