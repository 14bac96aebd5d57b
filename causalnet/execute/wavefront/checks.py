"""Checks of soundness, which a wave asks for and does not wait for."""

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from causalnet.execute.edits import raise_first

__all__ = ["Checks"]


@dataclass(slots=True, eq=False)
class Checks:
    """Flags of what is not sound, each with the error that it stands for.

    Attributes:
        at_once: Whether a flag is looked at when it is made, as costs nothing on a CPU.  On an
            accelerator that would wait for all work that is queued, so flags are kept there, and
            looked at together.
        waiting: Flags that nobody has looked at, in the order of execution.
    """

    at_once: bool = True
    waiting: list[tuple[Tensor, Callable[[int], Exception]]] = field(default_factory=list)

    def __call__(self, broken: Tensor, error: Callable[[int], Exception]) -> None:
        """Raise the error of the first flag that is set, or keep the flags.

        Args:
            broken: The flags, of any shape.
            error: From the number of a flag, counted along all axes, to the error.
        """
        if self.at_once:
            raise_first(broken, error)
        else:
            self.waiting.append((broken, error))

    def look(self) -> None:
        """Raise the error of the first flag that is set; one look, however many flags wait."""
        if not self.waiting:
            return
        waiting, self.waiting = self.waiting, []
        found = torch.stack([broken.any() for broken, _ in waiting]).tolist()
        for is_broken, (broken, error) in zip(found, waiting, strict=True):
            if is_broken:
                raise_first(broken, error)
