"""Small random mixed graphs, and what they mean spelled out path by path."""

import random
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, Protocol, TypeVar

from hypothesis import strategies as st

from causalnet.graphs.admg import ADMG

NAMES = "ABCDEFGH"
SEEDS = st.integers(0, 2**32)
Value = TypeVar("Value")


class Draw(Protocol):
    """How values are drawn, while a strategy is made or within a test."""

    def __call__(self, strategy: Any) -> Any: ...


def subset(draw: Draw, values: Sequence[Value]) -> list[Value]:
    """Some of the values: few, about half or most of them, which lists of hypothesis rarely are."""
    return _subset(random.Random(draw(SEEDS)), values)


def _subset(
    generator: random.Random, values: Sequence[Value], chances: Sequence[float] = (0.3, 0.5, 0.8)
) -> list[Value]:
    chance = generator.choice(chances)
    return [value for value in values if generator.random() < chance]


def admgs(
    least: int = 2,
    most: int = 6,
    bidirected: bool = True,
    chances: Sequence[float] = (0.3, 0.5, 0.8),
) -> st.SearchStrategy[ADMG]:
    """Graphs in which nothing about the order of names says what causes what.

    All of a graph comes from one seed, as hypothesis left alone draws hardly any dense graph.
    """

    def graph(seed: int) -> ADMG:
        generator = random.Random(seed)
        names = list(NAMES[: generator.randint(least, most)])
        order = generator.sample(names, len(names))
        pairs = [(a, b) for at, a in enumerate(order) for b in order[at + 1 :]]
        directed = _subset(generator, pairs, chances)
        arcs = _subset(generator, pairs) if bidirected else []
        return ADMG.of(directed=directed, bidirected=arcs, nodes=names)

    return SEEDS.map(graph)


@st.composite
def causal_pairs(draw: st.DrawFn, most: int = 7, bidirected: bool = False) -> tuple[ADMG, str, str]:
    """A graph with a treatment and an outcome, mostly far below it, so that there are paths."""
    graphs = admgs(3, most, bidirected, chances=(0.6, 0.8, 1.0))
    graph = draw(graphs.filter(lambda graph: bool(graph.directed)))
    generator = random.Random(draw(SEEDS))
    order = graph.topological_order()
    x = generator.choice([node for node in order if graph.children(node)][:2])
    return graph, x, generator.choice([v for v in order if v in graph.descendants(x) - {x}][-2:])


def steps(graph: ADMG, node: str) -> Iterator[tuple[str, bool, bool]]:
    """The neighbours of a node, with the arrowheads at the node and at the neighbour."""
    yield from ((child, False, True) for child in graph.children(node))
    yield from ((parent, True, False) for parent in graph.parents(node))
    yield from ((sibling, True, True) for sibling in graph.siblings(node))


def simple_paths(graph: ADMG, a: str, b: str) -> Iterator[list[tuple[str, bool, bool]]]:
    """All paths from a to b: each step is a node with the arrowheads behind and at it."""
    stack: list[list[tuple[str, bool, bool]]] = [[(a, False, False)]]
    while stack:
        path = stack.pop()
        if path[-1][0] == b:
            yield path
            continue
        for step in steps(graph, path[-1][0]):
            if step[0] not in [seen for seen, _, _ in path]:
                stack.append([*path, step])


def is_open(graph: ADMG, path: list[tuple[str, bool, bool]], given: frozenset[str]) -> bool:
    """Whether each collider is an ancestor of the given nodes and nothing else is given."""
    above = graph.ancestors(given)
    for (node, _, arrives), (_, leaves, _) in pairwise(path[1:]):
        collider = arrives and leaves
        if (node not in above) if collider else (node in given):
            return False
    return True


def are_separated(graph: ADMG, a: str, b: str, given: frozenset[str]) -> bool:
    """Whether no path between two nodes is open, by looking at every path."""
    return not any(is_open(graph, path, given) for path in simple_paths(graph, a, b))


def directed_paths(graph: ADMG, a: str, b: str, without: str = "") -> list[tuple[str, ...]]:
    """All directed paths from a to b whose later nodes are not among some."""
    found: list[tuple[str, ...]] = []
    stack: list[tuple[str, ...]] = [(a,)]
    while stack:
        path = stack.pop()
        if path[-1] == b:
            found.append(path)
            continue
        stack += [(*path, child) for child in graph.children(path[-1]) if child not in without]
    return sorted(found)
