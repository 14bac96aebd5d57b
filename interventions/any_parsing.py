"""Reading a text of any kind: a world, a value, a site, a scalar, a read-out or a query."""

import re
from collections.abc import Callable

from causalnet.errors import CausalNetError, InternalError, TermError, UnknownMediatorError
from causalnet.graphs import MediatorGraph
from causalnet.interventions.parsing import (
    parse_readout,
    parse_scalar,
    parse_site,
    parse_value,
    parse_world,
)
from causalnet.interventions.queries import Query
from causalnet.interventions.query_parsing import parse_query
from causalnet.interventions.readouts import ReadOut
from causalnet.interventions.scalars import Scalar
from causalnet.interventions.tokens import tokens_of
from causalnet.interventions.worlds import Site, Value, World

__all__ = ["parse"]


def parse(
    text: str, graph: MediatorGraph | None = None
) -> World | Value | Site | Scalar | ReadOut | Query:
    """Return what a text describes: world, value, site, scalar or read-out, or on a graph a query.

    A name that is both a read-out and a site, such as `kl`, is a read-out, and `0` is a value.

    Raises:
        TermError: A text that is none of them; what is told is about the reading that goes
            furthest.

    >>> parse("<base>"), parse("L9.H6[end]"), parse("self")
    (Base(input='base', key=None), Node(mediator='L9.H6', at=('end',), part=None), Self())
    """
    readers: list[Callable[[], World | Value | Site | Scalar | ReadOut | Query]] = [
        lambda: parse_world(text),
        lambda: parse_value(text),
        lambda: parse_scalar(text),
        lambda: parse_readout(text),
        lambda: parse_site(text),
    ]
    if graph is not None:
        readers.insert(1, lambda: _short_or_printed(text, graph))
    furthest: tuple[tuple[int, int], CausalNetError] | None = None
    for read in readers:
        try:
            return read()
        except (TermError, UnknownMediatorError) as error:
            place = re.match(r"Line (\d+), column (\d+)", str(error))
            reached = (int(place[1]), int(place[2])) if place else (0, 0)
            if furthest is None or reached > furthest[0]:
                furthest = (reached, error)
    if furthest is None:
        raise InternalError("A text was read in no way.")
    raise furthest[1]


def _short_or_printed(text: str, graph: MediatorGraph) -> Query:
    """Read a query that is no scalar."""
    query = parse_query(text, graph)
    if query.estimand == "CONTRAST" and tokens_of(text)[0].text != "CONTRAST":
        raise TermError("A scalar.")
    return query
