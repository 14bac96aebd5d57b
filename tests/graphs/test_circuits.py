from collections.abc import Callable
from itertools import combinations, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from causalnet.errors import CausalNetError, ParameterError, TermError, UnknownMediatorError
from causalnet.graphs.admg import ADMG
from causalnet.graphs.circuits import (
    ProjectedCircuit,
    RestrictedCircuit,
    project,
    restrict,
)
from causalnet.graphs.projection import latent_projection
from tests.graphs.random_admgs import admgs, directed_paths, subset

# X -> A -> Y and X -> Z -> B -> Y, of which a circuit may omit Z or X.
TOY = ADMG.of(directed=[("X", "A"), ("X", "Z"), ("Z", "B"), ("A", "Y"), ("B", "Y")])


@st.composite
def circuits(draw: st.DrawFn) -> tuple[ADMG, list[str]]:
    graph = draw(admgs(most=7))
    return graph, subset(draw, graph.nodes)


@given(circuits())
def test_a_projected_edge_says_which_paths_it_stands_for(case: tuple[ADMG, list[str]]) -> None:
    graph, kept = case
    circuit = project(graph, kept)
    assert circuit.graph == latent_projection(graph, kept)
    assert [(edge.tail, edge.head) for edge in circuit.edges] == list(circuit.graph.directed)
    for edge in circuit.edges:
        others = set(kept) - {edge.tail, edge.head}
        paths = directed_paths(graph, edge.tail, edge.head)
        mine = [path for path in paths if not others & set(path)]
        omitted = [path for path in mine if len(path) > 2]
        assert edge.is_direct == graph.has_edge(edge.tail, edge.head)
        assert edge.is_through_omitted == bool(omitted)
        assert edge.is_direct or edge.is_through_omitted
        assert circuit.omitted_paths(edge.tail, edge.head).paths() == tuple(omitted)


@given(circuits())
def test_a_projected_arc_has_a_common_cause_to_show(case: tuple[ADMG, list[str]]) -> None:
    graph, kept = case
    circuit = project(graph, kept)
    assert [arc.ends for arc in circuit.arcs] == list(circuit.graph.bidirected)
    for arc in circuit.arcs:
        steps = circuit.common_cause(*arc.ends)
        nodes = [steps[0].source, *(step.target for step in steps)]
        assert (nodes[0], nodes[-1]) == arc.ends
        assert len(set(nodes)) == len(nodes)
        assert not set(nodes[1:-1]) & set(kept)
        assert steps[0].mark[0] == "<" and steps[-1].mark[-1] == ">"  # arrowheads at both ends
        inner = [(a.mark[-1], b.mark[0]) for a, b in pairwise(steps)]
        assert (">", "<") not in inner  # no collider
        for step in steps:
            assert {
                "->": graph.has_edge(step.source, step.target),
                "<-": graph.has_edge(step.target, step.source),
                "<->": graph.has_bidirected(step.source, step.target),
            }[step.mark]
        assert arc.is_direct == graph.has_bidirected(*arc.ends)
        assert arc.is_direct or arc.is_through_omitted
        assert (len(steps) == 1) == arc.is_direct


@given(circuits())
def test_an_arc_that_is_there_anyway_tells_of_omitted_causes_too(
    case: tuple[ADMG, list[str]],
) -> None:
    graph, kept = case
    bare = ADMG.of(
        directed=graph.directed,
        bidirected=[pair for pair in graph.bidirected if not set(pair) <= set(kept)],
        nodes=graph.nodes,
    )
    hidden = set(latent_projection(bare, kept).bidirected)
    assert {arc.ends for arc in project(graph, kept).arcs if arc.is_through_omitted} == hidden


@given(circuits())
def test_a_restricted_circuit_is_the_graph_with_the_rest_set(case: tuple[ADMG, list[str]]) -> None:
    graph, kept = case
    circuit = restrict(graph, kept, complement="zero")
    outside = [node for node in graph.nodes if node not in kept]
    assert circuit.graph == graph.cut_in(outside).induced(kept)
    assert circuit.settings == tuple((node, "zero") for node in outside)
    assert set(circuit.boundary) == {
        (tail, head) for tail, head in graph.directed if tail in outside and head in kept
    }
    assert restrict(graph, kept, complement=dict(circuit.settings)) == circuit


@given(circuits())
def test_restricting_leaves_out_what_projecting_adds(case: tuple[ADMG, list[str]]) -> None:
    graph, kept = case
    restricted, projected = restrict(graph, kept, "mean"), project(graph, kept)
    added = [edge for edge in projected.edges if not edge.is_direct]
    arcs = [arc for arc in projected.arcs if not arc.is_direct]
    assert set(restricted.graph.directed) <= set(projected.graph.directed)
    assert (restricted.graph == projected.graph) == (not added and not arcs)


def test_an_omitted_mediator_leaves_an_edge_that_stands_for_its_path() -> None:
    circuit = project(TOY, ["X", "A", "B", "Y"])
    assert circuit.graph.bidirected == ()
    (omitted,) = [edge for edge in circuit.edges if edge.is_through_omitted]
    assert (omitted.tail, omitted.head, omitted.is_direct) == ("X", "B", False)
    assert circuit.omitted_paths("X", "B").paths() == (("X", "Z", "B"),)


def test_an_omitted_common_cause_leaves_an_arc() -> None:
    circuit = project(TOY, ["A", "Z", "B", "Y"])
    assert [arc.ends for arc in circuit.arcs] == [("A", "Z")]
    circuit = project(TOY, ["A", "B", "Y"])
    assert [arc.ends for arc in circuit.arcs] == [("A", "B")]
    assert list(map(str, circuit.common_cause("A", "B"))) == ["A <- X", "X -> Z", "Z -> B"]
    assert str(circuit) == "\n".join(
        [
            "circuit of 3 nodes, 2 omitted",
            "  A -> Y: direct",
            "  B -> Y: direct",
            "  A <-> B: through omitted nodes",
        ]
    )


def test_the_two_circuits_are_different_types_with_different_answers() -> None:
    """With X omitted: set to a value it explains nothing; unseen it is a common cause."""
    kept = ["A", "B", "Y"]
    restricted, projected = restrict(TOY, kept, {"X": "x", "Z": "mean"}), project(TOY, kept)
    assert isinstance(restricted, RestrictedCircuit)
    assert isinstance(projected, ProjectedCircuit)
    assert not restricted.graph.has_bidirected("A", "B")
    assert projected.graph.has_bidirected("A", "B")
    assert str(restricted).splitlines()[1:] == ["  X = x", "  Z = mean"]


def test_an_arc_between_omitted_nodes_is_the_common_cause() -> None:
    graph = ADMG.of(directed=[("L", "A"), ("K", "B")], bidirected=[("L", "K"), ("A", "B")])
    (arc,) = project(graph, ["A", "B"]).arcs
    assert str(arc) == "A <-> B: direct, and through omitted nodes"
    without = ADMG.of(directed=graph.directed, bidirected=[("L", "K")])
    steps = project(without, ["A", "B"]).common_cause("A", "B")
    assert list(map(str, steps)) == ["A <- L", "L <-> K", "K -> B"]


def test_long_omitted_paths_are_followed_without_recursion() -> None:
    count = 10_000
    names = [f"n{at}" for at in range(count)]
    chain = ADMG.from_arrays(names, [*range(count - 1)], [*range(1, count)])
    top = ADMG.of(directed=[*chain.directed, ("n0", "side")])
    circuit = project(top, ["side", names[-1]])
    assert len(circuit.common_cause("side", names[-1])) == count
    assert project(top, ["n0", names[-1]]).omitted_paths("n0", names[-1]).count() == 1


@pytest.mark.parametrize(
    ("build", "error", "message"),
    [
        (lambda: restrict(TOY, ["Q"], 0), UnknownMediatorError, "Unknown node 'Q'"),
        (lambda: project(TOY, ["Q"]), UnknownMediatorError, "Unknown node 'Q'"),
        (lambda: restrict(TOY, ["X"], {"A": 0}), ParameterError, "no value for a node: Z, B, Y"),
        (
            lambda: restrict(TOY, ["X", "A", "B", "Y"], {"Z": 0, "X": 0}),
            ParameterError,
            "for a kept node: X",
        ),
        (lambda: restrict(TOY, ["X"], {"Q": 0}), UnknownMediatorError, "Unknown node 'Q'"),
        (lambda: project(TOY, "X").omitted_paths("X", "A"), UnknownMediatorError, "'A'"),
        (lambda: project(TOY, "X").omitted_paths("X", "X"), ParameterError, "Name other"),
        (lambda: project(TOY, ["X", "A"]).common_cause("X", "A"), TermError, "edges are: none"),
        (lambda: project(TOY, ["A", "B"]).common_cause("A", "Q"), UnknownMediatorError, "'Q'"),
    ],
)
def test_what_is_no_circuit_is_refused(
    build: Callable[[], object], error: type[CausalNetError], message: str
) -> None:
    with pytest.raises(error, match=message):
        build()


def test_every_pair_without_an_arc_is_refused() -> None:
    circuit = project(TOY, ["A", "Z", "B", "Y"])
    for a, b in combinations("AZBY", 2):
        if (a, b) != ("A", "Z"):
            with pytest.raises(TermError, match="A <-> Z"):
                circuit.common_cause(a, b)
