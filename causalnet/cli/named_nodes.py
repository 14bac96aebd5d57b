"""Nodes that an option of the command line names."""

from causalnet.errors import TermError, UnknownMediatorError
from causalnet.graphs.admg import ADMG
from causalnet.graphs.edge_lists import shown
from causalnet.graphs.names import nearest
from causalnet.identification.reading.value_reading import ValueReader, Variables
from causalnet.identification.values import quoted_name

__all__ = ["nodes_named"]

_COMPARED = 10_000  # nodes among which the nearest names are looked for


def nodes_named(option: str, text: str, graph: ADMG, domain: str = "") -> tuple[str, ...]:
    """Return the nodes that an option lists, as `X,Z`, in the graph's own spelling.

    Args:
        option: The option, for errors: `--latent`.
        text: Names with commas between them; lower case does where it is of one node.
        graph: Whose nodes they are.
        domain: What stands before them, and a colon; "" for nothing.

    Raises:
        TermError: A text that is no list of names, or a name that may be of several nodes.
        UnknownMediatorError: A name that is not in the graph.

    >>> nodes_named("--latent", "X, z", ADMG.of(directed=[("X", "Z")]))
    ('X', 'Z')
    """
    variables = Variables.of(graph)
    before = f"{option} {domain}:" if domain else f"{option} "
    try:
        reader = ValueReader(text, Variables.of(None))
        names = reader.names()
        if reader.token.kind != "end":
            raise reader.unexpected("the end")
        return tuple(_node(before, name, variables, graph) for name in names)
    except TermError as error:
        raise TermError(f"{option}: {error.came}", error.possible, error.write) from None


def _node(before: str, name: str, variables: Variables, graph: ADMG) -> str:
    try:
        return variables.named(name)
    except UnknownMediatorError:
        close = nearest(name, graph.nodes[:_COMPARED])
        possible = f"Nearest: {', '.join(close)}." if close else _all(graph)
        raise UnknownMediatorError(
            f"{before}{quoted_name(name)} names what is not one of the nodes.",
            possible,
            f"Write for example {before}{quoted_name((close or graph.nodes)[0])}.",
        ) from None


def _all(graph: ADMG) -> str:
    return f"The nodes are {shown(graph.nodes, ', ')}."
