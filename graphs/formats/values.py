"""Values that files carry beside nodes and edges: JSON values that do not change.

A graph file is immutable, so its lists are tuples and its objects are `FrozenMapping`.
"""

import json
import math
from collections.abc import Iterator, Mapping
from typing import TypeAlias, final

from causalnet.errors import GraphError

__all__ = ["MAX_DEPTH", "FrozenMapping", "Json", "frozen", "frozen_mapping", "json_text", "plain"]

Json: TypeAlias = "bool | int | float | str | tuple[Json, ...] | FrozenMapping | None"

MAX_DEPTH = 64
"""The deepest nesting of values, brackets or elements that is read or kept."""

MAX_BITS = 1000  # 302 digits: a longer integer is no number of a graph


@final
class FrozenMapping(Mapping[str, Json]):
    """An immutable mapping from text to JSON values, equal and hashed by content.

    >>> FrozenMapping({"beta": 0.5})
    {'beta': 0.5}
    >>> FrozenMapping({"beta": 0.5})["beta"]
    0.5
    """

    __slots__ = ("_items",)

    def __init__(self, items: Mapping[str, Json]) -> None:
        """Keep a copy of items whose values are already frozen."""
        self._items = dict(items)

    def __getitem__(self, key: str) -> Json:
        """Return the value of a key."""
        return self._items[key]

    def __iter__(self) -> Iterator[str]:
        """Return the keys, in the order in which they were given."""
        return iter(self._items)

    def __len__(self) -> int:
        """Return the number of keys."""
        return len(self._items)

    def __hash__(self) -> int:
        """Return a hash of the content."""
        return hash(frozenset(self._items.items()))

    def __repr__(self) -> str:
        """Return what a dictionary would print."""
        return repr(self._items)

    def __reduce__(self) -> tuple[object, ...]:
        """Return what pickling and copying need."""
        return FrozenMapping, (self._items,)


def frozen_mapping(value: Mapping[str, object], what: str = "attributes") -> FrozenMapping:
    """Return a mapping that does not change, of any JSON values.

    Raises:
        GraphError: A value that JSON cannot express, a number that is not finite, text that is not
            Unicode, or nesting deeper than `MAX_DEPTH`.

    >>> frozen_mapping({"pos": [0, 1]})
    {'pos': (0, 1)}
    """
    made = frozen(value, what)
    if not isinstance(made, FrozenMapping):
        raise _refused(what, value, "Attributes are a mapping from names to values.")
    return made


def frozen(value: object, what: str = "value", depth: int = 0) -> Json:
    """Return a JSON value as one that does not change: lists as tuples, objects as mappings.

    Raises:
        GraphError: As `frozen_mapping`.
    """
    if depth > MAX_DEPTH:
        raise GraphError(
            f"The {what} nest deeper than {MAX_DEPTH} levels.",
            "Attributes are flat or nearly so.",
            "Keep the value in a file of its own.",
        )
    match value:
        case None | bool():
            return value
        case int():
            return _whole(value, what)
        case float():
            return _finite(value, what)
        case str():
            return _text(value, what)
        case Mapping():
            items = {_key(key, what): frozen(item, what, depth + 1) for key, item in value.items()}
            return FrozenMapping(items)
        case list() | tuple():
            return tuple(frozen(item, what, depth + 1) for item in value)
    raise _refused(what, value, "Text, numbers, booleans, None, lists and mappings can be kept.")


def plain(value: Json) -> object:
    """Return a frozen value as lists and dictionaries, which `json` writes.

    >>> plain(FrozenMapping({"pos": (0, 1)}))
    {'pos': [0, 1]}
    """
    match value:
        case tuple():
            return [plain(item) for item in value]
        case FrozenMapping():
            return {key: plain(item) for key, item in value.items()}
    return value


def json_text(value: Json) -> str:
    """Return a value as one line of JSON in ASCII.

    >>> json_text(FrozenMapping({"pos": (0, 1)}))
    '{"pos": [0, 1]}'
    """
    return json.dumps(plain(value), allow_nan=False)


def _whole(value: int, what: str) -> int:
    if value.bit_length() > MAX_BITS:
        raise _refused(what, f"an integer of {value.bit_length()} bits", "1000 bits are the most.")
    return int(value)


def _finite(value: float, what: str) -> float:
    if not math.isfinite(value):
        raise _refused(what, value, "Numbers are finite: no file format here writes others alike.")
    return float(value)


def _text(value: str, what: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError:
        raise _refused(what, value, "Text is Unicode; half of a surrogate pair is not.") from None
    return str(value)


def _key(key: object, what: str) -> str:
    if not isinstance(key, str):
        raise _refused(what, key, "Names of attributes are text.")
    return _text(key, what)


def _refused(what: str, value: object, possible: str) -> GraphError:
    return GraphError(
        f"The {what} hold {value!r:.80}.", possible, "Change the value or leave it out."
    )
