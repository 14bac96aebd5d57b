"""How a posterior was found, and how far it can be trusted."""

from dataclasses import dataclass
from typing import TypeAlias, final

import numpy as np

from causalnet.design.assumptions import Numbers

__all__ = ["ClosedForm", "Diagnostics", "Sampling", "Variational"]

MOST_R_HAT = 1.05
LEAST_EFFECTIVE = 100
LEAST_WEIGHTED = 100


@final
@dataclass(frozen=True, slots=True, eq=False)
class Sampling:
    """Chains of the no-U-turn sampler.

    Attributes:
        chains: How many.
        draws: Of each chain, after warm-up.
        warmup: Draws of each that were thrown away.
        r_hat: Split R-hat of each effect, [rows in the model]; near 1 where chains agree.
        effective: Draws that each effect's are worth, [rows in the model].
        shared_r_hat: The largest split R-hat of the numbers that all mediators share.
        divergences: Draws after which a trajectory left the posterior.
    """

    chains: int
    draws: int
    warmup: int
    r_hat: Numbers
    effective: Numbers
    shared_r_hat: float
    divergences: int

    def __str__(self) -> str:
        """Return one line."""
        return (
            f"NUTS, {self.chains} chains of {self.draws} draws after {self.warmup}: R-hat at most "
            f"{self.r_hat.max():.3f} (shared numbers {self.shared_r_hat:.3f}), at least "
            f"{self.effective.min():.0f} effective draws (median {np.median(self.effective):.0f}), "
            f"{self.divergences} divergences"
        )

    def warnings(self) -> tuple[str, ...]:
        """Return what to mind."""
        found = []
        worst = max(float(self.r_hat.max()), self.shared_r_hat)
        if worst > MOST_R_HAT:
            found.append(
                f"chains disagree: {int((self.r_hat > MOST_R_HAT).sum())} effects have an R-hat "
                f"above {MOST_R_HAT} (largest {worst:.2f}); take more warm-up and draws"
            )
        few = int((self.effective < LEAST_EFFECTIVE).sum())
        if few:
            found.append(f"{few} effects have fewer than {LEAST_EFFECTIVE} effective draws")
        if self.divergences:
            found.append(f"{self.divergences} trajectories diverged: draws may miss a region")
        return tuple(found)


@final
@dataclass(frozen=True, slots=True, eq=False)
class Variational:
    """Independent normals, fitted, and checked by weights.

    Attributes:
        elbo: The evidence lower bound at each step, in nats, [steps].
        moved: How far weighting moves each mean, in standard deviations, [rows in the model].
        widened: What weighting multiplies each standard deviation by, [rows in the model].
        effective: What the weighted draws are worth, [rows in the model].
        checked: How many draws were weighted.
    """

    elbo: Numbers
    moved: Numbers
    widened: Numbers
    effective: Numbers
    checked: int

    @property
    def trusted(self) -> Numbers:
        """Which mediators' weights are worth enough to tell the error."""
        return np.asarray(self.effective >= LEAST_WEIGHTED)

    @property
    def gained(self) -> float:
        """How much the bound rose over the last tenth of the steps, in nats."""
        tenth = max(len(self.elbo) // 10, 1)
        before = self.elbo[-2 * tenth : -tenth]
        return float(self.elbo[-tenth:].mean() - before.mean()) if len(before) else 0.0

    def __str__(self) -> str:
        """Return one line."""
        return (
            f"approximate: independent normals (mean-field), {len(self.elbo)} steps, ELBO "
            f"{self.elbo[-max(len(self.elbo) // 10, 1) :].mean():.1f} nats"
        )

    def warnings(self) -> tuple[str, ...]:
        """Return the approximation's error, always, and what to mind."""
        sure = self.trusted.astype(bool)
        moved, widened = np.abs(self.moved[sure]), self.widened[sure]
        found = []
        if len(moved):
            found.append(
                f"approximation's error by importance weights, with the shared numbers held: means "
                f"move by {np.median(moved):.2g} standard deviations (median; at most "
                f"{moved.max():.2g}), standard deviations change by a factor of "
                f"{widened.min():.2g} to {widened.max():.2g}"
            )
        unsure = int((~sure).sum())
        if unsure:
            found.append(
                f"the error of {unsure} effects is not known: their {self.checked} weighted draws "
                f"are worth fewer than {LEAST_WEIGHTED}; run method='nuts' for them"
            )
        if self.gained > 5:
            found.append(f"the bound still rises ({self.gained:.0f} nats): take more steps")
        return tuple(found)


@final
@dataclass(frozen=True, slots=True)
class ClosedForm:
    """The normal model with known noise, solved exactly.

    Attributes:
        learnt: What was estimated from the same effects, and taken as known.
    """

    learnt: tuple[str, ...]

    def __str__(self) -> str:
        """Return one line."""
        return "closed form: normal noise and normal prior, exact given their scales"

    def warnings(self) -> tuple[str, ...]:
        """Return what to mind."""
        if not self.learnt:
            return ()
        return (
            f"{', '.join(self.learnt)} were set to estimates from the same effects and taken as "
            "known: intervals leave their uncertainty out",
        )


Diagnostics: TypeAlias = Sampling | Variational | ClosedForm
