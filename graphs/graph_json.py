"""Mediator graphs as JSON, version 1: written compactly, read with every mistake named by its key.

Edges from a stream stay implicit, defaults are left out, and the axes of values are a table that
nodes point into.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any, TypeVar

from causalnet.errors import CausalNetError, FormatError
from causalnet.graphs.grains import Grain
from causalnet.graphs.mediator_graph import MediatorGraph
from causalnet.graphs.mediators import Kind, Mediator
from causalnet.graphs.nodes import Axis, Cut, Merge, Node, Regime, Role, Slot, Stream
from causalnet.graphs.shape import TransformerShape

__all__ = ["FORMAT_KEY", "FORMAT_VERSION", "from_json", "to_json"]

FORMAT_KEY, FORMAT_VERSION = "causalnet_graph", 1
_FLAGS = ("attention_bias", "normed", "positions_apart", "causal")
_RARE = ("silent", "positions_apart", "causal")  # sizes that are left out where they are defaults
_FLAT = ("linear_in", "additive", "pointwise")

T = TypeVar("T")
S = TypeVar("S", bound=StrEnum)


def to_json(graph: MediatorGraph) -> str:
    """Return a graph as JSON; `from_json` reads it back to an equal graph.

    >>> from causalnet.graphs import plain_graph
    >>> to_json(plain_graph({"X": (), "Y": ("X",)}))[:45]
    '{"causalnet_graph":1,"axes":[[]],"nodes":[{"n'
    """
    table: dict[tuple[Axis, ...], int] = {}
    nodes = [_node(node, table.setdefault(node.axes, len(table))) for node in graph.nodes]
    content: dict[str, object] = {
        FORMAT_KEY: FORMAT_VERSION,
        "axes": [[[a.name, a.role.value, a.size] for a in axes] for axes in table],
        "nodes": nodes,
        "streams": [{"name": s.name, "writers": list(s.writers)} for s in graph.streams],
        "cuts": [
            {"name": c.name, "stream": c.stream, "writers_before": c.writers_before}
            for c in graph.cuts
        ],
    }
    if graph.sizes is not None:
        content["sizes"] = _sizes(graph.sizes)
    if graph.grain is not None:
        content["grain"] = graph.grain.value
    if graph.tokens is not None:
        content["tokens"] = graph.tokens
    if graph.origin:
        content["origin"] = graph.origin
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"))


def _sizes(shape: TransformerShape) -> dict[str, object]:
    content: dict[str, object] = {}
    for part in fields(TransformerShape):
        value = getattr(shape, part.name)
        if part.name not in _RARE or value != part.default:
            content[part.name] = list(value) if isinstance(value, tuple) else value
    return content


def _node(node: Node, axes: int) -> dict[str, object]:
    mediator = node.mediator
    content: dict[str, object] = {"name": mediator.name, "kind": mediator.kind.value}
    for name in ("layer", "index", "position"):
        if getattr(mediator, name) is not None:
            content[name] = getattr(mediator, name)
    content["axes"] = axes
    if node.slots:
        content["slots"] = [_slot(slot) for slot in node.slots]
    for name in _FLAT:
        if getattr(node, name):
            content[name] = list(getattr(node, name))
    if not node.pure:
        content["pure"] = False
    if node.regimes:
        content["regimes"] = [regime.value for regime in node.regimes]
    return content


def _slot(slot: Slot) -> dict[str, object]:
    content: dict[str, object] = {"name": slot.name, "merge": slot.merge.value}
    if slot.stream:
        content |= {"stream": slot.stream, "writers_before": slot.writers_before}
    else:
        content["parents"] = list(slot.parents)
    if slot.owner:
        content["owner"] = slot.owner
    if slot.pointwise:
        content["pointwise"] = list(slot.pointwise)
    return content


def from_json(text: str) -> MediatorGraph:
    """Read a graph that `to_json` wrote.

    Raises:
        FormatError: Not JSON, another version, a key missing, unknown or twice, a value of another
            type, or content that is not a graph; the key is named.

    >>> from_json('{"causalnet_graph":2}')
    Traceback (most recent call last):
    ...
    causalnet.errors.FormatError: The graph's 'causalnet_graph' is 2. \
This version reads 'causalnet_graph': 1.
    """
    top = _Part(_parsed(text), "")
    version = top.value.get(FORMAT_KEY) if isinstance(top.value, dict) else None
    if version != FORMAT_VERSION or isinstance(version, bool):
        raise FormatError(
            f"The graph's {FORMAT_KEY!r} is {version!r}.",
            f"This version reads {FORMAT_KEY!r}: {FORMAT_VERSION}.",
        )
    optional = ("sizes?", "grain?", "tokens?", "origin?")
    top.check_keys(FORMAT_KEY, "axes", "nodes", "streams", "cuts", *optional)
    axes = [tuple(map(_read_axis, row.items())) for row in top.get("axes").items()]
    streams = (_read_stream(part) for part in top.get("streams").items())
    cuts = (_read_cut(part) for part in top.get("cuts").items())
    sizes = _read_sizes(top.get("sizes")) if top.has("sizes") else None
    grain = top.get("grain").choice(Grain) if top.has("grain") else None
    tokens = top.get("tokens").number() if top.has("tokens") else None
    origin = top.get("origin").text() if top.has("origin") else ""
    nodes = (_read_node(part, axes) for part in top.get("nodes").items())
    try:
        parts = (tuple(nodes), tuple(streams), tuple(cuts))
        return MediatorGraph(*parts, sizes, grain, tokens, origin)
    except FormatError:
        raise
    except CausalNetError as refused:
        raise FormatError(
            f"The content is not a graph: {refused.came}", refused.possible, refused.write
        ) from refused


def _parsed(text: str) -> object:
    try:
        content: object = json.loads(text, object_pairs_hook=_without_repeats)
    except (TypeError, ValueError, RecursionError) as mistake:
        raise FormatError(
            f"This is not JSON: {mistake}.", "A graph is what graph.to_json() writes."
        ) from None
    return content


def _without_repeats(pairs: list[tuple[str, object]]) -> dict[str, object]:
    content = dict(pairs)
    if len(content) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise FormatError(f"The key {twice!r} comes twice in one object.", "Keys differ.")
    return content


@dataclass(frozen=True, slots=True)
class _Part:
    """A value of the file and where it is: `nodes[3].slots[0].merge`."""

    value: object
    path: str

    def wrong(self, wanted: str) -> FormatError:
        shown = json.dumps(self.value, ensure_ascii=False)
        return FormatError(
            f"{self.path or 'The content'} is {shown[:60]}{'...' if len(shown) > 60 else ''}.",
            f"It is {wanted}.",
        )

    def check_keys(self, *wanted: str) -> None:
        """Check that there is every key, one with `?` perhaps, and no other."""
        if not isinstance(self.value, dict):
            raise self.wrong("an object")
        known = [key.rstrip("?") for key in wanted]
        for key in wanted:
            if not key.endswith("?") and key not in self.value:
                raise FormatError(
                    f"{self.path or 'The content'} has no {key!r}.", f"Its keys: {known}."
                )
        for key in self.value:
            if key not in known:
                raise FormatError(
                    f"{self.path or 'The content'} has a key {key!r}.", f"Its keys: {known}."
                )

    def has(self, key: str) -> bool:
        return isinstance(self.value, dict) and key in self.value

    def get(self, key: str) -> "_Part":
        if not isinstance(self.value, dict):
            raise self.wrong("an object")
        return _Part(self.value[key], f"{self.path}.{key}" if self.path else key)

    def items(self) -> Iterator["_Part"]:
        if not isinstance(self.value, list):
            raise self.wrong("a list")
        for index, item in enumerate(self.value):
            yield _Part(item, f"{self.path}[{index}]")

    def text(self) -> str:
        if not isinstance(self.value, str):
            raise self.wrong("text")
        return self.value

    def number(self) -> int:
        if not isinstance(self.value, int) or isinstance(self.value, bool) or self.value < 0:
            raise self.wrong("a whole number from 0")
        return self.value

    def flag(self) -> bool:
        if not isinstance(self.value, bool):
            raise self.wrong("true or false")
        return self.value

    def choice(self, kind: type[S]) -> S:
        try:
            return kind(self.text())
        except ValueError:
            raise self.wrong(f"one of {', '.join(kind)}") from None

    def texts(self, key: str) -> tuple[str, ...]:
        return self.maybe(key, lambda part: tuple(p.text() for p in part.items()), ())

    def maybe(self, key: str, read: "Callable[[_Part], T]", default: T) -> T:
        return read(self.get(key)) if self.has(key) else default


def _read_axis(part: _Part) -> Axis:
    row = [*part.items()]
    if len(row) != 3:
        raise part.wrong("[name, role, size or null]")
    name, role, size = row
    return Axis(name.text(), role.choice(Role), None if size.value is None else size.number())


def _read_stream(part: _Part) -> Stream:
    part.check_keys("name", "writers")
    return Stream(part.get("name").text(), part.texts("writers"))


def _read_cut(part: _Part) -> Cut:
    part.check_keys("name", "stream", "writers_before")
    name, stream = part.get("name").text(), part.get("stream").text()
    return Cut(name, stream, part.get("writers_before").number())


def _read_sizes(part: _Part) -> TransformerShape:
    names = [field.name for field in fields(TransformerShape)]
    part.check_keys(*(f"{name}?" if name in _RARE else name for name in names))
    sizes: dict[str, Any] = {
        name: part.get(name).flag() if name in _FLAGS else part.get(name).number()
        for name in names
        if name != "silent" and part.has(name)
    }
    sizes["silent"] = part.texts("silent")
    try:
        return TransformerShape(**sizes)
    except CausalNetError as refused:
        raise FormatError(f"sizes: {refused.came}", refused.possible) from refused


def _read_node(part: _Part, table: Sequence[tuple[Axis, ...]]) -> Node:
    optional = ("layer?", "index?", "position?", "slots?", "pure?", "regimes?")
    part.check_keys("name", "kind", "axes", *optional, *(f"{name}?" for name in _FLAT))
    layer, index, position = (
        part.maybe(name, _Part.number, None) for name in ("layer", "index", "position")
    )
    name, kind = part.get("name").text(), part.get("kind").choice(Kind)
    axes = part.get("axes")
    if axes.number() >= len(table):
        raise axes.wrong(f"the place of a row of 'axes', below {len(table)}")
    linear_in, additive, pointwise = (part.texts(name) for name in _FLAT)
    return Node(
        Mediator(name, kind, layer, index, position),
        table[axes.number()],
        part.maybe("slots", lambda given: tuple(map(_read_slot, given.items())), ()),
        linear_in,
        additive,
        pointwise,
        part.maybe("pure", _Part.flag, True),
        part.maybe("regimes", lambda given: tuple(p.choice(Regime) for p in given.items()), ()),
    )


def _read_slot(part: _Part) -> Slot:
    of_stream = ("stream", "writers_before") if part.has("stream") else ("parents",)
    part.check_keys("name", "merge", *of_stream, "owner?", "pointwise?")
    return Slot(
        part.get("name").text(),
        part.get("merge").choice(Merge),
        part.texts("parents"),
        part.maybe("stream", _Part.text, ""),
        part.maybe("writers_before", _Part.number, 0),
        part.maybe("owner", _Part.text, ""),
        part.texts("pointwise"),
    )
