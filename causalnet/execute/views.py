"""Views as tensors: which part of a value a site sets."""

from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor

from causalnet.errors import TermError
from causalnet.execute.batch import TokenBatch
from causalnet.execute.bindings import Bindings
from causalnet.execute.devices import on_device
from causalnet.graphs import MediatorGraph
from causalnet.interventions import Handle, Indices, Site, Subspace

__all__ = ["Entries", "Projector", "View", "is_attended", "projector_of", "view_of"]

ROUNDINGS, COARSEST = 1000, 1e-4  # how many roundings a basis may be off, at most


@dataclass(frozen=True, slots=True, eq=False)
class Entries:
    """Some entries of the last axis.

    Attributes:
        chosen: True at those entries, [d] or [B, 1, d].
    """

    chosen: Tensor

    def place(self, fresh: Tensor, current: Tensor) -> Tensor:
        """Return (1 - P) current + P fresh, [B, T, d]."""
        return torch.where(self.chosen, fresh, current)


@dataclass(frozen=True, slots=True, eq=False)
class Projector:
    """A projection P = span cospan^T of the last axis, [d, k] both."""

    span: Tensor
    cospan: Tensor

    def place(self, fresh: Tensor, current: Tensor) -> Tensor:
        """Return (1 - P) current + P fresh, [B, T, d]."""
        span, cospan = self.span.to(current), self.cospan.to(current)
        return current + (fresh - current) @ cospan @ span.T


View: TypeAlias = Entries | Projector


def is_attended(name: str, graph: MediatorGraph) -> bool:
    """Return whether the last axis of a mediator's value is tokens that are attended to."""
    axes = graph.axes(name)
    return bool(axes) and axes[-1].name == "attended"


def view_of(site: Site, graph: MediatorGraph, batch: TokenBatch, bindings: Bindings) -> View | None:
    """Return the view of a site's part on a batch, None for a whole value.

    Raises:
        TermError: An axis, index or column that the value does not have; a basis of another width,
            or one that is not orthonormal and has no dual.
    """
    match site.part:
        case None:
            return None
        case Indices() as part:
            return _entries(site, part, graph, batch)
        case Subspace() as part:
            return projector_of(site, part, graph, bindings)


def _entries(site: Site, part: Indices, graph: MediatorGraph, batch: TokenBatch) -> Entries:
    axis = graph.axes(site.read_from)[-1]
    if part.axis != axis.name:
        raise TermError(
            f"{site} names the axis {part.axis!r}.",
            f"The last axis of {site.read_from} is {axis.name!r}.",
        )
    size = axis.size if axis.size is not None else min(batch.prompts.lengths)
    if part.indices[-1] >= size:
        raise TermError(
            f"{site} names entry {part.indices[-1]}.",
            f"The {axis.name} axis of {site.read_from} has entries 0..{size - 1}"
            f"{' in the shortest prompt' if axis.size is None else ''}.",
        )
    listed, device = torch.tensor(part.indices), batch.ids.device
    if axis.size is None:  # tokens, which padding moves
        chosen = torch.zeros(batch.mask.shape, dtype=torch.bool)
        chosen.scatter_(1, listed + torch.tensor(batch.starts)[:, None], True)
        return Entries(on_device(chosen[:, None], device))
    chosen = torch.zeros(size, dtype=torch.bool)
    chosen[listed] = True
    return Entries(on_device(chosen, device))


def projector_of(site: Site, part: Subspace, graph: MediatorGraph, bindings: Bindings) -> Projector:
    """Return the projection onto a subspace of a site's value.

    Raises:
        TermError: A basis of another width, one without the column, or one that is not orthonormal
            and has no dual.
    """
    basis = bindings.tensor(part.basis)
    dual = basis if part.dual is None else bindings.tensor(part.dual)
    size = graph.axes(site.read_from)[-1].size
    for handle, tensor in ((part.basis, basis), (part.dual or part.basis, dual)):
        if tensor.ndim != 2 or tensor.shape[0] != size or tensor.shape != basis.shape:
            raise TermError(
                f"The basis {handle} of {site} has the shape {tuple(tensor.shape)}.",
                f"A basis is [width of the value, columns], and the value is {size} wide; a dual "
                "has the shape of its basis.",
            )
    if part.columns[-1] >= basis.shape[1]:
        raise TermError(
            f"{site} names column {part.columns[-1]}.",
            f"The basis {part.basis} has columns 0..{basis.shape[1] - 1}.",
        )
    _check_dual(part.basis, basis, dual, part.dual is not None)
    columns = list(part.columns)
    return Projector(basis[:, columns], dual[:, columns])


def _check_dual(handle: Handle, basis: Tensor, dual: Tensor, has_dual: bool) -> None:
    with torch.no_grad():
        product = dual.cpu().double().T @ basis.cpu().double()  # not every device has float64
        one = torch.eye(len(product), dtype=product.dtype, device=product.device)
        off = float((product - one).abs().max())
    if not off <= min(ROUNDINGS * torch.finfo(basis.dtype).eps, COARSEST):
        raise TermError(
            f"The basis {handle} is {'not paired with its dual' if has_dual else 'not orthonormal'}"
            f": {'dual^T basis' if has_dual else 'basis^T basis'} is off one by {off:.1e}.",
            "A subspace is set through a projection, which squares to itself.",
            "Orthonormalise its columns (torch.linalg.qr), in float32 or finer, or bind a dual.",
        )
