"""Rotary frequencies from what a checkpoint declares, never from the model's own table."""

import math
from collections.abc import Mapping

import torch

from causalnet.errors import LiftError

__all__ = ["frequencies", "rotate"]


def frequencies(theta: float, width: int, scaling: Mapping[str, object]) -> torch.Tensor:
    """Return the angle per position of each pair of columns, float64 [width / 2].

    Args:
        theta: The base; the frequencies are theta ** (-2 i / width) (Su et al. 2021).
        width: The width of a head.
        scaling: Empty, or what the checkpoint declares: rope_type "linear" (Chen et al. 2023) or
            "llama3" (Llama 3.1), with its numbers.

    Raises:
        LiftError: Another type of scaling, or one with a number missing.

    >>> frequencies(100.0, 4, {}).tolist()
    [1.0, 0.1]
    """
    plain = theta ** -(torch.arange(0, width, 2, dtype=torch.float64) / width)
    kind = scaling.get("rope_type", scaling.get("type")) if scaling else "default"
    if kind == "default":
        return plain
    if kind == "linear":
        return plain / _given(scaling, "factor")
    if kind == "llama3":
        return _llama3(plain, scaling)
    raise LiftError(
        f"The checkpoint declares rotary positions of type {kind!r}.",
        "Rebuilt are 'default', 'linear' and 'llama3'.",
    )


def _llama3(plain: torch.Tensor, scaling: Mapping[str, object]) -> torch.Tensor:
    """Slow the long wavelengths by `factor`, keep the short ones, and blend between."""
    low, high = _given(scaling, "low_freq_factor"), _given(scaling, "high_freq_factor")
    turns = _given(scaling, "original_max_position_embeddings") * plain / (2 * math.pi)
    kept = ((turns - low) / (high - low)).clamp(0.0, 1.0)
    return plain * (kept + (1 - kept) / _given(scaling, "factor"))


def _given(scaling: Mapping[str, object], name: str) -> float:
    value = scaling.get(name)
    if not isinstance(value, int | float):
        raise LiftError(
            f"The checkpoint's rotary scaling {dict(scaling)!r} gives no number {name!r}.",
            "'linear' needs factor; 'llama3' also low_freq_factor, high_freq_factor and "
            "original_max_position_embeddings.",
        )
    return float(value)


def rotate(x: torch.Tensor, positions: torch.Tensor, speeds: torch.Tensor) -> torch.Tensor:
    """Rotate [batch, pos, heads, d_head] by position [batch, pos], first half against second.

    Angles are taken in float32 at least, as the model does.
    """
    exact = torch.promote_types(x.dtype, torch.float32)
    angles = positions[..., None].to(exact) * speeds.to(positions.device, exact)
    cos, sin = (part[:, :, None].to(x.dtype) for part in (angles.cos(), angles.sin()))
    first, second = x.chunk(2, dim=-1)
    return torch.cat((first * cos - second * sin, second * cos + first * sin), dim=-1)
