"""Adjustment spelled out: path by path, and by numbers in random discrete and Gaussian models."""

import random
from collections.abc import Callable, Iterator
from itertools import combinations, pairwise
from typing import Any, NamedTuple

import numpy as np
from hypothesis import strategies as st

from causalnet.graphs.admg import ADMG
from tests.graphs.random_admgs import SEEDS, directed_paths, is_open, simple_paths


class Effect(NamedTuple):
    """A question about adjustment."""

    graph: ADMG
    xs: frozenset[str]
    ys: frozenset[str]
    including: frozenset[str]
    within: frozenset[str]

    @property
    def others(self) -> frozenset[str]:
        return frozenset(self.graph.nodes) - self.xs - self.ys


def effects(
    least: int = 3,
    most: int = 6,
    bidirected: bool = True,
    single: bool = False,
    mediated: bool = False,
) -> st.SearchStrategy[Effect]:
    """Sparse graphs with treatments mostly above outcomes, few bidirected edges, some nodes hidden.

    Effects that are mediated go through a node in between, and their ends are mostly confounded.
    All comes from one seed: drawn one by one, nearly all graphs are empty or dense.
    """

    def effect(seed: int) -> Effect:
        draw = random.Random(seed)
        order = draw.sample("ABCDEFGH", draw.randint(least, most))
        pairs = list(combinations(order, 2))
        thick, arcs = draw.choice([0.3, 0.45, 0.6]), draw.choice([0.0, 0.15, 0.3]) * bidirected
        edges = {pair for pair in pairs if draw.random() < thick}
        joined = {pair for pair in pairs if draw.random() < arcs}
        x, y = sorted(draw.sample(range(len(order)), 2))
        if mediated:
            x, m, y = sorted(draw.sample(range(len(order)), 3))
            edges = (edges | {(order[x], order[m]), (order[m], order[y])}) - {(order[x], order[y])}
            joined = {pair for pair in joined if draw.random() < 0.4}
            joined |= {(order[x], order[y])} if draw.random() < 0.7 else set()
        elif draw.random() < 0.1:
            x, y = y, x
        graph = ADMG.of(sorted(edges), sorted(joined), sorted(order))
        parts: dict[str, set[str]] = {"x": {order[x]}, "y": {order[y]}, "i": set(), "-": set()}
        for node in sorted(set(order) - {order[x], order[y]}):
            weights = (0, 0, 1, 12) if single or mediated else (2, 1, 1, 12)
            parts[draw.choices("xyi-", weights)[0]].add(node)
        hides = draw.choice([0.0, 0.0, 0.3])
        seen = {node for node in sorted(parts["-"]) if draw.random() >= hides}
        sets = map(frozenset, (parts["x"], parts["y"], parts["i"], seen | parts["i"]))
        return Effect(graph, *sets)

    return SEEDS.map(effect)


def subsets(names: frozenset[str]) -> Iterator[frozenset[str]]:
    for size in range(len(names) + 1):
        yield from map(frozenset, combinations(sorted(names), size))


def is_valid(effect: Effect, zs: frozenset[str]) -> bool:
    """The adjustment criterion, looking at every path."""
    return not zs & forbidden(effect) and not open_paths(effect, zs)


def valid_sets(effect: Effect) -> list[frozenset[str]]:
    return [
        zs | effect.including
        for zs in subsets((effect.within & effect.others) - effect.including)
        if is_valid(effect, zs | effect.including)
    ]


def forbidden(effect: Effect) -> frozenset[str]:
    """All that descends from a node, not a treatment, on a proper causal path."""
    graph = effect.graph
    return frozenset[str]().union(
        *(
            graph.descendants(path[1:])
            for x in effect.xs
            for y in effect.ys
            for path in directed_paths(graph, x, y, "".join(effect.xs))
        )
    )


def open_paths(effect: Effect, zs: frozenset[str]) -> list[list[str]]:
    """All open proper paths that are not causal."""
    return [
        [node for node, _, _ in path]
        for x in sorted(effect.xs)
        for y in sorted(effect.ys)
        for path in simple_paths(effect.graph, x, y)
        if not effect.xs & {node for node, _, _ in path[1:]}
        if any(leaves for _, leaves, _ in path[1:])
        if is_open(effect.graph, path, zs)
    ]


def is_directed(graph: ADMG, path: tuple[str, ...]) -> bool:
    return bool(path) and all(graph.has_edge(*edge) for edge in pairwise(path))


# Random discrete models: binary nodes, one binary hidden cause for each bidirected edge.


def discrete_error(effect: Effect, zs: frozenset[str], seed: int) -> float:
    """The largest difference between sum_z P(y|x,z) P(z) and P(y | do(x)) in a random model."""
    xs, ys = effect.xs, effect.ys
    observed, done, marginal = _discrete(effect, seed)
    given = marginal(observed, xs | ys | zs) / marginal(observed, xs | zs)
    adjusted = marginal(given * marginal(observed, zs), xs | ys)
    return float(np.abs(adjusted - marginal(done, xs | ys)).max())


def front_door_error(effect: Effect, zs: frozenset[str], seed: int) -> float:
    """As above, for sum_z P(z|x) sum_x' P(y|x',z) P(x')."""
    xs, ys = effect.xs, effect.ys
    observed, done, marginal = _discrete(effect, seed)
    given = marginal(observed, xs | ys | zs) / marginal(observed, xs | zs)
    inner = marginal(given * marginal(observed, xs), ys | zs)
    front = marginal(marginal(observed, xs | zs) / marginal(observed, xs) * inner, xs | ys)
    return float(np.abs(front - marginal(done, xs | ys)).max())


def _discrete(effect: Effect, seed: int) -> tuple[Any, Any, Callable[[Any, frozenset[str]], Any]]:
    """P(v, u) and P(v, u | do(x)) of a random model, an axis for each, and what sums axes out."""
    graph = effect.graph
    draw = np.random.default_rng(seed)
    hidden = {f"{a}{b}": {a, b} for a, b in graph.bidirected}
    axes = {name: axis for axis, name in enumerate((*graph.nodes, *hidden))}

    def marginal(joint: Any, kept: frozenset[str]) -> Any:
        summed = tuple(axis for name, axis in axes.items() if name not in kept)
        return joint.sum(summed, keepdims=True)

    observed = done = np.ones([1] * len(axes))
    for node, axis in axes.items():
        causes = {node}
        if node in graph:
            causes |= {*graph.parents(node), *(u for u, ends in hidden.items() if node in ends)}
        table = draw.uniform(0.1, 0.9, [2 if name in causes else 1 for name in axes])
        table /= table.sum(axis, keepdims=True)
        observed = observed * table
        done = done if node in effect.xs else done * table
    return observed, done, marginal


# Linear Gaussian models: coefficients on directed edges, hidden causes for bidirected ones.


def gaussian(graph: ADMG, seed: int, spread: float = 1.0) -> tuple[Any, Any]:
    """The covariance of the nodes in a random model, and the total effects [of j on i]."""
    draw = np.random.default_rng(seed)
    count = len(graph)
    hidden = len(graph.bidirected)

    def strengths(size: int) -> Any:
        return np.exp(draw.normal(0, spread, size)) * draw.choice([-1.0, 1.0], size)

    arrows = np.zeros((count, count))
    for (tail, head), value in zip(graph.directed, strengths(len(graph.directed)), strict=True):
        arrows[graph.index(head), graph.index(tail)] = value
    noise = np.zeros((count, count + hidden))
    noise[:, :count] = np.diag(strengths(count))
    for column, (a, b) in enumerate(graph.bidirected, start=count):
        noise[[graph.index(a), graph.index(b)], column] = strengths(2)
    effects = np.linalg.inv(np.eye(count) - arrows)
    return effects @ noise @ noise.T @ effects.T, effects


def variances(effect: Effect, zs: frozenset[str], sigma: Any) -> Any:
    """The asymptotic variances of the least squares coefficients of xs, for each outcome."""
    numbers = effect.graph.index
    xs, ys, z = (sorted(map(numbers, names)) for names in (effect.xs, effect.ys, zs))
    return np.outer(
        np.diag(partial(sigma, ys, xs + z)), np.diag(np.linalg.inv(partial(sigma, xs, z)))
    )


def partial(sigma: Any, a: list[int], z: list[int], b: list[int] | None = None) -> Any:
    """The covariance of some nodes with others, by themselves unless said, given z."""
    b = a if b is None else b
    solved = np.linalg.solve(sigma[np.ix_(z, z)], sigma[np.ix_(z, b)])
    return sigma[np.ix_(a, b)] - sigma[np.ix_(a, z)] @ solved
