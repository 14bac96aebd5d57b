"""The wavefront executor: one batch of prompts through base passes, waves and read-outs."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial

import torch
from torch import Tensor

from causalnet.compiler import Program, ReadOf, Schedule, schedule_program
from causalnet.compiler.birth_works import mlps_kept
from causalnet.compiler.memory import split
from causalnet.compiler.needs import first_read_column, needs_of_runs, shared_columns
from causalnet.compiler.program import NONE
from causalnet.errors import InternalError
from causalnet.execute.bindings import Bindings, moved_constants
from causalnet.execute.devices import on_device
from causalnet.execute.edits import is_sound
from causalnet.execute.readouts import lens_logits, read_logits, read_value
from causalnet.execute.wavefront.batches import make_batches
from causalnet.execute.wavefront.columns import Difference, Tokens
from causalnet.execute.wavefront.finals import Final, UnsoundError
from causalnet.execute.wavefront.runs import Run, Wanted, run
from causalnet.execute.wavefront.values import Values
from causalnet.execute.wavefront.wave import Counts, Limits, run_wave
from causalnet.execute.wavefront.weights import Weights
from causalnet.interventions import Position
from causalnet.lift import LiftedNetwork

__all__ = ["prepare", "run_batch"]


def prepare(
    program: Program,
    net: LiftedNetwork,
    weights: Weights,
    bindings: Bindings,
    rows: Sequence[int],
    moved: Bindings | None = None,
) -> Values:
    """Return some prompts as tensors, with the schedule of a program on them.

    Args:
        program: The program.
        net: The lifted network.
        weights: Its weights as functions.
        bindings: Prompts, answers, constants.
        rows: Which prompts.
        moved: The bindings with constants where the weights are, where several batches share them.
    """
    names = {version.input for version in program.versions} | {r.input for r in program.reads}
    # A value may be taken from a version of another input that has the same; positions stay.
    names |= {r.input for v in program.versions for write in v.writes for r in write.refs}
    batches = make_batches(bindings, sorted(names), rows, weights.device)
    schedule = schedule_program(program, batches.signature(program))
    there = moved_constants(bindings, weights.device, weights.dtype) if moved is None else moved
    return Values(net, weights, bindings, there, batches, schedule)


def run_batch(
    values: Values, limits: Limits, counts: Counts, after_each: Callable[[], None]
) -> list[Tensor]:
    """Return the read-outs of a program on some prompts, [B] each, in the program's order.

    Args:
        values: The prompts and the schedule.
        limits: How much is done at once; values are the same.
        counts: Counts what is executed.
        after_each: Called after every run and wave.

    Raises:
        UnsoundError: A stream that is not finite.
    """
    with torch.no_grad():
        return _Batch(values, limits, counts, after_each).run()


@dataclass(eq=False)
class _Batch:
    """One batch on its way."""

    values: Values
    limits: Limits
    counts: Counts
    after_each: Callable[[], None]
    answers: dict[int, Tensor] = field(default_factory=dict)
    finals: dict[int, Final] = field(default_factory=dict)
    tokens: dict[str, Tokens] = field(default_factory=dict)

    @property
    def schedule(self) -> Schedule:
        return self.values.schedule

    @property
    def program(self) -> Program:
        return self.values.schedule.program

    def run(self) -> list[Tensor]:
        self.values.checks.at_once = self.limits.checks_at_once
        self.run_inputs()
        read_from = first_read_column(self.schedule)
        rows = self.limits.versions
        for wave in (self.schedule if rows is None else split(self.schedule, rows)).waves:
            run_wave(
                wave,
                self.values,
                read_from,
                self.read_columns,
                self.limits,
                self.counts,
                self.finish,
            )
            self.after_each()
        self.values.checks.look()
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
        listed = torch.tensor(self.places, dtype=torch.long)
        listed = listed.T if self.places else listed.view(0, 0)
        return on_device(listed, self.values.weights.device)

    # -- base passes -----------------------------------------------------------------------------

    def run_inputs(self) -> None:
        """Run every input that is needed; one that begins like the first shares that."""
        needs, stages = needs_of_runs(self.schedule), self.program.stages
        read_from, first = first_read_column(self.schedule), next(iter(needs), NONE)
        for number, need in needs.items():
            mlp = mlps_kept(self.schedule, number)
            name = self.program.versions[number].input
            batch, shared = self.values.batches[name], shared_columns(self.schedule, number, first)
            is_last = need.layers == stages.shape.layers
            wanted = Wanted(
                layers=need.layers,
                kv=need.layers,
                pre=need.pre,
                mid=need.mid,
                z=need.z,
                mlp=mlp,
                last_from=read_from if is_last else 0,
                post=need.is_whole,
            )
            made = run(
                self.values.weights,
                batch.ids,
                batch.position_ids,
                batch.mask if self.values.batches.is_padded(name) else None,
                wanted,
                self.values.runs[first] if shared else None,
                shared,
                self.limits.tokens,
            )
            self.values.runs[number] = made
            self.counts.runs += 1
            ends = need.is_whole or need.layers - 1 in mlp
            self.counts.mlp_of_runs += max(need.layers - 1, 0) + (ends and need.layers > 0)
            self.check_sound(number, made)
            if self.reads.get(number) or number in self.compared:
                self.finish(number, Final(stream=self.at_read(made)))
            self.after_each()

    def check_sound(self, number: int, made: Run) -> None:
        """Refuse a run whose last stream, or the last values that it has, are not finite."""
        ends = [side[-1].flatten(2) for side in (made.k, made.v) if len(side)]
        ends += [] if made.post_last is None else [made.post_last]
        mask = self.values.batches[self.program.versions[number].input].mask
        for end in ends:
            broken = (~is_sound(end) & mask[:, mask.shape[1] - end.shape[1] :]).any(-1)
            self.values.checks(broken, partial(UnsoundError, number))

    def at_read(self, made: Run) -> Tensor:
        last = self.values.last(made)
        rows = torch.arange(len(last), device=last.device)[:, None]
        return last[rows, self.read_columns - made.last_from]

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
        value, columns = self.values.full(node, version), self.values.batches.columns(name, at)
        rows = torch.arange(len(columns), device=value.device)
        return value[rows, on_device(torch.tensor(columns), value.device)]

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
        logits = self.logits(final, place)
        if readout.name in ("probability", "loss", "accuracy"):
            return self.answered(readout.answers).read(readout.name, logits)
        answers = self.values.bindings.answers_named(readout.answers)
        return read_logits(readout, logits, answers, rows, reference)

    def answered(self, name: str) -> Tokens:
        """Return the tokens that right answers have, by set of answers."""
        if name not in self.tokens:
            sets = self.values.bindings.answers_named(name).answers
            own = [sets[row] for row in self.values.batches.rows]
            self.tokens[name] = Tokens.of(own, self.values.weights)
        return self.tokens[name]

    @cached_property
    def differences(self) -> dict[str, Difference]:
        """The columns of the unembedding that logit differences read, by set of answers."""
        names = {r.readout.answers for r in self.program.reads}
        answers = {name: self.values.bindings.answers_named(name) for name in names}
        rows = self.values.batches.rows
        return {name: Difference(self.values.weights, own, rows) for name, own in answers.items()}
