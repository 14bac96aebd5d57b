"""Small random graphs and counterfactual queries: nested, conditional, impossible."""

import random

import numpy as np

from causalnet.graphs.admg import ADMG
from causalnet.identification.evaluation import evaluate
from causalnet.identification.expressions import Expression
from causalnet.identification.oracle import RandomModel
from causalnet.identification.queries import Counterfactual, Fact, PathSpecific, Potential
from causalnet.identification.values import Value, symbol


def random_graph(draw: random.Random, least: int, most: int) -> ADMG:
    """A graph, sparse or dense."""
    size = draw.randint(least, most)
    order = draw.sample("ABCDEF"[:size], size)
    pairs = [(a, b) for at, a in enumerate(order) for b in order[at + 1 :]]
    arrows, arcs = draw.choice([0.3, 0.5, 0.8]), draw.choice([0.0, 0.15, 0.3, 0.5])
    return ADMG.of(
        [pair for pair in pairs if draw.random() < arrows],
        [pair for pair in pairs if draw.random() < arcs],
        sorted(order),
    )


def random_potential(draw: random.Random, graph: ADMG, node: str, depth: int) -> Potential:
    """A variable in a world, whose values are nested up to a depth."""
    do: dict[str, Value | Potential] = {}
    for other in graph.nodes:
        if draw.random() < (0.3 if other != node else 0.03):
            deeper = depth > 0 and draw.random() < 0.35
            do[other] = (
                random_potential(draw, graph, other, depth - 1)
                if deeper
                else symbol(other, draw.choice([0, 0, 1]))
            )
    return Potential.of(node, do)


def random_facts(draw: random.Random, graph: ADMG, number: int, depth: int) -> tuple[Fact, ...]:
    nodes = [draw.choice(graph.nodes) for _ in range(number)]
    return tuple(
        Fact(random_potential(draw, graph, v, depth), symbol(v, draw.choice([0, 0, 0, 1])))
        for v in nodes
    )


def random_query(draw: random.Random, graph: ADMG) -> Counterfactual:
    facts = random_facts(draw, graph, draw.choice([1, 1, 2, 2, 3]), 2)
    return Counterfactual(facts, random_facts(draw, graph, draw.choice([0, 0, 1, 1, 2]), 2))


def random_paths(draw: random.Random, graph: ADMG) -> PathSpecific:
    """Active edges for one treatment or two, and one outcome or two below them."""
    order = graph.topological_order()
    xs = draw.sample(order[:-1][:3], min(draw.choice([1, 1, 2]), len(order) - 2))
    last = [node for node in order if node not in xs][-2:]
    ys = draw.sample(last, min(draw.choice([1, 1, 2]), len(last)))
    share = draw.choice([0.3, 0.6, 0.9])
    return PathSpecific(
        tuple(map(symbol, ys)),
        tuple(map(symbol, xs)),
        tuple(symbol(x, 1) for x in xs),
        tuple(edge for edge in graph.directed if draw.random() < share),
    )


def gap(graph: ADMG, one: Expression, other: Expression, seed: int) -> float:
    """The largest difference of two formulas in a random model."""
    table = RandomModel.of(graph, seed).table
    left, right = evaluate(one, table), evaluate(other, table)
    axes = tuple(sorted({*left.axes, *right.axes}))
    return float(np.max(np.abs(left.aligned(axes) - right.aligned(axes))))
