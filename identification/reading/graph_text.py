"""Graphs as people type them: `X -> Z -> Y, X <-> Y`."""

from causalnet.graphs.admg import ADMG
from causalnet.graphs.arguments import check_type
from causalnet.graphs.edge_lists import Edge
from causalnet.identification.reading.value_reading import ValueReader, Variables
from causalnet.identification.values import quoted_name

__all__ = ["graph_line", "parse_graph"]

_NODE = "a node, as in X -> Y"


def parse_graph(text: str) -> ADMG:
    """Return the graph that a text draws.

    Args:
        text: Chains of `->`, `<-` and `<->`, with commas, semicolons or line ends between them; a
            node alone stands for itself.  Names with odd characters are in double quotes.

    Raises:
        TermError: A text that draws no graph, with line, column and what was possible there.
        GraphError: A cycle of directed edges, or an edge from a node to itself.

    >>> parse_graph("X -> Z -> Y <- W, X <-> Y, A")
    ADMG(X -> Z, Z -> Y, W -> Y, X <-> Y, A)
    """
    check_type(text, str, "Write 'X -> Z -> Y, X <-> Y'.")
    reader = _GraphReader(text, Variables.of(None))
    while reader.token.kind != "end":
        reader.chain()
        reader.separator()
    return ADMG.of(reader.directed, reader.bidirected, reader.nodes)


class _GraphReader(ValueReader):
    """Reads graphs."""

    def __init__(self, text: str, variables: Variables) -> None:
        """Split the text into words."""
        super().__init__(text, variables)
        self.nodes: list[str] = []
        self.directed: list[Edge] = []
        self.bidirected: list[Edge] = []

    def chain(self) -> None:
        """Read `X -> Z <-> Y`."""
        self.nodes.append(self.variable(_NODE))
        while True:
            before = self.nodes[-1]
            if self.took("->"):
                self.nodes.append(self.variable(_NODE))
                self.directed.append((before, self.nodes[-1]))
            elif self.took("<-"):
                self.nodes.append(self.variable(_NODE))
                self.directed.append((self.nodes[-1], before))
            elif self.took("<->"):
                self.nodes.append(self.variable(_NODE))
                self.bidirected.append((before, self.nodes[-1]))
            else:
                return

    def separator(self) -> None:
        """Go past what ends a chain: a comma, a semicolon, the end of a line or of the text."""
        last = self.tokens[self.at - 1]
        is_broken = "\n" in self.text[last.start + len(last.text) : self.token.start]
        marked = self.took(",") or self.took(";")
        if not marked and not is_broken and self.token.kind != "end":
            raise self.unexpected()


def graph_line(graph: ADMG) -> str:
    """Return a graph on one line, chains in one piece; `parse_graph` reads it.

    >>> graph_line(ADMG.of([("X", "Z"), ("Z", "Y")], bidirected=[("X", "Y")], nodes=["A"]))
    'A, X -> Z -> Y, X <-> Y'
    """
    chains: list[list[str]] = []
    for tail, head in graph.directed:
        if chains and chains[-1][-1] == tail:
            chains[-1].append(head)
        else:
            chains.append([tail, head])
    joined = {node for edge in (*graph.directed, *graph.bidirected) for node in edge}
    alone = [quoted_name(node) for node in graph.nodes if node not in joined]
    arrows = [" -> ".join(map(quoted_name, chain)) for chain in chains]
    arcs = [f"{quoted_name(a)} <-> {quoted_name(b)}" for a, b in graph.bidirected]
    return ", ".join([*alone, *arrows, *arcs])
