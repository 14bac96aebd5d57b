"""Reading and writing graphs in files, by the suffix of the file or the name of a format."""

import os
import re
from pathlib import Path
from typing import Literal, TypeAlias, get_args, overload

from causalnet.errors import FormatError
from causalnet.graphs.admg import ADMG, check_admg
from causalnet.graphs.arguments import quoted
from causalnet.graphs.formats.attribution import AttributionGraph
from causalnet.graphs.formats.attribution_json import attribution_text, parse_attribution
from causalnet.graphs.formats.dagitty import dagitty_text, parse_dagitty
from causalnet.graphs.formats.dot import dot_text, parse_dot
from causalnet.graphs.formats.gml import gml_text, parse_gml
from causalnet.graphs.formats.graph_file import GraphFile
from causalnet.graphs.formats.graphml_reading import parse_graphml
from causalnet.graphs.formats.graphml_writing import graphml_text
from causalnet.graphs.formats.node_link import node_link_text, parse_node_link
from causalnet.graphs.formats.source import Source, reason, source_of_file, source_of_text

__all__ = ["Format", "GraphFormat", "graph_text", "read_graph", "write_graph"]

GraphFormat: TypeAlias = Literal["graphml", "dot", "node-link", "dagitty", "gml"]
Format: TypeAlias = Literal["graphml", "dot", "node-link", "dagitty", "gml", "attribution"]

_PARSERS = {
    "graphml": parse_graphml,
    "dot": parse_dot,
    "node-link": parse_node_link,
    "dagitty": parse_dagitty,
    "gml": parse_gml,
}
_TEXTS = {
    "graphml": graphml_text,
    "dot": dot_text,
    "node-link": node_link_text,
    "dagitty": dagitty_text,
    "gml": gml_text,
}
_SUFFIXES: dict[str, Format] = {
    ".graphml": "graphml",
    ".xml": "graphml",
    ".dot": "dot",
    ".gv": "dot",
    ".json": "node-link",
    ".dagitty": "dagitty",
    ".txt": "dagitty",
    ".gml": "gml",
}
# After space and comments.
_BEGINNINGS: tuple[tuple[str, Format], ...] = (
    (r"<", "graphml"),
    (r"\{", "node-link"),
    (r"(?:dag|pdag|mag|pag)\b", "dagitty"),
    (r"graph\s*\[|(?:creator|version|comment)\b", "gml"),
    (r"(?:strict\s+)?(?:di)?graph\b", "dot"),
)
_BEFORE = re.compile(r"(?:\s++|//[^\n]*+|/\*(?:[^*]++|\*(?!/))*+\*/|\#[^\n]*+)*+")
_IS_TEXT = re.compile(r"[\n{}<\[]")
_ATTRIBUTION = ('"qParams"', '"metadata"', '"links"')


@overload
def read_graph(source: str | Path, format: GraphFormat) -> GraphFile: ...
@overload
def read_graph(source: str | Path, format: Literal["attribution"]) -> AttributionGraph: ...
@overload
def read_graph(source: str | Path, format: None = None) -> GraphFile | AttributionGraph: ...


def read_graph(source: str | Path, format: Format | None = None) -> GraphFile | AttributionGraph:
    """Read a graph from a file or a text.

    Args:
        source: A path; or the text itself, which a `str` is if it holds a line end, a brace, a
            bracket or `<`.  At most 64 MiB of UTF-8.
        format: The format; by default the suffix decides, and for `.json`, `.txt` and texts how
            they begin.

    Returns:
        A `GraphFile`, or an `AttributionGraph` for the format `attribution`.

    Raises:
        FormatError: A file that cannot be read, a format that is unknown, or a text that is not in
            its format, with the line, JSON pointer or key.

    >>> read_graph("dag { X -> M -> Y  X <-> Y }")
    GraphFile(ADMG(X -> M, M -> Y, X <-> Y))
    """
    _check_path(source)
    if isinstance(source, str) and _IS_TEXT.search(source):
        text, suffix = source_of_text(source), ""
    else:
        text, suffix = source_of_file(Path(source)), Path(source).suffix.lower()
    if format is None:
        format = _SUFFIXES.get(suffix) if suffix not in (".json", ".txt") else None
        format = format or _guessed(text)
    _check_format(format)
    return parse_attribution(text) if format == "attribution" else _PARSERS[format](text)


def graph_text(graph: GraphFile | AttributionGraph | ADMG, format: Format) -> str:
    """Return a graph as the text of a file.

    Raises:
        FormatError: A format that is unknown or that is not for such a graph, or something in the
            graph that the format cannot express.

    >>> print(graph_text(ADMG.of(bidirected=[("X", "Y")]), "dagitty"), end="")
    dag {
    X
    Y
    X <-> Y
    }
    """
    _check_format(format)
    if isinstance(graph, ADMG):
        graph = GraphFile(graph)
    if isinstance(graph, AttributionGraph) and format == "attribution":
        text = attribution_text(graph)
    elif isinstance(graph, GraphFile) and format != "attribution":
        text = _TEXTS[format](graph)
    elif isinstance(graph, GraphFile | AttributionGraph):
        raise FormatError(
            f"A {type(graph).__name__} in the format {format!r}.",
            "Attribution graphs are written as 'attribution', other graphs in the other formats.",
            "For another format write graph.graph_file().",
        )
    else:
        check_admg(graph)
    try:
        text.encode()
    except UnicodeEncodeError:
        raise FormatError(
            "A text in the graph holds half of a surrogate pair.",
            "Files are Unicode.",
            "Correct the text.",
        ) from None
    return text


def write_graph(
    graph: GraphFile | AttributionGraph | ADMG, path: str | Path, format: Format | None = None
) -> None:
    """Write a graph into a file, which is replaced as a whole or not at all.

    Args:
        graph: The graph.
        path: The file.
        format: The format; by default the suffix decides, and `.json` holds an attribution graph if
            that is what is written.

    Raises:
        FormatError: As `graph_text`; a file that cannot be written.
    """
    _check_path(path)
    path = Path(path)
    if format is None:
        format = _SUFFIXES.get(path.suffix.lower())
        if format == "node-link" and isinstance(graph, AttributionGraph):
            format = "attribution"
    if format is None:
        raise FormatError(
            f"The suffix {quoted(path.suffix)} of {quoted(path.name)} tells no format.",
            f"Suffixes are {', '.join(_SUFFIXES)}.",
            "Change the suffix, or give format=….",
        )
    _replace(path, graph_text(graph, format))


def _replace(path: Path, text: str) -> None:
    try:
        draft = path.with_name(f".{path.name[:40]}.{os.getpid()}.draft")
        try:
            with draft.open("w", encoding="utf-8", newline="") as file:
                file.write(text)
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
    except (OSError, ValueError) as error:
        raise FormatError(
            f"{quoted(str(path))} cannot be written: {reason(error)}.",
            "A folder that can be written to.",
            "Check the path.",
        ) from error


def _guessed(source: Source) -> Format:
    before = _BEFORE.match(source.text)
    rest = source.text[before.end() if before else 0 :][:200]
    for pattern, format in _BEGINNINGS:
        if re.match(pattern, rest, re.IGNORECASE):
            if format == "node-link" and all(key in source.text for key in _ATTRIBUTION):
                return "attribution"
            return format
    raise FormatError(
        f"{source.name} begins with {source.text[:20]!r}, which tells no format.",
        f"Formats are {', '.join(get_args(Format))}; suffixes are {', '.join(_SUFFIXES)}.",
        "Give format=….",
    )


def _check_path(path: object) -> None:
    if not isinstance(path, str | Path):
        raise FormatError(
            f"{quoted(path)} is no path.", "A path is text or a pathlib.Path.", "Write 'dag.gml'."
        )


def _check_format(format: str) -> None:
    if format not in get_args(Format):
        raise FormatError(
            f"The format {format!r:.60} is unknown.",
            f"Formats are {', '.join(get_args(Format))}.",
            "Write one of them.",
        )
