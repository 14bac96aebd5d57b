"""Trials: one for each kind of claim.

| module | kinds |
|---|---|
| `protocol` | what every trial has: `Trial`, `Context` |
| `basic` | `exists`, `effect`, `faithful`, `necessary` |
| `random_circuits` | `better_than_random` |
| `agreement` | `agreement` |
| `completeness` | `complete` |
| `backups` | `no_backups` |
| `stability` | `stable` |
| `minimality` | `minimal` |
| `sweep` | `sweep` |
| `control` | `specific`, `selective` |
| `robust` | `robust` |
| `abstraction` | `abstracts`, `prefers`, `disentangles` |
| `scrubbing` | `scrubbed` |
| `simulation` | `simulates` |
"""

from collections.abc import Callable, Mapping
from typing import Any

from causalnet.claims.kinds import Claim
from causalnet.claims.trials.abstraction import (
    AbstractsTrial,
    DisentanglesTrial,
    PrefersTrial,
)
from causalnet.claims.trials.agreement import AgreementTrial
from causalnet.claims.trials.backups import BackupsTrial
from causalnet.claims.trials.basic import EffectTrial, ExistsTrial, RatioTrial
from causalnet.claims.trials.completeness import complete_trial
from causalnet.claims.trials.control import ControlledTrial
from causalnet.claims.trials.minimality import MinimalTrial
from causalnet.claims.trials.protocol import Context, Trial
from causalnet.claims.trials.random_circuits import RandomTrial
from causalnet.claims.trials.robust import RobustTrial
from causalnet.claims.trials.scrubbing import ScrubbedTrial
from causalnet.claims.trials.simulation import SimulatesTrial
from causalnet.claims.trials.stability import StableTrial
from causalnet.claims.trials.sweep import SweepTrial

__all__ = ["Context", "RobustTrial", "Trial", "trial_of"]

_TRIALS: Mapping[str, Callable[[Any, Context], Trial]] = {
    "exists": ExistsTrial,
    "effect": EffectTrial,
    "faithful": RatioTrial,
    "necessary": RatioTrial,
    "better_than_random": RandomTrial,
    "agreement": AgreementTrial,
    "complete": complete_trial,
    "no_backups": BackupsTrial,
    "stable": StableTrial,
    "minimal": MinimalTrial,
    "sweep": SweepTrial,
    "specific": ControlledTrial,
    "selective": ControlledTrial,
    "robust": RobustTrial,
    "abstracts": AbstractsTrial,
    "prefers": PrefersTrial,
    "disentangles": DisentanglesTrial,
    "scrubbed": ScrubbedTrial,
    "simulates": SimulatesTrial,
}


def trial_of(claim: Claim, context: Context) -> Trial:
    """Return the trial of a claim."""
    return _TRIALS[claim.kind](claim, context)
