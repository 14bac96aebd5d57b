"""A lifted decoder's weights as functions, by reference: nothing here calls a module.

In the model's own type no weight is copied; in another type each is, once.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from causalnet.execute.wavefront.linear import Projection
from causalnet.execute.wavefront.mlp import Mlp, activation
from causalnet.execute.wavefront.norms import Norm, wide
from causalnet.graphs import TransformerShape
from causalnet.lift import Columns, LiftedNetwork, Parts
from causalnet.lift.places import parameter
from causalnet.lift.rotary import frequencies

__all__ = ["Angles", "Block", "Weights"]

Angles = tuple[Tensor, Tensor]
"""Cosines and sines of rotary angles, each [B, P, 1, d_head / 2]."""


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """One layer.

    Attributes:
        q: To the queries of all heads side by side, before rotation.
        k: To the keys of all K/V groups side by side, before rotation.
        v: To the values of all K/V groups side by side.
        out: From all heads' z side by side to the stream; its bias is the attention's constant.
        o: W_O per head [heads, d_head, d_model], a view: a head's output is z @ o[head].
        attention_norm: In front of q, k and v.
        mlp: The MLP.
    """

    q: Projection
    k: Projection
    v: Projection
    out: Projection
    o: Tensor
    attention_norm: Norm
    mlp: Mlp

    @property
    def bias(self) -> Tensor | None:
        """The attention's constant [d_model], or None."""
        return self.out.bias

    @property
    def mlp_norm(self) -> Norm:
        """The norm in front of the MLP."""
        return self.mlp.norm


@dataclass(frozen=True, slots=True, eq=False)
class Weights:
    """All weights of a decoder.

    Attributes:
        blocks: The layers.
        shape: The sizes.
        tokens: The token embedding [vocabulary, d].
        positions: The learned positions [longest, d], or None.
        final_norm: In front of the unembedding.
        unembedding: From the normed stream to the logits.
        speeds: The angle per position of each pair of columns [d_head / 2], or None without
            rotation.
        factor: What multiplies the attention scores.
    """

    blocks: tuple[Block, ...]
    shape: TransformerShape
    tokens: Tensor
    positions: Tensor | None
    final_norm: Norm
    unembedding: Projection
    speeds: Tensor | None
    factor: float

    @classmethod
    def of(cls, net: LiftedNetwork | Parts, dtype: torch.dtype | None = None) -> "Weights":
        """Return the weights of a lifted network, or of its parts.

        Args:
            net: The network.
            dtype: The type to compute in, by default that of the model's weights.

        Raises:
            LiftError: An activation or a rotary scaling that is not known.
        """
        return _Reader(net.parts if isinstance(net, LiftedNetwork) else net, dtype).weights()

    @property
    def dtype(self) -> torch.dtype:
        """The type that is computed in."""
        return self.tokens.dtype

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.tokens.device

    def embed(self, ids: Tensor, position_ids: Tensor) -> Tensor:
        """Return the embedding [B, T, d] of token ids at positions, both [B, T]."""
        tokens = self.tokens[ids]
        return tokens if self.positions is None else tokens + self.positions[position_ids]

    def unembed(self, x: Tensor) -> Tensor:
        """Return the logits [..., vocabulary] of a stream [..., d] after the last layer."""
        return self.unembedding(self.final_norm(x))

    def unembed_columns(self, tokens: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return rows of the unembedding [B, k, d] for tokens [B, k], and their biases [B, k].

        A logit is the product of a row with the stream after the final norm, plus the bias.
        """
        bias = self.unembedding.bias
        return self.unembedding.weight[tokens], None if bias is None else bias[tokens]

    def angles(self, position_ids: Tensor) -> Angles | None:
        """Return the rotary angles of positions [B, P], or None without rotation.

        They are taken in float32 at least, as models do.
        """
        if self.speeds is None:
            return None
        angles = (position_ids[..., None].to(self.speeds.dtype) * self.speeds)[:, :, None]
        return angles.cos().to(self.dtype), angles.sin().to(self.dtype)

    def rotate(self, x: Tensor, angles: Angles | None) -> Tensor:
        """Rotate [..., B, P, heads, d_head], first half against second; None changes nothing."""
        return x if angles is None else rotated(x, angles)


def rotated(x: Tensor, angles: Angles, out: Tensor | None = None) -> Tensor:
    """Rotate [..., B, P, heads, d_head] by angles, into a tensor of any strides if one is given."""
    cos, sin = angles
    turned = torch.empty_like(x) if out is None else out
    first, second = x.chunk(2, dim=-1)
    one, two = turned.chunk(2, dim=-1)
    torch.mul(first, cos, out=one)
    one.addcmul_(second, sin, value=-1)
    torch.mul(second, cos, out=two)
    two.addcmul_(first, sin)
    return turned


class _Reader:
    """Reads the weights of a network's parts."""

    def __init__(self, parts: Parts, dtype: torch.dtype | None) -> None:
        self.parts, self.places = parts, parts.places
        own = parameter(parts.places.tokens, "weight")
        self.dtype, self.device = dtype or own.dtype, own.device
        # Tied weights are one tensor before a cast, and after.
        self.casts: dict[int, Tensor] = {}

    def weights(self) -> Weights:
        places, shape, constants = self.places, self.parts.graph.shape, self.parts.constants
        learned, speeds = places.learned_positions, None
        if constants.rope_theta is not None:
            table = frequencies(constants.rope_theta, shape.d_head, constants.rope_scaling)
            speeds = table.to(wide(self.dtype)).to(self.device)
        is_scaled = self.parts.adapter.scale == "rsqrt_head_width"
        return Weights(
            blocks=tuple(self.block(layer) for layer in range(shape.layers)),
            shape=shape,
            tokens=self.own(places.tokens, "weight"),
            positions=None if learned is None else self.own(learned, "weight"),
            final_norm=self.norm(places.final_norm),
            unembedding=self.projection(places.unembedding, "out_in"),
            speeds=speeds,
            factor=shape.d_head**-0.5 if is_scaled else 1.0,
        )

    def block(self, layer: int) -> Block:
        places, shape = self.places, self.parts.graph.shape
        norms = places.attention_norms
        out = self.projection(places.mixers[layer])
        return Block(
            q=self.columns(places.queries[layer]),
            k=self.columns(places.keys[layer]),
            v=self.columns(places.values[layer]),
            out=out,
            o=torch.unflatten(out.weight.T, 0, (shape.heads, shape.d_head)),
            attention_norm=self.norm(norms[layer] if norms else None),
            mlp=self.mlp(layer),
        )

    def mlp(self, layer: int) -> Mlp:
        places, gates = self.places, self.places.mlp_gates
        return Mlp(
            into=self.projection(places.mlp_in[layer]),
            gate=self.projection(gates[layer]) if gates else None,
            out=self.projection(places.mlp_out[layer]),
            act=activation(self.parts.constants.activation),
            norm=self.norm(places.mlp_norms[layer]),
        )

    def norm(self, module: nn.Module | None) -> Norm:
        kind = self.parts.adapter.norm
        if kind == "none" or module is None:
            return Norm("none")
        own = dict(module.named_parameters(recurse=False))
        weight, bias = (self.cast(own[n]) if n in own else None for n in ("weight", "bias"))
        return Norm(kind, weight, bias, self.parts.constants.norm_eps or 0.0)

    def columns(self, columns: Columns) -> Projection:
        return self.projection(columns.module).columns(columns.start, columns.stop)

    def projection(self, module: nn.Module, layout: str | None = None) -> Projection:
        own = dict(module.named_parameters(recurse=False))
        weight = self.own(module, "weight")
        is_out_in = (layout or self.parts.adapter.layout) == "out_in"
        bias = self.cast(own["bias"]) if "bias" in own else None
        return Projection(weight if is_out_in else weight.T, bias)

    def own(self, module: nn.Module, name: str) -> Tensor:
        return self.cast(parameter(module, name))

    def cast(self, value: Tensor) -> Tensor:
        if id(value) not in self.casts:
            self.casts[id(value)] = value.detach().to(self.dtype)
        return self.casts[id(value)]
