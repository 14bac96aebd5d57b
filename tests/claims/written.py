"""Claim files about networks whose circuit is known, and claims that are only read."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from causalnet.claims import ClaimFile, read_claim_file
from tests.claims.small_case import claim_file


def known(
    folder: Path,
    name: str,
    circuit: Sequence[str],
    claims: Sequence[dict[str, Any]],
    *,
    n: int = 64,
    found: int = 24,
    **changes: Any,
) -> ClaimFile:
    """Return claims about the network `known:NAME`, tested on seed 2 and found on seed 8."""
    task = {"name": f"known:{name}"}
    content: dict[str, Any] = {
        "schema": 1,
        "model": {"source": f"known:{name}", "dtype": "float64"},
        "task": {**task, "n": n, "seed": 2},
        "circuit": list(circuit),
        "found": {"method": "by hand", "task": {**task, "n": found, "seed": 8}},
        "ablation": {"kind": "zero"},
        "batch": 16,
        "claims": [{**claim, "id": f"c{index}"} for index, claim in enumerate(claims)],
    }
    path = folder / "known.json"
    path.write_text(json.dumps({**content, **changes}))
    return read_claim_file(path)


def about(folder: Path, claims: Sequence[dict[str, Any]], **changes: Any) -> ClaimFile:
    """Read a claim file whose prompts and model are never looked at."""
    return claim_file(folder, claims=list(claims), **changes)
