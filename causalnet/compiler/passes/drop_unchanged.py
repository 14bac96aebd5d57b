"""Composition and shadowing: writes without which a version is the same are left out."""

from dataclasses import replace

from causalnet.compiler.contents import Contents, contents_of
from causalnet.compiler.program import Program, Version, Write
from causalnet.compiler.rewriting import mapped
from causalnet.compiler.stages import Stages
from causalnet.interventions import At, Edge, Self

__all__ = ["drop_unchanged"]


def drop_unchanged(program: Program) -> Program:
    """Leave out writes without which a version is the same, and versions that then write nothing.

    A write of the value that is there does nothing, nor does one that another hides.  (A version
    whose only write does nothing equals its parent, which `share` finds.)
    """
    if not any(_may_be_idle(version) for version in program.versions):
        return program
    contents = contents_of(program)
    versions, new = program.versions, list(range(len(program.versions)))
    has_edges = any(isinstance(w.site, Edge) for version in versions for w in version.writes)
    kept: list[Version] = []
    dropped = 0
    for number, version in enumerate(versions):
        if _may_be_idle(version):
            idle = _idle(contents, version, has_edges)
            dropped += len(idle)
            writes = tuple(w for at, w in enumerate(version.writes) if at not in idle)
            if not writes:
                new[number] = new[version.parent]
                continue
            version = replace(version, writes=writes) if idle else version
        new[number] = len(kept)
        kept.append(version)
    found = mapped(program, kept, new.__getitem__)
    note = f"drop_unchanged: {dropped} writes change nothing"
    return replace(found, notes=(*program.notes, note)) if dropped else program


def _may_be_idle(version: Version) -> bool:
    return len(version.writes) > 1 or any(isinstance(w.value, Self) for w in version.writes)


def _idle(contents: Contents, version: Version, has_edges: bool) -> set[int]:
    """Return which writes of a version change nothing."""
    found: set[int] = set()
    stages = contents.program.stages
    for together in _groups(stages, version):
        if len(together) == 1:
            number = together[0]
            if _is_there(contents, version, version.writes[number], has_edges):
                found.add(number)
            continue
        left = list(together)
        for number in together:
            write = version.writes[number]
            if isinstance(write.value, Self):
                fewer = True
            elif has_edges and _is_cut(stages, write):  # it hides what was sent past it before
                fewer = False
            else:
                fewer = contents.are_born_alike(
                    _only(version, left), _only(version, [each for each in left if each != number])
                )
            if fewer:
                left.remove(number)
                found.add(number)
    return found


def _only(version: Version, numbers: list[int]) -> Version:
    return replace(version, writes=tuple(version.writes[number] for number in numbers))


def _is_there(contents: Contents, version: Version, write: Write, has_edges: bool) -> bool:
    """Return whether a write that no other one reaches sets the value that is there."""
    if isinstance(write.value, Self):
        return True
    name = write.site.read_from
    if not isinstance(write.value, At) or write.refs[0].node != name:
        return False
    if has_edges and _is_cut(contents.program.stages, write):
        return False
    there = contents.tag(name, write.refs[0].version)
    return write.refs[0].input == version.input and there == contents.tag(name, version.parent)


def _is_cut(stages: Stages, write: Write) -> bool:
    return not isinstance(write.site, Edge) and stages.part(write.site.mediator).kind == "cut"


def _groups(stages: Stages, version: Version) -> list[list[int]]:
    """Return the writes of a version in groups that do not reach each other: by heads."""
    by_owner: dict[object, list[int]] = {}
    if not stages.is_attention(version.born) or any(_is_cut(stages, w) for w in version.writes):
        return [list(range(len(version.writes)))]
    shared = {
        group for write in version.writes for is_group, group in [_owner(stages, write)] if is_group
    }
    for number, write in enumerate(version.writes):
        is_group, index = _owner(stages, write)
        group = index if is_group else stages.shape.group_of(index)
        by_owner.setdefault(("group", group) if group in shared else index, []).append(number)
    return list(by_owner.values())


def _owner(stages: Stages, write: Write) -> tuple[bool, int]:
    """Return whether a write reaches all heads of a K/V group, and the group or the head."""
    site = write.site
    part = stages.part(site.receiver if isinstance(site, Edge) else site.mediator)
    kind = stages.part(part.of).kind if part.kind == "scale" else part.kind
    return (True, part.index) if kind in ("k", "v") else (False, part.index)
