"""Effects of interventions as labelled tables.

| name | what |
|---|---|
| `run` | a query on prompt pairs, to an `EffectTable` |
| `EffectTable`, `Effect`, `Fraction` | per-prompt values with conventions, ledger, provenance |
| `explain` | what a query would run |
| `zero`, `mean`, `resample`, `counterfactual`, `noise`, `optimal`, ... | ablations |
| `learn_constants`, `Learned` | the constants of optimal ablation, with their loss curve |
| `vector`, `matrix`, `contrastive_vector` | tensors under handles |
| `open_result` | a saved table |
"""

from causalnet.effects.ablations import (
    constant,
    counterfactual,
    mean,
    mean_per_position,
    resample,
    steer,
    zero,
)
from causalnet.effects.conventions import Conventions, Excluded, LedgerEntry
from causalnet.effects.explain import Explanation, explain
from causalnet.effects.noise import embedding_spread, noise
from causalnet.effects.opening import open_result
from causalnet.effects.optimal import Learned, learn_constants, optimal
from causalnet.effects.run import bind, run
from causalnet.effects.table import Effect, EffectTable, Fraction
from causalnet.effects.vectors import contrastive_vector, matrix, vector

__all__ = [
    "Conventions",
    "Effect",
    "EffectTable",
    "Excluded",
    "Explanation",
    "Fraction",
    "Learned",
    "LedgerEntry",
    "bind",
    "constant",
    "contrastive_vector",
    "counterfactual",
    "embedding_spread",
    "explain",
    "learn_constants",
    "matrix",
    "mean",
    "mean_per_position",
    "noise",
    "open_result",
    "optimal",
    "resample",
    "run",
    "steer",
    "vector",
    "zero",
]
