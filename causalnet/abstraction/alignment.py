"""Alignments: which parts of a network are said to hold which variables."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from causalnet.errors import ParameterError, TermError
from causalnet.execute import Matrix
from causalnet.interventions import (
    Assignment,
    At,
    Base,
    Do,
    Handle,
    Node,
    Position,
    Subspace,
    World,
)
from causalnet.interventions.queries import positions_of

__all__ = ["AlignedSite", "Alignment", "Basis", "aligned", "source_name", "swapped_world"]

_OFF = 1e-4
"""How far rows may be from orthonormal; bases learned in float32 are off by 1e-6."""


@dataclass(frozen=True, slots=True, eq=False)
class Basis:
    """An orthonormal basis of a subspace of a node's values.

    Attributes:
        rows: [k, d], rows orthonormal.
        label: What it is called.

    Raises:
        ParameterError: Rows that are not orthonormal, or no matrix.
    """

    rows: Tensor
    label: str = "subspace"

    def __post_init__(self) -> None:
        """Check that the rows are orthonormal."""
        shape = tuple(self.rows.shape)
        if len(shape) != 2 or not 1 <= shape[0] <= shape[1]:
            raise ParameterError(
                f"A subspace of shape {list(shape)}.",
                "A basis is [k, d]: k directions of a value that is d wide, 1 <= k <= d.",
                "Give one direction as a matrix [1, d].",
            )
        rows = self.rows.detach().double()
        off = float((rows @ rows.T - torch.eye(shape[0], dtype=torch.float64)).abs().max())
        if not off <= _OFF:
            raise ParameterError(
                f"The rows of the subspace {self.label!r} are off orthonormal by {off:.1e}.",
                f"Rows of length 1 at right angles, to within {_OFF:g}.",
                "Write torch.linalg.qr(rows.T).Q.T.",
            )

    @property
    def rank(self) -> int:
        """The number of directions."""
        return int(self.rows.shape[0])

    @property
    def handle(self) -> Handle:
        """What terms name it by: its label and content."""
        content = self.rows.detach().double().contiguous().numpy().tobytes()
        return Handle(self.label, hashlib.sha256(content).hexdigest())

    @property
    def part(self) -> Subspace:
        """The part of a value that it spans."""
        return Subspace(self.handle, tuple(range(self.rank)))

    @property
    def bound(self) -> tuple[Handle, Matrix]:
        """What is bound when a term that names it is run, [d, k]."""
        return self.handle, Matrix(self.rows.detach().T.contiguous())


@dataclass(frozen=True, slots=True, eq=False)
class AlignedSite:
    """A node at positions, whole or a subspace of it, that is said to hold (part of) a variable.

    Attributes:
        mediator: The canonical name of a node or residual cut.
        at: Positions; none means all.
        basis: A subspace of its values; None for the whole.
    """

    mediator: str
    at: tuple[Position, ...] = ()
    basis: Basis | None = None

    @property
    def node(self) -> Node:
        """The site as terms write it."""
        return Node(self.mediator, self.at, None if self.basis is None else self.basis.part)

    def __str__(self) -> str:
        """Return mediator, positions, and the rank of a subspace."""
        places = f"[{','.join(map(str, self.at))}]" if self.at else ""
        rank = "" if self.basis is None else f" ({self.basis.rank}-d {self.basis.label})"
        return f"{self.mediator}{places}{rank}"


@dataclass(frozen=True, slots=True, eq=False)
class Alignment:
    """Variables and the sites that hold them.

    Attributes:
        sites: Variable -> its sites.

    Raises:
        TermError: A variable without a site, or two that share one.
    """

    sites: Mapping[str, tuple[AlignedSite, ...]]

    def __post_init__(self) -> None:
        """Check that each variable has sites of its own."""
        empty = [name for name, sites in self.sites.items() if not sites]
        if empty or not self.sites:
            raise TermError(
                f"The variable {empty[0]!r} has no site." if empty else "An empty alignment.",
                "A variable is held by at least one node.",
                "Write for example aligned({'place': 'L20.H0'}, at='end').",
            )
        owners: dict[str, str] = {}
        for name, sites in self.sites.items():
            for site in sites:
                key = str(site.node)
                if key in owners:
                    raise TermError(
                        f"{key} is aligned with {owners[key]!r} and with {name!r}.",
                        "Variables share no site; of one node they may have different positions "
                        "or subspaces.",
                        "Name each site once.",
                    )
                owners[key] = name
        object.__setattr__(self, "sites", dict(self.sites))

    def of(self, variables: Iterable[str]) -> "Alignment":
        """Return the alignment of some variables alone.

        Raises:
            TermError: One that is not aligned.
        """
        listed = tuple(variables)
        strange = [name for name in listed if name not in self.sites]
        if strange:
            raise TermError(
                f"The variable {strange[0]!r} is not aligned.",
                f"Aligned are {', '.join(self.sites)}.",
                "Say which nodes hold it.",
            )
        return Alignment({name: self.sites[name] for name in listed})

    def mediators(self) -> frozenset[str]:
        """Return the names of all nodes that hold something."""
        return frozenset(site.mediator for sites in self.sites.values() for site in sites)

    @property
    def has_subspace(self) -> bool:
        """Whether a site is a subspace of its node."""
        return any(site.basis is not None for sites in self.sites.values() for site in sites)

    def with_sites(self, sites: Mapping[str, Sequence[AlignedSite]]) -> "Alignment":
        """Return the same variables at other sites."""
        return Alignment({name: tuple(listed) for name, listed in sites.items()})

    def __str__(self) -> str:
        """Return a variable and its sites after another."""
        parts = (f"{name} = {', '.join(map(str, sites))}" for name, sites in self.sites.items())
        return "; ".join(parts)


def aligned(
    variables: Mapping[str, str | AlignedSite | Iterable[str | AlignedSite]],
    *,
    at: Position | Sequence[Position] = (),
    subspace: Tensor | None = None,
) -> Alignment:
    """Return an alignment.

    Args:
        variables: Variable -> node names, or sites where positions or subspaces differ.
        at: Positions of the nodes that are given by name; none, or "all", means all.
        subspace: A subspace [k, d] of each node given by name; None for whole nodes.

    Raises:
        TermError, ParameterError: A variable without nodes, a basis that is not orthonormal.

    >>> print(aligned({"place": ["L20.H0", "L19.H2"]}, at="end"))
    place = L20.H0[end], L19.H2[end]
    """
    places, basis = positions_of(at), None if subspace is None else Basis(subspace)
    found: dict[str, tuple[AlignedSite, ...]] = {}
    for name, given in variables.items():
        listed = [given] if isinstance(given, str | AlignedSite) else list(given)
        found[name] = tuple(
            each if isinstance(each, AlignedSite) else AlignedSite(str(each), places, basis)
            for each in listed
        )
    return Alignment(found)


def source_name(number: int, shuffled: bool = False) -> str:
    """Return the input that a variable's values come from.

    >>> source_name(0), source_name(1, shuffled=True)
    ('source 1', 'shuffled source 2')
    """
    return f"{'shuffled ' if shuffled else ''}source {number + 1}"


def swapped_world(alignment: Alignment, shuffled: bool = False) -> World:
    """Return the base with each variable's sites set to their values on its own source.

    >>> print(swapped_world(aligned({"place": "L20.H0"}, at="end")))
    <base> + {L20.H0[end] := L20.H0 in <source 1>}
    """
    layer: list[Assignment] = [
        (site.node, At(site.mediator, Base(source_name(number, shuffled))))
        for number, sites in enumerate(alignment.sites.values())
        for site in sites
    ]
    return Do(Base("base"), tuple(layer))
