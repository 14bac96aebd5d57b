"""Products with weight matrices, by the fastest kernel at hand.

On a CPU, torch multiplies float32 matrices with MKL, which takes AVX2 paths on processors that are
not Intel's: half the rate of oneDNN, which torch ships too and uses for bfloat16.  Its linear
product needs no packed copy of a weight matrix, but packs it anew in every call, which a thousand
rows or two pay for; and it falls back to a loop a thousand times slower where the matrix is a slice
of another one's columns, so those stay with MKL.
"""

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["Projection", "linear"]


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Return x @ weight.T + bias.

    Args:
        x: Any leading axes, then what is read [..., in].
        weight: [out, in]; a transposed view is as good.
        bias: [out].

    >>> linear(torch.ones(1, 2), torch.tensor([[1.0, 2.0], [3.0, 4.0]])).tolist()
    [[3.0, 7.0]]
    """
    if _suits_onednn(x, weight):
        flat = x.reshape(-1, x.shape[-1])
        product: Tensor = torch.ops.mkldnn._linear_pointwise(flat, weight, bias, "none", [], "")
        return product.view(*x.shape[:-1], weight.shape[0])
    return F.linear(x, weight, bias)


_MKLDNN: Any = torch.backends.mkldnn  # torch gives it no types
_HAS_ONEDNN = _MKLDNN.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise")


def _suits_onednn(x: Tensor, weight: Tensor) -> bool:
    is_dense = weight.is_contiguous() or weight.T.is_contiguous()
    is_float = x.dtype is weight.dtype is torch.float32 and x.device.type == "cpu"
    # The kernel has no derivative, and an empty product has no shape that it knows.
    return _HAS_ONEDNN and is_float and is_dense and x.numel() > 0 and not _is_recorded(x, weight)


def _is_recorded(x: Tensor, weight: Tensor) -> bool:
    return torch.is_grad_enabled() and (x.requires_grad or weight.requires_grad)


@dataclass(frozen=True, slots=True, eq=False)
class Projection:
    """An affine map with a model's own weights.

    Attributes:
        weight: [out, in], a view of the model's parameter whatever its layout.
        bias: [out], or None.
    """

    weight: Tensor
    bias: Tensor | None = None

    def __call__(self, x: Tensor) -> Tensor:
        """Map [..., in] to [..., out]."""
        return linear(x, self.weight, self.bias)

    def columns(self, start: int, stop: int) -> "Projection":
        """Return the map to some columns of the output, as views.

        >>> Projection(torch.eye(3)).columns(1, 2)(torch.tensor([5.0, 6.0, 7.0])).tolist()
        [6.0]
        """
        bias = None if self.bias is None else self.bias[start:stop]
        return Projection(self.weight[start:stop], bias)
