"""What a world sets in a value of any shape: values of terms, views, layers on each other."""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor

from causalnet.errors import NumericalError, TermError
from causalnet.execute.batch import TokenBatch, make_batch
from causalnet.execute.bindings import PerPosition, Pooled
from causalnet.execute.modules.bindings import Examples, ModuleBindings
from causalnet.execute.modules.plans import Assigned
from causalnet.execute.operations import Setting, apply_operation
from causalnet.execute.values import evaluated
from causalnet.execute.views import view_of
from causalnet.graphs import Axis, MediatorGraph, Role
from causalnet.interventions import (
    At,
    Const,
    Handle,
    Indices,
    Noise,
    Op,
    Position,
    Self,
    Site,
    Value,
)
from causalnet.tasks import Prompts

__all__ = ["Setter", "position_axis"]

Reading: TypeAlias = Callable[[At], tuple[Tensor, Examples]]
"""The settled value of a mediator in another world, and that world's examples."""


def position_axis(axes: Sequence[Axis]) -> int | None:
    """Return which axis of a value has positions, None where none has."""
    return next((at for at, axis in enumerate(axes) if axis.role is Role.POSITION), None)


@dataclass(frozen=True, slots=True, eq=False)
class Setter:
    """What is needed to set values in one world.

    Attributes:
        graph: The graph.
        bindings: The tensors behind handles.
        examples: The examples of the world.
        rows: Which of them the rows of the batch are.
        read: Gives values of other worlds.
        factors: The factors by which derivatives are taken, [B] each.
    """

    graph: MediatorGraph
    bindings: ModuleBindings
    examples: Examples
    rows: Sequence[int]
    read: Reading
    factors: Sequence[Tensor] = ()

    def fold(self, natural: Tensor, assigned: Iterable[Assigned]) -> Tensor:
        """Return a value with the layers of a world on top, bottom first, [B, ...].

        All sites of one layer see the value after the layers below; they set different parts.

        Raises:
            NumericalError: A new value that is not finite.
        """
        value = natural
        for _, layer in groupby(assigned, key=lambda one: one.layer):
            below = value
            for one in layer:
                value = self._placed(one, below, value)
        return value

    def _placed(self, one: Assigned, below: Tensor, current: Tensor) -> Tensor:
        axes = self.graph.axes(one.site.read_from)
        if one.factor is None:
            fresh = self._value(one.value, one.site, below)
        else:
            with torch.no_grad():
                along = self._value(one.value, one.site, below)
            factor = self.factors[one.factor].reshape(-1, *[1] * (below.ndim - 1))
            fresh = below + factor.to(below) * along
        selected = self._selected(one.site, axes, below)
        self._check_finite(fresh, selected, one.site)
        match one.site.part:
            case None:
                placed = fresh
            case Indices(name, indices):
                placed = torch.where(_entries(name, indices, axes, below), fresh, current)
            case _:
                view = view_of(one.site, self.graph, self._prompts(1), self.bindings.of_terms)
                assert view is not None
                placed = view.place(fresh, current)
        return placed if selected is None else torch.where(selected, placed, current)

    def _selected(self, site: Site, axes: Sequence[Axis], like: Tensor) -> Tensor | None:
        """Return which entries the positions of a site select, broadcastable; None for all."""
        if not site.at:
            return None
        axis = position_axis(axes)
        assert axis is not None  # terms are checked before they are run
        chosen = torch.zeros(len(like), like.shape[axis], dtype=torch.bool, device=like.device)
        for position in site.at:
            chosen[range(len(like)), self._columns(self.examples, position, like, axis)] = True
        sizes = [1] * like.ndim
        sizes[0], sizes[axis] = chosen.shape
        return chosen.reshape(sizes)

    def _columns(self, examples: Examples, at: Position, like: Tensor, axis: int) -> Tensor:
        return examples.columns(at, like.shape[axis], self.rows).to(like.device)

    def _check_finite(self, fresh: Tensor, selected: Tensor | None, site: Site) -> None:
        if not fresh.is_floating_point():
            return
        broken = ~torch.isfinite(fresh)
        if selected is not None:
            broken = broken & selected
        if broken.any():
            row = int(broken.flatten(1).any(1).nonzero()[0])
            raise NumericalError(
                f"The value set at {site} holds NaN or infinity on row {self.rows[row]}.",
                "It is the first such value in the order of the graph.",
                "Check what it is made of, or use a smaller vector.",
            )

    # -- values of terms -------------------------------------------------------------------------

    def _value(self, value: Value, site: Site, below: Tensor) -> Tensor:
        """Return a value of the site's shape, given that after the layers below."""
        return evaluated(value, lambda part, inside: self._one(part, inside, site, below))

    def _one(self, value: Value, inside: tuple[Tensor, ...], site: Site, below: Tensor) -> Tensor:
        match value:
            case Self():
                return below
            case Const(None):
                return torch.zeros_like(below)
            case Const(handle) if handle is not None:
                return self._constant(handle, below)
            case At():
                return self._read_at(value, site, below)
            case Noise(key):
                return _noise(key, self.rows, below)
            case Op():
                axis = position_axis(self.graph.axes(site.read_from))
                batch = self._prompts(1 if axis is None else below.shape[axis])
                setting = Setting(batch, batch.selected(site.at if axis is not None else ()))
                fresh = apply_operation(value, inside, setting, self.bindings.of_terms)
                return fresh.expand_as(below)
        raise AssertionError(value)  # all values are listed

    def _constant(self, handle: Handle, below: Tensor) -> Tensor:
        constant = self.bindings.of_terms.constant(handle)
        match constant:
            case Pooled(values) if values.shape == below.shape[below.ndim - values.ndim :]:
                return values.to(below).expand_as(below)
            case Pooled(values):
                told = f"The constant {handle.label!r} is {list(values.shape)}."
            case PerPosition():
                told = f"The constant {handle.label!r} has values by template."
            case _:
                told = f"The constant {handle.label!r} is a matrix."
        raise TermError(
            told,
            f"The value that it replaces is {list(below.shape[1:])} in each row.",
            "Bind it as Pooled, of that shape or of the last axes.",
        )

    def _read_at(self, value: At, site: Site, below: Tensor) -> Tensor:
        theirs, there = self.read(value)
        if not site.at:
            return theirs
        axis = position_axis(self.graph.axes(site.read_from))
        assert axis is not None  # terms are checked before they are run
        moved, rows = below.clone().movedim(axis, 1), torch.arange(len(below))
        for position in site.at:
            here = self._columns(self.examples, position, below, axis)
            read = self._columns(there, position, theirs, axis)
            moved[rows, here] = theirs.movedim(axis, 1)[rows, read].to(moved)
        return moved.movedim(1, axis)

    def _prompts(self, size: int) -> TokenBatch:
        """Return the batch as operations see it: rows with as many tokens as there are positions.

        Operations that count tokens are of attention patterns, which these graphs have none of.
        """
        count = len(self.rows)
        prompts = Prompts(
            tuple(f"row {row}" for row in self.rows),
            ((0,) * size,) * count,
            (("",) * size,) * count,
            {"end": (size - 1,) * count} | _fitting(self.examples, self.rows, size),
            ("",) * count,
        )
        return make_batch(prompts, range(count), torch.device("cpu"))


def _fitting(examples: Examples, rows: Sequence[int], size: int) -> dict[str, tuple[int, ...]]:
    """Return the named positions that lie on an axis."""
    named = {name: tuple(at[row] for row in rows) for name, at in examples.positions.items()}
    return {
        name: at
        for name, at in named.items()
        if name != "end" and all(0 <= index < size for index in at)
    }


def _entries(name: str, indices: tuple[int, ...], axes: Sequence[Axis], like: Tensor) -> Tensor:
    """Return where an index set lies in a value, broadcastable to it."""
    axis = next(at for at, one in enumerate(axes) if one.name == name)
    chosen = torch.zeros(like.shape[axis], dtype=torch.bool, device=like.device)
    chosen[list(indices)] = True
    return chosen.reshape(-1, *[1] * (like.ndim - axis - 1))


def _noise(key: str, rows: Sequence[int], like: Tensor) -> Tensor:
    """Return standard normal noise, [B, ...]; a row's draw is decided by the key and its number.

    It is numpy's PCG64 seeded with the first 16 bytes of sha256("key|number").
    """
    drawn = []
    for row in rows:
        digest = hashlib.sha256(f"{key}|{row}".encode()).digest()[:16]
        generator = np.random.Generator(np.random.PCG64(int.from_bytes(digest, "big")))
        drawn.append(torch.from_numpy(generator.standard_normal(tuple(like.shape[1:]))))
    return torch.stack(drawn).to(like)
