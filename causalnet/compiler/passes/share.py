"""Sharing: versions with equal content become one, so that worlds form a trie and merge again."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from causalnet.compiler.contents import Contents, contents_of
from causalnet.compiler.numbers import Numbers
from causalnet.compiler.program import NONE, Program, ReadOf, Ref
from causalnet.compiler.rewriting import moved, read_at
from causalnet.interventions import Edge

__all__ = ["share"]


def share(program: Program) -> Program:
    """Let every version that equals an earlier one from some stage on be that one from there on.

    Values that are read are looked up where they are first found.
    """
    contents = contents_of(program)
    equal = _representatives(program, contents)
    pinned = _hide_what_was_sent(program)
    same = [number if number in pinned else equal[number] for number in range(len(equal))]
    first = _Values(program, contents, equal)
    versions = tuple(
        version if version.is_run else moved(version, same[version.parent], first.ref)
        for version in program.versions
    )
    reads = tuple(_read(read, first) for read in program.reads)
    merged = sum(own != number for number, own in enumerate(same))
    found = replace(program, versions=versions, reads=reads, _digest=[])
    note = f"share: {merged} of {len(same)} versions equal others from their birth on"
    return replace(found, notes=(*program.notes, note)) if merged else found


def _representatives(program: Program, contents: Contents) -> list[int]:
    """Return for every version the first one with its content from its birth on."""
    versions, same = program.versions, list(range(len(program.versions)))
    phases = np.array([NONE if version.is_run else version.phase for version in versions])
    borns = np.array([version.born for version in versions])
    is_first = np.ones(len(versions), dtype=bool)
    by_birth: dict[tuple[int, int], list[int]] = {}
    for number, version in enumerate(versions):
        if not version.is_run:
            by_birth.setdefault((version.phase, version.born), []).append(number)
    for (phase, stage), born in by_birth.items():
        leaving = contents.leaving[stage]
        is_there = (phases < phase) | ((phases == phase) & (borns < stage)) | (phases == NONE)
        alive = np.flatnonzero(is_there & (borns <= stage) & is_first)
        known = _lookup(leaving, alive, born)
        for number in born:
            same[number] = known.setdefault(int(leaving[number]), number)
            is_first[number] = same[number] == number
    return same


def _hide_what_was_sent(program: Program) -> frozenset[int]:
    """Return the versions between an edge into a receiver and a cut that hides what it sends.

    The stream after a cut may equal another's, but a receiver's own sum is set by the cut as well.
    """
    versions, part = program.versions, program.stages.part
    cuts = {
        number
        for number, version in enumerate(versions)
        if any(part(write.site.read_from).kind == "cut" for write in version.writes)
    }
    found: set[int] = set()
    for version in versions if cuts else ():
        sent = [part(w.site.sender).stage for w in version.writes if isinstance(w.site, Edge)]
        passed, number = [], version.parent
        while sent and number != NONE:
            passed.append(number)
            if number in cuts and versions[number].born > min(sent):
                found.update(passed)
            number = versions[number].parent
    return frozenset(found)


def _lookup(leaving: Numbers, alive: NDArray[np.intp], born: Sequence[int]) -> dict[int, int]:
    """Return the first version with each of some contents among those that are alive."""
    wanted = np.unique(leaving[np.asarray(born, dtype=np.intp)])
    hits = alive[np.isin(leaving[alive], wanted)]
    known: dict[int, int] = {}
    for number in hits.tolist():
        known.setdefault(int(leaving[number]), number)
    return known


class _Values:
    """Where every value that is read is found first: in the version of the lowest number."""

    def __init__(self, program: Program, contents: Contents, equal: Sequence[int]) -> None:
        self.program, self.contents, self.equal = program, contents, equal
        self.runs = program.runs
        self.keys: dict[tuple[str, int], tuple[str, int]] = {}
        self.found: dict[tuple[str, int], int] = {}
        for version in program.versions:
            for ref in program.refs(version):
                self.find(ref.node, ref.version)
        for read in program.reads:
            self.find(read.readout.node, read.version)
            if read.reference != NONE:
                self.find(read.readout.node, read.reference)

    def find(self, node: str, number: int) -> None:
        """Note where a value is found."""
        if (node, number) in self.keys:
            return
        key = self.keys[node, number] = node, self.contents.tag(node, number)
        versions, tag = self.program.versions, self.contents.tag
        homes, current = [number], number
        if not versions[number].is_run:
            homes += [
                home for home in (self.equal[number], *self.runs) if tag(node, home) == key[1]
            ]
        while not versions[current].is_run:
            current = self.equal[versions[current].parent]
            if tag(node, current) != key[1]:
                break
            homes.append(current)
        self.found[key] = min(*homes, self.found.get(key, number))

    def ref(self, ref: Ref) -> Ref:
        number = self.at(ref.node, ref.version)
        return ref if number == ref.version else Ref(ref.node, number, ref.input)

    def at(self, node: str, number: int) -> int:
        return self.found[self.keys[node, number]]


def _read(read: ReadOf, first: _Values) -> ReadOf:
    node, theirs = read.readout.node, read.reference
    reference = NONE if theirs == NONE else first.at(node, theirs)
    return read_at(read, first.at(node, read.version), reference)
