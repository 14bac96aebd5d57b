"""The interpreter itself: laws that its meaning must obey, on random models of every sort."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from causalnet.errors import TermError
from causalnet.graphs import MediatorGraph, TransformerShape, plain_graph, transformer_graph
from causalnet.interventions import (
    At,
    Base,
    Const,
    Do,
    Edge,
    Grad,
    Handle,
    Indices,
    Node,
    Noise,
    Op,
    Read,
    Self,
    Subspace,
    World,
    value_of,
)
from causalnet.interventions.interpreter import SCM
from causalnet.interventions.random_models import hash_scm, relu_scm, table_scm

BASE, SOURCE = Base("base"), Base("source")
GRAPH = transformer_graph(TransformerShape(2, 2, 1, 4, 2, 4, 5))
BASIS = Handle("basis", "1")
MODELS: tuple[Callable[[MediatorGraph, int], SCM], ...] = (hash_scm, table_scm, relu_scm)

models = pytest.mark.parametrize("build", MODELS, ids=lambda build: build.__name__)


def receivers(least: int) -> list[str]:
    return [
        node.mediator.name
        for node in GRAPH.nodes
        for slot in node.slots
        if slot.stream and not slot.owner and slot.writers_before >= least
    ]


def same(first: Any, second: Any) -> bool:
    return bool(np.allclose(first, second, rtol=1e-10, atol=1e-12))


@models
@pytest.mark.parametrize("seed", range(3))
def test_a_node_is_all_its_out_edges(build: Any, seed: int) -> None:
    model = build(GRAPH, seed)
    place = GRAPH.writers.index("L0.H0") + 1
    node = Do(BASE, ((Node("L0.H0"), At("L0.H0", SOURCE)),))
    edges = tuple((Edge("L0.H0", name), At("L0.H0", SOURCE)) for name in receivers(place))
    assert same(model.value("logits", node), model.value("logits", Do(BASE, edges)))
    assert build is table_scm or not same(model.value("logits", node), model.value("logits", BASE))


@models
def test_a_cut_is_every_edge_from_before_it_to_after_it(build: Any) -> None:
    model, writers = build(GRAPH, 0), GRAPH.writers_before("L1.resid_pre")
    cut = Do(BASE, ((Node("L1.resid_pre"), At("L1.resid_pre", SOURCE)),))
    edges = tuple(
        (Edge(writer, name), At(writer, SOURCE))
        for name in receivers(len(writers))
        for writer in writers
    )
    assert same(model.value("logits", cut), model.value("logits", Do(BASE, edges)))
    other = Do(BASE, ((Node("blocks.0.hook_resid_post"), At("L1.resid_pre", SOURCE)),))
    assert same(model.value("logits", cut), model.value("logits", other))


@models
def test_an_edge_into_a_receiver_reaches_its_norm_scale(build: Any) -> None:
    model = build(GRAPH, 1)
    every = tuple(
        (Edge(writer, "L1.mlp"), At(writer, SOURCE)) for writer in GRAPH.writers_before("L1.mlp")
    )
    world = Do(BASE, every)
    for name in ("L1.mlp", "L1.mlp.scale"):
        assert same(model.value(name, world), model.value(name, SOURCE))
    assert same(model.value("L1.H0.q", world), model.value("L1.H0.q", BASE))


@models
def test_disjoint_parts_in_two_layers_compose(build: Any) -> None:
    model = build(GRAPH, 2)
    for first, second in (
        (Subspace(BASIS, (0,)), Subspace(BASIS, (1, 2))),
        (Indices("feature", (2,)), Indices("feature", (0, 1))),
    ):
        world: Any = BASE
        for part in (first, second):
            world = Do(world, ((Node("L0.mlp", (), part), At("L0.mlp", SOURCE)),))
        assert same(model.value("L0.mlp", world), model.value("L0.mlp", SOURCE))
        assert same(model.value("L0.mlp", world.world.world), model.value("L0.mlp", BASE))


@models
def test_positions_cut_a_site_down(build: Any) -> None:
    model = build(GRAPH, 3)
    world = Do(BASE, ((Node("L0.mlp", ("S2",)), At("L0.mlp", SOURCE)),))
    value = model.value("L0.mlp", world)
    assert same(value[[0, 2]], model.value("L0.mlp", BASE)[[0, 2]])
    assert same(value[1], model.value("L0.mlp", SOURCE)[1])


@pytest.mark.parametrize("site", [Node("L0.mlp"), Edge("L0.H0", "L1.mlp"), Node("L1.resid_mid")])
def test_a_derivative_is_the_limit_of_differences(site: Any) -> None:
    model, step = relu_scm(GRAPH, 4), 1e-6
    along = Op("subtract", (At(site.read_from, SOURCE), Self()))
    exact = model.scalar(Grad(Read(value_of("logits"), BASE), site, along))

    def moved(factor: float) -> Any:
        nudged = Op("lerp", (Self(), At(site.read_from, SOURCE)), (("factor", factor),))
        return model.value("logits", Do(BASE, ((site, nudged),)))

    differences = (moved(step) - moved(-step)) / (2 * step)
    assert np.abs(exact).max() > 1e-3
    np.testing.assert_allclose(exact, differences, rtol=1e-5, atol=1e-7)


def test_noise_is_shared_where_the_key_is() -> None:
    graph = plain_graph({"U": (), "X": (), "Y": ("U", "X")}, noise=("U",))
    model = hash_scm(graph, 0)
    keyed = [Base("base", key) for key in ("a", "a", "b")]
    first, again, other = (model.value("Y", world) for world in keyed)
    assert same(first, again) and not same(first, other)
    worlds = [Do(BASE, ((Node("X"), Noise(key)),)) for key in ("a", "a", "b")]
    first, again, other = (model.value("X", world) for world in worlds)
    assert same(first, again) and not same(first, other)


def test_what_is_not_given_is_named() -> None:
    graph = plain_graph({"X": (), "Y": ("X",)})
    model = SCM(graph, {"Y": lambda slots: slots["X"]}, {"base": {"X": np.ones((1, 1))}})
    handle = Handle("mean of Y", "0")
    cases: dict[str, World] = {
        "'mean of Y'#0 is not bound": Do(BASE, ((Node("Y"), Const(handle)),)),
        "'twist' has no body": Do(BASE, ((Node("Y"), Op("twist", (Self(),))),)),
        "'k' has no values": Do(BASE, ((Node("Y"), Noise("k")),)),
        "'end' of Y\\[end\\] has no column": Do(BASE, ((Node("Y", ("end",)), Const()),)),
        "'source' gives X no value": SOURCE,
    }
    for message, world in cases.items():
        with pytest.raises(TermError, match=message):
            model.value("Y", world)
