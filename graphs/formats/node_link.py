"""Node-link JSON, as networkx writes and reads it.

`networkx.node_link_graph(json.loads(text), edges="links")` makes the graph that
`ADMG.to_networkx` makes: a multigraph whose edges have the keys `directed` and `bidirected`, a
bidirected edge once from each end.
"""

import json
from collections.abc import Iterator, Mapping

from causalnet.errors import FormatError
from causalnet.graphs.formats.carried import OVERFLOW, with_roles
from causalnet.graphs.formats.collecting import Collector
from causalnet.graphs.formats.graph_file import GraphFile
from causalnet.graphs.formats.json_text import parse_json
from causalnet.graphs.formats.source import Source
from causalnet.graphs.formats.values import FrozenMapping, Json, json_text, plain

__all__ = ["node_link_text", "parse_node_link"]

_KNOWN = ("directed", "multigraph", "graph", "nodes", "links", "edges")
_NODE, _ENDS = ("id",), ("source", "target")
_KEYS = {"->": "directed", "<->": "bidirected"}
_EMPTY = FrozenMapping({})


def parse_node_link(source: Source) -> GraphFile:
    """Return the graph of a node-link JSON text; edges stand under `links` or `edges`.

    Names that are numbers become text.  An edge with the key `bidirected` is one.

    Raises:
        FormatError: Not JSON, a field that is missing or of the wrong kind (with its JSON pointer),
            an undirected graph, an edge to a node that is not there, a cycle.

    >>> text = '{"nodes": [{"id": "X"}, {"id": "Y"}], "links": [{"source": "X", "target": "Y"}]}'
    >>> parse_node_link(Source("g.json", text)).graph
    ADMG(X -> Y)
    """
    top = _object(source, "/", parse_json(source))
    if top.get("directed", True) is not True:
        raise source.error(
            "/directed",
            "The graph is not directed.",
            "Edges here are directed, or have the key 'bidirected'.",
            "Write true and give every edge a direction.",
        )
    if "links" in top and "edges" in top:
        raise source.error(
            "/edges", "Both 'links' and 'edges'.", "Edges are listed once.", "Delete one list."
        )
    collector = Collector(source)
    collector.graph_attributes = dict(_object(source, "/graph", top.get("graph", _EMPTY)))
    collector.extra = {key: value for key, value in top.items() if key not in _KNOWN}
    for pointer, node in _members(source, top, "nodes"):
        attributes = {key: value for key, value in node.items() if key not in _NODE}
        number = collector.new_node(_name(collector, f"{pointer}/id", node.get("id")), pointer)
        collector.describe(number, attributes, pointer)
    _read_edges(collector, top)
    return collector.file()


def _read_edges(collector: Collector, top: FrozenMapping) -> None:
    arcs: dict[tuple[str, str], Mapping[str, Json]] = {}
    for pointer, edge in _members(collector.source, top, "edges" if "edges" in top else "links"):
        a, b = (_end(collector, edge, pointer, end) for end in _ENDS)
        attributes = {key: value for key, value in edge.items() if key not in _ENDS}
        if attributes.get("key") == "bidirected":
            if arcs.get((b, a)) == attributes:
                del arcs[b, a]  # the same edge, told from its other end
                continue
            arcs[a, b] = dict(attributes)
        bidirected = attributes.get("key") == "bidirected"
        if attributes.get("key") in _KEYS.values() or isinstance(attributes.get("key"), int):
            del attributes["key"]  # networkx numbers parallel edges: no more than a name
        collector.edge(
            collector.node(a, pointer),
            collector.node(b, pointer),
            bidirected=bidirected,
            attributes=attributes,
            at=pointer,
        )


def _members(source: Source, top: FrozenMapping, key: str) -> Iterator[tuple[str, FrozenMapping]]:
    members = top.get(key)
    if not isinstance(members, tuple):
        raise source.error(
            f"/{key}",
            "The list is missing." if members is None else f"It is {members!r:.60}.",
            f"A node-link graph has a list {key!r} of objects.",
            f"Write {key!r}: [].",
        )
    for place, member in enumerate(members):
        yield f"/{key}/{place}", _object(source, f"/{key}/{place}", member)


def _object(source: Source, pointer: str, value: Json) -> FrozenMapping:
    if not isinstance(value, FrozenMapping):
        raise source.error(
            pointer, f"It is {value!r:.60}.", "An object stands here.", "Write {…} with its keys."
        )
    return value


def _name(collector: Collector, pointer: str, value: Json) -> str:
    if isinstance(value, int | float) and not isinstance(value, bool):
        collector.note("Names that were numbers are text.")
        return str(value)
    if not isinstance(value, str):
        raise collector.source.error(
            pointer,
            "The name is missing." if value is None else f"The name is {value!r:.60}.",
            "Names are text.",
            'Write a text, such as "X".',
        )
    return value


def _end(collector: Collector, edge: FrozenMapping, pointer: str, end: str) -> str:
    name = _name(collector, f"{pointer}/{end}", edge.get(end))
    if name not in collector:
        raise collector.source.error(
            f"{pointer}/{end}",
            f"There is no node {name!r:.60}.",
            "Edges join nodes of the list 'nodes'.",
            "Add the node, or correct the name.",
        )
    return name


def node_link_text(file: GraphFile) -> str:
    """Return a graph as node-link JSON, one node or edge in a line.

    Raises:
        FormatError: Extra fields with the names of the format's own.
    """
    for key in _KNOWN:
        if key in file.extra:
            raise FormatError(
                f"An extra field is called {key!r}.",
                f"Node-link JSON keeps {', '.join(_KNOWN)} for itself.",
                "Rename it.",
            )
    nodes = [_node(file, name) for name in file.graph.nodes]
    edges = [_edge(file, a, "->", b) for a, b in file.graph.directed]
    for a, b in file.graph.bidirected:
        told = _edge(file, a, "<->", b)
        edges += [told, told | {"source": b, "target": a}]
    fields = {
        '"directed"': "true",
        '"multigraph"': "true",
        '"graph"': json_text(file.graph_attributes),
        '"nodes"': _lines(nodes),
        '"links"': _lines(edges),
    } | {json.dumps(key): json_text(value) for key, value in file.extra.items()}
    return "{\n" + ",\n".join(f"{key}: {text}" for key, text in fields.items()) + "\n}\n"


def _lines(members: list[dict[str, object]]) -> str:
    return "[\n" + ",\n".join(map(json.dumps, members)) + "\n]" if members else "[]"


def _node(file: GraphFile, name: str) -> dict[str, object]:
    attributes = _apart(file.node_attributes.get(name, _EMPTY), _NODE)
    return {"id": name, **attributes, **with_roles(file, name)}


def _edge(file: GraphFile, a: str, mark: str, b: str) -> dict[str, object]:
    attributes = _apart(file.edge_attributes.get((a, mark, b), _EMPTY), (*_ENDS, "key"))
    return {"source": a, "target": b, "key": _KEYS[mark], **attributes}


def _apart(attributes: FrozenMapping, taken: tuple[str, ...]) -> dict[str, object]:
    """Return attributes as they are written, with those of the format's own names set apart."""
    own = {key: plain(value) for key, value in attributes.items() if key not in taken}
    rest = FrozenMapping({key: attributes[key] for key in taken if key in attributes})
    return own | {OVERFLOW: json_text(rest)} if rest else own
