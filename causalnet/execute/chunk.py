"""One batch of prompts through all the worlds of a schedule."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from causalnet.errors import NumericalError
from causalnet.execute.batch import Padding, TokenBatch, make_batch
from causalnet.execute.bindings import Bindings, constant_rows
from causalnet.execute.forward import Edit, Forward, NonFiniteError, is_sound, run_forward
from causalnet.execute.operations import apply_operation
from causalnet.execute.readouts import read_logits
from causalnet.execute.schedule import Step
from causalnet.graphs import Kind, Mediator
from causalnet.interventions import (
    At,
    Const,
    Node,
    Op,
    Position,
    Read,
    Self,
    Value,
    World,
    layers_of,
)
from causalnet.lift import LiftedNetwork, rebuild

__all__ = ["Chunk"]


@dataclass(slots=True, eq=False)
class Chunk:
    """Some rows of all inputs, and what has been computed of them.

    Attributes:
        net: The lifted network.
        bindings: Prompts, answers, constants.
        rows: Which rows.
        padding: The side on which shorter prompts are filled.
    """

    net: LiftedNetwork
    bindings: Bindings
    rows: Sequence[int]
    padding: Padding = "right"
    batches: dict[str, TokenBatch] = field(default_factory=dict)
    values: dict[World, dict[str, Tensor]] = field(default_factory=dict)
    logits: dict[tuple[World, Position], Tensor] = field(default_factory=dict)

    def batch(self, name: str) -> TokenBatch:
        """Return the rows of an input as tensors."""
        if name not in self.batches:
            prompts = self.bindings.prompts(name)
            self.batches[name] = make_batch(prompts, self.rows, self.net.model.device, self.padding)
        return self.batches[name]

    def run(self, steps: Sequence[Step], after_each: Callable[[], None]) -> dict[Read, Tensor]:
        """Run every world once, in order, and return the values of all reads, [B] each.

        Raises:
            NumericalError: NaN or infinity in an activation; names the first mediator and prompt.
        """
        answered: dict[Read, Tensor] = {}
        for step in steps:
            forward = self.forward(step.world, step.record, step.read_at)
            self.values[step.world] = forward.values
            for column, position in enumerate(step.read_at):
                self.logits[step.world, position] = forward.logits[:, column]
            for read in step.reads:
                answered[read] = self._answer(read)
            after_each()
        return answered

    def _answer(self, read: Read) -> Tensor:
        readout = read.readout
        logits = self.logits[read.world, readout.at]
        reference = None
        if readout.reference is not None:
            reference = self.logits[readout.reference, readout.at]
        return read_logits(readout, logits, self.bindings.answers, self.rows, reference)

    def forward(self, world: World, record: Sequence[str], read_at: Sequence[Position]) -> Forward:
        """Run one world; the worlds that it reads have been run."""
        base, layers = layers_of(world)
        batch = self.batch(base.input)
        edits = [
            Edit(
                self.net.graph.find(site.mediator),
                self._setter(site, value, batch),
                batch.selected(site.at),
            )
            for layer in layers
            for site, value in layer
        ]
        try:
            return run_forward(self.net, batch, edits, record, read_at)
        except NonFiniteError as error:
            raise self._located(error, batch, edits) from None

    def _setter(self, site: Node, value: Value, batch: TokenBatch) -> Callable[[Tensor], Tensor]:
        """Return the function from the value so far to the new one, both [B, T, d]."""
        match value:
            case Self():
                return lambda current: current
            case Const(handle):
                if handle is None:
                    return torch.zeros_like
                constant = self.bindings.constant(handle)
                return lambda current: constant_rows(constant, batch, current).expand_as(current)
            case At(mediator, world):
                theirs = self.values[world][self.net.graph.find(mediator).name]
                there = self.batch(layers_of(world)[0].input)
                return lambda current: _placed(site.at, current, batch, theirs, there)
            case Op():
                setters = [self._setter(site, argument, batch) for argument in value.arguments]
                return lambda current: apply_operation(
                    value, tuple(setter(current) for setter in setters)
                )

    def _located(
        self, error: NonFiniteError, batch: TokenBatch, edits: Sequence[Edit]
    ) -> NumericalError:
        """Name the first mediator that is not finite, and the prompt."""
        prompt = batch.prompts.texts[error.row]
        ids = torch.tensor([batch.prompts.ids[error.row]], device=batch.ids.device)
        for name, value in rebuild(self.net, ids).parts.items():
            if not is_sound(value).all():
                return _not_finite(name, prompt)
        for edit in edits:  # the network alone is finite, so a value that was set is not
            size = (*batch.ids.shape, self._width(edit.mediator))
            fresh = edit.value(
                torch.zeros(size, device=batch.ids.device, dtype=self.net.model.dtype)
            )
            if not is_sound(fresh[error.row]).all():
                return _not_finite(f"the value set at {edit.mediator}", prompt)
        last = error.layer == self.net.n_layers
        where = "logits" if last else f"L{error.layer}.resid_post"
        return _not_finite(f"{where} of the patched run", prompt)

    def _width(self, mediator: Mediator) -> int:
        shape = self.net.graph.shape
        return shape.d_head if mediator.kind is Kind.Z else shape.d_model


def _placed(
    at: Sequence[Position], current: Tensor, here: TokenBatch, theirs: Tensor, there: TokenBatch
) -> Tensor:
    """Return another world's value at the positions of a site, [B, T, d]."""
    if not at:
        return theirs
    value, rows = current.clone(), torch.arange(len(current), device=current.device)
    for position in at:
        value[rows, here.columns(position)] = theirs[rows, there.columns(position)]
    return value


def _not_finite(where: str, prompt: str) -> NumericalError:
    return NumericalError(
        f"{where} holds NaN, infinity or values too large to be squared on the prompt {prompt!r}.",
        "It is the first such value in the order of the graph.",
        "Check the weights with `causalnet doctor`, or use a wider dtype or a smaller vector.",
    )
