"""The order in which worlds are run: a world that is read comes before those that read it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from causalnet.interventions import (
    GRADS_AT_ONCE,
    At,
    Grad,
    Leaf,
    Position,
    Read,
    ReadOut,
    World,
    reads_of,
    with_those_read,
    worlds_read_by,
)

__all__ = ["Step", "schedule"]


@dataclass(frozen=True, slots=True)
class Step:
    """One world to run.

    Attributes:
        world: The world.
        record: Mediators whose values other worlds or read-outs read.
        read_at: Positions at which its logits are read; `end` where nobody reads them.
        reads: The reads that this world answers.
        grads: Derivatives of one read-out in this world, taken by one backward pass; such a step
            answers nothing else.
    """

    world: World
    record: tuple[str, ...]
    read_at: tuple[Position, ...]
    reads: tuple[Read, ...]
    grads: tuple[Grad, ...] = ()


def schedule(leaves: Sequence[Leaf]) -> tuple[Step, ...]:
    """Return each distinct world once, those that are read first.

    Steps for each read-out that is differentiated come after them, one for every 512 derivatives.

    >>> from causalnet.interventions import Base, logit_diff
    >>> [str(step.world) for step in schedule([Read(logit_diff, Base("base"))])]
    ['<base>']
    """
    collected = _Collected()
    for leaf in dict.fromkeys(leaves):
        collected.add(leaf)
    return (*collected.steps(), *collected.derivatives())


class _Collected:
    """Worlds in order, with what is wanted of each; dicts stand for ordered sets."""

    def __init__(self) -> None:
        self.order: dict[World, None] = {}
        self.record: dict[World, dict[str, None]] = {}
        self.read_at: dict[World, dict[Position, None]] = {}
        self.reads: dict[World, dict[Read, None]] = {}
        self.grads: dict[Read, list[Grad]] = {}

    def add(self, leaf: Leaf) -> None:
        read = leaf.read if isinstance(leaf, Grad) else leaf
        if read.readout.reference is not None:
            self.visit(read.readout.reference)
            self.want(read.readout, read.readout.reference)
        if isinstance(leaf, Grad):
            self.read_before((*worlds_read_by(read.world), *reads_of(leaf.along)))
            self.grads.setdefault(read, []).append(leaf)
        else:
            self.visit(read.world)
            self.want(read.readout, read.world)
            self.reads[read.world][read] = None

    def want(self, readout: ReadOut, world: World) -> None:
        if readout.node == "logits":
            self.read_at[world][readout.at] = None
        else:
            self.record[world][readout.node] = None

    def read_before(self, reads: Iterable[At]) -> None:
        for read in reads:
            self.visit(read.world)
            self.record[read.world][read.mediator] = None

    def visit(self, world: World) -> None:
        """Put a world after all that it reads."""
        for current in with_those_read(world, self.order):
            for read in worlds_read_by(current):
                self.record[read.world][read.mediator] = None
            self.order[current] = None
            self.record[current], self.read_at[current], self.reads[current] = {}, {}, {}

    def steps(self) -> tuple[Step, ...]:
        return tuple(
            Step(
                world,
                tuple(self.record[world]),
                tuple(self.read_at[world]) or ("end",),
                tuple(self.reads[world]),
            )
            for world in self.order
        )

    def derivatives(self) -> tuple[Step, ...]:
        found = []
        for read, grads in self.grads.items():
            node, at = read.readout.node, read.readout.at
            is_logits = node == "logits"
            record, read_at = ((), (at,)) if is_logits else ((node,), ("end",))
            for first in range(0, len(grads), GRADS_AT_ONCE):
                some = tuple(grads[first : first + GRADS_AT_ONCE])
                found.append(Step(read.world, record, read_at, (), some))
        return tuple(found)
