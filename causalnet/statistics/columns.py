"""Evidence about many means at once, of columns that may have unequal numbers of observations."""

from typing import Protocol, final

import numpy as np
from numpy.typing import NDArray

from causalnet.statistics.betting import log_capitals, log_gains, stakes
from causalnet.statistics.evidence import (
    log_e_above,
    one_sided_multiplier,
    without_skewness,
)
from causalnet.statistics.mixture import MINIMUM_N
from causalnet.statistics.moments import ROUNDING
from causalnet.statistics.samples import Array

__all__ = ["BoundedColumns", "Columns", "MeanColumns"]

Places = NDArray[np.intp]


class Columns(Protocol):
    """What a family of means can be asked."""

    n: Array

    def add(self, places: Places, values: Array) -> None:
        """Take in a batch of some columns, shape (observations, places)."""

    @property
    def estimate(self) -> Array:
        """The means so far; NaN without observations."""

    def log_e(self, *, above: bool) -> Array:
        """The logarithms of the e-processes against "at most" (at least) the threshold."""

    def ends(self, log_bar: float, *, above: bool) -> Array:
        """The low (high) ends at which the e-process reaches a bar; infinite where it does not."""

    def promises(self, budget: int, log_bar: float, *, above: bool) -> NDArray[np.bool_]:
        """Whether the e-processes could still reach a bar within a budget of observations each."""


# Standard errors that a mediator gets as the benefit of the doubt before it is set aside.
DOUBT = 2.0


@final
class MeanColumns:
    """Columns of any numbers: asymptotic, from 32 observations on.

    Args:
        columns: How many.
        threshold: What their means are compared with.
        g: Variance of the effect size, see `evidence`.
    """

    def __init__(self, columns: int, threshold: float, g: float) -> None:
        """Start without observations."""
        self.threshold, self.g = threshold, g
        self.n = np.zeros(columns)
        self._mean, self._second, self._third = np.zeros((3, columns))

    def add(self, places: Places, values: Array) -> None:
        """Take in a batch of some columns, shape (observations, places)."""
        m, n = len(values), self.n[places]
        fresh = values.mean(axis=0)
        d = values - fresh
        second, third = (d**2).sum(axis=0), (d**3).sum(axis=0)
        gap, total = fresh - self._mean[places], n + m
        old_second, old_third = self._second[places], self._third[places]
        # Pebay 2008, equations 1.5 and 1.6
        self._third[places] = (
            old_third
            + third
            + gap**3 * n * m * (n - m) / total**2
            + 3 * gap * (n * second - m * old_second) / total
        )
        self._second[places] = old_second + second + gap**2 * n * m / total
        self._mean[places] += gap * m / total
        self.n[places] = total

    @property
    def estimate(self) -> Array:
        """The means so far; NaN without observations."""
        return np.where(self.n > 0, self._mean, np.nan)

    def log_e(self, *, above: bool) -> Array:
        """The logarithms of the e-processes against "at most" (at least) the threshold."""
        sign = 1.0 if above else -1.0
        error, known = self._error()
        t = sign * (self._mean - self.threshold) / np.where(known, error, 1.0)
        n = np.maximum(self.n, 1)
        evidence = log_e_above(n, without_skewness(n, t, sign * self._skewness()), self.g)
        return np.where(known, evidence, -np.inf)

    def ends(self, log_bar: float, *, above: bool) -> Array:
        """The low (high) ends at which the e-process reaches a bar; infinite where it does not."""
        sign = 1.0 if above else -1.0
        error, known = self._error()
        n = np.maximum(self.n, 1)
        q = one_sided_multiplier(n, log_bar, self.g)
        finite = known & np.isfinite(q)
        q = np.where(finite, q, 0.0)
        unit = np.maximum(-sign * self._skewness(), 0) / (6 * np.sqrt(n))
        reach = (q + unit * (1 + 2 * q**2)) * error
        return np.where(finite, self._mean - sign * reach, -sign * np.inf)

    def promises(self, budget: int, log_bar: float, *, above: bool) -> NDArray[np.bool_]:
        """Whether the e-processes could still reach a bar within a budget of observations each."""
        sign = 1.0 if above else -1.0
        error, known = self._error()
        t = sign * (self._mean - self.threshold) / np.where(known, error, 1.0)
        later = (t + DOUBT) * np.sqrt(budget / np.maximum(self.n, 1))
        enough = log_e_above(np.full(self.n.shape, budget), later, self.g) >= log_bar
        return np.asarray((enough & (later > 0)) | (self.n < MINIMUM_N) | ~known)

    def _error(self) -> tuple[Array, NDArray[np.bool_]]:
        """Return standard errors, and which columns have any spread to take them from."""
        n = np.maximum(self.n, 2)
        deviation = np.sqrt(self._second / (n - 1))
        known = (self.n >= 2) & (deviation > ROUNDING * np.abs(self._mean))
        return deviation / np.sqrt(n), known

    def _skewness(self) -> Array:
        n = np.maximum(self.n, 3)
        known = (self.n >= 3) & self._error()[1]
        second = np.where(known, self._second, 1.0)
        return np.where(known, n * np.sqrt(n - 1) / (n - 2) * self._third / second**1.5, 0.0)


@final
class BoundedColumns:
    """Columns of numbers in a declared range: exact, from the first observation on.

    Args:
        columns: How many.
        threshold: What their means are compared with.
        low: The smallest number that can come.
        high: The largest.
    """

    def __init__(self, columns: int, threshold: float, low: float, high: float) -> None:
        """Start without observations."""
        self.low, self.high = low, high
        self.clipped = np.zeros(columns)
        self.n = np.zeros(columns)
        self._null = min(max((threshold - low) / (high - low), 0.0), 1.0)
        self._batches: list[tuple[Places, Array]] = []
        self._sum = np.zeros(columns)
        self._gains = np.zeros((2, columns, len(stakes()[0])))

    def add(self, places: Places, values: Array) -> None:
        """Take in a batch of some columns, shape (observations, places)."""
        scaled = np.clip((values - self.low) / (self.high - self.low), 0.0, 1.0)
        self.clipped[places] += ((values < self.low) | (values > self.high)).sum(axis=0)
        self._batches.append((places, scaled))
        self._sum[places] += scaled.sum(axis=0)
        self.n[places] += len(values)
        q = np.full(len(places), self._null)
        self._gains[0][places] += log_gains(scaled.T, q)
        self._gains[1][places] += log_gains(1 - scaled.T, 1 - q)

    @property
    def estimate(self) -> Array:
        """The means so far; NaN without observations."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return self.low + self._sum / self.n * (self.high - self.low)

    def log_e(self, *, above: bool) -> Array:
        """The logarithms of the e-processes against "at most" (at least) the threshold."""
        return log_capitals(self._gains[0 if above else 1])

    def ends(self, log_bar: float, *, above: bool) -> Array:
        """The low (high) ends at which the e-process reaches a bar; the range's where not."""
        kept = np.array([self._end(place, log_bar, above) for place in range(len(self.n))])
        return self.low + (kept if above else 1 - kept) * (self.high - self.low)

    def promises(self, budget: int, log_bar: float, *, above: bool) -> NDArray[np.bool_]:
        """Whether the e-processes could still reach a bar within a budget of observations each."""
        n = np.maximum(self.n, 1)
        gains = self._gains[0 if above else 1] * (budget / n)[:, None]
        # Deviations of numbers in a range of 1 are at most a half.
        slack = DOUBT * 0.5 / np.sqrt(n)
        room = self._null if above else 1 - self._null
        gains = gains + budget * np.log1p(stakes()[0] * slack[:, None] / max(room, 1e-12))
        return np.asarray((log_capitals(gains) >= log_bar) | (self.n < MINIMUM_N))

    def _end(self, place: int, log_bar: float, above: bool) -> float:
        values = self._column(place)
        if not above:
            values = 1 - values
        low, high = 0.0, float(values.mean()) if values.size else 0.0
        for _ in range(30):
            middle = (low + high) / 2
            if middle > 0 and float(log_capitals(log_gains(values, middle))) >= log_bar:
                low = middle
            else:
                high = middle
        return low

    def _column(self, place: int) -> Array:
        parts = [values[:, places == place].ravel() for places, values in self._batches]
        return np.concatenate(parts) if parts else np.empty(0)
