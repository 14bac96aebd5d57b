"""Columns of numbers: one value over the worlds of a level.

The worlds of a level are in the order in which they start to differ from their bases, so that at
any time those that may differ are the first few; a column holds only these, and all later worlds
have their base's number.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from causalnet.interventions.numbering import Ids, Numbering, Table
from causalnet.interventions.reading_order import PlacedWorld
from causalnet.interventions.worlds import Base

__all__ = ["Column", "Level"]


@dataclass(slots=True)
class Column:
    """One value over worlds.

    Attributes:
        ids: The numbers in the first worlds of the level, [n].
        ground: The numbers in the base worlds, [bases].
    """

    ids: Ids
    ground: Ids


class Level:
    """Worlds that are numbered together, none of which reads what another has later.

    Attributes:
        members: The number of every world, in the order in which they start to differ.
        grounds: For every world, the place of its base among the bases, [n].
        nodes: The column of every node that has been numbered.
        streams: For every stream, the columns of its running sums, that of no writer first.
        slots: Columns of slots.
        set_: For every node that sites set in some worlds, their rows and the numbers of the
            mechanism's own calls there.
    """

    def __init__(self, worlds: list[tuple[int, PlacedWorld]], grounds: dict[Base, int]) -> None:
        """Put the worlds in order."""
        worlds = sorted(worlds, key=lambda pair: pair[1].diverges)
        self.members = [number for number, _ in worlds]
        self.worlds = [world for _, world in worlds]
        bases = [grounds[world.base] for world in self.worlds]
        self.grounds = np.array(bases, dtype=np.intp)
        self.diverges = np.array([world.diverges for world in self.worlds], dtype=np.int64)
        self.nodes: list[Column] = []
        self.streams: dict[str, list[Column]] = {}
        self.slots: dict[tuple[int, str], tuple[Column, ...]] = {}
        self.set_: dict[int, list[tuple[int, int]]] = {}

    def differing(self, time: int) -> int:
        """Return how many worlds may differ from their bases at a time."""
        return int(np.searchsorted(self.diverges, time, side="right"))

    def first(self, column: Column, count: int) -> Ids:
        """Return the numbers in the first worlds, [count]."""
        held = len(column.ids)
        if held >= count:
            return column.ids[:count]
        return np.concatenate([column.ids, column.ground[self.grounds[held:count]]])

    def at(self, column: Column, row: int) -> int:
        """Return the number in one world."""
        if row < len(column.ids):
            return int(column.ids[row])
        return int(column.ground[self.grounds[row]])

    def rows(self, column: Column, rows: NDArray[np.intp]) -> Ids:
        """Return the numbers in some worlds."""
        found = column.ground[self.grounds[rows]]
        held = rows < len(column.ids)
        found[held] = column.ids[rows[held]]
        return found

    def calls(self, rank: int, column: Column) -> tuple[Ids, NDArray[np.intp]]:
        """Return the numbers of a node's own calls, and the rows of the worlds that make them."""
        ids = column.ids.copy()
        for row, own in self.set_.get(rank, ()):
            ids[row] = own
        return ids, np.arange(len(ids))

    def called(
        self,
        numbering: Numbering,
        table: Table,
        arguments: tuple[Column, ...],
        ground: Ids,
        count: int,
    ) -> Column:
        """Return the column of a mechanism's calls: its base's where the arguments are."""
        there = self.grounds[:count]
        ids = ground[there]
        columns = [self.first(argument, count) for argument in arguments]
        dirty = np.zeros(count, dtype=bool)
        for argument, own in zip(arguments, columns, strict=True):
            dirty |= own != argument.ground[there]
        rows = np.flatnonzero(dirty)
        if len(rows):
            ids[rows] = numbering.number(table, [own[rows] for own in columns])
        return Column(ids, ground)
