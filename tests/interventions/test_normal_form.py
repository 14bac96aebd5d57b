"""Normal forms are equal if and only if values are equal whatever the mechanisms are."""

import random
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from causalnet.errors import TermError
from causalnet.graphs import (
    Cut,
    Grain,
    Kind,
    Mediator,
    MediatorGraph,
    Merge,
    Slot,
    Stream,
    TransformerShape,
    plain_graph,
    transformer_graph,
)
from causalnet.graphs import Node as GraphNode
from causalnet.interventions import (
    At,
    Base,
    Const,
    Contrast,
    Do,
    Edge,
    Grad,
    Handle,
    Node,
    Op,
    Read,
    Self,
    Site,
    Subspace,
    Value,
    World,
    are_equal,
    layers_of,
    logit_diff,
    normal_form,
    value_of,
)
from causalnet.interventions.random_models import hash_scm, relu_scm, table_scm
from tests.interventions import random_terms
from tests.interventions.random_terms import COMPARABLE, NAMED, SUBSPACES, Views

BASE, SOURCE = Base("base"), Base("source")
Draw = Callable[[random.Random], MediatorGraph]
Drawn = tuple[MediatorGraph, list[World], random.Random]


def cases(draw: Draw, views: Views | None, first: int, count: int) -> Iterator[Drawn]:
    """Random graphs with three random worlds each."""
    for seed in range(first, first + count):
        rng = random.Random(seed)
        graph = draw(rng)
        yield graph, [random_terms.world(graph, rng, 2, views) for _ in range(3)], rng


@pytest.mark.parametrize(
    ("draw", "views", "first", "count"),
    [
        (random_terms.plain, None, 0, 500),
        (random_terms.plain, SUBSPACES, 1_000, 500),
        (random_terms.streamed, COMPARABLE, 2_000, 150),
    ],
)
def test_forms_are_equal_if_and_only_if_values_are(
    draw: Draw, views: Views | None, first: int, count: int
) -> None:
    """Under injective mechanisms, for every node and cut in every one of 3 worlds."""
    equal = 0
    for graph, worlds, _ in cases(draw, views, first, count):
        form = normal_form(worlds, graph)
        models = [hash_scm(graph, seed) for seed in range(2)]
        by_number: dict[int, bytes] = {}
        by_value: dict[bytes, int] = {}
        for world in worlds:
            for name in graph.names():
                number = form.id_of(name, world)
                value = b"".join(model.value(name, world).tobytes() for model in models)
                equal += number in by_number
                assert by_number.setdefault(number, value) == value, (str(world), name)
                assert by_value.setdefault(value, number) == number, (str(world), name)
    assert equal > count  # many are equal, so that the test can fail both ways


@pytest.mark.parametrize(
    ("draw", "first"), [(random_terms.plain, 3_000), (random_terms.streamed, 4_000)]
)
def test_equal_forms_have_equal_values_in_tables_and_networks(draw: Draw, first: int) -> None:
    """Also where only the prompts tell whether two views overlap."""
    for graph, worlds, _ in cases(draw, NAMED, first, 60):
        form = normal_form(worlds, graph)
        table, relu = table_scm(graph, first), relu_scm(graph, first)
        seen: dict[int, tuple[np.ndarray, np.ndarray]] = {}
        for world in worlds:
            for name in graph.names():
                values = table.value(name, world), relu.value(name, world)
                earlier = seen.setdefault(form.id_of(name, world), values)
                assert np.array_equal(earlier[0], values[0])
                np.testing.assert_allclose(earlier[1], values[1], rtol=1e-9, atol=1e-9)


def same_everywhere(first: World, second: World, graph: MediatorGraph) -> bool:
    form = normal_form([first, second], graph)
    return all(form.id_of(name, first) == form.id_of(name, second) for name in graph.names())


def test_setting_what_is_there_changes_nothing() -> None:
    """Composition, for nodes, edges and views."""
    for graph, (world, *_), rng in cases(random_terms.streamed, SUBSPACES, 5_000, 20):
        at, part = SUBSPACES.draw(rng)
        has_edges = any(isinstance(site, Edge) for site in sites_of(world))
        for name in graph.names():
            is_node = name in {node.mediator.name for node in graph.nodes}
            # A receiver into which an edge is set has another sum at a cut than the cut itself.
            there = (At(name, world), Self()) if is_node or not has_edges else (Self(),)
            for value in there:
                assert same_everywhere(Do(world, ((Node(name, at, part), value),)), world, graph)
        set_edges = {site.place for site in sites_of(world)}
        for sender, receiver, _ in random_terms.edges(graph):
            edge = Edge(sender, receiver, at, part)
            same = same_everywhere(Do(world, ((edge, At(sender, world)),)), world, graph)
            assert same or any(place.startswith(edge.place) for place in set_edges)
            assert same_everywhere(Do(world, ((edge, Self()),)), world, graph)


def test_effectiveness_exclusion_and_idempotence() -> None:
    for graph, (world, other, _), rng in cases(random_terms.plain, COMPARABLE, 6_000, 60):
        names = [node.mediator.name for node in graph.nodes]
        node, outcome = rng.choice(names), rng.choice(names)
        layer = ((Node(node), At(outcome, other)),)
        patched = Do(world, layer)
        form = normal_form([world, other, patched, Do(patched, layer)], graph)
        assert form.id_of(node, patched) == form.id_of(outcome, other)
        if node not in graph.ancestors(outcome):
            assert form.id_of(outcome, patched) == form.id_of(outcome, world)
        for name in names:
            assert form.id_of(name, Do(patched, layer)) == form.id_of(name, patched)


def test_a_node_above_a_cut_set_is_irrelevant() -> None:
    for graph, (world, other, _), rng in cases(random_terms.plain, None, 7_000, 60):
        outcome = graph.nodes[-1].mediator.name
        parents = graph.parents(outcome)
        untouched = all(outcome not in str(site) for site in sites_of(world))
        if not parents or not untouched:
            continue
        restored = Do(world, tuple((Node(name), At(name, other)) for name in parents))
        above = rng.choice(graph.names()[:-1])
        shadowed = Do(Do(world, ((Node(above), Const(Handle("x", "x"))),)), restored.assignments)
        form = normal_form([restored, shadowed, other], graph)
        assert form.id_of(outcome, restored) == form.id_of(outcome, shadowed)
        if all(outcome not in str(site) for site in sites_of(other)):
            assert form.id_of(outcome, restored) == form.id_of(outcome, other)  # full restore


def sites_of(world: World) -> list[Site]:
    return [site for layer in layers_of(world)[1] for site, _ in layer]


def test_setting_a_node_is_setting_all_edges_out_of_it() -> None:
    for graph, (other, *_), rng in cases(random_terms.streamed, COMPARABLE, 8_000, 100):
        lines = random_terms.edges(graph)
        sender = rng.choice([sender for sender, _, _ in lines])
        new = At(sender, other)
        receivers = dict.fromkeys(receiver for start, receiver, _ in lines if start == sender)
        by_edges = Do(BASE, tuple((Edge(sender, receiver), new) for receiver in receivers))
        by_node = Do(BASE, ((Node(sender), new),))
        form = normal_form([by_edges, by_node], graph)
        for node in graph.nodes:
            name = node.mediator.name
            if name != sender:
                assert form.id_of(name, by_edges) == form.id_of(name, by_node), name


def test_a_cut_of_one_stream_is_set_to_a_cut_of_another() -> None:
    """Where one node writes into both, at the same time."""
    both = (Slot("a", Merge.SUM, (), "a", 2), Slot("b", Merge.SUM, (), "b", 2))
    nodes = (
        GraphNode(Mediator("X", Kind.VARIABLE)),
        GraphNode(Mediator("W", Kind.VARIABLE), (), (Slot("x", Merge.PLAIN, ("X",)),)),
        GraphNode(Mediator("Y", Kind.VARIABLE), (), both),
    )
    streams = (Stream("a", ("X", "W")), Stream("b", ("X", "W")))
    graph = MediatorGraph(nodes, streams, (Cut("a2", "a", 2), Cut("b2", "b", 2)))
    model = hash_scm(graph, 0)
    patched = Do(SOURCE, ((Node("X"), Const()),))
    for here, there in (("a2", "b2"), ("b2", "a2")):
        world = Do(BASE, ((Node(here), At(there, patched)),))
        form = normal_form([world, patched], graph)
        assert form.id_of(here, world) == form.id_of(there, patched)
        assert form.id_of("Y", world) != form.id_of("Y", patched)
        assert np.array_equal(model.value(here, world), model.value(there, patched))


LINE = plain_graph({"X": (), "M": ("X",), "Y": ("X", "M")})
TWO = Handle("basis", "b")


def test_labels_do_not_tell_constants_apart() -> None:
    """A handle's digest identifies its content; its label is what people call it."""
    first, second, other = (Handle(name, name[-1]) for name in ("mean 1", "average 1", "mean 2"))

    def set_to(handle: Handle) -> list[World]:
        factor = (("encoder", handle),)
        dual = Subspace(TWO, (0,), handle)
        return [
            Do(BASE, ((Node("M"), Const(handle)),)),
            Do(BASE, ((Node("M"), Op("mine", (Self(),), factor)),)),
            Do(BASE, ((Node("M", (), dual), Const()),)),
        ]

    for one, same, different in zip(set_to(first), set_to(second), set_to(other), strict=True):
        assert are_equal(At("Y", one), At("Y", same), LINE)
        assert not are_equal(At("Y", one), At("Y", different), LINE)


def patched(*layers: tuple[Site, Value]) -> World:
    world: World = BASE
    for assignment in layers:
        world = Do(world, (assignment,))
    return world


def test_two_disjoint_subspaces_in_two_layers_compose() -> None:
    first = (Node("M", part=Subspace(TWO, (0,))), At("M", SOURCE))
    second = (Node("M", part=Subspace(TWO, (1,))), Const())
    together = Do(BASE, (first, second))
    upper, lower = patched(first, second), patched(second, first)
    assert are_equal(At("Y", upper), At("Y", lower), LINE)
    assert are_equal(At("Y", upper), At("Y", together), LINE)
    assert not are_equal(At("Y", upper), At("Y", patched(second)), LINE)
    again = (Node("M", part=Subspace(TWO, (0,))), Const(TWO))
    assert are_equal(At("Y", patched(first, second, again)), At("Y", patched(second, again)), LINE)
    wide = (Node("M", part=Subspace(TWO, (0, 1))), Const(TWO))
    assert are_equal(At("Y", patched(first, second, wide)), At("Y", patched(wide)), LINE)
    other = (Node("M", part=Subspace(Handle("other", "o"), (1,))), Const())
    assert not are_equal(At("Y", patched(first, other)), At("Y", patched(other, first)), LINE)


def test_named_positions_commute_in_one_layer_only() -> None:
    end, s2 = (Node("M", ("end",)), At("M", SOURCE)), (Node("M", ("S2",)), Const())
    assert are_equal(At("Y", Do(BASE, (end, s2))), At("Y", Do(BASE, (s2, end))), LINE)
    assert not are_equal(At("Y", patched(end, s2)), At("Y", patched(s2, end)), LINE)


def test_contrasts_are_combinations_of_numbers() -> None:
    outcome = value_of("Y")
    same = Do(BASE, ((Node("M"), At("M", BASE)),))
    thirds = tuple((1 / 3, Read(outcome, world)) for world in (BASE, same, same))
    zero = Contrast((*thirds, (-1.0, Read(outcome, BASE))))
    nested = Contrast(((2.0, zero), (1.0, Read(outcome, SOURCE)), (0.5, Read(outcome, SOURCE))))
    form = normal_form([zero, nested], LINE)
    assert form.combination(zero) == ()
    [(weight, _)] = form.combination(nested)
    assert weight == 1.5


def test_a_derivative_is_zero_where_no_path_leads() -> None:
    graph = plain_graph({"X": (), "M": ("X",), "Z": ("X",), "Y": ("M",)})
    along = Op("subtract", (At("M", SOURCE), At("M", BASE)))
    steep = Grad(Read(value_of("Y"), BASE), Node("M"), along)
    flat = Grad(Read(value_of("Y"), BASE), Node("Z"), along)
    cut = Grad(Read(value_of("Y"), Do(BASE, ((Edge("M", "Y"), Const()),))), Node("M"), along)
    form = normal_form([steep, flat, cut], graph)
    assert form.combination(flat) == form.combination(cut) == ()
    [(_, number)] = form.combination(steep)
    assert form.key(number)[0] == "gradient"


def test_a_value_of_a_later_node_may_be_set_earlier() -> None:
    """Worlds that read what comes later in the graph are numbered after those that they read."""
    feedback = Do(BASE, ((Node("X"), At("Y", SOURCE)),))
    again = Do(SOURCE, ((Node("X"), At("Y", SOURCE)),))
    twice = Do(BASE, ((Node("X"), At("Y", feedback)),))
    form = normal_form([feedback, again, twice], LINE)
    assert form.id_of("Y", feedback) == form.id_of("Y", again)
    assert form.id_of("Y", feedback) != form.id_of("Y", twice)


def test_deep_terms_need_no_recursion() -> None:
    """3,000 layers, 3,000 worlds that read one another, and a term of 2^300 paths."""
    world: World = BASE
    for index in range(3_000):
        world = Do(world, ((Node("M"), Const(Handle("c", str(index)))),))
    chain: World = BASE
    for _ in range(3_000):
        chain = Do(SOURCE, ((Edge("X", "M"), At("X", chain)),))
    value: Value = At("M", SOURCE)
    for _ in range(300):
        value = Op("add", (value, value))
    shared = Do(BASE, ((Node("M"), value),))
    form = normal_form([world, chain, shared], LINE)
    assert form.key(form.id_of("M", world)) == ("const", Handle("c", "2999"))
    assert form.id_of("Y", chain) != form.id_of("Y", world)
    assert np.count_nonzero(form.live([form.id_of("Y", shared)])) == 300 + 4


def test_what_is_not_in_the_terms_is_refused() -> None:
    form = normal_form([BASE], LINE)
    with pytest.raises(TermError, match="in none of the terms"):
        form.id_of("Y", SOURCE)
    with pytest.raises(TermError, match="no value -1"):
        form.key(-1)
    with pytest.raises(TermError, match="no edge Y -> X"):
        normal_form([Do(BASE, ((Edge("Y", "X"), Self()),))], LINE)


def test_an_index_from_the_end_may_be_any_token() -> None:
    """On a prompt of six tokens, -1 and 5 are one: the order of two layers matters."""
    graph, base, source = plain_graph({"X": (), "Y": ("X",)}), Base("base"), Base("source")

    def both(*order: int) -> World:
        world: World = base
        for place in order:
            value = Const() if place == order[0] else At("X", source)
            world = Do(world, ((Node("X", (place,)), value),))
        return world

    first, second = both(-1, 5), both(5, -1)
    swapped = Do(Do(base, ((Node("X", (5,)), At("X", source)),)), ((Node("X", (-1,)), Const()),))
    assert not are_equal(first, second, graph) and not are_equal(first, swapped, graph)
    apart = Do(Do(base, ((Node("X", (5,)), At("X", source)),)), ((Node("X", (1,)), Const()),))
    assert are_equal(both(1, 5), apart, graph)


NET = transformer_graph(TransformerShape(3, 2, 1, 8, 4, 16, 11))


def test_a_cut_is_all_edges_that_lead_over_it() -> None:
    """Setting a cut of the stream is setting every earlier writer for every later receiver."""
    for graph, (other, *_), rng in cases(random_terms.streamed, None, 13_000, 60):
        cut = graph.cut(rng.choice(graph.cuts).name)
        if any(isinstance(site, Node) and site.mediator == cut.name for site in sites_of(other)):
            continue
        point = {each.name for each in graph.cuts if each.stream == cut.stream}
        if any(isinstance(site, Node) and site.mediator in point for site in sites_of(other)):
            continue  # a cut set in the other world hides its own writers
        writers = graph.streams[0].writers[: cut.writers_before]
        receivers = [
            node.mediator.name
            for node in graph.nodes
            for slot in node.slots
            if slot.stream and not slot.owner and slot.writers_before >= cut.writers_before
        ]
        if not receivers:
            continue
        by_cut = Do(BASE, ((Node(cut.name), At(cut.name, other)),))
        edges = tuple(
            (Edge(writer, receiver, slot="resid"), At(writer, other))
            for writer in writers
            for receiver in receivers
        )
        by_edges = Do(BASE, edges)
        form = normal_form([by_cut, by_edges], graph)
        for node in graph.nodes:
            name = node.mediator.name
            assert form.id_of(name, by_cut) == form.id_of(name, by_edges)


def test_full_restores_of_a_transformer() -> None:
    """The stream at a layer, or every edge into the logits, set from the source."""
    for name in ("L1.resid_pre", "L2.resid_mid", "L2.resid_post"):
        restored = Do(BASE, ((Node(name), At(name, SOURCE)),))
        assert are_equal(At("logits", restored), At("logits", SOURCE), NET)
        assert not are_equal(At("L0.H0", restored), At("L0.H0", SOURCE), NET)
    writers = NET.writers_before("logits")
    edges = Do(BASE, tuple((Edge(name, "logits"), At(name, SOURCE)) for name in writers))
    assert are_equal(At("logits", edges), At("logits", SOURCE), NET)
    most = Do(BASE, edges.assignments[1:])
    assert not are_equal(At("logits", most), At("logits", SOURCE), NET)


def test_the_numbers_of_4_000_worlds_are_those_that_differ() -> None:
    """A head patched at a position: its MLP, the later layers and the logits, and no more."""
    layers, heads, positions, count = 30, 9, 15, 4_000
    shape = TransformerShape(layers, heads, 3, 576, 64, 1536, 49152)
    graph = transformer_graph(shape, Grain.HEADS)
    sites = [
        Node(f"L{layer}.H{head}", (position,))
        for layer in range(layers)
        for head in range(heads)
        for position in range(positions)
    ][:count]
    reads = [Read(logit_diff, Do(BASE, ((site, At(site.mediator, SOURCE)),))) for site in sites]
    form = normal_form([*reads, Read(logit_diff, BASE)], graph)
    after = sum(
        2 + (layers - 1 - int(site.mediator[1:].split(".")[0])) * (heads + 1) for site in sites
    )
    base = layers * (heads + 1) + 1
    source = (layers - 1) * (heads + 1) + len({site.mediator for site in sites[-85:]})
    calls = sum(form.count_calls().values())
    assert calls == after + base + source
    sums_and_read_outs = len(form) - calls
    assert sums_and_read_outs <= 1.1 * calls
