"""Is a lifted model still the one that was checked?

Lifting proves that a graph computes what the model does, at one moment.  What a user does to the
model afterwards (a weight edited or replaced, a hook that was left, dropout switched on) would make
every later value one of another network, in silence.  So the executors look again at each run.
"""

import weakref
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from causalnet.errors import LiftError

if TYPE_CHECKING:
    from causalnet.lift.network import LiftedNetwork

__all__ = ["ModuleState", "check_state", "check_unchanged", "state_of"]

SAMPLED = 64  # numbers of each tensor that are compared
SMALL = 4096  # buffers up to this size are compared by value: finer ones may stand in for them
ROUNDING = 1e-6  # by how much such a buffer may differ, relatively
PLASTIC = 1.324717957244746  # the root of x^3 = x + 1
LIFT_AGAIN = "Write net = cn.lift(net.model): what is there now is then checked."


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """One module: itself, its hooks, a forward of its own, its plain numbers and switches."""

    module: nn.Module
    hooks: tuple[int, ...]
    forward: object
    facts: tuple[tuple[str, float | bool], ...]


@dataclass(frozen=True, slots=True, eq=False)
class _Kept:
    """One weight or buffer: itself, where it lies, how often it was edited."""

    tensor: "weakref.ref[Tensor]"
    address: int
    edits: int
    dtype: torch.dtype
    device: torch.device


@dataclass(frozen=True, slots=True, eq=False)
class ModuleState:
    """What a module was when it was lifted, as far as can be seen cheaply.

    Attributes:
        parts: Every module by its path.
        weights: Every parameter and large buffer by its path.
        samples: Some numbers of each of them, in their order, [weights, SAMPLED].
        tables: Small buffers by their paths, as copies.
    """

    parts: Mapping[str, _Part]
    weights: Mapping[str, _Kept]
    samples: Tensor
    tables: Mapping[str, Tensor]


def state_of(module: nn.Module) -> ModuleState:
    """Return what a module is: its parts, their hooks and switches, its weights.

    Weights are not copied: where they lie, torch's count of edits in place and `SAMPLED` numbers
    of each are kept.

    >>> layer = nn.Linear(2, 2)
    >>> state = state_of(layer)
    >>> check_state(layer, state)
    >>> _ = layer.train(False)
    >>> check_state(layer, state)
    Traceback (most recent call last):
    ...
    causalnet.errors.LiftError: The model was changed after it was lifted: its training is False \
and was True. What was checked is the model as it was. Write net = cn.lift(net.model): \
what is there now is then checked.
    """
    weights, tables = _tensors(module)
    return ModuleState(
        {path: _part(part) for path, part in module.named_modules()},
        {path: _kept(tensor) for path, tensor in weights.items()},
        _samples(weights),
        {path: tensor.detach().clone() for path, tensor in tables.items()},
    )


def check_unchanged(net: "LiftedNetwork") -> None:
    """Check that a model is the one that was lifted, before anything is run.

    An edit through `.data` that torch does not count is seen where one of the sampled numbers
    changed with it.

    Raises:
        LiftError: A module, its hooks, a switch or a weight is another; the first is named.
    """
    check_state(net.model.module, net.state)


def check_state(module: nn.Module, state: ModuleState) -> None:
    """Check that a module is in a state.

    Raises:
        LiftError: It is in another; the first module or weight that differs is named.
    """
    parts = {path: _part(part) for path, part in module.named_modules()}
    for path in dict.fromkeys((*state.parts, *parts)):
        _compare_parts(path, state.parts.get(path), parts.get(path))
    weights, tables = _tensors(module)
    for path in dict.fromkeys((*state.weights, *weights)):
        _compare_weights(path, state.weights.get(path), weights.get(path))
    found = _samples(weights)
    if not torch.equal(found, state.samples):
        row = int((found != state.samples).any(1).nonzero()[0])
        raise _changed(f"{list(weights)[row]} holds other numbers")
    for path in dict.fromkeys((*state.tables, *tables)):
        _compare_tables(path, state.tables.get(path), tables.get(path))


# -- what is looked at ---------------------------------------------------------------------------


def _part(module: nn.Module) -> _Part:
    own = vars(module)
    hooks = (*module._forward_pre_hooks, *module._forward_hooks)
    facts = tuple((name, value) for name, value in own.items() if type(value) in (float, bool))
    return _Part(module, hooks, own.get("forward"), facts)


def _tensors(module: nn.Module) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Return parameters and large buffers, and small buffers, by path."""
    weights: dict[str, Tensor] = dict(module.named_parameters(remove_duplicate=False))
    tables: dict[str, Tensor] = {}
    for path, buffer in module.named_buffers(remove_duplicate=False):
        (tables if buffer.numel() <= SMALL else weights)[path] = buffer
    return weights, tables


def _kept(tensor: Tensor) -> _Kept:
    return _Kept(
        weakref.ref(tensor), tensor.data_ptr(), _edits(tensor), tensor.dtype, tensor.device
    )


def _edits(tensor: Tensor) -> int:
    return -1 if tensor.is_inference() else tensor._version


def _samples(weights: Mapping[str, Tensor]) -> Tensor:
    """Return numbers from all over each weight, [weights, SAMPLED], NaN as a number of its own."""
    rows, spots = [], dict[tuple[int, int, torch.device], Tensor]()
    for tensor in weights.values():
        columns = tensor.shape[-1] if tensor.ndim else 1
        key = (tensor.numel(), columns, tensor.device)
        if key not in spots:
            spots[key] = _spots(tensor.numel() // max(columns, 1), columns).to(tensor.device)
        rows.append(tensor.detach().take(spots[key]).double())
    if not rows:
        return torch.zeros(0, SAMPLED, dtype=torch.float64)
    return torch.stack(rows).nan_to_num(nan=torch.pi).cpu()


def _spots(rows: int, columns: int) -> Tensor:
    """Return indices into a matrix that fall evenly on its rows and on its columns, [SAMPLED].

    They are multiples of 1/g and 1/g^2 with g the plastic number (Roberts 2018, the sequence R2):
    each eighth of the rows has one, and each eighth of the columns.
    """
    steps = torch.arange(1, SAMPLED + 1, dtype=torch.float64)
    row, column = ((steps * PLASTIC**-power).frac() for power in (1, 2))
    return (row * rows).long() * columns + (column * columns).long()


# -- what may differ -----------------------------------------------------------------------------


def _compare_parts(path: str, before: _Part | None, found: _Part | None) -> None:
    named = path or "the model"
    if before is None or found is None or before.module is not found.module:
        told = "is gone" if found is None else "is new" if before is None else "is another module"
        raise _changed(f"{named} {told}")
    if before.hooks != found.hooks:
        raise LiftError(
            f"Hooks on {named} were added or removed after the model was lifted: "
            f"{len(before.hooks)} then, {len(found.hooks)} now.",
            "A hook may change what the module computes, and was not there when it was checked.",
            f"Remove it: handle.remove(). To keep it, w{LIFT_AGAIN[1:]}",
        )
    if before.forward is not found.forward:
        raise _changed(f"{named} has another forward")
    if before.facts != found.facts:
        then, now = dict(before.facts), dict(found.facts)
        name = next(name for name in {**then, **now} if then.get(name) != now.get(name))
        owner = f"{path}.{name}" if path else f"its {name}"
        raise _changed(f"{owner} is {now.get(name)} and was {then.get(name)}")


def _compare_weights(path: str, before: _Kept | None, found: Tensor | None) -> None:
    if before is None or found is None:
        raise _changed(f"{path} {'is gone' if found is None else 'is new'}")
    if before.tensor() is not found:
        raise _changed(f"{path} is another tensor")
    if before.dtype != found.dtype or before.device != found.device:
        told = f"{found.dtype} on {found.device} and was {before.dtype} on {before.device}"
        raise _changed(f"{path} is {told}")
    if before.address != found.data_ptr() or before.edits != _edits(found):
        raise _changed(f"{path} was edited in place or moved")


def _compare_tables(path: str, before: Tensor | None, found: Tensor | None) -> None:
    if before is None or found is None:
        raise _changed(f"{path} {'is gone' if found is None else 'is new'}")
    wide = found.detach().to(before.device, torch.float64)
    if before.shape != found.shape or not torch.allclose(
        wide, before.double(), ROUNDING, 0.0, equal_nan=True
    ):
        raise _changed(f"{path} holds other numbers")


def _changed(what: str) -> LiftError:
    return LiftError(
        f"The model was changed after it was lifted: {what}.",
        "What was checked is the model as it was.",
        LIFT_AGAIN,
    )
