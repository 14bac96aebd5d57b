"""What a schedule needs of its runs: what they cache, where they end, which columns are read."""

from dataclasses import dataclass

from causalnet.compiler.program import NONE, Kind
from causalnet.compiler.schedule import Schedule

__all__ = ["Needs", "needs_of_run", "read_places", "shared_columns", "sole_columns"]


@dataclass(frozen=True, slots=True)
class Needs:
    """What others need of a run.

    Attributes:
        pre: Layers whose entering stream is cached.
        mid: Layers whose stream between attention and MLP is cached.
        z: Layers whose heads' z are cached.
        mlp: Layers whose MLP's output is cached.
        until: The last stage that is computed.
        keys: How many layers have keys and values that waves attend to.
    """

    pre: frozenset[int]
    mid: frozenset[int]
    z: frozenset[int]
    mlp: frozenset[int]
    until: int
    keys: int


def needs_of_run(schedule: Schedule, number: int) -> Needs:
    """Return what waves, births and reads need of a run: nothing else is cached."""
    program, stages = schedule.program, schedule.program.stages
    waves = [wave for wave in schedule.waves if wave.root == number]
    own = [version for wave in waves for version in wave.versions]
    pre, mid, z, mlp = set[int](), set[int](), set[int](), set[int]()
    until = schedule.until[number]
    forks = set(schedule.forks.get(number, ()))
    kept = set(schedule.keep.get(number, ()))
    for version in own:
        forks.add(program.versions[version].born)
        forks |= schedule.forks.get(version, frozenset())
        kept |= schedule.keep.get(version, frozenset())
    for stage in forks:
        layer = stages.layer_of(stage)
        if stage in (0, stages.last):
            until = max(until, stage)
        elif stages.is_attention(stage):
            pre.add(layer)
            mid.add(layer)
            z.add(layer)
        else:
            mid.add(layer)
            mlp.add(layer)
    for name in kept:
        part = stages.part(name)
        until = max(until, part.stage)
        match part.kind:
            case "z" | "head":
                z.add(part.layer)
            case "mlp":
                mlp.add(part.layer)
            case "q" | "k" | "v" | "pattern":
                pre.add(part.layer)
            case "scale" | "cut" if part.stage < stages.last:
                (pre if stages.is_attention(part.stage) else mid).add(stages.layer_of(part.stage))
    until = max([until, *(schedule.until[version] - 1 for version in own)])
    deepest = max((schedule.until[version] for version in own), default=-1)
    keys = sum(1 + 2 * layer <= deepest for layer in range(stages.shape.layers))
    return Needs(frozenset(pre), frozenset(mid), frozenset(z), frozenset(mlp), until, keys)


def read_places(schedule: Schedule) -> tuple[tuple[int, int], ...]:
    """Return the first and last column of every place where logits are read, each once."""
    places = {(name, at): (low, high) for name, at, low, high in schedule.signature.places}
    found: dict[tuple[int, int], None] = {}
    for read in schedule.program.reads:
        if read.readout.node == "logits":
            found[places[read.input, read.readout.at]] = None
            if read.reference != NONE:
                found[places[read.reference_input, read.readout.at]] = None
    return tuple(sorted(found))


def sole_columns(schedule: Schedule) -> tuple[int, ...] | None:
    """Return the only columns that the last block is needed at; None where all are."""
    stages, places = schedule.program.stages, read_places(schedule)
    if not places or any(low != high for low, high in places):
        return None
    first = stages.last - 2
    for number, version in enumerate(schedule.program.versions):
        at = [stages.part(name).stage for name in schedule.keep.get(number, ())]
        inside = version.kind is Kind.GENERAL and version.born >= first
        own = not version.is_run and first in at
        if inside or own or any(stage > first for stage in at):
            return None
    return tuple(sorted({low for low, _ in places}))


def shared_columns(schedule: Schedule, number: int) -> int:
    """Return how many columns a run shares with the first run: those before they differ."""
    runs = [run for run in schedule.program.runs if schedule.until[run] != NONE]
    if not runs or number == runs[0]:
        return 0
    names = {schedule.program.versions[run].input for run in (runs[0], number)}
    for first, second, column in schedule.signature.first_different:
        if {first, second} == names:
            return column
    return 0
