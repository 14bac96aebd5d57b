"""Which senders reach the logits under masks; the others need not be computed."""

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from causalnet.masked.layout import Layout, Stage

__all__ = ["live_edges", "live_receivers", "live_senders", "needed_senders"]


def live_senders(layout: Layout, masks: Tensor, first: int = 0) -> frozenset[int]:
    """Return the numbers of the senders that reach the logits under any of some masks.

    Args:
        layout: Senders and receivers.
        masks: [masks, B or 1, edges].
        first: The first stage that is run; what is written before it is known.
    """
    return needed_senders(layout, masks, first)[0]


def needed_senders(
    layout: Layout, masks: Tensor, first: int = 0
) -> tuple[frozenset[int], frozenset[int]]:
    """Return the senders that reach the logits, and those read at the read-out's columns alone.

    Keys and values are read at all columns; queries and MLPs where their head or MLP is.

    Args:
        layout: Senders and receivers.
        masks: [masks, B or 1, edges].
        first: The first stage that is run; what is written before it is known.
    """
    start = layout.stages[first].edges.start
    alive = np.zeros(masks.shape[-1], dtype=bool)
    alive[start:] = (masks[..., start:] != 0).flatten(0, -2).any(0).cpu().numpy()
    live: set[int] = set()
    wide: set[int] = set()
    for stage in reversed(layout.stages[first:]):
        rows = alive[stage.edges].reshape(stage.receivers, stage.parents)
        heard = live_receivers(layout, stage, live)
        live.update(np.flatnonzero(rows[heard].any(0)).tolist())
        widely = np.zeros(stage.receivers, dtype=bool)
        if stage.kind != "logits":
            widely = live_receivers(layout, stage, wide)
        if stage.kind == "attention":
            widely[len(stage.queries) :] = heard[len(stage.queries) :]
        wide.update(np.flatnonzero(rows[widely].any(0)).tolist())
    return frozenset(live), frozenset(live - wide)


def live_edges(layout: Layout, masks: Tensor) -> NDArray[np.bool_]:
    """Return which edges lead into a receiver that reaches the logits under any mask, [edges].

    Removing another edge changes nothing.

    Args:
        layout: Senders and receivers.
        masks: [masks, B or 1, edges].
    """
    found = np.zeros(masks.shape[-1], dtype=bool)
    live = set(live_senders(layout, masks))
    for stage in layout.stages:
        heard = live_receivers(layout, stage, live)
        found[stage.edges] = np.repeat(heard, stage.parents)
    return found


def live_receivers(layout: Layout, stage: Stage, live: set[int]) -> NDArray[np.bool_]:
    """Return which receivers of a stage belong to a sender that is live, [receivers]."""
    if stage.kind == "logits":
        return np.ones(1, dtype=bool)
    if stage.kind == "mlp":
        return np.array([stage.writers.start in live])
    queries = np.array([stage.writers.start + place in live for place in range(len(stage.queries))])
    shape = layout.graph.shape
    used = {
        shape.group_of(head)
        for head, is_live in zip(stage.queries, queries, strict=True)
        if is_live
    }
    groups = np.array([group in used for group in stage.groups])
    return np.concatenate([queries, groups, groups])
