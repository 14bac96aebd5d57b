"""Adjustment sets in random graphs: CPU seconds by size, every set checked.

    python bench/adjustment.py [--runs 7] > bench/figures/adjustment.txt

Graphs have three directed edges for two nodes.  In a random graph they are between any two nodes,
so few are ancestors of a node; a long chain has one long path and the other edges between nodes at
most twenty apart, so nearly all before a node are ancestors.  There are no bidirected edges, or one
for four nodes.  X and Y are the first pair drawn for which X is a cause of Y, the empty set is not
valid and some set is.  A run begins with the graph that is built and ends with the names of the
set; the median of the runs is printed.  Each run has a graph of its own, made before the clock
starts, so that nothing that a graph makes on request is there already.
"""

import argparse
import random
import statistics
import time
from collections.abc import Callable
from itertools import product

import numpy as np

from causalnet.graphs import ADMG
from causalnet.identification.adjusting.adjustment import (
    NoAdjustmentSet,
    adjustment_set,
    is_valid_adjustment,
    minimal_adjustment_set,
)
from causalnet.identification.adjusting.minimum_adjustment import minimum_adjustment_set
from causalnet.identification.adjusting.optimal_adjustment import (
    optimal_adjustment_set,
    optimal_minimal_adjustment_set,
)

Arrays = tuple[np.ndarray, np.ndarray]
Question = tuple[ADMG, str, str]
FINDERS: dict[str, Callable[[ADMG, str, str], object]] = {
    "minimal set": minimal_adjustment_set,
    "largest set of ancestors": adjustment_set,
    "minimum set": minimum_adjustment_set,
    "optimal minimal set": optimal_minimal_adjustment_set,
    "optimal set": optimal_adjustment_set,
}


def sparse(count: int, edges: int, draw: np.random.Generator) -> Arrays:
    """Edges between any two nodes, from the smaller number to the larger."""
    ends = np.sort(draw.integers(0, count, (2, edges)), axis=0)
    tails, heads = ends[:, ends[0] != ends[1]]
    return tails, heads


def chain(count: int, edges: int, draw: np.random.Generator) -> Arrays:
    """One long path, the other edges between nodes at most twenty apart."""
    tails = draw.integers(0, count - 20, edges - count + 1)
    heads = tails + draw.integers(2, 20, tails.size)
    path = np.arange(count - 1)
    return np.concatenate((path, tails)), np.concatenate((path + 1, heads))


SHAPES = {"random": sparse, "long chain": chain}


def built(shape: str, count: int, arcs: int) -> ADMG:
    """Return a graph; its bidirected edges are as far apart as the directed ones."""
    draw = np.random.default_rng(0)
    arrows = SHAPES[shape](count, count * 3 // 2, draw)
    joined = SHAPES[shape](count, count * 3 // 2, draw)
    some = draw.permutation(joined[0].size)[:arcs]
    names = [f"n{place}" for place in range(count)]
    return ADMG.from_arrays(names, *arrows, *(ends[some] for ends in joined))


def confounded(graph: ADMG) -> Question:
    """Return the graph with two nodes that are confounded, but not beyond adjustment."""
    draw = random.Random(0)
    for _ in range(10_000):
        x = draw.choice(graph.nodes[len(graph) // 2 :])
        below = sorted(graph.descendants(x) - {x})
        if not below:
            continue
        y = draw.choice(below)
        if not is_valid_adjustment(graph, x, y) and adjustment_set(graph, x, y):
            return graph, x, y
    raise SystemExit("no pair of nodes is confounded and can be adjusted")


def measured(question: Question, find: Callable[[ADMG, str, str], object], runs: int) -> float:
    """Return the median CPU seconds of runs on fresh copies of the graph."""
    graph, x, y = question
    seconds = []
    for _ in range(runs):
        fresh = ADMG(graph.nodes, graph.child_rows, graph.parent_rows, graph.sibling_rows)
        began = time.process_time()
        find(fresh, x, y)
        seconds.append(time.process_time() - began)
    return statistics.median(seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=7)
    options = parser.parse_args()
    print(f"CPU seconds, median of {options.runs} runs")
    print(
        f"{'graph':<12}{'what':<26}{'nodes':>9}{'edges':>9}{'bidirected':>12}{'seconds':>10}"
        "   nodes in the set"
    )
    for find in FINDERS.values():  # scipy is imported before the clock starts
        find(built("random", 5_000, 0), "n1000", "n4000")
    for shape, share in product(SHAPES, (0, 4)):
        for count in (1_000, 10_000, 100_000):
            rows(shape, count, count // share if share else 0, options.runs)


def rows(shape: str, count: int, arcs: int, runs: int) -> None:
    """Print what each set takes in one graph."""
    question = confounded(built(shape, count, arcs))
    graph = question[0]
    for name, find in FINDERS.items():
        seconds = measured(question, find, runs)
        print(
            f"{shape:<12}{name:<26}{count:>9,}{len(graph.child_rows):>9,}"
            f"{len(graph.sibling_rows) // 2:>12,}{seconds:>10.4f}   {told(question, name)}",
            flush=True,
        )


def told(question: Question, name: str) -> str:
    """Return the size of the set, which is checked to be valid."""
    found = FINDERS[name](*question)
    assert not isinstance(found, NoAdjustmentSet)
    if not isinstance(found, frozenset):
        return "none is optimal in all models"
    assert is_valid_adjustment(*question, found)
    return str(len(found))


if __name__ == "__main__":
    main()
