"""The kinds of claims: what each says, its thresholds, and the runs that it needs.

| module | kinds |
|---|---|
| `basic` | `exists`, `effect`, `faithful`, `necessary`, `better_than_random` |
| `agreement` | `agreement` |
| `minimality` | `minimal`, `sweep` |
| `control` | `specific`, `selective` |
"""

from typing import Annotated

from pydantic import Field

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
from causalnet.claims.kinds.control import SelectiveClaim, SpecificClaim
from causalnet.claims.kinds.minimality import MinimalClaim, SweepClaim

__all__ = [
    "AgreementClaim",
    "BetterThanRandomClaim",
    "Bounded",
    "ByChance",
    "Claim",
    "ClaimBase",
    "EffectClaim",
    "ExistsClaim",
    "FaithfulClaim",
    "MinimalClaim",
    "NecessaryClaim",
    "Part",
    "SelectiveClaim",
    "SpecificClaim",
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
    | MinimalClaim
    | SweepClaim
    | SpecificClaim
    | SelectiveClaim,
    Field(discriminator="kind"),
]
"""Any of the kinds of claims."""
