"""A network lifted into its mediator graph."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import torch

from causalnet.errors import LiftError
from causalnet.graphs import Mediator, MediatorGraph
from causalnet.lift.adapter import Adapter
from causalnet.lift.check import SelfCheck, check_parts
from causalnet.lift.condition import check_condition
from causalnet.lift.forward import run_module
from causalnet.lift.parts import Parts, take_apart
from causalnet.lift.places import Places, parameter
from causalnet.lift.rebuild import Rebuilt, output_weight, rebuild_parts
from causalnet.lift.registry import adapter_for
from causalnet.lift.unchanged import ModuleState, state_of

if TYPE_CHECKING:
    from causalnet.models import LanguageModel

__all__ = ["LiftedNetwork", "lift", "rebuild"]


@dataclass(frozen=True, slots=True, eq=False)
class LiftedNetwork:
    """A model with its mediator graph, and the evidence that the graph is the model.

    Attributes:
        model: The loaded model.
        parts: The graph, the adapter, and the modules behind each mediator.
        check: How closely the graph's own parts rebuilt the model.
        state: What the model was when it was checked; see `check_unchanged`.
    """

    model: "LanguageModel"
    parts: Parts
    check: SelfCheck
    state: ModuleState

    @property
    def graph(self) -> MediatorGraph:
        """The mediator graph."""
        return self.parts.graph

    @property
    def adapter(self) -> Adapter:
        """What the architecture declares."""
        return self.parts.adapter

    @property
    def places(self) -> Places:
        """The modules behind the mediators."""
        return self.parts.places

    @property
    def n_layers(self) -> int:
        """Number of blocks."""
        return self.graph.shape.layers

    @property
    def n_heads(self) -> int:
        """Number of query heads in a block."""
        return self.graph.shape.heads

    @property
    def vocabulary(self) -> int:
        """Number of tokens that the model embeds."""
        return int(parameter(self.places.tokens, "weight").shape[0])

    def __getitem__(self, name: str) -> Mediator:
        """Return a mediator by name.

        Raises:
            UnknownMediatorError: No such mediator; the nearest names are given.
        """
        return self.graph.find(name)

    def heads(self, layer: int | None = None) -> tuple[Mediator, ...]:
        """Return all heads, or those of one layer."""
        return self.graph.heads(layer)

    def mlps(self) -> tuple[Mediator, ...]:
        """Return the MLP of every layer."""
        return self.graph.mlps()

    def output_weight(self, layer: int) -> torch.Tensor:
        """Return W_O per head [heads, d_head, d_model]: a head's output is z @ W_O[head]."""
        return output_weight(self.parts, layer)

    def run(self, ids: torch.Tensor, attention_mask: torch.Tensor | None = None) -> torch.Tensor:
        """Run the model itself on ids [batch, pos]; logits [batch, pos, vocabulary]."""
        return run_module(self.model.module, self.adapter, ids, attention_mask)

    def __repr__(self) -> str:
        """Return one line."""
        name = type(self.model.module).__name__
        return f"LiftedNetwork({name}, {self.graph!r}, {self.check!r})"


def lift(model: "LanguageModel", grain: Literal["channels"] = "channels") -> LiftedNetwork:
    """Lift a model into its mediator graph, and check that the graph computes what the model does.

    Every part is rebuilt from the graph, with the stream as the sum of its writers, on a few
    seeded prompts, and compared with the model's own.

    Args:
        model: A loaded model.
        grain: How fine the mediators are: "channels" has heads with q, k, v, pattern, z, and MLPs.

    Raises:
        LiftError: A part differs (the first is named), another grain is asked for, the model
            is on a device without float64, or in no condition to be lifted: wrapped, compiled, in
            training mode, quantised, of several types or devices.
        NumericalError: NaN or infinity in a part; the first mediator and the prompt are named.
        OutOfMemoryError: Memory ran out during the check.
        UnsupportedArchitectureError: No adapter for the model's class.
    """
    if grain != "channels":
        raise LiftError(
            f"No grain {grain!r}.",
            "There is 'channels': embedding, heads with q, k, v, pattern and z, MLPs, logits.",
            "Lift at that, and see the graph at another: coarsen(net.graph, 'heads').",
        )
    if isinstance(model, torch.nn.Module):
        raise LiftError(
            f"The module {type(model).__name__} was given, which is not loaded.",
            "A loaded language model has a tokenizer, the facts of its checkpoint and its hashes; "
            "any other module is lifted by tracing.",
            "Write cn.lift(cn.load(module, tokenizer=tokenizer)), or lift_module(module, examples) "
            "of causalnet.lift.",
        )
    check_condition(model.module)
    declared: Mapping[str, object] = model.declared
    parts = take_apart(model.module, adapter_for(model.module), declared)
    check = check_parts(model.module, parts)
    return LiftedNetwork(model, parts, check, state_of(model.module))


def rebuild(
    net: LiftedNetwork | Parts,
    ids: torch.Tensor,
    attention_mask: torch.Tensor | None = None,
    dtype: torch.dtype | None = None,
) -> Rebuilt:
    """Compute every node of the graph for token ids [batch, pos], without calling the model.

    Args:
        net: A lifted network, or its parts.
        ids: Token ids, padded left or right, or not.
        attention_mask: 1 for tokens and 0 for padding [batch, pos].
        dtype: The type to compute in, by default that of the weights.

    Raises:
        LiftError: An activation or a rotary scaling that is not known.
    """
    parts = net.parts if isinstance(net, LiftedNetwork) else net
    return rebuild_parts(parts, ids, attention_mask, dtype)
