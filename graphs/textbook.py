"""What a textbook says of a graph: queries, verdicts, independences.

| name | what |
|---|---|
| `Example` | a graph, a reference, a query and its verdicts |
| `EffectQuery`, `PathQuery`, `EventsQuery` | what is asked of a graph |
| `Independence` | what m-separation says of it |
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias, final

from causalnet.graphs.admg import ADMG, Edge
from causalnet.graphs.counterfactual_graph import Event
from causalnet.graphs.paths import PathSet

__all__ = [
    "EffectQuery",
    "EventsQuery",
    "Example",
    "Independence",
    "PathQuery",
    "Query",
    "along",
    "districts",
    "drawn",
    "effect",
]


@final
@dataclass(frozen=True, slots=True)
class EffectQuery:
    """The distribution of outcomes under an intervention, perhaps in a part of the population.

    Attributes:
        treatments: The variables that are set.
        outcomes: The variables of which the distribution is asked.
        given: Variables on which one conditions.
    """

    treatments: tuple[str, ...]
    outcomes: tuple[str, ...]
    given: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Return the query as `P(Y | do(X), Z)`."""
        conditions = ", ".join((f"do({', '.join(self.treatments)})", *self.given))
        return f"P({', '.join(self.outcomes)} | {conditions})"


@final
@dataclass(frozen=True, slots=True)
class PathQuery:
    """The distribution of an outcome with treatments active along some edges only.

    Attributes:
        treatments: The variables that have an active value along these edges, and their baseline
            along the others.
        outcome: The variable of which the distribution is asked.
        edges: The active edges; paths that use no other carry the active value.
    """

    treatments: tuple[str, ...]
    outcome: str
    edges: tuple[Edge, ...]

    def paths(self, graph: ADMG) -> PathSet:
        """Return the active paths in a graph.

        Raises:
            UnknownMediatorError: A name that is not in the graph.
            TermError: An edge that is not in the graph.
        """
        return PathSet.along(graph, self.treatments, self.outcome, self.edges)

    def __str__(self) -> str:
        """Return the query as `P(Y | X active along X -> M, M -> Y)`."""
        edges = ", ".join(f"{tail} -> {head}" for tail, head in self.edges) or "no edge"
        return f"P({self.outcome} | {', '.join(self.treatments)} active along {edges})"


@final
@dataclass(frozen=True, slots=True)
class EventsQuery:
    """The probability of events in several worlds, given others.

    Attributes:
        events: What happens.
        given: What is known to happen.
    """

    events: tuple[Event, ...]
    given: tuple[Event, ...] = ()

    def __str__(self) -> str:
        """Return the query as `P(Y{X=x} = y | X = x')`."""
        conditions = f" | {', '.join(map(str, self.given))}" if self.given else ""
        return f"P({', '.join(map(str, self.events))}{conditions})"


Query: TypeAlias = EffectQuery | PathQuery | EventsQuery


@final
@dataclass(frozen=True, slots=True)
class Independence:
    """What m-separation says of two nodes.

    Attributes:
        x: A node.
        y: Another one.
        given: The nodes on which one conditions.
        cut_in: Nodes whose incoming edges are cut first.
        cut_out: Nodes whose outgoing edges are cut first.
        holds: Whether the two are separated.
    """

    x: str
    y: str
    given: tuple[str, ...] = ()
    cut_in: tuple[str, ...] = ()
    cut_out: tuple[str, ...] = ()
    holds: bool = True


@final
@dataclass(frozen=True, slots=True)
class Example:
    """A textbook graph with what is known about it.

    Attributes:
        name: A short name.
        graph: The graph.
        reference: Where it is from.
        query: What is asked.
        identifiable: Whether observing all nodes determines the answer; None where it is not said.
        estimand: The answer in terms of the observed distribution, if there is one.
        independences: Some m-separations that hold, or do not.
        districts: The districts of more than one node.
        recanting: For a path query a recanting witness, or the nodes of a recanting district.
        note: What the example is good for.
    """

    name: str
    graph: ADMG
    reference: str
    query: Query
    identifiable: bool | None
    estimand: str | None = None
    independences: tuple[Independence, ...] = ()
    districts: tuple[frozenset[str], ...] = ()
    recanting: frozenset[str] = frozenset()
    note: str = ""

    def __str__(self) -> str:
        """Return the graph, the query with its verdict, and the source."""
        verdict = {True: "identified", False: "not identified", None: "not said"}
        answer = verdict[self.identifiable] + (f", {self.estimand}" if self.estimand else "")
        lines = [f"{self.name}: {_edges_of(self.graph)}", f"{self.query}: {answer}", self.reference]
        return "\n  ".join([*lines, self.note] if self.note else lines)


def drawn(text: str) -> ADMG:
    """Read a graph as in `X -> Z -> Y, X <-> Y`."""
    directed: list[Edge] = []
    bidirected: list[Edge] = []
    for part in text.split(", "):
        for mark, edges in ((" <-> ", bidirected), (" -> ", directed)):
            if mark in part:
                edges.extend(pairwise(part.split(mark)))
                break
    return ADMG.of(directed, bidirected)


def along(text: str) -> tuple[Edge, ...]:
    """Read edges as in `X -> M -> Y`."""
    return drawn(text).directed


def _edges_of(graph: ADMG) -> str:
    """Write a graph, paths of directed edges in one."""
    chains: list[list[str]] = []
    for tail, head in graph.directed:
        if chains and chains[-1][-1] == tail:
            chains[-1].append(head)
        else:
            chains.append([tail, head])
    arcs = [f"{a} <-> {b}" for a, b in graph.bidirected]
    return ", ".join([*(" -> ".join(chain) for chain in chains), *arcs])


def districts(*texts: str) -> tuple[frozenset[str], ...]:
    """Read districts as in `X Y`, each its nodes."""
    return tuple(frozenset(text.split()) for text in texts)


def effect(treatments: str, outcomes: str, given: str = "") -> EffectQuery:
    """Read a query's variables as in `X1 X2`."""
    return EffectQuery(tuple(treatments.split()), tuple(outcomes.split()), tuple(given.split()))
