"""Reading GraphML, of networkx, yEd, Gephi and others.

The text is parsed by expat, event by event; document types, and with them entities, are refused.
"""

from dataclasses import dataclass, field
from typing import TypeAlias, final
from xml.parsers import expat

from causalnet.errors import FormatError
from causalnet.graphs.formats.carried import EDGE
from causalnet.graphs.formats.collecting import Collector
from causalnet.graphs.formats.graph_file import GraphFile
from causalnet.graphs.formats.numerals import numeral
from causalnet.graphs.formats.source import Source
from causalnet.graphs.formats.values import MAX_DEPTH, Json

__all__ = ["SPACE", "parse_graphml"]

SPACE = "http://graphml.graphdrawing.org/xmlns"
_MOST_DEFAULTS = 1_000_000  # values that defaults may stand for: a small file can ask for many
_TYPES = {
    "string": "string",
    "int": "long",
    "long": "long",
    "float": "double",
    "double": "double",
    "boolean": "boolean",
}
_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}
_PARENTS = {
    "graphml": (None,),
    "key": ("graphml",),
    "default": ("key",),
    "graph": ("graphml",),
    "node": ("graph",),
    "edge": ("graph",),
    "data": ("graph", "node", "edge", "graphml"),
    "desc": ("graphml", "key", "graph", "node", "edge"),
    "port": ("node",),
}


def parse_graphml(source: Source) -> GraphFile:
    """Return the graph of a GraphML text.

    Extensions of other programs (elements of other namespaces, ports, descriptions) are named in
    the notes.

    Raises:
        FormatError: Not XML, a document type or entities, nesting deeper than 64 levels, undirected
            edges, nested graphs, hyperedges, unknown keys, values that are not of their type; each
            with its line.

    >>> text = '<graphml><graph edgedefault="directed"><node id="X"/></graph></graphml>'
    >>> parse_graphml(Source("g.graphml", text)).graph
    ADMG(X)
    """
    return _Reading(source).file()


@dataclass(frozen=True, slots=True)
class _Key:
    """A declared attribute."""

    name: str
    type: str
    domain: str


_Known: TypeAlias = dict[str, _Key]


@dataclass(slots=True)
class _Open:
    """An element that has begun."""

    tag: str
    given: dict[str, str]
    line: int
    text: list[str] = field(default_factory=list)
    holds_others: bool = False
    data: dict[str, Json] = field(default_factory=dict)


@final
class _Reading:
    """One pass over the elements; expat calls back, so that nothing recurses."""

    def __init__(self, source: Source) -> None:
        self.source, self.collector = source, Collector(source)
        self.keys: _Known = {}
        self.defaults: dict[str, str] = {}
        self.open: list[_Open] = []
        self.foreign = 0  # elements of other namespaces that are open
        self.graphs, self.filled = 0, 0
        self.directed = True
        self.edges: list[_Open] = []
        self.parser = expat.ParserCreate("UTF-8", " ")
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self.start
        self.parser.EndElementHandler = self.end
        self.parser.CharacterDataHandler = self.characters
        self.parser.StartDoctypeDeclHandler = self.doctype

    def file(self) -> GraphFile:
        try:
            self.parser.Parse(self.source.text.encode(), True)
        except expat.ExpatError as error:
            raise self.error(
                error.lineno,
                f"This is not XML: {expat.ErrorString(error.code)}.",
                "GraphML is XML with one element <graphml>.",
                "Correct the line; write &lt; &gt; &amp; &quot; inside texts.",
            ) from error
        if not self.graphs:
            raise self.error(1, "There is no <graph>.", "A file holds one.", "Add <graph>.")
        for edge in self.edges:  # after the nodes, which may come later in the file
            self.add_edge(edge)
        return self.collector.file()

    def error(self, line: int, came: str, possible: str, write: str) -> FormatError:
        return self.source.error(f"{line}", came, possible, write)

    def doctype(self, *given: object) -> None:
        raise self.error(
            self.parser.CurrentLineNumber,
            "A document type.",
            "Entities and document types are not read: they can grow without bound.",
            "Delete <!DOCTYPE …>.",
        )

    def start(self, full: str, given: dict[str, str]) -> None:
        space, _, tag = full.rpartition(" ")
        line = self.parser.CurrentLineNumber
        if len(self.open) + self.foreign >= MAX_DEPTH:
            raise self.error(
                line,
                f"Elements are nested deeper than {MAX_DEPTH} levels.",
                "A graph has four.",
                "Flatten the file.",
            )
        if self.foreign or (space and not space.startswith(SPACE) and self.open):
            self.collector.note("Elements of other namespaces are not kept.")
            self.open[-1].holds_others = True
            self.foreign += 1
            return
        parent = self.open[-1].tag if self.open else None
        if parent not in _PARENTS.get(tag, ()):
            raise self.error(
                line,
                f"<{tag}> stands " + (f"inside <{parent}>." if parent else "at the top."),
                "Read are <graphml>, <key>, one <graph>, and in it <node>, <edge> and <data>; "
                "not hyperedges, nested graphs or edges with ends in ports.",
                f"Delete <{tag}>, or export a plain graph.",
            )
        self.open.append(_Open(tag, given, line))
        if tag == "graph":
            self.start_graph(self.open[-1])
        elif tag == "key":
            self.declare(self.open[-1])

    def characters(self, text: str) -> None:
        if not self.foreign and self.open[-1].tag in ("data", "default"):
            self.open[-1].text.append(text)
        elif not text.isspace() and not self.foreign and self.open[-1].tag != "desc":
            self.collector.note("Text that is not in <data> is not kept.")

    def end(self, full: str) -> None:
        if self.foreign:
            self.foreign -= 1
            return
        element = self.open.pop()
        match element.tag:
            case "default":
                self.defaults[self.wanted(self.open[-1], "id")] = "".join(element.text)
            case "data" if self.open[-1].tag == "graphml":
                self.collector.note("Attributes of <graphml> are not kept.")
            case "data" if not (element.holds_others and not "".join(element.text).strip()):
                self.read_data(element, self.open[-1])
            case "node":
                name = self.wanted(element, "id")
                at = str(element.line)
                number = self.collector.new_node(name, at)
                self.collector.describe(number, self.complete(element), at)
                self.note_unknown(element, {"id"})
            case "edge":
                self.edges.append(element)
                self.note_unknown(element, {"id", "source", "target", "directed"})
            case "graph":
                attributes = self.complete(element)
                if element.given.get("id"):
                    attributes.setdefault("name", element.given["id"])
                self.collector.graph_attributes.update(attributes)
            case "desc" | "port":
                self.collector.note(f"Elements <{element.tag}> are not kept.")

    def wanted(self, element: _Open, name: str) -> str:
        if name not in element.given:
            raise self.error(
                element.line,
                f"<{element.tag}> has no {name!r}.",
                f"Every <{element.tag}> has one.",
                f'Write <{element.tag} {name}="…">.',
            )
        return element.given[name]

    def start_graph(self, element: _Open) -> None:
        self.graphs += 1
        if self.graphs > 1:
            raise self.error(
                element.line, "A second <graph>.", "A file holds one.", "Split the file."
            )
        self.directed = element.given.get("edgedefault", "directed") == "directed"

    def note_unknown(self, element: _Open, known: set[str]) -> None:
        for name in element.given.keys() - known:
            self.collector.note(f"The XML attribute {name!r:.60} of <{element.tag}> is not kept.")

    def declare(self, element: _Open) -> None:
        given, name = element.given, self.wanted(element, "id")
        kind = given.get("attr.type", "string")
        if kind not in _TYPES or name in self.keys:
            raise self.error(
                element.line,
                f"The key {name!r:.60} is of type {kind!r:.40} or is declared twice.",
                f"Types are {', '.join(_TYPES)}, and each key is declared once.",
                "Correct the key.",
            )
        self.keys[name] = _Key(given.get("attr.name", name), _TYPES[kind], given.get("for", "all"))

    def read_data(self, element: _Open, owner: _Open) -> None:
        name = self.wanted(element, "key")
        if name not in self.keys:
            raise self.error(
                element.line,
                f"The key {name!r:.60} is not declared.",
                "Every <data> names a <key> that stands above.",
                f'Write <key id="{name:.60}" …/> at the top.',
            )
        attribute = self.keys[name].name
        if attribute in owner.data:
            raise self.error(
                element.line,
                f"The attribute {attribute!r:.60} is there twice.",
                "Each attribute is said once.",
                "Delete one.",
            )
        owner.data[attribute] = self.value("".join(element.text), self.keys[name], element.line)

    def value(self, text: str, key: _Key, line: int) -> Json:
        match key.type:
            case "string":
                return text
            case "boolean" if text.strip().lower() in _BOOLEANS:
                return _BOOLEANS[text.strip().lower()]
            case "long" | "double":
                number = numeral(text.strip())
                if number is not None and (isinstance(number, int) or key.type == "double"):
                    return float(number) if key.type == "double" else number
        raise self.error(
            line,
            f"{text!r:.60} is the value of {key.name!r:.60}.",
            f"The key is declared as {key.type}; numbers are finite.",
            "Correct the value, or declare the key as string.",
        )

    def complete(self, element: _Open) -> dict[str, Json]:
        """Return the attributes of an element with the defaults of those that it lacks."""
        self.filled += len(self.defaults)
        if self.filled > _MOST_DEFAULTS:
            raise self.error(
                element.line,
                f"Defaults stand for more than {_MOST_DEFAULTS:,} values.",
                "Few attributes have a default.",
                "Write the values at the nodes and edges that have them.",
            )
        for name, text in self.defaults.items():
            key = self.keys[name]
            if key.domain in (element.tag, "all") and key.name not in element.data:
                element.data[key.name] = self.value(text, key, element.line)
        return element.data

    def add_edge(self, element: _Open) -> None:
        attributes = self.complete(element)
        name = element.given.get("id")
        mark = attributes.pop(EDGE, name if name == "bidirected" else "directed")
        directed = element.given.get("directed", "true" if self.directed else "false") == "true"
        if mark not in ("directed", "bidirected") or (mark == "directed" and not directed):
            raise self.error(
                element.line,
                "An undirected edge." if mark == "directed" else f"An edge that is {mark!r:.60}.",
                f"Edges are directed, or bidirected, which the attribute {EDGE!r} says.",
                "Give the edge a direction.",
            )
        if name and name not in ("directed", "bidirected"):
            attributes.setdefault("id", name)
        ends = [self.wanted(element, end) for end in ("source", "target")]
        for end in ends:
            if end not in self.collector:
                raise self.error(
                    element.line,
                    f"There is no node {end!r:.60}.",
                    "Edges join nodes of the graph.",
                    "Add the node, or correct the name.",
                )
        at = str(element.line)
        a, b = (self.collector.node(end, at) for end in ends)
        self.collector.edge(a, b, bidirected=mark == "bidirected", attributes=attributes, at=at)
