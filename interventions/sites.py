"""Types of sites and values: what can be set, by which views, to which values."""

from collections.abc import Sequence

from causalnet.errors import TermError
from causalnet.graphs import Kind, Role
from causalnet.interventions.operations import check_operation, is_described
from causalnet.interventions.types import PlaceType, PlaceTypes, axes_text, check_is_vector, fits
from causalnet.interventions.views import Indices, Part, Position, Subspace, parts_overlap
from causalnet.interventions.worlds import At, Const, Edge, Node, Noise, Op, Self, Site, Value

__all__ = ["check_layer", "check_site", "check_value"]

_ON_PATTERNS = frozenset({"mask_pattern", "redirect", "uniform_pattern"})
_POSITIONS = frozenset({Role.CAUSAL, Role.POSITION})


def check_site(site: Site, types: PlaceTypes) -> PlaceType:
    """Return the place whose value goes through a site, after checking that it can be set.

    Raises:
        UnknownMediatorError: A name that the graph does not have.
        TermError: A place that cannot be set, an edge that is not there, or a view that does not
            fit.
    """
    if isinstance(site, Edge):
        place = _check_edge(site, types)
    else:
        place = types.place(site.mediator)
        if place.mediator.kind is Kind.NOISE:
            raise TermError(
                f"{site} cannot be set: it is exogenous noise.",
                "Worlds share their noise by the keys of their inputs.",
                "Write '<base; key>', or set the node that reads the noise.",
            )
    _check_written(place)
    if site.at:
        _check_positions(site.at, site, place)
    if site.part is not None:
        _check_part(site.part, place)
    return place


def _check_written(place: PlaceType) -> None:
    if not place.is_written:
        raise TermError(
            f"Nothing is written before {place}.", "A cut has the sum of the writers before it."
        )


def _check_edge(edge: Edge, types: PlaceTypes) -> PlaceType:
    if (edge.sender, edge.receiver, edge.slot) in types.edges:
        return types.place(edge.sender)
    for end in (edge.sender, edge.receiver):
        place = types.place(end)
        if place.cut:
            other = "a writer before it" if end == edge.sender else "a receiver after it"
            raise TermError(
                f"{edge} has an end at {place}, a cut of a stream.",
                "An edge leads from a node to a node; a cut is set for all receivers after it.",
                f"Write {other} in its place, or the node site '{place}'.",
            )
    types.slots(edge)
    return types.place(edge.sender)


def _check_positions(at: tuple[Position, ...], site: Site, place: PlaceType) -> None:
    wrong = [
        each
        for each in at
        if isinstance(each, bool) or not isinstance(each, str | int) or each == ""
    ]
    if wrong or len(set(at)) != len(at):
        raise TermError(
            f"{site} has {f'the position {wrong[0]!r}' if wrong else 'a position twice'}.",
            "A position is a name of the prompts or the index of a token, each once.",
        )
    if place.axes and not any(axis.role in _POSITIONS for axis in place.axes):
        raise TermError(
            f"{site} is at positions, and {place} has none.",
            f"Its axes are {axes_text(place.axes)}.",
            f"Write '{place}'.",
        )


def _check_part(part: Part, place: PlaceType) -> None:
    match part:
        case Indices(name, indices):
            free = {axis.name: axis for axis in place.axes if axis.role is Role.FREE}
            if place.axes and name not in free:
                raise TermError(
                    f"{place} has no free axis {name!r}.",
                    f"Its axes are {axes_text(place.axes)}; positions are written before the part.",
                )
            size = free[name].size if place.axes else None
            if size is not None and indices[-1] >= size:
                raise TermError(f"{place} has no {name} {indices[-1]}.", f"They are 0..{size - 1}.")
        case Subspace(basis, columns):
            last = check_is_vector(place, "a subspace")
            if last is not None and last.size is not None and columns[-1] >= last.size:
                raise TermError(
                    f"The basis {basis} has no column {columns[-1]} at {place}.",
                    f"It has at most {last.size}: {place} is {last.size} wide.",
                )


def check_layer(sites: Sequence[Site], types: PlaceTypes) -> None:
    """Check that no two sites of a layer set the same entry.

    Raises:
        TermError: Two sites that overlap, under whatever names.
    """
    by_place: dict[object, list[Site]] = {}
    for site in sites:
        for key in _places(site, types):
            for twin in by_place.setdefault(key, []):
                if parts_overlap(twin.at, twin.part, site.at, site.part):
                    raise TermError(
                        f"{twin} and {site} are one {_what(site, types)}.",
                        "Sites of one layer set different values.",
                        "Put one of them into a second Do on top.",
                    )
            by_place[key].append(site)


def _places(site: Site, types: PlaceTypes) -> list[object]:
    if isinstance(site, Node):
        return [types.place(site.mediator).key]
    ends = (types.place(site.sender).key, types.place(site.receiver).key)
    return [(ends, slot) for slot in types.slots(site)]


def _what(site: Site, types: PlaceTypes) -> str:
    if isinstance(site, Edge):
        return "edge"
    return "cut of the residual stream" if types.place(site.mediator).cut else "mediator"


def check_value(value: Value, site: Site, place: PlaceType, types: PlaceTypes) -> None:
    """Check that a value can stand at a site; the worlds that it reads are checked elsewhere.

    A known operation keeps the type of its arguments.  One of your own may take any arguments.

    Raises:
        UnknownMediatorError: A name that the graph does not have.
        TermError: A value of another type, or an operation that is not used as described.
    """
    waiting: list[tuple[Value, bool]] = [(value, True)]
    seen: set[tuple[Value, bool]] = set()  # operations may share arguments
    while waiting:
        current, is_typed = waiting.pop()
        if (current, is_typed) in seen:
            continue
        seen.add((current, is_typed))
        match current:
            case At(mediator):
                read = types.place(mediator)
                _check_written(read)
                if is_typed and not fits(read.axes, place.axes):
                    raise TermError(
                        f"{read} does not fit {site}.",
                        f"Its axes are {axes_text(read.axes)}; those of {place} are "
                        f"{axes_text(place.axes)}.",
                        "Read a value of the site's type, or convert it with an operation.",
                    )
            case Op(name, arguments):
                known = is_described(name)
                if known:
                    check_operation(current)
                if name in _ON_PATTERNS:
                    _check_is_pattern(name, place)
                waiting.extend((argument, is_typed and known) for argument in arguments)
            case Noise(""):
                raise TermError("A draw of noise has no key.", "", "Write 'noise(key)'.")
            case Const() | Self() | Noise():
                pass


def _check_is_pattern(name: str, place: PlaceType) -> None:
    if place.axes and place.mediator.kind is not Kind.PATTERN:
        raise TermError(
            f"{name} acts on attention patterns, and {place} is a {place.mediator.kind.value}.",
            f"Its axes are {axes_text(place.axes)}.",
            "Set the pattern of a head, such as 'L9.H6.pattern'.",
        )
