"""The hook executor: values of read-outs in worlds, by running the model itself.

Slow and plain: one forward pass for each distinct world and batch.  It is what faster executors
are held to.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor

from causalnet.errors import AlignmentError, OutOfMemoryError
from causalnet.execute.batch import Padding, TokenBatch
from causalnet.execute.bindings import Answers, Bindings
from causalnet.execute.chunk import Chunk
from causalnet.execute.schedule import Step, schedule
from causalnet.interventions import (
    Base,
    Node,
    Read,
    World,
    check_world,
    layers_of,
    reads_of,
)
from causalnet.lift import LiftedNetwork
from causalnet.tasks import Prompts

__all__ = ["Evaluation", "Progress", "evaluate", "record"]

Progress: TypeAlias = Callable[[int, int], None]
"""Called with the number of forward passes done and the number expected."""


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """Values of read-outs, one for each prompt.

    Attributes:
        values: Read to values, [n].
        forwards: Forward passes that were run, each over one batch.
        batch_size: Prompts in a full batch, after any halving.
        halvings: How often memory ran out and the batch was halved.
    """

    values: Mapping[Read, Tensor]
    forwards: int
    batch_size: int
    halvings: int


def evaluate(
    reads: Sequence[Read],
    net: LiftedNetwork,
    bindings: Bindings,
    *,
    batch_size: int = 16,
    padding: Padding = "right",
    gradients: bool = False,
    progress: Progress | None = None,
) -> Evaluation:
    """Run the worlds of some reads on all prompts.

    Args:
        reads: Read-outs in worlds.
        net: The lifted network.
        bindings: Prompts behind inputs, answers, constants.
        batch_size: Prompts in a batch; halved when memory runs out.
        padding: The side on which shorter prompts are filled.
        gradients: Keep the graph of automatic differentiation, to constants that require it.
        progress: Told about every forward pass.

    Raises:
        UnknownMediatorError, TermError: A world that does not fit the network.
        AlignmentError: An interchange between prompts that do not line up.
        NumericalError: NaN or infinity in an activation.
        OutOfMemoryError: Memory ran out with a batch of one prompt.
    """
    steps = schedule(reads)
    for step in steps:
        check_world(step.world, net.graph)
        _check_alignment(step.world, bindings)
    tally = _Tally(len(steps), len(bindings), min(batch_size, len(bindings)), progress)
    parts: dict[Read, list[Tensor]] = {read: [] for read in reads}
    with torch.set_grad_enabled(gradients):
        while tally.row < len(bindings):
            answered = _run_rows(Chunk(net, bindings, tally.rows(), padding), steps, tally)
            for read, value in answered.items():
                parts[read].append(value)
    values = {read: torch.cat(part) for read, part in parts.items()}
    return Evaluation(values, tally.forwards, tally.size, tally.halvings)


@dataclass(slots=True)
class _Tally:
    """Where the evaluation stands."""

    worlds: int
    prompts: int
    size: int
    progress: Progress | None
    row: int = 0
    forwards: int = 0
    halvings: int = 0

    def rows(self) -> range:
        return range(self.row, min(self.row + self.size, self.prompts))

    def count(self) -> None:
        self.forwards += 1
        if self.progress is not None:
            batches = -(-self.prompts // self.size)
            self.progress(self.forwards, max(self.forwards, batches * self.worlds))


def _run_rows(chunk: Chunk, steps: Sequence[Step], tally: _Tally) -> dict[Read, Tensor]:
    """Run one batch; when memory runs out, halve the batch and return nothing."""
    try:
        answered = chunk.run(steps, tally.count)
    except RuntimeError as error:
        # CUDA raises torch.OutOfMemoryError; the CPU's allocator a RuntimeError that says so.
        if not isinstance(error, torch.OutOfMemoryError) and "allocate memory" not in str(error):
            raise
        if tally.size == 1:
            raise OutOfMemoryError(
                "Memory ran out with a batch of one prompt.",
                "",
                "Use a smaller model, shorter prompts, or another device.",
            ) from error
        tally.size, tally.halvings = tally.size // 2, tally.halvings + 1
        return {}
    tally.row = chunk.rows[-1] + 1
    return answered


def _check_alignment(world: World, bindings: Bindings) -> None:
    """Check that every interchange of a world's own layers lines up, row by row."""
    base, layers = layers_of(world)
    here = bindings.prompts(base.input)
    for site, value in (assignment for layer in layers for assignment in layer):
        for read in reads_of(value):
            there = bindings.prompts(layers_of(read.world)[0].input)
            for position in site.at:  # both sides must have it
                here.at(position), there.at(position)
            lengths = zip(here.lengths, there.lengths, strict=True)
            unequal = [row for row, (ours, theirs) in enumerate(lengths) if ours != theirs]
            if unequal and not site.at:
                raise _unaligned(site, unequal[0], here, there)


def _unaligned(site: Node, row: int, here: Prompts, there: Prompts) -> AlignmentError:
    return AlignmentError(
        f"Row {row}: {here.texts[row]!r} has {len(here.ids[row])} tokens and "
        f"{there.texts[row]!r} has {len(there.ids[row])}.",
        f"Setting {site} at all positions needs prompts of equal length.",
        "Set it at named positions, for example at='end', or drop the row.",
    )


def record(
    nodes: Sequence[str],
    net: LiftedNetwork,
    prompts: Prompts,
    consume: Callable[[TokenBatch, Mapping[str, Tensor]], None],
    *,
    batch_size: int = 16,
) -> int:
    """Run the untouched network and hand over values of nodes, batch by batch.

    Args:
        nodes: Names of nodes or residual cuts.
        net: The lifted network.
        prompts: What to run.
        consume: Called with each batch and the nodes' values, [B, T, d].
        batch_size: Prompts in a batch.

    Returns:
        The number of forward passes.
    """
    count = len(prompts)
    bindings = Bindings({"base": prompts}, Answers(((),) * count, ((),) * count, "mean"))
    starts = range(0, count, batch_size)
    with torch.no_grad():
        for start in starts:
            chunk = Chunk(net, bindings, range(start, min(start + batch_size, count)))
            consume(chunk.batch("base"), chunk.forward(Base("base"), nodes, ("end",)).values)
    return len(starts)
