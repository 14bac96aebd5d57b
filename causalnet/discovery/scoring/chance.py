"""How many sites two independent random circuits share: the hypergeometric law, exactly.

Of n sites one circuit has a and the other b.  If either is drawn uniformly among all circuits of
its size, x sites are shared with probability C(a, x) C(n - a, b - x) / C(n, b).  Where both are
drawn with their sizes in every layer kept, the numbers of the layers add up, and their law is the
convolution.  Sums are direct: a convolution by Fourier transforms would lose small tails.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import NamedTuple

import numpy as np

from causalnet.discovery.scoring.conventions import Array
from causalnet.discovery.scoring.wording import probability

__all__ = ["Chance", "Sizes", "chance_of", "expected_jaccard", "holm"]

SMALLEST = float(np.finfo(np.float64).tiny)  # a p-value is never written as 0


class Sizes(NamedTuple):
    """How many sites each of two circuits has, out of how many: of the graph or of a layer."""

    first: int
    second: int
    total: int


@dataclass(frozen=True, slots=True)
class Chance:
    """What chance alone would share.

    Attributes:
        expected: The mean number of shared sites.
        p_value: The probability of sharing at least as many as were shared; in (0, 1].
    """

    expected: float
    p_value: float

    def __str__(self) -> str:
        """Print both numbers."""
        return f"{self.expected:.2f} expected, p = {probability(self.p_value)}"

    def to_json(self) -> dict[str, object]:
        """Give JSON values."""
        return asdict(self)


def chance_of(shared: int, strata: Sequence[Sizes]) -> Chance:
    """Return what chance would share, stratum by stratum.

    Args:
        shared: How many sites were shared, within the range that the sizes allow.
        strata: The sizes in every stratum; one stratum is the whole graph.

    Returns:
        The expected number, and P(at least `shared`), exact to rounding (about 1e-12 of it) down
        to the smallest normal float64, which stands for anything smaller.

    >>> print(chance_of(6, [Sizes(10, 10, 270)]))
    0.37 expected, p = 8.2e-08
    """
    law, least = np.ones(1), 0
    for sizes in strata:
        law = np.convolve(law, _hypergeometric(sizes))
        least += _least(sizes)
    # Both tails are sums of positive numbers; the total is 1 up to rounding.
    tail = math.fsum(law[max(shared - least, 0) :])
    p_value = 1.0 if shared <= least else tail / math.fsum(law)
    expected = math.fsum(one.first * one.second / one.total for one in strata)
    return Chance(expected, min(1.0, max(p_value, SMALLEST)))


def expected_jaccard(sizes: Sizes) -> float:
    """Return the mean Jaccard index of two random circuits of these sizes, in [0, 1].

    >>> round(expected_jaccard(Sizes(10, 10, 270)), 3), expected_jaccard(Sizes(9, 9, 9))
    (0.02, 1.0)
    """
    law = _hypergeometric(sizes)
    shared = _least(sizes) + np.arange(law.size)
    return math.fsum(law * shared / (sizes.first + sizes.second - shared))


def _least(sizes: Sizes) -> int:
    return max(0, sizes.first + sizes.second - sizes.total)


def _hypergeometric(sizes: Sizes) -> Array:
    """Return the probabilities of every possible number, from the least on; they sum to 1.

    Neighbours have the ratio (a - x)(b - x) / ((x + 1)(n - a - b + x + 1)); its logarithms are
    summed from the mode outwards, so that no factorial loses digits.
    """
    a, b, n = sizes
    x = np.arange(_least(sizes), min(a, b), dtype=np.float64)
    steps = np.log((a - x) * (b - x)) - np.log((x + 1) * (n - a - b + x + 1))
    mode = int(np.count_nonzero(steps > 0))
    above = np.cumsum(steps[mode:])
    below = -np.cumsum(steps[:mode][::-1])[::-1]
    law: Array = np.exp(np.concatenate([below, [0.0], above]))
    return law / math.fsum(law)


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """Adjust p-values for being looked at together, whatever their dependence (Holm 1979).

    >>> holm([0.01, 0.04, 0.03])
    (0.03, 0.06, 0.06)
    """
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    adjusted, largest = [0.0] * len(p_values), 0.0
    for rank, i in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[i]))
        adjusted[i] = largest
    return tuple(adjusted)
