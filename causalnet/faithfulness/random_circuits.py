"""Random circuits that a circuit is compared with: of the same size, alike, and connected.

A uniform set of edges is a straw man: hardly any of its edges lies on a path from the inputs to the
logits, and its faithfulness is about 0.  The circuits here are connected.

| way | of | how |
|---|---|---|
| `layers` | nodes | as many of each kind in every layer (and at every position) |
| `swaps` | edges | as many between the same layers, kinds and channels; a Markov chain |
| `paths` | edges | as many; unions of random paths from inputs to logits (Shi et al. 2024) |

The chain goes from the circuit to a hub, and for every random circuit afresh from the hub, with as
many steps: so a circuit that is itself a uniform draw is exchangeable with its random circuits,
whether or not the chain has forgotten the start (Besag and Clifford 1989).
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import numpy as np

from causalnet.errors import ParameterError
from causalnet.faithfulness.parts import Member
from causalnet.faithfulness.random_circuits_moves import Moves, moves_of
from causalnet.faithfulness.random_circuits_paths import union_of_paths
from causalnet.faithfulness.random_circuits_wiring import (
    Connection,
    Numbers,
    Wiring,
    connection,
    wiring_of,
)
from causalnet.graphs import Kind, Mediator, MediatorGraph
from causalnet.interventions import Cell, Edge
from causalnet.statistics import sample_like

__all__ = ["Connection", "RandomCircuits", "Way", "connection", "random_circuits_like"]

Way: TypeAlias = Literal["layers", "swaps", "paths"]
"""How random circuits are drawn."""

STEPS_PER_EDGE = 20
LEAST_STEPS = 400
TRIES = 64  # draws that may be the circuit itself before there is said to be no other


@dataclass(frozen=True, slots=True, eq=False)
class RandomCircuits:
    """A source of random circuits, numbered: each number gives one circuit, always the same.

    Attributes:
        circuit: The circuit that they are compared with; never one of them.
        way: How they are drawn.
        described: The same in words, for conventions and reports.
        seed: Where the chance comes from.
        steps: Steps of the chain before each draw; 0 for the other ways.
    """

    circuit: tuple[Member, ...]
    way: Way
    described: str
    seed: tuple[int, ...]
    steps: int
    _source: "_Layers | _Chain | _Paths" = field(repr=False)

    def draw(self, number: int) -> tuple[Member, ...]:
        """Return the random circuit of a number, its members in the order of the network.

        Args:
            number: From 0.  Different numbers are independent draws and may give equal circuits
                where there are few.

        Raises:
            ParameterError: No other circuit was found.
        """
        rng = np.random.default_rng([*self.seed, 1, number])
        own = frozenset(self.circuit)
        for _ in range(TRIES):
            # Rejecting the circuit itself keeps the others as likely as they were.
            found = self._source.draw(rng)
            if frozenset(found) != own:
                return found
        raise _no_other(len(self.circuit))


def random_circuits_like(
    graph: MediatorGraph,
    circuit: Sequence[Member],
    universe: Sequence[Member] = (),
    *,
    seed: int | Sequence[int] = 0,
    way: Way | None = None,
) -> RandomCircuits:
    """Return random circuits to compare a circuit with.

    Args:
        graph: The graph of the network.
        circuit: Its nodes, its nodes at positions, or its edges.
        universe: For a circuit of nodes, all nodes that it could have; default all heads, and all
            MLPs where the circuit has one, at the circuit's positions where it has some.
        seed: Where the chance comes from.
        way: How they are drawn; default `layers` for nodes; for edges `swaps`, or `paths` where the
            circuit is not connected or no other connected circuit is alike.

    Raises:
        ParameterError: An empty circuit or one of everything, nodes among edges, a way that does
            not fit, no other circuit.
        UnknownMediatorError, TermError: An edge that the graph does not have.

    >>> from causalnet.graphs import TransformerShape, transformer_graph
    >>> graph = transformer_graph(TransformerShape(2, 4, 4, 8, 2, 8, 10))
    >>> drawn = random_circuits_like(graph, [Edge("embed", "L0.H0.v"), Edge("L0.H0", "logits")])
    >>> drawn.way, [str(edge) for edge in drawn.draw(0)]
    ('swaps', ['embed -> L0.H1.v', 'L0.H1 -> logits'])
    """
    found = connection(graph, circuit)
    chance = (seed,) if isinstance(seed, int) else tuple(seed)
    if found.of_nodes:
        return _of_nodes(graph, tuple(circuit), universe, chance, way)
    if found.is_empty or found.is_whole:
        raise ParameterError(
            str(found),
            "Random circuits have as many edges, and differ.",
            "Name a part of the model.",
        )
    if way == "layers":
        raise _wrong_way(way, "edges", "'swaps' or 'paths'")
    wiring = wiring_of(graph)
    own = wiring.numbers(one for one in circuit if isinstance(one, Edge))
    members = wiring.edges(own.tolist())
    why = ""
    if way != "paths":
        swaps, why = _by_swaps(wiring, own, members, found, chance)
        if swaps is not None:
            return swaps
        if way == "swaps":
            raise ParameterError(
                f"Random circuits by swaps: {why}.",
                "Swaps go between connected circuits with as many edges of every class.",
                "Leave the way out, or write way='paths'.",
            )
    return _by_paths(wiring, own, members, why, chance)


def _of_nodes(
    graph: MediatorGraph,
    circuit: tuple[Member, ...],
    universe: Sequence[Member],
    seed: tuple[int, ...],
    way: Way | None,
) -> RandomCircuits:
    if way not in (None, "layers"):
        raise _wrong_way(way, "nodes", "'layers'")
    nodes = tuple(one for one in circuit if isinstance(one, Mediator | Cell))
    candidates = [one for one in universe if isinstance(one, Mediator | Cell)]
    at = dict.fromkeys(one.at for one in nodes if isinstance(one, Cell))
    if not universe:
        has_mlp = any(_node(one).kind is Kind.MLP for one in nodes)
        every = [*graph.heads(), *(graph.mlps() if has_mlp else ())]
        candidates = [Cell(node, place) for node in every for place in at] if at else [*every]
    groups: dict[Hashable, list[Mediator | Cell]] = {}
    for one in sorted(candidates, key=lambda each: graph.rank(_node(each))):
        node, place = _node(one), one.at if isinstance(one, Cell) else None
        groups.setdefault((node.layer, node.kind, place), []).append(one)
    described = (
        f"as many nodes of each kind in every layer{' and at every position' if at else ''}, "
        "uniformly among all others; the residual stream connects them"
    )
    source = _Layers(nodes, groups)
    made = RandomCircuits(circuit, "layers", described, seed, 0, source)
    made.draw(0)  # where there is no other circuit, say so at once
    return made


def _by_swaps(
    wiring: Wiring,
    own: Numbers,
    members: tuple[Edge, ...],
    found: Connection,
    seed: tuple[int, ...],
) -> tuple[RandomCircuits | None, str]:
    """Return the circuits that are alike, or None and why there are none."""
    if not found.is_connected:
        return None, "the circuit is not connected"
    moves = moves_of(wiring, own)
    if moves.is_alone:
        return None, "the circuit has all or none of the edges of every class"
    steps = max(LEAST_STEPS, STEPS_PER_EDGE * len(own))
    hub = moves.walk(own, steps, np.random.default_rng([*seed, 0]))
    described = (
        "connected circuits with as many edges between the same layers, kinds and channels; a "
        f"Markov chain of {steps} swaps and exchanges of heads for each"
    )
    made = RandomCircuits(members, "swaps", described, seed, steps, _Chain(moves, hub, steps))
    try:
        made.draw(0)
    except ParameterError:
        return None, "no other connected circuit is alike"
    return made, ""


def _by_paths(
    wiring: Wiring, own: Numbers, members: tuple[Edge, ...], why: str, seed: tuple[int, ...]
) -> RandomCircuits:
    described = "unions of random paths from the inputs to the logits, as many edges"
    if why:
        described += f"; not alike in layers and kinds, since {why}"
    made = RandomCircuits(members, "paths", described, seed, 0, _Paths(wiring, len(own)))
    if len(made.draw(0)) < len(own):
        raise _no_other(len(own))
    return made


def _node(one: Mediator | Cell) -> Mediator:
    return one.mediator if isinstance(one, Cell) else one


@dataclass(frozen=True, slots=True, eq=False)
class _Layers:
    """Nodes, as many of each group."""

    circuit: tuple[Mediator | Cell, ...]
    groups: dict[Hashable, list[Mediator | Cell]]

    def draw(self, rng: np.random.Generator) -> tuple[Member, ...]:
        return sample_like(self.circuit, self.groups, rng)


@dataclass(frozen=True, slots=True, eq=False)
class _Chain:
    """Edges, by steps of a chain from a hub."""

    moves: Moves
    hub: Numbers
    steps: int

    def draw(self, rng: np.random.Generator) -> tuple[Member, ...]:
        return self.moves.wiring.edges(self.moves.walk(self.hub, self.steps, rng).tolist())


@dataclass(frozen=True, slots=True, eq=False)
class _Paths:
    """Edges, as many, by unions of paths."""

    wiring: Wiring
    size: int

    def draw(self, rng: np.random.Generator) -> tuple[Member, ...]:
        return self.wiring.edges(union_of_paths(self.wiring, self.size, rng).tolist())


def _wrong_way(way: str | None, members: str, possible: str) -> ParameterError:
    return ParameterError(
        f"Random circuits of {members} by way={way!r}.",
        f"Circuits of {members} are drawn by {possible}.",
        "Leave the way out.",
    )


def _no_other(size: int) -> ParameterError:
    return ParameterError(
        f"No other connected circuit of {size} members was found in {TRIES} draws.",
        "A circuit is compared with others of its size; there may be none.",
        "Compare a smaller circuit.",
    )
