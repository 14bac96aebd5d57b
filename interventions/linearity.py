"""Where a value enters another linearly: rules A2, A3, A6 and A7, each step with its guard.

A mechanism is affine in a slot while its other slots are held: attention output in the values while
the pattern is (A6), a receiver in the stream while its norm's scale is (A7), a head in its z (A2).
Held means here that the other arguments do not depend on the value in question.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from causalnet.graphs import Merge
from causalnet.graphs import Node as GraphNode
from causalnet.interventions.mixes import PARTS, POSITIONS
from causalnet.interventions.normal_form import NormalForm, parts_of_key
from causalnet.interventions.numbering import Block, Key, Table

__all__ = ["Linear", "NotLinear", "linearity"]

LINEAR_OPERATIONS = frozenset({"add", "subtract", "scale", "lerp"})


@dataclass(frozen=True, slots=True)
class Linear:
    """A value is an affine function of another, whatever the weights are.

    Attributes:
        mechanisms: The mechanisms on the way, each affine in what depends on the value.
        rules: The rules that say so.
    """

    mechanisms: tuple[str, ...]
    rules: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NotLinear:
    """A value is not known to be an affine function of another.

    Attributes:
        at: Where it stops being one: a mechanism, an operation, a read-out.
        because: Why, in words.
    """

    at: str
    because: str

    def __str__(self) -> str:
        """Return both in one line."""
        return f"not linear at {self.at}: {self.because}"


def linearity(
    form: NormalForm, root: int, value: int, readouts: frozenset[str] = frozenset({"value"})
) -> Linear | NotLinear:
    """Return whether one value of a normal form is affine in another, or where it is not.

    Args:
        form: The normal form.
        root: The number of the value, or of a read-out of it.
        value: The number of what it is to be affine in.
        readouts: Read-outs that are affine in what they read.

    >>> from causalnet.graphs import plain_graph
    >>> from causalnet.interventions import At, Base, normal_form
    >>> graph, base = plain_graph({"X": (), "Y": ("X",)}), Base("base")
    >>> form = normal_form([At("Y", base)], graph)
    >>> print(linearity(form, form.id_of("Y", base), form.id_of("X", base)))
    not linear at Y: its mechanism is not affine in X
    """
    return _Walk(form, form.live([root]), value, readouts).run()


class _Walk:
    """Follows what depends on a value, from its number upwards."""

    def __init__(
        self, form: NormalForm, live: NDArray[np.bool_], value: int, readouts: frozenset[str]
    ) -> None:
        self.form, self.live, self.readouts = form, live, readouts
        self.depends = np.zeros(len(form), dtype=bool)
        self.depends[value] = True
        self.value = value
        self.mechanisms: dict[str, None] = {}
        self.rules: dict[str, None] = {}

    def run(self) -> Linear | NotLinear:
        for block in self.form.blocks:
            here = np.flatnonzero(self.live[block.start : block.start + len(block)])
            if block.table is None:
                for offset in here:
                    number = block.start + int(offset)
                    failed = self._single(number, block.keys[offset])
                    if failed is not None:
                        return failed
            elif len(here):
                failed = self._table(block, block.table, here)
                if failed is not None:
                    return failed
        return Linear(tuple(self.mechanisms), tuple(self.rules))

    def _single(self, number: int, key: Key) -> NotLinear | None:
        if number == self.value or not any(self.depends[list(parts_of_key(key))]):
            return None
        self.depends[number] = True
        match key:
            case (kind, *_) if kind in (POSITIONS, PARTS):
                self.rules["A4"] = None
            case ("op", name, *_):
                if name not in LINEAR_OPERATIONS:
                    return NotLinear(name, "the operation is not known to be affine")
            case ("read", (name, *_), values):
                if name not in self.readouts or len(values) > 1:
                    return NotLinear(name, "the read-out is not said to be affine")
                self.rules["A3"] = None
            case _:
                return NotLinear(str(key[0]), "it is no linear function")
        return None

    def _table(self, block: Block, table: Table, here: NDArray[np.intp]) -> NotLinear | None:
        numbers = block.start + here
        inside = [self.depends[column[here]] for column in block.arguments]
        touched = np.logical_or.reduce(inside) & (numbers != self.value)
        if not touched.any():
            return None
        self.depends[numbers[touched]] = True
        if table.name[0] == "plus":
            self.rules["A1"] = None
            return None
        name = table.name[1]
        node = self.form.graph.node(name)
        self.mechanisms[name] = None
        patterns = {tuple(row) for row in np.stack(inside, axis=1)[touched].tolist()}
        for pattern in patterns:
            slots = _slots(node, pattern)
            failed = _not_affine(node, slots)
            if failed is not None:
                return failed
            self.rules[_rule(node, slots)] = None
        return None


def _slots(node: GraphNode, touched: tuple[bool, ...]) -> tuple[str, ...]:
    """Return the slots of whose arguments some are touched."""
    found: dict[str, None] = {}
    place = 0
    for slot in node.slots:
        width = len(slot.parents) if slot.merge is Merge.CONCAT else 1
        if any(touched[place : place + width]):
            found[slot.name] = None
        place += width
    return tuple(found)


def _not_affine(node: GraphNode, slots: tuple[str, ...]) -> NotLinear | None:
    name = node.mediator.name
    curved = [slot for slot in slots if slot not in node.linear_in]
    if curved:
        return NotLinear(name, f"its mechanism is not affine in {', '.join(curved)}")
    together = [slot for slot in slots if slot not in node.additive]
    if len(slots) > 1 and together:
        return NotLinear(
            name,
            f"{' and '.join(slots)} change together; one is linear only while the other is held",
        )
    return None


def _rule(node: GraphNode, slots: tuple[str, ...]) -> str:
    held = {slot.name for slot in node.slots} - set(slots)
    if "pattern" in held:
        return "A6"
    return "A7" if "scale" in held else "A2"
