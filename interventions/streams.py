"""Running sums that receivers have of their own, where edges into them are set."""

from collections.abc import Callable, Mapping
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from causalnet.interventions.columns import Column, Level
from causalnet.interventions.numbering import Ids, Numbering
from causalnet.interventions.places import CutPlace, EdgePlace, Place
from causalnet.interventions.reading_order import Layer

__all__ = ["ReceiverSums"]

Rows: TypeAlias = NDArray[np.intp]
Sites: TypeAlias = Mapping[Place, list[tuple[int, list[Layer]]]]


class ReceiverSums:
    """The sums of one stream, each for one slot of one receiver in one world.

    Args:
        stream: The stream's name.
        writers: The ranks of its writers.
        ends: How many writers enter a receiver's slot.
        sites: For every place, the worlds of the level that set it, and their layers there.
        numbering: Gives the numbers.
        folded: Returns the number of a value after layers.

    Attributes:
        totals: The numbers of the sums that are being made.
        finished: For a receiver and its slot, the worlds with a sum of their own, and the sums.
    """

    def __init__(
        self,
        stream: str,
        writers: tuple[int, ...],
        ends: Callable[[int, str], int],
        sites: Sites,
        numbering: Numbering,
        folded: Callable[[int, list[Layer]], int],
    ) -> None:
        """Find the sums that edge sites set apart."""
        self.sites, self.numbering, self.folded = sites, numbering, folded
        self.totals: Ids = np.empty(0, dtype=np.int32)
        self.finished: dict[tuple[int, str], tuple[Rows, Ids]] = {}
        place_of = {rank: index for index, rank in enumerate(writers)}
        pairs: dict[tuple[int, str, int], int] = {}
        self.starts: list[int] = []
        self.edges: dict[int, list[tuple[int, list[Layer]]]] = {}
        for place, assigned in sites.items():
            if isinstance(place, EdgePlace) and place.stream == stream:
                index = place_of[place.sender]
                for row, layers in assigned:
                    pair = pairs.setdefault((place.receiver, place.slot, row), len(pairs))
                    if pair == len(self.starts):
                        self.starts.append(index)
                    self.starts[pair] = min(self.starts[pair], index)
                    self.edges.setdefault(index, []).append((pair, layers))
        self.pairs = list(pairs)
        self.rows: Rows = np.array([row for _, _, row in pairs], dtype=np.intp)
        self.ends = np.array([ends(receiver, slot) for receiver, slot, _ in pairs], dtype=int)
        self.starting: dict[int, list[int]] = {}
        for pair, start in enumerate(self.starts):
            self.starting.setdefault(start, []).append(pair)
        self.active: Rows = np.empty(0, dtype=np.intp)
        self._where: Rows = np.full(len(pairs), -1, dtype=np.intp)

    def entering(self, index: int, level: Level, shared: Column, term: Column) -> Ids:
        """Return the next term of every sum, those that start with this writer included."""
        new = np.array(self.starting.get(index, []), dtype=np.intp)
        if len(new):
            begun = level.rows(shared, self.rows[new])
            self.numbering.shared[begun] = True
            self.totals = np.concatenate([self.totals, begun])
            self._where[new] = np.arange(len(self.active), len(self.active) + len(new))
            self.active = np.concatenate([self.active, new])
        if not len(self.active):
            return self.totals
        terms = level.rows(term, self.rows[self.active])
        self.numbering.shared[terms] = True  # they stand in the shared sum, too
        for pair, layers in self.edges.get(index, ()):
            at = self._where[pair]
            terms[at] = self.folded(int(terms[at]), layers)
        return terms

    def cut(self, place: CutPlace) -> None:
        """Apply what is set at a cut to the sums of the same worlds."""
        if not len(self.active) or place not in self.sites:
            return
        layers = dict(self.sites[place])
        for at, row in enumerate(self.rows[self.active]):
            if int(row) in layers:
                self.totals[at] = self.folded(int(self.totals[at]), layers[int(row)])

    def finish(self, count: int) -> None:
        """Hand over the sums that their receivers read after so many writers."""
        if not len(self.active):
            return
        done = self.ends[self.active] == count
        if not done.any():
            return
        found: dict[tuple[int, str], list[int]] = {}
        for at in np.flatnonzero(done):
            receiver, slot, _ = self.pairs[self.active[at]]
            found.setdefault((receiver, slot), []).append(int(at))
        for key, places in found.items():
            self.finished[key] = (self.rows[self.active[places]], self.totals[places])
        self.active, self.totals = self.active[~done], self.totals[~done]
        self._where[self.active] = np.arange(len(self.active))
