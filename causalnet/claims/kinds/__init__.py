"""The kinds of claims: what each says, its thresholds, and the runs that it needs.

| module | kinds |
|---|---|
| `basic` | `exists`, `effect`, `faithful`, `necessary`, `better_than_random` |
"""

from typing import Annotated

from pydantic import Field

from causalnet.claims.kinds.base import Bounded, ClaimBase, Part, check_range
from causalnet.claims.kinds.basic import (
    BetterThanRandomClaim,
    ByChance,
    EffectClaim,
    ExistsClaim,
    FaithfulClaim,
    NecessaryClaim,
)

__all__ = [
    "BetterThanRandomClaim",
    "Bounded",
    "ByChance",
    "Claim",
    "ClaimBase",
    "EffectClaim",
    "ExistsClaim",
    "FaithfulClaim",
    "NecessaryClaim",
    "Part",
    "check_range",
]

Claim = Annotated[
    ExistsClaim | EffectClaim | FaithfulClaim | NecessaryClaim | BetterThanRandomClaim,
    Field(discriminator="kind"),
]
"""Any of the kinds of claims."""
