import random
from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations, pairwise

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from causalnet.errors import CausalNetError, TermError, UnknownMediatorError
from causalnet.graphs import (
    ADMG,
    Connected,
    NoSeparator,
    Separated,
    Step,
    is_m_separated,
    is_open_walk,
    m_separated,
    minimal_separator,
)
from causalnet.graphs.adjacency import PATIENCE
from causalnet.graphs.separation import _swept
from causalnet.graphs.walks import Mark
from tests.graphs.random_admgs import SEEDS, is_open, simple_paths

PLAIN, COMPILED = 10**9, 0
Query = tuple[ADMG, set[str], set[str], set[str]]

MARKS: dict[tuple[bool, bool], Mark] = {
    (False, True): "->",
    (True, False): "<-",
    (True, True): "<->",
}


def queries(bidirected: bool = True) -> st.SearchStrategy[Query]:
    """A graph and disjoint xs, ys and given nodes, of which only the last may be none.

    All comes from one seed: drawn one by one, nearly all graphs are empty or dense, and in neither
    is there much to separate.
    """

    def query(seed: int) -> Query:
        draw = random.Random(seed)
        names = draw.sample("ABCDEFG", draw.randint(3, 7))
        pairs = list(combinations(draw.sample(names, len(names)), 2))
        thick, arcs = draw.choice([0.2, 0.35, 0.6]), draw.choice([0.0, 0.1, 0.25]) * bidirected
        graph = ADMG.of(
            [pair for pair in pairs if draw.random() < thick],
            [pair for pair in pairs if draw.random() < arcs],
            names,
        )
        joined = {frozenset(edge) for edge in graph.directed + graph.bidirected}
        apart = [pair for pair in combinations(names, 2) if frozenset(pair) not in joined]
        x, y = draw.choice(apart) if apart and draw.random() < 0.8 else draw.sample(names, 2)
        parts: dict[str, set[str]] = {"x": {x}, "y": {y}, "z": set(), "-": set()}
        for other in sorted(set(names) - {x, y}):
            parts[draw.choices("xyz-", (1, 1, 4, 6))[0]].add(other)
        return graph, parts["x"], parts["y"], parts["z"]

    return SEEDS.map(query)


def open_paths(graph: ADMG, xs: set[str], ys: set[str], given: set[str]) -> list[tuple[Step, ...]]:
    """All open paths, found by looking at every path."""
    return [
        tuple(
            Step(a, MARKS[leaves, arrives], b) for (a, _, _), (b, leaves, arrives) in pairwise(path)
        )
        for x in sorted(xs)
        for y in sorted(ys)
        for path in simple_paths(graph, x, y)
        if is_open(graph, path, frozenset(given))
    ]


def separates(graph: ADMG, xs: set[str], ys: set[str], given: set[str]) -> bool:
    return not open_paths(graph, xs, ys, given)


def subsets(names: set[str]) -> Iterator[set[str]]:
    for size in range(len(names) + 1):
        yield from map(set, combinations(sorted(names), size))


# Laws of m-separation.


@given(queries(), st.sampled_from([PLAIN, COMPILED]))
def test_separated_if_and_only_if_every_path_is_blocked(query: Query, patience: int) -> None:
    graph, xs, ys, z = query
    found = m_separated(graph, xs, ys, z, patience=patience)
    expected = open_paths(graph, xs, ys, z)
    assert is_m_separated(graph, xs, ys, z) == (not expected)
    if isinstance(found, Separated):
        assert not expected
        assert found == Separated(frozenset(xs), frozenset(ys), frozenset(z))
    else:
        assert found.steps in expected
        assert len(found.steps) == min(map(len, expected))
        assert is_open_walk(graph, found)


@given(queries(bidirected=False))
def test_without_bidirected_edges_it_is_d_separation(
    query: Query,
) -> None:
    graph, xs, ys, z = query
    causes = nx.DiGraph(graph.directed)
    causes.add_nodes_from(graph.nodes)
    assert is_m_separated(graph, xs, ys, z) == nx.is_d_separator(causes, xs, ys, z)


@given(queries())
def test_a_bidirected_edge_is_a_hidden_common_cause(
    query: Query,
) -> None:
    graph, xs, ys, z = query
    causes = nx.DiGraph(graph.directed)
    causes.add_nodes_from(graph.nodes)
    for a, b in graph.bidirected:
        causes.add_edges_from([((a, b), a), ((a, b), b)])
    assert is_m_separated(graph, xs, ys, z) == nx.is_d_separator(causes, xs, ys, z)


@given(queries(), st.sampled_from([PLAIN, COMPILED]))
def test_evidence_with_one_thing_changed_is_refused(query: Query, patience: int) -> None:
    graph, xs, ys, z = query
    found = m_separated(graph, xs, ys, z, patience=patience)
    if isinstance(found, Separated):
        return
    colliders = set(found.colliders)
    for node in found.nodes:
        blocked = replace(found, given=found.given | {node})
        assert is_open_walk(graph, blocked) == (node in colliders)
    if colliders:
        assert not is_open_walk(graph, replace(found, given=frozenset()))
    assert is_open_walk(graph, replace(found, openings=())) == (colliders <= z)
    for place in range(len(found.openings)):
        fewer = found.openings[:place] + found.openings[place + 1 :]
        assert not is_open_walk(graph, replace(found, openings=fewer))
    for place, step in enumerate(found.steps):
        turned = replace(step, source=step.target, target=step.source)
        steps = (*found.steps[:place], turned, *found.steps[place + 1 :])
        whole = len(steps) == 1 and step.mark == "<->"  # the same path, walked from its end
        assert is_open_walk(graph, replace(found, steps=steps)) == whole
    assert not is_open_walk(graph, replace(found, steps=()))


# Laws of minimal separators.


@given(queries(), SEEDS)
def test_a_separator_is_found_if_there_is_one_and_has_no_part_to_spare(
    query: Query, seed: int
) -> None:
    graph, xs, ys, z = query
    others, including = sorted(set(graph.nodes) - xs - ys), set(sorted(z)[1:])
    draw = random.Random(seed)
    within = including | {node for node in others if draw.random() < 0.8}
    found = minimal_separator(graph, xs, ys, including, within)
    candidates = [s for s in subsets(within) if including <= s and separates(graph, xs, ys, s)]
    if isinstance(found, NoSeparator):
        assert not candidates
        assert is_open_walk(graph, found.evidence)
        assert including <= found.evidence.given <= within
        assert found.evidence.nodes[0] in xs and found.evidence.nodes[-1] in ys
    else:
        assert found in candidates
        assert not any(smaller < found for smaller in candidates)


@given(queries())
def test_all_other_nodes_are_allowed_unless_said(
    query: Query,
) -> None:
    graph, xs, ys, _ = query
    assert minimal_separator(graph, xs, ys) == minimal_separator(graph, xs, ys, (), graph.nodes)


# Textbook cases, as they are printed.

COLLIDER = ADMG.of([("X", "M"), ("Y", "M"), ("M", "D"), ("D", "E")])


@pytest.mark.parametrize(
    ("graph", "z", "printed"),
    [
        (ADMG.of([("X", "M"), ("M", "Y")]), "", "X -> M -> Y"),
        (ADMG.of([("X", "M"), ("M", "Y")]), "M", "X ⊥ Y | M"),
        (ADMG.of([("C", "X"), ("C", "Y")]), "", "X <- C -> Y"),
        (COLLIDER, "", "X ⊥ Y"),
        (COLLIDER, "M", "X -> M <- Y | given M"),
        (COLLIDER, "E", "X -> M <- Y | given E; M -> D; D -> E"),
        (ADMG.of([("X", "Y")], [("X", "Y")]), "", "X -> Y"),
        (ADMG.of([], [("X", "M"), ("M", "Y")]), "M", "X <-> M <-> Y | given M"),
        (ADMG.of([("M", "Y")], [("X", "M"), ("M", "Y")]), "M", "X <-> M <-> Y | given M"),
        # the M-graph: conditioning on what is between opens what was shut
        (ADMG.of([("A", "X"), ("A", "M"), ("B", "M"), ("B", "Y")]), "", "X ⊥ Y"),
        (
            ADMG.of([("A", "X"), ("A", "M"), ("B", "M"), ("B", "Y")]),
            "M",
            "X <- A -> M <- B -> Y | given M",
        ),
    ],
)
@pytest.mark.parametrize("patience", [PLAIN, COMPILED])
def test_textbook_graphs(graph: ADMG, z: str, printed: str, patience: int) -> None:
    assert str(m_separated(graph, "X", "Y", list(z), patience=patience)) == printed


def test_each_collider_needs_its_own_way_down() -> None:
    graph = ADMG.of(
        [("X", "M"), ("B", "M"), ("B", "N"), ("Y", "N"), ("M", "D"), ("N", "E"), ("E", "F")]
    )
    found = m_separated(graph, "X", "Y", ["D", "F"])
    assert isinstance(found, Connected)
    assert found.openings == (("M", "D"), ("N", "E"), ("E", "F"))
    assert is_open_walk(graph, found)
    for openings in (found.openings[1:], found.openings[:2], (("M", "D"), ("N", "F"))):
        assert not is_open_walk(graph, replace(found, openings=openings))


def test_a_long_walk_is_printed_short_with_what_opens_it_first() -> None:
    names = [f"n{i:03}" for i in range(101)]
    middle = [names[50], *(f"a{i}" for i in range(20))]
    graph = ADMG.of(
        [*pairwise(names[:51]), *pairwise(names[:49:-1])],
        nodes=middle,
    )
    printed = str(m_separated(graph, names[0], names[100], middle))
    assert printed.startswith("n000 -> n001 -> ")
    assert "… 84 more …" in printed
    assert printed.endswith("n099 <- n100 | given n050, a0, a1, a10, a11, a12, a13, a14, … 13 more")


def test_no_separator_prints_its_path() -> None:
    bow = ADMG.of([("X", "Y"), ("C", "X"), ("C", "Y")], [("X", "Y")])
    assert str(minimal_separator(bow, "X", "Y")) == "No allowed set blocks X -> Y | given C"
    assert str(minimal_separator(bow.cut_out("X"), "X", "Y")) == (
        "No allowed set blocks X <-> Y | given C"
    )


def test_no_nodes_are_separated_from_all() -> None:
    assert is_m_separated(COLLIDER, (), "Y") and is_m_separated(COLLIDER, "X", [])
    assert minimal_separator(COLLIDER, (), "Y") == frozenset()


# Complexity, by counted visits.


def layered(depth: int, width: int, seed: int = 0) -> ADMG:
    """Nodes with three parents each in the layer above, and bidirected edges within layers."""
    draw = np.random.default_rng(seed)
    below = np.repeat(np.arange(width, depth * width), 3)
    above = (below // width - 1) * width + draw.integers(0, width, below.size)
    a = np.arange(depth * width - 1)
    a = a[(a + 1) % width != 0]
    return ADMG.from_arrays([f"n{i}" for i in range(depth * width)], above, below, a, a + 1)


SHAPES = [
    pytest.param(2, 10_000, id="wide"),
    pytest.param(2_000, 10, id="deep"),
    pytest.param(20_000, 1, id="chain"),
]


def size(graph: ADMG) -> int:
    return len(graph) + len(graph.child_rows) + len(graph.sibling_rows) // 2


@pytest.mark.parametrize(("depth", "width"), SHAPES)
@pytest.mark.parametrize("patience", [PLAIN, PATIENCE, COMPILED])
def test_separation_visits_each_node_and_edge_a_few_times(
    depth: int, width: int, patience: int
) -> None:
    graph = layered(depth, width)
    xs, ys = graph.nodes[:1], graph.nodes[-1:]
    opening = graph.nodes[1:-1:100]
    for z in ((), opening, graph.nodes[len(graph) // 2 : len(graph) // 2 + width]):
        found = m_separated(graph, xs, ys, set(z) - {*xs, *ys}, patience=patience)
        assert found.visited <= (4 if patience == PLAIN else 6) * size(graph)
        if isinstance(found, Connected):
            assert is_open_walk(graph, found)


def test_a_search_that_ends_early_visits_little() -> None:
    graph = layered(2_000, 10)
    found = m_separated(graph, graph.nodes[-1], graph.parents(graph.nodes[-1])[0])
    assert isinstance(found, Connected) and found.visited < 20


@pytest.mark.parametrize(("depth", "width"), SHAPES)
def test_a_minimal_separator_visits_each_node_and_edge_a_few_times(depth: int, width: int) -> None:
    graph = layered(depth, width)
    x = graph.index(graph.nodes[0])
    y = len(graph) - 1
    ends = np.array([x], np.int32), np.array([y], np.int32)
    _, found, visited = _swept(graph, *ends, np.zeros(0, np.int32), np.ones(len(graph), np.bool_))
    assert visited <= 12 * size(graph)
    separator = minimal_separator(graph, graph.nodes[x], graph.nodes[y])
    assert isinstance(separator, frozenset) == found
    if isinstance(separator, frozenset):
        assert is_m_separated(graph, graph.nodes[x], graph.nodes[y], separator)


def test_colliders_that_share_their_way_down_share_the_openings() -> None:
    count = 2_000
    spine = [f"s{i}" for i in range(count)]
    tops = [f"t{i}" for i in range(count + 1)]
    edges = list(pairwise(spine))
    edges += [(tops[i], spine[i]) for i in range(count)]
    edges += [(tops[i + 1], spine[i]) for i in range(count)]
    graph = ADMG.of(edges)
    found = m_separated(graph, tops[0], tops[-1], spine[-1])
    assert isinstance(found, Connected) and is_open_walk(graph, found)
    assert len(found.openings) < count


# What is refused.


@pytest.mark.parametrize(
    ("xs", "ys", "z", "error", "message"),
    [
        ("X", "X", (), TermError, "'X' is in both `xs` and `ys`"),
        ("X", "Y", ["M", "Y"], TermError, "'Y' is in both `ys` and `given`"),
        ("X", "Q", (), UnknownMediatorError, "Unknown node 'Q'"),
        (["X", "M"], "Y", "M", TermError, "'M' is in both `xs` and `given`"),
    ],
)
def test_wrong_sets_are_refused(
    xs: list[str], ys: str, z: list[str], error: type[CausalNetError], message: str
) -> None:
    with pytest.raises(error, match=message):
        m_separated(COLLIDER, xs, ys, z)


def test_separators_of_wrong_sets_are_refused() -> None:
    with pytest.raises(TermError, match="'M' is in both `xs` and `including`"):
        minimal_separator(COLLIDER, ["X", "M"], "Y", including="M")
    with pytest.raises(TermError, match="'M' is in `including` but not in `within`"):
        minimal_separator(COLLIDER, "X", "Y", including="M", within=["D"])
    with pytest.raises(UnknownMediatorError, match="Unknown node 'Q'"):
        minimal_separator(COLLIDER, "X", "Y", within=["Q"])
    with pytest.raises(UnknownMediatorError, match="Unknown node 'Q'"):
        is_open_walk(COLLIDER, Connected((Step("X", "->", "Q"),), frozenset()))
