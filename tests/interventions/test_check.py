import pytest

from causalnet.errors import TermError, UnknownMediatorError
from causalnet.graphs import Kind
from causalnet.interventions import (
    SETTABLE,
    At,
    Base,
    Const,
    Do,
    Node,
    Op,
    Self,
    Value,
    World,
    check_world,
)
from tests.interventions.terms import GRAPH, TREATABLE

BASE, SOURCE = Base("base"), Base("source")


def one_layer(*assignments: tuple[str, Value] | tuple[str, Value, str]) -> Do:
    """A layer of (mediator, value) or (mediator, value, position)."""
    return Do(BASE, tuple((Node(name, tuple(at)), value) for name, value, *at in assignments))


@pytest.mark.parametrize("name", GRAPH.names())
def test_exactly_the_settable_kinds_can_be_set(name: str) -> None:
    mediator = GRAPH.find(name)
    for value in (Const(), Self(), At(name, SOURCE)):
        world = one_layer((name, value))
        if mediator.kind in SETTABLE:
            check_world(world, GRAPH)
        else:
            told = rf"cannot be set: it is a {mediator.kind.value}\. Heads, their z, MLPs"
            with pytest.raises(TermError, match=told):
                check_world(world, GRAPH)


def test_settable_are_those_that_carry_a_value_onward() -> None:
    assert {kind for kind in Kind if kind not in SETTABLE} == {
        Kind.QUERY,
        Kind.KEY,
        Kind.VALUE,
        Kind.PATTERN,
        Kind.ATTENTION_BIAS,
        Kind.LOGITS,
    }
    assert all(mediator.kind in SETTABLE for mediator in TREATABLE)


@pytest.mark.parametrize(
    ("site", "read", "told"),
    [
        ("L1.H2.z", "L1.H2", r"A head is 8 wide, a z 2"),
        ("L1.H2", "L1.H2.z", r"A z is 2 wide, a head 8"),
        ("L1.mlp", "L0.H0.z", r"A z is 2 wide, a mlp 8"),
        ("L1.H2.z", "L0.H0.q", "is a query and cannot be interchanged"),
        ("L1.H2.z", "L1.KV1.v", "is a value and cannot be interchanged"),
        ("L1.mlp", "L0.H0.pattern", "is a pattern and cannot be interchanged"),
        ("L1.mlp", "logits", "is a logits and cannot be interchanged"),
    ],
)
def test_a_value_of_another_width_or_kind_is_refused(site: str, read: str, told: str) -> None:
    direct = one_layer((site, At(read, SOURCE)))
    inside = one_layer((site, Op("add", (Self(), At(read, SOURCE)))))
    for world in (direct, inside, one_layer(("embed", At("embed", direct)))):
        with pytest.raises(TermError, match=told):
            check_world(world, GRAPH)


@pytest.mark.parametrize(
    ("site", "read"),
    [("L1.H2.z", "L0.H3.z"), ("L1.mlp", "L0.mlp"), ("L1.resid_mid", "embed"), ("L1.H2", "L0.mlp")],
)
def test_a_value_of_another_node_of_the_same_width_fits(site: str, read: str) -> None:
    check_world(one_layer((site, At(read, SOURCE))), GRAPH)


@pytest.mark.parametrize(
    "world",
    [
        one_layer(("L1.H4.z", Const())),
        one_layer(("L0.mlp", At("L0.mpl", SOURCE))),
        one_layer(("L0.mlp", Op("add", (Self(), At("L7.mlp", SOURCE))))),
        one_layer(("L0.mlp", At("L0.mlp", one_layer(("L2.mlp", Const()))))),
        Do(one_layer(("nonsense", Const())), ((Node("L0.mlp"), Const()),)),
    ],
)
def test_unknown_names_are_refused_wherever_they_stand(world: World) -> None:
    with pytest.raises(UnknownMediatorError, match="Unknown mediator"):
        check_world(world, GRAPH)


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


def test_different_cuts_and_a_head_beside_its_z_are_allowed() -> None:
    cuts = [(name, Const()) for name in ("L0.resid_pre", "L0.resid_mid", "L0.resid_post")]
    check_world(one_layer(*cuts, ("L1.H2", Const()), ("L1.H2.z", Const())), GRAPH)


def test_the_untouched_network_is_well_formed() -> None:
    check_world(BASE, GRAPH)
