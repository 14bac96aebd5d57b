"""What a device has left, and how it is freed."""

import gc

import torch

from causalnet.compiler.budget import Budget, bytes_text

__all__ = ["free_memory", "own_budget"]


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
        return Budget(free // 2, f"half of the {bytes_text(free)} free on {device}")
    if device.type == "mps":
        free = torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory()
        return Budget(free // 2, f"half of the {bytes_text(free)} free on {device}")
    return Budget(None, f"not known on {device}")


def free_memory(device: torch.device) -> None:
    """Give back what is no longer used."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
    elif device.type == "mps":
        torch.mps.empty_cache()
