"""DOT, the language of Graphviz.

A bidirected edge is `X -> Y [dir=both]`.  Texts are quoted, numbers and truth values are not, so
that both are read back as what they were.
"""

import re
from collections.abc import Mapping

from causalnet.errors import FormatError
from causalnet.graphs.formats.carried import Scalar, graph_level, packed, with_roles
from causalnet.graphs.formats.graph_file import RESERVED, GraphFile
from causalnet.graphs.formats.numerals import spelt_scalar
from causalnet.graphs.formats.source import Source
from causalnet.graphs.formats.statements import Dialect, parse_statements
from causalnet.graphs.formats.values import FrozenMapping, Json

__all__ = ["dot_text", "parse_dot"]

_TOKENS = re.compile(
    r"""(?P<skip>(?:(?:\A|\n)[^\S\n]*+\#[^\n]*+|\s|//[^\n]*+|/\*(?:[^*]++|\*(?!/))*+\*/)++)
    |(?P<mark><->|<-|->|--|[{}\[\]=;,:+])
    |(?P<quoted>"(?:[^"\\]++|\\.)*+")
    |(?P<html><(?:[^<>]++|<[^<>]*+>)*+>)
    |(?P<word>-?(?:\.\d++|\d++(?:\.\d*+)?)(?![\w.])|[^\W\d]\w*+(?!\.))""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPE = re.compile(r"\\(\r\n|.)", re.DOTALL)
_MEANT = {'"': '"', "\\": "\\", "\n": "", "\r\n": "", "n": "\n", "l": "\n", "r": "\n"}
_SIMPLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_KEYWORDS = ("strict", "graph", "digraph", "subgraph", "node", "edge")


def _meaning(quoted: str) -> tuple[str, str]:
    lost = ""

    def meant(escape: re.Match[str]) -> str:
        nonlocal lost
        if escape[1] in "lr":
            lost = "Line ends that align left or right are plain line ends."
        elif escape[1] not in _MEANT:
            lost = "Escapes such as \\N are kept as text."
        return _MEANT.get(escape[1], escape[0])

    return _ESCAPE.sub(meant, quoted[1:-1]), lost


_DOT = Dialect("DOT", ("digraph", "graph"), _TOKENS, _meaning, {}, graphviz=True)


def parse_dot(source: Source) -> GraphFile:
    """Return the graph of a DOT text.

    Read are nodes, chains and groups, attributes, `dir`, ports, comments; default attributes of the
    whole graph are kept under `node` and `edge` among the graph's attributes.  Clusters and HTML
    are named in the notes.

    Raises:
        FormatError: Not DOT, an edge without a direction, a cycle; with the line.

    >>> parse_dot(Source("g.dot", 'digraph { X -> M -> Y; X -> Y [dir=both, label="age"] }')).graph
    ADMG(X -> M, M -> Y, X <-> Y)
    """
    return parse_statements(source, _DOT)


def dot_text(file: GraphFile) -> str:
    """Return a graph as DOT, which Graphviz draws.

    Raises:
        FormatError: A name with a null character, at which Graphviz would end it.
    """
    name = file.graph_attributes.get("name")
    named = isinstance(name, str) and "\0" not in name
    lines = [f"digraph {_quoted(name)} {{" if isinstance(name, str) and named else "digraph {"]
    defaults = {
        what: given
        for what in ("node", "edge")
        if isinstance(given := file.graph_attributes.get(what), FrozenMapping)
        and _is_default(given)
    }
    own = graph_level(file, _fits, {*defaults, "name"} if named else defaults)
    lines += [f"  graph{_listed(own)};"] * bool(own)
    lines += [f"  {what}{_listed(packed(given, _fits))};" for what, given in defaults.items()]
    lines += [_node(file, name) for name in file.graph.nodes]
    lines += [_edge(file, a, "->", b) for a, b in file.graph.directed]
    lines += [_edge(file, a, "<->", b) for a, b in file.graph.bidirected]
    return "\n".join([*lines, "}"]) + "\n"


def _fits(name: str, value: Json) -> bool:
    return "\0" not in name and not (isinstance(value, str) and "\0" in value)


def _fits_edge(name: str, value: Json) -> bool:
    return name != "dir" and _fits(name, value)


def _is_default(given: FrozenMapping) -> bool:
    """Return whether attributes can stand as defaults, which say nothing of direction or roles."""
    return bool(given) and all(
        _fits(name, value)
        and isinstance(value, bool | int | float | str)
        and name not in ("dir", "observed")
        and not name.startswith(RESERVED)
        for name, value in given.items()
    )


def _node(file: GraphFile, name: str) -> str:
    if "\0" in name:
        raise FormatError(
            f"The node {name!r} has a null character in its name.",
            "Graphviz ends a name there.",
            "Rename the node, or write node-link JSON.",
        )
    attributes = packed(file.node_attributes.get(name, FrozenMapping({})), _fits)
    return f"  {_quoted(name)}{_listed(attributes | with_roles(file, name))};"


def _edge(file: GraphFile, a: str, mark: str, b: str) -> str:
    attributes = packed(file.edge_attributes.get((a, mark, b), FrozenMapping({})), _fits_edge)
    listed = _listed(({"dir": "both"} if mark == "<->" else {}) | attributes)
    return f"  {_quoted(a)} -> {_quoted(b)}{listed};"


def _listed(attributes: Mapping[str, Scalar]) -> str:
    inside = ", ".join(f"{_key(name)}={_spelt(value)}" for name, value in attributes.items())
    return f" [{inside}]" if inside else ""


def _key(name: str) -> str:
    simple = _SIMPLE.fullmatch(name) and name.lower() not in _KEYWORDS
    return name if simple else _quoted(name)


def _spelt(value: Scalar) -> str:
    return spelt_scalar(value, _quoted)


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
