"""What values are at the places of a graph: their axes, each looked up once."""

from dataclasses import dataclass

from causalnet.errors import TermError
from causalnet.graphs import Axis, Kind, Mediator, MediatorGraph, Role
from causalnet.interventions.readouts import READOUTS, ReadOut
from causalnet.interventions.worlds import Edge, Site

__all__ = ["PlaceType", "PlaceTypes", "axes_text", "check_is_vector", "check_read_out", "fits"]


@dataclass(frozen=True, slots=True)
class PlaceType:
    """A node or a cut of a stream, and the type of its value.

    Attributes:
        mediator: Its name and kind.
        axes: The axes of its value; none where the graph does not say, and anything fits then.
        key: What two names of one place share.
        cut: Whether it is a cut.
        is_written: Whether it has a value: a cut with no writer before it has none.
    """

    mediator: Mediator
    axes: tuple[Axis, ...]
    key: tuple[str, int | str]
    cut: bool = False
    is_written: bool = True

    def axis(self, role: Role) -> Axis | None:
        """Return the last axis with a role."""
        return next((axis for axis in reversed(self.axes) if axis.role is role), None)

    def __str__(self) -> str:
        """Return the name."""
        return self.mediator.name


class PlaceTypes:
    """The places of one graph that terms have named so far."""

    def __init__(self, graph: MediatorGraph) -> None:
        """Note where the cuts are and which nodes leave a choice open."""
        self.graph = graph
        self.known: dict[str, PlaceType] = {}
        self.edges: dict[tuple[str, str, str | None], frozenset[str]] = {}
        self.cuts = {cut.name for cut in graph.cuts}
        self.open = tuple(node for node in graph.nodes if node.regimes)
        self._ancestors: dict[str, frozenset[str]] = {}

    def place(self, name: str) -> PlaceType:
        """Return a node or cut.

        Raises:
            UnknownMediatorError: No such mediator.
        """
        found = self.known.get(name)
        if found is None:
            found = self.known[name] = self._place(name)
        return found

    def _place(self, name: str) -> PlaceType:
        mediator = self.graph.find(name)
        axes = self.graph.axes(mediator)
        if mediator.name not in self.cuts:
            return PlaceType(mediator, axes, ("node", mediator.name))
        cut = self.graph.cut(mediator)
        key = (cut.stream, cut.writers_before)
        return PlaceType(mediator, axes, key, True, cut.writers_before > 0)

    def set_by(self, site: Site) -> PlaceType:
        """Return the place whose value goes through a site.

        Raises:
            UnknownMediatorError: No such mediator.
        """
        return self.place(site.read_from)

    def slots(self, edge: Edge) -> frozenset[str]:
        """Return the slots of the receiver that an edge enters.

        Raises:
            UnknownMediatorError: No such mediator.
            TermError: No such edge.
        """
        key = (edge.sender, edge.receiver, edge.slot)
        found = self.edges.get(key)
        if found is None:
            slots = self.graph.edge_slots(edge.sender, edge.receiver, edge.slot)
            found = self.edges[key] = frozenset(slot.name for slot in slots)
        return found

    def is_before(self, earlier: PlaceType, later: str) -> bool:
        """Return whether a directed path leads from a place to a node."""
        if earlier.cut:
            return self.graph.is_ancestor(earlier.mediator, later)
        if later not in self._ancestors:
            self._ancestors[later] = self.graph.ancestors(later)
        return earlier.mediator.name in self._ancestors[later]


def fits(value: tuple[Axis, ...], place: tuple[Axis, ...]) -> bool:
    """Return whether a value with some axes can stand at a place.

    Axes agree in name, role and size, where both sizes are known; a type without axes fits all.
    """
    if value == place or not value or not place:
        return True
    return len(value) == len(place) and all(
        (ours.name, ours.role) == (theirs.name, theirs.role)
        and (ours.size == theirs.size or None in (ours.size, theirs.size))
        for ours, theirs in zip(value, place, strict=True)
    )


def axes_text(axes: tuple[Axis, ...]) -> str:
    """Return axes with their sizes: `batch, pos, feature 64`."""
    shown = (axis.name if axis.size is None else f"{axis.name} {axis.size}" for axis in axes)
    return ", ".join(shown) or "none"


def check_is_vector(place: PlaceType, what: str) -> Axis | None:
    """Return the last axis of a value that is a vector, None where the graph names no axes.

    Raises:
        TermError: The last axis is not a free one of known size.
    """
    if not place.axes:
        return None
    last = place.axes[-1]
    if last.role is not Role.FREE or last.size is None or place.mediator.kind is Kind.PATTERN:
        raise TermError(
            f"{place} is no vector, as {what} needs.",
            f"Its axes are {axes_text(place.axes)}.",
            "Choose a node whose last axis has a fixed size.",
        )
    return last


def check_read_out(readout: ReadOut, types: PlaceTypes) -> None:
    """Check that a read-out can be taken of its node; not the world that it compares to.

    Raises:
        UnknownMediatorError: A node that the graph does not have.
        TermError: A node of another type, a world to compare to where there is none, or the
            opposite.
    """
    place = types.place(readout.node)
    name = readout.name
    if readout.at == "" or isinstance(readout.at, bool):
        raise TermError(
            f"{readout} is read at {readout.at!r}.",
            "A position is a name of the prompts or the index of a token.",
        )
    if not place.is_written:
        raise TermError(f"{readout} reads {place}.", "Nothing is written before that cut.")
    if name == "value":
        _check_is_number(place)
    elif name in READOUTS and place.axes and place.mediator.kind is not Kind.LOGITS:
        _check_is_residual(readout, place, types)
    if name in READOUTS and (readout.reference is None) != (READOUTS[name].reference is None):
        told = "compares to no world" if readout.reference is None else "compares to a world"
        needs = "needs one" if readout.reference is None else "uses none"
        raise TermError(f"The read-out {name} {told}.", f"It {needs}.")


def _check_is_number(place: PlaceType) -> None:
    sizes = [axis.size for axis in place.axes if axis.role is Role.FREE]
    if any(size != 1 for size in sizes):
        raise TermError(
            f"The value of {place} is not one number.",
            f"Its axes are {axes_text(place.axes)}.",
            "Read a score such as logit_difference{...} from it, or a node of width 1.",
        )


def _check_is_residual(readout: ReadOut, place: PlaceType, types: PlaceTypes) -> None:
    for stream in types.graph.streams:
        if stream.writers and fits(place.axes, types.place(stream.writers[-1]).axes):
            return
    raise TermError(
        f"{readout.name} cannot be read from {place}.",
        f"Its axes are {axes_text(place.axes)}; the unembedding reads what the residual stream "
        "holds.",
        "Read it from a cut such as 'L9.resid_post', or from a writer.",
    )
