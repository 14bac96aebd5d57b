"""Adjustment sets of least size or least cost, by a minimum cut.

| name | what |
|---|---|
| `minimum_adjustment_set` | a valid set than which none is cheaper, the one nearest to outcomes |

In the augmented graph of the ancestors, where nodes are joined that a path of colliders joins, the
valid sets are vertex cuts.  Each district and its parents are joined to one another there; one more
vertex for each district, which cannot be cut, says the same with linearly many edges.

Van der Zander, Liśkiewicz and Textor (2019), "Separators and adjustment sets in causal graphs",
section 4; Richardson (2003) for the augmented graph; Smucler, Sapienza and Rotnitzky (2022),
"Efficient adjustment sets in causal graphical models with hidden variables", for the cut nearest to
the outcomes.  The maximum flow is that of scipy.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Integral
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from causalnet.errors import InternalError, ParameterError
from causalnet.graphs.adjacency import Flags, Numbers, components, flags, reach
from causalnet.graphs.admg import ADMG, Names
from causalnet.graphs.arguments import quoted
from causalnet.identification.adjusting.adjustment import NoAdjustmentSet, adjustment_set
from causalnet.identification.adjusting.proper_back_door import ProperBackDoor, without_edges

__all__ = ["minimum_adjustment_set"]

_LARGEST = 2**30  # flows of scipy, and their differences, are 32 bits wide


def minimum_adjustment_set(
    graph: ADMG,
    xs: Names,
    ys: Names,
    including: Names = (),
    within: Names | None = None,
    *,
    costs: Mapping[str, int] | None = None,
) -> frozenset[str] | NoAdjustmentSet:
    """Return a valid adjustment set of the least size, or of the least cost.

    Of all of them it is the one nearest to the outcomes, which of all of them estimates the effect
    with the least asymptotic variance if costs are equal.

    Args:
        graph: The graph.
        xs: The treatments, one name or several.
        ys: The outcomes, one name or several.
        including: Nodes that the set must have.
        within: Nodes that it may have; all but treatments and outcomes unless given.
        costs: What a node costs, a whole number from 1; nodes without a cost cost 1.

    Raises:
        UnknownMediatorError: No such node.
        TermError: A node with two roles, or one of `including` not in `within`.
        ParameterError: A cost that is no whole number from 1, or costs that together are too large.

    >>> graph = ADMG.of(directed=[("C", "D"), ("C", "E"), ("D", "X"), ("E", "X"), ("C", "Y")])
    >>> sorted(minimum_adjustment_set(graph, "X", "Y"))
    ['C']
    >>> sorted(minimum_adjustment_set(graph, "X", "Y", costs={"C": 3}))
    ['D', 'E']
    """
    effect = ProperBackDoor.of(graph, xs, ys)
    largest = adjustment_set(graph, xs, ys, including, within)
    prices = _prices(graph, costs or {})
    if isinstance(largest, NoAdjustmentSet):
        return largest
    forced = graph.indices(including)
    candidates = flags(len(graph), graph.indices(largest))
    candidates[forced] = False
    cut = _Network.of(effect, forced, candidates, prices).cut()
    return frozenset(graph.names_of(np.concatenate((cut, forced))))


@final
@dataclass(frozen=True, slots=True, eq=False)
class _Network:
    """The augmented graph as a flow network: each node is an edge from its entry to its exit.

    Node v enters at 2v and leaves at 2v + 1; the vertex of district d is 2n + d; then come the
    source and the sink.
    """

    matrix: Any
    source: int
    sink: int
    candidates: Numbers
    unlimited: int

    @classmethod
    def of(
        cls, effect: ProperBackDoor, forced: Numbers, candidates: Flags, prices: NDArray[np.int64]
    ) -> "_Network":
        graph, count = effect.remainder, len(effect.graph)
        ends = np.concatenate((effect.xs, effect.ys, forced))
        inside = flags(count, reach(graph.parent_rows, ends))
        members, districts = _cliques(graph, inside)
        kept = ~flags(count, forced)[members]  # what is given blocks every path through it
        members, districts = members[kept], districts[kept]
        source = 2 * count + int(districts.max(initial=-1)) + 1
        sink = source + 1
        unlimited = int(prices[candidates].sum()) + 1
        if unlimited > _LARGEST:
            raise ParameterError(
                f"The costs add up to {unlimited - 1}.",
                f"Together they are less than {_LARGEST}.",
                "Divide them by a number.",
            )
        through = np.where(candidates, prices, unlimited)
        nodes = np.unique(members)
        entry, leave = 2 * members, 2 * members + 1
        hub = districts + 2 * count
        tails = [2 * nodes, leave, hub, np.full(effect.xs.size, source), 2 * effect.ys + 1]
        heads = [2 * nodes + 1, hub, entry, 2 * effect.xs, np.full(effect.ys.size, sink)]
        sizes = [part.size for part in tails]
        widths = np.concatenate((through[nodes], np.full(sum(sizes[1:]), unlimited)))
        from scipy.sparse import csr_array

        edges = (np.concatenate(tails), np.concatenate(heads))
        matrix = csr_array((widths.astype(np.int32), edges), shape=(sink + 1, sink + 1))
        return cls(matrix, source, sink, np.flatnonzero(candidates).astype(np.int32), unlimited)

    def cut(self) -> Numbers:
        """Return the cheapest cut, of several the one nearest to the sink."""
        from scipy.sparse.csgraph import breadth_first_order, maximum_flow

        found = maximum_flow(self.matrix, self.source, self.sink)
        if found.flow_value >= self.unlimited:
            raise InternalError("There is a valid adjustment set, but no cut.")
        left = (self.matrix - found.flow).tocsr()
        left.eliminate_zeros()
        order = breadth_first_order(left.T.tocsr(), self.sink, return_predecessors=False)
        behind = flags(self.sink + 1, order)
        cut: Numbers = self.candidates[
            behind[2 * self.candidates + 1] & ~behind[2 * self.candidates]
        ]
        return cut


def _cliques(graph: ADMG, inside: Flags) -> tuple[Numbers, Numbers]:
    """Return the members of each district and its parents, and which district that is."""
    siblings, parents = graph.sibling_rows, graph.parent_rows
    joined = inside[siblings.sources] & inside[siblings.ends]
    label = components(without_edges(siblings, ~joined))
    nodes = np.flatnonzero(inside).astype(np.int32)
    below = inside[parents.sources]  # then the parents are ancestors too
    members = np.concatenate((nodes, parents.ends[below]))
    districts = np.concatenate((label[nodes], label[parents.sources[below]]))
    pairs = np.unique(np.stack((districts, members)), axis=1)
    return pairs[1], pairs[0]


def _prices(graph: ADMG, costs: Mapping[str, int]) -> NDArray[np.int64]:
    """Return what each node costs."""
    prices = np.ones(len(graph), np.int64)
    for name, cost in costs.items():
        if isinstance(cost, bool) or not isinstance(cost, Integral) or not 0 < cost < _LARGEST:
            raise ParameterError(
                f"The cost of {name!r} is {quoted(cost)}.",
                f"A cost is a whole number from 1 to {_LARGEST - 1}.",
                "Multiply all costs by a number, and round them.",
            )
        prices[graph.index(name)] = int(cost)
    return prices
