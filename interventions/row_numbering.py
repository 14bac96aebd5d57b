"""What a value is at one position: rules V1, V2, V3 and V5, by numbering once more.

Along a causal axis the value of a node at a position is a function of its parents up to there, and
of a pointwise node or slot, of its parents there.  So every value of a normal form has two further
numbers at a position: that of its row there, and that of its rows up to there.  Sites at later
positions drop out of both, sites at other positions out of the first where only pointwise nodes
follow, and inputs that agree in their first tokens have one number up to there.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from causalnet.graphs import MediatorGraph, Merge, Role
from causalnet.graphs import Node as GraphNode
from causalnet.graphs.positions import POSITION_AXIS
from causalnet.interventions.facts import Facts
from causalnet.interventions.mixes import PARTS, POSITIONS, Token
from causalnet.interventions.numbering import Block, Ids, Key, Numbering, Table
from causalnet.interventions.scalars import NUDGE
from causalnet.interventions.views import Position

__all__ = ["RowNumbering", "columns_set"]

ROWWISE = frozenset({"add", "subtract", "scale", "lerp", NUDGE})
"""Operations whose value at a position depends on their arguments there only."""


class RowNumbering:
    """The values of a normal form at one position.

    Args:
        numbering: The numbers of the form.
        graph: The graph.
        facts: What is known of the prompts.
        position: The position.
        needed: Which numbers are asked for, with all that they are made of, [values].
        earlier: By column, numberings at the positions that sites set.
    """

    def __init__(
        self,
        numbering: Numbering,
        graph: MediatorGraph,
        facts: Facts,
        position: Position,
        needed: NDArray[np.bool_],
        earlier: Mapping[int, "RowNumbering"],
    ) -> None:
        """Number block by block; a value's parts come before it."""
        self.facts, self.position, self.earlier = facts, position, earlier
        self.column = facts.column(position)
        self.rows = Numbering()
        self.own: Ids = np.zeros(numbering.size, dtype=np.int32)
        self.upto: Ids = np.zeros(numbering.size, dtype=np.int32)
        self._nodes = {node.mediator.name: node for node in graph.nodes}
        self._tables: dict[tuple[str, Key], Table] = {}
        for block in numbering.blocks:
            here = np.flatnonzero(needed[block.start : block.start + len(block)])
            if block.table is None:
                for offset in here:
                    self._number_single(block.start + int(offset), block.keys[offset])
            elif len(here):
                self._number_block(block, block.table, here)

    def number(self, value: int) -> int:
        """Return the number of a value's row."""
        return int(self.own[value])

    # -- tables ----------------------------------------------------------------------------------

    def _number_block(self, block: Block, table: Table, here: NDArray[np.intp]) -> None:
        numbers = (block.start + here).astype(np.int32)
        arguments = [column[here] for column in block.arguments]
        pointwise, causal = [True, True], True
        if table.name[0] == "call":
            node = self._nodes[table.name[1]]
            pointwise, causal = _pointwise(node), _is_causal(node)
        if not causal:
            self.own[numbers] = self.upto[numbers] = self._numbered("whole", ("call",), [numbers])
            return
        upto = [self.upto[column] for column in arguments]
        own = [
            self.own[column] if at_own else self.upto[column]
            for column, at_own in zip(arguments, pointwise, strict=True)
        ]
        self.upto[numbers] = self._numbered("upto", table.name, upto)
        self.own[numbers] = self._numbered("own", table.name, own)

    def _numbered(self, what: str, name: Key, arguments: list[Ids]) -> Ids:
        table = self._tables.setdefault((what, name), Table((what, *name)))
        ids = self.rows.number(table, arguments)
        self.rows.shared[ids] = True  # a row stands in many values
        return ids

    # -- single keys -----------------------------------------------------------------------------

    def _number_single(self, number: int, key: Key) -> None:
        own, upto = self._single(number, key)
        self.own[number], self.upto[number] = own, upto
        self.rows.shared[[own, upto]] = True

    def _single(self, number: int, key: Key) -> tuple[int, int]:
        """Return the numbers of a value's row, and of its rows up to there."""
        single = self.rows.single
        match key:
            case ("input", name, given) if _is_causal(self._nodes[name]):
                alike = given
                if self.column is not None:
                    alike = self.facts.representative(given, self.column)
                found = single(("input", name, alike))
                return found, found
            case ("op", name, *_, arguments) if name in ROWWISE:
                return (
                    single((*key[:-1], "own", tuple(int(self.own[part]) for part in arguments))),
                    single((*key[:-1], "upto", tuple(int(self.upto[part]) for part in arguments))),
                )
            case (kind, tokens, values, other) if kind == POSITIONS:
                return self._positions(number, tokens, values, other)
            case (kind, family, indices, values, other) if kind == PARTS:
                return (
                    self._parts("own", self.own, family, indices, values, other),
                    self._parts("upto", self.upto, family, indices, values, other),
                )
            case ("read" | "gradient" | "apply" | "op" | "input", *_):
                found = single(("whole", number))
                return found, found
            case _:
                found = single(key)
                return found, found

    def _parts(
        self,
        what: str,
        numbers: Ids,
        family: Key,
        indices: tuple[int, ...],
        values: tuple[int, ...],
        other: int,
    ) -> int:
        rest = int(numbers[other])
        found = tuple(int(numbers[value]) for value in values)
        kept = [place for place, value in enumerate(found) if value != rest]
        if not kept:
            return rest
        cells = tuple(indices[place] for place in kept)
        return self.rows.single(
            (PARTS, what, family, cells, tuple(found[place] for place in kept), rest)
        )

    def _positions(
        self, number: int, tokens: tuple[Token, ...], values: tuple[int, ...], other: int
    ) -> tuple[int, int]:
        whole = ("whole", number)
        cells = [
            (token, value)
            for token, value in zip(tokens, values, strict=True)
            if not all(self.facts.is_padding(name) for name in _names(token))
        ]
        there = [value for token, value in cells if self._covers(token)]
        if there:
            own = int(self.own[there[0]])
        elif all(self._is_elsewhere(token) for token, _ in cells):
            own = int(self.own[other])
        else:
            own = self.rows.single(whole)
        rows = (self._cell(token, value, other) for token, value in cells)
        kept = tuple(sorted(filter(None, rows), key=repr))
        upto = int(self.upto[other])
        return own, self.rows.single((POSITIONS, kept, upto)) if kept else upto

    def _cell(self, token: Token, value: int, other: int) -> Key | None:
        """Return what a cell contributes to the rows up to here, None where it is nothing."""
        if self._is_later(token):
            return None
        names = _names(token)
        column = self.facts.column(names[0]) if len(names) == 1 else None
        if column is None:
            return ("named", token, int(self.upto[value]))
        there = self if column == self.column else self.earlier.get(column)
        if there is None:
            return ("column", column, int(self.upto[value]))
        row = int(there.own[value])
        return None if row == int(there.own[other]) else ("row", column, row)

    def _covers(self, token: Token) -> bool:
        names = _names(token)
        same = self.column is not None and self.column in map(self.facts.column, names)
        return same or self.position in names

    def _is_elsewhere(self, token: Token) -> bool:
        columns = [self.facts.column(name) for name in _names(token)]
        return self.column is not None and None not in columns and self.column not in columns

    def _is_later(self, token: Token) -> bool:
        columns = [self.facts.column(name) for name in _names(token)]
        return self.column is not None and all(
            column is not None and column > self.column for column in columns
        )


def columns_set(numbering: Numbering, facts: Facts) -> Mapping[int, tuple[int, ...]]:
    """Return the columns at which sites set values, ascending, and the values that stand there."""
    found: dict[int, list[int]] = {}
    for block in numbering.blocks:
        for key in block.keys:
            if key[0] == POSITIONS:
                for token, value in zip(key[1], key[2], strict=True):
                    names = _names(token)
                    column = facts.column(names[0]) if len(names) == 1 else None
                    if column is not None:
                        found.setdefault(column, []).extend((value, key[3]))
    return {column: tuple(found[column]) for column in sorted(found)}


def _names(token: Token) -> tuple[Position, ...]:
    return token if isinstance(token, tuple) else (token,)


def _is_causal(node: GraphNode) -> bool:
    return any(axis.name == POSITION_AXIS and axis.role is Role.CAUSAL for axis in node.axes)


def _pointwise(node: GraphNode) -> list[bool]:
    """Return, for every argument of a node's mechanism, whether it is read at its position only."""
    found: list[bool] = []
    for slot in node.slots:
        here = POSITION_AXIS in (*node.pointwise, *slot.pointwise)
        found += [here] * (len(slot.parents) if slot.merge is Merge.CONCAT else 1)
    return found
