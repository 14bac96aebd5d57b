"""Values of read-outs: by the wavefront, and by hooks what the wavefront does not do."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from typing import Literal, TypeAlias, get_args

import torch
from torch import Tensor

from causalnet.compiler import Kind, Program, compile_reads
from causalnet.compiler.budget import Budget
from causalnet.compiler.memory import fit
from causalnet.errors import NumericalError, OutOfMemoryError, ParameterError
from causalnet.execute.batch import Padding
from causalnet.execute.bindings import Bindings
from causalnet.execute.chunk import Chunk
from causalnet.execute.devices import free_memory, own_budget
from causalnet.execute.edits import NonFiniteError
from causalnet.execute.evaluate import Evaluation, Progress, evaluate
from causalnet.execute.runnable import check_runnable
from causalnet.execute.wavefront.engine import prepare, run_batch
from causalnet.execute.wavefront.finals import UnsoundError
from causalnet.execute.wavefront.values import Values
from causalnet.execute.wavefront.wave import Counts, Limits
from causalnet.execute.wavefront.weights import Weights
from causalnet.graphs import MediatorGraph
from causalnet.interventions import Grad, Leaf, Read, worlds_needed
from causalnet.lift import LiftedNetwork
from causalnet.lift.machine import is_out_of_memory
from causalnet.lift.sizes import network_sizes

__all__ = ["Executor", "run_leaves"]

Executor: TypeAlias = Literal["auto", "wavefront", "hooks"]
"""`auto` takes the wavefront for read-outs and hooks for derivatives, and says so."""


def run_leaves(
    leaves: Sequence[Leaf],
    net: LiftedNetwork,
    bindings: Bindings,
    *,
    executor: Executor = "auto",
    budget: str | int | Budget | None = None,
    batch_size: int = 16,
    padding: Padding = "right",
    dtype: torch.dtype | None = None,
    merge: bool | None = None,
    progress: Progress | None = None,
) -> Evaluation:
    """Return the values of read-outs and derivatives on all prompts.

    Args:
        leaves: Read-outs in worlds, and their derivatives along directions at sites.
        net: The lifted network.
        bindings: Prompts behind inputs, answers, constants.
        executor: `wavefront`: all worlds compiled to one plan, few forwards; `hooks`: the oracle, a
            forward for every world; `auto`: the wavefront, and hooks for derivatives.
        budget: What may be held beside the weights: `"2GB"`, bytes, or None for half of what is
            free.  Batches and waves are cut up to fit; values do not change.
        batch_size: Most prompts in a batch.
        padding: The side on which hooks fill shorter prompts; the wavefront fills on the left.
        dtype: The type that the wavefront computes in, by default that of the weights; bfloat16
            is for screening.
        merge: Whether births that change no bit stand for their parents; by default on a CPU, where
            looking costs nothing.
        progress: Told about every base pass and wave, or forward.

    Raises:
        UnknownMediatorError, TermError: A world that does not fit the network.
        AlignmentError, PromptError, AnswerError: Prompts or answers that do not fit.
        LiftError: The model was changed after it was lifted.
        NumericalError: NaN or infinity; the mediator and the prompt are named.
        OutOfMemoryError: A budget smaller than one version at one prompt, or memory that ran out
            there.
        ParameterError: No such executor, derivatives asked of the wavefront alone, or a type that
            it cannot compute these worlds in.
    """
    if executor not in get_args(Executor):
        raise ParameterError(
            f"No executor {executor!r}.", f"There are {', '.join(get_args(Executor))}."
        )
    reads = tuple(leaf for leaf in dict.fromkeys(leaves) if isinstance(leaf, Read))
    grads = tuple(leaf for leaf in dict.fromkeys(leaves) if isinstance(leaf, Grad))
    if grads and executor == "wavefront":
        raise ParameterError(
            f"{len(grads)} derivatives were asked of the wavefront, the first {grads[0]}.",
            "The wavefront computes read-outs; derivatives are taken through hooks.",
            "Write executor='auto', or use causalnet.estimators.",
        )
    if batch_size < 1:
        raise ParameterError(f"batch_size is {batch_size}.", "A batch has at least one prompt.")
    if executor == "hooks" or not reads:
        return evaluate(
            leaves, net, bindings, batch_size=batch_size, padding=padding, progress=progress
        )
    check_runnable(reads, worlds_needed(reads), net, bindings)
    program = _compiled(reads, net.graph)
    weights = Weights.of(net, dtype)
    _check_type(program, weights, net)
    is_cpu = weights.device.type == "cpu"
    limits = Limits(merge=is_cpu if merge is None else merge)
    found = _Running(
        program, reads, net, weights, bindings, own_budget(budget, weights.device), limits, progress
    ).run(batch_size)
    if not grads:
        return found
    rest = evaluate(grads, net, bindings, batch_size=batch_size, padding=padding, progress=progress)
    return Evaluation(
        {**found.values, **rest.values},
        found.forwards + rest.forwards,
        min(found.batch_size, rest.batch_size),
        found.halvings + rest.halvings,
        "wavefront, hooks",
        (*found.notes, f"{len(grads)} derivatives were taken by hooks"),
        found.executed,
    )


@lru_cache(maxsize=32)
def _compiled(reads: tuple[Read, ...], graph: MediatorGraph) -> Program:
    return compile_reads(reads, graph)


def _check_type(program: Program, weights: Weights, net: LiftedNetwork) -> None:
    """Refuse another type where parts are computed by the model's own modules."""
    if weights.dtype is net.model.dtype:
        return
    general = [v for v in program.versions if v.kind == Kind.GENERAL]
    lens = [r for r in program.reads if r.readout.node != "logits"]
    if general or lens:
        what = str(general[0].writes[0]) if general else str(lens[0].readout)
        raise ParameterError(
            f"{weights.dtype} was asked for, and {what} is computed by the model's own modules.",
            f"They compute in {net.model.dtype}.",
            "Leave dtype out, or screen node sites of heads, MLPs and the stream.",
        )


@dataclass(slots=True)
class _Running:
    """A program on all prompts, batch by batch."""

    program: Program
    reads: tuple[Read, ...]
    net: LiftedNetwork
    weights: Weights
    bindings: Bindings
    budget: Budget
    limits: Limits
    progress: Progress | None
    counts: Counts = field(default_factory=Counts)
    done: int = 0
    expected: int = 0
    halvings: int = 0

    def run(self, size: int) -> Evaluation:
        row, parts = 0, []
        total = len(self.bindings)
        size = min(size, total)
        while row < total:
            rows = range(row, min(row + size, total))
            values = prepare(self.program, self.net, self.weights, self.bindings, rows)
            fitted = fit(values.schedule, network_sizes(self.net), self.budget)
            if fitted.prompts < len(rows):
                size = fitted.prompts
                continue
            limits = self.smaller(fitted.rows, fitted.at_once)
            answers = self.without_memory_error(values, limits, total, size)
            if answers is None:
                if limits.versions == 1:
                    size = max(1, size // 2)
                continue
            parts.append(answers)
            row = rows.stop
        found: dict[Leaf, Tensor] = {
            read: torch.cat([part[i] for part in parts]) for i, read in enumerate(self.reads)
        }
        return Evaluation(
            found,
            self.counts.runs,
            size,
            self.halvings,
            "wavefront",
            self.notes(),
            asdict(self.counts),
        )

    def smaller(self, versions: int | None, tokens: int) -> Limits:
        """Return the limits of a fit, or what is left of them after halving."""
        given = [n for n in (versions, self.limits.versions) if n is not None]
        return Limits(min(given, default=None), tokens, self.limits.merge)

    def without_memory_error(
        self, values: Values, limits: Limits, total: int, size: int
    ) -> list[Tensor] | None:
        """Run one batch; when memory runs out, halve the waves, free, and return nothing."""
        batches = -(-total // size)
        self.expected = batches * (len(self.program.runs) + len(values.schedule.waves))
        try:
            return run_batch(values, limits, self.counts, self.count)
        except UnsoundError as error:
            raise self.located(error, values) from None
        except NonFiniteError as error:
            chunk = Chunk(self.net, self.bindings, values.batches.rows)
            name = values.version(self.program.births[0]).input
            raise chunk.located(error, chunk.batch(name)) from None
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            self.halve(values, limits, error)
            return None

    def halve(self, values: Values, limits: Limits, error: RuntimeError) -> None:
        widest = max((len(wave.versions) for wave in values.schedule.waves), default=1)
        versions = min(limits.versions or widest, widest)
        prompts = len(values.batches.rows)
        if versions == 1 and prompts == 1:
            raise OutOfMemoryError(
                "Memory ran out with one version at one prompt.",
                "",
                "Use a smaller model, shorter prompts, or another device.",
            ) from error
        self.halvings += 1
        self.limits = Limits(max(1, versions // 2), limits.tokens, limits.merge)
        free_memory(self.weights.device)

    def count(self) -> None:
        self.done += 1
        if self.progress is not None:
            self.progress(self.done, max(self.done, self.expected))

    def notes(self) -> tuple[str, ...]:
        if not self.halvings:
            return ()
        return (f"memory ran out {self.halvings} times: waves or batches were halved",)

    def located(self, error: UnsoundError, values: Values) -> NumericalError:
        """Name the first mediator that is not finite, as the oracle finds it."""
        alias, row = values.schedule.alias, values.batches.rows[error.row]
        for read, compiled in zip(self.reads, self.program.reads, strict=True):
            if error.version in _course(values, alias[compiled.version]):
                try:
                    evaluate([read], self.net, self.bindings, batch_size=1)
                except NumericalError as found:
                    return found
        prompt = self.bindings.prompts(values.version(error.version).input).texts[row]
        return NumericalError(
            f"A patched run holds NaN, infinity or values too large to be squared on the prompt "
            f"{prompt!r}.",
            f"It is that of {values.version(error.version).writes[:1]}.",
            "Check the weights with `causalnet doctor`, or use a wider dtype or a smaller vector.",
        )


def _course(values: Values, number: int) -> frozenset[int]:
    """Return a version and those that it comes from."""
    found = {number}
    while not values.version(number).is_run:
        number = values.schedule.alias[values.version(number).parent]
        found.add(number)
    return frozenset(found)
