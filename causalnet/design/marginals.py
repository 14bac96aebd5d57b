"""What is believed of each mediator's effect: draws, or a normal law."""

from dataclasses import dataclass
from typing import TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from causalnet.design.assumptions import Numbers

__all__ = ["Draws", "Marginals", "Normals"]


@final
@dataclass(frozen=True, slots=True, eq=False)
class Draws:
    """Draws from the posterior.

    Attributes:
        values: [draws, mediators].
    """

    values: Numbers

    @property
    def mean(self) -> Numbers:
        """Posterior means, [mediators]."""
        return np.asarray(self.values.mean(axis=0))

    @property
    def sd(self) -> Numbers:
        """Posterior standard deviations, [mediators]."""
        return np.asarray(self.values.std(axis=0, ddof=1))

    def interval(self, level: float) -> tuple[Numbers, Numbers]:
        """Return the ends of the central interval."""
        tail = (1 - level) / 2
        low, high = np.quantile(self.values, [tail, 1 - tail], axis=0)
        return low, high

    def above(self, tau: float) -> Numbers:
        """Return the probability that an effect is larger in size than tau, [mediators]."""
        return np.asarray((np.abs(self.values) > tau).mean(axis=0))


@final
@dataclass(frozen=True, slots=True, eq=False)
class Normals:
    """Normal laws.

    Attributes:
        mean: [mediators].
        sd: [mediators]; 0 where nothing varied.
    """

    mean: Numbers
    sd: Numbers

    def interval(self, level: float) -> tuple[Numbers, Numbers]:
        """Return the ends of the central interval."""
        from scipy.special import ndtri

        reach = float(ndtri((1 + level) / 2)) * self.sd
        return self.mean - reach, self.mean + reach

    def above(self, tau: float) -> Numbers:
        """Return the probability that an effect is larger in size than tau, [mediators]."""
        from scipy.special import ndtr

        certain: NDArray[np.bool_] = self.sd == 0
        sd = np.where(certain, 1.0, self.sd)
        tails = ndtr((self.mean - tau) / sd) + ndtr((-tau - self.mean) / sd)
        return np.where(certain, np.abs(self.mean) > tau, tails)


Marginals: TypeAlias = Draws | Normals
