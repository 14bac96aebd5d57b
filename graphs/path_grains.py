"""Sets of causal paths seen at a coarser grain, at which several nodes are one.

Two paths that differ only within clusters are the same path of clusters.  If one is in a set and
the other is not, no query about clusters says which is meant, and two networks that agree on every
intervention on whole clusters may differ in its answer.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, groupby, product
from typing import NamedTuple, final

from causalnet.errors import ParameterError
from causalnet.graphs.arguments import check_type, mapped
from causalnet.graphs.edge_lists import shown
from causalnet.graphs.path_automaton import Path
from causalnet.graphs.paths import PathSet

__all__ = ["Ambiguous", "ambiguity_at"]


@final
@dataclass(frozen=True, slots=True)
class Ambiguous:
    """Two paths, one in a set and one not, that are the same path of clusters.

    Attributes:
        image: The path of clusters.
        active: A path of the set.
        inactive: A path outside it.
    """

    image: Path
    active: Path
    inactive: Path

    def __str__(self) -> str:
        """Return the three paths in one line."""
        image, active, inactive = (
            shown(path, " -> ") for path in (self.image, self.active, self.inactive)
        )
        return f"ambiguous at this grain: {image} is {active} in, and {inactive} out"


def ambiguity_at(paths: PathSet, clusters: Mapping[str, Sequence[str]]) -> Ambiguous | None:
    """Return two paths that a coarser grain cannot tell apart; None where it tells all apart.

    Pairs of paths are followed side by side, so that time is at most quadratic in the size of the
    set's automaton, and linear where clusters are small.

    Args:
        paths: The set, on the fine graph.
        clusters: The members of every cluster by its name; a node in no cluster stays itself.

    Raises:
        UnknownMediatorError: A member that is not in the graph.
        ParameterError: A node in two clusters, or a cluster with the name of a node outside it.

    >>> from causalnet.graphs.admg import ADMG
    >>> graph = ADMG.of(directed=[("X", "W"), ("W", "Z"), ("Z", "Y"), ("W", "Y")])
    >>> direct = PathSet.listed(graph, [("X", "W", "Y")])
    >>> print(ambiguity_at(direct, {"block": ["W", "Z"]}))
    ambiguous at this grain: X -> block -> Y is X -> W -> Y in, and X -> W -> Z -> Y out
    >>> ambiguity_at(PathSet.all_paths(graph, "X", "Y"), {"block": ["W", "Z"]}) is None
    True
    """
    check_type(paths, PathSet, "Write PathSet.all_paths(graph, 'X', 'Y'), or a part of it.")
    home = _homes(paths, mapped(clusters, "clusters to members", "Write {'block': ['W', 'Z']}."))
    starts = _starts(paths, home)
    before: dict[_Pair, _Pair | None] = dict.fromkeys(starts)
    queue = list(before)
    for pair in queue:
        if pair.inside == pair.outside == paths.outcome and pair.left is None:
            return _told(pair, before, home)
        for after in _steps(paths, home, pair):
            if after not in before:
                before[after] = pair
                queue.append(after)
    return None


class _Pair(NamedTuple):
    """Where two paths with the same image are.

    Attributes:
        inside: The node of the path that stays in the set.
        state: The state of the set's automaton after it.
        outside: The node of the other path.
        left: Its state; None once it has left the set.
    """

    inside: str
    state: int
    outside: str
    left: int | None


def _homes(paths: PathSet, clusters: Mapping[str, Sequence[str]]) -> dict[str, str]:
    home: dict[str, str] = {}
    for name, members in clusters.items():
        for node in paths.graph.names_of(paths.graph.indices(members)):
            if home.setdefault(node, name) != name:
                raise ParameterError(
                    f"{node} is in the clusters {home[node]} and {name}.",
                    "A node is in one cluster at most.",
                    "Leave it out of one of them.",
                )
    for name in clusters:
        if name in paths.graph and home.get(name) != name:
            raise ParameterError(
                f"The cluster {name} has the name of a node outside it.",
                "A cluster's name is new, or that of a member.",
                "Choose another name.",
            )
    return {node: home.get(node, node) for node in paths.graph.nodes}


def _starts(paths: PathSet, home: Mapping[str, str]) -> Iterator[_Pair]:
    start = paths.automaton.start
    for one, two in product(paths.treatments, repeat=2):
        state = start(one)
        if state is not None and home[one] == home[two] and two in paths.span.children:
            yield _Pair(one, state, two, start(two))


def _steps(paths: PathSet, home: Mapping[str, str], pair: _Pair) -> Iterable[_Pair]:
    """Move one path within the cluster, or both to the same other cluster."""
    here = home[pair.inside]
    inside = paths.automaton.moves[pair.state]
    outside = [
        (child, paths.automaton.step(pair.left, child))
        for child in paths.span.children[pair.outside]
    ]
    away: dict[str, list[tuple[str, int | None]]] = {}
    for child, left in outside:
        away.setdefault(home[child], []).append((child, left))
    return chain(
        (_Pair(*move, pair.outside, pair.left) for move in inside if home[move.child] == here),
        (_Pair(pair.inside, pair.state, *other) for other in away.get(here, ())),
        (
            _Pair(*move, *other)
            for move in inside
            if home[move.child] != here
            for other in away.get(home[move.child], ())
        ),
    )


def _told(pair: _Pair, before: Mapping[_Pair, _Pair | None], home: Mapping[str, str]) -> Ambiguous:
    pairs: list[_Pair] = []
    at: _Pair | None = pair
    while at is not None:
        pairs.append(at)
        at = before[at]
    pairs.reverse()
    active = _without_repeats(pair.inside for pair in pairs)
    inactive = _without_repeats(pair.outside for pair in pairs)
    image = tuple(cluster for cluster, _ in groupby(home[node] for node in active))
    return Ambiguous(image, active, inactive)


def _without_repeats(nodes: Iterable[str]) -> Path:
    """Return nodes, each stay at one told once; a directed path comes to a node only once."""
    return tuple(dict.fromkeys(nodes))
