"""Which edges of a circuit lie on a way from the inputs to the logits."""

import heapq

import numpy as np
from numpy.typing import NDArray

from causalnet.masked import Layout

__all__ = ["connected_edges", "greedily_connected"]


def connected_edges(layout: Layout, kept: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the kept edges that lie on a path of kept edges from an embedding to the logits.

    A head passes on what enters any of its query, key and value.

    Args:
        layout: Senders and receivers.
        kept: [edges].
    """
    forward = _reached(layout, kept)
    return forward & _reaching(layout, kept)


def _reached(layout: Layout, kept: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the kept edges whose sender is reached from an input."""
    reached = np.zeros(len(layout.senders), dtype=bool)
    reached[: layout.inputs] = True
    found = np.zeros_like(kept)
    for number, stage in enumerate(layout.stages):
        rows = kept[stage.edges].reshape(stage.receivers, stage.parents)
        carrying = rows & reached[: stage.parents]
        found[stage.edges] = carrying.ravel()
        entered = np.asarray(carrying.any(1))
        for place, members in enumerate(_channels(layout, number)):
            reached[stage.writers.start + place] |= bool(entered[members].any())
    return found


def _reaching(layout: Layout, kept: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the kept edges whose receiver's owner reaches the logits."""
    live = np.zeros(len(layout.senders), dtype=bool)
    found = np.zeros_like(kept)
    for number in range(len(layout.stages) - 1, -1, -1):
        stage = layout.stages[number]
        rows = kept[stage.edges].reshape(stage.receivers, stage.parents)
        heard = np.zeros(stage.receivers, dtype=bool)
        if stage.kind == "logits":
            heard[:] = True
        for place, members in enumerate(_channels(layout, number)):
            if live[stage.writers.start + place]:
                heard[members] = True
        carrying = rows & heard[:, None]
        found[stage.edges] = carrying.ravel()
        live[: stage.parents] |= carrying.any(0)
    return found


def _channels(layout: Layout, number: int) -> list[list[int]]:
    """Return, for each sender written at a stage, the stage's receivers that belong to it."""
    stage, shape = layout.stages[number], layout.graph.shape
    if stage.kind == "logits":
        return []
    if stage.kind == "mlp":
        return [[0]]
    many, groups = len(stage.queries), list(stage.groups)
    own = []
    for place, head in enumerate(stage.queries):
        group = groups.index(shape.group_of(head))
        own.append([place, many + group, many + len(groups) + group])
    return own + ([[]] if stage.biased else [])


def greedily_connected(
    layout: Layout, strengths: NDArray[np.float64], size: int
) -> NDArray[np.bool_]:
    """Return a connected circuit of some edges: from the logits, always the strongest edge next.

    An edge is a candidate once its receiver is in the circuit: the logits at first, then the
    channels of each sender that an edge was added from.

    Args:
        layout: Senders and receivers.
        strengths: The larger, the earlier, [edges]; ties go to the earlier edge.
        size: How many edges; fewer where the candidates run out.
    """
    owned: dict[int, list[int]] = {}  # sender -> edges into its channels
    for number, stage in enumerate(layout.stages):
        for place, members in enumerate(_channels(layout, number)):
            first = stage.edges.start
            owned[stage.writers.start + place] = [
                first + receiver * stage.parents + sender
                for receiver in members
                for sender in range(stage.parents)
            ]
    sender_of = np.concatenate([np.arange(count) for count in layout.sites.counts])
    kept = np.zeros(len(layout.sites), dtype=bool)
    seen: set[int] = set()
    last = layout.stages[-1]
    heap = [(-strengths[edge], edge) for edge in range(last.edges.start, last.edges.stop)]
    heapq.heapify(heap)
    while heap and kept.sum() < size:
        _, edge = heapq.heappop(heap)
        kept[edge] = True
        sender = int(sender_of[edge])
        if sender not in seen:
            seen.add(sender)
            for next_edge in owned.get(sender, ()):
                if not kept[next_edge]:
                    heapq.heappush(heap, (-strengths[next_edge], next_edge))
    return kept
