"""JSON with the doors closed: no deep nesting, no key twice, no number that is not finite."""

import json
import math
import re
from collections.abc import Callable

from causalnet.graphs.formats.source import Source
from causalnet.graphs.formats.values import MAX_DEPTH, FrozenMapping, Json

__all__ = ["parse_json"]

# A string, closed or not, so that no quote is looked at twice; or a bracket.
_MARKS = re.compile(r'"(?:[^"\\]++|\\.)*+"?|[\[\]{}]', re.DOTALL)
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_LONGEST = 308  # digits of an integer


def parse_json(source: Source, at: int | str | None = None) -> Json:
    """Return the JSON value of a text, frozen, in linear time.

    Args:
        source: The text.
        at: Where the text itself was found, if it is a value inside another file.

    Raises:
        FormatError: Not JSON (with its line), a key that appears twice, NaN or infinity, an integer
            of more than 308 digits, half of a surrogate pair, or nesting deeper than 64 levels.

    >>> parse_json(Source("a.json", '{"a": [1, 2.5]}'))
    {'a': (1, 2.5)}
    """
    _check_depth(source, at)
    number = _Numbers(source, at)
    try:
        value = json.loads(
            source.text,
            object_pairs_hook=_object(source, at),
            parse_int=number.whole,
            parse_float=number.real,
            parse_constant=number.constant,
        )
    except json.JSONDecodeError as error:
        raise source.error(
            error.pos if at is None else at,
            f"This is not JSON: {error.msg}.",
            "Keys and texts stand in double quotes, and no comma ends a list.",
            "Correct the line.",
        ) from error
    if _SURROGATE.search(source.text):
        _check_unicode(source, at, value)
    return _frozen(value)


class _Numbers:
    """How numbers are read, with the place to complain about."""

    def __init__(self, source: Source, at: int | str | None) -> None:
        self.source, self.at = source, at

    def whole(self, text: str) -> int:
        if len(text) > _LONGEST:
            raise self._refused(f"An integer of {len(text)} characters.")
        return int(text)

    def real(self, text: str) -> float:
        value = float(text)
        if not math.isfinite(value):
            raise self._refused(f"The number {text:.40}.")
        return value

    def constant(self, text: str) -> float:
        raise self._refused(f"The number {text}.")

    def _refused(self, came: str) -> Exception:
        return self.source.error(
            self.at, came, "Numbers are finite.", "Write null for a number that is not known."
        )


def _object(
    source: Source, at: int | str | None
) -> Callable[[list[tuple[str, object]]], dict[str, object]]:
    def made(pairs: list[tuple[str, object]]) -> dict[str, object]:
        found = dict(pairs)
        if len(found) < len(pairs):
            seen: set[str] = set()
            twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]  # add returns None, which is false
            raise source.error(
                at,
                f"The key {twice!r} appears twice in one object.",
                "Each key appears once.",
                "Delete one of the two.",
            )
        return found

    return made


def _check_depth(source: Source, at: int | str | None) -> None:
    depth = 0
    for mark in _MARKS.finditer(source.text):
        depth += (mark[0] in "[{") - (mark[0] in "]}")
        if depth > MAX_DEPTH:
            raise source.error(
                mark.start() if at is None else at,
                f"The JSON is nested deeper than {MAX_DEPTH} levels.",
                "A graph has about five.",
                "Flatten the value or leave it out.",
            )


def _check_unicode(source: Source, at: int | str | None, value: object) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise source.error(
            at,
            f"The text {error.object[max(0, error.start - 20) : error.start]!r} is followed by "
            "half of a surrogate pair.",
            "Texts are Unicode.",
            "Write both halves, or delete the escape.",
        ) from None


def _frozen(value: object) -> Json:
    """Freeze what the parser made; its depth is checked already."""
    match value:
        case list():
            return tuple(map(_frozen, value))
        case dict():
            return FrozenMapping({key: _frozen(item) for key, item in value.items()})
        case None | bool() | int() | float() | str():
            return value
    raise TypeError(type(value))
