"""Values of terms as tensors: constants, other worlds' values, noise, operations."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from causalnet.execute.batch import TokenBatch
from causalnet.execute.bindings import Bindings, constant_rows
from causalnet.execute.devices import on_device
from causalnet.execute.operations import Setting, apply_operation
from causalnet.interventions import At, Const, Noise, Op, Position, Self, Value

__all__ = ["Evaluator", "evaluated", "noise_rows"]


def evaluated(value: Value, one: Callable[[Value, tuple[Tensor, ...]], Tensor]) -> Tensor:
    """Return a value; operations may be nested deeply, and share arguments.

    Args:
        value: The value.
        one: From a part and its arguments' tensors to its own; called once for each part.
    """
    done: dict[Value, Tensor] = {}
    waiting: list[Value] = [value]
    while waiting:
        current = waiting[-1]
        inside = current.arguments if isinstance(current, Op) else ()
        missing = [part for part in inside if part not in done]
        if missing:
            waiting.extend(missing)
            continue
        waiting.pop()
        if current not in done:
            done[current] = one(current, tuple(done[part] for part in inside))
    return done[value]


@dataclass(frozen=True, slots=True, eq=False)
class Evaluator:
    """What a value at one site needs to become a tensor.

    Attributes:
        bindings: The tensors behind handles.
        setting: The prompts of the world, and the tokens that are set.
        rows: Which prompts the rows of the batch are.
        at: The site's positions.
        attended: Whether the last axis is tokens that are attended to.
        read: The settled value of a mediator in another world, and that world's prompts.
    """

    bindings: Bindings
    setting: Setting
    rows: Sequence[int]
    at: Sequence[Position]
    attended: bool
    read: Callable[[At], tuple[Tensor, TokenBatch]]

    def __call__(self, value: Value, below: Tensor) -> Tensor:
        """Return a value, [B, T, d], given that of the site after the layers below."""
        return evaluated(value, lambda part, inside: self._one(part, inside, below))

    def _one(self, value: Value, inside: tuple[Tensor, ...], below: Tensor) -> Tensor:
        batch = self.setting.batch
        match value:
            case Self():
                return below
            case Const(None):
                return torch.zeros_like(below)
            case Const(handle) if handle is not None:
                constant = self.bindings.constant(handle)
                return constant_rows(constant, batch, below, self.attended).expand_as(below)
            case At():
                theirs, there = self.read(value)
                return _placed(self.at, below, batch, theirs, there)
            case Noise(key):
                numbers = self.bindings.numbered(self.rows)
                return noise_rows(key, batch, numbers, below, self.attended)
            case Op():
                fresh = apply_operation(value, inside, self.setting, self.bindings)
                return fresh.expand_as(below)
        raise AssertionError(value)  # all values are listed


def _placed(
    at: Sequence[Position], below: Tensor, here: TokenBatch, theirs: Tensor, there: TokenBatch
) -> Tensor:
    """Return another world's value at the positions of a site, [B, T, d]."""
    if not at:
        return theirs
    value, rows = below.clone(), torch.arange(len(below), device=below.device)
    for position in at:
        value[rows, here.columns(position)] = theirs[rows, there.columns(position)]
    return value


def noise_rows(
    key: str, batch: TokenBatch, rows: Sequence[int], like: Tensor, attended: bool = False
) -> Tensor:
    """Return standard normal noise for a batch, [B, T, d], 0 at padding.

    The draw of a prompt is decided by the key and the prompt's number alone, so that batches and
    padding do not change it, and one key is one draw wherever it is written.  It is numpy's PCG64
    seeded with the first 16 bytes of sha256("key|number"), drawn position by position.

    Args:
        key: Names the draw.
        batch: The prompts.
        rows: The numbers of the batch's prompts.
        like: A value of the same type, [B, T, d].
        attended: Whether the last axis is tokens that are attended to.
    """
    filled = torch.zeros_like(like)
    for index, (row, ids) in enumerate(zip(rows, batch.prompts.ids, strict=True)):
        digest = hashlib.sha256(f"{key}|{row}".encode()).digest()[:16]
        drawn = np.random.Generator(np.random.PCG64(int.from_bytes(digest, "big")))
        width = len(ids) if attended else like.shape[-1]
        values = torch.from_numpy(drawn.standard_normal((len(ids), width))).to(like.dtype)
        start = batch.starts[index]
        columns = slice(start, start + len(ids)) if attended else slice(None)
        filled[index, start : start + len(ids), columns] = on_device(values, like.device)
    return filled
