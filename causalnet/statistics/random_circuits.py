"""Random circuits to compare a circuit with: of the same size in every layer."""

from collections.abc import Collection, Hashable, Mapping, Sequence
from math import comb
from typing import TypeVar

import numpy as np

from causalnet.errors import ParameterError

__all__ = ["sample_like"]

Member = TypeVar("Member", bound=Hashable)
Group = TypeVar("Group", bound=Hashable)


def sample_like(
    circuit: Collection[Member],
    groups: Mapping[Group, Sequence[Member]],
    rng: np.random.Generator,
) -> tuple[Member, ...]:
    """Draw a circuit with as many members of every group, uniformly among all others.

    Args:
        circuit: The circuit's members.
        groups: All candidates of each group, e.g. of each layer; a member is in one group.
        rng: Where the chance comes from.

    Returns:
        Members in the groups' order; never the circuit itself.

    Raises:
        ParameterError: A member that is in no group or in two, or group sizes that leave no
            other circuit.

    >>> layers = {0: ["L0.H0", "L0.H1", "L0.H2"], 1: ["L1.H0", "L1.H1", "L1.H2"]}
    >>> sample_like(["L0.H1", "L1.H0", "L1.H2"], layers, np.random.default_rng(0))
    ('L0.H2', 'L1.H1', 'L1.H2')
    """
    members = frozenset(circuit)
    _check_groups(members, groups)
    while True:
        drawn = tuple(
            candidates[index]
            for candidates in groups.values()
            for index in _draw(candidates, members, rng)
        )
        # Rejecting the circuit itself keeps the others equally likely.
        if frozenset(drawn) != members:
            return drawn


def _draw(
    candidates: Sequence[Member], members: frozenset[Member], rng: np.random.Generator
) -> list[int]:
    size = sum(candidate in members for candidate in candidates)
    chosen = rng.choice(len(candidates), size=size, replace=False)
    return sorted(int(index) for index in chosen)


def _check_groups(members: frozenset[Member], groups: Mapping[Group, Sequence[Member]]) -> None:
    candidates = [candidate for group in groups.values() for candidate in group]
    known = frozenset(candidates)
    if len(known) != len(candidates):
        raise ParameterError(
            came="A candidate is listed twice among the groups.",
            possible="Every candidate is in one group, once.",
            write="Give each layer's own mediators.",
        )
    if strangers := sorted(str(member) for member in members - known):
        raise ParameterError(
            came=f"No group holds {', '.join(strangers[:5])}.",
            possible=f"Every member of the circuit is one of the {len(known)} candidates.",
            write="List the candidates of all layers, with the same kind of mediator.",
        )
    sizes = ((len(group), sum(one in members for one in group)) for group in groups.values())
    if all(comb(size, taken) == 1 for size, taken in sizes):
        raise ParameterError(
            came="The circuit holds all or none of every group.",
            possible="A random circuit of the same sizes needs a group that is taken in part.",
            write="Compare a smaller circuit, or take a finer grain.",
        )
