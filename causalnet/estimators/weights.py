"""A decoder's weights as matrices, and the two formulas that both directions need: norms, rotation.

Nothing here calls a module: a model whose graph was checked is its weights and its declared
constants.  That is what lets a pass begin at any layer, with any stream, and be run backwards
receiver by receiver.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from causalnet.errors import LiftError
from causalnet.execute.wavefront.linear import linear
from causalnet.graphs import TransformerShape
from causalnet.lift import Columns, LiftedNetwork, Parts
from causalnet.lift.places import parameter
from causalnet.lift.rebuild import ACTIVATIONS, output_weight
from causalnet.lift.rotary import frequencies

__all__ = ["Affine", "Attention", "Decoder", "Mlp", "Norm", "Normed", "decoder_of"]


@dataclass(frozen=True, slots=True, eq=False)
class Affine:
    """A projection x @ into + bias.

    Attributes:
        into: [width read, width written].
        bias: [width written], or None.
    """

    into: Tensor
    bias: Tensor | None

    def __call__(self, x: Tensor) -> Tensor:
        """Return the projection of [..., width read]."""
        return linear(x, self.into.mT, self.bias)

    def back(self, gradient: Tensor) -> Tensor:
        """Return the gradient at what is read, given that at what is written."""
        return linear(gradient, self.into)


@dataclass(frozen=True, slots=True, eq=False)
class Normed:
    """What a norm made of a stream, and what its transposed derivative needs.

    Attributes:
        value: [..., d].
        unit: The stream, centred where the norm centres, over its scale, [..., d].
        scale: The divisor, [..., 1].
    """

    value: Tensor
    unit: Tensor
    scale: Tensor


@dataclass(frozen=True, slots=True, eq=False)
class Norm:
    """A norm: c / sqrt(mean(c^2) + eps) * weight + bias, with c = x or x - mean(x).

    Attributes:
        weight: [d], or None.
        bias: [d], or None.
        eps: What is added to the variance.
        centred: Whether the mean is taken off.
    """

    weight: Tensor | None
    bias: Tensor | None
    eps: float
    centred: bool

    def __call__(self, stream: Tensor) -> Normed:
        """Return the norm of a stream [..., d], its statistics in float32 at least."""
        wide = stream.to(torch.promote_types(stream.dtype, torch.float32))
        wide = wide - wide.mean(-1, keepdim=True) if self.centred else wide
        scale = (wide.square().mean(-1, keepdim=True) + self.eps).sqrt()
        unit = (wide / scale).to(stream.dtype)
        value = unit if self.weight is None else unit * self.weight
        return Normed(value if self.bias is None else value + self.bias, unit, scale.to(unit))

    def back(self, gradient: Tensor, normed: Normed) -> Tensor:
        """Return the gradient at the stream; leading axes of the gradient are kept."""
        inner = gradient if self.weight is None else gradient * self.weight
        along = (inner * normed.unit).mean(-1, keepdim=True)
        found = (inner - normed.unit * along) / normed.scale
        return found - found.mean(-1, keepdim=True) if self.centred else found


@dataclass(frozen=True, slots=True, eq=False)
class Attention:
    """The attention of one layer.

    Attributes:
        norm: The norm in front of q, k and v, or None.
        queries: Into all heads' queries side by side.
        keys: Into all K/V groups' keys side by side.
        values: Into all K/V groups' values side by side.
        output: W_O of each head, [heads, d_head, d].
        bias: What attention adds beside its heads, [d], or None.
    """

    norm: Norm | None
    queries: Affine
    keys: Affine
    values: Affine
    output: Tensor
    bias: Tensor | None


@dataclass(frozen=True, slots=True, eq=False)
class Mlp:
    """The MLP of one layer: out(act(gate(x)) * in(x)), or out(act(in(x))) without a gate."""

    norm: Norm | None
    into: Affine
    gate: Affine | None
    out: Affine
    activation: Callable[[Tensor], Tensor]


@dataclass(frozen=True, slots=True, eq=False)
class Decoder:
    """A whole network as tensors.

    Attributes:
        shape: Its sizes.
        tokens: Token embedding, [vocabulary, d].
        positions: Learned positions, [positions, d], or None.
        attentions: Of each layer.
        mlps: Of each layer.
        final_norm: The norm in front of the unembedding, or None.
        unembedding: Into the logits.
        factor: What the scores are multiplied by.
        speeds: Rotary angle for each position and pair of columns, or None.
    """

    shape: TransformerShape
    tokens: Tensor
    positions: Tensor | None
    attentions: tuple[Attention, ...]
    mlps: tuple[Mlp, ...]
    final_norm: Norm | None
    unembedding: Affine
    factor: float
    speeds: Tensor | None

    @property
    def last_stage(self) -> int:
        """The stage of the logits: 0 embeds, 1 + 2l is attention, 2 + 2l the MLP of layer l."""
        return 2 * self.shape.layers + 1

    def embed(self, ids: Tensor, position_ids: Tensor) -> Tensor:
        """Return the embedding of tokens, [B, T, d]."""
        found = self.tokens[ids]
        return found if self.positions is None else found + self.positions[position_ids]

    def turns(self, position_ids: Tensor) -> tuple[Tensor, Tensor] | None:
        """Return cosines and sines for positions [B, T], [B, T, 1, d_head / 2] each."""
        if self.speeds is None:
            return None
        exact = torch.promote_types(self.tokens.dtype, torch.float32)
        angles = position_ids[..., None].to(exact) * self.speeds.to(position_ids.device, exact)
        angles = angles[:, :, None]
        return angles.cos().to(self.tokens.dtype), angles.sin().to(self.tokens.dtype)


def decoder_of(net: LiftedNetwork) -> Decoder:
    """Return the weights of a lifted network; matrices are views of the model's own.

    Raises:
        LiftError: An activation or a rotary scaling that is not known.
    """
    parts = net.parts
    shape, places, constants = parts.graph.shape, parts.places, parts.constants
    learned = places.learned_positions
    speeds = None
    if constants.rope_theta is not None:
        speeds = frequencies(constants.rope_theta, shape.d_head, constants.rope_scaling)
    return Decoder(
        shape=shape,
        tokens=parameter(places.tokens, "weight"),
        positions=None if learned is None else parameter(learned, "weight"),
        attentions=tuple(_attention(parts, layer) for layer in range(shape.layers)),
        mlps=tuple(_mlp(parts, layer) for layer in range(shape.layers)),
        final_norm=_norm(parts, places.final_norm),
        unembedding=_affine(places.unembedding, "out_in"),
        factor=shape.d_head**-0.5 if parts.adapter.scale == "rsqrt_head_width" else 1.0,
        speeds=speeds,
    )


def _attention(parts: Parts, layer: int) -> Attention:
    places, layout = parts.places, parts.adapter.layout
    norms = places.attention_norms
    return Attention(
        norm=_norm(parts, norms[layer]) if norms else None,
        queries=_columns(places.queries[layer], layout),
        keys=_columns(places.keys[layer], layout),
        values=_columns(places.values[layer], layout),
        output=output_weight(parts, layer),
        bias=_own(places.mixers[layer], "bias"),
    )


def _mlp(parts: Parts, layer: int) -> Mlp:
    places, layout, name = parts.places, parts.adapter.layout, parts.constants.activation
    if name not in ACTIVATIONS:
        raise LiftError(
            f"Unknown activation {name!r}.", f"Known: {', '.join(sorted(ACTIVATIONS))}."
        )
    return Mlp(
        norm=_norm(parts, places.mlp_norms[layer]),
        into=_affine(places.mlp_in[layer], layout),
        gate=_affine(places.mlp_gates[layer], layout) if places.mlp_gates else None,
        out=_affine(places.mlp_out[layer], layout),
        activation=ACTIVATIONS[name],
    )


def _own(module: nn.Module, name: str) -> Tensor | None:
    return dict(module.named_parameters(recurse=False)).get(name)


def _norm(parts: Parts, module: nn.Module | None) -> Norm | None:
    if module is None or parts.adapter.norm == "none":
        return None
    eps, centred = parts.constants.norm_eps or 0.0, parts.adapter.norm == "layer"
    return Norm(_own(module, "weight"), _own(module, "bias"), eps, centred)


def _affine(module: nn.Module, layout: str) -> Affine:
    weight = parameter(module, "weight")
    return Affine(weight.mT if layout == "out_in" else weight, _own(module, "bias"))


def _columns(columns: Columns, layout: str) -> Affine:
    whole, chosen = _affine(columns.module, layout), slice(columns.start, columns.stop)
    return Affine(whole.into[:, chosen], None if whole.bias is None else whole.bias[chosen])
