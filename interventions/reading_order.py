"""All worlds of some terms, those first that others read, with their sites looked up on a graph."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import combinations

from causalnet.errors import TermError
from causalnet.graphs import MediatorGraph
from causalnet.interventions.mixes import Token, View, apart_in_layer, view_of
from causalnet.interventions.places import CutPlace, NodePlace, Place, Places
from causalnet.interventions.views import parts_overlap
from causalnet.interventions.worlds import (
    Assignment,
    Base,
    Site,
    Value,
    World,
    layers_of,
    reads_of,
)

__all__ = ["Layer", "PlacedWorld", "ReadingOrder", "SiteValue"]


@dataclass(frozen=True, slots=True)
class SiteValue:
    """What one site of a layer sets at a place.

    Attributes:
        view: The cells that are set; None for the whole value.
        value: The value assigned.
    """

    view: View | None
    value: Value


@dataclass(frozen=True, slots=True)
class Layer:
    """The sites of one layer at one place, in an order that does not depend on how it is written.

    Attributes:
        sites: The sites.
        apart: Positions that differ because the sites do not overlap.
    """

    sites: tuple[SiteValue, ...]
    apart: frozenset[Token] = frozenset()


@dataclass(slots=True)
class PlacedWorld:
    """A world with its sites on the graph.

    Attributes:
        base: Its input.
        places: For every place that is set, the layers there, bottom first.
        diverges: The first time at which it may differ from its base; -1 for a base itself.
        level: How often a site in it, or in what it reads, needs a value from later in the graph.
            Levels are numbered one after the other.
    """

    base: Base
    places: dict[Place, list[Layer]] = field(default_factory=dict)
    diverges: int = -1
    level: int = -1


class ReadingOrder:
    """The worlds of some terms, closed under reading.

    Args:
        worlds: The worlds that are asked for.
        graph: The graph they are about.

    Raises:
        UnknownMediatorError: A site or a read names no mediator.
        TermError: A site on an edge that is not there.
    """

    def __init__(self, worlds: Iterable[World], graph: MediatorGraph) -> None:
        """Look every site up."""
        self.places = Places(graph)
        self.index: dict[World, int] = {}
        self.placed: list[PlacedWorld] = []
        for world in worlds:
            self._close(world)

    def _close(self, world: World) -> None:
        """Add a world after all that it reads."""
        waiting = [world]
        while waiting:
            current = waiting[-1]
            if current in self.index:
                waiting.pop()
                continue
            base, layers = layers_of(current)
            missing = [read for read in _worlds_read(layers) if read not in self.index]
            if current != base and base not in self.index:
                missing.append(base)
            if missing:
                waiting.extend(missing)
                continue
            waiting.pop()
            self.index[current] = len(self.placed)
            self.placed.append(self._place(base, layers))

    def _place(self, base: Base, layers: tuple[tuple[Assignment, ...], ...]) -> PlacedWorld:
        world = PlacedWorld(base)
        if not layers:
            return world
        world.level, world.diverges = 0, 2 * len(self.places.graph.nodes)
        for layer in layers:
            here: dict[Place, list[tuple[Site, Value]]] = {}
            for site, value in layer:
                for place in self.places.of(site):
                    here.setdefault(place, []).append((site, value))
                    self._order(world, place, value)
            for place, assigned in here.items():
                world.places.setdefault(place, []).append(_layer(assigned))
        return world

    def _order(self, world: PlacedWorld, place: Place, value: Value) -> None:
        """Note when a world starts to differ, and after which level it can be numbered."""
        world.diverges = min(world.diverges, self.places.diverges(place))
        for read in reads_of(value):
            level = self.placed[self.index[read.world]].level
            late = self.places.is_late(self.places.read(read.mediator), place)
            if level >= 0:
                world.level = max(world.level, level + late)

    def find(self, mediator: str, world: World) -> tuple[NodePlace | CutPlace, int]:
        """Return the place of a mediator and the number of a world."""
        return self.places.read(mediator), self.index[world]


def _worlds_read(layers: tuple[tuple[Assignment, ...], ...]) -> Iterator[World]:
    for layer in layers:
        for _, value in layer:
            for read in reads_of(value):
                yield read.world


def _check_apart(sites: list[Site]) -> None:
    """Refuse sites of one layer that overlap under two names of one place."""
    for first, second in combinations(sites, 2):
        if parts_overlap(first.at, first.part, second.at, second.part):
            raise TermError(
                f"{first} and {second} are one place, and overlap in one layer of interventions.",
                "Sites of one layer set different values.",
                "Put one of them into a second Do on top.",
            )


def _layer(assigned: list[tuple[Site, Value]]) -> Layer:
    if len(assigned) == 1:
        site, value = assigned[0]
        whole = not site.at and site.part is None
        return Layer((SiteValue(None if whole else view_of(site.at, site.part), value),))
    _check_apart([site for site, _ in assigned])
    viewed = [SiteValue(view_of(site.at, site.part), value) for site, value in assigned]
    viewed.sort(key=lambda each: each.view.order() if each.view else "")
    return Layer(tuple(viewed), apart_in_layer(site for site, _ in assigned))
