"""Exclusion: what no read-out depends on is not computed; versions end where last read."""

from collections.abc import Iterator
from dataclasses import replace

from causalnet.compiler.program import NONE, Program, Version
from causalnet.compiler.rewriting import reordered
from causalnet.interventions import Edge

__all__ = ["drop_unread", "senders"]


def senders(program: Program, version: Version) -> Iterator[tuple[str, int]]:
    """Yield what a version's edges change, and the version in its course that computes it."""
    for write in version.writes:
        if isinstance(write.site, Edge):
            stage = program.stages.part(write.site.sender).stage
            if stage < version.born:
                yield write.site.sender, home_of(program, version.parent, stage)


def home_of(program: Program, number: int, stage: int) -> int:
    """Return the version that a version's course is at a stage."""
    while program.versions[number].born > stage:
        number = program.versions[number].parent
    return number


def drop_unread(program: Program) -> Program:
    """Keep the versions that a read-out needs, each until the last stage at which it is needed."""
    versions = program.versions
    until = [NONE] * len(versions)
    keep: list[dict[str, None]] = [{} for _ in versions]

    def want(node: str, version: int, is_read: bool = False) -> None:
        until[version] = max(until[version], program.stages.part(node).stage)
        if not (is_read and node == "logits"):  # read-outs of logits are answered at once
            keep[version][node] = None

    for read in program.reads:
        want(read.readout.node, read.version, True)
        if read.reference != NONE:
            want(read.readout.node, read.reference, True)
    for number in reversed(range(len(versions))):
        version = versions[number]
        if until[number] == NONE or version.is_run:
            continue
        until[version.parent] = max(until[version.parent], version.born)
        for ref in program.refs(version):
            want(ref.node, ref.version)
        for node, home in senders(program, version):
            want(node, home)
    order = [number for number in range(len(versions)) if until[number] != NONE]
    kept = tuple(
        replace(version, until=until[number], keep=tuple(keep[number]))
        for number, version in enumerate(versions)
    )
    found = reordered(replace(program, versions=kept, _digest=[]), order)
    dropped = len(versions) - len(order)
    note = f"drop_unread: {dropped} of {len(versions)} versions are read by nobody"
    return replace(found, notes=(*program.notes, note)) if dropped else found
