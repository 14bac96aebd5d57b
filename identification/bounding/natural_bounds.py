"""Bounds on an effect that need nothing but P(V): what was seen, and at worst what was not.

Units that took the treatment show their outcome under it; the others may have any.  Robins (1989);
Manski (1990), "Nonparametric bounds on treatment effects".
"""

from causalnet.graphs.admg import ADMG
from causalnet.identification.answers import Bounds
from causalnet.identification.expressions import (
    ONE,
    Expression,
    Prob,
    difference,
    ratio,
)
from causalnet.identification.queries import Effect
from causalnet.identification.reading.questions import read_effect
from causalnet.identification.values import Value

__all__ = ["natural_bounds"]

_SHARP = (
    "these hold whatever is confounded; where the graph says more, `linear_bounds` may be narrower"
)


def natural_bounds(query: Effect | str, graph: ADMG) -> Bounds:
    """Return P(x,y) <= P(y | do x) <= P(x,y) + 1 - P(x), and its like for conditions.

    Several treatments are one, x being all of their values together, and so are several outcomes.
    Treatments that cannot affect anything in the query are left out.  Conditions w that treatments
    do not affect are conditions in each probability.  If they affect conditions u, those units that
    were not seen under the treatment may be counted to u with another outcome, or to u with this
    one:

        P(x,u,y) / (P(x,u) + 1 - P(x)) <= P(y | do x, u) <= (P(x,u,y) + 1 - P(x)) / (the same).

    Outcomes, treatments and conditions may have any number of levels.

    Raises:
        UnknownMediatorError: A variable that is not in the graph.

    >>> from causalnet.identification.values import symbol
    >>> bow = ADMG.of(directed=[("X", "Y")], bidirected=[("X", "Y")])
    >>> found = natural_bounds(Effect((symbol("Y"),), (symbol("X"),)), bow)
    >>> print(*found.lower, *found.upper, sep=" <= P(y | do(x)) <= ")
    P(x,y) <= P(y | do(x)) <= 1 - (P(x) - P(x,y))
    """
    query = read_effect(query, graph)
    xs, w, u = _roles(query, graph)
    y = query.outcomes
    if not xs:
        seen = Prob(y, query.given)
        return Bounds(query, graph, (seen,), (seen,), notes=("it is identified",))
    told, treated = Prob(y + u + xs, w), Prob(xs, w)
    at_least: Expression = told
    at_most = difference(ONE, difference(treated, told))
    if u:
        most = difference(ONE, difference(treated, Prob(u + xs, w)))
        at_least, at_most = ratio(told, most), ratio(at_most, most)
    return Bounds(query, graph, (at_least,), (at_most,), notes=(_SHARP,))


def _roles(
    query: Effect, graph: ADMG
) -> tuple[tuple[Value, ...], tuple[Value, ...], tuple[Value, ...]]:
    """Return the treatments that matter, and the conditions that they do not and do affect."""
    told = [value.variable for value in (*query.outcomes, *query.given)]
    names = [value.variable for value in query.treatments]
    graph.indices([*told, *names])
    above = graph.cut_in(names).ancestors(told)  # rule 3
    xs = tuple(value for value in query.treatments if value.variable in above)
    below = graph.descendants([value.variable for value in xs])
    w = tuple(value for value in query.given if value.variable not in below)
    u = tuple(value for value in query.given if value.variable in below)
    return xs, w, u
