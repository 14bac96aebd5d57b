"""What is marked in the drawing of an answer: roles, and the sets and paths of a witness."""

from dataclasses import dataclass
from itertools import pairwise
from typing import assert_never, final

from causalnet.graphs.edge_lists import Edge
from causalnet.graphs.path_checks import RecantingDistrict
from causalnet.identification.answers import (
    Answer,
    Hedge,
    InconsistentFactor,
    NotIdentified,
    Thicket,
)
from causalnet.identification.showing.roles import roles_in

__all__ = ["Marks", "marks_of"]


@final
@dataclass(frozen=True, slots=True)
class Marks:
    """What is marked in the drawing.

    Attributes:
        words: For nodes what stands beside them, such as `treatment`.
        outer: The nodes of the larger set of a witness.
        inner: The nodes of the smaller set, or of the only one.
        letters: What the two sets are called.
        active: The edges of a path that carries the treatment.
        inactive: The edges of one that carries the baseline.
    """

    words: dict[str, tuple[str, ...]]
    outer: frozenset[str] = frozenset()
    inner: frozenset[str] = frozenset()
    letters: tuple[str, str] = ("F", "F'")
    active: tuple[Edge, ...] = ()
    inactive: tuple[Edge, ...] = ()

    def beside(self, *nodes: str) -> str:
        """Return the sets in which all of some nodes are."""
        sets = zip(self.letters, (self.outer, self.inner), strict=True)
        return " ".join(letter for letter, members in sets if members.issuperset(nodes))


def marks_of(answer: Answer) -> Marks:
    """Return what is marked in the drawing of an answer."""
    words = roles_in(answer.query)
    for domain, variables in answer.sources.differs:
        for name in sorted(variables):
            words[name] = (*words.get(name, ()), f"differs in {domain}")
    if not isinstance(answer, NotIdentified):
        return Marks(words)
    match answer.witness:
        case Hedge(outer, inner):
            return Marks(words, outer, inner)
        case Thicket(factor):
            return Marks(words, frozenset(), factor, ("", "C"))
        case InconsistentFactor(district):
            return Marks(words, frozenset(), district, ("", "D"))
        case RecantingDistrict(district, active, inactive):
            paths = tuple(pairwise(active)), tuple(pairwise(inactive))
            return Marks(words, frozenset(), district, ("", "D"), *paths)
        case _:
            assert_never(answer.witness)
