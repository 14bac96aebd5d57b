"""One forward pass of the model itself, with values read and set by plain torch hooks.

The model's own modules run; hooks on their inputs and outputs replace values and record them.
Every hook counts how often it fires; queries, keys, values, every block's output and the logits
are checked to be finite.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from causalnet.errors import FireCountError, InternalError
from causalnet.execute.attention import attended, opened_attention
from causalnet.execute.batch import TokenBatch
from causalnet.execute.edits import Edit, NonFiniteError, is_sound
from causalnet.execute.flow import Flow
from causalnet.execute.places import Place, Port, place_of, projected
from causalnet.interventions import Position
from causalnet.lift import LiftedNetwork

__all__ = ["Forward", "run_forward"]


@dataclass(slots=True, eq=False)
class Forward:
    """What one forward pass gave.

    Attributes:
        values: Recorded values of mediators by canonical name, [B, T, d]; patterns are [B, T, T]
            and norm scales [B, T, 1].
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
    *,
    opened: bool = False,
    all_logits: bool = False,
) -> Forward:
    """Run the model once on a batch, setting and recording values.

    Args:
        net: The lifted network.
        batch: The prompts.
        edits: What to set, in the order of layers.
        record: Names of mediators to record, after the edits of nodes.
        read_at: Positions at which logits are computed.
        opened: Compute attention by our own function, even where no pattern is touched: worlds
            that are compared are then rounded alike.
        all_logits: Compute the logits of all positions, for the same reason.

    Raises:
        FireCountError: A place that was passed another number of times than once.
        NonFiniteError: NaN or infinity at a real token.
        TermError: A pattern of a model whose attention cannot be opened.
    """
    names = list(record)
    hooked = _Hooked(net, batch, Flow(net, edits, names))
    columns = torch.stack([batch.columns(position) for position in read_at], dim=1)
    rows = torch.arange(len(columns), device=columns.device)[:, None]
    with ExitStack() as stack:
        for module, install in hooked.hooks():
            stack.callback(install(module).remove)
        whole = all_logits or hooked.needs_all_logits
        if not whole:
            keep = net.places.unembedding.register_forward_pre_hook(
                lambda _, inputs: (inputs[0][rows, columns], *inputs[1:])
            )
            stack.callback(keep.remove)
        if opened or hooked.touches_attention:
            stack.enter_context(opened_attention(net, hooked.attend))
        logits = net.run(batch.ids, batch.mask.long())
    hooked.check_fired()
    logits = logits[rows, columns] if whole else logits
    hooked.check_sound(len(net.places.blocks), logits, columns >= 0)
    return Forward(dict(hooked.flow.recorded(names)), logits)


class _Hooked:
    """The hooks of one forward pass."""

    def __init__(self, net: LiftedNetwork, batch: TokenBatch, flow: Flow) -> None:
        self.net, self.places, self.batch, self.flow = net, net.places, batch, flow
        self.wanted = flow.places()
        self.fired: Counter[Place] = Counter()
        self.kept: dict[Place, Tensor] = {}  # values that a later port of the same block needs

    @property
    def touches_attention(self) -> bool:
        """Whether a pattern, or what it or the weighted sum reads, is touched."""
        return any(place.port is Port.ATTENTION for place in self.wanted)

    @property
    def needs_all_logits(self) -> bool:
        """Whether the logits of all positions are touched."""
        return any(place.port is Port.UNEMBEDDING_OUT for place in self.wanted)

    # -- where hooks go ----------------------------------------------------------------------

    def hooks(self) -> Iterable[tuple[nn.Module, Callable[[nn.Module], Any]]]:
        """Yield each module to hook and how."""
        places = self.places
        for layer in range(len(places.blocks)):
            # Attention kernels may turn NaN scores into zeros, so q, k and v are checked too.
            columns = (places.queries[layer], places.keys[layer], places.values[layer])
            for module in {id(part.module): part.module for part in columns}.values():
                yield module, self._on_projection(layer)
        always = {Place(Port.BLOCK_OUT, layer) for layer in range(len(places.blocks))}
        needed = {place for place in self.wanted if place.port is not Port.ATTENTION}
        for place in sorted(needed | always, key=lambda place: (place.layer, place.port.value)):
            module = self._module(place)
            is_input = place.port.name.endswith("_IN")
            yield module, self._on_input(place) if is_input else self._on_output(place)

    def _module(self, place: Place) -> nn.Module:
        places, layer = self.places, place.layer
        match place.port:
            case Port.EMBEDDING_OUT:
                return places.embedding
            case Port.POSITIONS_OUT:
                if places.learned_positions is None:
                    raise InternalError("The graph has positions apart, and no module holds them.")
                return places.learned_positions
            case Port.BLOCK_IN | Port.BLOCK_OUT:
                return places.blocks[layer]
            case Port.QUERY_OUT:
                return places.queries[layer].module
            case Port.KEY_OUT:
                return places.keys[layer].module
            case Port.VALUE_OUT:
                return places.values[layer].module
            case Port.MIXER_IN | Port.MIXER_OUT:
                return places.mixers[layer]
            case Port.MLP_NORM_IN:
                return places.mlp_norms[layer]
            case Port.MLP_IN | Port.MLP_OUT:
                return places.mlps[layer]
            case Port.UNEMBEDDING_IN | Port.UNEMBEDDING_OUT:
                return places.unembedding
            case Port.ATTENTION:
                raise InternalError("Attention has no module that is hooked.")

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
        """Settle what a place holds and return its new value."""
        self.fired[place] += 1
        layer = place.layer
        match place.port:
            case Port.EMBEDDING_OUT:
                value = self.flow.settle("embed", value)
            case Port.POSITIONS_OUT:
                value = self.flow.settle("pos_embed", value)
            case Port.BLOCK_IN:
                value = self._cut(place, f"L{layer}.resid_pre", value)
            case Port.QUERY_OUT | Port.KEY_OUT | Port.VALUE_OUT:
                value = self._projection(place, value)
            case Port.MIXER_IN:
                value = self._mixed(layer, value)
            case Port.MIXER_OUT:
                value = self._heads(layer, value)
            case Port.MLP_NORM_IN:
                value = self._cut(place, f"L{layer}.resid_mid", value)
            case Port.MLP_IN:
                value = self._mlp_in(layer, value)
            case Port.MLP_OUT:
                value = self.flow.settle(f"L{layer}.mlp", value)
            case Port.BLOCK_OUT:
                value = self._block_out(place, value)
            case Port.UNEMBEDDING_IN:
                value = self._unembedded(value)
            case Port.UNEMBEDDING_OUT:
                value = self.flow.settle("logits", value)
            case Port.ATTENTION:
                raise InternalError("Attention is visited by its function.")
        self.kept[place] = value
        return value

    def _cut(self, place: Place, name: str, stream: Tensor) -> Tensor:
        """Set and read a cut, at the one place that its names have."""
        graph = self.flow.graph
        if place_of(name, graph) != place:
            return stream
        return self.flow.cut(graph.cut(name).writers_before, stream)

    def _projection(self, place: Place, output: Tensor) -> Tensor:
        """Settle the queries, keys or values of a layer."""
        layer, norms = place.layer, self.places.attention_norms
        columns = {
            Port.QUERY_OUT: self.places.queries,
            Port.KEY_OUT: self.places.keys,
            Port.VALUE_OUT: self.places.values,
        }[place.port][layer]
        settled = output.clone()  # the output itself stays as it is, for derivatives
        for index, name in enumerate(projected(place.port, layer, self.flow.graph)):
            if not (self.flow.touches(name) or self.flow.reads_otherwise(name)):
                continue
            own = self._own_columns(index, columns.start)
            natural = output[..., own]
            if self.flow.reads_otherwise(name):
                stream = self.kept[Place(Port.BLOCK_IN, layer)]
                read = self.flow.received(name, stream, norms[layer] if norms else None)
                natural = columns.module.forward(read)[..., own]
            settled[..., own] = self.flow.settle(name, natural)
        return settled

    def _own_columns(self, index: int, start: int = 0) -> slice:
        width = self.flow.graph.shape.d_head
        return slice(start + index * width, start + (index + 1) * width)

    def attend(
        self,
        module: nn.Module,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        mask: Tensor,
        factor: float,
    ) -> Tensor:
        """Compute the attention of the layer that a module belongs to."""
        inside = {id(part) for part in module.modules()}
        known = self.places.mixings or self.places.mixers
        layer = next(n for n, part in enumerate(known) if id(part) in inside)
        self.fired[Place(Port.ATTENTION, layer)] += 1
        return attended(self.flow, self.batch, layer, query, key, value, mask, factor)

    def _mixed(self, layer: int, value: Tensor) -> Tensor:
        """Settle the z of a layer's heads, and return what the heads get of them."""
        carried = value.clone()
        for head in range(self.flow.graph.shape.heads):
            name = f"L{layer}.H{head}"
            if self.flow.touches(f"{name}.z"):
                own = self._own_columns(head)
                z = self.flow.settle(f"{name}.z", value[..., own])
                carried[..., own] = self.flow.carried(f"{name}.z", name, z)
        return carried

    def _heads(self, layer: int, value: Tensor) -> Tensor:
        """Settle the heads of a layer, and its bias, within their sum."""
        z = self.kept[Place(Port.MIXER_IN, layer)]
        naturals = {
            f"L{layer}.H{head}": z[..., self._own_columns(head)] @ weight
            for head, weight in enumerate(self.net.output_weight(layer))
            if self.flow.touches(f"L{layer}.H{head}")
        }
        bias = f"L{layer}.attn_bias"
        if self.flow.touches(bias):
            constant = dict(self.places.mixers[layer].named_parameters(recurse=False))["bias"]
            naturals[bias] = constant.to(value).expand_as(value)
        for name, natural in naturals.items():
            value = value + (self.flow.settle(name, natural) - natural)
        return value

    def _mlp_in(self, layer: int, value: Tensor) -> Tensor:
        name = f"L{layer}.mlp"
        if not self.flow.reads_otherwise(name):
            return value
        stream = self.kept[Place(Port.MLP_NORM_IN, layer)]
        norm = None if self.net.adapter.norm == "none" else self.places.mlp_norms[layer]
        return self.flow.received(name, stream, norm)

    def _block_out(self, place: Place, value: Tensor) -> Tensor:
        layer, graph = place.layer, self.flow.graph
        middle, mlp = Place(Port.MLP_NORM_IN, layer), Place(Port.MLP_OUT, layer)
        cut = f"L{layer}.resid_mid"
        if place_of(cut, graph) == middle and graph.cut(cut).writers_before in self.flow.cuts:
            value = self.kept[middle] + self.kept[mlp]
        self.check_sound(layer, value, self.batch.mask)
        is_last = layer + 1 == graph.shape.layers
        return self._cut(place, f"L{layer}.resid_post", value) if is_last else value

    def _unembedded(self, value: Tensor) -> Tensor:
        if not self.flow.reads_otherwise("logits"):
            return value
        stream = self.kept[Place(Port.BLOCK_OUT, len(self.places.blocks) - 1)]
        return self.flow.received("logits", stream, self.places.final_norm)

    # -- what must hold -----------------------------------------------------------------------

    def check_sound(self, layer: int, value: Tensor, counted: Tensor) -> None:
        """Refuse values that are not sound at tokens that count, both [B, T]."""
        sound = is_sound(value)
        if not sound.all():
            broken = ~sound & counted
            if broken.any():
                raise NonFiniteError(layer, int(broken.any(1).nonzero()[0]))

    def check_fired(self) -> None:
        """Check that every place that is touched was passed once.

        A place that is only read must fire once: the value of a second time would hide the first.
        """
        for place, name in self.wanted.items():
            if self.fired[place] != 1:
                raise FireCountError(
                    f"The intervention on {name} fired {self.fired[place]} times in one "
                    "forward pass.",
                    "It must fire 1 times.",
                    "The model skips or repeats this module: it needs an adapter of its own.",
                )
