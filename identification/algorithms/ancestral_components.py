"""Parts of counterfactual events that are independent of each other: what a condition cancels.

Atoms belong together if they are of one district, or if one takes its value from another over
whose values one sums.  The probability of all atoms is the product over these parts, and a part
that is the same with the query's facts and without them cancels in a conditional probability.
Correa, Lee and Bareinboim (2021) call them ancestral components; their part of IDC* sums the parts
with an outcome over it, while here the condition's parts are those of its own ancestors, which are
fewer.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

from causalnet.graphs.admg import ADMG
from causalnet.identification.algorithms.counterfactual_factors import (
    Atom,
    Conflict,
    Factor,
    factors_of,
)

__all__ = ["Component", "components_of", "uncancelled"]


@final
@dataclass(frozen=True, slots=True)
class Component:
    """Atoms that belong together.

    Attributes:
        atoms: The atoms, in topological order.
        factors: The factors of their districts.
    """

    atoms: tuple[Atom, ...]
    factors: tuple[Factor | Conflict, ...]

    @property
    def key(self) -> frozenset[Atom]:
        """Return what makes two components the same."""
        return frozenset(self.atoms)


def components_of(graph: ADMG, atoms: Sequence[Atom]) -> tuple[Component, ...]:
    """Return the parts whose probabilities, multiplied, are that of the atoms.

    >>> from causalnet.identification.values import Value
    >>> y, z = Value("Y", "y"), Value("Z", "z")
    >>> atoms = [Atom(0, "M", (), None), Atom(1, "Y", (("M", 0),), y), Atom(2, "Z", (), z)]
    >>> graph = ADMG.of(directed=[("M", "Y")], nodes=["M", "Y", "Z"])
    >>> [[atom.variable for atom in part.atoms] for part in components_of(graph, atoms)]
    [['M', 'Y'], ['Z']]
    """
    factors = factors_of(graph, atoms)
    home = {name: at for at, factor in enumerate(factors) for name in factor.district}
    sources = {atom.number: home[atom.variable] for atom in atoms if atom.value is None}
    leader = list(range(len(factors)))

    def lead(at: int) -> int:
        while leader[at] != at:
            leader[at] = leader[leader[at]]
            at = leader[at]
        return at

    for atom in atoms:
        for _, value in atom.inputs:
            if isinstance(value, int):
                a, b = sorted((lead(sources[value]), lead(home[atom.variable])))
                leader[b] = a
    parts: dict[int, tuple[list[Atom], list[Factor | Conflict]]] = {}
    for at, factor in enumerate(factors):
        parts.setdefault(lead(at), ([], []))[1].append(factor)
    for atom in atoms:
        parts[lead(home[atom.variable])][0].append(atom)
    return tuple(Component(tuple(members), tuple(found)) for members, found in parts.values())


def uncancelled(
    over: Sequence[Component], under: Sequence[Component]
) -> tuple[tuple[Component, ...], tuple[Component, ...]]:
    """Return the components of a ratio that are not on both sides.

    >>> one, other = Component((Atom(0, "M", (), None),), ()), Component((), ())
    >>> [len(side) for side in uncancelled([one, other], [other])]
    [1, 0]
    """
    common = {part.key for part in over} & {part.key for part in under}
    return (
        tuple(part for part in over if part.key not in common),
        tuple(part for part in under if part.key not in common),
    )
