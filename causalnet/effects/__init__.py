"""Effects of interventions as labelled tables.

| name | what |
|---|---|
| `run` | a query on prompt pairs, to an `EffectTable` |
| `EffectTable`, `Effect`, `Fraction` | per-prompt values with conventions, ledger, provenance |
| `explain` | what a query would run |
| `zero`, `mean`, `resample`, `counterfactual`, `steer`, ... | ablations |
| `vector`, `matrix`, `contrastive_vector` | tensors under handles |
| `open_result` | a saved table |
"""

from causalnet.effects.conventions import Conventions, Excluded, LedgerEntry
from causalnet.effects.explain import Explanation, explain
from causalnet.effects.opening import open_result
from causalnet.effects.reference import (
    constant,
    contrastive_vector,
    counterfactual,
    matrix,
    mean,
    mean_per_position,
    resample,
    steer,
    vector,
    zero,
)
from causalnet.effects.run import bind, run
from causalnet.effects.table import Effect, EffectTable, Fraction

__all__ = [
    "Conventions",
    "Effect",
    "EffectTable",
    "Excluded",
    "Explanation",
    "Fraction",
    "LedgerEntry",
    "bind",
    "constant",
    "contrastive_vector",
    "counterfactual",
    "explain",
    "matrix",
    "mean",
    "mean_per_position",
    "open_result",
    "resample",
    "run",
    "steer",
    "vector",
    "zero",
]
