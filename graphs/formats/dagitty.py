"""The text of dagitty: `dag { X [exposure] Y [outcome] U [latent] U -> {X Y} X -> Y }`.

Textor et al. (2016), "Robust causal inference using directed acyclic graphs: the R package
'dagitty'".  Coordinates stay as they are: `pos` of nodes and edges, `bb` of the graph.
"""

import re
from collections.abc import Mapping

from causalnet.errors import FormatError
from causalnet.graphs.formats.carried import Scalar, graph_level, packed
from causalnet.graphs.formats.graph_file import GraphFile
from causalnet.graphs.formats.numerals import spelt_scalar
from causalnet.graphs.formats.source import Source
from causalnet.graphs.formats.statements import Dialect, parse_statements
from causalnet.graphs.formats.values import FrozenMapping, Json

__all__ = ["dagitty_text", "parse_dagitty"]

# A backslash is itself, except before a quote and at the end of a line.
_TOKENS = re.compile(
    r"""(?P<skip>(?:(?:\A|\n)[^\S\n]*+\#[^\n]*+|\s|//[^\n]*+|/\*(?:[^*]++|\*(?!/))*+\*/)++)
    |(?P<mark>o->|<-o\b|o-o\b|<->|<-@|<-|@->|@--|@-@|->|--@|--|[{}\[\]=;,+])
    |(?P<quoted>"(?:[^"\\]++|\\"?+)*+"|'(?:[^'\\]++|\\'?+)*+')
    |(?P<word>[\w.]++)""",
    re.VERBOSE,
)
_ESCAPE = re.compile(r"\\(?:([\"'])|[\r\n]++)")
_POSITION = re.compile(r"\s*-?[0-9.]+\s*,\s*-?[0-9.]+\s*")
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_.]*")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_TYPES = ("mag", "pdag", "pag")
_FLAGS = {
    "exposure": "exposure",
    "source": "exposure",
    "e": "exposure",
    "outcome": "outcome",
    "target": "outcome",
    "o": "outcome",
    "latent": "latent",
    "adjusted": "adjusted",
}
_RESERVED = (*_FLAGS, *_TYPES, "dag", "graph", "digraph", "strict", "subgraph", "node", "edge")


def _meaning(quoted: str) -> tuple[str, str]:
    mark = quoted[0]

    def meant(escape: re.Match[str]) -> str:
        return (escape[1] if escape[1] == mark else escape[0]) if escape[1] else ""

    return _ESCAPE.sub(meant, quoted[1:-1]), ""


_DAGITTY = Dialect("dagitty text", ("dag", *_TYPES), _TOKENS, _meaning, _FLAGS, graphviz=False)


def parse_dagitty(source: Source) -> GraphFile:
    """Return the graph of a dagitty text, with exposures, outcomes, latents and adjusted nodes.

    Marks of nodes that are not one of these are named in the notes.  `mag`, `pdag` and `pag` are
    read if all their edges are `->`, `<-` or `<->`, and keep their word as the attribute `type`.

    Raises:
        FormatError: Not dagitty text, an edge without a direction or with a circle, a cycle; with
            the line.

    >>> file = parse_dagitty(Source("g.txt", "dag { X [exposure] U [latent] U -> {X Y} X -> Y }"))
    >>> file.graph, sorted(file.latents)
    (ADMG(X -> Y, U -> X, U -> Y), ['U'])
    """
    return parse_statements(source, _DAGITTY)


def dagitty_text(file: GraphFile) -> str:
    """Return a graph as dagitty text.

    What dagitty cannot express of attributes stands, as JSON, in the attribute `causalnet_json`,
    which dagitty ignores.

    Raises:
        FormatError: A name that dagitty cannot read: with a control character, with a backslash at
            its end, or `graph`.
    """
    kind, name = (file.graph_attributes.get(key) for key in ("type", "name"))
    header, said = "dag", list[str]()
    if kind in _TYPES:
        header, said = str(kind), ["type"]
    if isinstance(name, str) and name and _can_quote(name):
        header, said = f"{header} {_quoted(name)}", [*said, "name"]
    own = _visible(graph_level(file, _fits, said), file.graph_attributes)
    lines = [f"{_key(key)}={_spelt(value)}" for key, value in own.items()]
    lines += [_node(file, node) for node in file.graph.nodes]
    lines += [_edge(file, a, "->", b) for a, b in file.graph.directed]
    lines += [_edge(file, a, "<->", b) for a, b in file.graph.bidirected]
    return "\n".join([f"{header} {{", *lines, "}"]) + "\n"


def _can_quote(text: str) -> bool:
    return not _CONTROL.search(text) and not text.endswith("\\")


def _fits(name: str, value: Json) -> bool:
    """Return whether dagitty reads an attribute without harm, and we read it as it was."""
    if name in _FLAGS or not _can_quote(name):
        return False
    if name == "pos" and not (isinstance(value, str) and _POSITION.fullmatch(value)):
        return False
    if isinstance(value, int | float) and str(value).startswith("-"):
        return False  # no word in dagitty: `_visible` adds it as a text
    return not isinstance(value, str) or _can_quote(value)


def _visible(attributes: dict[str, Scalar], given: Mapping[str, Json]) -> dict[str, Scalar]:
    """Add negative numbers as texts; the JSON beside them says that they are numbers."""
    negative = {
        name: str(value)
        for name, value in given.items()
        if isinstance(value, int | float) and name not in attributes
        if name not in _FLAGS and name != "pos" and _can_quote(name)
    }
    return negative | attributes


def _node(file: GraphFile, name: str) -> str:
    if not _can_quote(name) or name == "graph":
        raise FormatError(
            f"The node {name!r}.",
            "dagitty reads no control characters, no backslash at the end of a name, and 'graph' "
            "as the graph itself.",
            "Rename the node, or write node-link JSON.",
        )
    given = file.node_attributes.get(name, FrozenMapping({}))
    roles = {
        "exposure": file.exposures,
        "outcome": file.outcomes,
        "latent": file.latents,
        "adjusted": file.adjusted,
    }
    flags = [role for role, names in roles.items() if name in names]
    return _key(name) + _listed(flags, _visible(packed(given, _fits), given))


def _edge(file: GraphFile, a: str, mark: str, b: str) -> str:
    given = file.edge_attributes.get((a, mark, b), FrozenMapping({}))
    listed = _listed([], _visible(packed(given, _fits), given))
    return f"{_key(a)} {mark} {_key(b)}{listed}"


def _listed(flags: list[str], attributes: Mapping[str, Scalar]) -> str:
    inside = [*flags, *(f"{_key(name)}={_spelt(value)}" for name, value in attributes.items())]
    return f" [{','.join(inside)}]" if inside else ""


def _key(name: str) -> str:
    simple = _WORD.fullmatch(name) and name.lower() not in _RESERVED
    return name if simple else _quoted(name)


def _spelt(value: Scalar) -> str:
    return spelt_scalar(value, _quoted)


def _quoted(text: str) -> str:
    escaped = text.replace('"', '\\"')
    return f'"{escaped}"'
