"""An axis of positions that are not causal: every position reads all, in sites as in graphs."""

import pytest

from causalnet.errors import TermError
from causalnet.graphs import Axis, Kind, Mediator, MediatorGraph, Merge, Node, Role, Slot
from causalnet.graphs.positions import at_positions
from causalnet.interventions import check_world, parse_world


def graph(role: Role) -> MediatorGraph:
    axes = (Axis("batch", Role.BATCH), Axis("pos", role), Axis("feature", Role.FREE, 4))
    read = (Slot("X", Merge.PLAIN, ("X",)),)
    nodes = (
        Node(Mediator("X", Kind.VARIABLE), axes),
        Node(Mediator("Y", Kind.VARIABLE), axes, read),
    )
    return MediatorGraph(nodes, origin="declared by hand")


def test_every_position_reads_all_where_the_role_is_position() -> None:
    every = at_positions(graph(Role.POSITION), 3).fine
    assert every.parents("Y[0]") == ("X[0]", "X[1]", "X[2]")
    assert every.origin == "declared by hand"
    causal = at_positions(graph(Role.CAUSAL), 3).fine
    assert causal.parents("Y[0]") == ("X[0]",)


def test_sites_have_positions_along_either_kind_of_axis() -> None:
    world = parse_world("<base> + {Y[2] := Y in <source>}")
    for role in (Role.POSITION, Role.CAUSAL):
        check_world(world, graph(role))
    with pytest.raises(TermError, match="has none"):
        check_world(world, graph(Role.FREE))
