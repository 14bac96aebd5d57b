"""The networks by name."""

import difflib
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from causalnet.errors import ModelNotFoundError, ParameterError

if TYPE_CHECKING:
    from causalnet.known_circuits.circuit import KnownCircuit

__all__ = ["KNOWN", "TRAINED", "checked_name", "known_circuit"]

#: Name -> what it computes.  Nothing is built, and torch not imported, to list them.
KNOWN: Mapping[str, str] = MappingProxyType(
    {
        "induction": "A B ... A -> B: previous-token head, induction head.",
        "induction_soft": "The same with soft attention, so that gradients are alive.",
        "proportion": "The share of x among the tokens so far.",
        "sort": "Six different tokens of nine in order.",
        "sort_soft": "The same with soft attention.",
        "brackets": "Whether brackets are balanced.",
        "indirect_object": "The name that is there once: duplicate, inhibition and mover heads.",
        "indirect_object_soft": "The same with soft attention.",
        "indirect_object_backup_negative": "The same with a backup and a negative mover.",
    }
)

#: The same of those that are trained when they are first used, each in less than a CPU minute.
TRAINED: Mapping[str, str] = MappingProxyType(
    {
        "sum_strict": "(first + second) mod 7, learned so that three nodes alone do it.",
        "sum_plain": "The same without other nodes kept out of it.",
        "learned_induction": "A B ... A -> B, learned by two layers of attention.",
        "learned_addition": "(first + second) mod 53, learned by one layer.",
    }
)


def known_circuit(name: str, **options: object) -> "KnownCircuit":
    """Build a network whose circuit is known; one of `TRAINED` is trained when it is first used.

    Args:
        name: A key of `KNOWN` or `TRAINED`.
        options: `junk` (distractors in each layer), `seed` (of their weights), `sharpness` (of
            attention, where the network picks positions), `backup` and `negative` (indirect
            object); what the name says already are their defaults.

    Raises:
        ModelNotFoundError: An unknown name; the nearest ones are named.
        ParameterError: An option that this network does not have, or a wrong value.

    >>> known_circuit("sort", junk=0)
    KnownCircuit('sort': 3 layers x 1 heads, 8 true edges)
    """
    checked_name(name)
    from causalnet.known_circuits.builders import BUILDERS

    builder = BUILDERS[name]
    for option in options:
        if option not in builder.options:
            raise ParameterError(
                came=f"The known circuit {name!r} has no option {option!r}.",
                possible=f"It has {', '.join(builder.options)}.",
                write=f"Leave {option!r} out.",
            )
    return builder.build(name, **{**builder.defaults, **options})


def checked_name(name: str) -> str:
    """Return the name of a known circuit.

    Raises:
        ModelNotFoundError: There is none of this name; the nearest ones are named.
    """
    everything = {**KNOWN, **TRAINED}
    if isinstance(name, str) and name in everything:
        return name
    near = difflib.get_close_matches(str(name), everything, n=2, cutoff=0.4)
    raise ModelNotFoundError(
        came=f"There is no known circuit {name!r}.",
        possible=f"There are {', '.join(everything)}.",
        write=f"Did you mean {' or '.join(map(repr, near))}?" if near else "",
    )
