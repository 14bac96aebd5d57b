"""How long normal forms take: 4,000 worlds, and one world for each of 70,651 edges.

The graph is that of a network of 30 layers with 9 heads and 3 K/V groups each.  A line gives the
CPU seconds to make the terms, to number them and to walk them, and what was numbered.

    python bench/normal_form.py
"""

import resource
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from causalnet.graphs import Grain, MediatorGraph, TransformerShape, transformer_graph
from causalnet.interventions import (
    At,
    Base,
    Contrast,
    Do,
    Edge,
    Node,
    Read,
    Scalar,
    Site,
    logit_diff,
    normal_form,
)

SHAPE = TransformerShape(30, 9, 3, 576, 64, 1536, 49152)
BASE, SOURCE = Base("base"), Base("source")
Made = TypeVar("Made")


def patched(site: Site) -> Read:
    return Read(logit_diff, Do(BASE, ((site, At(site.read_from, SOURCE)),)))


def heads_at_positions(ending: str, count: int = 4_000) -> list[Scalar]:
    """One effect for each head and each of 15 positions, the first ones."""
    sites = [
        Node(f"L{layer}.H{head}{ending}", (position,))
        for layer in range(SHAPE.layers)
        for head in range(SHAPE.heads)
        for position in range(15)
    ]
    plain = Read(logit_diff, BASE)
    return [Contrast(((1.0, patched(site)), (-1.0, plain))) for site in sites[:count]]


def all_edges(graph: MediatorGraph) -> list[Scalar]:
    """The sum of the effects of all edges: one term."""
    reads = [(1.0, patched(Edge(sender, receiver))) for sender, receiver in graph.edges()]
    return [Contrast((*reads, (-float(len(reads)), Read(logit_diff, BASE))))]


def timed(call: Callable[[], Made]) -> tuple[Made, float]:
    start = time.process_time()
    made = call()
    return made, time.process_time() - start


def line(
    label: str, graph: MediatorGraph, terms: Callable[[], Sequence[Scalar]], budget: float
) -> str:
    made, building = timed(terms)
    form, numbering = timed(lambda: normal_form(made, graph))
    live, walking = timed(form.live)
    calls = sum(form.count_calls().values())
    total = numbering + walking
    return (
        f"{label:38} {len(form.worlds):7} {building:8.2f} {numbering:8.2f} {walking:8.2f} "
        f"{total:8.2f} {budget:7.1f} {len(form):10} {int(live.sum()):10} {calls:10}"
    )


def main() -> None:
    print(
        f"{'':38} {'worlds':>7} {'terms s':>8} {'number s':>8} {'walk s':>8} {'total s':>8} "
        f"{'budget':>7} {'values':>10} {'live':>10} {'calls':>10}"
    )
    heads = transformer_graph(SHAPE, Grain.HEADS)
    channels = transformer_graph(SHAPE)
    print(line("heads x positions, heads and MLPs", heads, lambda: heads_at_positions(""), 0.5))
    print(line("heads x positions, channels", channels, lambda: heads_at_positions(".z"), 3.0))
    print(line("all edges, channels", channels, lambda: all_edges(channels), 10.0))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f"budgets are CPU seconds of number and walk together; largest memory {peak:.2f} GB")


if __name__ == "__main__":
    main()
