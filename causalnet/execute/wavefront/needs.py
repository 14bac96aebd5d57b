"""What a run must keep for the versions that are born from it and the values that are read."""

from causalnet.compiler import Kind, Schedule
from causalnet.compiler.program import NONE
from causalnet.execute.wavefront.runs import Wanted

__all__ = ["needs_of_run"]


def needs_of_run(schedule: Schedule, number: int) -> Wanted | None:
    """Return what to keep of a run, None where nobody needs it.

    Args:
        schedule: The schedule.
        number: The run.
    """
    waves = [wave for wave in schedule.waves if wave.root == number]
    inside = [version for wave in waves for version in wave.versions]
    if schedule.until[number] == NONE and not inside:
        return None
    stages, versions = schedule.program.stages, schedule.program.versions
    pre, mid, z, mlp = (set[int]() for _ in range(4))
    until = schedule.until[number]
    for child in inside:
        version, layer = versions[child], stages.layer_of(versions[child].born)
        until = max(until, version.born, schedule.until[child])
        if version.born in (0, stages.last):
            continue
        is_plain = version.kind is Kind.OUTPUT
        if not stages.is_attention(version.born):
            mid.add(layer)
            if is_plain:
                mlp.add(layer)
            continue
        if not is_plain:
            pre.add(layer)
        if version.kind is not Kind.CUT:
            z.add(layer)
            mid.add(layer)
    kept = set(schedule.keep.get(number, ()))
    for child in inside:
        kept |= schedule.keep.get(child, frozenset())
    for name in kept:
        part = stages.part(name)
        until = max(until, part.stage)
        if part.stage in (0, stages.last):
            continue
        match part.kind:
            case "z" | "head":
                z.add(part.layer)
            case "mlp":
                mlp.add(part.layer)
            case "bias":
                continue
            case _:
                (pre if stages.is_attention(part.stage) else mid).add(stages.layer_of(part.stage))
    return Wanted(frozenset(pre), frozenset(mid), frozenset(z), frozenset(mlp), until)
