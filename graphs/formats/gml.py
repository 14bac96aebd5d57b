"""GML, as DoWhy reads it: `graph [ directed 1 node [ id 0 label "X" observed "no" ] ]`.

DoWhy knows no bidirected edges, so each is written as a latent node with two edges, which
`causalnet_edge "bidirected"` marks and which is an edge again when it is read.  Names and texts are
ASCII with character references and hold no line ends, because DoWhy joins lines.  A node's
attribute `label` is set apart: in GML the label is the name.
"""

import re
from collections.abc import Iterator, Mapping
from html.entities import name2codepoint
from itertools import count
from typing import TypeAlias

from causalnet.graphs.formats.carried import EDGE, Fits, Scalar, graph_level, packed, with_roles
from causalnet.graphs.formats.collecting import Collector
from causalnet.graphs.formats.graph_file import GraphFile
from causalnet.graphs.formats.numerals import numeral
from causalnet.graphs.formats.source import Source
from causalnet.graphs.formats.values import MAX_DEPTH, FrozenMapping, Json

__all__ = ["gml_text", "parse_gml"]

_TOKENS = re.compile(
    r"""(?P<skip>(?:\s++|\#[^\n]*+)++)
    |(?P<key>[A-Za-z][0-9A-Za-z_]*+)
    |(?P<number>[+-]?[0-9.]++(?:[Ee][+-]?[0-9]++)?)(?![\w.])
    |(?P<text>"[^"]*+")
    |(?P<mark>[\[\]])""",
    re.VERBOSE,
)
_REFERENCE = re.compile(r"&(?:\#([0-9]{1,7}|[xX][0-9a-fA-F]{1,6})|([A-Za-z][A-Za-z0-9]*));")
_OUTSIDE = re.compile(r'[^ -~]|[&"]')
_KEY = re.compile(r"[A-Za-z][0-9A-Za-z_]*")
_OF_GRAPH = ("directed", "multigraph", "node", "edge")
_OF_NODE = ("id", "label")
_OF_EDGE = ("source", "target")


class _Record:
    """A list in brackets: its entries by key, and where it begins."""

    __slots__ = ("at", "entries")

    def __init__(self, at: int) -> None:
        self.at = at
        self.entries: dict[str, list[_Entry]] = {}


_Entry: TypeAlias = "int | float | str | _Record"


class _Arc:
    """A bidirected edge that is written as a latent node: its list, and the ends so far."""

    __slots__ = ("ends", "record")

    def __init__(self, record: _Record) -> None:
        self.record = record
        self.ends: list[int] = []


_Meant: TypeAlias = "dict[int | float | str, int | _Arc]"


def parse_gml(source: Source) -> GraphFile:
    """Return the graph of a GML text; `observed "no"` makes a node latent.

    A node without label has its id as name.  A key that appears several times in one list is a
    list; nested lists are mappings.

    Raises:
        FormatError: Not GML, an undirected graph, nodes without id or with one name, edges to ids
            that are not there, nesting deeper than 64 levels, a cycle; with the line.

    >>> text = 'graph [directed 1 node [id 0 label "X" observed "no"]]'
    >>> parse_gml(Source("g.gml", text)).latents
    frozenset({'X'})
    """
    top = _records(source)
    graph = _one(source, top, "graph")
    collector = Collector(source)
    for key in top.entries.keys() - {"graph"}:
        collector.note(f"{key!r:.60} outside the graph is not kept.")
    if graph.entries.get("directed", [0]) != [1]:
        raise source.error(
            graph.at, "The graph is not directed.", "Edges have a direction.", "Write directed 1."
        )
    collector.graph_attributes = _attributes(source, graph, _OF_GRAPH)
    meant = _read_nodes(source, collector, graph)
    _read_edges(source, collector, graph, meant)
    _read_arcs(source, collector, meant)
    return collector.file()


# Reading.


def _records(source: Source) -> _Record:
    """Return the text as nested lists; a stack takes the place of recursion."""
    stack, key = [_Record(0)], ""
    for kind, text, at in _tokens(source):
        if text == "]" and kind == "mark" and not key and len(stack) > 1:
            stack.pop()
            continue
        if (kind == "key") == bool(key) or (kind == "mark" and text == "]"):
            raise source.error(
                at,
                f"Found {text!r:.60}" + (f" after {key!r:.60}." if key else "."),
                "GML is pairs of a key and a value: a number, a text in quotes or a list in [ ].",
                "Write the missing part.",
            )
        if kind == "key":
            key = text
            continue
        value: _Entry = _Record(at) if kind == "mark" else _value(source, kind, text, at)
        stack[-1].entries.setdefault(key, []).append(value)
        key = ""
        if isinstance(value, _Record):
            stack.append(value)
        if len(stack) > MAX_DEPTH:
            raise source.error(
                at,
                f"Lists are nested deeper than {MAX_DEPTH} levels.",
                "A graph has three.",
                "Flatten the list.",
            )
    if key or len(stack) > 1:
        raise source.error(
            len(source.text), "The text ends too early.", "Lists are closed.", "Write ']'."
        )
    return stack[0]


def _tokens(source: Source) -> Iterator[tuple[str, str, int]]:
    text, at = source.text, 0
    while at < len(text):
        match = _TOKENS.match(text, at)
        if match is None or match.lastgroup is None:
            raise source.error(
                at,
                f"{text[at : at + 20]!r} is not GML.",
                "Keys are ASCII words, texts stand in quotes that are closed.",
                'Write &#34; for a quote inside a text, and texts as "…".',
            )
        if match.lastgroup != "skip":
            yield match.lastgroup, match[0], at
        at = match.end()


def _value(source: Source, kind: str, text: str, at: int) -> int | float | str:
    if kind == "text":
        meant = _REFERENCE.sub(_character, text[1:-1])
        if any("\ud800" <= character <= "\udfff" for character in meant):
            raise source.error(
                at, "Half of a surrogate pair.", "Texts are Unicode.", "Write the character."
            )
        return meant
    number = numeral(text)
    if number is None:
        raise source.error(
            at, f"The number {text:.40}.", "Numbers are finite.", "Correct it, or put it in quotes."
        )
    return number


def _character(reference: re.Match[str]) -> str:
    number, name = reference.groups()
    if name:
        return chr(name2codepoint[name]) if name in name2codepoint else reference[0]
    code = int(number[1:], 16) if number[0] in "xX" else int(number)
    return chr(code) if code < 0x110000 else reference[0]


def _one(source: Source, record: _Record, key: str) -> _Record:
    found = record.entries.get(key, [])
    if len(found) != 1 or not isinstance(found[0], _Record):
        raise source.error(
            record.at,
            f"There are {len(found)} values of {key!r}.",
            "There is one list.",
            f"Write one {key} [ … ].",
        )
    return found[0]


def _listed(source: Source, graph: _Record, key: str) -> Iterator[_Record]:
    for member in graph.entries.get(key, []):
        if not isinstance(member, _Record):
            raise source.error(
                graph.at, f"A {key} that is {member!r:.60}.", "It is a list.", f"Write {key} [ … ]."
            )
        yield member


def _attributes(source: Source, record: _Record, taken: tuple[str, ...]) -> dict[str, Json]:
    entries = {key: values for key, values in record.entries.items() if key not in taken}
    return {key: _json(source, values, record.at) for key, values in entries.items()}


def _json(source: Source, values: list[_Entry], at: int) -> Json:
    """Return the values of one key; nesting is at most `MAX_DEPTH`, which reading has checked."""
    made = tuple(
        FrozenMapping(_attributes(source, value, ())) if isinstance(value, _Record) else value
        for value in values
    )
    return made[0] if len(made) == 1 else made


def _id(source: Source, record: _Record, key: str) -> int | float | str:
    found = record.entries.get(key, [])
    if len(found) != 1 or isinstance(found[0], _Record):
        raise source.error(
            record.at,
            f"There are {len(found)} values of {key!r}, or it is a list.",
            "Nodes have one id, edges one source and one target, each a number or a text.",
            f"Write one {key}.",
        )
    return found[0]


def _read_nodes(source: Source, collector: Collector, graph: _Record) -> _Meant:
    """Return what each id stands for: a node's number, or a bidirected edge."""
    found: _Meant = {}
    for record in _listed(source, graph, "node"):
        name = _id(source, record, "id")
        if name in found:
            raise source.error(
                record.at, f"A second node with id {name!r:.60}.", "Ids differ.", "Change one."
            )
        if record.entries.get(EDGE) == ["bidirected"]:
            found[name] = _Arc(record)
            continue
        label = _id(source, record, "label") if "label" in record.entries else name
        number = collector.new_node(str(label), record.at)
        collector.describe(number, _attributes(source, record, _OF_NODE), record.at)
        found[name] = number
    return found


def _read_edges(source: Source, collector: Collector, graph: _Record, meant: _Meant) -> None:
    for record in _listed(source, graph, "edge"):
        tail, head = (_end(source, record, key, meant) for key in _OF_EDGE)
        if isinstance(tail, _Arc) and isinstance(head, int):
            tail.ends.append(head)
            if record.entries.keys() - set(_OF_EDGE):
                collector.note("Attributes of one half of a bidirected edge are not kept.")
        elif isinstance(tail, int) and isinstance(head, int):
            attributes = _attributes(source, record, _OF_EDGE)
            collector.edge(tail, head, bidirected=False, attributes=attributes, at=record.at)
        else:
            raise source.error(
                record.at,
                "An edge into a node that stands for a bidirected edge.",
                f"A node with {EDGE} has two edges, both out of it.",
                f"Take {EDGE} away if it is a node like others.",
            )


def _end(source: Source, record: _Record, key: str, meant: _Meant) -> int | _Arc:
    name = _id(source, record, key)
    if name not in meant:
        raise source.error(
            record.at,
            f"There is no node with id {name!r:.60}.",
            "Edges join the ids of nodes.",
            f"Correct {key}, or add the node.",
        )
    return meant[name]


def _read_arcs(source: Source, collector: Collector, meant: _Meant) -> None:
    for arc in meant.values():
        if not isinstance(arc, _Arc):
            continue
        at = arc.record.at
        if len(arc.ends) != 2:
            raise source.error(
                at,
                f"A node that stands for a bidirected edge has {len(arc.ends)} edges.",
                "It has two, both out of it.",
                f"Add what is missing, or take {EDGE} away.",
            )
        attributes = _attributes(source, arc.record, (*_OF_NODE, EDGE, "observed"))
        collector.edge(*arc.ends, bidirected=True, attributes=attributes, at=at)


# Writing.


def gml_text(file: GraphFile) -> str:
    """Return a graph as GML that DoWhy and networkx read.

    A graph with bidirected edges gains latent nodes, one for each, called `U(X, Y)`.

    >>> from causalnet.graphs.admg import ADMG
    >>> print(gml_text(GraphFile.of(ADMG.of(directed=[("X", "Y")]))), end="")
    graph [
      directed 1
      node [ id 0 label "X" ]
      node [ id 1 label "Y" ]
      edge [ source 0 target 1 ]
    ]
    """
    graph = file.graph
    number = {name: place for place, name in enumerate(graph.nodes)}
    lines = [f"{key} {value}" for key, value in _pairs(graph_level(file, _fits(_OF_GRAPH)))]
    lines += [_node(file, number, name) for name in graph.nodes]
    lines += [_arrow(file, number, tail, head) for tail, head in graph.directed]
    for place, (a, b) in enumerate(graph.bidirected, start=len(number)):
        lines += [_common_cause(file, number, place, a, b)]
        lines += [f"edge [ source {place} target {number[end]} ]" for end in (a, b)]
    return "\n".join(["graph [", "  directed 1", *(f"  {line}" for line in lines), "]"]) + "\n"


def _fits(taken: tuple[str, ...]) -> Fits:
    def fits(name: str, value: Json) -> bool:
        return bool(_KEY.fullmatch(name)) and name not in taken and not isinstance(value, bool)

    return fits


def _node(file: GraphFile, number: Mapping[str, int], name: str) -> str:
    attributes = packed(file.node_attributes.get(name, FrozenMapping({})), _fits(_OF_NODE))
    begin: dict[str, Scalar] = {"id": number[name], "label": name}
    return _list("node", begin | attributes | with_roles(file, name))


def _arrow(file: GraphFile, number: Mapping[str, int], tail: str, head: str) -> str:
    given = file.edge_attributes.get((tail, "->", head), FrozenMapping({}))
    ends: dict[str, Scalar] = {"source": number[tail], "target": number[head]}
    return _list("edge", ends | packed(given, _fits(_OF_EDGE)))


def _common_cause(file: GraphFile, number: Mapping[str, int], place: int, a: str, b: str) -> str:
    """Return the latent node that stands for a <-> b, under a name that no node has."""
    free = next(
        name for tries in count(1) if (name := f"U({a}, {b})" + "'" * (tries - 1)) not in number
    )
    given = file.edge_attributes.get((a, "<->", b), FrozenMapping({}))
    attributes = packed(given, _fits((*_OF_NODE, "observed")))
    marks: dict[str, Scalar] = {"observed": "no", EDGE: "bidirected"}
    return _list("node", {"id": place, "label": free, **attributes, **marks})


def _list(key: str, attributes: Mapping[str, Scalar]) -> str:
    inside = " ".join(f"{name} {value}" for name, value in _pairs(attributes))
    return f"{key} [ {inside} ]"


def _pairs(attributes: Mapping[str, Scalar]) -> list[tuple[str, str]]:
    return [(name, _spelt(value)) for name, value in attributes.items()]


def _spelt(value: Scalar) -> str:
    """Return a value as GML, whose reals have a point."""
    if isinstance(value, float):
        whole, exponent, power = repr(value).partition("e")
        return f"{whole}{exponent}{power}" if "." in whole else f"{whole}.0{exponent}{power}"
    if isinstance(value, str):
        return f'"{_OUTSIDE.sub(lambda character: f"&#{ord(character[0])};", value)}"'
    return str(value)
