"""The rates of this machine, measured in less than a second."""

import time
from collections.abc import Callable
from typing import TypeAlias

import torch

from causalnet.compiler.machine import Machine
from causalnet.compiler.sizes import Sizes
from causalnet.execute.wavefront.linear import linear

__all__ = ["calibrate"]

Rates: TypeAlias = tuple[tuple[int, float], ...]

_TOKENS = (8, 16, 64, 256, 1024)
_STRIDED = 6  # how much slower norms, turns and softmax are, which move data across strides
_STEPS = 16  # small steps of Python and torch around a call: views, lookups, checks
_SECONDS = 0.02  # for each rate, or two calls
_BYTES, _FEW = 64_000_000, 256  # of weights, and tokens up to which reading them takes time


def calibrate(sizes: Sizes, device: torch.device | str = "cpu") -> Machine:
    """Return the rates of kernels with the shapes of a network.

    Time is that of the CPU where the device is one, since others may use the machine as well.

    Args:
        sizes: The network.
        device: Where the kernels run.
    """
    place, shape = torch.device(device), sizes.shape
    dtype = {2: torch.bfloat16, 8: torch.float64}.get(sizes.number, torch.float32)

    def made(*axes: int) -> torch.Tensor:
        return torch.randn(axes, device=place, dtype=dtype)

    # A model's weights come from memory, not from the caches, whenever a layer is its turn.
    size = shape.d_mlp * shape.d_model * made(1).element_size()
    weights = [made(shape.d_mlp, shape.d_model) for _ in range(min(max(_BYTES // size, 2), 64))]

    def rates(product: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]) -> Rates:
        found: list[tuple[int, float]] = []
        for tokens in _TOKENS:
            x, some = made(tokens, shape.d_model), weights if tokens <= _FEW else weights[:4]

            def each(x: torch.Tensor = x, some: list[torch.Tensor] = some) -> None:
                for weight in some:
                    product(x, weight)

            flops = 2 * tokens * shape.d_model * shape.d_mlp * len(some)
            rate = flops / _seconds(each, place)
            found.append((tokens, max([rate, *(before for _, before in found)])))
        return tuple(found)

    rows, width, attended = 64 * shape.heads_per_group, shape.d_head, 16
    left, right = made(64, rows, width), made(64, width, attended)
    scores = 2 * 64 * rows * width * attended / _seconds(lambda: torch.bmm(left, right), place)
    wide = made(1024, shape.d_mlp)
    moved = 5 * wide.numel() * wide.element_size()
    bandwidth = (
        moved / _seconds(lambda: torch.nn.functional.silu(wide).mul_(wide), place) / _STRIDED
    )
    small = made(8)
    call = _STEPS * _seconds(lambda: small + small, place)
    return Machine(
        f"this machine's {place.type}",
        rates(linear),
        scores,
        bandwidth,
        call,
        rates(torch.nn.functional.linear),
    )


def _seconds(kernel: Callable[[], object], place: torch.device) -> float:
    """Return the seconds of one call, the least of several rounds."""
    clock = time.process_time if place.type == "cpu" else time.perf_counter
    kernel()
    best, rounds = float("inf"), 1
    began = clock()
    while clock() - began < _SECONDS:
        _wait(place)
        start = clock()
        for _ in range(rounds):
            kernel()
        _wait(place)
        spent = clock() - start
        best = min(best, max(spent, 1e-9) / rounds)
        rounds = rounds if spent > 1e-3 else 2 * rounds
    return best


def _wait(place: torch.device) -> None:
    if place.type == "cuda":
        torch.cuda.synchronize(place)
    elif place.type == "mps":
        torch.mps.synchronize()
