"""Renumbering the versions of a program."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from causalnet.compiler.program import NONE, Program, Ref, Version, Write

__all__ = ["mapped", "reordered", "with_refs"]


def with_refs(version: Version, ref: Callable[[Ref], Ref]) -> Version:
    """Return a version whose writes read other values."""
    if not any(write.refs for write in version.writes):
        return version
    writes = tuple(
        Write(write.site, write.value, write.layer, tuple(map(ref, write.refs)))
        if write.refs
        else write
        for write in version.writes
    )
    return replace(version, writes=writes)


def reordered(program: Program, order: Sequence[int]) -> Program:
    """Return a program with some of its versions, in another order.

    Args:
        program: The program.
        order: The numbers of the versions that stay, parents and what is read first.
    """
    new = {old: number for number, old in enumerate(order)}
    versions = program.versions
    return mapped(program, [versions[old] for old in order], new.__getitem__)


def mapped(program: Program, versions: Sequence[Version], new: Callable[[int], int]) -> Program:
    """Return a program with other versions; their parents, refs and the reads are renumbered."""

    def ref(old: Ref) -> Ref:
        return Ref(old.node, new(old.version), old.input)

    moved = tuple(
        replace(with_refs(version, ref), parent=NONE if version.is_run else new(version.parent))
        for version in versions
    )
    reads = tuple(
        replace(
            read,
            version=new(read.version),
            reference=NONE if read.reference == NONE else new(read.reference),
        )
        for read in program.reads
    )
    return replace(program, versions=moved, reads=reads, _digest=[])
