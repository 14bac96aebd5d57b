"""What a world sets in one forward pass: edits of values, folded layer by layer."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from typing import TypeAlias

import torch
from torch import Tensor

from causalnet.execute.views import View
from causalnet.interventions import Site

__all__ = ["Check", "Edit", "NonFiniteError", "fold", "is_sound", "raise_first"]

Check: TypeAlias = Callable[[Tensor, Callable[[int], Exception]], None]
"""Told which rows are broken, and what to raise where one is, given its number."""


class NonFiniteError(Exception):
    """A value is not sound; turned into a `NumericalError` that names where it came from."""

    def __init__(self, layer: int, row: int, site: str = "") -> None:
        """Keep the layer, the row of the batch, and the site of a value that was set."""
        super().__init__(f"layer {layer}, row {row}")
        self.layer, self.row, self.site = layer, row, site


@dataclass(frozen=True, slots=True, eq=False)
class Edit:
    """One value to set during a forward pass.

    Attributes:
        site: What is set, by canonical names.
        value: From the value after the layers below, [B, T, d], to the new one.
        selected: The tokens at which it is set, [B, T].
        view: The part that is set; None for the whole value.
        layer: The layer of interventions it belongs to, from the bottom.
    """

    site: Site
    value: Callable[[Tensor], Tensor]
    selected: Tensor
    view: View | None = None
    layer: int = 0


def raise_first(broken: Tensor, error: Callable[[int], Exception]) -> None:
    """Raise the error of the first entry that is set, if there is one."""
    if broken.any():
        raise error(int(broken.flatten().nonzero()[0]))


def fold(natural: Tensor, edits: Iterable[Edit], check: Check = raise_first) -> Tensor:
    """Return a value with the layers of a world on top, bottom first.

    All edits of one layer see the value after the layers below; they set different parts of it.

    Args:
        natural: The value before, [B, T, d].
        edits: The edits of one node, cut or edge, in the order of their layers.
        check: Told which rows of a new value are not sound.

    Raises:
        NonFiniteError: A new value that is not finite, or too large to be squared.
    """
    value = natural
    for _, layer in groupby(edits, key=attrgetter("layer")):
        below = value
        for edit in layer:
            value = _placed(edit, edit.value(below), value, check)
    return value


def _placed(edit: Edit, fresh: Tensor, current: Tensor, check: Check) -> Tensor:
    broken, site = ~is_sound(fresh) & edit.selected, edit.site
    check(broken.any(1), lambda row: NonFiniteError(-1, row, str(site)))
    placed = fresh if edit.view is None else edit.view.place(fresh, current)
    return torch.where(edit.selected[..., None], placed, current)


def is_sound(value: Tensor) -> Tensor:
    """Return where a value is finite and small enough for a norm to square, [...] of [..., d].

    A square that overflows makes a norm return zeros: a wrong number without a NaN.
    """
    wide = value.detach().to(torch.promote_types(value.dtype, torch.float32))
    return torch.isfinite(wide.square().sum(-1))
