"""Composition and shadowing: writes without which a version is the same are left out."""

from dataclasses import replace

from causalnet.compiler.contents import Contents, contents_of
from causalnet.compiler.program import NONE, Program, Version, Write
from causalnet.compiler.rewriting import mapped
from causalnet.compiler.stages import Stages
from causalnet.interventions import At, Const, Edge, Noise, Self

__all__ = ["drop_unchanged", "hiding_cuts"]


def drop_unchanged(program: Program) -> Program:
    """Leave out writes without which a version is the same, and versions that then write nothing.

    A write of the value that is there does nothing, nor does one that another hides.  (A version
    whose only write does nothing equals its parent, which `share` finds.)
    """
    if not any(_may_be_idle(version) for version in program.versions):
        return program
    contents = contents_of(program)
    versions, new = program.versions, list(range(len(program.versions)))
    hiding = hiding_cuts(program)
    kept: list[Version] = []
    dropped = 0
    for number, version in enumerate(versions):
        if _may_be_idle(version):
            idle = _idle(contents, version, number in hiding)
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


def _idle(contents: Contents, version: Version, hides: bool) -> set[int]:
    """Return which writes of a version change nothing."""
    found: set[int] = set()
    stages = contents.program.stages
    for together in _groups(stages, version):
        left = list(together)
        for number in together:
            rest = [each for each in left if each != number]
            if _does_nothing(contents, version, number, rest, hides):
                left = rest
                found.add(number)
    return found


def _does_nothing(
    contents: Contents, version: Version, number: int, rest: list[int], hides: bool
) -> bool:
    """Return whether a version is the same without a write, of those that it is grouped with."""
    write = version.writes[number]
    if isinstance(write.value, Self):
        return True
    stages = contents.program.stages
    if hides and _is_cut(stages, write):
        others = [version.writes[other] for other in rest]
        return any(_is_cut(stages, other) and _covers(other, write) for other in others)
    if not rest and not _is_there(contents, version, write):
        return False
    return contents.are_born_alike(_only(version, [number, *rest]), _only(version, rest))


def _only(version: Version, numbers: list[int]) -> Version:
    return replace(version, writes=tuple(version.writes[number] for number in sorted(numbers)))


def _is_there(contents: Contents, version: Version, write: Write) -> bool:
    """Return whether a write sets the value that its version's parent has."""
    name = write.site.read_from
    if not isinstance(write.value, At) or write.refs[0].node != name:
        return False
    return contents.tag(name, write.refs[0].version) == contents.tag(name, version.parent)


def _covers(write: Write, below: Write) -> bool:
    """Return whether a write of a cut sets all that one of a lower layer does."""
    view = (write.site.at, write.site.part)
    same = view in (((), None), (below.site.at, below.site.part))
    return same and write.layer > below.layer and isinstance(write.value, At | Const | Noise)


def hiding_cuts(program: Program) -> frozenset[int]:
    """Return the versions that set a cut between a sender and one of its receivers.

    A receiver's own sum is set there like the stream: what was sent before is hidden, and that is
    so where the cut is set to the very value that the stream has.
    """
    versions, stages = program.versions, program.stages
    cuts = {
        n for n, version in enumerate(versions) if any(_is_cut(stages, w) for w in version.writes)
    }
    found: set[int] = set()
    for number, version in enumerate(versions) if cuts else ():
        sites = [write.site for write in version.writes]
        sent = [stages.part(site.sender).stage for site in sites if isinstance(site, Edge)]
        while sent and number != NONE:
            if number in cuts and versions[number].born > min(sent):
                found.add(number)
            number = versions[number].parent
    return frozenset(found)


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
