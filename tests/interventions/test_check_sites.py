"""Typing of sites of every kind, and of worlds that are deep, shared or wide."""

from dataclasses import replace

import pytest

from causalnet.errors import TermError, UnknownMediatorError
from causalnet.graphs import (
    Axis,
    Kind,
    Mediator,
    MediatorGraph,
    plain_graph,
)
from causalnet.graphs import Node as GraphNode
from causalnet.interventions import (
    SETTABLE,
    At,
    Base,
    Const,
    Do,
    Edge,
    Node,
    Self,
    Value,
    World,
    check_world,
    check_worlds,
)
from tests.interventions.terms import GRAPH

BASE, SOURCE = Base("base"), Base("source")

PLAIN = plain_graph({"U": (), "X": ("U",), "M": ("X",), "Y": ("X", "M")}, noise=("U",))


def one_layer(*assignments: tuple[str, Value] | tuple[str, Value, str]) -> Do:
    """A layer of (mediator, value) or (mediator, value, position)."""
    return Do(BASE, tuple((Node(name, tuple(at)), value) for name, value, *at in assignments))


@pytest.mark.parametrize("name", GRAPH.names())
def test_every_node_and_cut_can_be_set(name: str) -> None:
    assert GRAPH.find(name).kind in SETTABLE
    check_worlds([one_layer((name, value)) for value in (Const(), Self(), At(name, SOURCE))], GRAPH)


def test_only_noise_cannot_be_set() -> None:
    assert set(Kind) - SETTABLE == {Kind.NOISE}


TWINS = [
    ("L0.resid_post", "L1.resid_pre", "cut of the residual stream"),
    ("L1.resid_pre", "blocks.1.hook_resid_pre", "cut of the residual stream"),
    ("L0.mlp", "m0", "mediator"),
    ("L1.H2.z", "a1.h2.z", "mediator"),
    ("embed", "input", "mediator"),
]


@pytest.mark.parametrize(("one", "other", "what"), TWINS)
def test_two_names_of_one_place_are_refused_in_a_layer(one: str, other: str, what: str) -> None:
    refused = (
        one_layer((one, Const()), (other, Const())),
        one_layer((other, Const(), "end"), (one, Self())),
        one_layer((one, Const(), "S1"), (one, Const(), "S2"), (other, Const(), "S1")),
        one_layer((one, Const(), "S1"), (one, Const(), "S2"), (other, Const(), "S2")),
    )
    for world in refused:
        with pytest.raises(TermError, match=f"are one {what}.*second Do on top"):
            check_world(world, GRAPH)
    check_world(one_layer((one, Const(), "S1"), (other, Const(), "S2")), GRAPH)
    check_world(Do(one_layer((one, Const())), ((Node(other), Const()),)), GRAPH)


def test_deep_worlds_are_checked_and_shared_ones_once() -> None:
    nested: World = BASE
    shared: World = BASE
    for _ in range(10_000):
        nested = Do(BASE, ((Node("X"), At("X", nested)),))
    for _ in range(64):  # 2**64 paths lead down
        shared = Do(shared, ((Node("X"), At("X", shared)),))
    check_worlds([nested, shared], PLAIN)
    with pytest.raises(UnknownMediatorError, match="'Z'"):
        check_world(Do(nested, ((Node("Z"), Const()),)), PLAIN)


def test_edges_of_whole_values_only_share_their_slots() -> None:
    """One sender in two slots of one receiver: a named slot leaves the other alone."""
    pair = plain_graph({"X": (), "Y": ("X",)})
    both = GraphNode(
        Mediator("Z", Kind.VARIABLE),
        (),
        tuple(replace(pair.nodes[1].slots[0], name=name) for name in ("left", "right")),
    )
    graph = MediatorGraph((*pair.nodes, both))
    left, right, every = (Edge("X", "Z", slot=slot) for slot in ("left", "right", None))
    check_world(Do(BASE, ((left, Const()), (right, Const()))), graph)
    with pytest.raises(TermError, match="X -> Z:left and X -> Z overlap"):
        Do(BASE, ((left, Const()), (every, Const())))


def test_axes_of_unknown_size_fit() -> None:
    sized = tuple(
        Axis(axis.name, axis.role, axis.size or 7) for axis in GRAPH.axes("L0.H0.pattern")
    )
    fixed = replace(
        GRAPH,
        nodes=tuple(
            replace(node, axes=sized) if node.mediator.name == "L0.H0.pattern" else node
            for node in GRAPH.nodes
        ),
    )
    check_world(one_layer(("L0.H0.pattern", At("L0.H1.pattern", SOURCE))), fixed)
