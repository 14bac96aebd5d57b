"""Exclusion: what no read-out depends on is not computed; versions end where last read."""

from dataclasses import replace

from causalnet.compiler.program import NONE, Program
from causalnet.compiler.rewriting import reordered

__all__ = ["drop_unread"]


def drop_unread(program: Program) -> Program:
    """Keep the versions that a read-out needs, each until the last stage at which it is needed."""
    versions = program.versions
    until = [NONE] * len(versions)
    keep: list[dict[str, None]] = [{} for _ in versions]

    def want(node: str, version: int) -> None:
        until[version] = max(until[version], program.stages.part(node).stage)
        if node != "logits":
            keep[version][node] = None

    for read in program.reads:
        want(read.readout.node, read.version)
        if read.reference != NONE:
            want(read.readout.node, read.reference)
    for number in reversed(range(len(versions))):
        version = versions[number]
        if until[number] == NONE or version.is_run:
            continue
        until[version.parent] = max(until[version.parent], version.born)
        for ref in program.refs(version):
            want(ref.node, ref.version)
    order = [number for number in range(len(versions)) if until[number] != NONE]
    kept = tuple(
        replace(version, until=until[number], keep=tuple(keep[number]))
        for number, version in enumerate(versions)
    )
    found = reordered(replace(program, versions=kept, _digest=[]), order)
    dropped = len(versions) - len(order)
    note = f"drop_unread: {dropped} of {len(versions)} versions are read by nobody"
    return replace(found, notes=(*program.notes, note)) if dropped else found
