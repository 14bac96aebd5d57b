"""What a device can do, what it has left, and how tensors get there.

Work is queued on an accelerator and runs while Python goes on; whatever looks at a number there
waits for all of it.  Between the start and the end of a wave nothing looks.
"""

import gc
from collections.abc import Callable, Mapping
from typing import Final

import torch
from torch import Tensor

from causalnet.compiler.budget import Budget, bytes_text
from causalnet.compiler.cost import TOKENS_AT_ONCE
from causalnet.errors import ParameterError

__all__ = [
    "check_type",
    "free_memory",
    "is_accelerator",
    "on_device",
    "own_budget",
    "settings_of",
    "tokens_at_once",
    "without_autocast",
]

TYPES: Final = (torch.float32, torch.float64, torch.bfloat16)
"""By default the weights' own; bfloat16 is for screening, float64 for tests."""

AT_LEAST: Final = 8192
"""Tokens at once on an accelerator: kernels are long against the time that queueing them takes."""

TILE: Final = 128
"""Rows of a matrix product that one multiprocessor computes together."""


def is_accelerator(device: torch.device) -> bool:
    """Return whether work is queued on a device, and looking at it means waiting.

    >>> is_accelerator(torch.device("cpu")), is_accelerator(torch.device("cuda"))
    (False, True)
    """
    return device.type != "cpu"


def tokens_at_once(device: torch.device) -> int:
    """Return how many tokens of rows go through a kernel together.

    On a CPU, as many as stay in its caches; on a CUDA card, a tile of rows for each multiprocessor,
    so that a product of one tile's width fills the card.

    >>> tokens_at_once(torch.device("cpu")) < tokens_at_once(torch.device("mps"))
    True
    """
    if not is_accelerator(device):
        return TOKENS_AT_ONCE
    if device.type != "cuda":
        return AT_LEAST
    return max(AT_LEAST, TILE * torch.cuda.get_device_properties(device).multi_processor_count)


def on_device(value: Tensor, device: torch.device) -> Tensor:
    """Return a tensor on a device; a copy to CUDA is pinned and nobody waits for it."""
    if device.type == "cuda" and value.device.type == "cpu":
        return value.pin_memory().to(device, non_blocking=True)
    return value.to(device)


def check_type(dtype: torch.dtype, device: torch.device) -> None:
    """Refuse a type that values cannot be computed in.

    Raises:
        ParameterError: Another type than float32, float64 and bfloat16, or float64 on MPS.

    >>> check_type(torch.float32, torch.device("cpu"))
    """
    if dtype not in TYPES:
        raise ParameterError(
            f"{dtype} was asked for.",
            f"There are {', '.join(map(str, TYPES))}.",
            "Write dtype=torch.bfloat16 to screen, or leave dtype out.",
        )
    if dtype is torch.float64 and device.type == "mps":
        raise ParameterError(
            f"{dtype} was asked for on {str(device)!r}.",
            "Metal has no numbers of 64 bits: there are torch.float32 and torch.bfloat16.",
            "Load the model with dtype='float32', or with device='cpu'.",
        )


def without_autocast(device: torch.device) -> torch.autocast:
    """Return a block in which a type that the user lets torch choose changes no value.

    >>> with torch.autocast("cpu", torch.bfloat16), without_autocast(torch.device("cpu")):
    ...     print((torch.ones(2, 2) @ torch.ones(2, 2)).dtype)
    torch.float32
    """
    return torch.autocast(device.type, enabled=False)


def settings_of(device: torch.device, dtype: torch.dtype) -> Mapping[str, str | int]:
    """Return what decides the rounding and the speed of a run, for its record.

    The precision of float32 products is left as torch has it; with TF32 allowed, a card rounds
    what it multiplies to 10 bits.
    """
    found: dict[str, str | int] = {
        "device": str(device),
        "dtype": str(dtype),
    }
    if device.type == "cuda":
        found["device"] = f"{device} ({torch.cuda.get_device_name(device)})"
        found["float32_products"] = str(torch.backends.cuda.matmul.fp32_precision)
    return found


def own_budget(given: str | int | Budget | None, device: torch.device) -> Budget:
    """Return the budget for work on a device: what is given, or half of what is free there.

    Args:
        given: `"2GB"`, bytes, a budget, or None.
        device: Where the weights are.
    """
    if given is not None or device.type == "cpu":
        return Budget.of(given)
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        # What torch holds for later is free for its own tensors.
        free += torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return Budget(free // 2, f"half of the {bytes_text(free)} free on {device}")
    if device.type == "mps":
        free = torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory()
        return Budget(free // 2, f"half of the {bytes_text(free)} free on {device}")
    return Budget(None, f"not known on {device}")


_EMPTIED: Mapping[str, Callable[[], None]] = {
    "cuda": torch.cuda.empty_cache,
    "mps": torch.mps.empty_cache,
}


def free_memory(device: torch.device) -> None:
    """Give back what is no longer used."""
    gc.collect()
    if device.type in _EMPTIED:
        _EMPTIED[device.type]()
