"""What a schedule costs before it is run: FLOPs by stage, and time in forwards of the model.

FLOPs are those of matrix products, masked scores included, as `torch.utils.flop_counter` counts
them.  Time is that of the kernels on a `Machine`; its unit is one forward of the model on the same
prompts with logits everywhere, which is what a hook loop pays for each world.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from causalnet.compiler.birth_works import birth_works, mlps_of_runs
from causalnet.compiler.blocks import attention_works, mlp_works, unembedding_works
from causalnet.compiler.machine import CPU, Machine, Work
from causalnet.compiler.needs import Needs, first_read_column, needs_of_runs, shared_columns
from causalnet.compiler.program import NONE, Kind
from causalnet.compiler.schedule import Schedule, Wave
from causalnet.compiler.sizes import Sizes

__all__ = ["STAGES", "Cost", "Layout", "cost_of", "forward_works", "rows_at"]

STAGES = ("base", "births", "suffix", "read-out")
TOKENS_AT_ONCE = 1024
"""How many tokens of rows go through a kernel at once, where nothing else is said."""


@dataclass(frozen=True, eq=False)
class Cost:
    """The work of a schedule and of one forward of the model on the same prompts.

    Attributes:
        works: All work.
        forward: The work of the forward.
        machine: Whose rates tell the time.
        repeats: How many batches like this there are; the forward is of all together.
    """

    works: tuple[Work, ...]
    forward: tuple[Work, ...]
    machine: Machine = CPU
    repeats: int = 1

    def flops(self, stage: str | None = None) -> int:
        """Return the FLOPs of a stage, or of all."""
        own = (work.flops for work in self.works if stage in (None, work.stage))
        return self.repeats * sum(own)

    def seconds(self, stage: str | None = None) -> float:
        """Return the time of a stage, or of all."""
        own = (work for work in self.works if stage in (None, work.stage))
        return self.repeats * sum(map(self.machine.seconds, own))

    @cached_property
    def forward_flops(self) -> int:
        """The FLOPs of one forward with logits everywhere."""
        return sum(work.flops for work in self.forward)

    @cached_property
    def forward_seconds(self) -> float:
        """The time of one forward with logits everywhere."""
        return sum(self.machine.seconds(work, of_model=True) for work in self.forward)

    def forwards(self, stage: str | None = None) -> float:
        """Return the time of a stage, or of all, in forwards."""
        return self.seconds(stage) / self.forward_seconds

    def flop_forwards(self, stage: str | None = None) -> float:
        """Return the FLOPs of a stage, or of all, in those of a forward."""
        return self.flops(stage) / self.forward_flops


def cost_of(
    schedule: Schedule,
    sizes: Sizes,
    machine: Machine = CPU,
    layout: "Layout | None" = None,
    repeats: int = 1,
) -> Cost:
    """Return what a schedule costs.

    Args:
        schedule: The schedule.
        sizes: The network.
        machine: Whose rates tell the time.
        layout: What the executor leaves out; by default everything that it can.
        repeats: How many batches like this there are.
    """
    pricing = _Pricing(schedule, sizes, layout or Layout())
    works = tuple(pricing.works())
    return Cost(works, forward_works(schedule, sizes, repeats), machine, repeats)


def forward_works(schedule: Schedule, sizes: Sizes, repeats: int = 1) -> tuple[Work, ...]:
    """Return the work of one plain forward of all prompts, with logits everywhere."""
    signature = schedule.signature
    tokens = repeats * signature.prompts * signature.columns
    works: list[Work] = []
    for _ in range(sizes.shape.layers):
        works += attention_works("base", sizes, tokens, tokens, signature.columns, tokens)
        works += mlp_works("base", sizes, tokens, tokens)
    works += unembedding_works("base", sizes, tokens, sizes.shape.vocabulary)
    return tuple(works)


def rows_at(schedule: Schedule, wave: Wave) -> NDArray[np.int64]:
    """Return how many versions of a wave go through each stage by themselves."""
    versions, last = schedule.program.versions, schedule.program.stages.last
    change = np.zeros(last + 2, dtype=np.int64)
    for number in wave.versions:
        version, until = versions[number], schedule.until[number]
        first = version.born + (version.kind != Kind.CUT)
        if first <= until:
            change[first] += 1
            change[until + 1] -= 1
    return np.cumsum(change)[: last + 1]


@dataclass(frozen=True, slots=True)
class Layout:
    """What an executor leaves out; each flag off shows what its rule saves.

    Attributes:
        live_columns: Versions have their live columns only.
        last_columns: The last block attends and has its MLP at read columns only.
        needed_logits: Only read columns are unembedded, and where the read-out is a difference of
            logits only its tokens.
        shared_prefix: A second input shares the columns that equal the first's.
        early_stop: Runs end where they are needed last.
        at_once: Tokens that go through a kernel at once.
    """

    live_columns: bool = True
    last_columns: bool = True
    needed_logits: bool = True
    shared_prefix: bool = True
    early_stop: bool = True
    at_once: int = TOKENS_AT_ONCE


class _Pricing:
    """Goes through runs, waves and read-outs as the executor does."""

    def __init__(self, schedule: Schedule, sizes: Sizes, layout: Layout) -> None:
        self.schedule, self.sizes, self.layout = schedule, sizes, layout
        self.signature, self.stages = schedule.signature, schedule.program.stages
        self.read_from = first_read_column(schedule) if layout.last_columns else 0

    def works(self) -> Iterator[Work]:
        yield from self.runs()
        yield from self.last_mlps()
        for wave in self.schedule.waves:
            yield from self.wave(wave)
        yield from self.read_out()

    # -- base passes -----------------------------------------------------------------------------

    def runs(self) -> Iterator[Work]:
        needs = needs_of_runs(self.schedule)
        for number, need in needs.items():
            shared = 0
            if self.layout.shared_prefix:
                shared = shared_columns(self.schedule, number, next(iter(needs)))
            yield from self.run(need, self.signature.columns - shared)

    def run(self, needs: Needs, own: int) -> Iterator[Work]:
        """Yield the work of a run, of which some columns are its own."""
        prompts, columns, sizes = self.signature.prompts, self.signature.columns, self.sizes
        whole = needs.is_whole or not self.layout.early_stop
        layers = needs.layers if self.layout.early_stop else sizes.shape.layers
        for layer in range(layers):
            is_last, needed = layer == layers - 1, own
            if layer == sizes.shape.layers - 1:
                needed = min(own, columns - self.read_from)
            goes_on = whole or not is_last
            output = goes_on or layer in needs.mid or layer in needs.z
            queries = prompts * needed if output else 0
            tokens = prompts * own
            yield from attention_works("base", sizes, tokens, queries, columns, tokens)
            if goes_on:
                yield from mlp_works("base", sizes, queries, self.layout.at_once)

    def last_mlps(self) -> Iterator[Work]:
        """Yield the work of MLPs that end a run, which goes no further, for their outputs alone."""
        needs = needs_of_runs(self.schedule)
        for layer, number in sorted(mlps_of_runs(self.schedule)):
            need = needs[number]
            if need.is_whole or layer < need.layers - 1:
                continue  # a part of the run, and kept
            is_narrow = layer == self.sizes.shape.layers - 1
            columns = self.signature.columns - (self.read_from if is_narrow else 0)
            tokens = self.signature.prompts * columns
            yield from mlp_works("births", self.sizes, tokens, tokens)

    # -- waves -----------------------------------------------------------------------------------

    def wave(self, wave: Wave) -> Iterator[Work]:
        columns, prompts = self.signature.columns, self.signature.prompts
        start = wave.start if self.layout.live_columns else 0
        live, at_once = columns - start, self.layout.at_once
        rows = rows_at(self.schedule, wave)
        born: dict[int, list[int]] = {}
        for number in wave.versions:
            born.setdefault(self.schedule.program.versions[number].born, []).append(number)
        #: A single column's own key is no matrix product.
        attended = columns - 1 if live == 1 else columns
        for stage in range(min(born), self.stages.last + 1):
            needed = live
            if stage >= self.stages.last - 2:
                needed = min(live, columns - self.read_from)
            alive = int(rows[stage]) * prompts
            if 0 < stage < self.stages.last and self.stages.is_attention(stage):
                yield from attention_works(
                    "suffix", self.sizes, alive * live, alive * needed, attended, at_once
                )
            elif 0 < stage < self.stages.last:
                yield from mlp_works("suffix", self.sizes, alive * needed, at_once)
            if stage in born:
                yield from birth_works(
                    self.schedule, self.sizes, born[stage], live, needed, at_once
                )

    # -- read-outs -------------------------------------------------------------------------------

    def read_out(self) -> Iterator[Work]:
        prompts, sizes = self.signature.prompts, self.sizes
        vocabulary = sizes.shape.vocabulary
        if not self.layout.needed_logits:
            ends = {self.schedule.alias[read.version] for read in self.schedule.program.reads}
            tokens = len(ends) * prompts * self.signature.columns
            yield from unembedding_works("read-out", sizes, tokens, vocabulary)
            return
        for read in self.schedule.program.reads:
            is_difference = read.readout.name == "logit_difference"
            columns = 2 if is_difference else vocabulary
            yield from unembedding_works("read-out", sizes, prompts, columns)
            if read.reference != NONE:
                yield from unembedding_works("read-out", sizes, prompts, vocabulary)
