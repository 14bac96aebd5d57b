"""Path-specific effects as nested counterfactuals, for ID* to answer by another way."""

from collections.abc import Mapping

from causalnet.errors import ParameterError
from causalnet.graphs.admg import ADMG
from causalnet.identification.algorithms.edge_g_formula import check_query
from causalnet.identification.algorithms.unnesting import plain
from causalnet.identification.queries import Counterfactual, Fact, PathSpecific, Potential
from causalnet.identification.values import Value

__all__ = ["as_nested"]

_MOST_TERMS = 10_000


def as_nested(query: PathSpecific, graph: ADMG) -> Counterfactual:
    """Return a path-specific query as a nested counterfactual, which has the same probability.

    In the world of the baseline, each node is set to read what active edges bring it; its other
    parents are nested at their baseline where they would change with that.

    Args:
        query: The treatments' values and the active edges.
        graph: The graph.

    Raises:
        UnknownMediatorError: A variable that is not in the graph.
        TermError: An active edge that is not in the graph.
        ParameterError: More than 10,000 nested variables, written out.

    >>> from causalnet.identification.values import symbol
    >>> x, other, y = symbol("X"), symbol("X", 1), symbol("Y")
    >>> graph = ADMG.of(directed=[("X", "M"), ("M", "Y"), ("X", "Y")])
    >>> print(as_nested(PathSpecific((y,), (x,), (other,), (("X", "Y"),)), graph))
    P(y{M{x'}, x})
    >>> print(as_nested(PathSpecific((y,), (x,), (other,), (("X", "M"), ("M", "Y"))), graph))
    P(y{M{x}, x'})
    """
    check_query(query, graph)
    active = {value.variable: plain(value) for value in query.active}
    baseline = {value.variable: plain(value) for value in query.baseline}
    edges = set(query.edges)
    made: dict[str, Potential] = {}
    sizes: dict[str, int] = {}
    above = graph.ancestors([value.variable for value in query.outcomes])
    for node in (each for each in graph.topological_order() if each in above):
        if node in active:
            continue
        do: dict[str, Value | Potential] = {}
        for parent in graph.parents(node):
            if (parent, node) in edges and parent in active:
                if active[parent] != baseline[parent]:
                    do[parent] = active[parent]
            elif (parent, node) in edges and parent in made:
                do[parent] = made[parent]
        if do:
            changed = graph.descendants(sorted(do)) - set(do)
            beside = [p for p in graph.parents(node) if p in changed and p not in active]
            do |= {parent: _world(parent, baseline, graph) for parent in beside}
            made[node] = _reading(node, do, baseline, graph)
            sizes[node] = 1 + sum(sizes.get(p, 1) for p in do if p not in active)
            if sizes[node] > _MOST_TERMS:
                raise ParameterError(
                    f"{node!r} is nested of more than {_MOST_TERMS} variables.",
                    f"Up to {_MOST_TERMS} are written out.",
                    "Ask identify_path_specific, which needs no nested variables.",
                )
    facts = [
        Fact(made.get(y.variable) or _world(y.variable, baseline, graph), plain(y))
        for y in query.outcomes
    ]
    return Counterfactual(tuple(facts))


def _world(node: str, baseline: Mapping[str, Value], graph: ADMG) -> Potential:
    """Return a variable where treatments are at their baseline, those that matter to it."""
    return _reading(node, {}, baseline, graph)


def _reading(
    node: str, do: Mapping[str, Value | Potential], baseline: Mapping[str, Value], graph: ADMG
) -> Potential:
    above = graph.cut_in([*do, *(x for x in baseline if x not in do)]).ancestors([node])
    kept = {name: value for name, value in baseline.items() if name in above and name not in do}
    return Potential.of(node, {**kept, **do})
