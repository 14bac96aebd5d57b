"""Claim files about a hand-written network whose circuit is known: the indirect object."""

from functools import cache
from typing import Any

from causalnet.claims import ClaimFile
from causalnet.lift import LiftedNetwork, lift
from causalnet.models import load

DUPLICATE, INHIBITION, MOVER, JUNK = "L0.H0", "L1.H0", "L2.H0", "L1.H2"
CIRCUIT = (DUPLICATE, INHIBITION, MOVER)


@cache
def known_net(name: str = "indirect_object") -> LiftedNetwork:
    """Return a hand-written network, lifted once."""
    return lift(load(f"known:{name}"))


def known_file(
    claim: dict[str, Any], *, n: int = 128, name: str = "indirect_object", **changes: Any
) -> ClaimFile:
    """Return a file with one claim, judged exactly: all prompts give one number."""
    source = f"known:{name}"
    plain: dict[str, Any] = {
        "schema": 1,
        "model": {"source": source},
        "task": {"name": source, "n": n, "seed": 3},
        "circuit": list(CIRCUIT),
        "found": {"method": "given", "note": "read off the weights"},
        "ablation": {"kind": "zero"},
        "range": [-12.0, 12.0],
        "batch": 32,
        "robustness": {"skip": True, "reason": "another test is about it"},
        "claims": [{"id": "claim", "statement": "It is so.", **claim}],
    }
    return ClaimFile.model_validate(plain | changes)
