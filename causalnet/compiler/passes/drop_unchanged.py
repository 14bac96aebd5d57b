"""Composition: setting a value to what it is there already changes nothing."""

from dataclasses import replace

from causalnet.compiler.program import Program, Ref, Version, Write
from causalnet.compiler.rewriting import mapped
from causalnet.interventions import At, Edge, Self

__all__ = ["drop_unchanged"]


def drop_unchanged(program: Program) -> Program:
    """Leave out writes of a node's own value, and versions that then write nothing."""
    versions, new = program.versions, list(range(len(program.versions)))
    has_edges = any(isinstance(w.site, Edge) for version in versions for w in version.writes)
    kept: list[Version] = []
    dropped = 0
    for number, version in enumerate(versions):
        writes = tuple(
            write
            for write in version.writes
            if not _is_there(program, version, write) or (has_edges and _is_cut(program, write))
        )
        dropped += len(version.writes) - len(writes)
        if version.is_run or writes:
            new[number] = len(kept)
            kept.append(version if version.writes == writes else replace(version, writes=writes))
        else:
            new[number] = new[version.parent]
    found = mapped(program, kept, new.__getitem__)
    note = f"drop_unchanged: {dropped} writes of the value that is there"
    return replace(found, notes=(*program.notes, note)) if dropped else found


def _is_there(program: Program, version: Version, write: Write) -> bool:
    """Return whether a write surely sets its node's own value: no other write can reach it."""
    site, value = write.site, write.value
    if isinstance(value, Self):
        return True
    if isinstance(site, Edge) or not isinstance(value, At):
        return False
    if write.refs[0] != Ref(site.mediator, version.parent, version.input):
        return False
    if len(version.writes) == 1:
        return True
    heads = [_head(program, other) for other in version.writes]
    own = _head(program, write)
    return own is not None and None not in heads and heads.count(own) == 1


def _head(program: Program, write: Write) -> tuple[int, int] | None:
    """Return the head whose output a write sets, None where it sets something else."""
    part = program.stages.part(write.site.read_from)
    is_output = part.kind in ("z", "head") and not isinstance(write.site, Edge)
    return (part.layer, part.index) if is_output else None


def _is_cut(program: Program, write: Write) -> bool:
    """Return whether a write sets a cut, which also hides what was sent past it before."""
    return program.stages.part(write.site.read_from).kind == "cut"
