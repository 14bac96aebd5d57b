"""Random circuits: connected, alike, and none more likely than another."""

from collections import Counter
from collections.abc import Iterable
from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from causalnet.errors import ParameterError, TermError
from causalnet.faithfulness import connection, random_circuits_like
from causalnet.faithfulness.random_circuits_moves import moves_of
from causalnet.faithfulness.random_circuits_wiring import wiring_of
from causalnet.graphs import Mediator, MediatorGraph, TransformerShape, transformer_graph
from causalnet.interventions import Edge

GRAPHS = {
    "own keys": transformer_graph(TransformerShape(2, 3, 3, 6, 2, 8, 10)),
    "shared keys": transformer_graph(TransformerShape(2, 4, 2, 8, 2, 8, 10)),
}
SMALL = transformer_graph(TransformerShape(2, 3, 3, 6, 2, 8, 10))
seeds = st.integers(0, 2**31 - 1)


def edges(text: str) -> tuple[Edge, ...]:
    """Read `sender > receiver receiver` parts between semicolons."""
    pairs = (part.split(" > ") for part in text.split("; "))
    return tuple(Edge(sender, each) for sender, ends in pairs for each in ends.split())


def edges_of(members: Iterable[object]) -> tuple[Edge, ...]:
    return tuple(one for one in members if isinstance(one, Edge))


def all_edges(graph: MediatorGraph) -> list[Edge]:
    return [Edge(sender, receiver) for sender, receiver in graph.edges()]


def owners(graph: MediatorGraph, receiver: str) -> list[str]:
    """The nodes that a receiver's slot is read by, from the names alone."""
    layer, _, rest = receiver.partition(".")
    if rest.startswith("KV"):
        share = graph.shape.heads_per_group
        group = int(rest[2:].partition(".")[0])
        return [f"{layer}.H{group * share + place}" for place in range(share)]
    return [receiver.removesuffix(".q").removesuffix(".k").removesuffix(".v")]


def by_walking(graph: MediatorGraph, circuit: Iterable[Edge]) -> set[Edge]:
    """The edges on any path of the circuit from `embed` to `logits`, walked path by path."""
    found: set[Edge] = set()
    paths: list[tuple[str, tuple[Edge, ...]]] = [("embed", ())]
    members = list(circuit)
    while paths:
        node, path = paths.pop()
        if node == "logits":
            found |= set(path)
        for edge in members:
            if edge.sender == node:
                paths += [(each, (*path, edge)) for each in owners(graph, edge.receiver)]
    return found


def kind_of(edge: Edge) -> tuple[str, str]:
    def kind(name: str) -> str:
        layer, dot, rest = name.partition(".")
        return layer + dot + "".join(letter for letter in rest if not letter.isdigit())

    return kind(edge.sender), kind(edge.receiver)


@settings(max_examples=60)
@given(st.sampled_from(sorted(GRAPHS)), st.data())
def test_loose_edges_are_those_that_no_path_walks(name: str, data: st.DataObject) -> None:
    graph = GRAPHS[name]
    circuit = data.draw(st.sets(st.sampled_from(all_edges(graph)), min_size=1, max_size=12))
    found = connection(graph, sorted(circuit, key=str))
    walked = by_walking(graph, circuit)
    assert set(found.pruned) == walked
    assert set(found.loose) == circuit - walked
    assert found.is_connected == (circuit == walked)


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(sorted(GRAPHS)), seeds, st.data())
def test_random_circuits_are_connected_and_alike(name: str, seed: int, data: st.DataObject) -> None:
    graph = GRAPHS[name]
    some = data.draw(st.sets(st.sampled_from(all_edges(graph)), min_size=12, max_size=30))
    circuit = sorted(by_walking(graph, some), key=str)
    if len(circuit) < 2:  # embed -> logits is the only path of one edge
        return
    random = random_circuits_like(graph, circuit, seed=seed)
    for number in range(3):
        drawn = edges_of(random.draw(number))
        assert len(set(drawn)) == len(drawn) == len(circuit)
        assert set(drawn) != set(circuit)
        assert by_walking(graph, drawn) == set(drawn)
        assert drawn == edges_of(random.draw(number))
        if random.way == "swaps":
            assert Counter(map(kind_of, drawn)) == Counter(map(kind_of, circuit))
    assert random.way in random.described or random.way == "swaps"


ALIKE = {
    "two ways": "embed > L0.H0.v L0.H1.v; L0.H0 > L1.H0.v; L0.H1 > logits; L1.H0 > logits",
    "one head, twice": "embed > L0.H0.q L0.H0.v; L0.H0 > L1.mlp logits; L1.mlp > logits",
    "three channels": "embed > L0.H0.v L1.H0.q L1.H0.v; L0.H0 > L1.H0.k; L1.H0 > logits",
}


def others_alike(graph: MediatorGraph, circuit: tuple[Edge, ...]) -> set[frozenset[Edge]]:
    """All connected circuits with as many edges of every class, one by one; not itself."""
    classes: dict[tuple[str, str], list[Edge]] = {}
    for edge in all_edges(graph):
        classes.setdefault(kind_of(edge), []).append(edge)
    counts = Counter(map(kind_of, circuit))
    chosen = [combinations(classes[kind], count) for kind, count in counts.items()]
    everything = (frozenset(one for part in parts for one in part) for parts in product(*chosen))
    return {one for one in everything if by_walking(graph, one) == one} - {frozenset(circuit)}


@pytest.mark.parametrize("name", ALIKE)
def test_all_other_circuits_that_are_alike_are_equally_likely(name: str) -> None:
    """Oracle: all of them counted out; Pearson's statistic within five deviations of its mean."""
    circuit = edges(ALIKE[name])
    others = others_alike(SMALL, circuit)
    random = random_circuits_like(SMALL, circuit, seed=3)
    draws = 6 * len(others)
    counts = Counter(frozenset(random.draw(number)) for number in range(draws))
    assert set(counts) <= others
    statistic = sum((counts[one] - 6) ** 2 / 6 for one in others)
    freedom = len(others) - 1
    assert abs(statistic - freedom) < 5 * np.sqrt(2 * freedom)


def test_random_circuits_of_nodes_have_as_many_in_every_layer() -> None:
    nodes = tuple(map(SMALL.find, ("L0.H1", "L1.H0", "L1.H2", "L1.mlp")))
    random = random_circuits_like(SMALL, nodes, seed=1)
    assert random.way == "layers"
    for number in range(20):
        drawn = random.draw(number)
        assert Counter(kind_of_node(one) for one in drawn) == Counter(map(kind_of_node, nodes))
        assert set(drawn) != set(nodes)
    found = connection(SMALL, nodes)
    assert found.is_connected and "residual stream" in str(found)


def kind_of_node(node: object) -> tuple[int | None, str]:
    assert isinstance(node, Mediator)
    return node.layer, node.kind.value


@settings(max_examples=30, deadline=None)
@given(seeds, st.integers(1, 40))
def test_unions_of_paths_have_the_size_and_are_connected(seed: int, size: int) -> None:
    graph = GRAPHS["shared keys"]
    circuit = all_edges(graph)[-size:]
    random = random_circuits_like(graph, circuit, seed=seed, way="paths")
    drawn = edges_of(random.draw(seed % 5))
    assert len(drawn) == size
    assert by_walking(graph, drawn) == set(drawn)


def test_a_loose_circuit_gets_unions_of_paths_and_says_so() -> None:
    circuit = edges("embed > L0.H0.v; L0.H1 > logits")
    random = random_circuits_like(SMALL, circuit)
    assert random.way == "paths"
    assert "since the circuit is not connected" in random.described
    with pytest.raises(ParameterError, match="not connected"):
        random_circuits_like(SMALL, circuit, way="swaps")


def test_a_circuit_with_no_other_alike_gets_unions_of_paths() -> None:
    random = random_circuits_like(SMALL, edges("embed > L0.mlp; L0.mlp > logits"))
    assert random.way == "paths" and "all or none" in random.described
    alone = "embed > " + " ".join(f"L0.H{head}.v" for head in range(3))
    alone += "; " + "; ".join(f"L0.H{head} > logits" for head in range(3))
    assert random_circuits_like(SMALL, edges(alone)).way == "paths"


@pytest.mark.parametrize(
    ("circuit", "match"),
    [
        ((), "The circuit is empty"),
        (tuple(all_edges(SMALL)), "The circuit is everything"),
        ((Edge("embed", "L0.H0.v"), SMALL.find("L0.H1")), "is no edge"),
    ],
)
def test_circuits_without_others_are_refused(circuit: tuple[Edge, ...], match: str) -> None:
    with pytest.raises(ParameterError, match=match):
        random_circuits_like(SMALL, circuit)


def test_an_edge_that_the_graph_does_not_have_is_refused() -> None:
    with pytest.raises(TermError):
        connection(SMALL, [Edge("L1.H0", "L0.H0.v")])


def test_connection_reports_the_whole_and_nothing() -> None:
    assert connection(SMALL, all_edges(SMALL)).is_whole
    empty = connection(SMALL, [])
    assert empty.is_empty and empty.is_connected
    found = connection(SMALL, edges("embed > logits L0.H2.k"))
    assert [str(edge) for edge in found.loose] == ["embed -> L0.H2.k"]
    assert "1 of 2 edges lie on no path" in str(found)


def test_a_uniform_circuit_is_exchangeable_with_circuits_of_however_short_a_chain() -> None:
    """Besag and Clifford 1989: its rank among them is uniform, by a score of any kind."""
    wiring, rng = wiring_of(SMALL), np.random.default_rng(5)
    circuit = edges(ALIKE["two ways"])
    everything = [*others_alike(SMALL, circuit), frozenset(circuit)]
    numbers = [
        wiring.numbers(one)
        for one in sorted(everything, key=lambda one: str(sorted(map(str, one))))
    ]
    moves = moves_of(wiring, numbers[0])
    score = {tuple(one): place for place, one in enumerate(numbers)}
    ranks: Counter[int] = Counter()
    for _ in range(1500):
        own = numbers[int(rng.integers(len(numbers)))]
        hub = moves.walk(own, 3, rng)
        drawn = [score[tuple(moves.walk(hub, 3, rng))] + rng.random() for _ in range(3)]
        mine = score[tuple(own)] + rng.random()
        ranks[sum(one < mine for one in drawn)] += 1
    assert sum((ranks[rank] - 375) ** 2 / 375 for rank in range(4)) < 21.1  # 1e-4 of chi2(3)
