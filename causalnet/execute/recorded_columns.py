"""Recorded activations as columns of samples, one row for each prompt.

Estimation reads columns of numbers and knows no tensors; this is the way there, from any device
and any floating-point type.
"""

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from causalnet.errors import ParameterError, UnknownMediatorError
from causalnet.graphs.names import nearest

__all__ = ["samples_from_activations"]


def samples_from_activations(
    activations: Mapping[str, Tensor], directions: Mapping[str, Tensor] | None = None
) -> dict[str, NDArray[np.generic]]:
    """Return columns of samples from activations, one row for each prompt.

    A tensor of one axis becomes a column.  One with more axes is projected onto a direction, or
    becomes one column for each place: `L0.H1[3]`, or `L0.H1[2,3]`.

    Args:
        activations: Tensors whose first axis is prompts, by the names of mediators.
        directions: For some of them what to project onto; of the shape of one prompt's activation.

    Raises:
        UnknownMediatorError: A direction for what is not there.
        ParameterError: Tensors for different numbers of prompts, or a direction of another shape.

    >>> head = torch.tensor([[1.0, 2.0], [3.0, 4.0]], dtype=torch.bfloat16)
    >>> samples_from_activations({"H": head})["H[1]"].tolist()
    [2.0, 4.0]
    >>> samples_from_activations({"H": head}, {"H": torch.tensor([1.0, -1.0])})["H"].tolist()
    [-1.0, -1.0]
    """
    onto = directions or {}
    for name in onto:
        if name not in activations:
            near = ", ".join(map(repr, nearest(name, activations) or activations))
            raise UnknownMediatorError(
                f"A direction for {name!r}, which was not recorded.", f"Nearest: {near}."
            )
    columns: dict[str, NDArray[np.generic]] = {}
    prompts: dict[str, int] = {}
    for name, tensor in activations.items():
        if tensor.ndim == 0:
            raise ParameterError(f"{name!r} is one number.", "Its first axis is prompts.")
        prompts[name] = len(tensor)
        columns |= _columns(name, tensor, onto.get(name))
    if len(set(prompts.values())) > 1:
        told = ", ".join(f"{name} for {number}" for name, number in prompts.items())
        raise ParameterError(
            f"Activations are for different numbers of prompts: {told}.",
            "Each has one row for each prompt.",
        )
    return columns


def _columns(name: str, tensor: Tensor, direction: Tensor | None) -> dict[str, NDArray[np.generic]]:
    if direction is not None:
        if direction.shape != tensor.shape[1:]:
            raise ParameterError(
                f"The direction for {name!r} has shape {tuple(direction.shape)}.",
                f"One prompt's activation has shape {tuple(tensor.shape[1:])}.",
            )
        along = direction.detach().to("cpu", torch.float64)
        onto = tensor.detach().to("cpu", torch.float64) * along
        return {name: np.asarray(onto.reshape(len(tensor), -1).sum(dim=1).numpy())}
    array = _array(tensor)
    if array.ndim == 1:
        return {name: array}
    return {
        f"{name}[{','.join(map(str, at))}]": array[(slice(None), *at)]
        for at in np.ndindex(*array.shape[1:])
    }


def _array(tensor: Tensor) -> NDArray[np.generic]:
    """Return a tensor as an array: floating-point numbers in double precision, others as such."""
    kept = tensor.detach()
    found = kept.to("cpu", torch.float64) if kept.is_floating_point() else kept.cpu()
    return np.asarray(found.numpy())
