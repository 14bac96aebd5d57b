import copy
import pickle
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from causalnet.errors import TermError
from causalnet.interventions import (
    At,
    Base,
    Const,
    Do,
    Handle,
    Node,
    Op,
    Position,
    Read,
    Self,
    Value,
    World,
    inputs_of,
    kl,
    layers_of,
    logit_diff,
    reads_of,
    worlds_read_by,
)
from tests.interventions.terms import POSITIONS, WORLDS

BASE, SOURCE = Base("base"), Base("source")
MLP = "L0.mlp"


@given(POSITIONS, POSITIONS)
def test_overlapping_sites_of_one_layer_are_refused(
    one: tuple[Position, ...], other: tuple[Position, ...]
) -> None:
    """Sites of one mediator are disjoint when both name positions and share none."""
    disjoint = bool(one) and bool(other) and not set(one) & set(other)
    assignments = ((Node(MLP, one), Const()), (Node(MLP, other), Self()))
    assert Node(MLP, one).overlaps(Node(MLP, other)) != disjoint
    if disjoint:
        assert Do(BASE, assignments).assignments == assignments
    else:
        with pytest.raises(TermError, match=r"overlap in one layer.*second Do on top"):
            Do(BASE, assignments)
    assert Do(Do(BASE, assignments[:1]), assignments[1:])  # layers may overlap
    assert Do(BASE, (assignments[0], (Node("L1.mlp", other), Self())))


def test_every_pair_of_sites_is_compared() -> None:
    for shared in ("S1", "S2"):
        last = Node(MLP, ("end", shared))
        sites = (Node(MLP, ("S1",)), Node("L1.mlp"), Node(MLP, ("S2",)), last)
        with pytest.raises(TermError) as refused:
            Do(BASE, tuple((site, Const()) for site in sites))
        assert f"L0.mlp[{shared}] and {last} overlap" in str(refused.value)


def test_an_empty_layer_is_refused() -> None:
    with pytest.raises(TermError, match="no assignment"):
        Do(BASE, ())


@given(WORLDS)
def test_layers_build_the_world_again(world: World) -> None:
    base, layers = layers_of(world)
    again: World = base
    for layer in layers:
        again = Do(again, layer)
    assert again == world


@given(WORLDS)
def test_inputs_are_those_that_are_printed(world: World) -> None:
    assert inputs_of(world) == set(re.findall(r"<([^>]*)>", str(world)))


@given(WORLDS)
def test_worlds_read_are_those_of_its_own_layers(world: World) -> None:
    reads = worlds_read_by(world)
    assert len(set(reads)) == len(reads)
    _, layers = layers_of(world)
    found = {read for layer in layers for _, value in layer for read in reads_of(value)}
    assert set(reads) == found
    for read in reads:
        assert str(read) in str(world)
        assert inputs_of(read.world) <= inputs_of(world)


def test_reads_inside_worlds_that_are_read_are_not_its_own() -> None:
    inner = At(MLP, SOURCE)
    middle = Do(BASE, ((Node(MLP), inner),))
    outer = At("L1.mlp", middle)
    value = Op("add", (Self(), Op("add", (outer, At("embed", BASE)))))
    world = Do(Do(BASE, ((Node("L1.mlp"), value),)), ((Node("embed"), At("embed", SOURCE)),))
    assert reads_of(value) == (outer, At("embed", BASE))
    assert worlds_read_by(world) == (outer, At("embed", BASE), At("embed", SOURCE))
    assert worlds_read_by(middle) == (inner,)
    assert inputs_of(world) == {"base", "source"}


@given(WORLDS, WORLDS)
def test_terms_are_equal_by_content(one: World, other: World) -> None:
    for twin in (copy.deepcopy(one), pickle.loads(pickle.dumps(one))):
        assert twin == one
        assert hash(twin) == hash(one)
        assert {one: "found"}[twin] == "found"
    assert (repr(one) == repr(other)) == (one == other)
    assert Read(logit_diff, one) != Read(kl, one)


@given(WORLDS, st.sampled_from(["L0.mlp", "L1.mlp"]))
def test_a_layer_more_is_another_world(world: World, mediator: str) -> None:
    assert Do(world, ((Node(mediator), Self()),)) != world


@pytest.mark.parametrize(
    ("term", "text"),
    [
        (BASE, "<base>"),
        (Base("resample 3"), "<resample 3>"),
        (Node("L9.H6"), "L9.H6"),
        (Node("L9.H6", ("S2", 0)), "L9.H6[S2,0]"),
        (Const(), "0"),
        (Const(Handle("mean of L9.mlp", "d1")), "'mean of L9.mlp'#d1"),
        (Self(), "self"),
        (At("L9.H6.z", SOURCE), "L9.H6.z in <source>"),
        (Op("add", (Self(), Const(Handle("v", "")))), "add(self, 'v'#'')"),
        (Op("add", (Self(), Const()), (("factor", 0.5),)), "add(self, 0; factor=0.5)"),
        (Do(BASE, ((Node("embed"), Const()),)), "<base> + {embed := 0}"),
        (
            Do(
                Do(BASE, ((Node(MLP), Const()), (Node("L1.mlp", ("end",)), Self()))),
                ((Node(MLP), At(MLP, Do(SOURCE, ((Node("embed"), Const()),)))),),
            ),
            "<base> + {L0.mlp := 0, L1.mlp[end] := self} "
            "+ {L0.mlp := L0.mlp in <source> + {embed := 0}}",
        ),
        (logit_diff, "logit_difference"),
        (Read(kl, SOURCE), "kl(<source>)"),
    ],
)
def test_terms_print_as_they_are_written(term: World | Value | Node | Read, text: str) -> None:
    assert str(term) == text
