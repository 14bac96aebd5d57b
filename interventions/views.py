"""Views: the part of a node's value that a site sets.

A view is a projection P with P P = P; where a site has one, the value becomes (1 - P) self + P new.
Positions are part of the site; a part is an index set along a named axis, or a subspace given by
columns of a named basis.  Two parts are disjoint only where that follows from their description.
"""

from dataclasses import dataclass
from typing import TypeAlias

from causalnet.errors import TermError
from causalnet.interventions.spelling import digest_text, name_text

__all__ = [
    "Handle",
    "Indices",
    "Part",
    "Position",
    "Subspace",
    "are_disjoint",
    "parts_overlap",
    "positions_text",
]

Position: TypeAlias = str | int
"""A named position (`end`, `S2`) or the index of a token, counted without padding; a negative index
counts from the end."""


@dataclass(frozen=True, slots=True)
class Handle:
    """A constant's identity; its tensor is bound when the term is executed.

    Attributes:
        label: What people call it: `mean of L9.H6.z`.
        digest: What identifies its content.
    """

    label: str
    digest: str

    def __str__(self) -> str:
        """Return `'label'#digest`."""
        return f"{self.label!r}{digest_text(self.digest)}"


def positions_text(at: tuple[Position, ...]) -> str:
    """Return positions, separated by commas; a name that looks like an index is quoted."""
    return ",".join(name_text(each) if isinstance(each, str) else f"{each}" for each in at)


def _check_indices(indices: tuple[int, ...], what: str) -> None:
    if not indices or len(set(indices)) != len(indices) or min(indices) < 0:
        raise TermError(
            f"{what} {indices} were given.",
            "A part has at least one index, none twice, counted from 0.",
        )


@dataclass(frozen=True, slots=True)
class Indices:
    """Some indices along a named free axis: heads of a layer, entries of a vector.

    Attributes:
        axis: `head` or `feature`.
        indices: Which, in ascending order.

    Raises:
        TermError: No index, one twice, or a negative one.
    """

    axis: str
    indices: tuple[int, ...]

    def __post_init__(self) -> None:
        """Put the indices in order."""
        _check_indices(self.indices, f"The indices of axis {self.axis!r}")
        object.__setattr__(self, "indices", tuple(sorted(self.indices)))

    def __str__(self) -> str:
        """Return `axis 0,3`."""
        return f"{name_text(self.axis)} {','.join(map(str, self.indices))}"


@dataclass(frozen=True, slots=True)
class Subspace:
    """The span of some columns of a named basis of the last axis.

    Attributes:
        basis: The basis [d, k]; its columns are orthonormal unless there is a dual.
        columns: Which of its columns, in ascending order.
        dual: For a basis that is not orthonormal, the dual basis [d, k] with dual^T basis = 1: the
            projection is basis dual^T on the chosen columns (oblique).

    Raises:
        TermError: No column, one twice, or a negative one.
    """

    basis: Handle
    columns: tuple[int, ...]
    dual: Handle | None = None

    def __post_init__(self) -> None:
        """Put the columns in order."""
        _check_indices(self.columns, f"The columns of {self.basis}")
        object.__setattr__(self, "columns", tuple(sorted(self.columns)))

    def __str__(self) -> str:
        """Return `basis 0,1`, with the dual after a bar."""
        dual = f" | {self.dual}" if self.dual is not None else ""
        return f"{self.basis} {','.join(map(str, self.columns))}{dual}"


Part: TypeAlias = Indices | Subspace


def are_disjoint(first: Part | None, second: Part | None) -> bool:
    """Return whether two parts are known to share nothing: P P' = 0 = P' P.

    >>> basis = Handle("das", "1f3a")
    >>> are_disjoint(Subspace(basis, (0,)), Subspace(basis, (1, 2)))
    True
    >>> are_disjoint(Subspace(basis, (0,)), Subspace(Handle("pca", "77"), (1,)))
    False
    """
    match first, second:
        case Indices(axis, ours), Indices(other, theirs):
            return axis == other and not set(ours) & set(theirs)
        case Subspace(basis, ours, dual), Subspace(other_basis, theirs, other_dual):
            duals = dual and dual.digest, other_dual and other_dual.digest
            same = basis.digest == other_basis.digest and duals[0] == duals[1]
            return same and not set(ours) & set(theirs)
        case _:
            return False


def parts_overlap(
    at: tuple[Position, ...],
    part: Part | None,
    other_at: tuple[Position, ...],
    other_part: Part | None,
) -> bool:
    """Return whether two views of one value share an entry, as far as their names tell."""
    if at and other_at and not set(at) & set(other_at):
        return False
    return not are_disjoint(part, other_part)
