"""Norms as functions of their weights: x to c / scale * weight + bias.

With c = x (RMS) or x - mean(x) (layer norm), and the scale s = sqrt(mean(c^2) + eps).
"""

from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["Norm", "wide"]


def wide(dtype: torch.dtype) -> torch.dtype:
    """Return the type in which sums are taken: at least float32."""
    return torch.promote_types(dtype, torch.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Norm:
    """A norm in front of receivers.

    Attributes:
        kind: "rms", "layer" or "none", which changes nothing.
        weight: [d], or None.
        bias: [d], or None.
        eps: What is added to the mean square.
    """

    kind: Literal["rms", "layer", "none"]
    weight: Tensor | None = None
    bias: Tensor | None = None
    eps: float = 0.0

    def __call__(self, x: Tensor) -> Tensor:
        """Return the normed stream [..., d].

        >>> Norm("rms")(torch.tensor([[2.0, -2.0, 2.0, 2.0]])).tolist()
        [[1.0, -1.0, 1.0, 1.0]]
        """
        width = (x.shape[-1],)
        if self.kind == "layer":
            return F.layer_norm(x, width, self.weight, self.bias, self.eps)
        if self.kind == "rms":
            return self._rms(x)
        return x

    def _rms(self, x: Tensor) -> Tensor:
        if x.device.type != "cpu":  # one kernel there, but five passes over memory on a CPU
            normed = F.rms_norm(x, (x.shape[-1],), self.weight, self.eps)
            return normed if self.bias is None else normed + self.bias
        kept = x.to(wide(x.dtype))
        normed = (kept / self._divisor(kept)).to(x.dtype)
        normed = normed if self.weight is None else normed.mul_(self.weight)
        return normed if self.bias is None else normed.add_(self.bias)

    def scale(self, x: Tensor) -> Tensor:
        """Return what the norm divides a stream [..., d] by, [..., 1]; ones where kind is "none".

        >>> Norm("layer", eps=0.0).scale(torch.tensor([[4.0, 2.0]])).tolist()
        [[1.0]]
        """
        if self.kind == "none":
            return x.new_ones((*x.shape[:-1], 1))
        return self._divisor(self.numerator(x)).to(x.dtype)

    def numerator(self, x: Tensor) -> Tensor:
        """Return what the norm divides, [..., d], in at least float32."""
        kept = x.to(wide(x.dtype))
        return kept - kept.mean(-1, keepdim=True) if self.kind == "layer" else kept

    def _divisor(self, numerator: Tensor) -> Tensor:
        # A vector's length is one pass over memory; squares and their mean are three.
        length: Tensor = torch.linalg.vector_norm(numerator, dim=-1, keepdim=True)
        return length.square_().div_(numerator.shape[-1]).add_(self.eps).sqrt_()
