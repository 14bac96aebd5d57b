"""Path-specific effects: treatments act along some edges, and are at their baseline elsewhere.

| question | answer | source |
|---|---|---|
| is there a formula? | the edge g-formula, or a recanting district | Shpitser (2013), theorem 3 |
| several treatments | the same, treatment by treatment | Shpitser and Tchetgen Tchetgen (2016) |
| as a nested counterfactual | `as_nested`, for ID* to answer | Pearl (2001) |

A node has an active copy and one at the baseline.  The active one reads the active copies of its
parents along active edges and the others' baseline; where no active edge brings it a treatment,
the two are one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

from causalnet.errors import InternalError, TermError
from causalnet.graphs.admg import ADMG, check_admg
from causalnet.graphs.edge_lists import Edge
from causalnet.graphs.path_checks import RecantingDistrict
from causalnet.identification.algorithms.counterfactual_witnesses import recanting_district_faults
from causalnet.identification.algorithms.counterfactuals import ALL_EXPERIMENTS, NO_EXPERIMENT
from causalnet.identification.algorithms.district_factors import (
    check_obstacle,
    factor_step,
    from_experiments,
    known_factor,
)
from causalnet.identification.algorithms.engine import Engine
from causalnet.identification.algorithms.unnesting import plain
from causalnet.identification.answers import (
    Derivation,
    Hedge,
    Identified,
    NotIdentified,
    Step,
    Thicket,
)
from causalnet.identification.expressions import Expression, product, sum_over
from causalnet.identification.queries import PathSpecific
from causalnet.identification.sources import OBSERVED, Sources
from causalnet.identification.values import Value, symbol

__all__ = ["Channels", "identify_path_specific"]


def identify_path_specific(
    query: PathSpecific, graph: ADMG, sources: Sources = OBSERVED
) -> Identified | NotIdentified:
    """Return the outcomes' probability where treatments act along some edges, or why there is none.

    Each district of the outcomes' ancestors reads one value of each treatment: the active one if
    paths that are active lead through it, else the baseline.  A district that would read both is a
    recanting district, and then no experiment identifies the effect.

    Args:
        query: What is asked.
        graph: Of what.
        sources: What is known; P(V) if not said.

    Raises:
        UnknownMediatorError: A variable that is not in the graph.
        TermError: An active edge that is not in the graph; a treatment with a level and a symbol
            for values, where the answer turns on their being equal.

    >>> x, other, y = symbol("X"), symbol("X", 1), symbol("Y")
    >>> graph = ADMG.of(directed=[("X", "M"), ("M", "Y"), ("X", "Y")])
    >>> direct = PathSpecific((y,), (x,), (other,), (("X", "Y"),))
    >>> identify_path_specific(direct, graph).estimand
    sum[m](P(m|x') * P(y|m,x))
    >>> kite = ADMG.of(directed=[("X", "W"), ("W", "Z"), ("Z", "Y"), ("W", "Y")])
    >>> some = PathSpecific((y,), (x,), (other,), (("X", "W"), ("W", "Y")))
    >>> print(identify_path_specific(some, kite).witness)
    recanting district {W}: X -> W -> Y in, X -> W -> Z -> Y out
    """
    check_query(query, graph)
    sources.check(graph)
    channels = Channels.of(query, graph)
    recanting = channels.recanting_district()
    if recanting is not None:
        faults = recanting_district_faults(recanting, query, graph)
        if faults:
            raise InternalError(f"{recanting} does not hold in {graph!r}: {'; '.join(faults)}.")
        return NotIdentified(query, graph, recanting, sources, (NO_EXPERIMENT,))
    engine = Engine.of(graph, sources)
    steps = [channels.step()]
    known: list[Expression] = []
    shown = {district: channels.values(district) for district in channels.districts}
    for district, values in shown.items():
        found = known_factor(engine, district, values, channels.used())
        if isinstance(found, Hedge | Thicket):
            check_obstacle(found, graph, district, sources)
            known = [from_experiments(graph, each, read) for each, read in shown.items()]
            note = f"{ALL_EXPERIMENTS}{channels.estimand(known)}"
            return NotIdentified(query, graph, found, sources, (note,))
        known.append(found)
        steps.append(factor_step("edge g-formula", graph, district, values, found))
    notes = () if channels.on else ("no active path leads to an outcome: this is the baseline",)
    estimand = channels.estimand(known)
    return Identified(query, graph, estimand, Derivation(tuple(steps)), sources, notes=notes)


@final
@dataclass(frozen=True, slots=True)
class Channels:
    """Which copies of the outcomes' ancestors are needed, and which edges bring them treatments.

    Attributes:
        query: What is asked.
        graph: Of what.
        order: The outcomes' ancestors in the graph without the treatments, in topological order.
        districts: The districts of the graph on these.
        active: Nodes whose active copy is needed and not their baseline.
        baseline: Nodes whose baseline is needed.
        on: The edges out of treatments that bring their active value, and need to.
        off: The edges out of treatments that bring their baseline, and need to.

    >>> graph = ADMG.of(directed=[("X", "M"), ("M", "Y"), ("X", "Y")])
    >>> x, y = symbol("X"), symbol("Y")
    >>> direct = PathSpecific((y,), (x,), (symbol("X", 1),), (("X", "Y"),))
    >>> Channels.of(direct, graph).on, Channels.of(direct, graph).off
    ((('X', 'Y'),), (('X', 'M'),))
    """

    query: PathSpecific
    graph: ADMG
    order: tuple[str, ...]
    districts: tuple[frozenset[str], ...]
    active: frozenset[str]
    baseline: frozenset[str]
    on: tuple[Edge, ...]
    off: tuple[Edge, ...]

    @staticmethod
    def of(query: PathSpecific, graph: ADMG) -> "Channels":
        """Follow active values down from the treatments, and needs up from the outcomes."""
        edges, outcomes = set(query.edges), {value.variable for value in query.outcomes}
        treatments = {value.variable for value in query.active}
        twofold = set(_twofold(query))
        left = graph.induced(node for node in graph.nodes if node not in treatments)
        above = left.ancestors(sorted(outcomes))
        order = tuple(node for node in graph.topological_order() if node in above)
        varied: set[str] = set()
        for node in order:
            sources = (p for p in graph.parents(node) if (p, node) in edges)
            if any(p in twofold or p in varied for p in sources):
                varied.add(node)
        active, baseline = outcomes & varied, outcomes - varied
        for node in reversed(order):
            inside = [parent for parent in graph.parents(node) if parent in above]
            if node in active:
                for parent in inside:
                    changes = parent in varied and (parent, node) in edges
                    (active if changes else baseline).add(parent)
            if node in baseline:
                baseline.update(inside)
        first = [(x, node) for node in order for x in graph.parents(node) if x in twofold]
        on = [edge for edge in first if edge in edges and edge[1] in active]
        off = [
            (x, node)
            for x, node in first
            if node in baseline or (node in active and (x, node) not in edges)
        ]
        rank = {node: at for at, node in enumerate(order)}
        districts = graph.induced(order).districts()
        return Channels(
            query,
            graph,
            order,
            tuple(sorted(districts, key=lambda each: min(rank[node] for node in each))),
            frozenset(active),
            frozenset(baseline),
            tuple(on),
            tuple(off),
        )

    def recanting_district(self) -> RecantingDistrict | None:
        """Return a district that needs both values of a treatment; None if there is none.

        Raises:
            TermError: The two values are a level and a symbol.
        """
        home = {node: district for district in self.districts for node in district}
        off: dict[tuple[str, frozenset[str]], list[str]] = {}
        for x, node in self.off:
            off.setdefault((x, home[node]), []).append(node)
        pairs = [(x, z, other) for x, z in self.on for other in off.get((x, home[z]), ())]
        if not pairs:
            return None
        x, z, other = min(pairs, key=lambda pair: pair[1] != pair[2])  # a witness before others
        one, two = _twofold(self.query)[x]
        if (one.level is None) != (two.level is None):
            raise TermError(
                f"The answer turns on whether {one} is {two}.",
                "Symbols differ from symbols and levels from levels; a symbol may be a level.",
                f"Write levels only, or symbols only, for {x!r}.",
            )
        return RecantingDistrict(home[z], (x, *self._inside(z)), self._outside(x, other))

    def _inside(self, node: str) -> tuple[str, ...]:
        """Return a path of active edges from a node whose active copy is needed to an outcome."""
        edges, outcomes = set(self.query.edges), {value.variable for value in self.query.outcomes}
        path = [node]
        while path[-1] not in outcomes:
            last = path[-1]
            path.append(
                next(c for c in self.graph.children(last)
                     if (last, c) in edges and c in self.active)
            )  # fmt: skip
        return tuple(path)

    def _outside(self, x: str, node: str) -> tuple[str, ...]:
        """Return a path from a treatment to an outcome, with an edge that is not active.

        If the first edge is active, the node's baseline is needed: active edges lead from it to a
        node with an edge that is not active.
        """
        edges, outcomes = set(self.query.edges), {value.variable for value in self.query.outcomes}
        path, strayed = [x, node], (x, node) not in edges
        above = set(self.order)
        while not strayed or path[-1] not in outcomes:
            last = path[-1]
            below = [child for child in self.graph.children(last) if child in above]
            stray = next((child for child in below if (last, child) not in edges), None)
            if strayed or stray is not None:
                path.append(below[0] if strayed or stray is None else stray)
                strayed = True
            else:
                path.append(next(child for child in below if child in self.baseline))
        return tuple(path)

    def values(self, district: frozenset[str]) -> dict[str, Value]:
        """Return the values of a district's variables and of their parents."""
        on = {x for x, node in self.on if node in district}
        active = {value.variable: plain(value) for value in self.query.active}
        baseline = {value.variable: plain(value) for value in self.query.baseline}
        outcomes = {value.variable: plain(value) for value in self.query.outcomes}
        read = district.union(*(self.graph.parents(node) for node in district))
        return {
            name: (active if name in on else baseline)[name]
            if name in active
            else outcomes.get(name, symbol(name))
            for name in read
        }

    def used(self) -> frozenset[Value]:
        """Return the values that the formula may hold."""
        query = self.query
        asked = map(plain, (*query.outcomes, *query.active, *query.baseline))
        return frozenset([*asked, *map(symbol, self.order)])

    def estimand(self, factors: list[Expression]) -> Expression:
        """Return the formula from the formulas of the districts."""
        outcomes = {value.variable for value in self.query.outcomes}
        return sum_over((symbol(v) for v in self.order if v not in outcomes), product(factors))

    def step(self) -> Step:
        """Return why there is a formula."""
        on = ", ".join(f"{a} -> {b}" for a, b in self.on) or "no edge"
        named = " ".join(f"Q[{', '.join(sorted(each))}]" for each in self.districts)
        because = f"the active value comes along {on}; no district reads both values"
        return Step("edge g-formula (Shpitser 2013, theorem 3)", because, named)


def check_query(query: PathSpecific, graph: ADMG) -> None:
    """Refuse names and edges that are not in a graph.

    Raises:
        UnknownMediatorError: A variable that is not in the graph.
        TermError: An active edge that is not in the graph.
    """
    check_admg(graph)
    graph.indices([value.variable for value in (*query.outcomes, *query.active)])
    for tail, head in query.edges:
        if not graph.has_edge(tail, head):
            children = ", ".join(graph.children(tail)[:4]) or "(none)"
            raise TermError(
                f"There is no edge {tail} -> {head}.",
                f"Children of {tail}: {children}.",
                "Write edges of the graph.",
            )


def _twofold(query: PathSpecific) -> Mapping[str, tuple[Value, Value]]:
    """Return the treatments with two values, and these."""
    pairs = [(plain(a), plain(b)) for a, b in zip(query.active, query.baseline, strict=True)]
    return {a.variable: (a, b) for a, b in pairs if a != b}
