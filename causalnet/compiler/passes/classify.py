"""Which kernel makes each version: a delta where outputs are set, one receiver where edges are."""

from dataclasses import replace

from causalnet.compiler.program import Kind, Program, Version
from causalnet.interventions import Edge

__all__ = ["classify"]

_OUTPUTS = {"embed": Kind.OUTPUT, "z": Kind.OUTPUT, "head": Kind.OUTPUT, "bias": Kind.OUTPUT}
_OUTPUTS |= {"mlp": Kind.OUTPUT, "cut": Kind.CUT}
_RECEIVERS = {"q": Kind.SLOT, "k": Kind.SLOT, "v": Kind.SLOT, "mlp": Kind.SLOT}
_RECEIVERS |= {"logits": Kind.DIRECT}
_SENDERS = ("embed", "head", "bias", "mlp")


def classify(program: Program) -> Program:
    """Say how every version is born."""
    versions = tuple(replace(v, kind=_kind(program, v)) for v in program.versions)
    return replace(program, versions=versions, _digest=[])


def _kind(program: Program, version: Version) -> str:
    if version.is_run:
        return Kind.RUN
    kinds = {_of_write(program, write.site) for write in version.writes}
    kind = kinds.pop()
    if kinds or _keeps_at_birth(program, version) or _after_a_cut(program, version, kind):
        return Kind.GENERAL
    return kind


def _of_write(program: Program, site: object) -> str:
    part = program.stages.part
    if isinstance(site, Edge):
        sent = part(site.sender).kind in _SENDERS
        return _RECEIVERS.get(part(site.receiver).kind, Kind.GENERAL) if sent else Kind.GENERAL
    return _OUTPUTS.get(part(site.mediator).kind, Kind.GENERAL)  # type: ignore[attr-defined]


def _keeps_at_birth(program: Program, version: Version) -> bool:
    """Return whether others read what the version has at the stage of its birth, before its end."""
    return any(program.stages.part(name).stage == version.born for name in version.keep)


def _after_a_cut(program: Program, version: Version, kind: str) -> bool:
    """Return whether a cut was set between a sender and its receiver: it hides what was sent."""
    if kind not in (Kind.SLOT, Kind.DIRECT):
        return False
    stages = program.stages
    first = min(stages.part(write.site.read_from).stage for write in version.writes)
    number = version.parent
    while number != -1:
        current = program.versions[number]
        cuts = any(
            not isinstance(write.site, Edge) and stages.part(write.site.mediator).kind == "cut"
            for write in current.writes
        )
        if cuts and current.born > first:
            return True
        number = current.parent
    return False
