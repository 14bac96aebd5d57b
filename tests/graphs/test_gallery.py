from collections.abc import Iterable
from itertools import pairwise

import pytest

from causalnet.errors import ParameterError
from causalnet.graphs.admg import ADMG
from causalnet.graphs.counterfactual_graph import CounterfactualGraph, counterfactual_graph
from causalnet.graphs.gallery import EXAMPLES, example
from causalnet.graphs.path_checks import check_paths, recanting_district, recanting_witnesses
from causalnet.graphs.separation import is_m_separated
from causalnet.graphs.textbook import EffectQuery, EventsQuery, Example, PathQuery

BY_NAME = pytest.mark.parametrize("case", EXAMPLES, ids=lambda case: case.name)


def is_identified(graph: ADMG, treatments: Iterable[str], outcomes: Iterable[str]) -> bool:
    """Whether P(outcomes | do(treatments)) is: Tian and Pearl (2002), Huang and Valtorta (2006)."""
    graph = graph.induced(graph.ancestors(outcomes))
    rest = graph.induced(set(graph.nodes) - set(treatments))
    factors = rest.induced(rest.ancestors(outcomes)).districts()
    return all(is_computed(graph, factor) for factor in factors)


def is_computed(graph: ADMG, factor: frozenset[str]) -> bool:
    """Whether a district's factor can be had by marginalising and splitting in turn."""
    within = next(district for district in graph.districts() if factor <= district)
    while (above := graph.induced(within).ancestors(factor)) != factor:
        if above == within:
            return False  # a hedge
        parts = graph.induced(above).districts()
        within = next(district for district in parts if factor <= district)
    return True


@BY_NAME
def test_names_of_a_query_are_in_its_graph(case: Example) -> None:
    match case.query:
        case EffectQuery(treatments, outcomes, given):
            names = {*treatments, *outcomes, *given}
        case PathQuery(treatments, outcome, _):
            names = {*treatments, outcome}
            assert set(case.query.edges) <= set(case.graph.directed)
        case EventsQuery(events, given):
            names = {event.copy.variable for event in (*events, *given)}
    assert names <= set(case.graph.nodes)


@BY_NAME
def test_independences_are_those_of_m_separation(case: Example) -> None:
    for claim in case.independences:
        graph = case.graph.cut_in(claim.cut_in).cut_out(claim.cut_out)
        assert is_m_separated(graph, claim.x, claim.y, claim.given) == claim.holds, claim


@BY_NAME
def test_districts_are_those_of_the_graph(case: Example) -> None:
    found = {district for district in case.graph.districts() if len(district) > 1}
    assert found == set(case.districts)
    assert len(found) == len(case.districts)


@BY_NAME
def test_recanting_is_what_the_path_query_does(case: Example) -> None:
    if not isinstance(case.query, PathQuery):
        assert not case.recanting
        return
    paths = case.query.paths(case.graph)
    district = recanting_district(paths)
    witnesses = [witness.node for witness in recanting_witnesses(paths)]
    assert (district is None) == (not case.recanting)
    assert list(check_paths(paths).recanting) == list(recanting_witnesses(paths))
    if len(case.recanting) == 1:
        assert case.recanting <= set(witnesses)
    elif district is not None:
        assert case.recanting == district.district
        assert witnesses == []


@BY_NAME
def test_verdicts_are_those_of_the_complete_algorithms(case: Example) -> None:
    assert case.estimand is None or case.identifiable
    match case.query:
        case EffectQuery(treatments, outcomes, given):
            assert not given
            assert case.identifiable == is_identified(case.graph, treatments, outcomes)
        case PathQuery(treatments, outcome, _):
            recants = recanting_district(case.query.paths(case.graph)) is not None
            possible = is_identified(case.graph, treatments, [outcome])
            assert case.identifiable == (possible and not recants)
        case EventsQuery():
            assert case.identifiable is not None


@BY_NAME
def test_events_can_happen_together(case: Example) -> None:
    if isinstance(case.query, EventsQuery):
        found = counterfactual_graph(case.graph, (*case.query.events, *case.query.given))
        assert isinstance(found, CounterfactualGraph)


@BY_NAME
def test_an_example_prints_its_graph_query_and_source(case: Example) -> None:
    lines = str(case).splitlines()
    assert lines[0].startswith(f"{case.name}: ")
    assert lines[1].strip().startswith("P(")
    assert lines[2].strip() == case.reference
    written = lines[0].removeprefix(f"{case.name}: ").split(", ")
    directed = [edge for part in written if " -> " in part for edge in pairwise(part.split(" -> "))]
    bidirected = [tuple(part.split(" <-> ")) for part in written if " <-> " in part]
    assert ADMG.of(directed=directed, bidirected=[(a, b) for a, b in bidirected]) == case.graph


def test_names_are_different_and_find_their_examples() -> None:
    assert len({case.name for case in EXAMPLES}) == len(EXAMPLES)
    assert all(example(case.name) is case for case in EXAMPLES)
    assert len({(case.graph, str(case.query)) for case in EXAMPLES}) == len(EXAMPLES)


def test_queries_are_written_in_the_notation_of_the_field() -> None:
    assert str(example("M-bias, joint with the collider").query) == "P(Y, W | do(X))"
    assert str(example("kite").query) == "P(Y | X active along X -> W, W -> Y)"
    assert str(example("three worlds").query) == "P(Y{X=x} = y | X = x', Z{D=d} = z, D = d)"


def test_an_unknown_example_is_refused_with_the_nearest() -> None:
    with pytest.raises(ParameterError, match="Nearest: front-door"):
        example("frontdoor")
