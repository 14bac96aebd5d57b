"""The axes of nodes' values: named by their number, or as they are declared."""

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase

from torch import Tensor

from causalnet.errors import LiftError
from causalnet.graphs import Axis, Role
from causalnet.graphs.positions import POSITION_AXIS
from causalnet.interventions import Indices

__all__ = ["AxisNames", "axes_of", "check_patterns", "head_part"]

AxisNames = Mapping[str, Sequence[str]]
"""For patterns of node names, the names of the axes after the first: `{"layers.*": ("pos",
"feature")}`.  The one called `pos` is an axis of positions; it is one only where it is declared,
for that a size is the number of tokens cannot be seen."""

_IMAGES = {3: ("channel", "height", "width"), 4: ("channel", "depth", "height", "width")}


def axes_of(name: str, value: Tensor, declared: AxisNames) -> tuple[Axis, ...]:
    """Return the axes of a value [B, ...].

    The first is `batch`.  Of one more the name is `feature`; of three and four `channel`, then
    those of an image or volume; otherwise `axis1`, ... and `feature`.  The first pattern that
    matches the node says otherwise.

    Raises:
        LiftError: Another number of names than the value has axes.

    >>> import torch
    >>> [axis.name for axis in axes_of("a", torch.zeros(2, 3, 5), {"a": ("pos", "feature")})]
    ['batch', 'pos', 'feature']
    """
    sizes = tuple(value.shape[1:])
    found = next((names for pattern, names in declared.items() if fnmatchcase(name, pattern)), None)
    numbered = tuple(f"axis{index + 1}" for index in range(len(sizes) - 1))
    names = found or _IMAGES.get(len(sizes), (*numbered, "feature")[-len(sizes) :])
    names = names if sizes else ()
    if len(names) != len(sizes) or len({"batch", *names}) != len(names) + 1:
        raise LiftError(
            f"The axes of {name} were called {', '.join(found or ())}.",
            f"Its value is {list(value.shape)}: after the batch there are {len(sizes)} axes, each "
            "with a name of its own.",
            f"Write axes={{{name!r}: {names[: len(sizes)]!r}}} with {len(sizes)} names.",
        )
    after = (
        Axis(axis, Role.POSITION if axis == POSITION_AXIS else Role.FREE, size)
        for axis, size in zip(names, sizes, strict=True)
    )
    return (Axis("batch", Role.BATCH), *after)


def check_patterns(declared: AxisNames, names: Sequence[str]) -> None:
    """Refuse axes that are declared for no node.

    Raises:
        LiftError: A pattern that matches none.
    """
    for pattern in declared:
        if not any(fnmatchcase(name, pattern) for name in names):
            raise LiftError(
                f"Axes are declared for {pattern!r}, and no node is called so.",
                f"The nodes are {', '.join(names[:8])}{', ...' if len(names) > 8 else ''}.",
                "Write a node's name, or a pattern such as 'layers.*'.",
            )


def head_part(head: int, heads: int, width: int, axis: str = "feature") -> Indices:
    """Return the part of a mixer's input that is one head: its slice of the last axis.

    Heads lie side by side in what an attention's output projection is given; `inputs_of` of
    `lift_module` makes that a node.

    Args:
        head: Which head, from 0.
        heads: How many there are.
        width: The width of them all.
        axis: The name of the axis.

    Raises:
        LiftError: No such head, or heads that do not divide the width.

    >>> print(head_part(1, 4, 8))
    feature 2,3
    """
    if heads < 1 or width % heads or not 0 <= head < heads:
        raise LiftError(
            f"Head {head} of {heads} in a value {width} wide.",
            "Heads are counted from 0, and their number divides the width.",
        )
    size = width // heads
    return Indices(axis, tuple(range(head * size, (head + 1) * size)))
