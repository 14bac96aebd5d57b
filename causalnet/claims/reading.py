"""Reading a claim file: text to a checked `ClaimFile`, or an error that shows the place."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from causalnet.claims.circuits import circuit_of
from causalnet.claims.key_facts import bounds_of, example_of, key_facts
from causalnet.claims.schema import ClaimFile, json_schema
from causalnet.claims.source_text import Place, SourceText, nearest_word, read_source
from causalnet.claims.tree import KeyPath, PlacedTree, parse
from causalnet.claims.validity_specs import claims_in, read_validity_spec
from causalnet.errors import ClaimFileError

__all__ = ["read_claim_file", "read_claims"]


def read_claim_file(path: str | Path) -> ClaimFile:
    """Read a claim file in YAML or JSON, with the circuit files that it names.

    Raises:
        ClaimFileError: Anything that is not as the schema says; names file, line and column.
    """
    return read_claims(read_source(path))


def read_claims(source: SourceText) -> ClaimFile:
    """Read the text of a claim file; other files are sought beside `source.path`.

    Raises:
        ClaimFileError: Anything that is not as the schema says; names file, line and column.

    >>> read_claims(SourceText("bad.yaml", "[schema, 1]"))
    Traceback (most recent call last):
    ...
    causalnet.errors.ClaimFileError: bad.yaml:1:1: The file is a list. It is a mapping of keys. \
`causalnet schema` says what is written here.
        1 | [schema, 1]
          | ^^^^^^^^^^^
    """
    tree = parse(source)
    value, left_out = _with_specification(tree)
    try:
        claim_file = ClaimFile.model_validate(value)
    except ValidationError as error:
        raise _first_mistake(tree, error) from error
    claim_file._source, claim_file._left_out = source, left_out
    for index, claim in enumerate((None, *claim_file.claims)):
        path: KeyPath = ("circuit",) if claim is None else ("claims", index - 1, "circuit")
        circuit_of(claim_file, claim, partial(_item_place, tree, path))
    return claim_file


def _with_specification(tree: PlacedTree) -> tuple[Any, tuple[str, ...]]:
    """Return the file's values with the claims of a specification that it names, and what is not.

    Raises:
        ClaimFileError: A file that is not there or is no specification.
    """
    value = tree.value
    if not isinstance(value, dict) or not isinstance(value.get("claims"), str):
        return value, ()
    path = Path(tree.source.path).parent / value["claims"]
    if not path.is_file():
        raise tree.source.error(
            tree.place(("claims",)),
            f"There is no file {value['claims']!r}.",
            "Claims are a list, or a JSON specification of mechanistic-validity beside this file.",
            "Write a list of claims; examples/ioi.yaml shows some.",
        )
    source = read_source(path)
    spec = read_validity_spec(source)
    claims, left_out = claims_in(spec, source)
    return {**value, "claims": claims}, left_out


def _item_place(tree: PlacedTree, path: KeyPath, item: tuple[int, ...]) -> Place:
    return tree.place((*path, *item))


@dataclass(frozen=True, slots=True)
class _Mistake:
    """One mistake in our words; `wanted` is what several alternatives of a type would take."""

    path: KeyPath
    came: str
    wanted: str = ""
    possible: str = ""
    write: str = ""
    at_key: bool = False


def _first_mistake(tree: PlacedTree, error: ValidationError) -> ClaimFileError:
    """Turn the mistake that comes first in the file into an error."""
    found = [_mistake(tree.value, dict(entry)) for entry in error.errors(include_url=False)]
    # Of a union's alternatives, those that got further into the value say more.
    deepest = [one for one in found if not any(_is_within(other.path, one.path) for other in found)]
    places = [tree.place(one.path, key=one.at_key) for one in deepest]
    first = min(range(len(deepest)), key=lambda i: (places[i].line, places[i].column))
    chosen = deepest[first]
    wanted = dict.fromkeys(one.wanted for one in deepest if one.path == chosen.path and one.wanted)
    possible = chosen.possible or (f"It is {' or '.join(wanted)}." if wanted else "")
    return tree.source.error(places[first], chosen.came, possible, chosen.write)


def _is_within(inner: KeyPath, outer: KeyPath) -> bool:
    return len(inner) > len(outer) and inner[: len(outer)] == outer


def _mistake(value: object, error: Mapping[str, Any]) -> _Mistake:
    path, context = _path(value, error["loc"]), error.get("ctx", {})
    shown = f"{_name(path)} is {_short(error['input'])}."
    facts = key_facts(_schema(), error["loc"])
    match error["type"]:
        case "claim_file":
            return _own_mistake(path, context, isinstance(error["input"], dict))
        case "missing":
            return _missing(path, str(error["loc"][-1]), example_of(facts))
        case "union_tag_not_found":
            return _missing(path, "kind")
        case "union_tag_invalid":
            known = str(context["expected_tags"]).replace("'", "").split(", ")
            near = nearest_word(str(context["tag"]), known)
            write = f"Did you mean {near!r}?" if near else f"Write for example 'kind: {known[0]}'."
            came = f"The key 'kind' is {str(context['tag'])[:60]!r}."
            return _Mistake((*path, "kind"), came, f"one of {', '.join(known)}", write=write)
        case "literal_error":
            write = _near_literal(error) or _for_example(path, facts)
            return _Mistake(path, shown, _literal(context), write=write)
        case _ if path and path[-1] == "circuit":
            came = "The circuit is empty." if error["input"] == [] else shown
            return _Mistake(path, came, possible=_CIRCUIT, write=_for_example(path, facts))
        case "string_type" if error["input"] is not None:
            write = _quotes(error["input"]) or _for_example(path, facts)
            return _Mistake(path, shown, "a text", write=write)
        case other:
            wanted = _WANTED.get(other, str(error["msg"])).format(**context)
            bounds = bounds_of(facts)
            if bounds and wanted.startswith(("a number", "a whole number")):
                is_whole = "integer" in str(facts)
                wanted = f"a {'whole ' if is_whole else ''}number {bounds}"
            return _Mistake(path, shown, wanted, write=_for_example(path, facts))


_CIRCUIT = "It is a list of heads and MLPs, or the name of a file that lists them."


@cache
def _schema() -> dict[str, Any]:
    return json_schema()


def _for_example(path: KeyPath, facts: Mapping[str, Any]) -> str:
    """Say what could be written at a key, where the schema knows an example."""
    example, keys = example_of(facts), [step for step in path if isinstance(step, str)]
    if example and keys and keys[-1] == path[-1]:
        return f"Write for example '{keys[-1]}: {example}'."
    return "`causalnet schema` says what is written here."


_WANTED = {
    "string_type": "a text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "tuple_type": "a list",
    "dict_type": "a mapping of keys",
    "model_type": "a mapping of keys",
    "model_attributes_type": "a mapping of keys",
    "finite_number": "a finite number",
    "greater_than": "a number above {gt}",
    "greater_than_equal": "a number of at least {ge}",
    "less_than": "a number below {lt}",
    "less_than_equal": "a number of at most {le}",
    "too_short": "a list with at least {min_length} entry",
    "string_too_short": "a text that is not empty",
    "string_too_long": "a text of at most {max_length} characters",
    "string_pattern_mismatch": "a text that matches {pattern}",
}


def _own_mistake(path: KeyPath, context: Mapping[str, Any], is_mapping: bool) -> _Mistake:
    """Place a mistake that our own validators found: `key` leads on from where they stand."""
    inner: KeyPath = tuple(
        int(part) if part.isdigit() else part
        for part in ([context["key"]] if "." not in context["key"] else context["key"].split("."))
        if part
    )
    is_unknown_key = str(context["came"]).startswith("Unknown key")
    return _Mistake(
        (*path, *inner),
        context["came"],
        possible=context["possible"],
        write=context["write"],
        at_key=is_unknown_key or (is_mapping and not inner),
    )


def _missing(path: KeyPath, key: str, example: str = "") -> _Mistake:
    where = f" in {_steps(path)!r}" if path else ""
    write = f"Write for example '{key}: {example}'." if example else f"Write '{key}: …' there."
    return _Mistake(path, f"Missing key {key!r}{where}.", "needed", write=write, at_key=True)


def _path(value: object, location: tuple[str | int, ...]) -> KeyPath:
    """Follow an error's location as far as the value goes, past the names of alternatives."""
    path: KeyPath = ()
    for step in location:
        if isinstance(value, dict) and step in value:
            value, path = value[step], (*path, step)
        elif isinstance(value, list) and isinstance(step, int) and step < len(value):
            value, path = value[step], (*path, step)
    return path


def _name(path: KeyPath) -> str:
    """Name a value by the keys that lead to it.

    >>> _name(("claims", 1, "at_least"))
    "The key 'claims[1].at_least'"
    """
    if not path:
        return "The file"
    return f"The key {_steps(path)!r}"


def _steps(path: KeyPath) -> str:
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return text[1:]


def _short(value: object) -> str:
    match value:
        case None:
            return "empty"
        case dict():
            return "a mapping"
        case list():
            return "a list"
        case bool():
            return str(value).lower()
        case _:
            shown = repr(value)
            return shown if len(shown) <= 60 else f"{shown[:57]}…"


def _literal(context: Mapping[str, Any]) -> str:
    return str(context["expected"])


def _near_literal(error: Mapping[str, Any]) -> str:
    known = [part for part in str(error["ctx"]["expected"]).split("'") if part.strip(", or")]
    near = nearest_word(str(error["input"]), known)
    return f"Did you mean {near!r}?" if near else ""


def _quotes(value: object) -> str:
    is_plain = isinstance(value, bool | int | float)
    return "Put it in quotes." if is_plain else ""
