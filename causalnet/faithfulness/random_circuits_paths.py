"""Random circuits that are unions of paths from the inputs to the logits (Shi et al. 2024)."""

import numpy as np

from causalnet.faithfulness.random_circuits_wiring import Numbers, Wiring

__all__ = ["union_of_paths"]

RESTARTS = 64  # a union may grow into a corner, such as "embed -> logits" alone
MISSES = 200  # paths in all that were known or too long before a union is given up


def union_of_paths(wiring: Wiring, size: int, rng: np.random.Generator) -> Numbers:
    """Return a connected circuit of so many edges, sorted.

    Paths are walks back from the logits, at each node every edge into it equally likely, until an
    input; one after another until the size is reached.  Where a path is known already, or would go
    beyond the size, one edge is added between nodes that are on paths, each equally likely.

    Args:
        wiring: Every edge by numbers.
        size: How many edges, from 1 to all that can lie on a path.
        rng: Where the chance comes from.

    Returns:
        [size]; fewer only where no more edges lie on paths.
    """
    entering = _entering(wiring)
    for _ in range(RESTARTS):
        circuit = _grown(wiring, entering, size, rng)
        if len(circuit) == size:
            break
    return np.array(sorted(circuit), dtype=np.int64)


def _grown(
    wiring: Wiring, entering: list[Numbers], size: int, rng: np.random.Generator
) -> set[int]:
    """Return a union of paths; of fewer edges where nothing fits any more."""
    circuit: set[int] = set()
    misses = 0
    while len(circuit) < size and misses < MISSES:
        new = set(_path(wiring, entering, rng)) - circuit
        if new and len(circuit) + len(new) <= size:
            circuit |= new
            continue
        misses += 1
        if not new or size - len(circuit) < len(new):
            fitting = _between(wiring, np.array(sorted(circuit), dtype=np.int64))
            if len(fitting):
                circuit.add(int(rng.choice(fitting)))
    return circuit


def _entering(wiring: Wiring) -> list[Numbers]:
    """Return the edges into each sender's channels, and last those into the logits."""
    of_receiver = [np.flatnonzero(wiring.receiver == each) for each in range(len(wiring.first))]
    nodes: list[list[Numbers]] = [[] for _ in wiring.layout.senders]
    for receiver, node in wiring.owners.tolist():
        nodes[node].append(of_receiver[receiver])
    none = np.array([], dtype=np.int64)
    return [np.concatenate([none, *each]) for each in nodes] + [of_receiver[-1]]


def _path(wiring: Wiring, entering: list[Numbers], rng: np.random.Generator) -> list[int]:
    """Walk back from the logits to an input; from a constant, which nothing enters, begin anew."""
    while True:
        path, node = [], len(entering) - 1
        while len(entering[node]):
            path.append(int(rng.choice(entering[node])))
            node = int(wiring.sender[path[-1]])
        if node < wiring.layout.inputs:
            return path


def _between(wiring: Wiring, circuit: Numbers) -> Numbers:
    """Return the edges outside a circuit between nodes that its edges connect."""
    fits = wiring.fed(circuit)[wiring.sender] & wiring.read(circuit)[wiring.receiver]
    fits[circuit] = False
    return np.flatnonzero(fits)
