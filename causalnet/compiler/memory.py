"""What a schedule holds in memory at its fullest, beside the model's weights."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from causalnet.compiler.birth_works import mlps_kept
from causalnet.compiler.budget import Budget, bytes_text
from causalnet.compiler.cost import TOKENS_AT_ONCE, rows_at
from causalnet.compiler.needs import (
    Needs,
    first_read_column,
    needs_of_runs,
    shared_columns,
)
from causalnet.compiler.program import NONE, Kind
from causalnet.compiler.schedule import Schedule, Wave
from causalnet.compiler.sizes import Sizes
from causalnet.errors import OutOfMemoryError

__all__ = ["Cached", "Fit", "Memory", "cached_by_runs", "fit", "memory_of", "split"]

_EFFICIENT = 256
"""Tokens in a call below which products with weights become slow: waves are not split further
while the batch of prompts can be."""


_SMALLEST = 16
"""Tokens that go through a kernel at once at least."""


@dataclass(frozen=True, slots=True)
class Cached:
    """Something that base passes keep.

    Attributes:
        what: `keys and values`, `entering streams`, ...
        layers: For how many layers, of all runs together.
        possible: For how many layers a cache of everything would keep it.
        size: Bytes of one layer.
        flops: What computing it once more would take, for one layer.
        bytes: Bytes of all layers; the last one is kept at the columns that are read.
    """

    what: str
    layers: int
    possible: int
    size: int
    flops: int
    bytes: int

    @property
    def density(self) -> float:
        """FLOPs that are saved by a byte: what is densest is worth most."""
        return self.flops / self.size


@dataclass(frozen=True, slots=True)
class Memory:
    """The bytes of a schedule.

    Attributes:
        base: What base passes keep until the end.
        passing: What base passes hold at most beyond that.
        rows: The streams of the fullest wave.
        kept: What waves keep of versions for others.
        chunk: The intermediates of what goes through a kernel at once, in waves.
        read_out: Logits and ends of versions that wait to be compared.
    """

    base: int
    passing: int
    rows: int
    kept: int
    chunk: int
    read_out: int

    @property
    def peak(self) -> int:
        """The most that is held at one time."""
        return max(self.base + self.passing, self.peak_of_waves)

    @property
    def peak_of_waves(self) -> int:
        """The most that is held while waves run."""
        return self.base + self.rows + self.kept + max(self.chunk, self.read_out)

    def __str__(self) -> str:
        """Return the parts and their peak."""
        return (
            f"base cache {bytes_text(self.base)}, waves {bytes_text(self.rows + self.kept)} "
            f"(+ chunk {bytes_text(self.chunk)}); peak {bytes_text(self.peak)} beside the weights"
        )


def cached_by_runs(schedule: Schedule, sizes: Sizes) -> tuple[Cached, ...]:
    """Return what base passes keep, the most valuable first; nothing that nobody reads."""
    signature, shape = schedule.signature, sizes.shape
    tokens = signature.prompts * signature.columns
    stream, z = tokens * shape.d_model * sizes.number, tokens * sizes.queries * sizes.number
    keys = 2 * tokens * sizes.keys * sizes.number
    project = 2 * shape.d_model * tokens
    needs = list(needs_of_runs(schedule).values())
    possible = shape.layers * len(needs)
    attention = project * (sizes.queries + 2 * sizes.keys) + sizes.scores(tokens, signature.columns)
    whole = tokens * sizes.layer
    needed = signature.columns - first_read_column(schedule)
    mlps = [mlps_kept(schedule, run) for run in needs_of_runs(schedule)]
    whole_keys = [frozenset(range(n.layers)) for n in needs]
    listed = (
        ("keys and values", whole_keys, keys, 2 * project * sizes.keys, False),
        ("streams into layers", [n.pre for n in needs], stream, whole, False),
        ("streams after attention", [n.mid for n in needs], stream, attention, True),
        ("heads' z", [n.z for n in needs], z, attention, True),
        ("MLPs' outputs", mlps, stream, tokens * sizes.mlp, True),
    )
    found = []
    for what, layers, size, flops, narrows in listed:
        count = sum(map(len, layers))
        total = count * size
        if narrows:
            last = sum(shape.layers - 1 in some for some in layers)
            total -= last * size * (signature.columns - needed) // signature.columns
        found.append(Cached(what, count, possible, size, flops, total))
    return tuple(sorted(found, key=lambda one: -one.density))


def memory_of(
    schedule: Schedule, sizes: Sizes, at_once: int = TOKENS_AT_ONCE, rows: int | None = None
) -> Memory:
    """Return the bytes that a schedule holds.

    Args:
        schedule: The schedule.
        sizes: The network.
        at_once: Tokens that go through a kernel at once.
        rows: The most versions that a wave may have; None for all.
    """
    return _Holding(schedule, sizes).memory(schedule.signature.prompts, at_once, rows)


@dataclass(frozen=True, slots=True)
class _Moment:
    """A stage of a wave.

    Attributes:
        rows: Rows that there is room for.
        held: The columns of each that are held.
        alive: Rows that go through the stage.
        tokens: The columns of each that have keys and values.
        queries: The columns of each that attend.
        inner: The columns of each that go through the MLP.
    """

    rows: int
    held: int
    alive: int
    tokens: int
    queries: int
    inner: int


class _Holding:
    """What an executor holds for one prompt; all but chunks grow with the prompts."""

    def __init__(self, schedule: Schedule, sizes: Sizes) -> None:
        one = replace(schedule, signature=replace(schedule.signature, prompts=1))
        self.schedule, self.sizes = one, sizes
        self.stages, self.shape = schedule.program.stages, sizes.shape
        self.columns = schedule.signature.columns
        self.needs = needs_of_runs(one)
        self.needed = self.columns - first_read_column(schedule)
        self.base, self.kept, self.read_out = self._base(), self._kept(), self._read_out()
        self.passing = self._passing()
        self.waves = [self.fullest(wave) for wave in schedule.waves]

    def fullest(self, wave: Wave) -> tuple["_Moment", ...]:
        """Return the moments at which a wave may hold most, for one prompt."""
        alive, live = rows_at(self.schedule, wave), self.columns - wave.start
        needed, last = min(live, self.needed), self.stages.last
        most = self.most(wave)
        both = live + needed if needed < live else live
        slots = self.slots_at(wave)
        inner = [max(int(alive[stage]), slots.get(stage, 0)) for stage in range(2, last - 2, 2)]
        return (
            _Moment(most, live, int(alive[1 : last - 2 : 2].max(initial=0)), live, live, 0),
            _Moment(most, live, max(inner, default=0), live, 0, live),
            _Moment(most, both, int(alive[last - 2]), live, needed, 0),
            _Moment(most, needed, max(int(alive[last - 1]), slots.get(last - 1, 0)), 0, 0, needed),
        )

    def slots_at(self, wave: Wave) -> dict[int, int]:
        """Return how many versions are born at each stage from edges into its receivers."""
        found: dict[int, int] = {}
        for number in wave.versions:
            version = self.schedule.program.versions[number]
            if version.kind == Kind.SLOT:
                found[version.born] = found.get(version.born, 0) + 1
        return found

    def memory(self, prompts: int, at_once: int, rows: int | None) -> Memory:
        held = [
            (self.rows(moment, rows), self.chunk(moment, prompts, at_once, rows))
            for moments in self.waves
            for moment in moments
        ]
        most, chunk = max(held, key=lambda one: prompts * one[0] + one[1], default=(0, 0))
        return Memory(
            base=prompts * self.base,
            passing=prompts * self.passing,
            rows=prompts * most,
            kept=prompts * self.kept,
            chunk=chunk,
            read_out=prompts * self.read_out,
        )

    def rows(self, moment: "_Moment", limit: int | None) -> int:
        """Return the bytes of a wave's rows for one prompt."""
        count = moment.rows if limit is None else min(moment.rows, limit)
        return count * moment.held * self.shape.d_model * self.sizes.number

    def chunk(self, moment: "_Moment", prompts: int, at_once: int, limit: int | None) -> int:
        """Return the intermediates of rows that go through a kernel together."""
        alive = moment.alive if limit is None else min(moment.alive, limit)
        columns = max(moment.tokens, moment.inner)
        tokens = prompts * min(alive, max(at_once // max(prompts * columns, 1), 1))
        return max(
            self.attention(tokens * moment.tokens, tokens * moment.queries),
            self.mlp(tokens * moment.inner),
        )

    def _base(self) -> int:
        whole = sum(cached.bytes for cached in cached_by_runs(self.schedule, self.sizes))
        last = sum(need.is_whole for need in self.needs.values())
        return whole + last * self.needed * self.shape.d_model * self.sizes.number

    def _passing(self) -> int:
        """Return by how much the most that base passes hold is more than what they keep."""
        first, held, most = next(iter(self.needs), 0), 0, 0
        for run, need in self.needs.items():
            own = self.columns - shared_columns(self.schedule, run, first)
            held += self._kept_by(run, need)
            most = max(most, held + max(self.attention(own, own), self.mlp(own)))
        return most - self.base if self.needs else 0

    def _kept_by(self, run: int, need: Needs) -> int:
        """Return the bytes that a run keeps until the end, as `cached_by_runs` sums them."""
        last, d = self.shape.layers - 1, self.shape.d_model

        def columns(layers: frozenset[int]) -> int:
            narrow = last in layers
            return (len(layers) - narrow) * self.columns + narrow * self.needed

        numbers = self.columns * (2 * self.sizes.keys * need.layers + d * len(need.pre))
        streams = columns(need.mid) + columns(mlps_kept(self.schedule, run))
        numbers += d * streams + self.sizes.queries * columns(need.z)
        return (numbers + need.is_whole * self.needed * d) * self.sizes.number

    def attention(self, tokens: int, queries: int) -> int:
        """Return the intermediates of an attention."""
        d, scores = self.shape.d_model, 2 * self.shape.heads * self.columns
        numbers = tokens * (d + 2 * self.sizes.keys) + queries * (3 * self.sizes.queries + scores)
        return numbers * self.sizes.number

    def mlp(self, tokens: int) -> int:
        """Return the intermediates of an MLP."""
        return tokens * (self.shape.d_model + 2 * self.shape.d_mlp) * self.sizes.number

    def rows_within(self, budget: int, memory: Memory, prompts: int) -> int:
        """Return how many versions of any wave stay in a budget; 0 where not one does."""
        if memory.base + memory.passing > budget:
            return 0
        widest = max((moment.held for moments in self.waves for moment in moments), default=0)
        each = prompts * widest * self.shape.d_model * self.sizes.number
        left = budget - (memory.peak_of_waves - memory.rows)
        return max(left, 0) // each if each else 0

    def most(self, wave: Wave) -> int:
        """Return how many rows a wave has at most at one time."""
        alive, last = rows_at(self.schedule, wave), self.stages.last
        for number in wave.versions:
            version = self.schedule.program.versions[number]
            if version.kind != Kind.CUT and version.born < last:  # what ends at once is no row
                alive[version.born] += 1
        return int(alive.max())

    def _kept(self) -> int:
        """Return the bytes of what waves keep of versions that others are born from, or read."""
        numbers = 0
        for number, version in enumerate(self.schedule.program.versions):
            if version.is_run:
                continue
            live = self.columns - self.schedule.start[number]
            for stage in self.schedule.forks.get(number, ()):
                is_attention = self.stages.is_attention(stage)
                own = 2 * self.shape.d_model + self.sizes.queries
                numbers += live * (own if is_attention else self.shape.d_model)
            for name in self.schedule.keep.get(number, ()):
                numbers += live * self.width(name)
        return numbers * self.sizes.number

    def width(self, name: str) -> int:
        kind = self.stages.part(name).kind
        if kind in ("q", "k", "v", "z"):
            return self.shape.d_head
        return {"pattern": self.columns, "scale": 1}.get(kind, self.shape.d_model)

    def _read_out(self) -> int:
        """Return the bytes of logits, and of ends that wait for others."""
        d, vocabulary = self.shape.d_model, self.shape.vocabulary
        reads = self.schedule.program.reads
        places = len({(read.input, read.readout.at) for read in reads})
        ends = {self.schedule.alias[r.version] for r in reads if r.reference != NONE}
        ends |= {self.schedule.alias[r.reference] for r in reads if r.reference != NONE}
        numbers = len(ends) * places * d
        if any(read.readout.name != "logit_difference" for read in reads):
            numbers += (7 if ends else 4) * vocabulary
        return numbers * self.sizes.number


# -- budgets -------------------------------------------------------------------------------------


def split(schedule: Schedule, rows: int) -> Schedule:
    """Return a schedule whose waves have at most some versions each; values do not change.

    Versions that are born late go first: they are cheap, and what they hold is soon free.  Versions
    of one family (a parent and what is born from it) stay in the order of their births.
    """
    waves: list[Wave] = []
    for wave in schedule.waves:
        if len(wave.versions) <= rows:
            waves.append(wave)
            continue
        listed = [number for family in _families(schedule, wave) for number in family]
        waves += [
            Wave(wave.root, wave.start, tuple(listed[at : at + rows]), wave.level)
            for at in range(0, len(listed), rows)
        ]
    return replace(schedule, waves=tuple(waves))


def _families(schedule: Schedule, wave: Wave) -> Iterator[list[int]]:
    """Yield the versions of a wave by their first ancestor in it, the latest born first."""
    first: dict[int, int] = {}
    families: dict[int, list[int]] = {}
    for number in wave.versions:
        parent = schedule.alias[schedule.program.versions[number].parent]
        first[number] = first.get(parent, number)
        families.setdefault(first[number], []).append(number)
    yield from reversed(list(families.values()))


@dataclass(frozen=True, slots=True)
class Fit:
    """How a schedule is cut up so that it fits a budget.

    Attributes:
        prompts: Prompts in a batch.
        batches: How many batches.
        rows: Versions that a wave may have; None where all go together.
        waves: How many waves there are in a batch.
        at_once: Tokens that go through a kernel at once.
        memory: What is held.
        budget: The budget.
    """

    prompts: int
    batches: int
    rows: int | None
    waves: int
    at_once: int
    memory: Memory
    budget: Budget

    def applied(self, schedule: Schedule) -> Schedule:
        """Return a schedule cut up so; of one batch, where there are several."""
        own = replace(schedule, signature=replace(schedule.signature, prompts=self.prompts))
        return own if self.rows is None else split(own, self.rows)

    def __str__(self) -> str:
        """Return how it is cut up, in one line."""
        cut = f"waves of {self.rows} versions, {self.waves} a batch" if self.rows else "waves whole"
        batches = (
            f"{self.batches} batches of {self.prompts} prompts"
            if self.batches > 1
            else (f"{self.prompts} prompts together")
        )
        return f"{self.budget}: {batches}, {cut}"


def fit(schedule: Schedule, sizes: Sizes, budget: Budget, at_once: int = TOKENS_AT_ONCE) -> Fit:
    """Return how a schedule's waves and prompts are split so that its peak stays in a budget.

    Waves are split first, as long as products stay efficient, then the prompts are halved.

    Raises:
        OutOfMemoryError: A budget smaller than one version at one prompt.
    """
    whole, holding = schedule.signature.prompts, _Holding(schedule, sizes)
    for prompts, chunk in _sizes(whole, at_once):
        memory = holding.memory(prompts, chunk, None)
        batches = -(-whole // prompts)
        if budget.bytes is None or memory.peak <= budget.bytes:
            return Fit(prompts, batches, None, len(schedule.waves), chunk, memory, budget)
        rows = holding.rows_within(budget.bytes, memory, prompts)
        if rows >= (1 if prompts == 1 else _least_rows(schedule, prompts)):
            memory = holding.memory(prompts, chunk, rows)
            waves = sum(-(-len(wave.versions) // rows) for wave in schedule.waves)
            return Fit(prompts, batches, rows, waves, chunk, memory, budget)
    smallest = holding.memory(1, _SMALLEST, 1).peak
    raise OutOfMemoryError(
        f"A budget of {bytes_text(budget.bytes or 0)} for one version at one prompt.",
        f"One prompt of {schedule.signature.columns} tokens and one version take "
        f"{bytes_text(smallest)} beside the weights.",
        f"Write budget='{-(-smallest // 10**6)}MB' or more, or shorten the prompts.",
    )


def _sizes(prompts: int, at_once: int) -> Iterator[tuple[int, int]]:
    """Yield prompts in a batch and tokens at once, in the order in which they are tried."""
    while True:
        yield prompts, at_once
        if prompts == 1:
            break
        prompts = -(-prompts // 2)
    while at_once > _SMALLEST:
        at_once = max(at_once // 2, _SMALLEST)
        yield 1, at_once


def _least_rows(schedule: Schedule, prompts: int) -> int:
    """Return how many versions keep products efficient in the waves with most columns."""
    widest = schedule.signature.columns - min((w.start for w in schedule.waves), default=0)
    return max(1, _EFFICIENT // max(1, widest * prompts))
