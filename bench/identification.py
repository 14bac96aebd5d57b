"""Effects in random mixed graphs: time and length of formulas, beside y0 and causaleffect.

    python bench/identification.py [--graphs 40] > bench/figures/identification.txt

The two are no dependencies; a column is left out where one is not installed.  Graphs are built
before the clock starts on every side; times are CPU milliseconds, the least of three for each
graph, and medians over the graphs whose effect is identified.  Lengths are characters without
spaces and markup.  Verdicts must agree.  causalnet's time is that of `identify`, which simplifies
as well; the others compare no formula with enumeration, and the column `checked` is what it takes
with that, where it is affordable.
"""

import argparse
import random
import re
import statistics
import time
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

from causalnet.graphs import ADMG
from causalnet.identification import Effect, Identified, NotIdentified, identify, symbol

PARENTS, ARCS = 1.35, 0.6  # directed and bidirected edges for each node
Told = tuple[float, str | None]  # seconds; the formula's text, None where it is not identified


def drawn(count: int, draw: random.Random) -> tuple[ADMG, str, str]:
    """Return a sparse graph with the outcome that has most causes, and one of its early causes."""
    while True:
        names = [f"V{at}" for at in range(count)]
        pairs = [(a, b) for at, a in enumerate(names) for b in names[at + 1 :]]
        chance = PARENTS * count / len(pairs)
        directed = [pair for pair in pairs if draw.random() < chance]
        chance = ARCS * count / len(pairs)
        bidirected = [pair for pair in pairs if draw.random() < chance]
        graph = ADMG.of(directed, bidirected, names)
        y = max(names, key=lambda name: len(graph.ancestors(name)))
        causes = [name for name in names if name in graph.ancestors(y) - {y}]
        if causes:
            return graph, draw.choice(causes[: len(causes) // 2 + 1]), y


def timed(work: Callable[[], str | None]) -> Told:
    best = float("inf")
    for _ in range(3):
        start = time.process_time()
        text = work()
        best = min(best, time.process_time() - start)
    return best, text


def ours(graph: ADMG, x: str, y: str, verify: int | None = 0) -> Told:
    query = Effect((symbol(y),), (symbol(x),))

    def work() -> str | None:
        found = identify(query, graph, verify=verify)
        assert isinstance(found, Identified | NotIdentified)
        return str(found.estimand) if isinstance(found, Identified) else None

    return timed(work)


def y0(graph: ADMG, x: str, y: str) -> Told:
    from y0.algorithm.identify import Identification, Unidentifiable
    from y0.algorithm.identify.id_std import identify as their_identify
    from y0.dsl import P, Variable
    from y0.graph import NxMixedGraph

    mixed = NxMixedGraph.from_str_edges(
        nodes=list(graph.nodes), directed=list(graph.directed), undirected=list(graph.bidirected)
    )
    query = P(Variable(y) @ Variable(x))

    def work() -> str | None:
        try:
            return str(their_identify(Identification.from_expression(query=query, graph=mixed)))
        except Unidentifiable:
            return None

    return timed(work)


def causaleffect(graph: ADMG, x: str, y: str) -> Told:
    import causaleffect as package

    edges = [f"{a}->{b}" for a, b in graph.directed]
    edges += [f"{a}<->{b}" for a, b in graph.bidirected]
    theirs = package.createGraph(edges)

    def work() -> str | None:
        found: Any = package.ID({y}, {x}, theirs)
        return str(found.printLatex()) if found.identifiable else None

    return timed(work)


def length(text: str) -> int:
    """Return the characters of a formula without spaces and without the commands of LaTeX."""
    text = re.sub(r"\\(left|right|limits|frac|,)", "", text)
    return len(re.sub(r"[\s\\{}_]", "", text))


def checked(graph: ADMG, x: str, y: str) -> Told:
    return ours(graph, x, y, verify=None)


PEERS: dict[str, Callable[[ADMG, str, str], Told]] = {"y0": y0, "causaleffect": causaleffect}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--graphs", type=int, default=40)
    parser.add_argument("--sizes", type=int, nargs="+", default=[20, 40, 80])
    parser.add_argument("--seed", type=int, default=0)
    told = parser.parse_args()
    sides = {"causalnet": ours, "checked": checked} | {
        name: side for name, side in PEERS.items() if find_spec(name) is not None
    }
    print(f"{told.graphs} graphs a size, {PARENTS} parents and {ARCS} bidirected edges a node")
    print(f"{'nodes':>5} {'identified':>10}  " + "".join(
        f"{f'{name}, ms':>18}{'characters':>12}" for name in sides
    ))  # fmt: skip
    for size in told.sizes:
        draw = random.Random(told.seed + size)
        rows: dict[str, list[tuple[float, int]]] = {name: [] for name in sides}
        for _ in range(told.graphs):
            graph, x, y = drawn(size, draw)
            found = {name: side(graph, x, y) for name, side in sides.items()}
            verdicts = {text is None for _, text in found.values()}
            assert len(verdicts) == 1, (graph.directed, graph.bidirected, x, y, found)
            for name, (seconds, text) in found.items():
                if text is not None:
                    rows[name].append((1000 * seconds, length(text)))
        medians = "".join(
            f"{statistics.median(ms for ms, _ in row):>18.2f}"
            f"{statistics.median(size for _, size in row):>12.0f}"
            for row in rows.values()
        )
        print(f"{size:>5} {len(rows['causalnet']):>10}  {medians}", flush=True)


if __name__ == "__main__":
    main()
