"""The order in which worlds are run: a world that is read comes before those that read it."""

from collections.abc import Sequence
from dataclasses import dataclass

from causalnet.interventions import Position, Read, World, worlds_read_by

__all__ = ["Step", "schedule"]


@dataclass(frozen=True, slots=True)
class Step:
    """One world to run.

    Attributes:
        world: The world.
        record: Nodes whose values other worlds read.
        read_at: Positions at which its logits are read; `end` where nobody reads them.
        reads: The reads that this world answers.
    """

    world: World
    record: tuple[str, ...]
    read_at: tuple[Position, ...]
    reads: tuple[Read, ...]


def schedule(reads: Sequence[Read]) -> tuple[Step, ...]:
    """Return each distinct world once, those that are read first.

    >>> from causalnet.interventions import Base, logit_diff
    >>> [str(step.world) for step in schedule([Read(logit_diff, Base("base"))])]
    ['<base>']
    """
    collected = _Collected()
    for read in dict.fromkeys(reads):
        collected.add(read)
    return tuple(
        Step(
            world,
            tuple(collected.record[world]),
            tuple(collected.read_at[world]) or ("end",),
            tuple(collected.reads[world]),
        )
        for world in collected.order
    )


class _Collected:
    """Worlds in order, with what is wanted of each; dicts stand for ordered sets."""

    def __init__(self) -> None:
        self.order: dict[World, None] = {}
        self.record: dict[World, dict[str, None]] = {}
        self.read_at: dict[World, dict[Position, None]] = {}
        self.reads: dict[World, dict[Read, None]] = {}

    def add(self, read: Read) -> None:
        if read.readout.reference is not None:
            self.visit(read.readout.reference)
            self.read_at[read.readout.reference][read.readout.at] = None
        self.visit(read.world)
        self.read_at[read.world][read.readout.at] = None
        self.reads[read.world][read] = None

    def visit(self, world: World) -> None:
        if world in self.order:
            return
        for wanted in worlds_read_by(world):
            self.visit(wanted.world)
            self.record[wanted.world][wanted.mediator] = None
        self.order[world] = None
        self.record[world], self.read_at[world], self.reads[world] = {}, {}, {}
