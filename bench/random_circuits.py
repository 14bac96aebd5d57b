"""What circuits of edges are compared with: random sets, unions of paths, and circuits alike.

For each network that was written by hand, its circuit beside 50 random ones of as many edges, each
way of drawing; faithfulness and gap to the whole network on the same 32 prompts.  Last, what a draw
costs in the graph of SmolLM2-135M.

    python bench/random_circuits.py > bench/figures/random_circuits.txt
"""

import argparse
import time
from collections.abc import Callable

import numpy as np
import torch

from causalnet.effects import counterfactual, zero
from causalnet.faithfulness import (
    EdgeCircuitScorer,
    Member,
    Regime,
    Wanted,
    connection,
    random_circuits_like,
)
from causalnet.graphs import MediatorGraph, TransformerShape, transformer_graph
from causalnet.interventions import READOUTS, Edge
from causalnet.known_circuits import known_circuit
from causalnet.lift import lift
from causalnet.models import load
from causalnet.tasks import make

NETWORKS = ("induction_soft", "sort_soft", "indirect_object_soft")
SMOLLM2 = TransformerShape(30, 9, 3, 576, 64, 1536, 49152)
Draw = Callable[[int], tuple[Member, ...]]


def ways(graph: MediatorGraph, circuit: tuple[Edge, ...]) -> dict[str, Draw]:
    """Return the ways of drawing a circuit of as many edges."""
    everything = [Edge(sender, receiver) for sender, receiver in graph.edges()]

    def uniform(number: int) -> tuple[Member, ...]:
        rng = np.random.default_rng([7, number])
        chosen = rng.choice(len(everything), size=len(circuit), replace=False)
        return tuple(everything[index] for index in sorted(chosen))

    return {
        "any edges": uniform,
        "paths": random_circuits_like(graph, circuit, way="paths").draw,
        "swaps": random_circuits_like(graph, circuit, way="swaps").draw,
    }


def compared(name: str, count: int, prompts: int) -> None:
    """Print what random circuits of a network are like, each way of drawing."""
    net = lift(load(f"known:{name}"))
    pairs = make(f"known:{name}", net.model.tokenizer, n=prompts, seed=1)
    circuit = tuple(Edge(*ends) for ends in sorted(known_circuit(name).truth))
    for ablation in (zero(), counterfactual()):
        scorer = EdgeCircuitScorer(net, READOUTS["logit_difference"], ablation)
        for way, draw in ways(net.graph, circuit).items():
            drawn = [draw(number) for number in range(count)]
            parts: list[Wanted] = [(Regime.MODEL, ()), (Regime.EMPTY, ())]
            wanted = [*parts, *((Regime.KEPT, one) for one in (circuit, *drawn))]
            read = scorer.read(pairs, wanted).values
            model, empty, own, *others = (read[one] for one in wanted)
            shares = [(one - empty).mean() / (model - empty).mean() for one in others]
            gap = np.abs(own - model).mean() + 1e-9  # rounding is no win
            rivals = {
                frozenset(d): np.abs(o - model).mean() for d, o in zip(drawn, others, strict=True)
            }
            p = (1 + sum(each <= gap for each in rivals.values())) / (1 + len(rivals))
            whole = np.mean([connection(net.graph, one).is_connected for one in drawn])
            loose = np.mean([len(connection(net.graph, one).loose) / len(one) for one in drawn])
            print(
                f"{name:22}{ablation!s:16}{way:12}{whole:10.0%}{loose:9.0%}{np.mean(shares):9.3f}"
                f"{np.quantile(shares, 0.95):8.3f}{np.max(shares):8.3f}{len(rivals):11}{p:8.3f}",
                flush=True,
            )


def timed() -> None:
    """Print what a draw costs in a large graph."""
    graph = transformer_graph(SMOLLM2)
    print(f"\nSmolLM2-135M, {graph.count_edges():,} edges: CPU s for a draw, overlap of two draws")
    start = tuple(Edge(*ends) for ends in graph.edges()[:4000])
    for size in (20, 100, 400):
        own = random_circuits_like(graph, start[:size], way="paths", seed=size).draw(0)
        for way in ("paths", "swaps"):
            started = time.process_time()
            random = random_circuits_like(graph, own, way=way)
            drawn = [frozenset(random.draw(number)) for number in range(5)]
            spent = (time.process_time() - started) / 7  # two more are drawn at the start
            shared = [len(a & b) / size for a in drawn for b in drawn if a is not b]
            print(f"{size:5} edges, {way}: {spent:.3f} s, {np.mean(shared):.3f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=50, help="random circuits each way")
    parser.add_argument("--prompts", type=int, default=32)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    print(f"torch {torch.__version__}, one thread; {asked.count} circuits, {asked.prompts} prompts")
    print(
        f"{'network':22}{'ablation':16}{'way':12}{'connected':>10}{'loose':>9}{'mean F':>9}"
        f"{'95 %':>8}{'most':>8}{'different':>11}{'p':>8}"
    )
    for name in NETWORKS:
        compared(name, asked.count, asked.prompts)
    timed()


if __name__ == "__main__":
    main()
