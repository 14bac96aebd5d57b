"""A district's factor Q[C] at given values, from what is known and from all experiments."""

from collections.abc import Container, Mapping
from typing import assert_never

from causalnet.errors import InternalError
from causalnet.graphs.admg import ADMG
from causalnet.identification.algorithms.engine import Engine, Obstacle
from causalnet.identification.algorithms.witnesses import hedge_faults, thicket_faults
from causalnet.identification.answers import Hedge, Step, Thicket
from causalnet.identification.expressions import Expression, Prob
from causalnet.identification.renaming import renamed
from causalnet.identification.sources import Sources
from causalnet.identification.values import Value, fresh, symbol

__all__ = ["check_obstacle", "factor_step", "from_experiments", "known_factor"]


def known_factor(
    engine: Engine, district: frozenset[str], values: Mapping[str, Value], used: Container[Value]
) -> Expression | Obstacle:
    """Return Q[C] at the values of C and its parents, or why it does not follow.

    Further symbols on whose values it does not depend are none of those in use.

    Args:
        engine: What is known.
        district: The variables C, connected by bidirected edges.
        values: The value of each of them and of each parent.
        used: Symbols that mean something else.

    >>> x, y = symbol("X", 1), symbol("Y", 2)
    >>> engine = Engine.of(ADMG.of(directed=[("X", "Y")]))
    >>> known_factor(engine, frozenset("Y"), {"X": x, "Y": y}, ())
    P(y''|x')
    """
    found = engine.factor(district)
    if isinstance(found, Hedge | Thicket):
        return found
    names: dict[Value, Value] = {}
    for value in sorted(found.free):
        meant = values.get(value.variable)
        if value != symbol(value.variable):
            raise InternalError(f"The factor {found} is not in default symbols.")
        names[value] = fresh(value.variable, used) if meant is None else meant
    return renamed(found, names)


def from_experiments(graph: ADMG, district: frozenset[str], values: Mapping[str, Value]) -> Prob:
    """Return Q[C] as what an experiment shows that sets the parents of C.

    >>> graph = ADMG.of(directed=[("X", "Y")])
    >>> from_experiments(graph, frozenset("Y"), {"X": symbol("X"), "Y": symbol("Y")})
    P[x](y)
    """
    parents = {parent for node in district for parent in graph.parents(node)} - district
    of, do = ([values[name] for name in names] for names in (district, parents))
    return Prob(tuple(of), (), tuple(do))


def factor_step(
    rule: str,
    graph: ADMG,
    district: frozenset[str],
    values: Mapping[str, Value],
    found: Expression,
) -> Step:
    """Return the step from a district's factor to its formula.

    >>> graph, values = ADMG.of(directed=[("X", "Y")]), {"X": symbol("X"), "Y": symbol("Y")}
    >>> found = Prob((symbol("Y"),), (symbol("X"),))
    >>> factor_step("ID*, line 9", graph, frozenset("Y"), values, found).result
    'P[x](y) = P(y|x)'
    """
    because = f"Tian's factor of {{{', '.join(sorted(district))}}}"
    return Step(rule, because, f"{from_experiments(graph, district, values)} = {found}")


def check_obstacle(
    obstacle: Obstacle, graph: ADMG, district: frozenset[str], sources: Sources
) -> None:
    """Look over what is in the way of Q[C], as an effect on C of all else.

    Raises:
        InternalError: It is not in the way.

    >>> bow = ADMG.of(directed=[("X", "Y")], bidirected=[("X", "Y")])
    >>> hedge = Hedge(frozenset("XY"), frozenset("Y"), frozenset("Y"))
    >>> check_obstacle(hedge, bow, frozenset("Y"), Sources())
    """
    others = [node for node in graph.nodes if node not in district]
    match obstacle:
        case Hedge():
            faults = hedge_faults(obstacle, graph, others, sorted(district))
        case Thicket():
            faults = thicket_faults(obstacle, graph, others, sorted(district), sources)
        case _:
            assert_never(obstacle)
    if faults:
        raise InternalError(f"{obstacle} does not hold in {graph!r}: {'; '.join(faults)}.")
