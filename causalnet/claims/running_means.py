"""Means of what a trial prints, over batches."""

from typing import final

import numpy as np
from numpy.typing import NDArray

__all__ = ["RunningMeans"]

Array = NDArray[np.float64]


@final
class RunningMeans:
    """Means of several columns over batches."""

    def __init__(self) -> None:
        """Start without rows."""
        self._sums: dict[str, float] = {}
        self._count = 0

    def add(self, **columns: Array) -> None:
        """Take in one batch of columns, [n] each."""
        self._count += len(next(iter(columns.values())))
        for name, column in columns.items():
            self._sums[name] = self._sums.get(name, 0.0) + float(column.sum())

    def means(self) -> dict[str, float]:
        """Return the mean of every column."""
        return {name: total / self._count for name, total in self._sums.items()}
