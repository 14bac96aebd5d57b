"""p-values against random circuits, which stop drawing as soon as the answer is plain."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from causalnet.errors import NumericalError, ParameterError
from causalnet.statistics.samples import check_alpha

__all__ = ["MonteCarloP", "fewest_draws", "monte_carlo_p"]


@dataclass(frozen=True, slots=True)
class MonteCarloP:
    """A p-value from draws under the null.

    Attributes:
        p: The p-value; never 0.
        exceedances: Draws that were at least as extreme as what was observed.
        draws: Draws that were made.
        is_early: Whether drawing stopped because there were enough exceedances.
    """

    p: float
    exceedances: int
    draws: int
    is_early: bool

    def __str__(self) -> str:
        """Print the p-value and what it rests on."""
        return f"p = {self.p:.4g} ({self.exceedances} of {self.draws} draws as extreme)"


def monte_carlo_p(
    observed: float, draw: Callable[[], float], *, most: int = 999, enough: int = 10
) -> MonteCarloP:
    """Compare an observed number with draws under the null: large is extreme.

    Drawing stops at the first `enough` draws that are at least as large, with p = enough / draws
    (Besag and Clifford 1991); otherwise p = (1 + exceedances) / (most + 1).  Under the null, where
    the observed number is exchangeable with the draws, p <= u has at most the probability u.

    Args:
        observed: What was observed.
        draw: Gives one draw under the null, independent of the others.
        most: Draws at most.
        enough: Exceedances that stop it.

    Raises:
        ParameterError: `most` or `enough` below 1.
        NumericalError: NaN, observed or drawn.

    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> print(monte_carlo_p(5.0, rng.normal, most=199))
    p = 0.005 (0 of 199 draws as extreme)
    >>> monte_carlo_p(0.0, rng.normal, most=199).is_early
    True
    """
    if most < 1 or enough < 1:
        raise ParameterError(
            came=f"most is {most!r} and enough {enough!r}.",
            possible="Both are whole numbers of at least 1.",
            write="Write for example most=999, enough=10.",
        )
    exceedances = 0
    for made in range(1, most + 1):
        drawn = float(draw())
        if math.isnan(drawn) or math.isnan(observed):
            raise NumericalError(
                came=f"Observed {observed}, drawn {drawn}.",
                possible="NaN is neither larger nor smaller than another number.",
                write="Look at what was drawn; a wider dtype, such as float32, often helps.",
            )
        exceedances += drawn >= observed
        if exceedances == enough:
            return MonteCarloP(enough / made, exceedances, made, True)
    return MonteCarloP((1 + exceedances) / (most + 1), exceedances, most, False)


def fewest_draws(alpha: float) -> int:
    """Return how many draws a p-value of at most `alpha` needs at least.

    Raises:
        ParameterError: alpha outside (0, 0.5).

    >>> fewest_draws(0.05), fewest_draws(0.01)
    (19, 99)
    """
    return math.ceil(1 / check_alpha(alpha) - 1e-9) - 1
