"""Renumbering the versions of a program."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from causalnet.compiler.program import NONE, Program, ReadOf, Ref, Version, Write

__all__ = ["mapped", "moved", "read_at", "reordered"]


def moved(version: Version, parent: int, ref: Callable[[Ref], Ref]) -> Version:
    """Return a version with another parent, whose writes read other values.

    Most versions stay as they are; they are not made again, because programs have many.
    """
    writes, changed = version.writes, parent != version.parent
    if any(write.refs for write in writes):
        found = []
        for write in writes:
            refs = tuple(map(ref, write.refs))
            if refs != write.refs:
                write, changed = Write(write.site, write.value, write.layer, refs), True
            found.append(write)
        writes = tuple(found)
    if not changed:
        return version
    return Version(
        parent,
        version.input,
        version.born,
        writes,
        version.until,
        version.kind,
        version.keep,
        version.phase,
    )


def reordered(program: Program, order: Sequence[int]) -> Program:
    """Return a program with some of its versions, in another order.

    Args:
        program: The program.
        order: The numbers of the versions that stay, parents and what is read first.
    """
    versions = program.versions
    if len(order) == len(versions) and all(map(int.__eq__, order, range(len(order)))):
        return program
    new = {old: number for number, old in enumerate(order)}
    return mapped(program, [versions[old] for old in order], new.__getitem__)


def mapped(program: Program, versions: Sequence[Version], new: Callable[[int], int]) -> Program:
    """Return a program with other versions; their parents, refs and the reads are renumbered."""

    def ref(old: Ref) -> Ref:
        number = new(old.version)
        return old if number == old.version else Ref(old.node, number, old.input)

    def number(old: int) -> int:
        return NONE if old == NONE else new(old)

    return replace(
        program,
        versions=tuple(moved(version, number(version.parent), ref) for version in versions),
        reads=tuple(
            read_at(read, number(read.version), number(read.reference)) for read in program.reads
        ),
        _digest=[],
    )


def read_at(read: ReadOf, version: int, reference: int) -> ReadOf:
    """Return a read-out of other versions."""
    if (version, reference) == (read.version, read.reference):
        return read
    return ReadOf(read.readout, version, read.input, reference, read.reference_input)
