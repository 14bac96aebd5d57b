"""One forward pass of the model itself, with values read and set by plain torch hooks.

The model's own modules run; hooks on their inputs and outputs replace values and record them.
Every hook counts how often it fires; queries, keys, values, every block's output and the logits
are checked to be finite.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from causalnet.errors import FireCountError
from causalnet.execute.batch import TokenBatch
from causalnet.execute.places import Place, Port, place_of
from causalnet.graphs import Kind, Mediator
from causalnet.interventions import Position
from causalnet.lift import LiftedNetwork

__all__ = ["Edit", "Forward", "NonFiniteError", "is_sound", "run_forward"]


class NonFiniteError(Exception):
    """A value is not sound; turned into a `NumericalError` that names where it came from."""

    def __init__(self, layer: int, row: int) -> None:
        """Keep the layer and the row of the batch."""
        super().__init__(f"layer {layer}, row {row}")
        self.layer, self.row = layer, row


@dataclass(frozen=True, slots=True, eq=False)
class Edit:
    """One value to set during a forward pass.

    Attributes:
        mediator: What is set.
        value: From the value so far, [B, T, d], to the new one.
        selected: The tokens at which it is set, [B, T].
        fires: How often it must fire in one forward pass; another count is an error.
    """

    mediator: Mediator
    value: Callable[[Tensor], Tensor]
    selected: Tensor
    fires: int = 1


@dataclass(slots=True, eq=False)
class Forward:
    """What one forward pass gave.

    Attributes:
        values: Recorded values of nodes by name, [B, T, d].
        logits: At the positions asked for, [B, positions, vocabulary].
    """

    values: dict[str, Tensor] = field(default_factory=dict)
    logits: Tensor = field(default_factory=lambda: torch.empty(0))


def run_forward(
    net: LiftedNetwork,
    batch: TokenBatch,
    edits: Sequence[Edit] = (),
    record: Iterable[str] = (),
    read_at: Sequence[Position] = ("end",),
) -> Forward:
    """Run the model once on a batch, setting and recording values.

    Args:
        net: The lifted network.
        batch: The prompts.
        edits: What to set, in order; later edits of one place see the earlier ones.
        record: Names of nodes to record, after the edits.
        read_at: Positions at which logits are computed.

    Raises:
        FireCountError: An edit that fired another number of times than it must.
        NonFiniteError: NaN or infinity at a real token.
    """
    hooked = _Hooked(net, batch, edits, record)
    columns = torch.stack([batch.columns(position) for position in read_at], dim=1)
    rows = torch.arange(len(columns), device=columns.device)[:, None]
    with ExitStack() as hooks:
        for module, install in hooked.hooks():
            hooks.callback(install(module).remove)
        keep = net.places.unembedding.register_forward_pre_hook(
            lambda _, inputs: (inputs[0][rows, columns], *inputs[1:])
        )
        hooks.callback(keep.remove)
        hooked.result.logits = net.run(batch.ids, batch.mask.long())
    hooked.check_fired()
    hooked.check_sound(len(net.places.blocks), hooked.result.logits, columns >= 0)
    return hooked.result


def is_sound(value: Tensor) -> Tensor:
    """Return where a value is finite and small enough for a norm to square, [...] of [..., d].

    A square that overflows makes a norm return zeros: a wrong number without a NaN.
    """
    wide = value.to(torch.promote_types(value.dtype, torch.float32))
    return torch.isfinite(wide.square().sum(-1))


class _Hooked:
    """The hooks of one forward pass and what they collect."""

    def __init__(
        self,
        net: LiftedNetwork,
        batch: TokenBatch,
        edits: Sequence[Edit],
        record: Iterable[str],
    ) -> None:
        self.net, self.batch = net, batch
        self.result = Forward()
        self.edits: dict[Place, list[Edit]] = {}
        for edit in edits:
            place, _ = place_of(edit.mediator.name, net.graph)
            self.edits.setdefault(place, []).append(edit)
        self.record: dict[Place, list[Mediator]] = {}
        for name in record:
            place, mediator = place_of(name, net.graph)
            self.record.setdefault(place, []).append(mediator)
        self.fired: Counter[Place] = Counter()
        self.kept: dict[Place, Tensor] = {}  # values that a later port of the same block needs

    # -- where hooks go ----------------------------------------------------------------------

    def hooks(self) -> Iterable[tuple[nn.Module, Callable[[nn.Module], Any]]]:
        """Yield each module to hook and how."""
        places, needed = self.net.places, self._needed()
        for layer in range(len(places.blocks)):
            # Attention kernels may turn NaN scores into zeros, so q, k and v are checked too.
            columns = (places.queries[layer], places.keys[layer], places.values[layer])
            for module in {id(part.module): part.module for part in columns}.values():
                yield module, self._on_projection(layer)
        for place in sorted(needed, key=lambda place: (place.layer, place.port.value)):
            block = place.layer
            match place.port:
                case Port.EMBEDDING_OUT:
                    yield places.embedding, self._on_output(place)
                case Port.BLOCK_IN:
                    yield places.blocks[block], self._on_input(place)
                case Port.MIXER_IN:
                    yield places.mixers[block], self._on_input(place)
                case Port.MIXER_OUT:
                    yield places.mixers[block], self._on_output(place)
                case Port.MLP_NORM_IN:
                    # Without norms the stream enters the MLP itself.
                    yield (places.mlp_norms or places.mlps)[block], self._on_input(place)
                case Port.MLP_OUT:
                    yield places.mlps[block], self._on_output(place)
                case Port.BLOCK_OUT:
                    yield places.blocks[block], self._on_output(place)

    def _needed(self) -> set[Place]:
        needed = {*self.edits, *self.record}
        for place in tuple(needed):
            if place.port is Port.MIXER_OUT:  # a head's output is computed from its z
                needed.add(Place(Port.MIXER_IN, place.layer))
            if place.port is Port.MLP_NORM_IN:  # the block adds its MLP to the value set here
                needed.add(Place(Port.MLP_OUT, place.layer))
        return needed | {Place(Port.BLOCK_OUT, n) for n in range(len(self.net.places.blocks))}

    def _on_projection(self, layer: int) -> Callable[[nn.Module], Any]:
        def hook(_module: nn.Module, _inputs: Any, output: Tensor) -> None:
            self.check_sound(layer, output, self.batch.mask)

        return lambda module: module.register_forward_hook(hook)

    def _on_output(self, place: Place) -> Callable[[nn.Module], Any]:
        def hook(_module: nn.Module, _inputs: Any, output: Any) -> Any:
            if isinstance(output, Tensor):
                return self.visit(place, output)
            return (self.visit(place, output[0]), *output[1:])

        return lambda module: module.register_forward_hook(hook)

    def _on_input(self, place: Place) -> Callable[[nn.Module], Any]:
        def hook(_module: nn.Module, inputs: Any, named: Any) -> Any:
            if inputs:
                return (self.visit(place, inputs[0]), *inputs[1:]), named
            return inputs, {**named, "hidden_states": self.visit(place, named["hidden_states"])}

        return lambda module: module.register_forward_pre_hook(hook, with_kwargs=True)

    # -- what happens there -------------------------------------------------------------------

    def visit(self, place: Place, value: Tensor) -> Tensor:
        """Apply the edits of a place, record its nodes, and return the new value."""
        self.fired[place] += 1
        if place.port is Port.BLOCK_OUT:
            value = self._block_out(place, value)
        heads: dict[int, Tensor] = {}
        edits = self.edits.get(place, ())
        if edits and place.port is Port.MIXER_IN:
            value = value.clone()
        for edit in edits:
            current = self._current(edit.mediator, value, heads)
            fresh = torch.where(edit.selected[..., None], edit.value(current), current)
            value = self._replaced(edit.mediator, value, current, fresh, heads)
        for mediator in self.record.get(place, ()):
            self.result.values[mediator.name] = self._current(mediator, value, heads)
        if place.port in (Port.MIXER_IN, Port.MLP_NORM_IN, Port.MLP_OUT):
            self.kept[place] = value
        return value

    def _block_out(self, place: Place, value: Tensor) -> Tensor:
        middle = Place(Port.MLP_NORM_IN, place.layer)
        if middle in self.edits:
            value = self.kept[middle] + self.kept[Place(Port.MLP_OUT, place.layer)]
        self.check_sound(place.layer, value, self.batch.mask)
        return value

    def check_sound(self, layer: int, value: Tensor, counted: Tensor) -> None:
        """Refuse values that are not sound at tokens that count, both [B, T]."""
        sound = is_sound(value)
        if not sound.all():
            broken = ~sound & counted
            if broken.any():
                raise NonFiniteError(layer, int(broken.any(1).nonzero()[0]))

    def _columns(self, mediator: Mediator) -> slice:
        width = self.net.graph.shape.d_head
        head = mediator.index or 0
        return slice(head * width, (head + 1) * width)

    def _current(self, mediator: Mediator, value: Tensor, heads: Mapping[int, Tensor]) -> Tensor:
        """Return a node's value, given that of its place and the heads set so far."""
        if mediator.kind is Kind.Z:
            return value[..., self._columns(mediator)]
        if mediator.kind is not Kind.HEAD:
            return value
        layer, head = mediator.layer or 0, mediator.index or 0
        if head in heads:
            return heads[head]
        z = self.kept[Place(Port.MIXER_IN, layer)][..., self._columns(mediator)]
        return z @ self.net.output_weight(layer)[head]

    def _replaced(
        self,
        mediator: Mediator,
        value: Tensor,
        current: Tensor,
        fresh: Tensor,
        heads: dict[int, Tensor],
    ) -> Tensor:
        if mediator.kind is Kind.Z:
            value[..., self._columns(mediator)] = fresh
            return value
        if mediator.kind is Kind.HEAD:
            heads[mediator.index or 0] = fresh
            return value + (fresh - current)
        return fresh

    def check_fired(self) -> None:
        """Compare how often every place fired with how often it must.

        A place that is only read must fire once: the value of a second time would hide the first.
        """
        wanted = {place: (mediators[0], 1) for place, mediators in self.record.items()}
        wanted |= {
            place: (edits[0].mediator, edits[0].fires) for place, edits in self.edits.items()
        }
        for place, (mediator, fires) in wanted.items():
            if self.fired[place] != fires:
                raise FireCountError(
                    f"The intervention on {mediator} fired {self.fired[place]} times in one "
                    "forward pass.",
                    f"It must fire {fires} times.",
                    "The model skips or repeats this module: it needs an adapter of its own.",
                )
