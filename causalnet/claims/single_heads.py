"""The exact effect of every single head, for the heat map of a report."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from causalnet.claims.calls import read_digest
from causalnet.claims.hearing import Hearing
from causalnet.claims.results import effects_json, effects_of
from causalnet.interventions import ablation_effect, nie

if TYPE_CHECKING:
    from causalnet.effects import EffectTable

__all__ = ["single_heads"]

_TABLE = "table"


def single_heads(hearing: Hearing, count: int) -> "EffectTable | None":
    """Measure the effect of ablating every head by itself; found again in a ledger.

    Args:
        hearing: Prompts, network and conventions.
        count: On how many test prompts; 0 for none.

    Returns:
        The table; None where none was asked for, and with learned constants, of which every head
        would need its own.

    Raises:
        OutOfBudget: Nothing more may be run.
    """
    if count <= 0 or hearing.file.ablation.kind == "optimal":
        return None
    from causalnet.effects import run

    scorer, heads, every = hearing.scorer, hearing.net.heads(), hearing.pairs("test")
    pairs = every.rows(range(min(count, len(every))))
    size = hearing.meter.batch_size
    hearing.begin("measure single heads", (len(heads) + 2) * -(-len(pairs) // size))
    counterfactual = hearing.file.ablation.kind == "counterfactual"
    query = (
        nie(heads, at=scorer.at, outcome=scorer.readout)
        if counterfactual and hearing.file.direction == "noising"
        else ablation_effect(
            heads, scorer.ablation, at=scorer.at, outcome=scorer.readout, direction=scorer.direction
        )
    )

    def measured() -> tuple[Mapping[str, NDArray[Any]], int]:
        table = run(
            query,
            hearing.net,
            pairs,
            reference=scorer.reference,
            batch_size=size,
            seed=hearing.chance,
            progress=hearing.told,
        )
        written = json.dumps(effects_json(table)).encode()
        return {_TABLE: np.frombuffer(written, dtype=np.uint8)}, 0  # no claim's forwards

    program = f"single heads/v1 {query.estimand} {read_digest(scorer, (), size)}"
    found = hearing.remember(program, pairs, measured)
    return effects_of(json.loads(found[_TABLE].tobytes()))
