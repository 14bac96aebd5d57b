"""Derivatives along directions at sites, by one backward pass for all that share a read-out."""

from collections.abc import Sequence
from itertools import combinations

import pytest
import torch

from causalnet.effects.vectors import vector
from causalnet.execute import Bindings, evaluate, schedule
from causalnet.interventions import (
    GRADS_AT_ONCE,
    At,
    Base,
    Const,
    Do,
    Edge,
    Grad,
    Indices,
    Leaf,
    Node,
    Op,
    Read,
    Self,
    Site,
    World,
    accuracy,
    kl,
    lens,
    logit_diff,
    runs_of,
)
from causalnet.lift import LiftedNetwork, raised_casts
from tests.execute.numpy_transformer import model_of_row
from tests.toys import net, word_pairs

KINDS = ("llama", "gpt2")
BASE, SOURCE = Base("base"), Base("source")


def values(leaves: Sequence[Leaf], network: LiftedNetwork, **options: int) -> list[torch.Tensor]:
    bindings = Bindings.of(word_pairs(3, lengths=(5, 4)))
    with raised_casts(network.model.module):
        result = evaluate(leaves, network, bindings, **options)  # type: ignore[arg-type]  # options
    return [result.values[leaf] for leaf in leaves]


def towards(name: str) -> Op:
    return Op("subtract", (At(name, SOURCE), At(name, BASE)))


def sites(network: LiftedNetwork) -> list[Site]:
    """Every node and cut, and some edges of every kind."""
    graph = network.graph
    owner = "KV1" if graph.shape.shares_keys else "H2"
    edges = [
        Edge("L0.H1", "L1.H2.q"),
        Edge("embed", f"L1.{owner}.k"),
        Edge("L0.mlp", f"L1.{owner}.v"),
        Edge("L1.H3", "L1.mlp"),
        Edge("L0.H0", "logits"),
        Edge("L1.H2.q", "L1.H2.pattern"),
        Edge(f"L1.{owner}.k", "L1.H2.pattern"),
        Edge("L0.H1.pattern", "L0.H1.z"),
        Edge("L0.H1.z", "L0.H1"),
        Edge("L1.mlp.scale", "L1.mlp"),
    ]
    return [*(Node(name) for name in graph.names()), *edges]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "below",
    [BASE, Do(SOURCE, ((Node("L0.H1", ("end",)), At("L0.H1", BASE)), (Node("L0.mlp"), Const())))],
)
def test_all_sites_in_one_pass_are_each_one_alone(kind: str, below: World) -> None:
    network = net(kind)
    read = Read(logit_diff, below)
    grads = [Grad(read, site, towards(site.read_from)) for site in sites(network)]
    bindings = Bindings.of(word_pairs(3, lengths=(5, 4)))
    with raised_casts(network.model.module):
        result = evaluate(grads, network, bindings)
    assert result.forwards == 3  # base, source, and all derivatives
    for row in range(2):
        model = model_of_row(network, bindings, row)
        for grad in grads:
            expected, found = float(model.scalar(grad)), float(result.values[grad][row])
            assert found == pytest.approx(expected, abs=1e-10, rel=1e-10), str(grad)
    assert sum(float(result.values[grad].abs().max()) > 1e-6 for grad in grads) > 30


@pytest.mark.parametrize("kind", KINDS)
def test_a_derivative_is_the_slope_of_the_world(kind: str) -> None:
    network = net(kind)
    for readout in (kl, logit_diff, lens(logit_diff, "L0.resid_post")):
        site = Node("L0.H1.z", ("end",), Indices("feature", (0, 3, 5)))
        read, along = Read(readout, Do(BASE, ((Node("L0.H2"), Const()),))), towards("L0.H1.z")

        def moved(by: float, read: Read = read, site: Node = site, along: Op = along) -> Read:
            value = Op("add", (Self(), along), (("factor", by),))
            return Read(read.readout, Do(read.world, ((site, value),)))

        up, down, slope = values([moved(1e-5), moved(-1e-5), Grad(read, site, along)], network)
        torch.testing.assert_close((up - down) / 2e-5, slope, rtol=1e-6, atol=1e-7)
        assert float(slope.abs().max()) > 1e-4


def test_what_does_not_matter_has_the_derivative_zero() -> None:
    network = net()
    late = Grad(Read(lens(logit_diff, "L0.resid_post"), BASE), Node("L1.mlp"), towards("L1.mlp"))
    hit = Grad(Read(accuracy, BASE), Node("L1.mlp"), towards("L1.mlp"))
    covered = Do(BASE, ((Node("L1.resid_post"), At("L1.resid_post", SOURCE)),))
    hidden = Grad(Read(logit_diff, covered), Node("L0.mlp"), towards("L0.mlp"))
    for value in values([late, hit, hidden], network):
        assert torch.equal(value, torch.zeros(3, dtype=torch.float64))


def test_directions_are_held_constant() -> None:
    """The derivative along the value itself is that along a copy of it."""
    network = net()
    itself = Grad(Read(logit_diff, BASE), Node("L0.mlp"), Self())
    copy = Grad(Read(logit_diff, BASE), Node("L0.mlp"), At("L0.mlp", BASE))
    first, second = values([itself, copy], network)
    torch.testing.assert_close(first, second, atol=1e-12, rtol=0)


def test_many_derivatives_take_several_passes() -> None:
    """Each keeps its direction in memory, so that there are at most so many in one."""
    read = Read(logit_diff, BASE)
    number = 2 * GRADS_AT_ONCE + 1
    alongs = [Op("scale", (Self(),), (("factor", float(n)),)) for n in range(number)]
    grads = [Grad(read, Node("L0.mlp", ("end",)), along) for along in alongs]
    steps = schedule(grads)
    assert [len(step.grads) for step in steps] == [GRADS_AT_ONCE, GRADS_AT_ONCE, 1]
    assert [grad for step in steps for grad in step.grads] == grads
    assert len(runs_of(grads)) == 3


def test_runs_are_foretold_as_they_are_scheduled() -> None:
    patched = Do(BASE, ((Node("L0.mlp"), At("L0.mlp", SOURCE)),))
    leaves: list[Leaf] = [
        Read(logit_diff, patched),
        Read(kl, patched),
        Grad(Read(kl, patched), Node("L1.mlp"), At("L1.mlp", SOURCE)),
        Grad(Read(logit_diff, patched), Node("L1.mlp"), Self()),
        Read(lens(logit_diff, "L0.resid_post"), BASE),
    ]
    for count in range(1, len(leaves) + 1):
        for chosen in combinations(leaves, count):
            assert len(runs_of(chosen)) == len(schedule(chosen))


def test_batches_change_no_derivative() -> None:
    network = net()
    leaves = [Grad(Read(logit_diff, BASE), Node("L0.H1.q"), towards("L0.H1.q"))]
    alone, together = (values(leaves, network, batch_size=size)[0] for size in (1, 3))
    torch.testing.assert_close(alone, together, atol=1e-12, rtol=0)


def test_a_derivative_can_be_differentiated_with_respect_to_a_constant() -> None:
    network = net()
    start = torch.zeros(32, dtype=torch.float64, requires_grad=True)

    def slope(point: torch.Tensor) -> torch.Tensor:
        handle, bound = vector("direction", point)
        below = Do(BASE, ((Node("L0.mlp"), Op("add", (Self(), Const(handle)))),))
        grad = Grad(Read(logit_diff, below), Node("L0.H1.z"), towards("L0.H1.z"))
        bindings = Bindings.of(word_pairs(2), {handle: bound})
        with raised_casts(network.model.module):
            values = evaluate([grad], network, bindings, gradients=True).values
        return values[grad].sum()

    (second,) = torch.autograd.grad(slope(start), start)
    step = 1e-5 * torch.eye(32, dtype=torch.float64)[7]
    up, down = (slope(start.detach() + by).detach() for by in (step, -step))
    expected = float(up - down) / 2e-5
    assert expected == pytest.approx(float(second[7]), rel=1e-5)
    assert abs(expected) > 1e-4
