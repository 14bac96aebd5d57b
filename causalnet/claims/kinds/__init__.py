"""The kinds of claims: what each says, its thresholds, and the runs that it needs.

| module | kinds |
|---|---|
| `basic` | `exists`, `effect`, `faithful`, `necessary`, `better_than_random` |
| `agreement` | `agreement` |
| `completeness` | `complete`, `no_backups` |
| `stability` | `stable` |
| `minimality` | `minimal`, `sweep` |
| `control` | `specific`, `selective` |
| `robust` | `robust` |
| `abstraction` | `abstracts`, `prefers`, `disentangles` |
| `scrubbing` | `scrubbed` |
| `simulation` | `simulates` |
"""

from typing import Annotated

from pydantic import Field

from causalnet.claims.kinds.abstraction import AbstractsClaim, DisentanglesClaim, PrefersClaim
from causalnet.claims.kinds.agreement import AgreementClaim
from causalnet.claims.kinds.base import Bounded, ClaimBase, Part, check_range
from causalnet.claims.kinds.basic import (
    BetterThanRandomClaim,
    ByChance,
    EffectClaim,
    ExistsClaim,
    FaithfulClaim,
    NecessaryClaim,
)
from causalnet.claims.kinds.completeness import CompleteClaim, NoBackupsClaim
from causalnet.claims.kinds.control import SelectiveClaim, SpecificClaim
from causalnet.claims.kinds.minimality import MinimalClaim, SweepClaim
from causalnet.claims.kinds.robust import RobustClaim
from causalnet.claims.kinds.scrubbing import ScrubbedClaim
from causalnet.claims.kinds.simulation import SimulatesClaim
from causalnet.claims.kinds.stability import StableClaim

__all__ = [
    "AbstractsClaim",
    "AgreementClaim",
    "BetterThanRandomClaim",
    "Bounded",
    "ByChance",
    "Claim",
    "ClaimBase",
    "CompleteClaim",
    "DisentanglesClaim",
    "EffectClaim",
    "ExistsClaim",
    "FaithfulClaim",
    "MinimalClaim",
    "NecessaryClaim",
    "NoBackupsClaim",
    "Part",
    "PrefersClaim",
    "RobustClaim",
    "ScrubbedClaim",
    "SelectiveClaim",
    "SimulatesClaim",
    "SpecificClaim",
    "StableClaim",
    "SweepClaim",
    "check_range",
]

Claim = Annotated[
    ExistsClaim
    | EffectClaim
    | FaithfulClaim
    | NecessaryClaim
    | BetterThanRandomClaim
    | AgreementClaim
    | CompleteClaim
    | NoBackupsClaim
    | StableClaim
    | MinimalClaim
    | SweepClaim
    | SpecificClaim
    | SelectiveClaim
    | RobustClaim
    | AbstractsClaim
    | PrefersClaim
    | DisentanglesClaim
    | ScrubbedClaim
    | SimulatesClaim,
    Field(discriminator="kind"),
]
"""Any of the kinds of claims."""
