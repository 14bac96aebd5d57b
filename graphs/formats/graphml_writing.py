"""Writing GraphML, which networkx, yEd, Gephi and Cytoscape read.

Nodes have their names as ids, attributes are typed `data`.  A bidirected edge is written as a
directed one with the attribute `causalnet_edge = bidirected`, because networkx reads no graph that
mixes directed and undirected edges.
"""

import re
from typing import final
from xml.sax.saxutils import quoteattr

from causalnet.errors import FormatError
from causalnet.graphs.formats.carried import EDGE, Scalar, graph_level, packed, with_roles
from causalnet.graphs.formats.graph_file import GraphFile
from causalnet.graphs.formats.graphml_reading import SPACE
from causalnet.graphs.formats.values import FrozenMapping, Json

__all__ = ["graphml_text"]

# What XML 1.0 has no way to write, not even as a reference.
_NOT_XML = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")


def graphml_text(file: GraphFile) -> str:
    """Return a graph as GraphML.

    Values that GraphML has no type for stand, as JSON, in the string attribute `causalnet_json`.

    Raises:
        FormatError: A name with a control character, which XML cannot express.
    """
    writing = _Writing(file)
    return writing.text()


def _fits(name: str, value: Json) -> bool:
    if isinstance(value, int) and not isinstance(value, bool):
        return -(2**63) <= value < 2**63 and not _NOT_XML.search(name)
    if isinstance(value, str) and _NOT_XML.search(value):
        return False
    return not _NOT_XML.search(name)


@final
class _Writing:
    """Elements first, so that the keys that they use can stand above them."""

    def __init__(self, file: GraphFile) -> None:
        self.file = file
        self.keys: dict[tuple[str, str, str], str] = {}

    def text(self) -> str:
        graph = self.file.graph
        body = self.data("graph", graph_level(self.file, _fits))
        body += [self.node(name) for name in graph.nodes]
        body += [self.edge(a, "->", b) for a, b in graph.directed]
        body += [self.edge(a, "<->", b) for a, b in graph.bidirected]
        lines = [
            '<?xml version="1.0" encoding="UTF-8"?>',
            f'<graphml xmlns="{SPACE}">',
            *(self.declared(*key, name) for key, name in self.keys.items()),
            '<graph edgedefault="directed">',
            *body,
            "</graph>",
            "</graphml>",
        ]
        return "\n".join(lines) + "\n"

    def declared(self, domain: str, name: str, kind: str, key: str) -> str:
        return f'<key id="{key}" for="{domain}" attr.name={_quoted(name)} attr.type="{kind}"/>'

    def node(self, name: str) -> str:
        attributes = packed(self.file.node_attributes.get(name, FrozenMapping({})), _fits)
        data = self.data("node", attributes | with_roles(self.file, name))
        return _element(f"node id={_quoted(_name(name))}", data)

    def edge(self, a: str, mark: str, b: str) -> str:
        attributes = packed(self.file.edge_attributes.get((a, mark, b), FrozenMapping({})), _fits)
        data = self.data("edge", attributes | ({EDGE: "bidirected"} if mark == "<->" else {}))
        return _element(f"edge source={_quoted(a)} target={_quoted(b)}", data)

    def data(self, domain: str, attributes: dict[str, Scalar]) -> list[str]:
        return [
            f'<data key="{self.key(domain, name, value)}">{_escaped(_spelt(value))}</data>'
            for name, value in attributes.items()
        ]

    def key(self, domain: str, name: str, value: Scalar) -> str:
        kinds = {bool: "boolean", int: "long", float: "double", str: "string"}
        return self.keys.setdefault((domain, name, kinds[type(value)]), f"d{len(self.keys)}")


def _element(begin: str, data: list[str]) -> str:
    return f"<{begin}>{''.join(data)}</{begin.partition(' ')[0]}>" if data else f"<{begin}/>"


def _name(name: str) -> str:
    if _NOT_XML.search(name):
        raise FormatError(
            f"The node {name!r} has a control character in its name.",
            "XML cannot express it.",
            "Rename the node, or write node-link JSON.",
        )
    return name


def _spelt(value: Scalar) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _quoted(text: str) -> str:
    return quoteattr(text, {"\n": "&#10;", "\r": "&#13;", "\t": "&#9;"})


def _escaped(text: str) -> str:
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return escaped.replace("\r", "&#13;")
