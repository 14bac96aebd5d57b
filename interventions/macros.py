"""What queries are called for short: `nie(L9.H6, L20.H0; at=end)`, one entry for each macro.

A macro has the name of the function that makes its query, rows, and options after semicolons, which
are the function's keyword arguments.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from causalnet.interventions.contrasts import ablation_effect, cde, mi, nde, nie, tde, te, tie
from causalnet.interventions.interactions import interaction, interactions, shapley
from causalnet.interventions.necessity import pn, pns, ps
from causalnet.interventions.path_effects import pse
from causalnet.interventions.queries import Query
from causalnet.interventions.techniques.attention import (
    attention_knockout,
    attention_redirect,
    undifferentiated_attention,
)
from causalnet.interventions.techniques.attribution import attribution_patch, integrated_gradients
from causalnet.interventions.techniques.direct import direct_logit_attribution, logit_lens
from causalnet.interventions.techniques.patching import denoising, noising
from causalnet.interventions.techniques.path_patching import path_patch

__all__ = ["MACROS", "Macro", "OptionType", "RowType"]

OptionType: TypeAlias = Literal[
    "positions", "ablation", "word", "whole", "numbers", "rows", "mediators"
]
RowType: TypeAlias = Literal["none", "sets", "any sets", "sets or edges", "each", "paths"]


@dataclass(frozen=True, slots=True)
class Macro:
    """A short form of queries.

    Attributes:
        make: The function that makes the query.
        rows: What stands before the first semicolon: nothing; mediators and sets of them, one row
            each, at least one or any number; the same or edges; sets that are players of one row;
            or paths.
        options: The options that it takes besides `outcome`, and how they are read.
        required: The options that must be given.
        named: The function's name for an option, where it is another one.
    """

    make: Callable[..., Query]
    rows: RowType = "sets"
    options: Mapping[str, OptionType] = field(default_factory=dict)
    required: tuple[str, ...] = ()
    named: Mapping[str, str] = field(default_factory=dict)


_AT: Mapping[str, OptionType] = {"at": "positions"}
_TURNED: Mapping[str, OptionType] = {**_AT, "direction": "word"}
_KEYS: Mapping[str, OptionType] = {**_TURNED, "keys": "positions"}

MACROS: Mapping[str, Macro] = {
    "te": Macro(te, "none"),
    "nie": Macro(nie, options={**_AT, "via": "rows", "via_at": "positions"}),
    "nde": Macro(nde, options=_AT),
    "tie": Macro(tie, options=_AT),
    "tde": Macro(tde, options=_AT),
    "mi": Macro(mi, options=_AT),
    "cde": Macro(cde, options={**_AT, "level": "ablation"}, required=("level",)),
    "ablation_effect": Macro(
        ablation_effect,
        options={**_TURNED, "kind": "ablation"},
        required=("kind",),
        named={"kind": "ablation"},
    ),
    "noising": Macro(noising, options=_AT),
    "denoising": Macro(denoising, options=_AT),
    "pse": Macro(pse, "paths", {"direction": "word"}),
    "path_patch": Macro(
        path_patch,
        options={
            **_TURNED,
            "receivers": "mediators",
            "convention": "word",
            "frozen": "mediators",
            "receiver_at": "positions",
        },
        required=("receivers",),
    ),
    "interaction": Macro(interaction, "each", _TURNED),
    "interactions": Macro(interactions, options={**_TURNED, "order": "whole"}),
    "shapley": Macro(shapley, options={**_TURNED, "permutations": "whole", "seed": "whole"}),
    "pn": Macro(pn, "any sets", _AT),
    "ps": Macro(ps, "any sets", _AT),
    "pns": Macro(pns, "any sets", _TURNED),
    "attribution_patch": Macro(attribution_patch, "sets or edges", _TURNED),
    "integrated_gradients": Macro(
        integrated_gradients,
        "sets or edges",
        {**_TURNED, "along": "word", "steps": "whole", "rule": "word"},
    ),
    "direct_logit_attribution": Macro(
        direct_logit_attribution, options={"norm": "word", "receiver": "word"}, required=("norm",)
    ),
    "logit_lens": Macro(logit_lens),
    "attention_knockout": Macro(attention_knockout, options=_KEYS, required=("keys",)),
    "attention_redirect": Macro(
        attention_redirect, options={**_KEYS, "weights": "numbers"}, required=("keys",)
    ),
    "undifferentiated_attention": Macro(undifferentiated_attention, options=_TURNED),
}
"""Every macro by its name."""
