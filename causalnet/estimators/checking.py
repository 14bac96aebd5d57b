"""An estimator held to exact effects on a random sample of what it scored."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from causalnet.errors import ParameterError
from causalnet.estimators.attribution import Attribution
from causalnet.execute import Bindings, run_leaves
from causalnet.interventions import Leaf, evaluate_scalar, leaves_of

__all__ = ["Check", "check"]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Check:
    """A random sample of scores beside the exact effects they stand in for.

    Attributes:
        labels: The nodes or edges that were drawn.
        estimated: Their scores, means over prompts, [sample].
        exact: Their exact mean effects, or the magnitudes of them, [sample].
        drawn_from: How many scores there are.
        unit: The unit of both.
    """

    labels: tuple[str, ...]
    estimated: NDArray[np.float64]
    exact: NDArray[np.float64]
    drawn_from: int
    unit: str

    @property
    def correlation(self) -> float:
        """Pearson's correlation; NaN where one side does not vary."""
        if len(self.labels) < 2 or not self.estimated.std() or not self.exact.std():
            return float("nan")
        return float(np.corrcoef(self.estimated, self.exact)[0, 1])

    @property
    def rmse(self) -> float:
        """Root of the mean squared error."""
        return float(np.sqrt(np.mean((self.estimated - self.exact) ** 2)))

    @property
    def size(self) -> float:
        """Root of the mean squared exact effect: what `rmse` is to be compared with."""
        return float(np.sqrt(np.mean(self.exact**2)))

    @property
    def worst(self) -> tuple[str, float, float]:
        """The site whose score is furthest off: its name, its score, its exact effect."""
        index = int(np.argmax(np.abs(self.estimated - self.exact)))
        return self.labels[index], float(self.estimated[index]), float(self.exact[index])

    def __repr__(self) -> str:
        """Return the figures with the worst case."""
        name, estimated, exact = self.worst
        return (
            f"Check({len(self.labels)} of {self.drawn_from:,} drawn at random: correlation "
            f"{self.correlation:.3f}, rmse {self.rmse:.3g} where effects are {self.size:.3g} "
            f"{self.unit}; worst {name}: {estimated:+.3g} for {exact:+.3g})"
        )


def check(attribution: Attribution, sample: int, seed: int, batch_size: int = 16) -> Check:
    """Compare a random sample of scores with exact effects; see `Attribution.check`.

    Raises:
        ParameterError: No sample.
    """
    if sample < 1:
        raise ParameterError(f"A sample of {sample}.", "At least one score is compared.")
    size = len(attribution)
    drawn = np.random.default_rng(seed).choice(size, min(sample, size), replace=False)
    terms = [attribution.exact_effect(int(index)) for index in drawn]
    leaves: dict[Leaf, None] = dict.fromkeys(leaf for term in terms for leaf in leaves_of(term))
    found = run_leaves(
        tuple(leaves),
        attribution.net,
        Bindings.of(attribution.pairs),
        batch_size=batch_size,
        padding="left",
    )
    values = {leaf: value.double().cpu().numpy() for leaf, value in found.values.items()}
    is_magnitude = attribution.method.sign == "magnitude"
    exact = []
    for term in terms:
        effects = np.asarray(evaluate_scalar(term, values))
        exact.append(float((np.abs(effects) if is_magnitude else effects).mean()))
    return Check(
        tuple(attribution.sites.label(int(index)) for index in drawn),
        attribution.scores[drawn],
        np.array(exact),
        size,
        attribution.readout.unit,
    )
