"""One wave: its versions as rows of one tensor, born and retired on the way through the layers.

The rows are [W, B, P, d], the stream at live columns; what lies before them is the root's, whose
keys and values every row shares and none copies.
"""

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from causalnet.compiler import Kind, Wave
from causalnet.compiler.cost import TOKENS_AT_ONCE
from causalnet.compiler.needs import first_logits_column
from causalnet.compiler.stages import Part
from causalnet.execute.edits import is_sound
from causalnet.execute.wavefront.attention import attend
from causalnet.execute.wavefront.births import Birth, Births, Live, present
from causalnet.execute.wavefront.finals import Final, UnsoundError
from causalnet.execute.wavefront.general import GeneralBirths
from causalnet.execute.wavefront.values import State, Values

__all__ = ["Counts", "Limits", "run_wave"]


@dataclass(slots=True)
class Counts:
    """What was executed.

    Attributes:
        runs: Base passes, each of one input on one batch.
        attention: Attention blocks in waves, each of one version at one layer.
        mlp: MLPs in waves, each of one stream at one layer.
        mlp_of_runs: MLPs in base passes.
        slots: Births with receivers computed once more for edges.
        general: Births by a stage computed once more.
        births: Versions that were born.
        waves: Waves, after splitting.
        merged: Births that turned out bit-equal to their parents, which then stood for them.
    """

    runs: int = 0
    attention: int = 0
    mlp: int = 0
    mlp_of_runs: int = 0
    slots: int = 0
    general: int = 0
    births: int = 0
    waves: int = 0
    merged: int = 0


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is done at once; values do not depend on it.

    Attributes:
        versions: Versions in a wave.
        tokens: Tokens of rows that go through a kernel together.
        merge: Whether births that change no bit are found and stand for their parents; it waits for
            the device at every birth.
        checks_at_once: Whether what is not sound is found at once, or at the end of the batch with
            one look at the device.
    """

    versions: int | None = None
    tokens: int = TOKENS_AT_ONCE
    merge: bool = True
    checks_at_once: bool = True


def run_wave(
    wave: Wave,
    values: Values,
    read_from: int,
    read: Tensor,
    limits: Limits,
    counts: Counts,
    finish: Callable[[int, Final], None],
) -> None:
    """Run the versions of a wave, keep what others need of them, and hand over their ends.

    Args:
        wave: The wave.
        values: The values so far; what is kept goes there.
        read_from: The first column that the last block is needed at.
        read: The columns at which the last stream is read, for every prompt, [B, R].
        limits: How much is done at once.
        counts: Counts what is executed.
        finish: Called with every version that is needed to the end.
    """
    counts.waves += 1
    _Running(wave, values, read_from, read, limits, counts, finish).run()


@dataclass(slots=True, eq=False)
class _Running:
    """A wave on its way: row i of `rows` is version `order[i]`."""

    wave: Wave
    values: Values
    read_from: int
    read: Tensor
    limits: Limits
    counts: Counts
    finish: Callable[[int, Final], None]
    order: list[int] = field(default_factory=list)
    rows: Tensor = field(default_factory=lambda: torch.empty(0))
    live: Live = field(init=False)
    first_read: int = field(init=False)
    twins: dict[int, list[int]] = field(default_factory=dict)
    stage: int = 0
    ends: Counter[int] = field(init=False)
    keeping: dict[int, dict[int, list[Part]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Note at which stages versions end, and what is kept of which versions there."""
        schedule, stages = self.values.schedule, self.values.stages
        self.first_read = first_logits_column(schedule)
        self.live = Live(self.wave.root, self.wave.start, self.values.batches.width)
        self.ends = Counter(schedule.until[number] for number in self.wave.versions)
        for number in self.wave.versions:
            for name in schedule.keep.get(number, ()):
                part = replace(stages.part(name), name=name)  # as it is asked for
                self.keeping.setdefault(part.stage, {}).setdefault(number, []).append(part)

    # -- the course of the wave ------------------------------------------------------------------

    def run(self) -> None:
        schedule, versions = self.values.schedule, self.values.schedule.program.versions
        born: dict[int, list[Birth]] = {}
        for number in self.wave.versions:
            version = versions[number]
            birth = Birth(number, version, schedule.alias[version.parent])
            born.setdefault(version.born, []).append(birth)
        last = max(schedule.until[number] for number in self.wave.versions)
        if min(born) > self.values.stages.last - 2:  # born behind the last attention
            self.live = replace(self.live, read=self.read_from)
        columns = self.live.width - self.live.needed.start
        self.rows = self.empty(self.most(born, last), columns)
        for stage in range(min(born), last + 1):
            self.stage = stage
            self.retire()
            self.do_stage(born.get(stage, ()))
        if last < self.values.stages.last:
            self.check_sound()

    def empty(self, rows: int, columns: int) -> Tensor:
        sizes = (rows, len(self.values.batches.rows), columns, self.values.stages.shape.d_model)
        weights = self.values.weights
        return torch.empty(sizes, dtype=weights.dtype, device=weights.device)

    def most(self, born: dict[int, list[Birth]], last: int) -> int:
        """Return how many rows there are at most at one time."""
        alive, most = 0, 1
        for stage in range(min(born), last + 1):
            alive += len(born.get(stage, ()))
            most = max(most, alive)
            alive -= self.ends[stage]
        return most

    def retire(self) -> None:
        """Drop the rows that no later stage needs: the last row takes a dropped one's place."""
        until = self.values.schedule.until
        if self.ends[self.stage - 1]:
            for slot in reversed(range(len(self.order))):
                if until[self.order[slot]] < self.stage:
                    self.drop(slot)

    def drop_finished(self) -> None:
        """Drop the rows that only enter this stage: nobody reads its call."""
        until, last = self.values.schedule.until, self.values.stages.last
        if self.stage in (0, last) or not self.ends[self.stage]:
            return
        is_attention = self.values.stages.is_attention(self.stage)
        kinds = ("z", "head") if is_attention else ("mlp",)
        for slot in reversed(range(len(self.order))):
            number = self.order[slot]
            if until[number] > self.stage or (number, self.stage) in self.values.calls_for_births:
                continue
            if not self.kept_here(number, kinds):
                self.drop(slot)

    def drop(self, slot: int) -> None:
        """Drop a row, which others may have taken values from: the last row takes its place."""
        self.check_sound(slice(slot, slot + 1))
        end = len(self.order) - 1
        if slot != end:
            self.rows[slot].copy_(self.rows[end])
            self.order[slot] = self.order[end]
        self.order.pop()

    def do_stage(self, born: Sequence[Birth]) -> None:
        stages = self.values.stages
        births = Births(self.values, self.live, self.state, self.limits.tokens)
        self.keep_states("entering")
        for birth in born:
            if birth.version.kind == Kind.CUT:
                self.append(birth.number, births.cut(birth))
        self.keep_cuts()
        self.keep_natural()
        self.drop_finished()
        if self.stage == stages.last:
            self.finish_all(births, born)
            return
        if self.stage > 0 and self.order:
            if stages.is_attention(self.stage):
                self.attention()
            else:
                self.mlp()
        elif self.narrows():
            self.narrow_rows()
        births.live = self.live
        self.bear(births, [birth for birth in born if birth.version.kind != Kind.CUT])

    def bear(self, births: Births, born: Sequence[Birth]) -> None:
        slots = [birth for birth in born if birth.version.kind == Kind.SLOT]
        stages = self.values.stages
        if slots:
            is_attention = stages.is_attention(self.stage)
            made = births.slots(slots) if is_attention else births.mlp_slots(slots)
            self.counts.slots += len(slots)
            self.counts.mlp += 0 if is_attention else len(slots)
            for birth, row in zip(slots, made, strict=True):
                self.append(birth.number, row)
        general = GeneralBirths(self.values, self.live, self.state)
        for birth in born:
            if birth.version.kind == Kind.OUTPUT:
                self.bear_output(births, birth)
            elif birth.version.kind == Kind.GENERAL:
                self.counts.general += 1
                self.counts.mlp += not (self.stage == 0 or stages.is_attention(self.stage))
                self.append(birth.number, general.row(birth))

    def append(self, number: int, row: Tensor) -> None:
        self.rows[len(self.order)].copy_(row)
        self.order.append(number)
        self.counts.births += 1

    def bear_output(self, births: Births, birth: Birth) -> None:
        """Bear a version by its outputs, unless it is its parent to the last bit."""
        row = births.outputs(birth)
        if self.limits.merge and self.stage > 0 and self.may_merge(birth):
            state = self.state(birth.parent, self.stage)
            if state.leaving is not None and torch.equal(row, self.live.narrow(state.leaving)):
                self.counts.merged += 1
                self.twins.setdefault(birth.parent, []).append(birth.number)
                return
        self.append(birth.number, row)

    def may_merge(self, birth: Birth) -> bool:
        """Return whether a parent goes as far as a version that nobody looks into."""
        schedule, last = self.values.schedule, self.values.stages.last
        is_alone = birth.number not in schedule.forks and birth.number not in schedule.keep
        ends = schedule.until[birth.number] == schedule.until[birth.parent] == last
        is_run = self.values.version(birth.parent).is_run
        return is_alone and ends and (is_run or birth.parent in self.order)

    def finish_with_twins(self, number: int, final: Final) -> None:
        """Hand over a version's end, and that of the versions that are its equals."""
        self.finish(number, final)
        waiting = list(self.twins.get(number, ()))
        while waiting:
            twin = waiting.pop()
            self.finish(twin, final)
            waiting += self.twins.get(twin, ())

    # -- stages ----------------------------------------------------------------------------------

    def attention(self) -> None:
        """Add the attention of every row, a few rows at a time; the last block's narrows."""
        layer, start = self.values.stages.layer_of(self.stage), self.live.start
        weights, prefix = self.values.weights, self.values.prefix(self.wave.root, layer, start)
        block, name = weights.blocks[layer], self.values.version(self.wave.root).input
        batch = self.values.batches[name]
        angles = weights.angles(batch.position_ids[:, start:])
        padded = self.values.batches.is_padded(name)
        allowed = self.values.allowed(batch.mask, self.live.width - start) if padded else None
        narrows = self.narrows()
        before = self.rows
        if narrows:
            self.narrow_rows()
        queries = slice(self.live.needed.start - start, None)
        wanted = frozenset(number for _, number in self.forking())
        for chunk in self.chunks(before):
            z = attend(
                block,
                weights,
                before[chunk],
                *prefix,
                angles,
                allowed,
                queries,
                self.limits.tokens,
            )
            self.keep_z(layer, chunk, z, wanted)
            out = self.rows[chunk]
            flat = out.view(-1, out.shape[-1])
            flat += block.out(z.reshape(len(flat), -1))
        self.counts.attention += len(self.order)
        self.keep_states("leaving")

    def narrows(self) -> bool:
        """Return whether from this attention on only the read columns are needed."""
        is_last = self.stage == self.values.stages.last - 2
        return is_last and self.read_from > self.live.needed.start

    def narrow_rows(self) -> None:
        """Keep the read columns of every row."""
        old, count, first = self.rows, len(self.order), self.read_from
        self.rows = self.empty(len(old), self.live.width - first)
        self.rows[:count] = old[:count, :, first - self.live.start :]
        self.live = replace(self.live, read=first)

    def mlp(self) -> None:
        """Add the MLP of every row; where its output is read by itself, it is computed once."""
        layer = self.values.stages.layer_of(self.stage)
        block, name = self.values.weights.blocks[layer], f"L{layer}.mlp"
        last = len(self.order)
        for slot in reversed(range(last)):
            number = self.order[slot]
            is_born_from = (number, self.stage) in self.values.calls_for_births
            if not (is_born_from or self.kept_here(number, ("mlp",))):
                continue
            last -= 1
            self.swap(slot, last)
            out = block.mlp(block.mlp_norm(self.rows[last]))
            self.values.settled[name, number] = out
            self.rows[last] += out
        if last:
            block.mlp.add_(self.rows[:last], self.limits.tokens)
        self.counts.mlp += len(self.order)

    def swap(self, slot: int, other: int) -> None:
        """Let two rows change places."""
        if slot != other:
            kept = self.rows[slot].clone()
            self.rows[slot].copy_(self.rows[other])
            self.rows[other].copy_(kept)
            self.order[slot], self.order[other] = self.order[other], self.order[slot]

    def chunks(self, rows: Tensor) -> list[slice]:
        size, count = max(1, self.limits.tokens // (rows.shape[1] * rows.shape[2])), len(self.order)
        return [slice(at, min(at + size, count)) for at in range(0, count, size)]

    # -- what others need ------------------------------------------------------------------------

    def state(self, number: int, stage: int) -> State:
        """Return a version's state at a stage, at the wave's columns."""
        if self.values.version(number).is_run:
            return self.state_of_run(number, stage)
        kept = self.values.states[number, stage]
        start = self.values.schedule.start[number]
        if start == self.live.start:
            return kept
        before = self.state_of_run(self.wave.root, stage)

        def extended(own: Tensor | None, run: Tensor | None) -> Tensor | None:
            if own is None or run is None:
                return own
            # Both end at the last column; where the wave has narrowed, both may begin later.
            return torch.cat([run[:, : run.shape[1] - own.shape[1]], own], 1)

        return State(
            extended(kept.entering, before.entering),
            extended(kept.leaving, before.leaving),
            extended(kept.z, before.z),
        )

    def state_of_run(self, number: int, stage: int) -> State:
        run, stages, values = self.values.runs[number], self.values.stages, self.values
        layer, live = stages.layer_of(stage), self.live
        if stage == stages.last:
            return State(entering=values.from_run(run, values.last(run), layer - 1, live.needed))
        if not stages.is_attention(stage):
            return State(entering=values.from_run(run, run.mid[layer], layer, live.needed))

        def kept(of: Mapping[int, Tensor]) -> Tensor | None:
            # A cut set before the last block narrows needs none of what is kept of its end.
            has_columns = run.first_column(layer) <= live.needed.start
            is_there = layer in of and has_columns
            return values.from_run(run, of[layer], layer, live.needed) if is_there else None

        entering = run.pre[layer][:, live.all] if layer in run.pre else None
        return State(entering=entering, leaving=kept(run.mid), z=kept(run.z))

    def forking(self) -> list[tuple[int, int]]:
        """Return the rows, with their versions, that others are born from at this stage."""
        forks = self.values.schedule.forks
        rows = enumerate(self.order)
        return [(slot, number) for slot, number in rows if self.stage in forks.get(number, ())]

    def keep_states(self, which: str) -> None:
        for slot, number in self.forking():
            state = self.values.states.setdefault((number, self.stage), State())
            setattr(state, which, self.rows[slot].clone())

    def keep_z(self, layer: int, chunk: slice, z: Tensor, wanted: frozenset[int]) -> None:
        """Keep the z of versions that others are born from, or whose heads are read."""
        if not (wanted or self.stage in self.keeping):
            return
        for own, number in zip(z, self.order[chunk], strict=True):
            if number in wanted:
                self.values.states[number, self.stage].z = own.clone()
            for part in self.kept_here(number, ("z", "head")):
                value = own[:, :, part.index]
                if part.kind == "head":
                    value = value @ self.values.weights.blocks[layer].o[part.index]
                self.values.settled[part.name, number] = value.clone()

    def kept_here(self, number: int, kinds: Collection[str]) -> list[Part]:
        """Return the parts of some kinds at this stage that are kept of a version."""
        parts = self.keeping.get(self.stage, {}).get(number, ())
        return [part for part in parts if part.kind in kinds]

    def keep_cuts(self) -> None:
        """Keep the cuts in front of this stage that others read."""
        for slot, number in self.keeping_rows():
            for part in self.kept_here(number, ("cut",)):
                self.values.settled[part.name, number] = self.rows[slot].clone()

    def keep_natural(self) -> None:
        """Keep queries, keys, values, patterns, scales and logits that others read of rows."""
        general = GeneralBirths(self.values, self.live, self.state)
        kinds = ("q", "k", "v", "pattern", "scale", "logits")
        for slot, number in self.keeping_rows():
            for part in self.kept_here(number, kinds):
                value = general.natural(part.name, self.rows[slot])
                self.values.settled[part.name, number] = value

    def keeping_rows(self) -> list[tuple[int, int]]:
        """Return the rows, with their versions, of which something is kept at this stage."""
        here = self.keeping.get(self.stage, {})
        return [(slot, number) for slot, number in enumerate(self.order) if number in here]

    # -- the end ---------------------------------------------------------------------------------

    def finish_all(self, births: Births, born: Sequence[Birth]) -> None:
        """Hand over the last stream of every version, and make those born here."""
        self.check_sound()
        if self.wave.root in self.twins:
            state = self.state_of_run(self.wave.root, self.stage)
            final = Final(stream=self.at_read(present(state.entering)))
            for twin in self.twins[self.wave.root]:
                self.finish(twin, final)
        for slot, number in enumerate(self.order):
            self.finish_with_twins(number, Final(stream=self.at_read(self.rows[slot])))
        general = GeneralBirths(self.values, self.live, self.state)
        for birth in born:
            if birth.version.kind == Kind.DIRECT:
                entering = self.live.narrow(self.state(birth.parent, self.stage).entering)
                stream = entering + births.sent(birth, "logits", self.live.needed)
                self.finish(birth.number, Final(stream=self.at_read(stream)))
            elif birth.version.kind != Kind.CUT:
                self.counts.general += 1
                self.finish(birth.number, general.final(birth, self.at_read))

    def check_sound(self, slots: slice = slice(None)) -> None:
        """Refuse streams that are not finite, or too large to be squared."""
        rows = self.rows[: len(self.order)][slots]
        if len(rows):
            name = self.values.version(self.wave.root).input
            counted = self.values.batches[name].mask[:, self.live.needed]
            broken = (~is_sound(rows) & counted).any(-1)
            order, prompts = tuple(self.order[slots]), rows.shape[1]
            self.values.checks(broken, lambda n: UnsoundError(order[n // prompts], n % prompts))

    def at_read(self, stream: Tensor) -> Tensor:
        """Return what the last columns have at the read columns of every prompt, [B, R, d].

        A stream before its first live column is the root's.
        """
        if not self.read.numel():
            return stream[:, :0]
        rows = torch.arange(len(stream), device=stream.device)[:, None]
        start = self.live.width - stream.shape[1]
        if start <= self.first_read:
            return stream[rows, self.read - start]
        run = self.values.runs[self.wave.root]
        before = self.values.last(run)[rows, self.read - run.last_from]
        after = stream[rows, (self.read - start).clamp_min(0)]
        return torch.where((self.read < start)[..., None], before, after)
