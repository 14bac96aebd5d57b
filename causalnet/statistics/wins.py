"""An exact confidence sequence for the rate of a yes-or-no event.

For a null rate q the bet is that the rate is above q: its likelihood ratio against q is averaged
over rates theta in (q, 1) with the density b (1 - theta)^(b-1) / (1 - q)^b,

    E_t(q) = b / (1 - q)^b  B(s + 1, f + b)  P(Beta(s + 1, f + b) > q)  /  ( q^s (1 - q)^f )

after s wins and f losses.  Each ratio is a supermartingale under every rate of at most q, so that
by Ville's inequality E_t(q) ever reaches 1/alpha with probability at most alpha (Robbins 1970).
With theta = q + (1 - q) u it is a mean over u of (1 + u (1 - q)/q)^s (1 - u)^f, which falls with
q: the rates that are excluded are exactly those below one number, the low end.  The high end is
the mirror image.
"""

import math
from typing import final

import numpy as np
from numpy.typing import ArrayLike

from causalnet.errors import ParameterError
from causalnet.statistics.interval import Interval
from causalnet.statistics.samples import Array, check_alpha, sample

__all__ = ["WinSequence", "expected_wins_stop", "log_evidence_above", "win_bounds"]

# b: below 1 it bets on rates near 1, where a good circuit is; 36 straight wins then show a rate
# above 0.9 at alpha = 0.05 (43 with b = 1; no valid test needs fewer than 29).
BET = 0.5


def log_evidence_above(rate: float, wins: ArrayLike, losses: ArrayLike) -> Array:
    """Return the logarithm of the e-process against "the rate is at most `rate`".

    Args:
        rate: The null rate q, in (0, 1).
        wins: Wins so far, any shape.
        losses: Losses so far, the same shape.

    Returns:
        The same shape; minus infinity where the numbers of float64 end, far below the rate.

    >>> bool(log_evidence_above(0.9, 36, 0) >= np.log(20) > log_evidence_above(0.9, 35, 0))
    True
    """
    from scipy.special import betainc, betaln

    s, f = np.asarray(wins, dtype=np.float64), np.asarray(losses, dtype=np.float64)
    with np.errstate(divide="ignore"):
        tail = np.log(betainc(f + BET, s + 1, 1 - rate))
    likelihood = s * math.log(rate) + (f + BET) * math.log1p(-rate)
    return np.asarray(math.log(BET) + betaln(s + 1, f + BET) + tail - likelihood)


@final
class WinSequence:
    """A confidence sequence for a rate, exact for independent draws at any number of looks.

    For "better than random circuits" one observation is one random circuit, drawn afresh, and a
    win says that the circuit beats it on the same prompts; a tie is no win.  At alpha = 0.05 the
    straight wins that show a rate above 0.9, 0.8 and 0.5 are 36, 17 and 6.

    Args:
        alpha: Error probability of each end.

    Raises:
        ParameterError: alpha outside (0, 0.5).

    >>> sequence = WinSequence(alpha=0.05)
    >>> sequence.add([True] * 36)
    >>> print(sequence.interval)
    [0.9006, 1.0000] (90 %)
    """

    def __init__(self, alpha: float = 0.05) -> None:
        """Start without observations."""
        self.alpha = check_alpha(alpha)
        self._wins = 0
        self._losses = 0

    def add(self, wins: ArrayLike) -> None:
        """Take in one batch of true (or 1) for a win and false (or 0) for none.

        Raises:
            ParameterError: The batch is empty, not one-dimensional, or holds another number.
            NumericalError: It holds NaN or an infinity.
        """
        batch = sample(wins, "wins")
        if not np.isin(batch, (0.0, 1.0)).all():
            raise ParameterError(
                came=f"The wins hold {batch[~np.isin(batch, (0.0, 1.0))][0]:g}.",
                possible="A win is True or 1, anything else False or 0.",
                write="Give one comparison per draw, such as gap < random_gaps.",
            )
        won = int(batch.sum())
        self._wins, self._losses = self._wins + won, self._losses + batch.size - won

    @property
    def n(self) -> int:
        """Observations so far."""
        return self._wins + self._losses

    @property
    def estimate(self) -> float:
        """The share of wins so far; NaN without observations."""
        return self._wins / self.n if self.n else math.nan

    @property
    def interval(self) -> Interval | None:
        """What the sequence says after these observations; None without any."""
        if not self.n:
            return None
        low, high = win_bounds(self._wins, self._losses, self.alpha)
        return Interval(low, high, 1 - 2 * self.alpha, "beta_mixture_sequence")


def win_bounds(wins: float, losses: float, alpha: float) -> tuple[float, float]:
    """Return the ends of the sequence after some wins and losses.

    >>> [round(end, 3) for end in win_bounds(90, 10, alpha=0.05)]
    [0.789, 0.973]
    """
    return _low_end(wins, losses, alpha), 1 - _low_end(losses, wins, alpha)


def _low_end(wins: float, losses: float, alpha: float) -> float:
    """Bisect for the largest excluded rate; the evidence falls with the rate, see the module."""
    excluded, kept = 0.0, wins / (wins + losses)
    bar = -math.log(alpha)
    for _ in range(50):
        middle = (excluded + kept) / 2
        if middle > 0 and log_evidence_above(middle, wins, losses) >= bar:
            excluded = middle
        else:
            kept = middle
    return excluded


def expected_wins_stop(rate: float, threshold: float, alpha: float) -> int | None:
    """Return after how many draws a rate of wins would be told from a threshold.

    Returns:
        None above a hundred thousand.

    >>> expected_wins_stop(1.0, threshold=0.9, alpha=0.05)
    36
    """
    if rate < threshold:
        rate, threshold = 1 - rate, 1 - threshold
    low, high, bar = 0, 100_000, -math.log(alpha)
    if log_evidence_above(threshold, rate * high, (1 - rate) * high) < bar:
        return None
    while high - low > 1:
        middle = (low + high) // 2
        if log_evidence_above(threshold, rate * middle, (1 - rate) * middle) >= bar:
            high = middle
        else:
            low = middle
    return high
