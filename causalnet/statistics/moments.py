"""Central moments up to the third, merged batch by batch and without cancellation."""

from dataclasses import dataclass

import numpy as np

from causalnet.statistics.samples import Array

__all__ = ["Moments", "moments_of"]

# Spread below this fraction of the numbers' own size is float64 rounding, not spread.
ROUNDING = 1e-12


@dataclass(frozen=True, slots=True, eq=False)
class Moments:
    """Sums of products of deviations of `p` numbers per observation.

    Every array may have leading axes, one entry per independent sweep.

    Attributes:
        n: Observations.
        mean: Means, shape (..., p).
        second: Sums of d_i d_j over the observations, shape (..., p, p).
        third: Sums of d_i d_j d_k, shape (..., p, p, p).
    """

    n: int
    mean: Array
    second: Array
    third: Array

    def merge(self, other: "Moments") -> "Moments":
        """Return the moments of both samples together."""
        n = self.n + other.n
        mean = self.mean + (other.mean - self.mean) * (other.n / n)
        mine, theirs = self._about(mean), other._about(mean)
        return Moments(n, mean, mine[0] + theirs[0], mine[1] + theirs[1])

    def _about(self, centre: Array) -> tuple[Array, Array]:
        """Return second and third sums about another centre."""
        d = self.mean - centre
        dd = d[..., :, None] * d[..., None, :]
        second = self.second + self.n * dd
        mixed = (
            d[..., :, None, None] * self.second[..., None, :, :]
            + d[..., None, :, None] * self.second[..., :, None, :]
            + d[..., None, None, :] * self.second[..., :, :, None]
        )
        third = self.third + mixed + self.n * dd[..., :, :, None] * d[..., None, None, :]
        return second, third

    def covariance(self) -> Array:
        """Return the unbiased covariances, shape (..., p, p); zero where n is 1."""
        return self.second / max(self.n - 1, 1)

    def has_spread(self) -> Array:
        """Say for each of the `p` numbers whether its observations differ, shape (..., p)."""
        deviation = np.sqrt(np.diagonal(self.covariance(), axis1=-2, axis2=-1))
        return np.asarray(deviation > ROUNDING * np.abs(self.mean))

    def skewness(self, weights: Array) -> Array:
        """Return the bias-corrected skewness of a weighted sum of the `p` numbers.

        Args:
            weights: Shape (..., p).

        Returns:
            Shape (...); 0 where the weighted sum has no spread or n is below 3.
        """
        if self.n < 3:
            return np.zeros(self.mean.shape[:-1])
        second = np.einsum("...ij,...i,...j->...", self.second, weights, weights)
        third = np.einsum("...ijk,...i,...j,...k->...", self.third, weights, weights, weights)
        size = np.einsum("...ii,...i->...", self.second, weights * weights)
        offset = np.einsum("...i,...i->...", np.abs(self.mean), np.abs(weights))
        spread = second > ROUNDING * size + self.n * (ROUNDING * offset) ** 2
        safe = np.where(spread, second, 1.0)
        correction = self.n * np.sqrt(self.n - 1) / (self.n - 2)
        return np.asarray(np.where(spread, correction * third / safe**1.5, 0.0))


def moments_of(values: Array) -> Moments:
    """Compute the moments of one batch.

    Args:
        values: Shape (..., n, p): leading axes, observations, numbers per observation.

    >>> import numpy as np
    >>> first, second = np.random.default_rng(0).normal(size=(2, 10, 1))
    >>> both = moments_of(np.concatenate([first, second]))
    >>> merged = moments_of(first).merge(moments_of(second))
    >>> bool(np.allclose(both.third, merged.third))
    True
    """
    mean = values.mean(axis=-2)
    d = values - mean[..., None, :]
    second = np.einsum("...ni,...nj->...ij", d, d)
    third = np.einsum("...ni,...nj,...nk->...ijk", d, d, d)
    return Moments(values.shape[-2], mean, second, third)
