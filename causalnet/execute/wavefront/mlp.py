"""MLPs as functions of their weights: out(act(gate(x)) * in(x)), or out(act(in(x)))."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor

from causalnet.errors import LiftError
from causalnet.execute.wavefront.linear import Projection
from causalnet.execute.wavefront.norms import Norm

__all__ = ["ACTIVATIONS", "Activation", "Mlp", "activation"]

Activation: TypeAlias = Callable[[Tensor], Tensor]
"""Works in place where it can; what it is given is not used again."""


def _silu_(x: Tensor) -> Tensor:
    return F.silu(x, inplace=True)


def _tanh_gelu(x: Tensor) -> Tensor:
    return F.gelu(x, approximate="tanh")


ACTIVATIONS: Mapping[str, Activation] = {
    "silu": _silu_,
    "swish": _silu_,
    "gelu": F.gelu,
    "gelu_new": _tanh_gelu,
    "gelu_pytorch_tanh": _tanh_gelu,
    "relu": torch.relu_,
    "identity": lambda x: x,
}


def activation(name: str) -> Activation:
    """Return an activation by the name that checkpoints give it.

    Raises:
        LiftError: No such activation.
    """
    if name not in ACTIVATIONS:
        raise LiftError(
            f"Unknown activation {name!r}.", f"Known: {', '.join(sorted(ACTIVATIONS))}."
        )
    return ACTIVATIONS[name]


@dataclass(frozen=True, slots=True, eq=False)
class Mlp:
    """The MLP of one layer.

    Attributes:
        into: The input projection.
        gate: The gate projection, or None where the MLP is plain.
        out: The output projection.
        act: The activation.
        norm: The norm in front, which `add_` takes and a call does not.
    """

    into: Projection
    gate: Projection | None
    out: Projection
    act: Activation
    norm: Norm

    def __call__(self, normed: Tensor) -> Tensor:
        """Return what the MLP makes of a normed stream [..., d]."""
        if self.gate is None:
            return self.out(self.act(self.into(normed)))
        return self.out(self.act(self.gate(normed)).mul_(self.into(normed)))

    def add_(self, x: Tensor, chunk_tokens: int = 2048) -> Tensor:
        """Add the MLP's output to a stream [..., d] in place, and return the stream.

        Args:
            x: The stream, contiguous.
            chunk_tokens: Tokens at a time: the hidden layer [chunk_tokens, d_mlp] is all the memory
                that is needed, and stays in the processor's caches.
        """
        for part in torch.split(x.view(-1, x.shape[-1]), chunk_tokens):
            part += self(self.norm(part))
        return x
