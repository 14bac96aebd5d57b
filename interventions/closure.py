"""All the worlds that some reads need: their own, and those that these read."""

from collections.abc import Container, Iterable, Iterator

from causalnet.interventions.scalars import Grad, Leaf, Read
from causalnet.interventions.worlds import Base, World, reads_of, worlds_read_by

__all__ = ["GRADS_AT_ONCE", "runs_of", "with_those_read", "worlds_needed"]

GRADS_AT_ONCE = 512
"""Derivatives in one backward pass; each keeps its direction in memory."""


def with_those_read(world: World, known: Container[World]) -> Iterator[World]:
    """Yield a world after all that it reads, each as it is to be run; worlds may be nested deeply.

    Args:
        world: The world.
        known: Worlds that are left out; the caller adds each world that it is given.
    """
    waiting = [world]
    while waiting:
        current = waiting[-1]
        if current in known:
            waiting.pop()
            continue
        missing = [read.world for read in worlds_read_by(current) if read.world not in known]
        if missing:
            waiting.extend(reversed(missing))
            continue
        yield waiting.pop()


def worlds_needed(reads: Iterable[Read]) -> tuple[World, ...]:
    """Return every distinct world that some reads need, those that are read first.

    >>> from causalnet.interventions.readouts import value_of
    >>> from causalnet.interventions.worlds import At, Base, Do, Node
    >>> patched = Do(Base("base"), ((Node("M"), At("M", Base("source"))),))
    >>> [str(world) for world in worlds_needed([Read(value_of("Y"), patched)])]
    ['<source>', '<base> + {M := M in <source>}']
    """
    ordered: dict[World, None] = {}
    for read in reads:
        for wanted in (read.readout.reference, read.world):
            if wanted is not None:
                for world in with_those_read(wanted, ordered):
                    ordered[world] = None
    return tuple(ordered)


def runs_of(leaves: Iterable[Leaf]) -> tuple[str, ...]:
    """Return the names of the runs behind some leaves: their worlds, then backward passes.

    A read-out is differentiated in passes of up to `GRADS_AT_ONCE` derivatives.

    >>> from causalnet.interventions.readouts import logit_diff
    >>> runs_of([Read(logit_diff, Base("base")), Read(logit_diff, Base("source"))])
    ('base', 'source')
    """
    reads: list[Read] = []
    gradients: dict[Read, int] = {}
    for leaf in dict.fromkeys(leaves):
        if isinstance(leaf, Grad):
            gradients[leaf.read] = gradients.get(leaf.read, 0) + 1
            reference = leaf.read.readout.reference
            reads += [] if reference is None else [Read(leaf.read.readout, reference)]
            before = (*worlds_read_by(leaf.read.world), *reads_of(leaf.along))
            reads += [Read(leaf.read.readout, read.world) for read in before]
        else:
            reads.append(leaf)
    names = [
        world.input if isinstance(world, Base) else str(world) for world in worlds_needed(reads)
    ]
    passes = (
        f"gradient of {read}"
        for read, count in gradients.items()
        for _ in range(-(-count // GRADS_AT_ONCE))
    )
    return (*names, *passes)
