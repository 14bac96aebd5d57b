"""Runs in which what a node writes is set token by token: a node at a position is a unit.

There is a weight w[u, p] in [0, 1] for each sender u and named position p: at the tokens of that
position the sender writes w z + (1 - w) ref, and every receiver reads that.  At others it writes z.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from causalnet.errors import AlignmentError
from causalnet.interventions import Position
from causalnet.masked.batches import Batch
from causalnet.masked.edge_runs import ROOM, EdgeRuns
from causalnet.masked.layout import Stage
from causalnet.masked.passes import Pass, Reads

__all__ = ["cell_outcomes"]


def cell_outcomes(
    runs: EdgeRuns, cells: Tensor, places: Sequence[Position], *, first: int = 0
) -> NDArray[np.float64]:
    """Return the outcome of every version on every prompt, [versions, n], averaged over draws.

    Args:
        runs: The network, prompts and conventions; its `at` are the places.
        cells: Weights, [versions, senders, places].
        places: The positions; no two of them are one token of a prompt.
        first: The first stage that reads a sender whose weight is not 1.

    Raises:
        AlignmentError: Two positions that are one token of a prompt.
        NumericalError: NaN or infinity in an outcome.
    """
    found = []
    with torch.no_grad():
        for batch in runs.batches():
            where = _places_of(runs, batch, places)
            at_once = max(1, int(ROOM // (batch.known[:, 0].nbytes * 24)))
            parts = []
            for part in torch.split(cells.to(batch.known), at_once):
                draws = [
                    runs.value(batch, _slots(runs, batch, part, where, reference, first))
                    for reference in batch.references
                ]
                parts.append(torch.stack(draws).mean(0))
            found.append(torch.cat(parts))
    return torch.cat(found, 1).cpu().double().numpy()


def _slots(
    runs: EdgeRuns, batch: Batch, cells: Tensor, where: Tensor, reference: Tensor, first: int
) -> Tensor:
    reads = _CellReads(
        batch.known[:, : runs.layout.stages[first].parents],
        reference,
        torch.cat([cells, cells.new_ones(*cells.shape[:2], 1)], 2)[:, :, where],
        batch.columns.read,
    )
    return Pass(runs.decoder, runs.layout, batch.columns).run(reads, first)


def _places_of(runs: EdgeRuns, batch: Batch, places: Sequence[Position]) -> Tensor:
    """Return the number of the place of each column, [B, T]; -1 where there is none."""
    columns = batch.columns.ids.shape[1]
    start = batch.tokens.ids.shape[1] - columns
    where = torch.full(batch.columns.ids.shape, -1, device=batch.columns.ids.device)
    rows = torch.arange(len(where), device=where.device)
    for number, place in enumerate(places):
        at = batch.tokens.columns(place) - start
        is_inside = at >= 0  # before the first column in which anything can change
        held = where[rows[is_inside], at[is_inside]]
        if bool((held >= 0).any()):
            other = places[int(held[held >= 0][0])]
            raise AlignmentError(
                f"The positions {other!r} and {place!r} are one token of a prompt.",
                "A unit is a node at a token, and each token belongs to one unit.",
                f"Leave one of them out: at=({place!r}, ...).",
            )
        where[rows[is_inside], at[is_inside]] = number
    return where


class _CellReads(Reads):
    """Every receiver reads the sum of what senders write, each weighed token by token."""

    def __init__(self, known: Tensor, reference: Tensor, weights: Tensor, read: Tensor) -> None:
        """Begin with the senders before the first stage, [B, P, T, d], weighed as the others."""
        self.reference, self.weights, self.read = reference, weights, read
        count = known.shape[1]
        self.stream = known.sum(1)[None].expand(len(weights), *known[:, 0].shape)
        gaps = reference[:, :count] - known
        rest = 1 - weights[:, :count]  # [M, P, B, T]
        moved = torch.einsum("mpbt,bptd->mbtd", rest, gaps)
        self.stream = self.stream + moved

    def slots(self, stage: Stage, chosen: Sequence[int], at_end: bool = False) -> Tensor:
        """Return the stream for all, [M, B, 1, T, d]."""
        stream = self.stream
        if at_end:
            stream = stream.take_along_dim(self.read[None, ..., None], 2)
        return stream[:, :, None]

    def add(self, stage: Stage, written: Mapping[int, Tensor]) -> None:
        """Add what was written, in part from the reference."""
        for number, value in written.items():
            weight = self.weights[:, number][..., None]
            self.stream = self.stream + weight * value + (1 - weight) * self.reference[:, number]
