"""A graph of at most a few thousand nodes as sets of bits: fast where many sets are asked for.

A set of nodes is an integer; bit i is the node with number i.  Sets are united, cut and compared in
one operation whatever their size, which is what identification spends its time on.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import final

from causalnet.errors import ParameterError
from causalnet.graphs.adjacency import Rows
from causalnet.graphs.admg import ADMG
from causalnet.graphs.topological import topological_order

__all__ = ["Masks", "bits"]

_MOST_NODES = 20_000  # sets of so many nodes take 150 MB


def bits(mask: int) -> Iterator[int]:
    """Yield the numbers in a set, ascending.

    >>> list(bits(0b1011))
    [0, 1, 3]
    """
    while mask:
        low = mask & -mask
        yield low.bit_length() - 1
        mask ^= low


@final
@dataclass(frozen=True, slots=True, eq=False)
class Masks:
    """A mixed graph on numbered nodes.

    Attributes:
        nodes: The names.
        parents: For each node its parents.
        children: For each node its children.
        siblings: For each node the other ends of its bidirected edges.
        order: All numbers, causes first.
        alive: The nodes that are there; the others have no neighbours.

    >>> graph = Masks.of(ADMG.of(directed=[("X", "M"), ("M", "Y")], bidirected=[("X", "Y")]))
    >>> graph.names(graph.ancestors(graph.mask(["M"])))
    ('X', 'M')
    """

    nodes: tuple[str, ...]
    parents: tuple[int, ...]
    children: tuple[int, ...]
    siblings: tuple[int, ...]
    order: tuple[int, ...]
    alive: int

    @staticmethod
    def of(graph: ADMG) -> "Masks":
        """Return the graph as sets of bits.

        Raises:
            ParameterError: More than 20,000 nodes.
        """
        if len(graph) > _MOST_NODES:
            raise ParameterError(
                f"The question is about {len(graph)} variables and their causes.",
                f"Formulas are sought among at most {_MOST_NODES}.",
                "Project the graph first: latent_projection(graph, kept); adjustment sets are "
                "found at any size.",
            )
        return Masks(
            graph.nodes,
            _rows(graph.parent_rows),
            _rows(graph.child_rows),
            _rows(graph.sibling_rows),
            tuple(topological_order(graph.child_rows).tolist()),
            (1 << len(graph)) - 1,
        )

    def mask(self, names: Iterable[str]) -> int:
        """Return the set of some names, all of which must be there."""
        place = {name: at for at, name in enumerate(self.nodes)}
        found = 0
        for name in names:
            found |= 1 << place[name]
        return found

    def names(self, mask: int) -> tuple[str, ...]:
        """Return the names in a set."""
        return tuple(self.nodes[at] for at in bits(mask))

    def ordered(self, mask: int) -> list[int]:
        """Return the numbers in a set, causes first."""
        return [at for at in self.order if mask >> at & 1]

    def parents_of(self, mask: int) -> int:
        """Return the parents of some nodes."""
        return _union(self.parents, mask)

    def children_of(self, mask: int) -> int:
        """Return the children of some nodes."""
        return _union(self.children, mask)

    def ancestors(self, mask: int, within: int = -1) -> int:
        """Return some nodes and their ancestors in a subgraph."""
        return _reach(self.parents, mask & within, within)

    def descendants(self, mask: int, within: int = -1) -> int:
        """Return some nodes and their descendants in a subgraph."""
        return _reach(self.children, mask & within, within)

    def district(self, mask: int, within: int = -1) -> int:
        """Return all that bidirected paths of a subgraph join to some nodes, and these."""
        return _reach(self.siblings, mask & within, within)

    def districts(self, within: int) -> list[int]:
        """Return the districts of a subgraph, by their first nodes."""
        found = []
        while within:
            district = self.district(within & -within, within)
            found.append(district)
            within &= ~district
        return found

    def cut(self, heads: int = 0, tails: int = 0) -> "Masks":
        """Return the graph without arrowheads at some nodes, and without edges out of others."""
        free, kept = ~heads, ~tails
        return Masks(
            self.nodes,
            tuple(0 if heads >> v & 1 else row & kept for v, row in enumerate(self.parents)),
            tuple(0 if tails >> v & 1 else row & free for v, row in enumerate(self.children)),
            tuple(0 if heads >> v & 1 else row & free for v, row in enumerate(self.siblings)),
            self.order,
            self.alive,
        )

    def without(self, omitted: int) -> "Masks":
        """Return the latent projection that omits some nodes, one by one (Verma and Pearl 1990)."""
        parents, children, siblings = list(self.parents), list(self.children), list(self.siblings)
        for node in bits(omitted):
            above, below, beside = parents[node], children[node], siblings[node]
            keep = ~(1 << node)
            for v in bits(above):
                children[v] = (children[v] | below) & keep
            for v in bits(below):
                parents[v] = (parents[v] | above) & keep
                siblings[v] = (siblings[v] | below | beside) & keep & ~(1 << v)
            for v in bits(beside):
                siblings[v] = (siblings[v] | below & ~(1 << v)) & keep
            parents[node] = children[node] = siblings[node] = 0
        return Masks(
            self.nodes,
            tuple(parents),
            tuple(children),
            tuple(siblings),
            self.order,
            self.alive & ~omitted,
        )

    def induced(self, mask: int) -> "Masks":
        """Return the subgraph of some nodes, numbered as before."""
        parents, children, siblings = (
            tuple(row & mask if mask >> v & 1 else 0 for v, row in enumerate(each))
            for each in (self.parents, self.children, self.siblings)
        )
        return Masks(self.nodes, parents, children, siblings, self.order, self.alive & mask)

    def separated(self, xs: int, ys: int, given: int) -> bool:
        """Return whether some nodes m-separate others; the three sets share no node.

        Shachter (1998), "Bayes-ball"; Richardson (2003) for bidirected edges.
        """
        opened = self.ancestors(given)
        by_head, by_tail = 0, xs  # how nodes were arrived at
        heads, tails = 0, xs  # those from which the walk has still to go on
        while heads or tails:
            if tails:
                low = tails & -tails
                tails ^= low
                v = low.bit_length() - 1
                to_heads, to_tails = self.children[v] | self.siblings[v], self.parents[v]
            else:
                low = heads & -heads
                heads ^= low
                v = low.bit_length() - 1
                to_heads, to_tails = (0, 0) if given & low else (self.children[v], 0)
                if opened & low:
                    to_heads |= self.siblings[v]
                    to_tails |= self.parents[v]
            to_heads &= ~by_head
            to_tails &= ~by_tail & ~given
            if (to_heads | to_tails) & ys:
                return False
            by_head |= to_heads
            by_tail |= to_tails
            heads |= to_heads
            tails |= to_tails
        return True


def _rows(rows: Rows) -> tuple[int, ...]:
    starts, ends = rows.starts.tolist(), rows.ends.tolist()
    found = []
    for v in range(rows.count):
        mask = 0
        for w in ends[starts[v] : starts[v + 1]]:
            mask |= 1 << w
        found.append(mask)
    return tuple(found)


def _union(rows: tuple[int, ...], mask: int) -> int:
    found = 0
    while mask:
        low = mask & -mask
        found |= rows[low.bit_length() - 1]
        mask ^= low
    return found


def _reach(rows: tuple[int, ...], found: int, within: int) -> int:
    waiting = found
    while waiting:
        low = waiting & -waiting
        more = rows[low.bit_length() - 1] & within & ~found
        found |= more
        waiting = (waiting ^ low) | more
    return found
