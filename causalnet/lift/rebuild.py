"""Computing a network from its graph: each node by its formula, the stream as a sum of writers.

Nothing here calls a module.  Weights are read from the parameters, epsilon and rope theta from what
the checkpoint declares, so that agreement with the model is evidence about both.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import nn

from causalnet.errors import InternalError, LiftError
from causalnet.graphs import TransformerShape
from causalnet.lift.parts import Parts
from causalnet.lift.places import Columns, parameter
from causalnet.lift.rotary import frequencies, rotate

__all__ = ["ACTIVATIONS", "Rebuilt", "positions_of", "rebuild_parts"]

ACTIVATIONS: Mapping[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "silu": lambda x: x * torch.sigmoid(x),
    "swish": lambda x: x * torch.sigmoid(x),
    "gelu": lambda x: 0.5 * x * (1 + torch.erf(x / math.sqrt(2))),
    "gelu_new": lambda x: _tanh_gelu(x),
    "gelu_pytorch_tanh": lambda x: _tanh_gelu(x),
    "relu": lambda x: x.clamp_min(0),
    "identity": lambda x: x,
}


def _tanh_gelu(x: torch.Tensor) -> torch.Tensor:
    return 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


@dataclass(frozen=True, slots=True, eq=False)
class Rebuilt:
    """Every value of a network, computed from its graph.

    Attributes:
        parts: The value of each node and of each residual cut by name, in the order computed.  A
            norm scale is the divisor [batch, pos, 1], as TransformerLens' `hook_scale` is.
        norms: The output of each norm, `L0.attention_norm`, `L0.mlp_norm`, `final_norm`.
        logits: The last part [batch, pos, vocabulary].
    """

    parts: Mapping[str, torch.Tensor]
    norms: Mapping[str, torch.Tensor]
    logits: torch.Tensor


def positions_of(ids: torch.Tensor, attention_mask: torch.Tensor | None) -> torch.Tensor:
    """Return each token's position [batch, pos]: padding is not counted, and reads as position 0.

    >>> positions_of(torch.ones(1, 4), torch.tensor([[0, 0, 1, 1]])).tolist()
    [[0, 0, 0, 1]]
    """
    if attention_mask is None:
        return torch.arange(ids.shape[1], device=ids.device).expand(ids.shape)
    return (attention_mask.long().cumsum(-1) - 1).clamp_min(0)


def rebuild_parts(
    parts: Parts,
    ids: torch.Tensor,
    attention_mask: torch.Tensor | None = None,
    dtype: torch.dtype | None = None,
) -> Rebuilt:
    """Compute every node of the graph for token ids [batch, pos], padded left or right.

    The computation is in `dtype`, by default that of the weights.

    Raises:
        LiftError: An activation or a rotary scaling that is not known.
    """
    with torch.no_grad():
        return _Rebuilding(parts, ids, attention_mask, dtype).run()


class _Rebuilding:
    """Goes through the graph in order; `stream` is the sum of the writers so far."""

    def __init__(
        self,
        parts: Parts,
        ids: torch.Tensor,
        mask: torch.Tensor | None,
        dtype: torch.dtype | None,
    ) -> None:
        self.parts, self.places = parts, parts.places
        self.dtype = dtype or parameter(parts.places.tokens, "weight").dtype
        self.shape: TransformerShape = parts.graph.shape
        self.ids, self.positions = ids, positions_of(ids, mask)
        self.allowed = _allowed(ids, mask, self.shape.causal)
        self.values: dict[str, torch.Tensor] = {}
        self.norms: dict[str, torch.Tensor] = {}
        self.scale: torch.Tensor | None = None
        self.speeds = _speeds(parts)
        self.stream: torch.Tensor | None = None

    def run(self) -> Rebuilt:
        self.write("embed", self.embed())
        if self.shape.positions_apart:
            self.write("pos_embed", self.learned())
        for layer in range(self.shape.layers):
            self.cut(f"L{layer}.resid_pre")
            self.attend(layer)
            self.cut(f"L{layer}.resid_mid")
            if self.shape.has_mlp(layer):
                output = self.mlp(layer)
                self.keep_scale(f"L{layer}.mlp")
                self.write(f"L{layer}.mlp", output)
            self.cut(f"L{layer}.resid_post")
        normed = self.norm("final_norm", self.places.final_norm)
        self.receive("logits", _affine(normed, self.places.unembedding, "out_in"))
        return Rebuilt(self.values, self.norms, self.values["logits"])

    def write(self, name: str, value: torch.Tensor) -> None:
        """Add one writer to the stream, in the graph's order."""
        self.values[name] = value
        wide = value.to(_wide(value.dtype))
        self.stream = wide if self.stream is None else self.stream + wide

    def cut(self, name: str) -> None:
        self.values[name] = self.read()

    def read(self) -> torch.Tensor:
        """Return the sum of all writers so far."""
        if self.stream is None:
            raise InternalError("The residual stream was read before anything was written.")
        return self.stream.to(self.dtype)

    def embed(self) -> torch.Tensor:
        tokens = parameter(self.places.tokens, "weight")[self.ids].to(self.dtype)
        if self.places.learned_positions is None or self.shape.positions_apart:
            return tokens
        return tokens + self.learned()

    def learned(self) -> torch.Tensor:
        """Return the learned embedding of each token's position."""
        if self.places.learned_positions is None:
            raise InternalError("Positions are apart, and no module holds them.")
        learned = parameter(self.places.learned_positions, "weight")
        return learned[self.positions].to(self.dtype)

    def norm(self, name: str, module: nn.Module | None) -> torch.Tensor:
        value, self.scale = self.read(), None
        if self.parts.adapter.norm != "none" and module is not None:
            value, self.scale = _norm(value, module, self.parts)
            self.norms[name] = value
        return value

    def keep_scale(self, receiver: str) -> None:
        """Keep the last norm's scale for a receiver: all that one norm serves have the same."""
        if self.scale is not None:
            self.values[f"{receiver}.scale"] = self.scale

    def receive(self, receiver: str, value: torch.Tensor) -> None:
        self.keep_scale(receiver)
        self.values[receiver] = value

    def attend(self, layer: int) -> None:
        shape, places = self.shape, self.places
        norms = places.attention_norms
        x = self.norm(f"L{layer}.attention_norm", norms[layer] if norms else None)
        q = self.project(x, places.queries[layer], shape.heads)
        k = self.project(x, places.keys[layer], shape.kv_heads)
        v = self.project(x, places.values[layer], shape.kv_heads)
        pattern = self.pattern(q, k)
        z = torch.einsum("bgrts,bsgd->btgrd", pattern, v).flatten(2, 3)
        self.keep_groups(layer, k, v)
        for head in shape.heads_of(layer):
            name = f"L{layer}.H{head}"
            self.receive(f"{name}.q", q[:, :, head])
            self.values[f"{name}.pattern"] = pattern.flatten(1, 2)[:, head]
            self.values[f"{name}.z"] = z[:, :, head]
        weights = output_weight(self.parts, layer)
        for head in shape.heads_of(layer):
            self.write(f"L{layer}.H{head}", z[:, :, head] @ weights[head].to(self.dtype))
        if shape.attention_bias:
            bias = parameter(places.mixers[layer], "bias").to(self.dtype)
            self.write(f"L{layer}.attn_bias", bias.expand(x.shape))

    def keep_groups(self, layer: int, k: torch.Tensor, v: torch.Tensor) -> None:
        owner = "KV" if self.shape.shares_keys else "H"
        for group in self.shape.groups_of(layer):
            self.receive(f"L{layer}.{owner}{group}.k", k[:, :, group])
            self.receive(f"L{layer}.{owner}{group}.v", v[:, :, group])

    def project(self, x: torch.Tensor, columns: Columns, heads: int) -> torch.Tensor:
        """Return [batch, pos, heads, d_head]."""
        layout = self.parts.adapter.layout
        return _affine(x, columns.module, layout, columns).view(*x.shape[:2], heads, -1)

    def pattern(self, q: torch.Tensor, k: torch.Tensor) -> torch.Tensor:
        """Return the attention pattern [batch, group, head in group, pos, attended]."""
        if self.speeds is not None:
            q, k = (rotate(side, self.positions, self.speeds) for side in (q, k))
        grouped = q.view(*q.shape[:2], self.shape.kv_heads, self.shape.heads_per_group, -1)
        scores = torch.einsum("btgrd,bsgd->bgrts", grouped, k)
        if self.parts.adapter.scale == "rsqrt_head_width":
            scores = scores * self.shape.d_head**-0.5
        scores = scores.to(_wide(scores.dtype))
        # The lowest number, not -inf: a padding row with nothing to attend to stays finite.
        scores = scores.masked_fill(~self.allowed, torch.finfo(scores.dtype).min)
        return torch.softmax(scores, dim=-1).to(q.dtype)

    def mlp(self, layer: int) -> torch.Tensor:
        places, layout = self.places, self.parts.adapter.layout
        x = self.norm(f"L{layer}.mlp_norm", places.mlp_norms[layer])
        act = _activation(self.parts.constants.activation)
        inner = _affine(x, places.mlp_in[layer], layout)
        if places.mlp_gates:
            inner = act(_affine(x, places.mlp_gates[layer], layout)) * inner
        else:
            inner = act(inner)
        return _affine(inner, places.mlp_out[layer], layout)


def output_weight(parts: Parts, layer: int) -> torch.Tensor:
    """Return W_O per head [heads, d_head, d_model]: a head's output is z @ W_O[head]."""
    weight = parameter(parts.places.mixers[layer], "weight")
    by_row = weight if parts.adapter.layout == "in_out" else weight.T
    return by_row.reshape(parts.graph.shape.heads, parts.graph.shape.d_head, -1)


def _allowed(ids: torch.Tensor, mask: torch.Tensor | None, causal: bool) -> torch.Tensor:
    """Return who may attend to whom [batch or 1, 1, 1, pos, attended]."""
    length = ids.shape[1]
    seen = torch.ones(length, length, dtype=torch.bool, device=ids.device)
    seen = seen.tril() if causal else seen
    allowed = seen[None] if mask is None else seen & mask.bool()[:, None]
    return allowed[:, None, None]


def _wide(dtype: torch.dtype) -> torch.dtype:
    """Return the type in which sums are taken: at least float32."""
    return torch.promote_types(dtype, torch.float32)


def _affine(
    x: torch.Tensor, module: nn.Module, layout: str, columns: Columns | None = None
) -> torch.Tensor:
    own = dict(module.named_parameters(recurse=False))
    chosen = slice(None) if columns is None else slice(columns.start, columns.stop)
    weight = parameter(module, "weight")
    into = weight[chosen].T if layout == "out_in" else weight[:, chosen]
    product = x @ into.to(x.dtype)
    return product + own["bias"][chosen].to(x.dtype) if "bias" in own else product


def _norm(x: torch.Tensor, module: nn.Module, parts: Parts) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the normed value, and what it was divided by [batch, pos, 1]."""
    own = {name: value.to(x.dtype) for name, value in module.named_parameters(recurse=False)}
    wide = x.to(_wide(x.dtype))
    if parts.adapter.norm == "layer":
        wide = wide - wide.mean(-1, keepdim=True)
    inside = wide.square().mean(-1, keepdim=True) + (parts.constants.norm_eps or 0.0)
    scaled = (wide * torch.rsqrt(inside)).to(x.dtype)
    scaled = scaled * own["weight"] if "weight" in own else scaled
    scaled = scaled + own["bias"] if "bias" in own else scaled
    return scaled, inside.sqrt().to(x.dtype)


def _speeds(parts: Parts) -> torch.Tensor | None:
    constants, width = parts.constants, parts.graph.shape.d_head
    if constants.rope_theta is None:
        return None
    return frequencies(constants.rope_theta, width, constants.rope_scaling)


def _activation(name: str) -> Callable[[torch.Tensor], torch.Tensor]:
    if name not in ACTIVATIONS:
        raise LiftError(
            f"Unknown activation {name!r}.", f"Known: {', '.join(sorted(ACTIVATIONS))}."
        )
    return ACTIVATIONS[name]
