"""Checking a world against a graph before anything runs."""

from causalnet.errors import TermError
from causalnet.graphs import Kind, MediatorGraph
from causalnet.interventions.worlds import At, Const, Node, Op, Self, Value, World, layers_of

__all__ = ["SETTABLE", "check_world"]

SETTABLE = frozenset({Kind.Z, Kind.HEAD, Kind.MLP, Kind.RESIDUAL, Kind.EMBED})
"""The kinds of mediators that the hook executor can set."""


def check_world(world: World, graph: MediatorGraph) -> None:
    """Check that every site can be set and every value fits it.

    Raises:
        UnknownMediatorError: A name that the graph does not have.
        TermError: A mediator that cannot be set, two names of one mediator or residual cut at
            overlapping positions in one layer, or a value of another type than its site.
    """
    _, layers = layers_of(world)
    for layer in layers:
        sites: dict[str | int, list[Node]] = {}
        for site, value in layer:
            mediator = graph.find(site.mediator)
            if mediator.kind not in SETTABLE:
                raise TermError(
                    f"{site} cannot be set: it is a {mediator.kind.value}.",
                    "Heads, their z, MLPs, residual cuts and the embedding can.",
                )
            is_cut = mediator.kind is Kind.RESIDUAL
            place = len(graph.writers_before(mediator)) if is_cut else mediator.name
            for twin in sites.setdefault(place, []):
                if Node("", twin.at).overlaps(Node("", site.at)):
                    raise TermError(
                        f"{twin} and {site} are one "
                        f"{'cut of the residual stream' if is_cut else 'mediator'}.",
                        "Sites of one layer set different values.",
                        "Put one of them into a second Do on top.",
                    )
            sites[place].append(site)
            _check_value(site, value, graph)


def _check_value(site: Node, value: Value, graph: MediatorGraph) -> None:
    match value:
        case At(mediator, world):
            read, written = graph.find(mediator), graph.find(site.mediator)
            if read.kind not in SETTABLE:
                raise TermError(
                    f"{mediator} is a {read.kind.value} and cannot be interchanged.",
                    "Heads, their z, MLPs, residual cuts and the embedding can.",
                )
            if _width(read.kind, graph) != _width(written.kind, graph):
                raise TermError(
                    f"{mediator} does not fit {site}.",
                    f"A {read.kind.value} is {_width(read.kind, graph)} wide, "
                    f"a {written.kind.value} {_width(written.kind, graph)}.",
                )
            check_world(world, graph)
        case Op():
            for argument in value.arguments:
                _check_value(site, argument, graph)
        case Const() | Self():
            pass


def _width(kind: Kind, graph: MediatorGraph) -> int:
    return graph.shape.d_head if kind is Kind.Z else graph.shape.d_model
