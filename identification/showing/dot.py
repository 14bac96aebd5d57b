"""Drawing an answer in DOT: roles in colours, the witness outlined."""

from collections.abc import Iterator

from causalnet.graphs.edge_lists import Edge
from causalnet.identification.answers import Answer
from causalnet.identification.showing.marking import Marks, marks_of

__all__ = ["answer_dot"]

# Distinct for every kind of colour vision (Okabe and Ito 2008).
_FILLS = {
    "treatment": "#56B4E9",
    "set": "#56B4E9",
    "outcome": "#009E73",
    "mediator": "#F0E442",
    "condition": "#BBBBBB",
    "known": "#BBBBBB",
}
_OUTER, _INNER = "#E69F00", "#D55E00"


def answer_dot(answer: Answer) -> str:
    r"""Return the graph of an answer in the DOT language, roles filled and the witness outlined.

    `read_graph` reads the graph back.

    >>> from causalnet.graphs.admg import ADMG
    >>> from causalnet.identification.answers import Hedge, NotIdentified
    >>> from causalnet.identification.reading.parsing import parse_question
    >>> bow = ADMG.of(directed=[("X", "Y")], bidirected=[("X", "Y")])
    >>> hedge = Hedge(frozenset("XY"), frozenset("Y"), frozenset("Y"))
    >>> print(answer_dot(NotIdentified(parse_question("P(y | do(x))", bow), bow, hedge)))
    digraph "answer" {
      rankdir=LR;
      node [shape=ellipse, style=filled, fillcolor=white];
      "X" [label="X\ntreatment\nF", fillcolor="#56B4E9", color="#E69F00", penwidth=3];
      "Y" [label="Y\noutcome\nF F'", fillcolor="#009E73", color="#D55E00", penwidth=3];
      "X" -> "Y";
      "X" -> "Y" [dir=both, style=dashed, constraint=false, color="#E69F00", penwidth=2];
    }
    """
    marks, graph = marks_of(answer), answer.graph
    lines = [
        'digraph "answer" {',
        "  rankdir=LR;",
        "  node [shape=ellipse, style=filled, fillcolor=white];",
        *(f"  {_quoted(node)} [{', '.join(_look(node, marks))}];" for node in graph.nodes),
        *(_arrow(edge, marks) for edge in graph.directed),
        *(_arc(edge, marks) for edge in graph.bidirected),
    ]
    return "\n".join([*lines, "}"])


def _look(node: str, marks: Marks) -> Iterator[str]:
    roles = marks.words.get(node, ())
    beside = marks.beside(node)
    yield f"label={_quoted(chr(10).join(filter(None, (node, ' '.join(roles), beside))))}"
    fills = [_FILLS[role] for role in roles if role in _FILLS]
    if fills:
        yield f'fillcolor="{fills[0]}"'
    if beside:
        yield f'color="{_colour(marks, node)}", penwidth=3'


def _colour(marks: Marks, *nodes: str) -> str:
    return _INNER if marks.inner.issuperset(nodes) else _OUTER


def _arrow(edge: Edge, marks: Marks) -> str:
    look = [f'color="{_FILLS["treatment"]}", penwidth=3'] if edge in marks.active else []
    if edge in marks.inactive and not look:
        look = [f'color="{_INNER}", penwidth=3, style=dotted']
    return f"  {_quoted(edge[0])} -> {_quoted(edge[1])}{f' [{look[0]}]' if look else ''};"


def _arc(edge: Edge, marks: Marks) -> str:
    look = "dir=both, style=dashed, constraint=false"
    if marks.beside(*edge):
        look += f', color="{_colour(marks, *edge)}", penwidth=2'
    return f"  {_quoted(edge[0])} -> {_quoted(edge[1])} [{look}];"


def _quoted(text: str) -> str:
    """Return a DOT string: quotes, backslashes and line ends escaped."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\r", " ")
    return '"' + escaped.replace("\n", "\\n") + '"'
