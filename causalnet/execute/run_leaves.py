"""Values of read-outs: by the wavefront, and by hooks what the wavefront does not do."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache, partial
from typing import Literal, TypeAlias, get_args

import torch
from torch import Tensor

from causalnet.compiler import Kind, Program, compile_reads
from causalnet.compiler.budget import Budget, bytes_text
from causalnet.compiler.memory import fit, memory_of, split
from causalnet.compiler.needs import needs_of_runs
from causalnet.compiler.program import NONE
from causalnet.errors import NumericalError, OutOfMemoryError, ParameterError
from causalnet.execute.batch import Padding
from causalnet.execute.bindings import Bindings, moved_constants
from causalnet.execute.chunk import Chunk
from causalnet.execute.devices import (
    check_type,
    free_memory,
    is_accelerator,
    own_budget,
    settings_of,
    tokens_at_once,
    without_autocast,
)
from causalnet.execute.edits import NonFiniteError
from causalnet.execute.evaluate import Evaluation, Progress, evaluate
from causalnet.execute.runnable import check_batch_size, check_leaves, check_runnable
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
"""`auto` takes the wavefront for read-outs and hooks for derivatives and for networks that are not
regular (`TransformerShape.is_regular`), and says so."""

_NO_BUDGET = "hooks keep to no budget: batch_size alone decides what they hold"


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
            forward for every world; `auto`: the wavefront, and hooks for derivatives and for
            networks that are not regular.
        budget: What may be held beside the weights: `"2GB"`, bytes, or None for half of what is
            free.  Batches and waves are cut up to fit; values do not change.  Hooks keep to none,
            and say so where one is given.
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
        ParameterError: No such executor, budget or batch_size, derivatives or a network that is
            not regular asked of the wavefront alone, or a type that it cannot compute these worlds
            in.
    """
    if executor not in get_args(Executor):
        raise ParameterError(
            f"No executor {executor!r}.",
            f"There are {', '.join(get_args(Executor))}.",
            "Leave it out: 'auto' runs read-outs by the wavefront and derivatives by hooks.",
        )
    check_leaves(leaves)
    check_batch_size(batch_size)
    reads = tuple(leaf for leaf in dict.fromkeys(leaves) if isinstance(leaf, Read))
    grads = tuple(leaf for leaf in dict.fromkeys(leaves) if isinstance(leaf, Grad))
    if grads and executor == "wavefront":
        raise ParameterError(
            f"Derivatives were asked of the wavefront, the first {grads[0]}.",
            "The wavefront computes read-outs; derivatives are taken through hooks.",
            "Write executor='auto', or use causalnet.estimators.",
        )
    device, odd = net.model.device, net.graph.shape.irregularity
    if odd and executor == "wavefront":
        raise ParameterError(
            f"The wavefront was asked for, and this network has {odd}.",
            "The wavefront runs regular decoders; hooks run the model itself, whatever it has.",
            "Leave executor out, or write executor='hooks'.",
        )
    held = own_budget(budget, device)
    hooks = partial(
        _by_hooks, net=net, bindings=bindings, size=batch_size, padding=padding, progress=progress
    )
    if executor == "hooks" or not reads or odd:
        if dtype not in (None, net.model.dtype):
            raise ParameterError(
                f"{dtype} was asked for, and hooks run the model itself.",
                f"It computes in {net.model.dtype}.",
                "Leave dtype out, or load the model in that type.",
            )
        found = hooks(leaves)
        notes = [*found.notes, *([] if budget is None else [_NO_BUDGET])]
        if odd and executor == "auto":
            notes.append(f"hooks ran all worlds: the network has {odd}")
        return replace(found, notes=tuple(notes))
    check_runnable(reads, worlds_needed(reads), net, bindings)
    program = _compiled(reads, net.graph)
    check_type(net.model.dtype if dtype is None else dtype, device)
    with without_autocast(device):
        weights = Weights.of(net, dtype)
        _check_type(program, weights, net)
        found = _Running(
            program,
            reads,
            net,
            weights,
            bindings,
            moved_constants(bindings, device, weights.dtype),
            held,
            _limits(device, merge),
            min(batch_size, len(bindings)),
            progress,
        ).run()
    if not grads:
        return found
    rest = hooks(grads)
    return Evaluation(
        {**found.values, **rest.values},
        found.forwards + rest.forwards,
        min(found.batch_size, rest.batch_size),
        found.halvings + rest.halvings,
        "wavefront, hooks",
        (*found.notes, f"{len(grads)} derivatives were taken by hooks"),
        found.executed,
        found.settings,
    )


def _by_hooks(
    leaves: Sequence[Leaf],
    net: LiftedNetwork,
    bindings: Bindings,
    size: int,
    padding: Padding,
    progress: Progress | None,
) -> Evaluation:
    device = net.model.device
    with without_autocast(device):
        found = evaluate(leaves, net, bindings, batch_size=size, padding=padding, progress=progress)
    return replace(found, settings=settings_of(device, net.model.dtype))


def _limits(device: torch.device, merge: bool | None) -> Limits:
    """Return the limits of a device: one where looking means waiting is looked at once a batch."""
    waits = is_accelerator(device)
    return Limits(None, tokens_at_once(device), not waits if merge is None else merge, not waits)


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
    moved: Bindings
    budget: Budget
    limits: Limits
    size: int
    progress: Progress | None
    counts: Counts = field(default_factory=Counts)
    done: int = 0
    expected: int = 0
    halvings: int = 0

    def run(self) -> Evaluation:
        row, total, parts = 0, len(self.bindings), list[list[Tensor]]()
        while row < total:
            answers = self.batch(row)
            if answers is None:  # nothing refers to what the batch had made
                free_memory(self.weights.device)
                continue
            parts.append(answers)
            row = min(row + self.size, total)
        found: dict[Leaf, Tensor] = {
            read: torch.cat([part[i] for part in parts]) for i, read in enumerate(self.reads)
        }
        settings = settings_of(self.weights.device, self.weights.dtype)
        return Evaluation(
            found,
            self.counts.runs,
            self.size,
            self.halvings,
            "wavefront",
            self.notes(),
            asdict(self.counts),
            {**settings, "tokens_at_once": self.limits.tokens},
        )

    def batch(self, row: int) -> list[Tensor] | None:
        """Run the prompts from a row on; where memory runs out, leave nothing and return None."""
        values, limits = self.fitted(row)
        counts, done = replace(self.counts), self.done
        try:
            answers = run_batch(values, limits, counts, self.count)
        except UnsoundError as error:
            raise self.located(error, values) from None
        except NonFiniteError as error:
            chunk = Chunk(self.net, self.bindings, values.batches.rows)
            name = values.version(self.program.births[0]).input
            raise chunk.located(error, chunk.batch(name)) from None
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            in_waves = counts.waves > self.counts.waves
            if not self.halve(values, limits.versions if in_waves else 1):
                raise self.out_of_memory(values) from error
            self.done = done
            return None
        self.counts = counts
        return answers

    def fitted(self, row: int) -> tuple[Values, Limits]:
        """Return as many prompts as fit in the budget, and how much of them is done at once."""
        total, tokens = len(self.bindings), tokens_at_once(self.weights.device)
        while True:
            rows = range(row, min(row + self.size, total))
            values = prepare(
                self.program, self.net, self.weights, self.bindings, rows, moved=self.moved
            )
            found = fit(values.schedule, network_sizes(self.net), self.budget, tokens)
            if found.prompts >= len(rows):
                break
            self.size = found.prompts
        given = [n for n in (found.rows, self.limits.versions) if n is not None]
        limits = replace(self.limits, versions=min(given, default=None), tokens=found.at_once)
        self.limits = replace(self.limits, tokens=min(self.limits.tokens, found.at_once))
        schedule = values.schedule
        waves = (schedule if limits.versions is None else split(schedule, limits.versions)).waves
        batches = -(-(total - row) // self.size)
        self.expected = self.done + batches * (len(needs_of_runs(schedule)) + len(waves))
        return values, limits

    def halve(self, values: Values, versions: int | None) -> bool:
        """Halve the versions of waves, or the prompts; say whether there was anything to halve.

        Args:
            values: The batch.
            versions: How many versions a wave could have; 1 where memory ran out before any wave.
        """
        widest = max((len(wave.versions) for wave in values.schedule.waves), default=1)
        rows, prompts = min(versions or widest, widest), len(values.batches.rows)
        if rows > 1:
            self.limits = replace(self.limits, versions=rows // 2)
        elif prompts > 1:
            self.size = prompts // 2
        else:
            return False
        self.halvings += 1
        return True

    def out_of_memory(self, values: Values) -> OutOfMemoryError:
        own = memory_of(values.schedule, network_sizes(self.net), 1, rows=1).peak
        return OutOfMemoryError(
            "Memory ran out with one version at one prompt.",
            f"One prompt of {values.batches.width} tokens and one version take about "
            f"{bytes_text(own)} beside the weights.",
            "Use a smaller model, shorter prompts, or another device.",
        )

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
            there = [n for n in (compiled.version, compiled.reference) if n != NONE]
            if error.version in _needed(values, [alias[number] for number in there]):
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


def _needed(values: Values, numbers: Sequence[int]) -> frozenset[int]:
    """Return versions, those that they come from, and those whose values all of them read."""
    found, waiting = set[int](), list(numbers)
    while waiting:
        number = waiting.pop()
        if number in found:
            continue
        found.add(number)
        version = values.version(number)
        if not version.is_run:
            below = [
                version.parent,
                *(ref.version for ref in values.schedule.program.refs(version)),
            ]
            waiting += [values.schedule.alias[each] for each in below]
    return frozenset(found)
