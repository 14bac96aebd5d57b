"""The kinds of claims: what each says, its thresholds, and the runs that it needs.

| module | kinds |
|---|---|
| `basic` | `exists`, `effect`, `faithful`, `necessary`, `better_than_random` |
| `agreement` | `agreement` |
| `minimality` | `minimal` |
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
from causalnet.claims.kinds.minimality import MinimalClaim

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
    "check_range",
]

Claim = Annotated[
    ExistsClaim
    | EffectClaim
    | FaithfulClaim
    | NecessaryClaim
    | BetterThanRandomClaim
    | AgreementClaim
    | MinimalClaim,
    Field(discriminator="kind"),
]
"""Any of the kinds of claims."""
