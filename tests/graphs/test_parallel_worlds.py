import random
from collections.abc import Iterator
from itertools import combinations, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from causalnet.errors import CausalNetError, GraphError, ParameterError, UnknownMediatorError
from causalnet.graphs.admg import ADMG
from causalnet.graphs.counterfactual_graph import (
    CounterfactualGraph,
    Event,
    Inconsistent,
    counterfactual_graph,
)
from causalnet.graphs.parallel_worlds import Copy, parallel_worlds, twin_network
from causalnet.graphs.projection import latent_projection
from causalnet.graphs.separation import is_m_separated
from tests.graphs.random_admgs import SEEDS, admgs

Noise = dict[str, int]
VALUES = ("0", "1")
BOW = ADMG.of(directed=[("X", "Y")], bidirected=[("X", "Y")])
# Shpitser and Pearl (2008), figure 9.
FIGURE_9 = ADMG.of(
    directed=[("X", "W"), ("W", "Y"), ("D", "Z"), ("Z", "Y")], bidirected=[("X", "Y")]
)


def with_noise_drawn(graph: ADMG, worlds: list[dict[str, str]]) -> ADMG:
    """Copies of all variables, and every noise that they share as a node of its own."""
    edges = []
    for copy in (Copy.of(variable, world) for world in worlds for variable in graph.nodes):
        if copy.setting is None:
            edges += [(str(Copy(p, copy.do)), str(copy)) for p in graph.parents(copy.variable)]
            edges.append((f"noise of {copy.variable}", str(copy)))
            for sibling in graph.siblings(copy.variable):
                edges.append((f"noise of {sorted([sibling, copy.variable])}", str(copy)))
    return ADMG.of(directed=edges)


@st.composite
def settings_of(draw: st.DrawFn, graph: ADMG) -> dict[str, str]:
    """What a world sets: few variables, so that worlds are alike and their copies equal."""
    variables = draw(st.lists(st.sampled_from(graph.nodes), unique=True, max_size=2))
    return {variable: draw(st.sampled_from(VALUES)) for variable in sorted(variables)}


@given(admgs(most=4), st.data())
def test_parallel_worlds_are_the_graph_with_its_noise_projected(
    graph: ADMG, data: st.DataObject
) -> None:
    worlds = [{}, *data.draw(st.lists(settings_of(graph), max_size=2))]
    parallel = parallel_worlds(graph, worlds)
    drawn = with_noise_drawn(graph, worlds)
    kept = [node for node in drawn.nodes if not node.startswith("noise of ")]
    mine = latent_projection(drawn, kept)
    assert parallel.graph.induced(kept) == mine
    alone = set(parallel.graph.nodes) - set(kept)  # set in their world, and causes of nothing
    assert alone <= parallel.fixed
    assert [str(copy) for copy in parallel.copies] == list(parallel.graph.nodes)


@given(admgs(most=5))
def test_one_world_is_the_graph_itself(graph: ADMG) -> None:
    assert parallel_worlds(graph, [{}, {}]).graph == graph


def test_twin_network_of_the_back_door_graph() -> None:
    """Balke and Pearl (1994): given the confounder, treatment tells nothing of Y had X been x."""
    graph = ADMG.of(directed=[("Z", "X"), ("Z", "Y"), ("X", "Y")])
    twin = twin_network(graph, {"X": "x"})
    assert twin.graph == ADMG.of(
        directed=[
            *graph.directed,
            ("X{X=x}", "Y{X=x}"),
            ("Z{X=x}", "Y{X=x}"),
        ],
        bidirected=[("Z", "Z{X=x}"), ("Y", "Y{X=x}")],
    )
    assert not twin.is_separated("X", "Y{X=x}")
    assert twin.is_separated("X", "Y{X=x}", given="Z")
    assert not twin.is_separated("Y", "Y{X=x}", given="Z")


def test_what_a_world_sets_carries_nothing_from_one_effect_to_another() -> None:
    graph = ADMG.of(directed=[("X", "A"), ("X", "B")])
    worlds = parallel_worlds(graph, [{"X": "x"}])
    assert not is_m_separated(worlds.graph, "A{X=x}", "B{X=x}")
    assert worlds.is_separated("A{X=x}", "B{X=x}")


# The counterfactual graph, by enumeration of small models.


def noises(graph: ADMG) -> Iterator[Noise]:
    names = [*graph.nodes, *(f"{a} {b}" for a, b in graph.bidirected)]
    for values in product((0, 1), repeat=len(names)):
        yield dict(zip(names, values, strict=True))


def mechanism(graph: ADMG, variable: str, inputs: list[str], noise: Noise, seed: int) -> str:
    shared = [noise[f"{a} {b}"] for a, b in graph.bidirected if variable in (a, b)]
    return random.Random(f"{seed} {variable} {inputs} {noise[variable]} {shared}").choice(VALUES)


def world_values(graph: ADMG, do: dict[str, str], noise: Noise, seed: int) -> dict[str, str]:
    values: dict[str, str] = {}
    for v in graph.topological_order():
        inputs = [values[p] for p in graph.parents(v)]
        values[v] = do[v] if v in do else mechanism(graph, v, inputs, noise, seed)
    return values


def node_values(graph: ADMG, found: CounterfactualGraph, noise: Noise, seed: int) -> dict[str, str]:
    """Compute the drawn graph as a model of its own, each node with its variable's mechanism."""
    first = {n: copies[0] for n, copies in zip(found.graph.nodes, found.copies, strict=True)}
    values: dict[str, str] = {}
    for node in found.graph.topological_order():
        copy = first[node]
        by_variable = {first[p].variable: values[p] for p in found.graph.parents(node)}
        inputs = [by_variable[p] for p in graph.parents(copy.variable)] if by_variable else []
        drawn = mechanism(graph, copy.variable, inputs, noise, seed)
        values[node] = drawn if copy.setting is None else copy.setting
    return values


@st.composite
def graphs_and_events(draw: st.DrawFn) -> tuple[ADMG, list[Event]]:
    """Events that mostly repeat what other worlds set, as otherwise few copies are equal."""
    graph = draw(admgs(3, 4, chances=(0.6, 1.0)).filter(lambda graph: len(graph.bidirected) <= 4))
    generator = random.Random(draw(SEEDS))
    order = graph.topological_order()
    worlds: list[dict[str, str]] = [{}]
    for variable in generator.sample(order[:3], generator.randint(1, 2)):
        worlds.append({variable: "0"})
    events = [
        Event.of(variable, "0" if variable in order[:2] else generator.choice(VALUES), world)
        for world in worlds
        for variable in generator.sample(order, generator.randint(1, 3))
        if variable not in world or generator.random() < 0.1
    ]
    return graph, events or [Event.of(order[-1], "1", worlds[-1])]


@given(graphs_and_events(), SEEDS)
def test_merged_events_happen_exactly_when_the_given_ones_do(
    case: tuple[ADMG, list[Event]], seed: int
) -> None:
    graph, events = case
    found = counterfactual_graph(graph, events)
    worlds = {event.copy.do for event in events}
    for noise in noises(graph):
        values = {do: world_values(graph, dict(do), noise, seed) for do in worlds}
        happen = all(values[e.copy.do][e.copy.variable] == e.value for e in events)
        if isinstance(found, Inconsistent):
            assert not happen
            continue
        drawn = node_values(graph, found, noise, seed)
        assert all(drawn[node] == value for node, value in found.events) == happen
        for node, copies in zip(found.graph.nodes, found.copies, strict=True):
            merged = {values[copy.do][copy.variable] for copy in copies}
            assert not happen or merged == {drawn[node]}


def merged_in_pairs(graph: ADMG, events: list[Event]) -> dict[Copy, Copy] | None:
    """Compare copies in pairs until nothing changes; None if the events are inconsistent."""
    worlds = {event.copy.do for event in events}
    same = {Copy(v, do): Copy(v, do) for do in worlds for v in graph.nodes}

    def value(copy: Copy) -> str | None:
        told = {e.value for e in events if same[e.copy] == same[copy]}
        return copy.setting if copy.setting is not None else next(iter(told), None)

    def equal(a: Copy, b: Copy) -> bool:
        values = value(a), value(b)
        return same[a] == same[b] or (values[0] is not None and values[0] == values[1])

    def one(a: Copy, b: Copy) -> bool:
        if a.setting is not None or b.setting is not None:
            return a.setting == b.setting
        pairs = ((Copy(p, a.do), Copy(p, b.do)) for p in graph.parents(a.variable))
        return all(equal(*pair) for pair in pairs)

    changed = True
    while changed:
        changed = False
        for a, b in combinations(same, 2):
            if a.variable == b.variable and same[a] != same[b] and one(a, b):
                old, new = same[b], same[a]
                same = {copy: new if group == old else group for copy, group in same.items()}
                changed = True
    for e, f in product(events, events):
        if same[e.copy] == same[f.copy] and e.value != f.value:
            return None
    if any(event.copy.setting not in (None, event.value) for event in events):
        return None
    return same


@given(graphs_and_events())
def test_numbering_merges_what_pairwise_comparison_merges(case: tuple[ADMG, list[Event]]) -> None:
    graph, events = case
    found, same = counterfactual_graph(graph, events), merged_in_pairs(graph, events)
    assert isinstance(found, Inconsistent) == (same is None)
    if isinstance(found, CounterfactualGraph) and same is not None:
        for copies in found.copies:
            assert {c for c in same if same[c] == same[copies[0]]} == set(copies)
        assert set(found.graph.nodes) == found.graph.ancestors(n for n, _ in found.events)
        assert {str(node) for node, _ in found.events} <= set(found.graph.nodes)


@given(graphs_and_events())
def test_the_reasons_of_an_inconsistency_follow_from_one_another(
    case: tuple[ADMG, list[Event]],
) -> None:
    graph, events = case
    found = counterfactual_graph(graph, events)
    if isinstance(found, CounterfactualGraph):
        return
    assert set(found.events) <= set(events)
    if len(found.events) == 1:
        (event,) = found.events
        assert event.copy.setting not in (None, event.value)
        return
    groups: dict[Copy, set[Copy]] = {}

    def group(copy: Copy) -> set[Copy]:
        return groups.setdefault(copy, {copy})

    def known(copy: Copy) -> set[str]:
        told = {event.value for event in events if event.copy in group(copy)}
        return told | ({copy.setting} if copy.setting is not None else set())

    for merge in found.merges:  # each must follow from those before it
        for parent in graph.parents(merge.first.variable):
            a, b = Copy(parent, merge.first.do), Copy(parent, merge.second.do)
            if parent in dict(merge.values):
                assert dict(merge.values)[parent] in known(a) & known(b)
            else:
                assert b in group(a) or (a.setting is not None and a.setting == b.setting)
        joined = group(merge.first) | group(merge.second)
        groups.update((copy, joined) for copy in joined)
    first, second = found.events
    assert first.value != second.value
    assert second.copy in group(first.copy)


@given(admgs(least=3, most=5), SEEDS)
def test_ignorability_is_the_back_door_criterion(graph: ADMG, seed: int) -> None:
    """Given nodes that X does not cause, X tells nothing of Y had X been x, or back doors do.

    Pearl (2009), Causality, section 11.3.2; copies that X does not change are one node here, which
    the twin network misses.
    """
    generator = random.Random(seed)
    x, y = generator.sample(graph.nodes, 2)
    others = [v for v in graph.nodes if v not in graph.descendants(x) | {y}]
    given = generator.sample(others, generator.randint(0, len(others)))
    events = [Event.of(x, "x'"), Event.of(y, "y", do={x: "x"}), *(Event.of(v, "v") for v in given)]
    found = counterfactual_graph(graph, events)
    assert isinstance(found, CounterfactualGraph)
    outcome = found.node_of(y, {x: "x"})
    open_back_door = not is_m_separated(graph.cut_out(x), x, y, given)
    assert found.is_separated(x, outcome, given) != open_back_door


# Textbook cases.


def test_figure_9_of_shpitser_and_pearl() -> None:
    events = [
        Event.of("Y", "y", do={"X": "x"}),
        Event.of("X", "x'"),
        Event.of("Z", "z", do={"D": "d"}),
        Event.of("D", "d"),
    ]
    found = counterfactual_graph(FIGURE_9, events)
    assert isinstance(found, CounterfactualGraph)
    assert found.graph == ADMG.of(
        directed=[("X=x", "W{X=x}"), ("W{X=x}", "Y{X=x}"), ("D", "Z"), ("Z", "Y{X=x}")],
        bidirected=[("X", "Y{X=x}")],
    )
    assert dict(found.events) == {"Y{X=x}": "y", "X": "x'", "Z": "z", "D": "d"}
    assert found.fixed == {"X=x"}
    assert found.node_of("Z", {"D": "d"}) == "Z"


def test_events_after_the_value_that_was_seen_are_those_of_the_actual_world() -> None:
    found = counterfactual_graph(BOW, [Event.of("Y", "y", do={"X": "x"}), Event.of("X", "x")])
    assert isinstance(found, CounterfactualGraph)
    assert found.graph == BOW
    assert dict(found.events) == {"Y": "y", "X": "x"}


def test_a_value_that_follows_is_not_denied() -> None:
    chain = ADMG.of(directed=[("X", "Z"), ("Z", "Y")])
    events = [Event.of("Z", "z"), Event.of("Z", "z'", do={"X": "x"}), Event.of("X", "x")]
    found = counterfactual_graph(chain, events)
    assert isinstance(found, Inconsistent)
    assert str(found) == ("inconsistent: Z = z and Z{X=x} = z'\n  Z = Z{X=x}, as X is x in both")


def test_what_a_world_sets_is_not_denied_in_that_world() -> None:
    found = counterfactual_graph(BOW, [Event.of("X", "x'", do={"X": "x"})])
    assert isinstance(found, Inconsistent)
    assert str(found) == "inconsistent: X{X=x} = x'"
    trivial = counterfactual_graph(BOW, [Event.of("X", "x", do={"X": "x"})])
    assert isinstance(trivial, CounterfactualGraph)
    assert (trivial.events, len(trivial.graph)) == ((), 0)


def test_worlds_that_set_no_cause_of_a_variable_leave_it_as_it_is() -> None:
    graph = ADMG.of(directed=[("X", "Y"), ("A", "B")])
    found = counterfactual_graph(graph, [Event.of("B", "b", do={"X": "x"})])
    assert isinstance(found, CounterfactualGraph)
    assert found.graph == ADMG.of(directed=[("A", "B")])


def test_graphs_of_any_depth_need_no_recursion() -> None:
    count = 5_000
    chain = ADMG.from_arrays([f"n{at}" for at in range(count)], range(count - 1), range(1, count))
    last = f"n{count - 1}"
    found = counterfactual_graph(
        chain, [Event.of(last, "y", {"n1": "x"}), Event.of(last, "y'"), Event.of("n1", "x")]
    )
    assert isinstance(found, Inconsistent)
    assert len(found.merges) == count - 2


@pytest.mark.parametrize(
    ("case", "error", "message"),
    [
        ("no world", ParameterError, "No world"),
        ("no event", ParameterError, "No event"),
        ("unknown world", UnknownMediatorError, "Unknown node 'Q'"),
        ("unknown event", UnknownMediatorError, "Unknown node 'Q'"),
        ("unknown do", UnknownMediatorError, "Unknown node 'Q'"),
        ("alike", GraphError, "both called X{X=x}"),
        ("not there", GraphError, "not in the counterfactual graph"),
    ],
)
def test_what_cannot_be_drawn_is_refused(
    case: str, error: type[CausalNetError], message: str
) -> None:
    with pytest.raises(error, match=message):
        match case:
            case "no world":
                parallel_worlds(BOW, [])
            case "no event":
                counterfactual_graph(BOW, [])
            case "unknown world":
                twin_network(BOW, {"Q": "q"})
            case "unknown event":
                counterfactual_graph(BOW, [Event.of("Q", "q")])
            case "unknown do":
                counterfactual_graph(BOW, [Event.of("Y", "y", do={"Q": "q"})])
            case "alike":
                twin_network(ADMG.of(nodes=["X", "X{X=x}"]), {"X": "x"})
            case _:
                found = counterfactual_graph(BOW, [Event.of("X", "x")])
                assert isinstance(found, CounterfactualGraph)
                found.node_of("Y")
