"""What builds each of the networks, with which options."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from causalnet.known_circuits.brackets import brackets
from causalnet.known_circuits.circuit import KnownCircuit
from causalnet.known_circuits.indirect_object import indirect_object
from causalnet.known_circuits.induction import induction
from causalnet.known_circuits.proportion import proportion
from causalnet.known_circuits.sort import sort
from causalnet.known_circuits.trained import learned_addition, learned_induction, learned_sum

__all__ = ["BUILDERS", "Builder"]


@dataclass(frozen=True, slots=True)
class Builder:
    """A function that builds a network.

    Args:
        build: Called with the name and the options.
        options: The options that it has.
        defaults: Those that the name stands for.
    """

    build: Callable[..., KnownCircuit]
    options: tuple[str, ...]
    defaults: Mapping[str, object] = field(default_factory=dict)


_PLAIN = ("junk", "seed")
_SHARP = (*_PLAIN, "sharpness")
_NAMES = (*_SHARP, "backup", "negative")

# The soft ones have the sharpness at which the published counts of live edges come out.
BUILDERS: Mapping[str, Builder] = MappingProxyType(
    {
        "induction": Builder(induction, _SHARP),
        "induction_soft": Builder(induction, _SHARP, {"sharpness": 6.0}),
        "proportion": Builder(proportion, _PLAIN),
        "sort": Builder(sort, _SHARP),
        "sort_soft": Builder(sort, _SHARP, {"sharpness": 4.0}),
        "brackets": Builder(brackets, _PLAIN),
        "indirect_object": Builder(indirect_object, _NAMES),
        "indirect_object_soft": Builder(indirect_object, _NAMES, {"sharpness": 2.0}),
        "indirect_object_backup_negative": Builder(
            indirect_object, _NAMES, {"backup": True, "negative": 0.25}
        ),
        "sum_strict": Builder(learned_sum, ("seed",)),
        "sum_plain": Builder(learned_sum, ("seed",), {"strict": 0.0}),
        "learned_induction": Builder(learned_induction, ("seed",)),
        "learned_addition": Builder(learned_addition, ("seed",)),
    }
)
