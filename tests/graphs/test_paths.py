import itertools
import random
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from causalnet.errors import CausalNetError, ParameterError, TermError, UnknownMediatorError
from causalnet.graphs.admg import ADMG
from causalnet.graphs.path_checks import (
    EdgeConsistent,
    NeedsContexts,
    check_paths,
    first_edges,
    recanting_district,
    recanting_witnesses,
)
from causalnet.graphs.path_grains import ambiguity_at
from causalnet.graphs.paths import PathSet
from tests.graphs.random_admgs import SEEDS, admgs, causal_pairs, directed_paths, subset

Path = tuple[str, ...]
KITE = ADMG.of(directed=[("X", "W"), ("W", "Z"), ("Z", "Y"), ("W", "Y"), ("X", "Y")])


@st.composite
def listed_sets(draw: st.DrawFn, bidirected: bool = False) -> tuple[PathSet, set[Path]]:
    """A set of paths with its paths, any subset of all of them."""
    graph, x, y = draw(causal_pairs(bidirected=bidirected))
    every = directed_paths(graph, x, y)
    chosen = subset(draw, every)
    return PathSet.listed(graph, chosen, x, y), set(chosen)


@st.composite
def several_treatments(draw: st.DrawFn) -> tuple[ADMG, list[str], str, set[Path]]:
    """A graph, one treatment or two, an outcome, and all proper causal paths."""
    graph, x, y = draw(causal_pairs(bidirected=True))
    others = sorted(set(graph.nodes) - {x, y})
    treatments = [x, *draw(st.lists(st.sampled_from(others), max_size=1))]
    every = {p for t in treatments for p in directed_paths(graph, t, y, "".join(treatments))}
    return graph, treatments, y, every


def edges_of(paths: Iterable[Path]) -> set[tuple[str, str]]:
    return {edge for path in paths for edge in itertools.pairwise(path)}


# Sets of paths are sets.


@given(several_treatments(), st.data())
def test_every_way_to_write_a_set_has_the_paths_it_says(
    case: tuple[ADMG, list[str], str, set[Path]], data: st.DataObject
) -> None:
    graph, treatments, y, every = case
    ends = (graph, treatments, y)
    nodes = data.draw(st.sets(st.sampled_from(graph.nodes), max_size=3))
    edges = set(subset(data.draw, graph.directed))
    expected: list[tuple[PathSet, set[Path]]] = [
        (PathSet.all_paths(*ends), every),
        (PathSet.no_paths(*ends), set()),
        (PathSet.direct(*ends), {path for path in every if len(path) == 2}),
        (PathSet.through(*ends, nodes), {path for path in every if nodes & set(path)}),
        (PathSet.through_each(*ends, nodes), {path for path in every if nodes <= set(path)}),
        (PathSet.along(*ends, edges), {path for path in every if edges_of([path]) <= edges}),
    ]
    for found, paths in expected:
        assert found.paths() == tuple(sorted(paths))
        assert found.count() == len(paths)
        assert bool(found) == bool(paths)
        assert found.edges() == edges_of(paths)
        assert all((path in found) == (path in paths) for path in every)


@given(listed_sets(), st.data())
def test_sets_of_paths_follow_the_laws_of_sets(
    case: tuple[PathSet, set[Path]], data: st.DataObject
) -> None:
    mine, paths = case
    every = directed_paths(mine.graph, mine.treatments[0], mine.outcome)
    theirs = set(subset(data.draw, every))
    other = PathSet.listed(mine.graph, theirs, mine.treatments, mine.outcome)
    assert set((mine | other).paths()) == paths | theirs
    assert set((mine & other).paths()) == paths & theirs
    assert set((mine - other).paths()) == paths - theirs
    assert set((~mine).paths()) == set(every) - paths
    assert (mine == other) == (paths == theirs)
    assert (mine <= other) == (paths <= theirs)
    assert ~~mine == mine
    assert ~(mine | other) == ~mine & ~other
    assert hash(~~mine) == hash(mine)


@given(listed_sets())
def test_equal_sets_are_equal_whatever_the_order_of_nodes_and_paths(
    case: tuple[PathSet, set[Path]],
) -> None:
    paths, chosen = case
    graph = paths.graph
    turned = ADMG.of(directed=graph.directed, bidirected=graph.bidirected, nodes=graph.nodes[::-1])
    again = PathSet.listed(turned, sorted(chosen)[::-1], paths.treatments, paths.outcome)
    assert again == paths


def test_what_is_not_a_path_of_the_graph_is_not_in_a_set() -> None:
    every = PathSet.all_paths(KITE, "X", "Y")
    strange: list[Any] = [("X", "Z", "Y"), ("W", "Y"), ("X", "W"), (), "", 3, ("X", "Y", "Y")]
    assert all(path not in every for path in strange)


def test_sets_of_many_paths_are_counted_and_not_listed() -> None:
    layers = 60
    edges = [(f"{a}{at}", f"{b}{at + 1}") for at in range(layers) for a in "ab" for b in "ab"]
    graph = ADMG.of(directed=[*edges, ("X", "a0"), ("X", "b0"), (f"a{layers}", "Y")])
    every = PathSet.all_paths(graph, "X", "Y")
    through = PathSet.through(graph, "X", "Y", ["b7", "b20"])
    assert every.count() == 2**layers
    assert through.count() == 3 * 2 ** (layers - 2)
    assert (through | ~through) == every
    assert repr(every).endswith(f"… {2**layers - 4} more)")
    with pytest.raises(ParameterError, match="At most 10 are listed"):
        every.paths(at_most=10)


def test_paths_of_any_length_need_no_recursion() -> None:
    count = 10_000
    names = [f"n{at}" for at in range(count)]
    chain = ADMG.from_arrays(names, range(count - 1), range(1, count))
    every = PathSet.all_paths(chain, "n0", names[-1])
    assert every.paths() == (tuple(names),)
    assert (~every).count() == 0
    assert isinstance(check_paths(every), EdgeConsistent)


@pytest.mark.parametrize(
    ("build", "error", "message"),
    [
        (lambda: PathSet.all_paths(KITE, "Q", "Y"), UnknownMediatorError, "Unknown node 'Q'"),
        (lambda: PathSet.all_paths(KITE, "X", "Q"), UnknownMediatorError, "Unknown node 'Q'"),
        (lambda: PathSet.all_paths(KITE, "Y", "Y"), ParameterError, "none of them"),
        (lambda: PathSet.all_paths(KITE, [], "Y"), ParameterError, r"\(none\)"),
        (lambda: PathSet.along(KITE, "X", "Y", [("X", "Z")]), TermError, "no edge X -> Z"),
        (lambda: PathSet.through(KITE, "X", "Y", "Q"), UnknownMediatorError, "Unknown node 'Q'"),
        (lambda: PathSet.listed(KITE, [("X", "Z", "Y")]), TermError, "no edge X -> Z"),
        (lambda: PathSet.listed(KITE, [("X", "W"), ("X", "Y")]), TermError, "one outcome"),
        (lambda: PathSet.listed(KITE, []), TermError, "one outcome"),
        (lambda: PathSet.listed(KITE, [()], "X", "Y"), TermError, "one outcome"),
        (lambda: PathSet.listed(KITE, ["XY"]), UnknownMediatorError, "Unknown node 'XY'"),
        (lambda: PathSet.listed(KITE, [("W", "Y")], "X", "Y"), TermError, "meets no other"),
        (lambda: PathSet.listed(KITE, [("X", "W", "Y")], ["X", "W"]), TermError, "meets no other"),
        (
            lambda: PathSet.direct(KITE, "X", "Y") | PathSet.direct(KITE, "W", "Y"),
            TermError,
            "the same treatments",
        ),
    ],
)
def test_what_is_no_set_of_paths_is_refused(
    build: Callable[[], PathSet], error: type[CausalNetError], message: str
) -> None:
    with pytest.raises(error, match=message):
        build()


# What a set of paths asks for.


def are_edges_enough(every: Iterable[Path], paths: set[Path]) -> bool:
    return {path for path in every if edges_of([path]) <= edges_of(paths)} == paths


@given(listed_sets())
def test_edges_are_enough_exactly_where_no_other_path_uses_them(
    case: tuple[PathSet, set[Path]],
) -> None:
    paths, chosen = case
    every = directed_paths(paths.graph, paths.treatments[0], paths.outcome)
    match check_paths(paths):
        case EdgeConsistent(edges, _):
            assert are_edges_enough(every, chosen)
            assert PathSet.along(paths.graph, paths.treatments, paths.outcome, edges) == paths
        case NeedsContexts(_, crossing, recanting):
            assert not are_edges_enough(every, chosen)
            assert {crossing.first, crossing.second} <= chosen
            assert crossing.path in every
            assert crossing.path not in chosen
            assert recanting


def value_by_unrolling(graph: ADMG, paths: set[Path], x: str, y: str, seed: int) -> int:
    """Follow the tree of continuations from the outcome back to the treatment."""

    def value(node: str, ahead: Path) -> int:
        if node == x:
            return 1 if (x, *ahead) in paths else 0
        inputs = [value(parent, (node, *ahead)) for parent in graph.parents(node)]
        return random.Random(f"{seed} {node} {inputs}").getrandbits(60)

    return value(y, ())


def value_by_contexts(paths: PathSet, answer: NeedsContexts, seed: int) -> int:
    """Run the worlds: a baseline, and one value for each context."""
    graph, x = paths.graph, paths.treatments[0]

    def mechanism(node: str, inputs: list[int]) -> int:
        return random.Random(f"{seed} {node} {inputs}").getrandbits(60)

    base: dict[str, int] = {}
    for node in graph.topological_order():
        inputs = [base[parent] for parent in graph.parents(node)]
        base[node] = 0 if node == x else mechanism(node, inputs)
    values: list[int] = []
    for context in answer.contexts:
        reads = {parent: values[at] for parent, at in context.reads}
        inputs = [reads.get(parent, base[parent]) for parent in graph.parents(context.node)]
        values.append(1 if context.node == x else mechanism(context.node, inputs))
    return values[-1]


def value_by_edges(paths: PathSet, answer: EdgeConsistent, seed: int) -> int:
    """Run two worlds: off the edges the active one reads the baseline."""
    graph, x = paths.graph, paths.treatments[0]
    active: dict[str, int] = {}
    base: dict[str, int] = {}
    for node in graph.topological_order():
        parents = graph.parents(node)
        for world in (base, active):
            inputs = [
                (active if world is active and (parent, node) in answer.edges else base)[parent]
                for parent in parents
            ]
            draw = random.Random(f"{seed} {node} {inputs}").getrandbits(60)
            world[node] = int(world is active) if node == x else draw
    return active[paths.outcome]


@given(listed_sets(), st.integers(0, 3))
def test_the_worlds_that_are_named_give_the_value_that_is_meant(
    case: tuple[PathSet, set[Path]], seed: int
) -> None:
    paths, chosen = case
    meant = value_by_unrolling(paths.graph, chosen, paths.treatments[0], paths.outcome, seed)
    match check_paths(paths):
        case EdgeConsistent() as answer:
            assert value_by_edges(paths, answer, seed) == meant
        case NeedsContexts() as answer:
            assert value_by_contexts(paths, answer, seed) == meant


@given(listed_sets())
def test_contexts_are_the_prefixes_that_continuations_tell_apart(
    case: tuple[PathSet, set[Path]],
) -> None:
    paths, chosen = case
    answer = check_paths(paths)
    if isinstance(answer, EdgeConsistent):
        return
    meant = set()
    for path in directed_paths(paths.graph, paths.treatments[0], paths.outcome):
        for at, node in enumerate(path):
            prefixes = {
                p[: p.index(node)] for p in chosen if node in p and p[p.index(node) :] == path[at:]
            }
            meant |= {(node, frozenset(prefixes))} if prefixes else set()
    assert len(answer.contexts) == len(meant)
    held = [(context.node, context.world) for context in answer.contexts]
    assert len(set(held)) == len(held)
    for context in answer.contexts:
        assert all(answer.contexts[at].node == parent for parent, at in context.reads)
        assert all(answer.contexts[at].world <= context.world for _, at in context.reads)
    assert answer.worlds == 1 + max(world for _, world in held)


@given(listed_sets())
def test_recanting_witnesses_are_the_nodes_at_which_paths_may_part(
    case: tuple[PathSet, set[Path]],
) -> None:
    paths, chosen = case
    every = directed_paths(paths.graph, paths.treatments[0], paths.outcome)
    meant = {
        node
        for path in chosen
        for other in set(every) - chosen
        for at, node in enumerate(path)
        if at and path[: at + 1] == other[: at + 1]
    }
    witnesses = recanting_witnesses(paths)
    assert {witness.node for witness in witnesses} == meant
    for witness in witnesses:
        assert witness.active in chosen
        assert witness.inactive in set(every) - chosen
        assert witness.inactive[: len(witness.prefix)] == witness.prefix
        assert witness.prefix[-1] == witness.node


@given(several_treatments(), st.data())
def test_recanting_districts_are_those_asked_for_both_values(
    case: tuple[ADMG, list[str], str, set[Path]], data: st.DataObject
) -> None:
    graph, treatments, y, every = case
    chosen = set(subset(data.draw, sorted(every)))
    paths = PathSet.listed(graph, chosen, treatments, y)
    on, off = {path[:2] for path in chosen}, {path[:2] for path in every - chosen}
    assert first_edges(paths).on == on
    assert first_edges(paths).off == off
    core = graph.induced(set(graph.nodes) - set(treatments))
    core = core.induced(core.ancestors(y))
    meant = [
        district
        for district in core.districts()
        for (x, one), (other, two) in itertools.product(on, off)
        if x == other and {one, two} <= district
    ]
    found = recanting_district(paths)
    assert (found is None) == (not meant)
    if found is not None:
        assert found.district in meant
        assert found.active in chosen
        assert found.inactive in every - chosen
        assert found.active[0] == found.inactive[0]
        assert {found.active[1], found.inactive[1]} <= found.district
        assert found.is_witness or not on & off


@given(admgs(bidirected=False), st.data())
def test_without_hidden_causes_a_district_recants_exactly_if_a_node_does(
    graph: ADMG, data: st.DataObject
) -> None:
    x, y = data.draw(st.permutations(graph.nodes))[:2]
    every = directed_paths(graph, x, y)
    chosen = subset(data.draw, every)
    paths = PathSet.listed(graph, chosen, x, y)
    assert bool(recanting_witnesses(paths)) == (recanting_district(paths) is not None)


def test_more_contexts_than_wanted_are_refused() -> None:
    edges = [("X", "A"), ("X", "B"), ("A", "W"), ("B", "W"), ("W", "Y"), ("W", "Z"), ("Z", "Y")]
    graph = ADMG.of(directed=edges)
    paths = PathSet.listed(graph, [("X", "A", "W", "Y"), ("X", "B", "W", "Z", "Y")])
    answer = check_paths(paths)
    assert isinstance(answer, NeedsContexts)
    assert [c.node for c in answer.contexts].count("W") == 2
    assert answer.worlds == 3
    assert answer.crossing.path in {("X", "A", "W", "Z", "Y"), ("X", "B", "W", "Y")}
    assert str(answer).startswith("needs contexts: 3 worlds, as edges cannot tell X -> ")
    with pytest.raises(ParameterError, match="more than 3 contexts"):
        check_paths(paths, at_most=3)


# A coarser grain.


@st.composite
def clustered_sets(draw: st.DrawFn) -> tuple[PathSet, set[Path], dict[str, list[str]]]:
    paths, chosen = draw(listed_sets())
    generator = random.Random(draw(SEEDS))
    names = generator.choice(["uv", "uvw"])
    clusters: dict[str, list[str]] = {name: [] for name in names}
    for node in paths.graph.nodes:
        if generator.random() < 0.7:
            clusters[generator.choice(names)].append(node)
    return paths, chosen, clusters


@given(clustered_sets())
def test_a_grain_is_ambiguous_where_two_paths_look_alike(
    case: tuple[PathSet, set[Path], dict[str, list[str]]],
) -> None:
    paths, chosen, clusters = case
    home = {node: name for name, members in clusters.items() for node in members}

    def image(path: Path) -> Path:
        return tuple(name for name, _ in itertools.groupby(home.get(node, node) for node in path))

    others = set(directed_paths(paths.graph, paths.treatments[0], paths.outcome)) - chosen
    found = ambiguity_at(paths, clusters)
    assert (found is not None) == bool(set(map(image, chosen)) & set(map(image, others)))
    if found is not None:
        assert found.active in chosen
        assert found.inactive in others
        assert image(found.active) == image(found.inactive) == found.image


@given(listed_sets())
def test_the_finest_grain_tells_all_paths_apart(case: tuple[PathSet, set[Path]]) -> None:
    assert ambiguity_at(case[0], {}) is None


def test_two_treatments_in_one_cluster_are_not_told_apart() -> None:
    graph = ADMG.of(directed=[("A", "Y"), ("B", "Y")])
    found = ambiguity_at(PathSet.listed(graph, [("A", "Y")], ["A", "B"]), {"AB": ["A", "B"]})
    assert str(found) == "ambiguous at this grain: AB -> Y is A -> Y in, and B -> Y out"


@pytest.mark.parametrize(
    ("clusters", "error", "message"),
    [
        ({"u": ["W"], "v": ["W"]}, ParameterError, "W is in the clusters u and v"),
        ({"Z": ["W"]}, ParameterError, "the name of a node outside it"),
        ({"u": ["Q"]}, UnknownMediatorError, "Unknown node 'Q'"),
    ],
)
def test_what_is_no_clustering_is_refused(
    clusters: dict[str, list[str]], error: type[CausalNetError], message: str
) -> None:
    with pytest.raises(error, match=message):
        ambiguity_at(PathSet.direct(KITE, "X", "Y"), clusters)


# Textbook cases.


def test_the_kite_recants_at_w_and_its_direct_edge_does_not() -> None:
    """Avin, Shpitser and Pearl (2005), section 4."""
    (witness,) = recanting_witnesses(PathSet.listed(KITE, [("X", "W", "Y")]))
    assert (witness.node, witness.prefix) == ("W", ("X", "W"))
    assert (witness.active, witness.inactive) == (("X", "W", "Y"), ("X", "W", "Z", "Y"))
    assert recanting_witnesses(PathSet.direct(KITE, "X", "Y")) == ()
    assert recanting_witnesses(PathSet.through(KITE, "X", "Y", "W")) == ()


@pytest.mark.parametrize(
    ("z_of_w", "y_of_w_z", "effect"), [(int, min, 0), (int, lambda w, z: w, 1)], ids=["and", "copy"]
)
def test_two_models_that_agree_on_nodes_differ_along_a_recanting_path(
    z_of_w: Callable[[int], int], y_of_w_z: Callable[[int, int], int], effect: int
) -> None:
    """X -> W -> Y, with Z = W held at its baseline: 0 if Y = W and Z, 1 if Y = W."""
    graph = ADMG.of(directed=[("X", "W"), ("W", "Z"), ("Z", "Y"), ("W", "Y")])
    answer = check_paths(PathSet.listed(graph, [("X", "W", "Y")]))
    assert isinstance(answer, EdgeConsistent)
    assert [witness.node for witness in answer.recanting] == ["W"]
    values = {}
    for world in (0, 1):
        values[world, "X"] = values[world, "W"] = world
        values[world, "Z"] = z_of_w(values[("W", "Z") in answer.edges and world, "W"])
        sources = [((parent, "Y") in answer.edges and world, parent) for parent in "WZ"]
        values[world, "Y"] = y_of_w_z(values[sources[0]], values[sources[1]])
        assert y_of_w_z(world, z_of_w(world)) == world  # setting W tells nothing
    assert values[1, "Y"] - values[0, "Y"] == effect


def test_two_children_of_the_treatment_in_one_district_recant() -> None:
    """Shpitser (2013): no node is asked for both values, the district is."""
    edges = [("X", "M"), ("M", "Y"), ("X", "W"), ("W", "Y")]
    graph = ADMG.of(directed=edges, bidirected=[("M", "W")])
    paths = PathSet.through(graph, "X", "Y", "M")
    found = recanting_district(paths)
    assert found is not None
    assert found.district == {"M", "W"}
    assert not found.is_witness
    assert recanting_witnesses(paths) == ()
    assert recanting_district(PathSet.all_paths(graph, "X", "Y")) is None


def test_treatments_have_their_values_one_by_one() -> None:
    """A district may have the active value of one treatment and the baseline of another."""
    graph = ADMG.of(directed=[("A", "Y"), ("B", "Y")])
    paths = PathSet.listed(graph, [("A", "Y")], ["A", "B"])
    assert recanting_district(paths) is None
    assert first_edges(paths).off == {("B", "Y")}


def test_many_and_long_paths_are_told_in_short() -> None:
    """The number of these paths has more digits than Python turns into text."""
    rungs = 15_000
    graph = ADMG.of(
        [(f"a{i}", f"{side}{i}") for i in range(rungs) for side in "bc"]
        + [(f"{side}{i}", f"a{i + 1}") for i in range(rungs) for side in "bc"]
    )
    paths = PathSet.all_paths(graph, "a0", f"a{rungs}")
    assert paths.count() == 2**rungs
    assert len(repr(paths)) < 2_000
    assert f"at least 2^{rungs - 1} more" in repr(paths)
    with pytest.raises(ParameterError, match=rf"at least 2\^{rungs} paths"):
        paths.paths()
