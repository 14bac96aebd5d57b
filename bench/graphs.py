"""Mixed graphs side by side with networkx: m-separation, minimal separators, a million nodes.

    python bench/graphs.py [--nodes 100000] [--patience 60] > bench/figures/graphs.txt

Times are CPU seconds, the best of several; every answer is compared.  The graphs have no
bidirected edges where networkx knows none, and are built before the clock starts on either side.
networkx answers in a process of its own, with a limit on its seconds; so is the graph of a million
nodes built in one, to read its peak memory.
"""

import argparse
import multiprocessing
import random
import resource
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import networkx as nx
import numpy as np
from networkx.algorithms.d_separation import find_minimal_d_separator

from causalnet.graphs import ADMG, is_m_separated, minimal_separator

FORK = multiprocessing.get_context("fork")  # a child has the graphs without reading them
HEADING = f"{'networkx':>10}{'causalnet':>11}{'ratio':>8}"

Arrays = tuple[np.ndarray, np.ndarray]
Separation = tuple[ADMG, str, str, set[str]]  # x, y and the nodes allowed in the separator
Question = tuple[set[str], set[str], set[str]]


def sparse(count: int, edges: int, rng: np.random.Generator) -> Arrays:
    """Edges between any two nodes, from the smaller number to the larger."""
    ends = rng.integers(0, count, (2, edges))
    ends = np.sort(ends[:, ends[0] != ends[1]], axis=0)
    return ends[0], ends[1]


def chain(count: int, edges: int, rng: np.random.Generator) -> Arrays:
    """One long path, the other edges between nodes at most twenty apart."""
    tails = rng.integers(0, count - 20, edges - count + 1)
    heads = tails + rng.integers(2, 20, tails.size)
    path = np.arange(count - 1)
    return np.concatenate((path, tails)), np.concatenate((path + 1, heads))


def width(count: int) -> int:
    """Return the nodes in a layer."""
    return min(1000, count // 10)


def layered(count: int, edges: int, rng: np.random.Generator) -> Arrays:
    """Layers of up to a thousand nodes, edges from each to the next."""
    wide = width(count)
    tails = rng.integers(0, count - wide, edges)
    return tails, (tails // wide + 1) * wide + rng.integers(0, wide, edges)


def hub(count: int, edges: int, rng: np.random.Generator) -> Arrays:
    """A hundred nodes with most of the edges: wide and shallow."""
    tails = np.concatenate((rng.integers(0, 100, edges // 2), rng.integers(0, 100, edges // 2)))
    return tails, rng.integers(100, count, tails.size)


SHAPES: dict[str, Callable[[int, int, np.random.Generator], Arrays]] = {
    "random sparse": sparse,
    "long chain": chain,
    "layered": layered,
    "hubs": hub,
}


def ours(count: int, arrays: Arrays) -> ADMG:
    return ADMG.from_arrays([f"n{place}" for place in range(count)], *arrays)


def theirs(graph: ADMG) -> Any:
    found = nx.DiGraph()
    found.add_nodes_from(graph.nodes)
    found.add_edges_from(graph.directed)
    return found


def questions(graph: ADMG, given: float, number: int) -> list[Question]:
    """Pairs of nodes far apart in the order, and a share of all nodes that is given."""
    drawn = random.Random(0)
    found: list[Question] = []
    while len(found) < number:
        x, y = drawn.sample(graph.nodes, 2)
        others = [node for node in graph.nodes if node not in (x, y)]
        found.append(({x}, {y}, set(drawn.sample(others, int(given * len(others))))))
    return found


def cpu(call: Callable[[], Any], runs: int = 3) -> tuple[float, Any]:
    """Return the least CPU seconds of several calls, and what the last one returned."""
    least, answer = float("inf"), None
    for _ in range(runs):
        began = time.process_time()
        answer = call()
        least = min(least, time.process_time() - began)
    return least, answer


def limited(call: Callable[[], Any], patience: float) -> tuple[float, Any] | None:
    """Return the CPU seconds and answer of a call in a process of its own; None: not in time."""

    def answer(sender: Any) -> None:
        first = cpu(call, 1)
        sender.send(first if first[0] > 5 else min(first, cpu(call, 1), key=lambda run: run[0]))

    receiver, sender = FORK.Pipe(duplex=False)
    process = FORK.Process(target=answer, args=(sender,))
    process.start()
    found: tuple[float, Any] | None = receiver.recv() if receiver.poll(patience) else None
    process.terminate()
    process.join()
    return found


def compared(slow: float | None, quick: float, patience: float) -> str:
    if slow is None:
        return f"{f'>{patience:.0f}':>10}{quick:>11.4f}{f'>{patience / quick:.0f}':>8}"
    return f"{slow:>10.3f}{quick:>11.4f}{slow / quick:>8.0f}"


def separation(count: int, edges: int, patience: float) -> None:
    print(f"\nm-separation, {count:,} nodes, {edges:,} edges: seconds for 6 questions")
    print(f"{'graph':<15}{'given':>6}{HEADING}   answers")
    for name, shape in SHAPES.items():
        graph = ours(count, shape(count, edges, np.random.default_rng(0)))
        other = theirs(graph)
        for given in (0.02, 0.3):
            asked = questions(graph, given, 6)
            quick, found = cpu(partial(ask, partial(is_m_separated, graph), asked))
            slow = limited(partial(ask, partial(nx.is_d_separator, other), asked), patience)
            assert slow is None or slow[1] == found
            print(
                f"{name:<15}{given:>6.0%}{compared(slow and slow[0], quick, patience)}   "
                f"{sum(found)} of {len(found)} separated",
                flush=True,
            )


def ask(answer: Callable[..., bool], asked: list[Question]) -> list[bool]:
    return [answer(*question) for question in asked]


def neighbourhood(count: int, edges: int, patience: float) -> None:
    print(f"\nancestors and districts, {count:,} nodes, {edges:,} edges of each kind: seconds")
    print(f"{'graph':<15}{'what':<22}{HEADING}")
    for name, shape in SHAPES.items():
        arrays = shape(count, edges, np.random.default_rng(0))
        graph = ADMG.from_arrays([f"n{place}" for place in range(count)], *arrays, *arrays)
        other, joined = theirs(graph), nx.Graph(graph.bidirected)
        joined.add_nodes_from(graph.nodes)
        last = graph.nodes[-1]
        quick, found = cpu(partial(graph.ancestors, last))
        slow, expected = cpu(partial(nx.ancestors, other, last), 2)
        assert found == expected | {last}
        print(f"{name:<15}{f'{len(found):,} ancestors':<22}{compared(slow, quick, patience)}")
        quick, districts = cpu(graph.districts)
        slow, parts = cpu(partial(components, joined), 2)
        assert set(map(frozenset, parts)) == set(districts)
        print(f"{name:<15}{f'{len(parts):,} districts':<22}{compared(slow, quick, patience)}")


def components(graph: Any) -> list[set[str]]:
    return list(nx.connected_components(graph))


def back_door(count: int, edges: int) -> Separation:
    """A random graph without the edges out of X; X and Y, late in its order, are connected."""
    graph = ours(count, sparse(count, edges, np.random.default_rng(0)))
    pairs = np.random.default_rng(1).integers(int(0.9 * count), count, (1000, 2))
    for pair in np.sort(pairs, axis=1):
        x, y = graph.names_of(pair)
        cut = graph.cut_out(x)
        if x != y and not is_m_separated(cut, x, y):
            if isinstance(minimal_separator(cut, x, y), frozenset):
                return cut, x, y, set(graph.nodes)
    raise SystemExit("no pair of nodes is joined through back doors only")


def between(count: int, edges: int) -> Separation:
    """A layered graph, of which the middle layer is observed; X is in the first, Y in the last."""
    graph, wide = ours(count, layered(count, edges, np.random.default_rng(0))), width(count)
    middle = count // 2 // wide * wide
    last = [node for node in graph.nodes[-wide:] if graph.parents(node)]
    y = max(last, key=lambda node: len(graph.ancestors(node)))
    x = next(node for node in graph.nodes[:wide] if node in graph.ancestors(y))
    return graph, x, y, set(graph.nodes[middle : middle + wide])


PROBLEMS = {"back-door set": back_door, "layer between": between}


def separators(sizes: list[tuple[int, int]], patience: float) -> None:
    print("\nminimal separator of two nodes: seconds")
    print(f"{'problem':<15}{'nodes':>9}{'edges':>9}{HEADING}   nodes in the set")
    for name, problem in PROBLEMS.items():
        for count, edges in sizes:
            graph, x, y, within = problem(count, edges)
            quick, found = cpu(partial(minimal_separator, graph, x, y, (), within))
            search = partial(find_minimal_d_separator, theirs(graph), x, y, restricted=within)
            slow = limited(search, patience)
            assert is_m_separated(graph, x, y, found)
            assert slow is None or is_m_separated(graph, x, y, slow[1])
            times = compared(slow and slow[0], quick, patience)
            print(f"{name:<15}{count:>9,}{edges:>9,}{times}   {len(found)}", flush=True)


def peak() -> float:
    """Return the peak resident memory of this process in GiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def million(count: int, sender: Any) -> None:
    rng = np.random.default_rng(0)
    arrays, arcs = sparse(count, count * 3 // 2, rng), sparse(count, count // 2, rng)
    names = [f"n{place}" for place in range(count)]
    before = peak()
    built, graph = cpu(lambda: ADMG.from_arrays(names, *arrays, *arcs), 1)
    xs, ys, given = questions(graph, 0.02, 1)[0]
    low, high = graph.nodes[count // 2], graph.nodes[-1]
    results = {"build": built}
    for what, call in {
        "m-separation": lambda: is_m_separated(graph, xs, ys, given),
        "ancestors": lambda: graph.ancestors(high),
        "districts": graph.districts,
        "topological order": graph.topological_order,
        "cut_in": lambda: graph.cut_in(given),
        "minimal separator": lambda: minimal_separator(graph.cut_out(low), low, high),
        "fingerprint": lambda: graph.fingerprint,
    }.items():
        results[what] = cpu(call, 1)[0]
    sender.send((repr(graph), results, before, peak()))


def large(count: int) -> None:
    receiver, sender = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.get_context("spawn").Process(target=million, args=(count, sender))
    process.start()
    name, results, before, after = receiver.recv()
    process.join()
    print(f"\n{name}")
    for what, seconds in results.items():
        print(f"{what:<20}{seconds:>7.2f}s")
    print(f"peak memory {after:.2f} GiB, of which {before:.2f} GiB before the graph is built")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", type=int, default=100_000)
    parser.add_argument("--patience", type=float, default=60.0, help="seconds given to networkx")
    options = parser.parse_args()
    count = options.nodes
    print(f"networkx {nx.__version__}, CPU seconds")
    separation(count, count * 3 // 2, options.patience)
    neighbourhood(count, count * 3 // 2, options.patience)
    separators([(n, n * 3 // 2) for n in (count // 100, count // 10, count)], options.patience)
    large(10 * count)


if __name__ == "__main__":
    main()
