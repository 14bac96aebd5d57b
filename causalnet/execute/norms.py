"""Norms as two nodes: the divisor that a receiver's norm takes of the stream, and what it makes.

A norm maps x to c / s * weight + bias, with c = x (RMS) or x - mean(x) (layer norm) and the scale
s = sqrt(mean(c^2) + eps).
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from causalnet.lift import LiftedNetwork

__all__ = ["Norm"]


@dataclass(frozen=True, slots=True, eq=False)
class Norm:
    """The norm in front of a receiver.

    Attributes:
        module: The model's own norm.
        centred: Whether it takes off the mean.
        eps: What it adds to the variance.
    """

    module: nn.Module
    centred: bool
    eps: float

    @classmethod
    def of(cls, net: LiftedNetwork, module: nn.Module | None) -> "Norm | None":
        """Return the norm of a network's module, None where receivers have none."""
        if module is None or net.adapter.norm == "none":
            return None
        return cls(module, net.adapter.norm == "layer", net.parts.constants.norm_eps or 0.0)

    def scale(self, stream: Tensor) -> Tensor:
        """Return what the norm divides by, [B, T, 1]."""
        inside = self._numerator(stream).square().mean(-1, keepdim=True) + self.eps
        return inside.sqrt().to(stream.dtype)

    def __call__(self, stream: Tensor) -> Tensor:
        """Return what the model's own norm makes of a stream; hooks on it are not called."""
        normed: Tensor = self.module.forward(stream)
        return normed

    def rescaled(self, normed: Tensor, stream: Tensor, scale: Tensor, own: Tensor) -> Tensor:
        """Return a normed value with another scale than the norm's own.

        The model's value is moved by the difference, so that its own scale changes no bit.
        """
        numerator = self._numerator(stream)
        moved = numerator / scale.to(numerator) - numerator / own.to(numerator)
        weight = dict(self.module.named_parameters(recurse=False)).get("weight")
        moved = moved if weight is None else moved * weight.to(moved)
        return normed + moved.to(normed)

    def _numerator(self, stream: Tensor) -> Tensor:
        wide = stream.to(torch.promote_types(stream.dtype, torch.float32))
        return wide - wide.mean(-1, keepdim=True) if self.centred else wide
