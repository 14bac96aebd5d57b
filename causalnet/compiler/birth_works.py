"""The work of births: deltas of outputs, receivers computed once more, whole stages."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from causalnet.compiler.blocks import attention_works, mlp_works
from causalnet.compiler.machine import Work
from causalnet.compiler.needs import is_plain, needs_of_runs, shared_columns
from causalnet.compiler.program import Kind, Version, Write
from causalnet.compiler.schedule import Schedule
from causalnet.compiler.sizes import Sizes
from causalnet.interventions import Edge

__all__ = ["birth_works", "mlps_kept", "mlps_of_runs"]

_CALLS = 6
"""Kernels of a birth beside its products: looking values up, subtracting, adding to the stream."""


def birth_works(
    schedule: Schedule,
    sizes: Sizes,
    numbers: Iterable[int],
    columns: int,
    needed: int,
    at_once: int,
) -> Iterator[Work]:
    """Yield the work of the births of a wave at one stage.

    Args:
        schedule: The schedule.
        sizes: The network.
        numbers: The versions that are born.
        columns: The live columns.
        needed: The columns at which the stage's output is needed.
        at_once: How many tokens go through a kernel at once.
    """
    births = _Births(schedule, sizes, columns, needed, at_once)
    by_kind: dict[str, list[int]] = {}
    for number in numbers:
        by_kind.setdefault(schedule.program.versions[number].kind, []).append(number)
    for kind, own in by_kind.items():
        match kind:
            case Kind.OUTPUT:
                yield from births.outputs(own)
            case Kind.SLOT:
                yield from births.slots(own)
            case Kind.DIRECT:
                yield from births.direct(own)
            case Kind.CUT:
                yield births.moving(len(own), columns)
            case _:
                yield from births.general(own)


@dataclass(frozen=True, slots=True)
class _Products:
    """How often a head's z is multiplied with its part of W_O.

    Attributes:
        needed: At the columns where the stage's output is needed.
        whole: At all columns.
    """

    needed: int = 0
    whole: int = 0

    def __add__(self, other: "_Products") -> "_Products":
        return _Products(self.needed + other.needed, self.whole + other.whole)


def _settled(schedule: Schedule, write: Write, version: Version) -> _Products:
    """Return the products behind a head's output with one write on top."""
    if not is_plain(schedule, write, version):
        part = schedule.program.stages.part
        return _Products(0, 1 + sum(part(ref.node).kind == "head" for ref in write.refs))
    return _Products(2 if write.site.at else 1)


@lru_cache(maxsize=16)
def _products(schedule: Schedule) -> tuple[_Products, ...]:
    """Return for every version the products that its writes take."""
    return tuple(
        sum((_of_write(schedule, write, version) for write in version.writes), _Products())
        for version in schedule.program.versions
    )


def _of_write(schedule: Schedule, write: Write, version: Version) -> _Products:
    kind = schedule.program.stages.part(write.site.read_from).kind
    if kind == "head":
        return _Products(1) + _settled(schedule, write, version)
    return _Products(int(kind == "z" and version.kind == Kind.OUTPUT))


@lru_cache(maxsize=16)
def mlps_of_runs(schedule: Schedule) -> frozenset[tuple[int, int]]:
    """Return the layers and runs whose MLP's output births or reads need: it is kept."""
    found: set[tuple[int, int]] = set()
    stages, versions = schedule.program.stages, schedule.program.versions

    def note(node: str, number: int) -> None:
        part = stages.part(node)
        if part.kind != "mlp":
            return
        number = schedule.alias[number]
        while versions[number].born > part.stage:
            number = schedule.alias[versions[number].parent]
        if versions[number].is_run:
            found.add((part.layer, number))

    for wave in schedule.waves:
        for number in wave.versions:
            version = versions[number]
            for write in version.writes:
                for ref in write.refs:
                    note(ref.node, ref.version)
                sender, parent = write.site.read_from, schedule.alias[version.parent]
                is_whole = is_plain(schedule, write, version) and not write.site.at
                if isinstance(write.site, Edge) or (not is_whole and versions[parent].is_run):
                    note(sender, parent)
    for read in schedule.program.reads:
        note(read.readout.node, read.version)
    return frozenset(found)


class _Births:
    def __init__(
        self, schedule: Schedule, sizes: Sizes, columns: int, needed: int, at_once: int
    ) -> None:
        self.schedule, self.sizes, self.at_once = schedule, sizes, at_once
        self.stages, self.shape = schedule.program.stages, sizes.shape
        self.live = schedule.signature.prompts * columns
        self.needed = schedule.signature.prompts * needed
        self.whole = schedule.signature.prompts * schedule.signature.columns
        self.columns = columns
        #: One product of one head's z with its part of W_O.
        self.mixed = 2 * self.shape.d_head * self.shape.d_model

    def version(self, number: int) -> Version:
        return self.schedule.program.versions[number]

    def moving(self, rows: int, columns: int) -> Work:
        """Return the work of writing streams into rows."""
        tokens = rows * columns * self.schedule.signature.prompts
        moved = 3 * tokens * self.shape.d_model * self.sizes.number
        return Work("births", "stream", max(tokens, 1), 0, moved, _CALLS * rows)

    # -- outputs ---------------------------------------------------------------------------------

    def outputs(self, numbers: Sequence[int]) -> Iterator[Work]:
        yield from self.multiplied(numbers, self.needed)
        mlps = sum(self.is_mlp_of_version(number) for number in numbers)
        yield from mlp_works("births", self.sizes, mlps * self.needed, self.needed)
        yield self.moving(len(numbers), self.needed // self.schedule.signature.prompts)

    def multiplied(self, numbers: Sequence[int], tokens: int) -> Iterator[Work]:
        """Yield the products of z with W_O behind outputs and what edges send."""
        counts = _products(self.schedule)
        found = sum((counts[number] for number in numbers), _Products())
        if found.needed or found.whole:
            flops = self.mixed * (found.needed * tokens + found.whole * self.whole)
            yield Work("births", "product", tokens, flops, 0, found.needed + found.whole)

    def is_mlp_of_version(self, number: int) -> bool:
        """Return whether an MLP's own value in another version than a run is needed below."""
        version = self.version(number)
        parent = self.version(self.schedule.alias[version.parent])
        write = version.writes[0]
        is_mlp = self.stages.part(write.site.read_from).kind == "mlp"
        is_whole = is_plain(self.schedule, write, version) and not write.site.at
        return is_mlp and not parent.is_run and not is_whole

    # -- edges -----------------------------------------------------------------------------------

    def direct(self, numbers: Sequence[int]) -> Iterator[Work]:
        yield from self.multiplied(numbers, self.needed)
        yield self.moving(len(numbers), self.needed // self.schedule.signature.prompts)

    def slots(self, numbers: Sequence[int]) -> Iterator[Work]:
        born = self.version(numbers[0]).born
        if self.stages.is_attention(born):
            yield from self.attention_slots(numbers)
            return
        yield from self.direct(numbers)
        yield from mlp_works("births", self.sizes, len(numbers) * self.needed, self.at_once)

    def attention_slots(self, numbers: Sequence[int]) -> Iterator[Work]:
        shape, d = self.shape, self.shape.d_model
        yield from self.multiplied(numbers, self.live)
        flops = jobs = 0
        naturals: set[tuple[str, int]] = set()
        for number in numbers:
            version = self.version(number)
            parent = self.schedule.alias[version.parent]
            receivers = {w.site.receiver for w in version.writes if isinstance(w.site, Edge)}
            heads: set[int] = set()
            for receiver in receivers:
                part = self.stages.part(receiver)
                tokens = self.needed if part.kind == "q" else self.live
                flops += 2 * tokens * d * shape.d_head
                size = shape.heads_per_group
                first = part.index * size
                heads |= {part.index} if part.kind == "q" else set(range(first, first + size))
            layer = self.stages.layer_of(version.born)
            for head in heads:
                group = shape.group_of(head)
                names = [f"L{layer}.H{head}.q"]
                names += [self.stages.keys(layer, group, channel) for channel in "kv"]
                naturals |= {(name, parent) for name in names if name not in receivers}
            jobs += len(heads)
        for name, _ in naturals:
            tokens = self.needed if self.stages.part(name).kind == "q" else self.live
            flops += 2 * tokens * d * shape.d_head
        flops += jobs * self.mixed * self.needed
        yield Work("births", "product", self.live, flops, 0, len(naturals) + 1)
        attended = self.schedule.signature.columns
        mixed = 4 * jobs * self.needed * attended * shape.d_head
        moved = 4 * jobs * self.needed * attended * self.sizes.number
        yield Work("births", "scores", self.live, mixed, moved, 2 * _CALLS)
        yield self.moving(len(numbers), self.columns)

    # -- anything else ---------------------------------------------------------------------------

    def general(self, numbers: Sequence[int]) -> Iterator[Work]:
        columns = self.schedule.signature.columns
        tokens = self.schedule.signature.prompts * columns
        for number in numbers:
            born = self.version(number).born
            if self.stages.is_attention(born):
                yield from attention_works("births", self.sizes, tokens, tokens, columns, tokens)
            elif 0 < born < self.stages.last:
                yield from mlp_works("births", self.sizes, tokens, tokens)
            yield self.moving(1, columns)


def mlps_kept(schedule: Schedule, run: int) -> frozenset[int]:
    """Return the layers whose MLPs' outputs a run keeps, for itself and for runs that share."""
    first = next(iter(needs_of_runs(schedule)), run)
    return frozenset(
        layer
        for layer, own in mlps_of_runs(schedule)
        if own == run or (run == first and shared_columns(schedule, own, first))
    )
