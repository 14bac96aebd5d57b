"""What a run must keep for the versions that are born from it and the values that are read."""

from collections.abc import Sequence
from dataclasses import dataclass

from causalnet.compiler import Kind, Schedule, Stages
from causalnet.compiler.program import NONE
from causalnet.execute.wavefront.runs import Wanted

__all__ = ["Needs", "needs_of_run", "wanted_of"]


@dataclass(frozen=True, slots=True)
class Needs:
    """What others need of a run.

    Attributes:
        until: The last stage that is needed.
        pre: Layers whose input is needed.
        mid: Layers whose stream between attention and MLP is needed.
        z: Layers whose z are needed.
    """

    until: int
    pre: frozenset[int]
    mid: frozenset[int]
    z: frozenset[int]


def wanted_of(needs: Sequence[Needs], stages: Stages, read_from: int) -> Wanted:
    """Return what to keep of a run so that all these needs are met."""
    until = max(need.until for need in needs)
    layers = min((until + 1) // 2, stages.shape.layers)
    is_whole = until == stages.last

    def union(name: str) -> frozenset[int]:
        return frozenset[int]().union(*(getattr(need, name) for need in needs))

    return Wanted(
        layers=layers,
        kv=layers,
        pre=union("pre"),
        mid=union("mid"),
        z=union("z"),
        last_from=read_from if is_whole else 0,
        post=is_whole,
    )


def needs_of_run(schedule: Schedule, number: int) -> Needs | None:
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
    pre, mid, z = (set[int]() for _ in range(3))
    until = schedule.until[number]
    for child in inside:
        version, layer = versions[child], stages.layer_of(versions[child].born)
        until = max(until, version.born, schedule.until[child])
        if version.born in (0, stages.last):
            continue
        is_plain = version.kind is Kind.OUTPUT
        if not stages.is_attention(version.born):
            mid.add(layer)
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
                mid.add(part.layer)
            case "bias":
                continue
            case _:
                (pre if stages.is_attention(part.stage) else mid).add(stages.layer_of(part.stage))
    return Needs(until, frozenset(pre), frozenset(mid), frozenset(z))
