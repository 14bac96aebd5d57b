"""The wavefront executor: one batch of prompts through base passes, waves and read-outs."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import Tensor

from causalnet.compiler import Kind, Program, ReadOf, Schedule, Wave, schedule_program
from causalnet.compiler.program import NONE
from causalnet.errors import InternalError
from causalnet.execute.bindings import Bindings
from causalnet.execute.readouts import lens_logits, read_logits, read_value
from causalnet.execute.wavefront.batches import make_batches
from causalnet.execute.wavefront.columns import Difference
from causalnet.execute.wavefront.finals import Final
from causalnet.execute.wavefront.needs import needs_of_run, wanted_of
from causalnet.execute.wavefront.runs import Run, run
from causalnet.execute.wavefront.values import Values
from causalnet.execute.wavefront.wave import Counts, Limits, run_wave
from causalnet.execute.wavefront.weights import Weights
from causalnet.interventions import Position
from causalnet.lift import LiftedNetwork

__all__ = ["run_batch"]


def run_batch(
    program: Program,
    net: LiftedNetwork,
    weights: Weights,
    bindings: Bindings,
    rows: Sequence[int],
    limits: Limits,
    counts: Counts,
) -> list[Tensor]:
    """Return the read-outs of a program on some prompts, [B] each, in the program's order.

    Args:
        program: The program.
        net: The lifted network.
        weights: Its weights as functions.
        bindings: Prompts, answers, constants.
        rows: Which prompts.
        limits: How much is done at once; values are the same.
        counts: Counts what is executed.
    """
    names = {version.input for version in program.versions} | {r.input for r in program.reads}
    batches = make_batches(bindings, sorted(names), rows, net.model.device)
    schedule = schedule_program(program, batches.signature(program))
    values = Values(net, weights, bindings, batches, schedule)
    with torch.no_grad():
        return _Batch(values, limits, counts).run()


@dataclass(eq=False)
class _Batch:
    """One batch on its way."""

    values: Values
    limits: Limits
    counts: Counts
    answers: dict[int, Tensor] = field(default_factory=dict)
    finals: dict[int, Final] = field(default_factory=dict)

    @property
    def schedule(self) -> Schedule:
        return self.values.schedule

    @property
    def program(self) -> Program:
        return self.values.schedule.program

    def run(self) -> list[Tensor]:
        self.run_inputs()
        for wave in self.schedule.waves:
            for part in self.split(wave):
                run_wave(
                    part,
                    self.values,
                    self.read_from,
                    self.read_columns,
                    self.limits,
                    self.counts,
                    self.finish,
                )
        for number, read in enumerate(self.program.reads):
            if number not in self.answers:
                self.answers[number] = self.answer(read)
        return [self.answers[number] for number in range(len(self.program.reads))]

    # -- what is read ----------------------------------------------------------------------------

    @cached_property
    def reads(self) -> dict[int, list[int]]:
        """The reads of logits that one version answers, by version."""
        found = defaultdict(list)
        for number, read in enumerate(self.program.reads):
            if read.readout.node == "logits" and read.reference == NONE:
                found[self.schedule.alias[read.version]].append(number)
        return found

    @cached_property
    def compared(self) -> frozenset[int]:
        """The versions whose ends are kept until all are there: those that `kl` compares."""
        reads = [
            r for r in self.program.reads if r.reference != NONE and r.readout.node == "logits"
        ]
        numbers = [number for read in reads for number in (read.version, read.reference)]
        return frozenset(self.schedule.alias[number] for number in numbers)

    @cached_property
    def places(self) -> tuple[tuple[int, ...], ...]:
        """The columns of every prompt at which logits are read, each choice once."""
        columns, found = self.values.batches.columns, set()
        for read in self.program.reads:
            if read.readout.node == "logits":
                found.add(columns(read.input, read.readout.at))
                if read.reference != NONE:
                    found.add(columns(read.reference_input, read.readout.at))
        return tuple(sorted(found))

    def place(self, name: str, at: Position) -> int:
        return self.places.index(self.values.batches.columns(name, at))

    @cached_property
    def read_columns(self) -> Tensor:
        """The columns where the last stream is read, [B, R]."""
        listed = torch.tensor(self.places, dtype=torch.long, device=self.values.weights.device)
        return listed.T if self.places else listed.view(0, 0)

    @cached_property
    def read_from(self) -> int:
        """The first column that the last block is needed at."""
        stages, first = self.program.stages, self.program.stages.last - 2
        if any(
            stages.part(r.readout.node).stage >= first
            for r in self.program.reads
            if r.readout.node != "logits"
        ):
            return 0
        for number, version in enumerate(self.program.versions):
            if version.is_run:
                continue
            kept = self.schedule.keep.get(number, ())
            late = any(stages.part(name).stage >= first for name in kept)
            plain = all(self.values.is_plain(write, version) for write in version.writes)
            if late or (version.born >= first and not (plain and version.kind != Kind.GENERAL)):
                return 0
        return min((min(columns) for columns in self.places), default=0)

    # -- base passes -----------------------------------------------------------------------------

    def run_inputs(self) -> None:
        """Run every input that is needed; one that begins like the first shares that."""
        needs = {number: needs_of_run(self.schedule, number) for number in self.program.runs}
        needed = {number: need for number, need in needs.items() if need is not None}
        first: int | None = None
        for number in needed:
            name, like, different = self.program.versions[number].input, None, 0
            if first is not None:
                different = self.first_different(self.program.versions[first].input, name)
                like = self.values.runs[first] if different else None
            own = [needed[number]] if first is not None else list(needed.values())
            batch = self.values.batches[name]
            self.values.runs[number] = run(
                self.values.weights,
                batch.ids,
                batch.position_ids,
                batch.mask if self.values.batches.is_padded(name) else None,
                wanted_of(own, self.program.stages, self.read_from),
                like,
                different,
            )
            self.counts.runs += 1
            first = number if first is None else first
            if self.reads.get(number) or number in self.compared:
                self.finish(number, Final(stream=self.at_read(self.values.runs[number])))

    def first_different(self, first: str, second: str) -> int:
        pairs = {frozenset(p[:2]): p[2] for p in self.schedule.signature.first_different}
        return pairs[frozenset((first, second))]

    def at_read(self, made: Run) -> Tensor:
        last = self.values.last(made)
        rows = torch.arange(len(last), device=last.device)[:, None]
        return last[rows, self.read_columns - made.last_from]

    # -- waves -----------------------------------------------------------------------------------

    def split(self, wave: Wave) -> list[Wave]:
        """Return a wave in parts of as many versions as go at once; parents come first."""
        size = max(1, self.limits.versions)
        return [
            Wave(wave.root, wave.start, wave.versions[at : at + size], wave.level)
            for at in range(0, len(wave.versions), size)
        ]

    # -- read-outs -------------------------------------------------------------------------------

    def finish(self, number: int, final: Final) -> None:
        """Answer the reads of a version that has come to its end, or keep it for others."""
        if number in self.compared:
            self.finals[number] = final
        for index in self.reads.get(number, ()):
            self.answers[index] = self.score(self.program.reads[index], final, None)

    def answer(self, read: ReadOf) -> Tensor:
        """Return a read-out that needs two versions, or reads a node."""
        alias, readout, theirs = self.schedule.alias, read.readout, None
        if readout.node == "logits":
            if read.reference == NONE:
                raise InternalError(f"{readout} of v{read.version} was not answered.")
            place = self.place(read.reference_input, readout.at)
            theirs = self.logits(self.finals[alias[read.reference]], place)
            return self.score(read, self.finals[alias[read.version]], theirs)
        value = self.value(readout.node, read.version, read.input, readout.at)
        if readout.name == "value":
            return read_value(readout, value)
        if read.reference != NONE:
            other = self.value(readout.node, read.reference, read.reference_input, readout.at)
            theirs = lens_logits(self.values.net, readout, other)
        logits = lens_logits(self.values.net, readout, value)
        answers = self.values.bindings.answers_named(readout.answers)
        return read_logits(readout, logits, answers, self.values.batches.rows, theirs)

    def value(self, node: str, version: int, name: str, at: Position) -> Tensor:
        columns = list(self.values.batches.columns(name, at))
        return self.values.full(node, version)[torch.arange(len(columns)), columns]

    def logits(self, final: Final, place: int) -> Tensor:
        """Return the logits at a read place, [B, vocabulary]."""
        if final.logits is not None:
            return final.logits[:, place]
        return self.values.weights.unembedding(self.normed(final, place))

    def normed(self, final: Final, place: int) -> Tensor:
        """Return what the unembedding reads at a read place, [B, d]."""
        if final.normed is not None:
            return final.normed[:, place]
        if final.stream is None:
            raise InternalError("A version has come to no end.")
        return self.values.weights.final_norm(final.stream[:, place])

    def score(self, read: ReadOf, final: Final, reference: Tensor | None) -> Tensor:
        """Return a read-out's values, [B]; a logit difference needs its columns only (linear)."""
        readout, rows = read.readout, self.values.batches.rows
        place = self.place(read.input, readout.at)
        if readout.name == "logit_difference" and final.logits is None:
            return self.differences[readout.answers](self.normed(final, place))
        answers = self.values.bindings.answers_named(readout.answers)
        return read_logits(readout, self.logits(final, place), answers, rows, reference)

    @cached_property
    def differences(self) -> dict[str, Difference]:
        """The columns of the unembedding that logit differences read, by set of answers."""
        names = {r.readout.answers for r in self.program.reads}
        answers = {name: self.values.bindings.answers_named(name) for name in names}
        rows = self.values.batches.rows
        return {name: Difference(self.values.weights, own, rows) for name, own in answers.items()}
