"""A YAML text as plain Python values, with the place of every key and value."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from causalnet.claims.guards import check_text, place_of, syntax_error
from causalnet.claims.source_text import Place, SourceText

__all__ = ["KeyPath", "PlacedTree", "parse"]

KeyPath = tuple[str | int, ...]
"""The keys and indices that lead to a value."""

_TAG = "tag:yaml.org,2002:"
_WHOLE = re.compile(r"[-+]?(0|[1-9][0-9]{0,17})")
_DECIMAL = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?")
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class PlacedTree:
    """What a text says, and where.

    Attributes:
        source: The text.
        value: Dictionaries, lists, strings, numbers, booleans and None.
        keys: The place of each key, by the path of its value.
        values: The place of each value, by its path.
    """

    source: SourceText
    value: object
    keys: Mapping[KeyPath, Place]
    values: Mapping[KeyPath, Place]

    def place(self, path: KeyPath, key: bool = False) -> Place:
        """Return the place of a value, or of its key; of the nearest parent where there is none."""
        for length in range(len(path), -1, -1):
            places = self.keys if key or length < len(path) else self.values
            found = places.get(path[:length]) or self.values.get(path[:length])
            if found is not None:
                return found
        return Place(0, 0)


def parse(source: SourceText) -> PlacedTree:
    """Read a text into plain values.

    Raises:
        ClaimFileError: What `check_text` refuses, a key that is given twice or is not a word,
            a number that is not finite or not plain decimal, an empty text.
    """
    check_text(source)
    try:
        root = YAML(typ="safe", pure=True).compose(source.text)
    except (YAMLError, ValueError, OverflowError) as error:
        raise syntax_error(source, error) from error
    if root is None:
        raise source.error(
            Place(0, 0),
            "The file says nothing.",
            "A claim file is a mapping of keys.",
            "See examples/ioi.yaml, or `causalnet schema`.",
        )
    reader = _Reader(source)
    value = reader.read(root, ())
    return PlacedTree(source, value, reader.keys, reader.values)


@dataclass(slots=True)
class _Reader:
    source: SourceText
    keys: dict[KeyPath, Place] = field(default_factory=dict)
    values: dict[KeyPath, Place] = field(default_factory=dict)

    def read(self, node: Node, path: KeyPath) -> object:
        self.values[path] = place_of(node.start_mark, node.end_mark)
        if isinstance(node, MappingNode):
            return self.mapping(node, path)
        if isinstance(node, SequenceNode):
            return [self.read(child, (*path, index)) for index, child in enumerate(node.value)]
        return self.scalar(node, path)

    def mapping(self, node: MappingNode, path: KeyPath) -> dict[str, object]:
        found: dict[str, object] = {}
        for key_node, value_node in node.value:
            key = self.key(key_node, found, path)
            self.keys[*path, key] = place_of(key_node.start_mark, key_node.end_mark)
            found[key] = self.read(value_node, (*path, key))
        return found

    def key(self, node: Node, found: Mapping[str, object], path: KeyPath) -> str:
        place = place_of(node.start_mark, node.end_mark)
        is_word = isinstance(node, ScalarNode) and node.tag == f"{_TAG}str"
        if not is_word:
            raise self.source.error(
                place,
                "A key that is not a word.",
                "Keys are the words that `causalnet schema` lists.",
                "Merge keys ('<<') are not read: write the keys out.",
            )
        key = self.text(node, place)
        if key in found:
            first = self.keys[*path, key]
            raise self.source.error(
                place,
                f"The key {key!r} is given twice, first in line {first.line + 1}.",
                "Each key has one value.",
                "Delete one of the two.",
            )
        return key

    def scalar(self, node: Node, path: KeyPath) -> object:
        place, text = self.values[path], str(node.value)
        match str(node.tag).removeprefix(_TAG):
            case "null":
                return None
            case "bool":
                return text.lower() == "true"
            case "int" | "float":
                return self.number(text, place)
            case _:  # a date, '=', '<<' as a value: what was written
                return self.text(node, place)

    def number(self, text: str, place: Place) -> int | float:
        if _WHOLE.fullmatch(text):
            return int(text)
        value = float(text) if _DECIMAL.fullmatch(text) and len(text) < 400 else math.nan
        plain = not re.fullmatch(r"[-+]?0?[0-9]*", text) and math.isfinite(value)
        if not plain:
            raise self.source.error(
                place,
                f"{text[:40]!r} is not a number that is read here.",
                "Numbers are finite and decimal: 12, 0.8, 1e-3.",
                "Put it in quotes if it is meant as a text.",
            )
        return value

    def text(self, node: Node, place: Place) -> str:
        text = str(node.value)
        hidden = _UNPRINTABLE.search(text)
        if hidden:
            raise self.source.error(
                place,
                f"A text with the control character {hidden[0]!r}.",
                "Texts hold characters that can be printed.",
                "Delete the escape sequence.",
            )
        return text
