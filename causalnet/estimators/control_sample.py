"""What a random control sample says of rows that were not run: bounds and measured errors."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from causalnet.errors import ParameterError
from causalnet.estimators.query_rows import Numbers

__all__ = ["ControlBound", "ScreenError", "drawn", "most_among"]


def most_among(found: int, sampled: int, among: int, alpha: float = 0.05) -> int:
    """Return an upper bound on how many of some rows are of a kind, from a random sample of them.

    It is Clopper and Pearson's bound (1934) for draws without replacement: the largest number for
    which finding so few in the sample still has a probability above alpha.  It is never larger than
    the bound for draws with replacement, which it becomes when there are many rows.

    Args:
        found: How many of the sample are of that kind.
        sampled: Rows in the sample.
        among: Rows that it was drawn from.
        alpha: The probability that the bound is too small.

    Raises:
        ParameterError: Numbers that do not fit, or alpha outside (0, 1).

    >>> most_among(0, sampled=20, among=230), most_among(0, sampled=230, among=230)
    (30, 0)
    """
    if not (0 <= found <= sampled <= among and 0 < alpha < 1):
        raise ParameterError(
            f"{found} of a sample of {sampled} among {among} rows, with alpha {alpha!r}.",
            "A sample is part of the rows, what is found part of it, and alpha inside (0, 1).",
            "Write for example most_among(0, sampled=20, among=230, alpha=0.05).",
        )
    every = math.comb(among, sampled)
    low, high = found, among - (sampled - found)
    while low < high:  # whole numbers, so that many rows round nothing
        middle = (low + high + 1) // 2
        few = sum(
            math.comb(middle, some) * math.comb(among - middle, sampled - some)
            for some in range(found + 1)
        )
        if few / every > alpha:
            low = middle
        else:
            high = middle - 1
    return low


def drawn(rows: Sequence[int] | NDArray[np.intp], size: int, seed: int) -> tuple[int, ...]:
    """Return a random sample of rows without replacement, in order; all where they are few.

    Raises:
        ParameterError: A size below 1.
    """
    if size < 1:
        raise ParameterError(
            f"control is {size}.",
            "Without a control sample nothing is known of the rows that are not run.",
            "Write for example control=20, or run all rows with cn.run.",
        )
    listed = np.asarray(rows, dtype=np.int64)
    chosen = np.random.default_rng(seed).choice(listed, min(size, len(listed)), replace=False)
    return tuple(sorted(int(row) for row in chosen))


@dataclass(frozen=True, slots=True)
class ControlBound:
    """How many of the rows that were not run can be other than the screen says.

    Attributes:
        what: What is counted, in words that follow "rows that".
        found: How many rows of the control sample are so.
        control: Rows in the control sample.
        unrun: Rows that have no exact value.
        at_most: The bound on how many of `unrun` are so.
        level: The probability with which it holds, over draws of the control sample.
    """

    what: str
    found: int
    control: int
    unrun: int
    at_most: int
    level: float

    @property
    def fraction(self) -> float:
        """The bound as a fraction of the rows that were not run; 0 where there are none."""
        return self.at_most / self.unrun if self.unrun else 0.0

    def __str__(self) -> str:
        """Return a sentence."""
        if not self.unrun:
            return "Every row was run exactly."
        return (
            f"{self.unrun} rows were not run exactly: with {100 * self.level:.6g} % confidence, at "
            f"most {self.at_most} of them ({100 * self.fraction:.3g} %) {self.what}; of "
            f"{self.control} control rows drawn at random, {self.found} do."
        )


@dataclass(frozen=True, slots=True)
class ScreenError:
    """How far a screen was from exact means, on some rows.

    Attributes:
        n: Rows.
        rms: Root of the mean square of screen - exact.
        largest: Largest absolute difference.
        bias: Mean of screen - exact.
        correlation: Pearson's; NaN where one of the two has no spread, or of fewer than three rows.
    """

    n: int
    rms: float
    largest: float
    bias: float
    correlation: float

    @classmethod
    def of(cls, screened: Numbers, exact: Numbers) -> "ScreenError":
        """Compare means, [n] each; all NaN where there are none."""
        if not len(exact):
            return cls(0, math.nan, math.nan, math.nan, math.nan)
        error = screened - exact
        spread = min(float(np.ptp(screened)), float(np.ptp(exact)))
        tells = spread > 0 and len(exact) > 2  # two points always lie on a line
        correlation = float(np.corrcoef(screened, exact)[0, 1]) if tells else math.nan
        rms = float(np.sqrt(np.mean(error**2)))
        largest = float(np.abs(error).max())
        return cls(len(exact), rms, largest, float(error.mean()), correlation)

    def __str__(self) -> str:
        """Return `rms 0.02, largest 0.1, correlation 0.91 (n = 20)`."""
        alike = "" if math.isnan(self.correlation) else f", correlation {self.correlation:.3f}"
        return f"rms {self.rms:.2g}, largest {self.largest:.2g}{alike} (n = {self.n})"
