"""Latent projection: the ADMG that a graph leaves on the nodes one keeps.

| relation | meaning, for kept a and b |
|---|---|
| `a -> b` | a directed path from a to b whose interior is omitted |
| `a <-> b` | a path without colliders, arrowheads at both ends, whose interior is omitted |

Verma and Pearl (1990), "Equivalence and synthesis of causal models"; Richardson, Evans, Robins and
Shpitser (2023), "Nested Markov properties for acyclic directed mixed graphs", definition 3.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, combinations, product
from typing import final

from causalnet.graphs.admg import ADMG, Names, check_admg

__all__ = ["OmittedPaths", "latent_projection"]

_NONE: frozenset[int] = frozenset()


def latent_projection(graph: ADMG, kept: Names) -> ADMG:
    """Marginalise a graph onto the nodes that are kept.

    Directed reachability, m-separation and what can be identified do not change among the kept
    nodes.  Nothing is eliminated node by node, so no order matters: every omitted node is asked
    once which kept nodes it reaches through omitted ones.  Time is linear in the graph's edges
    times the largest such set, plus the edges that come out.

    Args:
        graph: The whole graph.
        kept: Names of the nodes that stay; the others are omitted.

    Raises:
        UnknownMediatorError: A kept name that is not in the graph.

    >>> front_door = ADMG.of(directed=[("U", "X"), ("U", "Y"), ("X", "M"), ("M", "Y")])
    >>> projected = latent_projection(front_door, ["X", "Y"])
    >>> projected.has_edge("X", "Y"), projected.has_bidirected("X", "Y")
    (True, True)
    """
    paths = OmittedPaths.of(graph, kept)
    pairs = sorted({(v, w) for v in paths.kept for w in paths.children(v) | paths.through(v)})
    arcs = sorted({*paths.arcs(), *paths.kept_spouses()})
    place = {node: at for at, node in enumerate(paths.kept)}
    ends = [[place[node] for node in column] for edges in (pairs, arcs) for column in _ends(edges)]
    return ADMG.from_arrays(graph.names_of(paths.kept), *ends)


@final
@dataclass(frozen=True, slots=True)
class OmittedPaths:
    """Which kept nodes each node reaches through omitted ones, by index in the graph.

    Attributes:
        kept: Indices of the kept nodes, ascending.
        below: For each node its children.
        spouses: Bidirected edges.
        reach: For an omitted node the kept nodes at the end of directed paths from it whose
            interior is omitted; for a kept node itself.
        sources: The omitted nodes without an omitted parent.
    """

    kept: tuple[int, ...]
    below: tuple[tuple[int, ...], ...]
    spouses: tuple[tuple[int, int], ...]
    reach: tuple[frozenset[int], ...]
    sources: tuple[int, ...]

    @staticmethod
    def of(graph: ADMG, kept: Names) -> "OmittedPaths":
        """Follow the omitted nodes of a graph downwards, children first.

        Raises:
            UnknownMediatorError: A kept name that is not in the graph.
        """
        check_admg(graph)
        chosen = set(graph.indices(kept).tolist())
        index = {name: at for at, name in enumerate(graph.nodes)}
        below: list[list[int]] = [[] for _ in graph.nodes]
        for tail, head in graph.directed:
            below[index[tail]].append(index[head])
        order = [index[name] for name in reversed(graph.topological_order())]
        under_omitted = {child for v in order if v not in chosen for child in below[v]}
        return OmittedPaths(
            kept=tuple(sorted(chosen)),
            below=tuple(map(tuple, below)),
            spouses=tuple((index[a], index[b]) for a, b in graph.bidirected),
            reach=_reach(order, below, chosen),
            sources=tuple(v for v in order if v not in chosen and v not in under_omitted),
        )

    def children(self, node: int) -> frozenset[int]:
        """Return the kept children of a node."""
        return frozenset(child for child in self.below[node] if self.reach[child] == {child})

    def through(self, node: int) -> frozenset[int]:
        """Return the kept nodes that a node reaches through at least one omitted node."""
        kept = self.children(node)
        return _NONE.union(*(self.reach[child] for child in self.below[node] if child not in kept))

    def arcs(self) -> Iterator[tuple[int, int]]:
        """Yield the pairs of kept nodes with a common cause among the omitted, some repeatedly.

        An omitted node with an omitted parent adds no pair: its parent reaches all that it does.
        """
        for reach in {self.reach[source] for source in self.sources}:
            yield from combinations(sorted(reach), 2)
        kept = set(self.kept)
        spouses = ((a, b) for a, b in self.spouses if a not in kept or b not in kept)
        for ends in {(self.reach[a], self.reach[b]) for a, b in spouses}:
            yield from ((min(pair), max(pair)) for pair in product(*ends) if pair[0] != pair[1])

    def kept_spouses(self) -> list[tuple[int, int]]:
        """Return the bidirected edges of the graph between kept nodes."""
        kept = set(self.kept)
        return [(min(pair), max(pair)) for pair in self.spouses if kept.issuperset(pair)]


def _reach(order: list[int], below: list[list[int]], kept: set[int]) -> tuple[frozenset[int], ...]:
    """Unite the children's sets; equal sets are one object, as neighbours mostly agree."""
    reach: list[frozenset[int]] = [_NONE] * len(below)
    known: dict[frozenset[int], frozenset[int]] = {_NONE: _NONE}
    for node in order:
        found = {node} if node in kept else set(chain(*{reach[child] for child in below[node]}))
        frozen = frozenset(found)
        reach[node] = known.setdefault(frozen, frozen)
    return tuple(reach)


def _ends(edges: list[tuple[int, int]]) -> tuple[list[int], list[int]]:
    return [a for a, _ in edges], [b for _, b in edges]
