"""What lifting asks of the machine: numbers of 64 bits, and memory."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from causalnet.errors import LiftError, OutOfMemoryError

__all__ = ["check_has_float64", "is_out_of_memory", "memory_watched"]

WITHOUT_FLOAT64 = frozenset({"mps"})  # Metal's shading language has no double
TRIED = re.compile(r"tried to allocate ([\d.]+ \w+)", re.IGNORECASE)


def check_has_float64(device: torch.device) -> None:
    """Refuse a device that cannot compute in float64, in which a graph is rebuilt.

    Raises:
        LiftError: It is such a device.

    >>> check_has_float64(torch.device("cpu"))
    """
    if device.type in WITHOUT_FLOAT64:
        raise LiftError(
            f"The model is on {str(device)!r}, which has no float64.",
            "Lifting rebuilds a model in float64, to tell a wrong graph from the model's rounding.",
            "Load it with device='cpu'.",
        )


def is_out_of_memory(error: RuntimeError) -> bool:
    """Return whether an error says that memory ran out.

    CUDA raises torch.OutOfMemoryError; the CPU's allocator a RuntimeError that says so.

    >>> is_out_of_memory(RuntimeError("DefaultCPUAllocator: can't allocate memory"))
    True
    """
    return isinstance(error, torch.OutOfMemoryError) or "allocate memory" in str(error)


@contextmanager
def memory_watched(module: nn.Module) -> Iterator[None]:
    """Turn an allocation that failed while a model is lifted into an error of ours.

    Raises:
        OutOfMemoryError: Memory ran out; says how much was asked for.
    """
    try:
        yield
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        tried = TRIED.search(str(error))
        amount = f" at an attempt to allocate {tried[1]}" if tried else ""
        held = sum(weight.numel() * weight.element_size() for weight in module.parameters())
        raise OutOfMemoryError(
            f"Memory ran out while the model was lifted{amount}.",
            f"Beside its {held:,} bytes of weights the check needs the largest block, the "
            "embedding and the unembedding once more in float64.",
            "Use a smaller model, or a machine or device with more memory.",
        ) from error
