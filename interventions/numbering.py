"""Numbers for values: equal keys have one number, over arrays of keys at once.

A key says how a value comes about: a mechanism called at numbered arguments, the next term of a
running sum, or one of the few values that sites bring in (inputs, constants, operations, views).
The first two kinds come in tables, one for each node or depth of sum, with a row for each key and a
column for each argument; the rest are single tuples.  An argument is always numbered before what
is made of it, so that a walk from large numbers to small ones meets every value before its parts.

A number is `shared` where it may stand in more than one cell of a column.  A row with an argument
that is not shared occurs once, and needs no search (hash-consing, Ershov 1958; global value
numbering, Alpern, Wegman and Zadeck 1988).
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["EMPTY", "Block", "Ids", "Key", "Numbering", "Table"]

Ids: TypeAlias = NDArray[np.int32]
Key: TypeAlias = tuple[Any, ...]

EMPTY = 0
"""The number of the sum of nothing."""


@dataclass(slots=True)
class Table:
    """All keys of one kind: the calls of a node, or sums whose first part has one depth.

    Attributes:
        name: What decoded keys begin with.
        depth: For sums, how many terms have been added; 0 for calls.
        blocks: The keys numbered so far.
    """

    name: Key
    depth: int = 0
    blocks: list["Block"] = field(default_factory=list)


@dataclass(slots=True)
class Block:
    """Consecutive numbers whose keys are in one table, or single tuples.

    Attributes:
        start: The first number.
        table: The table; None for single keys.
        arguments: For a table, one array for each argument.
        keys: For single keys, the keys.
    """

    start: int
    table: Table | None
    arguments: tuple[Ids, ...] = ()
    keys: list[Key] = field(default_factory=list)

    def __len__(self) -> int:
        """Return how many numbers the block holds."""
        return len(self.keys) if self.table is None else len(self.arguments[0])


class Numbering:
    """The numbers given so far."""

    def __init__(self) -> None:
        """Number the sum of nothing."""
        self.size = 0
        self.blocks: list[Block] = []
        self.shared: NDArray[np.bool_] = np.zeros(1024, dtype=bool)
        self.known: dict[Key, int] = {}
        self._starts: list[int] = []
        self._plus: list[Table] = []
        self.single(("empty",))
        self.shared[EMPTY] = True

    # -- giving numbers --------------------------------------------------------------------------

    def single(self, key: Key) -> int:
        """Return the number of a key that stands alone; a second request makes it shared."""
        found = self.known.get(key)
        if found is not None:
            self.shared[found] = True
            return found
        if not self.blocks or self.blocks[-1].table is not None:
            self._open(Block(self.size, None))
        self.blocks[-1].keys.append(key)
        self.known[key] = self.size
        self._grow(1)
        return self.size - 1

    def number(self, table: Table, arguments: Sequence[Ids]) -> Ids:
        """Return the numbers of the rows of a table, [n], from their arguments, [n] each."""
        lone = ~self.shared[arguments[0]]
        for column in arguments[1:]:
            lone |= ~self.shared[column]
        rest = np.flatnonzero(~lone)
        if not len(rest):
            return self._fresh(table, arguments)
        ids = np.empty(len(lone), dtype=np.int32)
        if len(rest) < len(lone):
            alone = np.flatnonzero(lone)
            ids[alone] = self._fresh(table, [column[alone] for column in arguments])
        ids[rest] = self._found(table, [column[rest] for column in arguments])
        return ids

    def _fresh(self, table: Table, arguments: Sequence[Ids]) -> Ids:
        """Number rows that have not been seen."""
        block = Block(self.size, table, tuple(arguments))
        self._open(block)
        table.blocks.append(block)
        self._grow(len(block))
        return np.arange(block.start, self.size, dtype=np.int32)

    def _found(self, table: Table, arguments: Sequence[Ids]) -> Ids:
        """Number rows that may have been seen, or occur twice."""
        earlier = sum(map(len, table.blocks))
        columns = [
            np.concatenate([*(block.arguments[i] for block in table.blocks), column])
            for i, column in enumerate(arguments)
        ]
        first, classes, counts = _classes(columns)
        numbers = np.empty(len(first), dtype=np.int32)
        old = first < earlier
        if earlier:
            known = np.concatenate([_range(block) for block in table.blocks])
            numbers[old] = known[first[old]]
        new = np.flatnonzero(~old)
        if len(new):
            new = new[np.argsort(first[new])]
            rows = first[new] - earlier
            numbers[new] = self._fresh(table, [column[rows] for column in arguments])
        ids: Ids = numbers[classes[earlier:]]
        again = numbers[counts > 1]
        self.shared[again] = True
        return ids

    def _open(self, block: Block) -> None:
        self.blocks.append(block)
        self._starts.append(block.start)

    def _grow(self, count: int) -> None:
        self.size += count
        if self.size > len(self.shared):
            grown = np.zeros(max(self.size, 2 * len(self.shared)), dtype=bool)
            grown[: len(self.shared)] = self.shared
            self.shared = grown

    # -- sums ------------------------------------------------------------------------------------

    def plus(self, totals: Ids, terms: Ids) -> Ids:
        """Return the numbers of running sums with one more term each, [n].

        A sum is looked up in the table of its first part's depth, so that equal sums meet wherever
        in a stream they are made.
        """
        ids = terms.copy()
        begun = np.flatnonzero(totals != EMPTY)
        if not len(begun):
            return ids
        depths = self.depths(totals[begun])
        for depth in np.unique(depths):
            rows = begun[depths == depth] if depths.min() != depths.max() else begun
            ids[rows] = self.number(self._plus_table(int(depth)), (totals[rows], terms[rows]))
        return ids

    def depths(self, ids: Ids) -> NDArray[np.int32]:
        """Return how many terms were added to make each number, 0 for what is no sum."""
        low, high = self.block_of(int(ids.min())), self.block_of(int(ids.max()))
        if low is high:  # what a stream without sites at its cuts has
            return np.full(len(ids), _depth(low), dtype=np.int32)
        by_block = np.array([_depth(block) for block in self.blocks], dtype=np.int32)
        return by_block[np.searchsorted(np.array(self._starts), ids, side="right") - 1]

    def _plus_table(self, depth: int) -> Table:
        while len(self._plus) <= depth:
            self._plus.append(Table(("plus",), len(self._plus) + 1))
        return self._plus[depth]

    # -- reading numbers -------------------------------------------------------------------------

    def block_of(self, number: int) -> Block:
        """Return the block that holds a number."""
        return self.blocks[bisect_right(self._starts, number) - 1]

    def key(self, number: int) -> Key:
        """Return the key of a number; arguments are numbers."""
        block = self.block_of(number)
        offset = number - block.start
        if block.table is None:
            return block.keys[offset]
        return (*block.table.name, *(int(column[offset]) for column in block.arguments))


def _depth(block: Block) -> int:
    return 0 if block.table is None else block.table.depth


def _range(block: Block) -> Ids:
    return np.arange(block.start, block.start + len(block), dtype=np.int32)


def _classes(
    columns: Sequence[Ids],
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
    """Return the first row of every distinct row, the class of every row, and the class sizes."""
    packed = columns[0].astype(np.int64)
    for column in columns[1:]:
        if packed.max() >= 1 << 31:
            packed = np.unique(packed, return_inverse=True)[1].astype(np.int64)
        packed = (packed << 32) | column
    _, first, classes, counts = np.unique(
        packed, return_index=True, return_inverse=True, return_counts=True
    )
    return first, classes, counts
