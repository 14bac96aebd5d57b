"""Tensors under handles: given vectors and bases, and the mean difference of pairs."""

import hashlib
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from causalnet.effects.reference import REFERENCE_BATCH
from causalnet.errors import TermError
from causalnet.execute import Constant, Matrix, PerPosition, Pooled, TokenBatch, record
from causalnet.graphs import Mediator
from causalnet.interventions import Handle, Position
from causalnet.interventions.queries import positions_of
from causalnet.interventions.techniques import mean_difference
from causalnet.lift import LiftedNetwork
from causalnet.tasks import PromptPairs

__all__ = ["check_vectors", "contrastive_vector", "matrix", "vector"]

DIGITS = 64  # of a digest of content


def vector(label: str, values: Tensor) -> tuple[Handle, Pooled]:
    """Return a vector under a handle, to pass in `run(..., vectors=dict([cn.vector(...)]))`.

    Args:
        label: What it is called.
        values: [d].
    """
    return Handle(label, _vector_digest(values)), Pooled(values)


def matrix(label: str, values: Tensor) -> tuple[Handle, Matrix]:
    """Return a basis, an encoder or a bias under a handle, for views and operations.

    Args:
        label: What it is called.
        values: A tensor of any shape; a basis is [d, k].
    """
    return Handle(label, _vector_digest(values)), Matrix(values)


def contrastive_vector(
    mediator: Mediator,
    net: LiftedNetwork,
    pairs: PromptPairs,
    at: Position | Sequence[Position] = "end",
) -> tuple[Handle, Pooled]:
    """Return a mediator's mean over pairs and positions of its value in base minus in source.

    It is what `contrastive_steering` adds (Panickssery et al. 2024); the mean is taken in float64.

    Args:
        mediator: The mediator.
        net: The lifted network.
        pairs: The pairs over which the mean is taken.
        at: Positions at which both are read; none, or "all", means every token.

    Raises:
        PromptError: A position that the prompts do not have.
    """
    means = []
    for prompts in (pairs.base, pairs.source):
        values: list[Tensor] = []

        def keep(
            batch: TokenBatch, found: Mapping[str, Tensor], values: list[Tensor] = values
        ) -> None:
            chosen = batch.selected(positions_of(at)) & batch.mask
            values.append(found[mediator.name][chosen].to("cpu", torch.float64))

        record((mediator.name,), net, prompts, keep, batch_size=REFERENCE_BATCH)
        means.append(torch.cat(values).mean(0))
    return mean_difference(mediator, at), Pooled(means[0] - means[1])


def _vector_digest(values: Tensor) -> str:
    raw = values.detach().cpu().contiguous().to(torch.float64).numpy().tobytes()
    return hashlib.sha256(raw).hexdigest()


def check_vectors(vectors: Mapping[Handle, Constant]) -> None:
    """Check that every vector is the one that its handle names.

    Raises:
        TermError: No constants by handle, or another vector under a handle.
    """
    if not isinstance(vectors, Mapping):
        raise TermError(
            f"A {type(vectors).__name__} was given as vectors.",
            "They are constants by their handles.",
            "Write vectors=dict([cn.vector(label, values)]).",
        )
    for handle, bound in vectors.items():
        if not isinstance(handle, Handle) or not isinstance(bound, Constant):
            raise TermError(
                f"A {type(bound).__name__} was given under {str(handle)!r:.80}, a "
                f"{type(handle).__name__}.",
                "Under a Handle there is a Pooled, PerPosition or Matrix constant.",
                "Write vectors=dict([cn.vector(label, values)]).",
            )
        if isinstance(bound, PerPosition) or len(handle.digest) != DIGITS:
            continue  # named by what it was computed from
        values = bound.vector if isinstance(bound, Pooled) else bound.values
        if _vector_digest(values) != handle.digest:
            raise TermError(
                f"The vector given for {handle.label!r} is not the one that its handle names.",
                "A handle is made from the vector's content.",
                "Write vectors=dict([cn.vector(label, values)]).",
            )
