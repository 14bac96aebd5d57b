from functools import partial as partial_call
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from causalnet.errors import CausalNetError, TermError, UnknownMediatorError
from causalnet.graphs import ADMG, Separated, example, is_open_walk
from causalnet.graphs.walks import Connected
from causalnet.identification.adjusting.adjustment import ForbiddenNode
from causalnet.identification.adjusting.instruments import (
    NoInstrument,
    NotValidInstrument,
    ValidInstrument,
    conditional_instruments,
    is_instrument,
)
from tests.graphs.random_admgs import SEEDS, are_separated, directed_paths, subset
from tests.identification.adjusted_models import (
    Effect,
    effects,
    forbidden,
    gaussian,
    is_directed,
    partial,
    subsets,
)
from tests.identification.counted import work

SINGLE = effects(single=True) | effects(mediated=True)


def without_causal_paths(effect: Effect) -> ADMG:
    """The graph without the edges with which causal paths begin."""
    graph, xs, ys, _, _ = effect
    paths = [path for x in xs for y in ys for path in directed_paths(graph, x, y)]
    cut = {path[:2] for path in paths}
    return ADMG.of(set(graph.directed) - cut, graph.bidirected, graph.nodes)


def is_valid(effect: Effect, rest: ADMG, z: str, given: frozenset[str]) -> bool:
    """The definition, looking at every path."""
    x, y = min(effect.xs), min(effect.ys)
    return (
        not given & forbidden(effect)
        and not are_separated(effect.graph, z, x, given)
        and are_separated(rest, z, y, given)
    )


# The definition.


@given(SINGLE, st.data())
def test_valid_if_and_only_if_every_path_says_so(effect: Effect, data: st.DataObject) -> None:
    graph, x, y = effect.graph, min(effect.xs), min(effect.ys)
    z = data.draw(st.sampled_from(sorted(effect.others)))
    given = frozenset(subset(data.draw, sorted(effect.others - {z})))
    found = is_instrument(graph, z, x, y, given)
    rest = without_causal_paths(effect)
    assert bool(found) == isinstance(found, ValidInstrument) == is_valid(effect, rest, z, given)
    assert found.instrument == z and found.given == given
    if isinstance(found, ValidInstrument):
        assert is_open_walk(graph, found.relevance)
        assert found.relevance.nodes[0] == z and found.relevance.nodes[-1] == x
        return
    match found.evidence:
        case ForbiddenNode(node, path, down):
            assert is_directed(graph, path) and is_directed(graph, down)
            assert down[0] in path[1:] and down[-1] == node and node in given
        case Separated():
            assert are_separated(graph, z, x, given)
        case Connected() as walk:
            assert is_open_walk(rest, walk) and walk.nodes[0] == z and walk.nodes[-1] == y


@given(SINGLE, SEEDS)
def test_the_ratio_is_the_effect_in_random_linear_models(effect: Effect, seed: int) -> None:
    graph, x, y = effect.graph, min(effect.xs), min(effect.ys)
    for z in sorted(effect.others):
        for zs in subsets(effect.others - {z}):
            found = is_instrument(graph, z, x, y, zs)
            errors = [ratio_error(effect, z, zs, seed + again) for again in range(3)]
            if isinstance(found, ValidInstrument):
                assert max(errors) < 1e-9
            elif isinstance(found.evidence, Connected):
                assert max(errors) > 1e-9


def ratio_error(effect: Effect, z: str, zs: frozenset[str], seed: int) -> float:
    """How far cov(z, y | W) is from the effect times cov(z, x | W), on the scale of the model."""
    number = effect.graph.index
    sigma, total = gaussian(effect.graph, seed)
    w, ends = sorted(map(number, zs)), [number(min(effect.xs)), number(min(effect.ys))]
    to_x, to_y = partial(sigma, [number(z)], w, ends)[0]
    x, y = ends
    return float(abs(to_y - total[y, x] * to_x) / abs(sigma).max() / max(1, abs(total).max()))


# What is found.


@given(SINGLE)
def test_the_ancestral_instruments_are_found_and_all_of_them(effect: Effect) -> None:
    graph, xs, ys, _, within = effect
    x, y = min(xs), min(ys)
    rest = without_causal_paths(effect)
    found = conditional_instruments(graph, x, y, within)
    named = {} if isinstance(found, NoInstrument) else {each.instrument: each for each in found}
    allowed = within & effect.others
    for z in sorted(allowed):
        above = rest.ancestors([z, y]) & allowed - {z}
        valid = [given for given in subsets(above) if is_valid(effect, rest, z, given)]
        assert (z in named) == bool(valid)
        if z in named:
            assert named[z].given in valid
            assert not any(
                given < named[z].given and are_separated(rest, z, y, given) for given in valid
            )


@given(SINGLE)
def test_one_is_found_if_there_is_any_instrument_at_all(effect: Effect) -> None:
    """Not only one given ancestors (van der Zander et al. 2015)."""
    graph, xs, ys, _, within = effect
    rest = without_causal_paths(effect)
    allowed = within & effect.others
    exists = any(
        is_valid(effect, rest, z, given) for z in allowed for given in subsets(allowed - {z})
    )
    found = conditional_instruments(graph, min(xs), min(ys), within)
    assert bool(found) == exists
    if isinstance(found, NoInstrument):
        for check in found.rejected:
            assert not is_valid(effect, rest, check.instrument, check.given)
            assert isinstance(check, NotValidInstrument)


# Textbook cases, as they are printed.


def test_the_instrument_of_the_textbook() -> None:
    graph = ADMG.of([("Z", "X"), ("X", "Y")], [("X", "Y")])
    found = conditional_instruments(graph, "X", "Y")
    assert not isinstance(found, NoInstrument)
    assert list(map(str, found)) == [
        "Z is an instrument: Z -> X is open, and Z ⊥ Y without causal paths"
    ]


@pytest.mark.parametrize(
    ("graph", "given", "printed"),
    [
        (
            ADMG.of([("Z", "X"), ("Z", "Y"), ("X", "Y")]),
            "",
            "Z is not an instrument: Z -> Y is open without causal paths",
        ),
        (ADMG.of([("X", "Y")], nodes="Z"), "", "Z is not an instrument: Z ⊥ X"),
        (
            ADMG.of([("Z", "X"), ("X", "M"), ("M", "Y")], [("X", "Y")]),
            "M",
            "Z | M is not an instrument: M is on the causal path X -> M -> Y",
        ),
    ],
)
def test_what_is_no_instrument_says_why(graph: ADMG, given: str, printed: str) -> None:
    assert str(is_instrument(graph, "Z", "X", "Y", list(given))) == printed


def test_no_instrument_says_why_for_each_node() -> None:
    graph = ADMG.of([("X", "Y"), ("C", "X"), ("C", "Y")], [("X", "Y")])
    assert str(conditional_instruments(graph, "X", "Y")) == (
        "No instrument:\n  C is not an instrument: C -> Y is open without causal paths"
    )


def test_the_front_door_has_no_instrument() -> None:
    assert not conditional_instruments(example("front-door").graph, "X", "Y")


def test_an_instrument_may_descend_from_another() -> None:
    """A proxy of an instrument is one too, unless it is confounded with the outcome."""
    graph = ADMG.of([("Z", "X"), ("Z", "P"), ("X", "Y"), ("Z", "Q")], [("X", "Y"), ("Q", "Y")])
    found = conditional_instruments(graph, "X", "Y")
    assert isinstance(found, tuple) and [each.instrument for each in found] == ["Z", "P"]


def test_the_nearest_separator_leaves_the_treatment_in_reach() -> None:
    """Given A, which is nearer, Z would tell nothing of X."""
    graph = ADMG.of([("A", "Z"), ("A", "B"), ("B", "Y"), ("A", "X"), ("X", "Y")], [("X", "Y")])
    found = conditional_instruments(graph, "X", "Y")
    assert not isinstance(found, NoInstrument)
    assert {each.instrument: set(each.given) for each in found} == {"Z": {"B"}, "A": {"B"}}
    assert not is_instrument(graph, "Z", "X", "Y", "A")


# Complexity, by counted work.


def test_work_is_a_few_linear_searches_for_each_node() -> None:
    worked = []
    for count in (50, 200):
        names = [f"n{place}" for place in range(count)]
        graph = ADMG.of(pairwise(names), [(names[-2], names[-1])])
        _, searches = work(partial_call(conditional_instruments, graph, *graph.nodes[-2:]))
        worked.append(searches.total())
        assert searches.total() <= 20 * count
    assert worked[1] < 4.4 * worked[0]


# What is refused.


@pytest.mark.parametrize(
    ("z", "x", "y", "given", "error", "message"),
    [
        ("X", "X", "Y", "", TermError, "'X' is in both `z` and `x`"),
        ("Z", "X", "X", "", TermError, "'X' is in both"),
        ("Z", "X", "Y", "Z", TermError, "'Z' is in both `z` and `given`"),
        ("Z", "X", "Q", "", UnknownMediatorError, "Unknown node 'Q'"),
        ("Z", "X", "Y", "Q", UnknownMediatorError, "Unknown node 'Q'"),
    ],
)
def test_wrong_roles_are_refused(
    z: str, x: str, y: str, given: str, error: type[CausalNetError], message: str
) -> None:
    graph = ADMG.of([("Z", "X"), ("X", "Y")])
    with pytest.raises(error, match=message):
        is_instrument(graph, z, x, y, list(given))
