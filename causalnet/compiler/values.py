"""Values that sites bring in: moved from other nodes, assigned, or set in part.

A tag names a value among those of one node.  Where a value is not what its node's mechanism makes,
this remembers where it comes from, so that it has one number by whatever way it is reached: a value
that was moved to another node and back is itself, and views that were set fold as in the normal
form (`causalnet.interventions.mixes`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from causalnet.compiler.numbers import joined, number_of
from causalnet.compiler.program import Write
from causalnet.interventions.mixes import View, apart_in_layer, mixed, view_of
from causalnet.interventions.numbering import Key

__all__ = ["ASSIGNED", "Values", "by_view"]

ASSIGNED = ""
"""The place of values that no node has: constants, noise, results of operations."""

_view = lru_cache(maxsize=1 << 12)(view_of)


_WHOLE: Key = ("whole",)


@dataclass(slots=True)
class _Mixes:
    """The values of one place of which views were set, and their keys."""

    place: str
    keys: dict[int, Key] = field(default_factory=dict)

    def key(self, number: int) -> Key:
        return self.keys.get(number, _WHOLE)

    def single(self, key: Key) -> int:
        *names, values, other = key
        number = joined(number_of("mix", self.place, *names), *values, other)
        self.keys[number] = key
        return number


@dataclass(slots=True)
class Values:
    """Where values come from.

    Attributes:
        origin: For a place and a tag of a value that was brought there, its own place and tag.
        mixes: By place, the values of which views were set.
    """

    origin: dict[tuple[str, int], tuple[str, int]] = field(default_factory=dict)
    mixes: dict[str, _Mixes] = field(default_factory=dict)

    def placed(self, source: str, tag: int, place: str) -> int:
        """Return the tag that a place has where it is given a value of another.

        Args:
            source: The place that has the value.
            tag: Its tag there.
            place: Where it is put.

        >>> values = Values()
        >>> there = values.placed("L0.H0", 5, "L0.H1")
        >>> values.placed("L0.H1", there, "L0.H0")
        5
        """
        source, tag = self.origin.get((source, tag), (source, tag))
        if source == place:
            return tag
        moved = joined(number_of("moved", source, place), tag)
        self.origin[place, moved] = (source, tag)
        return moved

    def mixed(self, place: str, write: Write, new: int, below: int, layer: Sequence[Write]) -> int:
        """Return the tag of a value of which a view was set.

        Args:
            place: Where.
            write: What is set.
            new: The tag of what it is set to.
            below: The tag of the value that it is set in.
            layer: All writes of its layer at the place.
        """
        if new == below:
            return below
        if place not in self.mixes:
            self.mixes[place] = _Mixes(place)
        apart = apart_in_layer(other.site for other in layer) if len(layer) > 1 else frozenset()
        view = _view(write.site.at, write.site.part)
        return mixed(self.mixes[place], view, new, below, apart)


def by_view(write: Write) -> str:
    """Return what the writes of one layer at one place are ordered by."""
    view: View = _view(write.site.at, write.site.part)
    return view.order()
