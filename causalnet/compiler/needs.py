"""What a schedule needs of its runs: what they keep, where they end, which columns are read."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from causalnet.compiler.program import NONE, Kind, Version, Write
from causalnet.compiler.schedule import Schedule
from causalnet.interventions import At

__all__ = [
    "Needs",
    "first_logits_column",
    "first_read_column",
    "is_plain",
    "needs_of_runs",
    "shared_columns",
]


@dataclass(frozen=True, slots=True)
class Needs:
    """What others need of a run: nothing else is kept.

    Attributes:
        until: The last stage that is needed.
        pre: Layers whose entering stream is kept.
        mid: Layers whose stream between attention and MLP is kept.
        z: Layers whose heads' z are kept.
        layers: How many layers are run; the keys and values of all are kept.
        is_whole: Whether the stream in front of the final norm is kept.
    """

    until: int
    pre: frozenset[int]
    mid: frozenset[int]
    z: frozenset[int]
    layers: int
    is_whole: bool


@lru_cache(maxsize=32)
def needs_of_runs(schedule: Schedule) -> Mapping[int, Needs]:
    """Return what is kept of every run that anybody needs, by its number.

    The first one goes deepest; it keeps what those need that take from it what they share.
    """
    own = {run: _needs_of_run(schedule, run) for run in schedule.program.runs}
    needed = [(run, needs) for run, needs in own.items() if needs is not None]
    found = dict(sorted(needed, key=lambda item: -item[1].until))
    if not found:
        return {}
    first = next(iter(found))
    sharing = [
        needs
        for run, needs in found.items()
        if run == first or shared_columns(schedule, run, first)
    ]
    return {**found, first: _together(schedule, sharing)}


def _needs_of_run(schedule: Schedule, number: int) -> Needs | None:
    stages, versions = schedule.program.stages, schedule.program.versions
    inside = [v for wave in schedule.waves if wave.root == number for v in wave.versions]
    until = schedule.until[number]
    if until == NONE and not inside:
        return None
    pre, mid, z = set[int](), set[int](), set[int]()
    kept = set(schedule.keep.get(number, ()))
    for child in inside:
        version = versions[child]
        layer = stages.layer_of(version.born)
        # Rows read the run's keys and values in front of their first live column.
        until = max(until, version.born, schedule.until[child] if schedule.start[child] else 0)
        kept |= schedule.keep.get(child, frozenset())
        if version.born in (0, stages.last):
            continue
        if not stages.is_attention(version.born):
            mid.add(layer)
            continue
        if version.kind != Kind.OUTPUT:
            pre.add(layer)
        if version.kind != Kind.CUT:
            z.add(layer)
            mid.add(layer)
    for name in kept:
        part = stages.part(name)
        until = max(until, part.stage)
        if part.stage in (0, stages.last) or part.kind == "bias":
            continue
        if part.kind in ("z", "head"):
            z.add(part.layer)
        elif part.kind == "mlp":
            mid.add(part.layer)
        else:
            (pre if stages.is_attention(part.stage) else mid).add(stages.layer_of(part.stage))
    return _needs(schedule, until, pre, mid, z)


def _together(schedule: Schedule, needs: list[Needs]) -> Needs:
    until = max(one.until for one in needs)
    pre, mid, z = (
        set[int]().union(*sides)
        for sides in zip(*((one.pre, one.mid, one.z) for one in needs), strict=True)
    )
    return _needs(schedule, until, pre, mid, z)


def _needs(schedule: Schedule, until: int, pre: set[int], mid: set[int], z: set[int]) -> Needs:
    stages = schedule.program.stages
    layers = min((until + 1) // 2, stages.shape.layers)
    sides = frozenset(pre), frozenset(mid), frozenset(z)
    return Needs(until, *sides, layers=layers, is_whole=until == stages.last)


def first_read_column(schedule: Schedule) -> int:
    """Return the first column that the last block is needed at."""
    stages, program = schedule.program.stages, schedule.program
    first = stages.last - 2
    for read in program.reads:
        node = read.readout.node
        if node != "logits" and stages.part(node).stage >= first:
            return 0
    for number, version in enumerate(program.versions):
        if version.is_run:
            continue
        is_early = version.born < first or version.kind == Kind.SLOT
        refs = schedule.program.refs(version) if is_early else ()
        if any(stages.part(ref.node).stage >= first for ref in refs):
            return 0  # set in front of the last block's end, at all columns that live
        late = any(stages.part(name).stage >= first for name in schedule.keep.get(number, ()))
        if late or (version.born >= first and not _is_plain_birth(schedule, version)):
            return 0
    return first_logits_column(schedule)


@lru_cache(maxsize=32)
def first_logits_column(schedule: Schedule) -> int:
    """Return the first column at which logits are read; 0 where none are."""
    places = {(name, at): low for name, at, low, _ in schedule.signature.places}
    columns = []
    for read in schedule.program.reads:
        if read.readout.node == "logits":
            columns.append(places[read.input, read.readout.at])
            if read.reference != NONE:
                columns.append(places[read.reference_input, read.readout.at])
    return min(columns, default=0)


def _is_plain_birth(schedule: Schedule, version: Version) -> bool:
    plain = all(is_plain(schedule, write, version) for write in version.writes)
    return plain and version.kind != Kind.GENERAL


def is_plain(schedule: Schedule, write: Write, version: Version) -> bool:
    """Return whether a write brings in another version's value, column by column."""
    if not isinstance(write.value, At) or write.site.part is not None:
        return False
    if schedule.program.stages.part(write.site.read_from).kind == "pattern":
        return False
    ref = write.refs[0]
    return ref.input == version.input or all(
        (ref.input, version.input, at) in schedule.signature.aligned for at in write.site.at
    )


def shared_columns(schedule: Schedule, number: int, first: int) -> int:
    """Return how many columns a run shares with the first run: those before they differ."""
    if number == first:
        return 0
    versions, columns = schedule.program.versions, schedule.signature.columns
    names = {versions[number].input, versions[first].input}
    for one, other, column in schedule.signature.first_different:
        if {one, other} == names:
            return min(column, columns - 1)
    return 0
