"""The hook executor: values of read-outs in worlds, by running the model itself.

Slow and plain: one forward pass for each distinct world and batch.  It is what faster executors
are held to.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TypeAlias, TypeVar

import torch
from torch import Tensor

from causalnet.errors import OutOfMemoryError
from causalnet.execute.batch import Padding, TokenBatch
from causalnet.execute.bindings import Answers, Bindings
from causalnet.execute.chunk import Chunk
from causalnet.execute.runnable import (
    check_batch_size,
    check_leaves,
    check_readable,
    check_runnable,
)
from causalnet.execute.schedule import Step, schedule
from causalnet.interventions import (
    Base,
    Do,
    Leaf,
    Op,
    Self,
    World,
)
from causalnet.lift import LiftedNetwork, check_unchanged
from causalnet.lift.machine import is_out_of_memory
from causalnet.tasks import Prompts

__all__ = ["Evaluation", "Progress", "evaluate", "record"]

Progress: TypeAlias = Callable[[int, int], None]
"""Called with the number of forward passes done and the number expected."""


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """Values of leaves, one for each prompt.

    Attributes:
        values: Read or derivative to values, [n].
        forwards: Forward passes that were run, each over one batch.
        batch_size: Prompts in a full batch, after any halving.
        halvings: How often memory ran out and a batch, or a wave, was halved.
        executor: `hooks`, `wavefront`, or both where derivatives were taken by hooks.
        notes: What a user should know of how it was run: what fell to hooks, what was halved.
        executed: What the wavefront executed, by name.
        settings: What decides rounding and speed: the device, the number format, how products
            round, tokens at once.
    """

    values: Mapping[Leaf, Tensor]
    forwards: int
    batch_size: int
    halvings: int
    executor: str = "hooks"
    notes: tuple[str, ...] = ()
    executed: Mapping[str, int] = field(default_factory=dict)
    settings: Mapping[str, str | int] = field(default_factory=dict)


def evaluate(
    leaves: Sequence[Leaf],
    net: LiftedNetwork,
    bindings: Bindings,
    *,
    batch_size: int = 16,
    padding: Padding = "right",
    gradients: bool = False,
    progress: Progress | None = None,
) -> Evaluation:
    """Run the worlds of some read-outs and derivatives on all prompts.

    Args:
        leaves: Read-outs in worlds, and their derivatives along directions at sites.
        net: The lifted network.
        bindings: Prompts behind inputs, answers, constants.
        batch_size: Prompts in a batch; halved when memory runs out.
        padding: The side on which shorter prompts are filled.
        gradients: Keep the graph of automatic differentiation, to constants that require it.
        progress: Told about every forward pass.

    Raises:
        UnknownMediatorError, TermError: A world that does not fit the network.
        AlignmentError: An interchange between prompts that do not line up, or inputs and answers
            with different numbers of rows.
        PromptError: A prompt that the model cannot read.
        NumericalError: NaN or infinity in an activation.
        OutOfMemoryError: Memory ran out with a batch of one prompt.
        LiftError: The model was changed after it was lifted.
    """
    check_leaves(leaves)
    steps = schedule(leaves)
    worlds = [world for step in steps for world in _written(step)]
    check_runnable(leaves, worlds, net, bindings)
    tally = _Tally.start(len(steps), len(bindings), batch_size, progress)
    parts: dict[Leaf, list[Tensor]] = {leaf: [] for leaf in leaves}
    while tally.row < len(bindings):
        chunk = Chunk(net, bindings, tally.rows(), padding, gradients)
        answered = _without_memory_error(partial(chunk.run, steps, tally.count), tally)
        for leaf, value in (answered or {}).items():
            parts[leaf].append(value)
    values = {leaf: torch.cat(part) for leaf, part in parts.items()}
    return Evaluation(values, tally.forwards, tally.size, tally.halvings)


def _written(step: Step) -> tuple[World, ...]:
    """Return the worlds whose sites and values a step must be able to set."""
    if not step.grads:
        return (step.world,)
    return tuple(
        Do(step.world, ((grad.site, Op("add", (Self(), grad.along))),)) for grad in step.grads
    )


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

    @classmethod
    def start(
        cls, worlds: int, prompts: int, batch_size: int, progress: Progress | None
    ) -> "_Tally":
        check_batch_size(batch_size)
        return cls(worlds, prompts, min(batch_size, prompts), progress)

    def rows(self) -> range:
        return range(self.row, min(self.row + self.size, self.prompts))

    def count(self) -> None:
        self.forwards += 1
        if self.progress is not None:
            batches = -(-self.prompts // self.size)
            self.progress(self.forwards, max(self.forwards, batches * self.worlds))


Result = TypeVar("Result")


def _without_memory_error(run: Callable[[], Result], tally: _Tally) -> Result | None:
    """Run one batch and move on; when memory runs out, halve the batch and return nothing."""
    try:
        result = run()
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        if tally.size == 1:
            raise OutOfMemoryError(
                "Memory ran out with a batch of one prompt.",
                "",
                "Use a smaller model, shorter prompts, or another device.",
            ) from error
        tally.size, tally.halvings = tally.size // 2, tally.halvings + 1
        return None
    tally.row = tally.rows().stop
    return result


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

    Raises:
        LiftError: The model was changed after it was lifted.
        PromptError: A prompt that the model cannot read.
    """
    check_unchanged(net)
    count = len(prompts)
    check_readable(prompts, net)
    bindings = Bindings({"base": prompts}, Answers(((),) * count, ((),) * count, "mean"))
    tally = _Tally.start(1, count, batch_size, None)
    with torch.no_grad():
        while tally.row < count:
            chunk = Chunk(net, bindings, tally.rows())
            run = partial(chunk.forward, Base("base"), nodes, ("end",))
            forward = _without_memory_error(run, tally)
            if forward is not None:
                consume(chunk.batch("base"), forward.values)
                tally.count()
    return tally.forwards
