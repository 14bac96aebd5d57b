"""What the schema says about a key: the type, the range and an example, for messages."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

__all__ = ["bounds_of", "example_of", "key_facts"]

_LOW = (("exclusiveMinimum", "above"), ("minimum", "at least"))
_HIGH = (("exclusiveMaximum", "below"), ("maximum", "at most"))


def key_facts(schema: Mapping[str, Any], path: Sequence[str | int]) -> Mapping[str, Any]:
    """Return what a JSON schema says about the value at a path; nothing where it does not lead.

    Args:
        schema: The schema.
        path: Keys, indices and kinds of claims; other steps, such as names of types, are skipped.
    """
    node: Mapping[str, Any] = schema
    for step in path:
        node = next(_under(schema, node, step), node)
    return node


def _under(
    schema: Mapping[str, Any], node: Mapping[str, Any], step: str | int
) -> Iterator[Mapping[str, Any]]:
    for one in _alternatives(schema, node):
        if step in one.get("properties", {}):
            yield one["properties"][step]
        elif isinstance(step, int) and "items" in one:
            yield one["items"]
        elif step in one.get("discriminator", {}).get("mapping", {}):
            yield {"$ref": one["discriminator"]["mapping"][step]}


def _alternatives(
    schema: Mapping[str, Any], node: Mapping[str, Any]
) -> Iterator[Mapping[str, Any]]:
    """Yield a node, and what it refers to or may be instead."""
    yield node
    if "$ref" in node:
        yield from _alternatives(schema, schema["$defs"][str(node["$ref"]).rsplit("/", 1)[-1]])
    for other in node.get("anyOf", ()):
        yield from _alternatives(schema, other)


def bounds_of(facts: Mapping[str, Any]) -> str:
    """Say between which numbers a value lies; an empty text where it has no bounds.

    >>> bounds_of({"exclusiveMinimum": 0.0, "maximum": 0.2})
    'above 0 and at most 0.2'
    >>> bounds_of({"anyOf": [{"type": "integer", "minimum": 1, "maximum": 9}, {"type": "null"}]})
    'of at least 1 and at most 9'
    """
    for one in (facts, *facts.get("anyOf", ())):
        said = [
            f"{words} {one[name]:.15g}"
            for ends in (_LOW, _HIGH)
            for name, words in ends
            if isinstance(one.get(name), int | float)
        ]
        if said:
            text = " and ".join(said)
            return f"of {text}" if text.startswith("at") else text
    return ""


def example_of(facts: Mapping[str, Any]) -> str:
    """Return a value that can be written, in YAML; an empty text where the schema has none.

    >>> example_of({"examples": [["S2", "end"]]}), example_of({"default": 16}), example_of({})
    ('[S2, end]', '16', '')
    """
    values = [*facts.get("examples", ()), facts.get("default")]
    match values[0]:
        case None:
            return ""
        case list() as words:
            return f"[{', '.join(map(str, words))}]"
        case str() as word:
            return word
        case value:
            return json.dumps(value)
