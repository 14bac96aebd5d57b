"""What can be asked: a query, a scalar, or the text of either."""

from causalnet.errors import TermError
from causalnet.graphs import MediatorGraph
from causalnet.interventions import Apply, Contrast, Grad, Query, Read, Scalar, parse_query

__all__ = ["query_of"]


def query_of(asked: Query | Scalar | str, graph: MediatorGraph) -> Query:
    """Return the query that was asked; a scalar is a query of one row.

    Raises:
        UnknownMediatorError, TermError: A text that is no query, or something else.
    """
    match asked:
        case Query():
            return asked
        case str():
            return parse_query(asked, graph)
        case Read() | Grad() | Contrast() | Apply():
            return parse_query(str(asked), graph)
    raise TermError(
        f"{asked!r:.80} is not a query.",
        "Queries, scalars and their texts are.",
        "Write for example cn.nie(net.heads(), at='end') or 'nie(heads; at=end)'.",
    )
