"""Numbers that all mediators share, in the effects' own units."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

import numpy as np

from causalnet.design.assumptions import Numbers
from causalnet.design.observations import Observations

__all__ = ["Learnt", "learnt_from_draws"]

MEANINGS = {
    "spread": "deviation of the levels' prior",
    "spread_ratio": "common scale of the levels' prior, over the noise",
    "noise": "typical deviation of an effect over prompts",
    "noise_spread": "deviation of the noises' logarithms over mediators",
    "degrees": "degrees of freedom of the noise",
    "slope": "effect for each unit of the approximation",
    "template_ratio": "deviation that templates add, over the noise",
}


@final
@dataclass(frozen=True, slots=True)
class Learnt:
    """A number that all mediators share.

    Attributes:
        mean: Posterior mean.
        sd: Posterior standard deviation; 0 where the number was taken as known.
        meaning: What it is.
    """

    mean: float
    sd: float
    meaning: str

    def __str__(self) -> str:
        """Return `1.02 +- 0.01 (effect for each unit of the approximation)`."""
        about = f" +- {self.sd:.2g}" if self.sd else ""
        return f"{self.mean:.4g}{about} ({self.meaning})"


def known(name: str, value: float, sd: float = 0.0) -> Learnt:
    """Return a number with its meaning."""
    return Learnt(float(value), float(sd), MEANINGS[name])


def learnt_from_draws(drawn: Mapping[str, Numbers], seen: Observations) -> dict[str, Learnt]:
    """Return means and deviations of what the program's sites drew."""
    per = seen.scale / seen.approximation_scale
    found: dict[str, Numbers] = {}
    for site, values in drawn.items():
        match site:
            case "spread":
                found["spread_ratio"] = values
            case "noise_centre":
                found["noise"] = np.exp(values) * seen.scale
            case "degrees_above_1":
                found["degrees"] = 1 + values
            case "slope":
                found["slope"] = values * per
            case _:
                found[site] = values
    return {name: known(name, values.mean(), values.std(ddof=1)) for name, values in found.items()}
