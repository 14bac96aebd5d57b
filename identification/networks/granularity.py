"""Path queries on coarse graphs: what they mean on finer ones, and how far meanings are apart.

A path of clusters stands for every fine path with that image.  Where several edges join two
clusters, a query that lets the coarse edge carry a patch does not say which of them carry it: each
non-empty choice is an admissible refinement.  Two networks that agree on all interventions on whole
clusters may differ between them (recanting witness: Avin, Shpitser and Pearl 2005), so that the
answer at the coarse grain is an interval, and not a number.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, combinations, product
from typing import TypeAlias, final

from causalnet.errors import ParameterError, TermError
from causalnet.graphs.admg import ADMG, Edge
from causalnet.graphs.path_automaton import ProperPaths, Rule, minimal
from causalnet.graphs.path_checks import EdgeConsistent, NeedsContexts, check_paths
from causalnet.graphs.path_grains import Ambiguous, ambiguity_at
from causalnet.graphs.paths import PathSet
from causalnet.interventions.path_effects import pse
from causalnet.interventions.queries import Direction, Query
from causalnet.interventions.readouts import ReadOut

__all__ = [
    "ManyRefinements",
    "RefinementInterval",
    "check_grain",
    "coarse_diagram",
    "refinement_interval",
]

_MOST = 12  # crossing edges up to which every choice of them is listed
_SHOWN = 4

Clusters: TypeAlias = Mapping[str, Sequence[str]]
Evaluate: TypeAlias = Callable[[Query], Iterable[float]]


@final
@dataclass(frozen=True, slots=True)
class ManyRefinements:
    """A set of paths of clusters that stands for several sets of fine paths.

    Attributes:
        paths: The set, at the coarse grain.
        crossing: For each coarse edge that carries the patch and stands for several fine edges,
            these.
        refinements: The sets of fine paths that it may mean, by the crossing edges that carry the
            patch; where there are more than twelve of these, the two extremes, none and all.
        is_exhaustive: Whether these are all.
        recanting: For one of them, two paths that the coarse grain cannot tell apart.
    """

    paths: PathSet
    crossing: tuple[tuple[Edge, tuple[Edge, ...]], ...]
    refinements: tuple[tuple[str, PathSet], ...]
    is_exhaustive: bool
    recanting: Ambiguous | None

    def __str__(self) -> str:
        """Return the answer as a person reads it."""
        how = "" if self.is_exhaustive else ", of which the two extremes are taken"
        edges = sum(len(fine) for _, fine in self.crossing)
        lines = [f"ambiguous: {edges} fine edges may or may not carry the patch{how}"]
        for (tail, head), fine in self.crossing[:_SHOWN]:
            lines.append(f"  {tail} -> {head} is {_listed(fine)}")
        if self.recanting is not None:
            lines.append(f"  {self.recanting}")
        return "\n".join(lines)


@final
@dataclass(frozen=True, slots=True)
class RefinementInterval:
    """The values of a coarse path query under its admissible refinements.

    Attributes:
        values: The value under each refinement.
        is_exhaustive: Whether these are all refinements; the interval may be wider if not.
    """

    values: tuple[tuple[str, float], ...]
    is_exhaustive: bool

    @property
    def lowest(self) -> tuple[str, float]:
        """The refinement with the smallest value, and the value."""
        return min(self.values, key=lambda pair: pair[1])

    @property
    def highest(self) -> tuple[str, float]:
        """The refinement with the largest value, and the value."""
        return max(self.values, key=lambda pair: pair[1])

    def __str__(self) -> str:
        """Return the interval with the refinements at its ends."""
        (one, low), (other, high) = self.lowest, self.highest
        some = "" if self.is_exhaustive else ", of two extremes only"
        ends = f"lowest by {one}, highest by {other}"
        return f"[{low:.4g}, {high:.4g}] over {len(self.values)} refinements{some}: {ends}"


def coarse_diagram(fine: ADMG, clusters: Clusters) -> ADMG:
    """Return the graph of clusters, with an edge where there is one between members.

    Args:
        fine: The fine graph.
        clusters: The members of every cluster by its name; a node in no cluster stays itself.

    Raises:
        UnknownMediatorError: A member that is not in the graph.
        ParameterError: A node in two clusters, or a cluster with the name of a node outside it.
        GraphError: The clusters form a cycle.

    >>> fine = ADMG.of(directed=[("X", "W"), ("W", "Z"), ("Z", "Y"), ("W", "Y")])
    >>> coarse_diagram(fine, {"block": ["W", "Z"]})
    ADMG(X -> block, block -> Y)
    """
    home = _homes(fine, clusters)

    def joined(edges: Sequence[Edge]) -> list[Edge]:
        pairs = ((home[a], home[b]) for a, b in edges)
        return [*dict.fromkeys((a, b) for a, b in pairs if a != b)]

    both = {frozenset(pair): pair for pair in joined(fine.bidirected)}
    nodes = dict.fromkeys(home[node] for node in fine.nodes)
    return ADMG.of(directed=joined(fine.directed), bidirected=[*both.values()], nodes=nodes)


def check_grain(
    paths: PathSet, fine: ADMG, clusters: Clusters
) -> EdgeConsistent | NeedsContexts | ManyRefinements:
    """Say what a set of paths of clusters means on the fine graph.

    Args:
        paths: The set, on `coarse_diagram(fine, clusters)`; its outcome holds one fine node.
        fine: The fine graph.
        clusters: The members of every cluster by its name.

    Returns:
        What the one set of fine paths asks for, or that there are several.

    Raises:
        TermError: Paths on another graph than that of the clusters, or an outcome of several nodes.
        UnknownMediatorError, ParameterError, GraphError: As `coarse_diagram`.

    >>> fine = ADMG.of(directed=[("X", "W"), ("W", "Z"), ("Z", "Y"), ("W", "Y")])
    >>> clusters = {"block": ["W", "Z"]}
    >>> coarse = coarse_diagram(fine, clusters)
    >>> print(check_grain(PathSet.all_paths(coarse, "X", "Y"), fine, clusters))
    ambiguous: 2 fine edges may or may not carry the patch
      block -> Y is W -> Y, Z -> Y
      ambiguous at this grain: X -> block -> Y is X -> W -> Y in, and X -> W -> Z -> Y out
    """
    coarse = coarse_diagram(fine, clusters)
    if paths.graph != coarse:
        raise TermError(
            "The paths lie on another graph than that of the clusters.",
            f"It has {len(coarse)} nodes.",
            "Write PathSet.all_paths(coarse_diagram(fine, clusters), ...).",
        )
    lifting = _Lifting(paths, fine, _homes(fine, clusters))
    crossing = lifting.crossing
    if not crossing:
        return check_paths(lifting.set_of())
    every = [edge for _, each in crossing for edge in each]
    exhaustive = len(every) <= _MOST
    refinements = []
    for chosen in _choices(crossing) if exhaustive else [(), tuple(every)]:
        fine_paths = lifting.set_of(set(every).difference(chosen))
        if fine_paths.edges().issuperset(chosen):  # else an edge of the choice is on no path
            refinements.append((_listed(chosen) or "no edge", fine_paths))
    told = (ambiguity_at(each, clusters) for _, each in refinements)
    recanting = next((each for each in told if each is not None), None)
    return ManyRefinements(paths, crossing, tuple(refinements), exhaustive, recanting)


def refinement_interval(
    found: ManyRefinements,
    evaluate: Evaluate,
    outcome: ReadOut,
    *,
    direction: Direction = "noising",
) -> RefinementInterval:
    """Evaluate a coarse path query under every admissible refinement.

    Args:
        found: What `check_grain` returned.
        evaluate: Computes a query: one number for each of its rows, in their order, such as
            `lambda query: cn.run(query, net, pairs).means()`.
        outcome: The read-out, of the node where the paths end.
        direction: Noising sends the source along the paths of the base world.

    Raises:
        ParameterError: Another number of values than of rows.
    """
    query = pse(dict(found.refinements), outcome, direction=direction)
    values = [float(value) for value in evaluate(query)]
    if len(values) != len(found.refinements):
        raise ParameterError(
            f"{len(values)} values for {len(found.refinements)} refinements.",
            "There is one for each row of the query.",
            "Write lambda query: cn.run(query, net, pairs).means().",
        )
    labels = (label for label, _ in found.refinements)
    return RefinementInterval(tuple(zip(labels, values, strict=True)), found.is_exhaustive)


class _Lifting:
    """Sets of fine paths whose image is in a set of paths of clusters."""

    def __init__(self, paths: PathSet, fine: ADMG, home: Mapping[str, str]) -> None:
        self.paths, self.fine, self.home = paths, fine, home
        ends = [node for node in fine.nodes if home[node] == paths.outcome]
        if len(ends) != 1:
            raise TermError(
                f"The outcome {paths.outcome} holds {len(ends)} nodes.",
                "Paths end at one fine node.",
                "Leave the outcome out of the clusters.",
            )
        starts = [node for name in paths.treatments for node in self._outlets(name)]
        self.span = ProperPaths.of(fine, starts, ends[0])
        self.crossing = self._crossing()

    def set_of(self, left_out: Collection[Edge] = ()) -> PathSet:
        """Return the fine paths whose image is in the set and that use none of some edges."""
        automaton = self.paths.automaton

        def step(state: int | None, tail: str, head: str) -> int | None:
            if (tail, head) in left_out:
                return None
            same = self.home[tail] == self.home[head]
            return state if same else automaton.step(state, self.home[head])

        rule = Rule(
            start=lambda node: automaton.start(self.home[node]),
            step=step,
            accepts=lambda state: state is not None,
        )
        made = minimal(self.span, rule)
        return PathSet(self.fine, self.span, made, self.span.treatments, self.span.outcome)

    def _outlets(self, cluster: str) -> list[str]:
        """Return the members of a cluster that something outside of it reads; all if none is."""
        inside = [node for node in self.fine.nodes if self.home[node] == cluster]
        read = [
            node
            for node in inside
            if any(self.home[child] != cluster for child in self.fine.children(node))
        ]
        return read or inside

    def _crossing(self) -> tuple[tuple[Edge, tuple[Edge, ...]], ...]:
        """Return coarse edges of the set that stand for several fine edges, with these."""
        found: dict[Edge, list[Edge]] = {}
        for tail, head in sorted(self.set_of().edges()):
            pair = self.home[tail], self.home[head]
            if pair[0] != pair[1]:
                found.setdefault(pair, []).append((tail, head))
        return tuple((pair, tuple(fine)) for pair, fine in found.items() if len(fine) > 1)


def _homes(fine: ADMG, clusters: Clusters) -> dict[str, str]:
    home: dict[str, str] = {}
    for name, members in clusters.items():
        for node in fine.names_of(fine.indices(members)):
            if home.setdefault(node, name) != name:
                raise ParameterError(
                    f"{node} is in the clusters {home[node]} and {name}.",
                    "A node is in one cluster at most.",
                    "Leave it out of one of them.",
                )
    for name in clusters:
        if name in fine and home.get(name) != name:
            raise ParameterError(
                f"The cluster {name} has the name of a node outside it.",
                "A cluster's name is new, or that of a member.",
                "Choose another name.",
            )
    return {node: home.get(node, node) for node in fine.nodes}


def _choices(crossing: Sequence[tuple[Edge, tuple[Edge, ...]]]) -> Iterator[tuple[Edge, ...]]:
    """Yield every choice of at least one fine edge for each coarse one."""
    parts = (
        [*chain.from_iterable(combinations(fine, size) for size in range(1, len(fine) + 1))]
        for _, fine in crossing
    )
    for chosen in product(*parts):
        yield tuple(chain.from_iterable(chosen))


def _listed(edges: Sequence[Edge]) -> str:
    return ", ".join(f"{tail} -> {head}" for tail, head in edges)
