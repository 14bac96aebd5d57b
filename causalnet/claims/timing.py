"""How long a forward takes: estimated from a model's sizes, or measured on one."""

import math
import time
from typing import TYPE_CHECKING

from causalnet.claims.schema import ClaimFile
from causalnet.graphs import TransformerShape

if TYPE_CHECKING:
    from causalnet.lift import LiftedNetwork

__all__ = ["BYTES", "assumed", "duration", "measured", "parameters"]

TOKENS = 16
"""Tokens of a prompt that the estimate of time assumes."""

FLOPS = {"cpu": 5e10, "accelerator": 5e12}
"""Floating-point operations a second that it assumes in float32: one core of a CPU, or a GPU."""

LAUNCHING = 0.02
"""Seconds that it assumes for a forward on a GPU beside its operations: the kernels are small."""

BYTES = {"float32": 4, "float64": 8, "bfloat16": 2}
"""Bytes of a weight by number type; float64 is taken to be half as fast."""


def parameters(shape: TransformerShape) -> int:
    """Return about how many weights a model of these sizes has."""
    heads = shape.d_model * shape.d_head * 2 * (shape.heads + shape.kv_heads)
    return shape.layers * (heads + 3 * shape.d_model * shape.d_mlp) + (
        shape.d_model * shape.vocabulary
    )


def assumed(shape: TransformerShape, batch: int, device: str, dtype: str) -> tuple[float, str]:
    """Return the seconds of a forward from counted operations, and what that assumes."""
    blocks = parameters(shape) - shape.d_model * shape.vocabulary
    operations = 2 * batch * (blocks * TOKENS + shape.d_model * shape.vocabulary)
    is_cpu = device == "cpu"
    rate = FLOPS["cpu" if is_cpu else "accelerator"] / (2 if dtype == "float64" else 1)
    return operations / rate + (0 if is_cpu else LAUNCHING), (
        f"an estimate: {TOKENS} tokens in a prompt, {rate / 1e9:g} billion operations a second "
        f"in {dtype}" + ("" if is_cpu else f", {LAUNCHING * 1000:g} ms more for each forward")
    )


def measured(net: "LiftedNetwork", file: ClaimFile, seed: int | None) -> tuple[float, str]:
    """Return the seconds of one forward over one batch."""
    import torch

    from causalnet.claims.prompts import testing_pairs
    from causalnet.execute import make_batch, run_forward

    pairs = testing_pairs(file, net.model.tokenizer, seed)
    rows = range(min(file.batch, len(pairs)))
    batch = make_batch(pairs.base, rows, net.model.device)
    start = time.process_time()
    with torch.no_grad():
        run_forward(net, batch)
    return time.process_time() - start, f"measured on one forward over {len(rows)} prompts"


def duration(seconds: float) -> str:
    """Return a time in words.

    >>> duration(0.2), duration(95.0), duration(200.0)
    ('a second', '95 s', '4 min')
    """
    if seconds < 1:
        return "a second"
    return f"{seconds:.0f} s" if seconds < 120 else f"{math.ceil(seconds / 60)} min"
