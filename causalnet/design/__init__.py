"""Bayesian models of effects, and what they say to report.

| name | what | source |
|---|---|---|
| `effect_posterior` | all mediators' mean effects, fitted together: `nuts`, `svi`, `gaussian` | \
Gelman and Hill 2007; Carvalho et al. 2010 |
| `EffectPosterior` | means, intervals, probabilities, a circuit at a false discovery rate | \
Müller et al. 2004 |
| `MediatorPosterior` | one mediator's line of it | |
| `Assumptions` | what is known beforehand: degrees, noise, spread, template ratio | |
| `Learnt` | a number that all mediators share | |
| `Draws`, `Normals` | what is believed of each effect | |
| `Sampling`, `Variational`, `ClosedForm` | how it was found, and its error | \
Hoffman and Gelman 2014; Yao et al. 2018 |

The model is stated in `causalnet.design.program`.  Pyro is imported by `nuts` and `svi` alone.
"""

from causalnet.design.assumptions import Assumptions
from causalnet.design.diagnostics import ClosedForm, Diagnostics, Sampling, Variational
from causalnet.design.fit import effect_posterior
from causalnet.design.marginals import Draws, Marginals, Normals
from causalnet.design.posterior import EffectPosterior, MediatorPosterior, Method
from causalnet.design.shared import Learnt

__all__ = [
    "Assumptions",
    "ClosedForm",
    "Diagnostics",
    "Draws",
    "EffectPosterior",
    "Learnt",
    "Marginals",
    "MediatorPosterior",
    "Method",
    "Normals",
    "Sampling",
    "Variational",
    "effect_posterior",
]
