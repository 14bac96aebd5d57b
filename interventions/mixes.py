"""Values of which views were set, in one form for each meaning (rule A4).

A view is a set of cells: positions down, index sets or columns of one basis across.  A value of
which views were set is kept as its rows, and each row as its parts: which value stands in every
cell, and which in all others.  So a view that is set twice, disjoint views that are set in two
orders, and a view that a later one covers all give one form, and a cell that is given the value
which it has changes nothing.  Views whose relation only the prompts tell (names of positions in
different layers, two bases) are not compared: the value below is then taken as it is.
"""

from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from itertools import combinations
from typing import Protocol, TypeAlias, TypeVar

from causalnet.interventions.numbering import Key
from causalnet.interventions.views import Indices, Part, Position, Subspace, are_disjoint
from causalnet.interventions.worlds import Site

__all__ = ["PARTS", "POSITIONS", "Keys", "View", "apart_in_layer", "mixed", "view_of"]

Token: TypeAlias = int | tuple[str, ...]
Family: TypeAlias = tuple[Hashable, ...]
Cell = TypeVar("Cell", int, Token)

POSITIONS, PARTS = "positions", "parts"
"""Keys: (POSITIONS, tokens, values, other), (PARTS, family, indices, values, other)."""


class Keys(Protocol):
    """Gives numbers to keys, and keys back."""

    def key(self, number: int) -> Key:
        """Return how a value comes about."""
        ...

    def single(self, key: Key) -> int:
        """Return the number of a key."""
        ...


@dataclass(frozen=True, slots=True)
class View:
    """The cells that a site sets.

    Attributes:
        tokens: Positions: integers, or the names of one site together; none means all.
        family: The axis or the basis that the indices belong to; empty for whole values.
        indices: Index set or columns; none for whole values.
    """

    tokens: frozenset[Token]
    family: Family
    indices: frozenset[int]

    def order(self) -> str:
        """Return what sites of one layer are ordered by."""
        return repr((_ordered(self.tokens), self.family, sorted(self.indices)))


def view_of(at: tuple[Position, ...], part: Part | None) -> View:
    """Return the view of a site's positions and part."""
    # Counted from the end, an index is like a name: only the prompts tell which token it is.
    tokens: frozenset[Token] = frozenset(
        place for place in at if isinstance(place, int) and place >= 0
    )
    if len(tokens) < len(at):
        tokens = frozenset((tuple(sorted(map(_spelt, at))),))
    match part:
        case Indices(axis, indices):
            return View(tokens, ("axis", axis), frozenset(indices))
        case Subspace(basis, columns, dual):
            family = ("basis", basis.digest, None if dual is None else dual.digest)
            return View(tokens, family, frozenset(columns))
        case None:
            return View(tokens, (), frozenset())


def _spelt(place: Position) -> str:
    """Return a name or index as text, different for the index 3 and a position called `3`."""
    is_like_an_index = isinstance(place, str) and place.lstrip("-").isdigit()
    return repr(place) if is_like_an_index else str(place)


def apart_in_layer(sites: Iterable[Site]) -> frozenset[Token]:
    """Return the positions that must differ because sites of one layer do not overlap.

    Sites with disjoint parts may lie at one position.
    """
    listed = list(sites)
    for first, second in combinations(listed, 2):
        if set(first.at) & set(second.at) or are_disjoint(first.part, second.part):
            return frozenset()
    return frozenset().union(*(view_of(site.at, None).tokens for site in listed))


def mixed(
    numbering: Keys,
    view: View,
    new: int,
    below: int,
    apart: frozenset[Token] = frozenset(),
) -> int:
    """Return the number of (1 - P) below + P new.

    Args:
        numbering: Gives the numbers.
        view: The view P.
        new: The value assigned.
        below: The value after the layers below, and after earlier sites of the layer.
        apart: Positions that are known to differ from one another.
    """
    if new == below:
        return below
    held = _tokens(numbering, below)
    tokens = view.tokens
    if _comparable(tokens, held, apart):
        tokens |= held
    if not view.tokens and _comparable(tokens, _tokens(numbering, new), frozenset()):
        tokens |= _tokens(numbering, new)
    rows: dict[Token, int] = {}
    other = below
    for token in (*_ordered(tokens), None):
        value = _at_row(numbering, below, token, tokens)
        if not view.tokens or token in view.tokens:
            value = _parts_mixed(numbering, view, _at_row(numbering, new, token, tokens), value)
        if token is None:
            other = value
        else:
            rows[token] = value
    return _made(numbering, (POSITIONS,), rows, other)


def _comparable(first: frozenset[Token], second: frozenset[Token], apart: frozenset[Token]) -> bool:
    """Return whether any two positions of two sets are known to be equal or to differ."""
    both = first | second
    if all(isinstance(token, int) for token in both):
        return True
    return first <= second or second <= first or both <= apart


def _tokens(numbering: Keys, number: int) -> frozenset[Token]:
    key = numbering.key(number)
    return frozenset(key[1]) if key[0] == POSITIONS else frozenset()


def _at_row(numbering: Keys, number: int, token: Token | None, tokens: frozenset[Token]) -> int:
    """Return what a value is at one of some positions, or (None) at all others, if it is known."""
    key = numbering.key(number)
    if key[0] != POSITIONS:
        return number
    _, own, values, other = key
    if token in own:
        found: int = values[own.index(token)]
        return found
    integers = isinstance(token, int) and all(isinstance(each, int) for each in own)
    return int(other) if integers or set(own) <= tokens else number


def _parts_mixed(numbering: Keys, view: View, new: int, below: int) -> int:
    """Return a row of which a part was set."""
    if not view.family or new == below:
        return new
    lower, other = _parts(numbering, below, view.family)
    upper, elsewhere = _parts(numbering, new, view.family)
    values = lower | {index: upper.get(index, elsewhere) for index in view.indices}
    return _made(numbering, (PARTS, view.family), values, other)


def _parts(numbering: Keys, number: int, family: Family) -> tuple[dict[int, int], int]:
    """Return a row's values by index, and that of all other indices."""
    key = numbering.key(number)
    if key[0] == PARTS and key[1] == family:
        return dict(zip(key[2], key[3], strict=True)), key[4]
    return {}, number


def _made(numbering: Keys, name: Family, values: dict[Cell, int], other: int) -> int:
    """Return the number of a value given by cells, those like all others left out."""
    kept = _ordered(token for token, value in values.items() if value != other)
    if not kept:
        return other
    return numbering.single((*name, kept, tuple(values[token] for token in kept), other))


def _ordered(cells: Iterable[Cell]) -> tuple[Cell, ...]:
    return tuple(sorted(cells, key=lambda cell: (isinstance(cell, tuple), cell)))
