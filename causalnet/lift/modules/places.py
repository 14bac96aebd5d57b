"""Where in a module's run the values of nodes are found, and what the nodes are called."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Literal

from torch import Tensor, nn
from torch.utils import _pytree as pytree  # torch has no public name for it

from causalnet.errors import LiftError
from causalnet.graphs import nearest

__all__ = ["OUTPUT", "ModulePlace", "chosen_paths", "name_places", "tensors_of"]

OUTPUT = "logits"
"""The name of the node that read-outs score; the module's own output whatever it is."""


@dataclass(frozen=True, slots=True)
class ModulePlace:
    """One tensor that a submodule returns, or the first that it is given.

    Attributes:
        path: The submodule's name in its module: `layers.0.attention`.
        call: Which call of it within one run, from 1.
        item: Which of the tensors that it returned, from 0; 0 for what it is given.
        side: Whether it is returned (`out`) or given (`in`).
        key: The place of the tensor in what was returned, `0` or `logits`; empty where it is the
            only one.
    """

    path: str
    call: int
    item: int
    side: Literal["out", "in"]
    key: str = ""


def tensors_of(value: Any) -> tuple[list[Any], list[int], pytree.TreeSpec]:
    """Return the leaves of a nested value, which of them are tensors, and how they are nested."""
    leaves, spec = pytree.tree_flatten(value)
    return leaves, [at for at, leaf in enumerate(leaves) if isinstance(leaf, Tensor)], spec


def chosen_paths(module: nn.Module, patterns: Sequence[str] | None) -> tuple[str, ...]:
    """Return the submodules whose names match a pattern, in their order; None matches all.

    Raises:
        LiftError: A pattern that matches none.

    >>> chosen_paths(nn.Sequential(nn.Linear(2, 2), nn.ReLU()), ["1"])
    ('1',)
    """
    paths = [path for path, _ in module.named_modules() if path]
    if patterns is None:
        return tuple(paths)
    if isinstance(patterns, str):
        patterns = (patterns,)
    for pattern in patterns:
        if not any(fnmatchcase(path, pattern) for path in paths):
            alike = nearest(pattern, paths)
            raise LiftError(
                f"No submodule is called {pattern!r}.",
                f"The nearest are {', '.join(alike)}." if alike else f"There are {len(paths)}.",
                "List them with module.named_modules(); * stands for any text, as in 'layers.*'.",
            )
    return tuple(path for path in paths if any(fnmatchcase(path, pattern) for pattern in patterns))


def name_places(found: Iterable[ModulePlace], taken: Iterable[str]) -> dict[str, ModulePlace]:
    """Return the places by the names of their nodes.

    A node has the name of its submodule.  A later call of it has its number, `act@2`; one of
    several tensors has its key, `attention/1`; what a submodule is given has `/in`.  A submodule
    that is called as an input or as the output has its number in the first call as well.

    >>> place = ModulePlace("act", 2, 0, "out")
    >>> [*name_places([place, ModulePlace("x", 1, 0, "out")], ["x"])]
    ['act@2', 'x@1']
    """
    reserved = set(taken)
    named: dict[str, ModulePlace] = {}
    for place in found:
        numbered = place.call > 1 or place.path in reserved
        name = f"{place.path}@{place.call}" if numbered else place.path
        if place.side == "in":
            name += "/in"
        elif place.key:
            name += f"/{place.key}"
        named[name] = place
    return named
