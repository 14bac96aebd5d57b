"""Two models that agree on what is known and not on a query: proof that it is not identified.

A model of a district is a distribution over response types: for each variable a table of its
parents.  What is known is linear in it, and so is a query, so that a linear program finds two such
distributions (Balke and Pearl 1994).  The other districts have some random types.  That is right
where each district has one hidden variable for all, i.e. all pairs in it have a bidirected edge.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, permutations, product
from math import prod

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linprog

from causalnet.graphs.admg import ADMG
from causalnet.identification.counting import values_of
from causalnet.identification.queries import Counterfactual, Fact, Potential
from causalnet.identification.values import Value

MOST_TYPES = 600
OTHER_TYPES = 3
DIFFERENCE = 1e-5

Levels = NDArray[np.int64]


@dataclass(frozen=True)
class Types:
    """Response types: for each variable one table a row, from its parents' levels to its own."""

    graph: ADMG
    levels: Mapping[str, int]
    tables: Mapping[str, Levels]

    @property
    def number(self) -> int:
        return len(next(iter(self.tables.values())))

    def world(self, do: Mapping[str, Levels]) -> dict[str, Levels]:
        found: dict[str, Levels] = {}
        for node in self.graph.topological_order():
            row = np.zeros(self.number, dtype=np.int64)
            for parent in self.graph.parents(node):
                row = row * self.levels[parent] + found[parent]
            own = self.tables[node][np.arange(self.number), row]
            found[node] = do.get(node, own)
        return found

    def value(self, potential: Potential, levels: Mapping[Value, int]) -> Levels:
        do = {
            name: np.full(self.number, levels[value])
            if isinstance(value, Value)
            else self.value(value, levels)
            for name, value in potential.do
        }
        return self.world(do)[potential.variable]

    def happen(self, facts: Sequence[Fact], levels: Mapping[Value, int]) -> NDArray[np.bool_]:
        told = np.ones(self.number, dtype=np.bool_)
        for fact in facts:
            told &= self.value(fact.potential, levels) == levels[fact.value]
        return told


def rows(graph: ADMG, node: str, levels: Mapping[str, int]) -> int:
    return prod(levels[parent] for parent in graph.parents(node))


def has_one_hidden_variable_each(graph: ADMG) -> bool:
    return all(
        graph.has_bidirected(a, b)
        for district in graph.districts()
        for a, b in combinations(sorted(district), 2)
    )


def are_too_many(graph: ADMG, district: frozenset[str], levels: Mapping[str, int]) -> bool:
    types = prod(float(levels[v]) ** rows(graph, v, levels) for v in district)
    return types > MOST_TYPES


def largest_difference(
    query: Counterfactual,
    graph: ADMG,
    district: frozenset[str],
    levels: Mapping[str, int],
    all_experiments: bool,
    seed: int,
) -> float:
    """How far models that differ in one district only, and agree on what is known, can differ.

    What is known is P(V), or the result of every experiment.
    """
    draw = np.random.default_rng(seed)
    types, others, weights = _types(graph, district, levels, draw)

    def among(happens: NDArray[np.bool_]) -> NDArray[np.float64]:
        """The probability of something for each type of the district."""
        return np.asarray(happens.reshape(-1, others) @ weights)

    settings = [(None, *range(levels[v])) if all_experiments else (None,) for v in graph.nodes]
    known = []
    for setting in product(*settings):
        do = {
            node: np.full(types.number, level)
            for node, level in zip(graph.nodes, setting, strict=True)
            if level is not None
        }
        world, code = types.world(do), np.zeros(types.number, dtype=np.int64)
        for node in graph.nodes:
            code = code * levels[node] + world[node]
        known += [among(code == each) for each in np.unique(code)]
    agree = np.unique(np.round(known, 12), axis=0)
    start = draw.dirichlet(np.full(agree.shape[1], 0.5))
    for assigned in _assignments(query, levels):
        whole = among(types.happen((*query.facts, *query.given), assigned))
        given = among(types.happen(query.given, assigned))
        if given @ start < 1e-9:
            continue
        # A ratio is not what it is at the start if and only if this is not 0.
        target = whole - (whole @ start) / (given @ start) * given
        for sign in (1, -1):
            found = linprog(sign * target, A_eq=agree, b_eq=agree @ start, bounds=(0, None))
            if found.status == 0 and abs(found.fun) > DIFFERENCE:
                return float(abs(found.fun))
    return 0.0


def _types(
    graph: ADMG, district: frozenset[str], levels: Mapping[str, int], draw: np.random.Generator
) -> tuple[Types, int, NDArray[np.float64]]:
    """All types of a district, each with some of the others', and the probabilities of these."""
    inside = sorted(district)
    mine = list(
        product(*(list(product(range(levels[v]), repeat=rows(graph, v, levels))) for v in inside))
    )
    weights, drawn = np.ones(1), list[dict[str, Levels]]([{}])
    for other in (each for each in graph.districts() if each != district):
        few = [
            {v: draw.integers(0, levels[v], rows(graph, v, levels)) for v in sorted(other)}
            for _ in range(OTHER_TYPES)
        ]
        drawn = [{**one, **two} for one in drawn for two in few]
        weights = np.outer(weights, draw.dirichlet(np.ones(OTHER_TYPES))).ravel()
    tables = {
        v: np.repeat(np.array([each[at] for each in mine]), len(drawn), axis=0)
        for at, v in enumerate(inside)
    }
    for v in graph.nodes:
        if v not in district:
            tables[v] = np.tile(np.array([each[v] for each in drawn]), (len(mine), 1))
    return Types(graph, levels, tables), len(drawn), weights


def _assignments(query: Counterfactual, levels: Mapping[str, int]) -> list[dict[Value, int]]:
    """All levels of the query's symbols at which those of one variable differ."""
    symbols: dict[str, list[Value]] = {}
    for value in sorted(set(values_of(query))):
        symbols.setdefault(value.variable, []).append(value)
    choices = [permutations(range(levels[v]), len(each)) for v, each in symbols.items()]
    return [
        {
            value: level
            for each, chosen in zip(symbols.values(), choice, strict=True)
            for value, level in zip(each, chosen, strict=True)
        }
        for choice in product(*choices)
    ]
