"""All the worlds that some reads need: their own, and those that these read."""

from collections.abc import Iterable

from causalnet.interventions.scalars import Grad, Leaf, Read
from causalnet.interventions.worlds import Base, World, reads_of, worlds_read_by

__all__ = ["runs_of", "worlds_needed"]


def worlds_needed(reads: Iterable[Read]) -> tuple[World, ...]:
    """Return every distinct world that some reads need, those that are read first.

    >>> from causalnet.interventions.readouts import value_of
    >>> from causalnet.interventions.worlds import At, Base, Do, Node
    >>> patched = Do(Base("base"), ((Node("M"), At("M", Base("source"))),))
    >>> [str(world) for world in worlds_needed([Read(value_of("Y"), patched)])]
    ['<source>', '<base> + {M := M in <source>}']
    """
    ordered: dict[World, None] = {}
    waiting: list[World] = []
    for read in reads:
        waiting.append(read.world)
        if read.readout.reference is not None:
            waiting.append(read.readout.reference)
    waiting.reverse()
    while waiting:
        world = waiting[-1]
        unread = [read.world for read in worlds_read_by(world) if read.world not in ordered]
        if world in ordered or not unread:
            ordered[world] = None
            waiting.pop()
        else:
            waiting.extend(reversed(unread))
    return tuple(ordered)


def runs_of(leaves: Iterable[Leaf]) -> tuple[str, ...]:
    """Return the names of the runs behind some leaves: their worlds, and one for each gradient.

    >>> from causalnet.interventions.readouts import logit_diff
    >>> runs_of([Read(logit_diff, Base("base")), Read(logit_diff, Base("source"))])
    ('base', 'source')
    """
    reads: list[Read] = []
    gradients: dict[Read, None] = {}
    for leaf in leaves:
        if isinstance(leaf, Grad):
            gradients[leaf.read] = None
            before = (*worlds_read_by(leaf.read.world), *reads_of(leaf.along))
            reads += [Read(leaf.read.readout, read.world) for read in before]
        else:
            reads.append(leaf)
    names = [
        world.input if isinstance(world, Base) else str(world) for world in worlds_needed(reads)
    ]
    return (*names, *(f"gradient of {read}" for read in gradients))
