"""The work of one block on some tokens, kernel by kernel; what runs and waves are priced by."""

from collections.abc import Iterator

from causalnet.compiler.machine import Work
from causalnet.compiler.sizes import Sizes

__all__ = ["attention_works", "mlp_works", "unembedding_works"]

_CALLS = 8
"""Elementwise kernels beside the products of an attention or an MLP, norms included."""


def attention_works(
    stage: str,
    sizes: Sizes,
    tokens: int,
    queries: int,
    attended: int,
    at_once: int,
) -> Iterator[Work]:
    """Yield the work of an attention.

    Args:
        stage: The stage of the plan.
        sizes: The network.
        tokens: Tokens that have keys and values.
        queries: Tokens that attend.
        attended: How many tokens each attends to, masked ones included.
        at_once: How many tokens go through a kernel at once.
    """
    if not tokens:
        return
    d, wide = sizes.shape.d_model, sizes.queries + 2 * sizes.keys
    calls = -(-tokens // at_once)
    projected = 2 * d * (queries * sizes.queries + tokens * 2 * sizes.keys)
    mixed = 2 * d * queries * sizes.queries
    each = min(tokens, at_once)
    yield Work(stage, "product", each, projected + mixed, 0, 4 * calls)
    weights = queries * attended * sizes.shape.heads
    moved = (3 * tokens * d + 6 * tokens * wide + 4 * weights) * sizes.number
    flops = sizes.scores(queries, attended)
    yield Work(stage, "scores", each, flops, moved, (2 + _CALLS) * calls)


def mlp_works(stage: str, sizes: Sizes, tokens: int, at_once: int) -> Iterator[Work]:
    """Yield the work of an MLP and of its norm; see `attention_works`."""
    if not tokens:
        return
    calls = -(-tokens // at_once)
    inner = (5 if sizes.gated else 3) * sizes.shape.d_mlp
    moved = tokens * (inner + 3 * sizes.shape.d_model) * sizes.number
    products = 3 if sizes.gated else 2
    yield Work(stage, "product", min(tokens, at_once), tokens * sizes.mlp, 0, products * calls)
    yield Work(stage, "stream", min(tokens, at_once), 0, moved, _CALLS * calls)


def unembedding_works(stage: str, sizes: Sizes, tokens: int, columns: int) -> Iterator[Work]:
    """Yield the work of the final norm and of some logits of some tokens."""
    if not tokens:
        return
    moved = tokens * (3 * sizes.shape.d_model + columns) * sizes.number
    yield Work(stage, "product", tokens, 2 * tokens * sizes.shape.d_model * columns, moved, 4)
