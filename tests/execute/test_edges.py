"""Laws of edges: what goes into a receiver, and what a node sends."""

import random
from collections.abc import Sequence

import pytest
import torch

from causalnet.execute import Bindings, evaluate
from causalnet.graphs import MediatorGraph
from causalnet.interventions import (
    Assignment,
    At,
    Base,
    Const,
    Do,
    Edge,
    Grad,
    Node,
    Op,
    Read,
    Self,
    Site,
    World,
    logit_diff,
)
from causalnet.lift import LiftedNetwork, raised_casts
from tests.toys import net, word_pairs

KINDS = ("llama", "gpt2")
BASE, SOURCE = Base("base"), Base("source")


def readings(worlds: Sequence[World], network: LiftedNetwork) -> list[torch.Tensor]:
    """Logit differences of 3 prompts of two lengths, in float64 throughout."""
    reads = [Read(logit_diff, world) for world in worlds]
    pairs = word_pairs(3, lengths=(6, 5))
    with raised_casts(network.model.module):
        values = evaluate(reads, network, Bindings.of(pairs), batch_size=2).values
    return [values[read] for read in reads]


def same(first: World, second: World, network: LiftedNetwork) -> None:
    ours, theirs = readings((first, second), network)
    torch.testing.assert_close(ours, theirs, atol=1e-10, rtol=0)


def children(graph: MediatorGraph, sender: str) -> list[str]:
    """The receivers of what a node sends, none that read another node's slot."""
    found = []
    for node in graph.nodes:
        own = [slot for slot in node.slots if not slot.owner]
        if any(sender in graph.senders(slot) for slot in own):
            found.append(node.mediator.name)
    return found


def from_source(sites: Sequence[Site]) -> tuple[Assignment, ...]:
    return tuple((site, At(site.read_from, SOURCE)) for site in sites)


SENDERS = (
    "embed",
    "L0.H1.q",
    "L0.{}.k",
    "L1.{}.v",
    "L0.H2.pattern",
    "L1.H3.z",
    "L0.H1",
    "L1.H2",
    "L0.mlp",
    "L1.mlp",
    "L0.H1.q.scale",
    "logits.scale",
)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("pattern", SENDERS)
def test_a_node_is_all_its_edges(kind: str, pattern: str) -> None:
    """Fails where the edge to the logits is forgotten, or a writer is counted twice."""
    network = net(kind)
    sender = pattern.format("KV1" if network.graph.shape.shares_keys else "H1")
    edges = [Edge(sender, receiver) for receiver in children(network.graph, sender)]
    node = Do(BASE, from_source((Node(sender),)))
    same(Do(BASE, from_source(edges)), node, network)
    plain, patched = readings((BASE, node), network)
    assert float((plain - patched).abs().max()) > 1e-6


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "receiver", ["L1.H2.q", "L1.{}.k", "L0.{}.v", "L1.H0.pattern", "L1.H0.z", "L0.H3", "L1.mlp"]
)
def test_all_edges_into_a_receiver_give_it_its_source_value(kind: str, receiver: str) -> None:
    network = net(kind)
    graph = network.graph
    receiver = receiver.format("KV0" if graph.shape.shares_keys else "H0")
    slots = [slot for slot in graph.node(receiver).slots if slot.name != "scale"]
    edges = [Edge(sender, receiver) for slot in slots for sender in graph.senders(slot)]
    same(Do(BASE, from_source(edges)), Do(BASE, from_source((Node(receiver),))), network)


@pytest.mark.parametrize("kind", KINDS)
def test_all_edges_into_the_logits_restore_the_source(kind: str) -> None:
    network = net(kind)
    edges = [Edge(sender, "logits") for sender in network.graph.writers_before("logits")]
    same(Do(BASE, from_source(edges)), SOURCE, network)


@pytest.mark.parametrize("kind", KINDS)
def test_an_edge_reaches_its_receiver_only(kind: str) -> None:
    """The other channels of the same head, and the other heads of the group, do not see it."""
    network = net(kind)
    k = "L1.KV0.k" if network.graph.shape.shares_keys else "L1.H0.k"
    world = Do(BASE, ((Edge("L0.H1", "L1.H0.q"), Const()), (Edge(k, "L1.H0.pattern"), Const())))
    for name in ("L1.H1.q", k, "L1.H1.pattern", "L1.mlp.scale", "L1.resid_pre"):
        kept = Do(world, ((Node("L1.H0.z"), At("L1.H0.z", BASE)), (Node(name), At(name, BASE))))
        without = Do(world, ((Node("L1.H0.z"), At("L1.H0.z", BASE)),))
        same(kept, without, network)
        same(without, BASE, network)


@pytest.mark.parametrize("kind", KINDS)
def test_edges_to_their_own_values_change_no_bit(kind: str) -> None:
    network = net(kind)
    rng = random.Random(3)
    pairs = [(s, r) for r in network.graph.names() for s in parents(network.graph, r)]
    worlds = []
    for sender, receiver in rng.sample(pairs, 25):
        edge = Edge(sender, receiver, rng.choice([(), ("end",), (0, 2)]))
        worlds += [Do(BASE, ((edge, At(sender, BASE)),)), Do(BASE, ((edge, Self()),))]
    plain, *others = readings([BASE, *worlds], network)
    assert all(torch.equal(plain, other) for other in others)


def parents(graph: MediatorGraph, receiver: str) -> list[str]:
    if receiver in {cut.name for cut in graph.cuts}:
        return []
    own = [slot for slot in graph.node(receiver).slots if not slot.owner]
    return [sender for slot in own for sender in graph.senders(slot)]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("cut", ["L0.resid_pre", "L0.resid_mid", "L1.resid_pre", "L1.resid_post"])
def test_a_cut_is_all_edges_across_it(kind: str, cut: str) -> None:
    network = net(kind)
    graph = network.graph
    before = graph.writers_before(cut)
    after = [
        node.mediator.name
        for node in graph.nodes
        for slot in node.slots
        if slot.stream and not slot.owner and slot.writers_before >= len(before)
    ]
    edges = [Edge(sender, receiver) for receiver in after for sender in before]
    same(Do(BASE, from_source(edges)), Do(BASE, from_source((Node(cut),))), network)


@pytest.mark.parametrize("kind", KINDS)
def test_a_full_cut_hides_earlier_edges_and_a_partial_one_does_not(kind: str) -> None:
    network = net(kind)
    edge = Do(BASE, from_source((Edge("L0.H1", "L1.mlp"),)))
    cut = (Node("L0.resid_post"), At("L0.resid_post", BASE))
    same(Do(edge, (cut,)), BASE, network)
    later = Do(edge, ((Node("L1.resid_mid"), At("L1.resid_mid", BASE)),))
    same(later, BASE, network)
    passed = Do(edge, ((Node("L0.resid_post"), Op("scale", (Self(),), (("factor", 1.5),))),))
    only = Do(BASE, ((Node("L0.resid_post"), Op("scale", (Self(),), (("factor", 1.5),))),))
    ours, theirs = readings((passed, only), network)
    assert float((ours - theirs).abs().max()) > 1e-6


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("layer", [0, 1])
def test_full_restore_of_all_writers_behind_a_layer(kind: str, layer: int) -> None:
    """All heads and MLPs from a layer on, and the stream in front of it, are all of the source."""
    network = net(kind)
    names = [f"L{layer}.resid_pre"]
    for n in range(layer, network.n_layers):
        names += [*(head.name for head in network.heads(n)), f"L{n}.mlp"]
    same(Do(BASE, from_source([Node(name) for name in names])), SOURCE, network)


@pytest.mark.parametrize("kind", KINDS)
def test_heads_of_one_layer_do_not_see_each_other(kind: str) -> None:
    """A joint patch is the sum of the heads' own changes at the middle of the block."""
    network = net(kind)
    heads = [Node("L0.H0"), Node("L0.H2")]
    both = Do(BASE, from_source(heads))
    change = Op("add", (Self(), Op("subtract", (At("L0.H0", SOURCE), At("L0.H0", BASE)))))
    other = Op("subtract", (At("L0.H2", SOURCE), At("L0.H2", BASE)))
    summed = Do(BASE, ((Node("L0.resid_mid"), Op("add", (change, other))),))
    same(both, summed, network)


@pytest.mark.parametrize("kind", KINDS)
def test_a_later_change_is_of_the_worlds_own_z(kind: str) -> None:
    """Adding to a later head what patching it would add in the base is not the joint patch."""
    network = net(kind)
    first = Do(BASE, from_source((Node("L0.H1.z"),)))
    joint = Do(first, from_source((Node("L1.H2.z"),)))
    change = Op("subtract", (At("L1.H2", SOURCE), At("L1.H2", first)))
    own = Do(first, ((Node("L1.resid_mid"), Op("add", (Self(), change))),))
    stale = Op("subtract", (At("L1.H2", SOURCE), At("L1.H2", BASE)))
    wrong = Do(first, ((Node("L1.resid_mid"), Op("add", (Self(), stale))),))
    same(joint, own, network)
    ours, theirs = readings((joint, wrong), network)
    assert float((ours - theirs).abs().max()) > 1e-6


@pytest.mark.parametrize("kind", KINDS)
def test_edges_out_of_a_node_act_on_top_of_it(kind: str) -> None:
    """The sender's other receivers, and worlds that read it, see the node without the edge."""
    network = net(kind)
    world = Do(BASE, (*from_source((Node("L0.H1"),)), (Edge("L0.H1", "L1.mlp"), Const())))
    other = Do(
        Do(BASE, from_source((Node("L0.H1"),))),
        ((Edge("L0.H1", "L1.mlp"), Op("scale", (Self(),), (("factor", 0.0),))),),
    )
    same(world, other, network)
    read = Do(BASE, ((Node("L0.H1"), At("L0.H1", world)),))
    same(read, Do(BASE, from_source((Node("L0.H1"),))), network)


def test_edges_of_a_network_without_norms() -> None:
    """The stream enters receivers as it is, and effects are linear in it."""
    network = net("linear")
    for receiver in ("L1.H2.v", "L0.mlp", "L1.mlp"):
        edges = [Edge(sender, receiver) for sender in network.graph.writers_before(receiver)]
        same(Do(BASE, from_source(edges)), Do(BASE, from_source((Node(receiver),))), network)
    edges = [Edge("L0.H1", receiver) for receiver in children(network.graph, "L0.H1")]
    singly = [Do(BASE, from_source((edge,))) for edge in edges if edge.receiver[-1] not in "qk"]
    plain, node, *each = readings([BASE, Do(BASE, from_source((Node("L0.H1"),))), *singly], network)
    effects = torch.stack(each) - plain
    torch.testing.assert_close(effects.sum(0), node - plain, atol=1e-10, rtol=0)


def test_a_derivative_of_a_linear_network_is_the_effect() -> None:
    network = net("linear")
    names = ["embed", "L0.H1", "L0.mlp", "L1.H2.v", "L0.resid_mid"]
    along = {n: Op("subtract", (At(n, SOURCE), At(n, BASE))) for n in names}
    read = Read(logit_diff, BASE)
    grads = [Grad(read, Node(name), along[name]) for name in names]
    found = evaluate(grads, network, Bindings.of(word_pairs(3, lengths=(6, 5)))).values
    plain, *patched = readings([BASE, *(Do(BASE, from_source((Node(n),))) for n in names)], network)
    for grad, value in zip(grads, patched, strict=True):
        torch.testing.assert_close(found[grad], value - plain, atol=1e-10, rtol=0)
