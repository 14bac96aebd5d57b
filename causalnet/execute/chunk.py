"""One batch of prompts through all the worlds of a schedule."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from causalnet.errors import NumericalError
from causalnet.execute.attention import can_be_opened, touches_attention, touches_logits
from causalnet.execute.batch import Padding, TokenBatch, make_batch
from causalnet.execute.bindings import Bindings
from causalnet.execute.edits import Edit, NonFiniteError, is_sound
from causalnet.execute.forward import Forward, run_forward
from causalnet.execute.operations import Setting
from causalnet.execute.readouts import lens_logits, read_logits, read_value
from causalnet.execute.schedule import Step
from causalnet.execute.values import Evaluator
from causalnet.execute.views import is_attended, view_of
from causalnet.interventions import (
    At,
    Grad,
    Leaf,
    Position,
    Read,
    ReadOut,
    Site,
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
        gradients: Whether to keep the graph of automatic differentiation.
    """

    net: LiftedNetwork
    bindings: Bindings
    rows: Sequence[int]
    padding: Padding = "right"
    gradients: bool = False
    batches: dict[str, TokenBatch] = field(default_factory=dict)
    values: dict[World, dict[str, Tensor]] = field(default_factory=dict)
    logits: dict[tuple[World, Position], Tensor] = field(default_factory=dict)
    opened: bool = False
    all_logits: bool = False

    def batch(self, name: str) -> TokenBatch:
        """Return the rows of an input as tensors."""
        if name not in self.batches:
            prompts = self.bindings.prompts(name)
            self.batches[name] = make_batch(prompts, self.rows, self.net.model.device, self.padding)
        return self.batches[name]

    def run(self, steps: Sequence[Step], after_each: Callable[[], None]) -> dict[Leaf, Tensor]:
        """Run every world once, in order, and return the values of all leaves, [B] each.

        Reads are answered after all worlds: a divergence needs its reference, which may come later.

        Where one of the worlds touches a pattern, all are run with attention computed by our own
        function, and where one touches the logits, with logits at all positions, so that their
        rounding is no effect.

        Raises:
            NumericalError: NaN or infinity in an activation; names the first mediator and prompt.
        """
        self.opened = any(touches_attention(step, self.net.graph) for step in steps)
        self.all_logits = any(touches_logits(step, self.net.graph) for step in steps)
        if self.gradients and any(step.grads for step in steps):
            # The model's own attention may have no second derivative.
            self.opened = self.opened or can_be_opened(self.net)
        answered: dict[Leaf, Tensor] = {}
        for step in steps:
            if step.grads:
                answered |= self._differentiated(step)
            else:
                with torch.set_grad_enabled(self.gradients):
                    self._plain(step)
            after_each()
        with torch.set_grad_enabled(self.gradients):
            for read in (read for step in steps for read in step.reads):
                logits = self.logits.get((read.world, read.readout.at))
                answered[read] = self._answer(read, self.values[read.world], logits)
        return answered

    def _plain(self, step: Step) -> None:
        """Run a world and keep what is read of it."""
        forward = self.forward(step.world, step.record, step.read_at)
        self.values[step.world] = forward.values
        for column, position in enumerate(step.read_at):
            self.logits[step.world, position] = forward.logits[:, column]

    # -- read-outs -------------------------------------------------------------------------------

    def _answer(self, read: Read, values: Mapping[str, Tensor], logits: Tensor | None) -> Tensor:
        """Return a read-out, [B], given the values and logits of its world."""
        readout = read.readout
        if readout.name == "value":
            return read_value(readout, self._value(readout, values, read.world))
        reference = None
        if readout.reference is not None:
            known = self.values[readout.reference]
            theirs = self.logits.get((readout.reference, readout.at))
            reference = self._scored(readout, readout.reference, known, theirs)
        scored = self._scored(readout, read.world, values, logits)
        answers = self.bindings.answers_named(readout.answers)
        return read_logits(readout, scored, answers, self.rows, reference)

    def _scored(
        self, readout: ReadOut, world: World, values: Mapping[str, Tensor], logits: Tensor | None
    ) -> Tensor:
        """Return the logits that a read-out scores, [B, vocabulary]."""
        if readout.node == "logits" and logits is not None:
            return logits
        return lens_logits(self.net, readout, self._value(readout, values, world))

    def _value(self, readout: ReadOut, values: Mapping[str, Tensor], world: World) -> Tensor:
        """Return the value of a read-out's node at its position, [B, d]."""
        batch = self.batch(layers_of(world)[0].input)
        value = values[self.net.graph.find(readout.node).name]
        rows = torch.arange(len(value), device=value.device)
        return value[rows, batch.columns(readout.at)]

    # -- forward passes --------------------------------------------------------------------------

    def forward(
        self,
        world: World,
        record: Sequence[str],
        read_at: Sequence[Position],
        nudges: Sequence[Edit] = (),
    ) -> Forward:
        """Run one world, with edits on top; the worlds that it reads have been run."""
        base, layers = layers_of(world)
        batch = self.batch(base.input)
        edits = [
            self._edit(site, value, batch, number)
            for number, layer in enumerate(layers)
            for site, value in layer
        ]
        edits += nudges
        try:
            return run_forward(
                self.net,
                batch,
                edits,
                record,
                read_at,
                opened=self.opened,
                all_logits=self.all_logits,
            )
        except NonFiniteError as error:
            raise self.located(error, batch) from None

    def _edit(self, site: Site, value: Value, batch: TokenBatch, layer: int) -> Edit:
        evaluator = self._evaluator(site, batch)
        view = view_of(site, self.net.graph, batch, self.bindings)
        selected = batch.selected(site.at)
        return Edit(site, lambda below: evaluator(value, below), selected, view, layer)

    def _evaluator(self, site: Site, batch: TokenBatch) -> Evaluator:
        setting = Setting(batch, batch.selected(site.at), self.net.graph.shape.causal)
        attended = is_attended(site.read_from, self.net.graph)
        return Evaluator(self.bindings, setting, self.rows, site.at, attended, self._read)

    def _read(self, at: At) -> tuple[Tensor, TokenBatch]:
        theirs = self.values[at.world][self.net.graph.find(at.mediator).name]
        return theirs, self.batch(layers_of(at.world)[0].input)

    # -- derivatives -----------------------------------------------------------------------------

    def _differentiated(self, step: Step) -> dict[Leaf, Tensor]:
        """Return derivatives of one read-out along several directions, by one backward pass.

        Each direction is added with a factor of its own, 0 for every prompt; a prompt's read-out
        depends on its own factors only, so that the derivative of the sum is that of each.
        """
        base, layers = layers_of(step.world)
        batch, read = self.batch(base.input), step.grads[0].read
        zeros = torch.zeros(len(batch.ids), dtype=self.net.model.dtype, device=batch.ids.device)
        with torch.enable_grad():
            factors = [zeros.clone().requires_grad_() for _ in step.grads]
            nudges = [
                self._nudge(grad, factor, batch, len(layers) + number)
                for number, (grad, factor) in enumerate(zip(step.grads, factors, strict=True))
            ]
            forward = self.forward(step.world, step.record, step.read_at, nudges)
            total = self._answer(read, forward.values, forward.logits[:, 0]).sum()
            if not total.requires_grad:  # nothing that is read depends on the sites
                return dict.fromkeys(step.grads, zeros)
            found = torch.autograd.grad(
                total, factors, create_graph=self.gradients, materialize_grads=True
            )
        return dict(zip(step.grads, found, strict=True))

    def _nudge(self, grad: Grad, factor: Tensor, batch: TokenBatch, layer: int) -> Edit:
        """Return the edit that adds `factor` times the direction, which is held constant."""
        evaluator = self._evaluator(grad.site, batch)

        def nudged(below: Tensor) -> Tensor:
            with torch.no_grad():
                along = evaluator(grad.along, below)
            return below + factor[:, None, None] * along.to(below)

        view = view_of(grad.site, self.net.graph, batch, self.bindings)
        return Edit(grad.site, nudged, batch.selected(grad.site.at), view, layer)

    # -- what went wrong -------------------------------------------------------------------------

    def located(self, error: NonFiniteError, batch: TokenBatch) -> NumericalError:
        """Name the first mediator that is not finite, and the prompt."""
        prompt = batch.prompts.texts[error.row]
        ids = torch.tensor([batch.prompts.ids[error.row]], device=batch.ids.device)
        for name, value in rebuild(self.net, ids).parts.items():
            if not is_sound(value).all():
                return _not_finite(name, prompt)
        if error.site:  # the network alone is finite, so a value that was set is not
            return _not_finite(f"the value set at {error.site}", prompt)
        last = error.layer == self.net.n_layers
        where = "logits" if last else f"L{error.layer}.resid_post"
        return _not_finite(f"{where} of the patched run", prompt)


def _not_finite(where: str, prompt: str) -> NumericalError:
    return NumericalError(
        f"{where} holds NaN, infinity or values too large to be squared on the prompt {prompt!r}.",
        "It is the first such value in the order of the graph.",
        "Check the weights with `causalnet doctor`, or use a wider dtype or a smaller vector.",
    )
