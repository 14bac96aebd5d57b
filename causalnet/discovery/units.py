"""What a circuit is made of: a grain labels every residual edge with the unit it belongs to.

| grain | a unit is | what is always kept |
|---|---|---|
| `edges` | an edge | nothing |
| `nodes` | a head or an MLP: all edges out of it | edges out of embeddings and constants |
| `heads` | a head | edges out of anything else |
| `receivers` | a query, key, value, MLP input or the logits: all edges into it | nothing |
| `positions` | a head or an MLP at a named position, `L9.H6[S2]` | all nodes at other tokens |
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from causalnet.errors import ParameterError, UnknownMediatorError
from causalnet.estimators.sites import EdgeSites, edge_sites
from causalnet.graphs import Kind, MediatorGraph, nearest
from causalnet.interventions import Position

__all__ = ["CircuitGrain", "Units", "units_of"]


class CircuitGrain(StrEnum):
    """What a circuit is made of."""

    EDGES = "edges"
    NODES = "nodes"
    HEADS = "heads"
    RECEIVERS = "receivers"
    POSITIONS = "positions"


@dataclass(frozen=True, slots=True, eq=False)
class Units:
    """The units of a grain.

    Attributes:
        grain: The grain.
        sites: The residual edges.
        names: What each unit is called: `L9.H6`, or `L9.H6 -> L20.H0.q`.
        owner: The unit of every edge, -1 for edges that are always kept, [edges].
        places: For units at positions, the positions.
        cells: For units at positions, the number of the sender and of the place of each.
    """

    grain: CircuitGrain
    sites: EdgeSites
    names: tuple[str, ...]
    owner: NDArray[np.int64]
    places: tuple[Position, ...] = ()
    cells: tuple[tuple[int, int], ...] = ()
    _places: dict[str, int] = field(init=False)

    def __post_init__(self) -> None:
        """Number the units."""
        object.__setattr__(self, "_places", {name: i for i, name in enumerate(self.names)})

    def __len__(self) -> int:
        """Return how many units there are."""
        return len(self.names)

    def index(self, name: str) -> int:
        """Return the number of a unit.

        Raises:
            UnknownMediatorError: No such unit; near names are given.
        """
        wanted = " -> ".join(part.strip() for part in name.split("->"))
        if wanted not in self._places:
            raise UnknownMediatorError(
                f"No unit {name!r} at the grain {self.grain.value!r}.",
                f"It has {len(self):,}, such as {self.names[0]}.",
                f"Nearest: {', '.join(nearest(wanted, self._places))}.",
            )
        return self._places[wanted]

    def masks(self, kept: NDArray[np.generic] | Tensor) -> Tensor:
        """Return masks of edges for kept units: [M, edges] of [M, units], float64.

        Args:
            kept: 1 (or True) for units that are kept, or a share of them; one row for each circuit.
        """
        given = torch.as_tensor(kept, dtype=torch.float64)
        padded = torch.cat([given, given.new_ones(len(given), 1)], 1)  # -1 is the last column
        return padded[:, torch.as_tensor(self.owner)]

    def cell_weights(self, kept: NDArray[np.generic] | Tensor) -> Tensor:
        """Return weights of senders at places for kept units, [M, senders, places], float64."""
        given = torch.as_tensor(kept, dtype=torch.float64)
        found = given.new_ones(len(given), len(self.sites.graph.writers), len(self.places))
        senders, places = (list(column) for column in zip(*self.cells, strict=True))
        found[:, senders, places] = given
        return found

    def gathered(self, by_edge: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return sums over the edges of each unit, [..., units] of [..., edges]."""
        if self.grain is CircuitGrain.EDGES:
            return by_edge
        found = np.zeros((len(self.names) + 1, *by_edge.shape[:-1]))
        np.add.at(found, self.owner, np.moveaxis(by_edge, -1, 0))
        return np.moveaxis(found[:-1], 0, -1)

    def edges(self, kept: Sequence[int]) -> NDArray[np.int64]:
        """Return the numbers of the edges of some units, in order."""
        chosen = np.zeros(len(self.names) + 1, dtype=bool)
        chosen[list(kept)] = True
        chosen[-1] = False
        return np.flatnonzero(chosen[self.owner])


def units_of(
    graph: MediatorGraph,
    grain: CircuitGrain | str = CircuitGrain.EDGES,
    places: Sequence[Position] = (),
) -> Units:
    """Return the units of a grain.

    Args:
        graph: The graph.
        grain: The grain.
        places: For the grain of positions, the named positions that nodes are split by.

    Raises:
        ParameterError: No such grain, or no position where nodes are split by them.

    >>> from causalnet.graphs import TransformerShape, transformer_graph
    >>> graph = transformer_graph(TransformerShape(2, 2, 1, 8, 4, 8, 10))
    >>> len(units_of(graph)), units_of(graph, "nodes").names
    (36, ('L0.H0', 'L0.H1', 'L0.mlp', 'L1.H0', 'L1.H1', 'L1.mlp'))
    """
    known = [each.value for each in CircuitGrain]
    if grain not in known:
        raise ParameterError(
            f"The grain {grain!r}.", f"There are {', '.join(known)}.", "Write grain='edges'."
        )
    grain, sites = CircuitGrain(grain), edge_sites(graph)
    if grain is CircuitGrain.EDGES:
        names = tuple(sites.label(number) for number in range(len(sites)))
        return Units(grain, sites, names, np.arange(len(sites)))
    counts = np.asarray(sites.counts)
    if grain is CircuitGrain.RECEIVERS:
        owner = np.repeat(np.arange(len(counts)), counts)
        return Units(grain, sites, sites.receivers, owner)
    kinds = {Kind.HEAD} if grain is CircuitGrain.HEADS else {Kind.HEAD, Kind.MLP}
    writers = [graph.find(name) for name in graph.writers]
    members = [place for place, each in enumerate(writers) if each.kind in kinds]
    if grain is CircuitGrain.POSITIONS:
        return _at_places(sites, members, tuple(places))
    of_sender = np.full(len(writers), -1)
    of_sender[members] = np.arange(len(members))
    owner = np.concatenate([of_sender[:count] for count in counts])
    return Units(grain, sites, tuple(writers[place].name for place in members), owner)


def _at_places(sites: EdgeSites, members: list[int], places: tuple[Position, ...]) -> Units:
    if not places:
        raise ParameterError(
            "Units at positions, and no position.",
            "A unit is a node at a named position of the prompts.",
            "Give pairs with named positions, or at=('end',).",
        )
    cells = tuple((member, place) for member in members for place in range(len(places)))
    names = tuple(f"{sites.graph.writers[sender]}[{places[place]}]" for sender, place in cells)
    owner = np.full(len(sites), -1)
    return Units(CircuitGrain.POSITIONS, sites, names, owner, places, cells)
