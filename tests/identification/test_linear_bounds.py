"""Bounds by linear programming: never wrong, equal to closed forms, a point where identified."""

import random
from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from causalnet.errors import ParameterError, UnknownMediatorError
from causalnet.graphs.admg import ADMG
from causalnet.identification.answering import answered
from causalnet.identification.answers import Bounds, Identified
from causalnet.identification.bounding.causation import identify_causation
from causalnet.identification.bounding.event_copies import symbols_of
from causalnet.identification.bounding.linear_bounds import Interval, TypeProgram, linear_bounds
from causalnet.identification.bounding.natural_bounds import natural_bounds
from causalnet.identification.bounding.response_functions import ResponseTypes, count_types
from causalnet.identification.bounding.type_program import constraints_of
from causalnet.identification.evaluation import Table, Tables, evaluate
from causalnet.identification.expressions import Expression
from causalnet.identification.oracle import RandomModel
from causalnet.identification.queries import (
    Causation,
    Counterfactual,
    Effect,
    Fact,
    Potential,
    Probability,
)
from causalnet.identification.sources import Distribution, Sources
from causalnet.identification.values import Value, symbol
from tests.graphs.random_admgs import admgs
from tests.identification.bounded_questions import (
    AT,
    BOW,
    EFFECT,
    EXPERIMENT,
    INSTRUMENT,
    OBSERVED_TABLE,
    X2,
    Y2,
    X,
    Y,
    Z,
    question_of,
)


def tables_of(model: RandomModel, sources: Sources) -> dict[Distribution, Table]:
    return {known: model.table(known) for known in sources.distributions}


def is_small(graph: ADMG) -> bool:
    sizes = dict.fromkeys(graph.nodes, 2)
    return sum(count_types(graph, district, sizes) for district in graph.districts()) < 3000


@settings(max_examples=200, deadline=None)
@given(admgs(3, 4), st.integers(0, 2**32))
def test_the_truth_is_within_the_bounds(graph: ADMG, seed: int) -> None:
    generator = random.Random(seed)
    question = question_of(generator, graph)
    experiments: list[list[str]] = generator.choice(
        [[[]], [[], [graph.nodes[0]]], [[graph.nodes[1]]]]
    )
    sources = Sources.of(experiments)
    assume(
        sum(count_types(graph, d, dict.fromkeys(graph.nodes, 2)) for d in graph.districts()) < 3000
    )
    model = RandomModel.of(graph, seed)
    at = {value: 1 - value.primes for value in symbols_of(question)}
    truth = model.truth(question)
    exact = truth.at({axis: at[axis] for axis in truth.axes})
    tables = tables_of(model, sources)
    programs = [linear_bounds(question, graph, tables, at=at, most_types=10**7)]
    programs.append(TypeProgram.of(question, graph, tables, at, 10**7).interval())
    for found in programs:
        assert found.lower - 1e-7 <= exact <= found.upper + 1e-7, f"{question}: {found}, {exact}"
    if isinstance(answered(question, graph, sources, 0), Identified):
        assert programs[0].width == 0.0 and programs[0].sharp
        assert programs[1].width < 1e-7 or not programs[1].sharp


@settings(max_examples=60, deadline=None)
@given(admgs(2, 4), st.integers(0, 2**32))
def test_the_program_itself_is_a_point_where_an_effect_is_identified(
    graph: ADMG, seed: int
) -> None:
    """Even if no factor is taken as known, and all follows from the constraints on types."""
    generator = random.Random(seed)
    x, y = map(symbol, generator.sample(graph.nodes, 2))
    query = Effect((y,), (x,))
    assume(isinstance(answered(query, graph, verify=0), Identified))
    whole = graph.district(y.variable)
    assume(count_types(graph, whole, dict.fromkeys(graph.nodes, 2)) < 3000)
    model = RandomModel.of(graph, seed)
    program = TypeProgram.of(
        query, graph, {OBSERVED_TABLE: model.table(OBSERVED_TABLE)}, {x: 1, y: 0}, 3000, y.variable
    )
    found = program.interval()
    assert found.types > 0
    exact = model.truth(query).at({x: 1, y: 0})
    assert found.lower - 1e-7 <= exact <= found.upper + 1e-7
    if program.sharp:
        assert found.width < 1e-7


# Closed forms.


def balke_and_pearl(given_z: NDArray[np.float64]) -> list[tuple[float, float]]:
    """P(Y = 1 | do(X = 0)) and do(X = 1), from P(x, y | z); Balke and Pearl (1997), section 3."""

    def p(y: int, x: int, z: int) -> float:
        return float(given_z[z, x, y])

    return [
        (
            max(
                p(1, 0, 1),
                p(1, 0, 0),
                p(1, 0, 0) + p(1, 1, 0) - p(0, 0, 1) - p(1, 1, 1),
                p(0, 1, 0) + p(1, 0, 0) - p(0, 0, 1) - p(0, 1, 1),
            ),
            min(
                1 - p(0, 0, 1),
                1 - p(0, 0, 0),
                p(0, 1, 0) + p(1, 0, 0) + p(1, 0, 1) + p(1, 1, 1),
                p(1, 0, 0) + p(1, 1, 0) + p(0, 1, 1) + p(1, 0, 1),
            ),
        ),
        (
            max(
                p(1, 1, 0),
                p(1, 1, 1),
                -p(0, 0, 0) - p(0, 1, 0) + p(0, 0, 1) + p(1, 1, 1),
                -p(0, 1, 0) - p(1, 0, 0) + p(1, 0, 1) + p(1, 1, 1),
            ),
            min(
                1 - p(0, 1, 1),
                1 - p(0, 1, 0),
                p(0, 0, 0) + p(1, 1, 0) + p(1, 0, 1) + p(1, 1, 1),
                p(1, 0, 0) + p(1, 1, 0) + p(0, 0, 1) + p(1, 1, 1),
            ),
        ),
    ]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32))
def test_a_binary_instrument_has_the_bounds_of_balke_and_pearl(seed: int) -> None:
    generator = np.random.default_rng(seed)
    types = generator.dirichlet(np.full(16, 0.3)).reshape(2, 2, 2, 2)  # x at z, y at x
    given_z = np.zeros((2, 2, 2))
    for (x0, x1, y0, y1), chance in np.ndenumerate(types):
        for z, x in enumerate((x0, x1)):
            given_z[z, x, (y0, y1)[x]] += chance
    table = Table(("Z", "X", "Y"), given_z * np.array([0.4, 0.6])[:, None, None])
    for x, (low, high) in enumerate(balke_and_pearl(given_z)):
        found = linear_bounds(EFFECT, INSTRUMENT, {OBSERVED_TABLE: table}, at={X: x, Y: 1})
        assert found.types == 16 and found.sharp
        assert (found.lower, found.upper) == pytest.approx((low, high), abs=1e-7)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32), st.integers(2, 3), st.integers(2, 3))
def test_the_bow_has_the_natural_bounds(seed: int, xs: int, ys: int) -> None:
    seen = np.random.default_rng(seed).dirichlet(np.full(xs * ys, 0.7)).reshape(xs, ys)
    tables = {OBSERVED_TABLE: Table(("X", "Y"), seen)}
    found = linear_bounds(EFFECT, BOW, tables, at=AT)
    told = natural_bounds(EFFECT, BOW)
    assert found.lower == pytest.approx(number(told.lower[0], tables), abs=1e-7)
    assert found.upper == pytest.approx(number(told.upper[0], tables), abs=1e-7)
    assert found.sharp and found.types == xs * ys**xs


def test_natural_bounds_of_affected_conditions_are_sharp_with_nothing_but_confounding() -> None:
    graph = ADMG.of(
        directed=[("X", "Z"), ("Z", "Y"), ("X", "Y")],
        bidirected=[("X", "Z"), ("X", "Y"), ("Z", "Y")],
    )
    query = Effect((Y,), (X,), (Z,))
    for seed in range(5):
        tables = tables_of(RandomModel.of(graph, seed), Sources())
        found = linear_bounds(query, graph, tables, at=AT)
        told = natural_bounds(query, graph)
        assert found.sharp
        assert found.lower == pytest.approx(number(told.lower[0], tables), abs=1e-7)
        assert found.upper == pytest.approx(number(told.upper[0], tables), abs=1e-7)


def number(expression: Expression, tables: Tables, at: Mapping[Value, int] = AT) -> float:
    told = evaluate(expression, tables)
    return told.at({axis: at[axis] for axis in told.axes})


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from(["PN", "PS", "PNS"]), st.integers(0, 2))
def test_bounds_of_tian_and_pearl_are_sharp(seed: int, kind: Probability, known: int) -> None:
    """On two variables, from observation, an experiment, or both, the program finds no better."""
    joint = np.random.default_rng(seed).dirichlet(np.full(8, 0.5)).reshape(2, 2, 2)
    seen = np.array([joint[0].sum(axis=1), joint[1].sum(axis=0)])
    under = np.array([joint.sum(axis=(0, 2)), joint.sum(axis=(0, 1))])
    both = {
        OBSERVED_TABLE: Table(("X", "Y"), seen),
        EXPERIMENT: Table(("X", "Y"), under),
    }
    tables = dict(list(both.items())[known // 2 : 1 + known]) if known != 1 else both
    if kind != "PNS" and OBSERVED_TABLE not in tables:
        tables = both
    query = Causation(kind, Y, X, Y2, X2)
    told = identify_causation(query, BOW, Sources(tuple(tables)))
    assert isinstance(told, Bounds)
    found = linear_bounds(query, BOW, tables, at=AT)
    assert found.sharp
    assert found.lower == pytest.approx(max(number(e, tables) for e in told.lower), abs=1e-6)
    assert found.upper == pytest.approx(min(number(e, tables) for e in told.upper), abs=1e-6)


@settings(max_examples=40, deadline=None)
@given(admgs(3, 4), st.integers(0, 2**32))
def test_experiments_make_bounds_no_wider(graph: ADMG, seed: int) -> None:
    generator = random.Random(seed)
    x, y, z = map(symbol, generator.sample(graph.nodes, 3))
    assume(
        sum(count_types(graph, d, dict.fromkeys(graph.nodes, 2)) for d in graph.districts()) < 3000
    )
    query, model = Effect((y,), (x,)), RandomModel.of(graph, seed)
    few = tables_of(model, Sources())
    more = tables_of(model, Sources.of([[], [z.variable]]))
    at = {x: 1, y: 1}
    wide, narrow = (linear_bounds(query, graph, each, at=at) for each in (few, more))
    if wide.sharp == narrow.sharp:
        assert wide.lower - 1e-7 <= narrow.lower <= narrow.upper <= wide.upper + 1e-7


def test_an_experiment_on_the_treatment_gives_the_effect_on_the_treated() -> None:
    treated = Counterfactual((Fact(Potential.of("Y", {"X": X}), Y),), (Fact(Potential("X"), X2),))
    model = RandomModel.of(BOW, 4)
    truth = model.truth(treated)
    exact = truth.at({axis: AT[axis] for axis in truth.axes})
    observed = linear_bounds(treated, BOW, tables_of(model, Sources()), at=AT)
    assert observed.width == pytest.approx(1.0)
    both = tables_of(model, Sources.of([[], ["X"]]))
    program = TypeProgram.of(treated, BOW, both, AT, 100).interval()
    assert program.lower == pytest.approx(exact, abs=1e-7)
    assert program.upper == pytest.approx(exact, abs=1e-7)


# What is sharp, and what is not.


def test_covariates_that_share_the_hidden_cause_are_laid_out() -> None:
    # W is below nothing and affects nothing, but strata of W make an instrument say more
    graph = ADMG.of(directed=INSTRUMENT.directed, bidirected=[("X", "Y"), ("W", "X"), ("W", "Y")])
    model = RandomModel.of(graph, 2)
    tables = tables_of(model, Sources())
    whole = linear_bounds(EFFECT, graph, tables, at=AT)
    assert whole.sharp and whole.types == 32
    least = linear_bounds(EFFECT, graph, tables, at=AT, most_types=16)
    assert not least.sharp and "without W" in least.note
    assert least.lower - 1e-9 <= whole.lower <= whole.upper <= least.upper + 1e-9


def test_without_parents_outside_what_is_below_the_question_says_nothing() -> None:
    graph = ADMG.of(
        directed=[("X", "Y"), ("Y", "W")], bidirected=[("X", "Y"), ("W", "X"), ("W", "Y")]
    )
    tables = tables_of(RandomModel.of(graph, 5), Sources())
    whole = linear_bounds(EFFECT, graph, tables, at=AT)
    part = linear_bounds(EFFECT, graph, tables, at=AT, most_types=8)
    assert (whole.types, part.types) == (32, 8)
    assert whole.sharp and part.sharp
    assert (part.lower, part.upper) == pytest.approx((whole.lower, whole.upper), abs=1e-7)


def test_counts_of_a_sample_will_do() -> None:
    model = RandomModel.of(INSTRUMENT, 3)
    drawn = model.sample(500, seed=1)
    counts = np.zeros((2, 2, 2))
    np.add.at(counts, tuple(drawn[name] for name in ("Z", "X", "Y")), 1.0)
    tables = {OBSERVED_TABLE: Table(("Z", "X", "Y"), counts / counts.sum())}
    found = linear_bounds(EFFECT, INSTRUMENT, tables, at=AT)
    exact = linear_bounds(EFFECT, INSTRUMENT, tables_of(model, Sources()), at=AT)
    assert found.lower == pytest.approx(exact.lower, abs=0.1)
    assert found.upper == pytest.approx(exact.upper, abs=0.1)


def test_missing_bidirected_edges_are_said_to_make_a_relaxation() -> None:
    graph = ADMG.of(
        directed=[("X", "Y"), ("W", "Y")],
        bidirected=[("X", "W"), ("W", "Y"), ("X", "Z"), ("Z", "Y")],
    )
    found = linear_bounds(EFFECT, graph, tables_of(RandomModel.of(graph, 0), Sources()), at=AT)
    assert not found.sharp and "relaxation" in found.note


def test_several_districts_are_taken_as_one() -> None:
    chain = ADMG.of(directed=[("X", "M"), ("M", "Y")])
    query = Causation("PNS", Y, X, Y2, X2)
    model = RandomModel.of(chain, 1)
    found = linear_bounds(query, chain, tables_of(model, Sources()), at=AT)
    assert not found.sharp and "{M}, {Y}" in found.note
    truth = model.truth(query)
    exact = truth.at({axis: AT[axis] for axis in truth.axes})
    assert found.lower - 1e-9 <= exact <= found.upper + 1e-9


def test_zero_probabilities_leave_what_follows_open() -> None:
    seen = np.array([[0.25, 0.75], [0.0, 0.0]])
    tables = {OBSERVED_TABLE: Table(("X", "Y"), seen)}
    graph = ADMG.of(directed=[("X", "Y")])
    found = linear_bounds(EFFECT, graph, tables, at=AT)
    assert (found.lower, found.upper) == pytest.approx((0.0, 1.0))
    seen_level = linear_bounds(EFFECT, graph, tables, at={X: 0, Y: 1})
    assert (seen_level.lower, seen_level.upper) == pytest.approx((0.75, 0.75))


def test_refusals() -> None:
    model = RandomModel.of(INSTRUMENT, 0)
    tables = tables_of(model, Sources())
    with pytest.raises(ParameterError, match="x has no level"):
        linear_bounds(EFFECT, INSTRUMENT, tables, at={Y: 1})
    with pytest.raises(ParameterError, match="'X' has no level 2"):
        linear_bounds(EFFECT, INSTRUMENT, tables, at={X: 2, Y: 1})
    with pytest.raises(ParameterError, match="X, Y have 16 response types"):
        linear_bounds(EFFECT, INSTRUMENT, tables, at=AT, most_types=15)
    with pytest.raises(UnknownMediatorError):
        linear_bounds(Effect((symbol("Q"),)), INSTRUMENT, tables, at={symbol("Q"): 1})
    with pytest.raises(ParameterError, match="No table has 'Z'"):
        linear_bounds(EFFECT, INSTRUMENT, tables_of(RandomModel.of(BOW, 0), Sources()), at=AT)
    with pytest.raises(ParameterError, match="No table is given"):
        linear_bounds(EFFECT, INSTRUMENT, {}, at=AT)
    with pytest.raises(ParameterError, match="population"):
        linear_bounds(EFFECT, BOW, {Distribution((), "a"): model.table(OBSERVED_TABLE)}, at=AT)
    other = RandomModel.of(INSTRUMENT, 0, cardinalities={"X": 3}).table(EXPERIMENT)
    with pytest.raises(ParameterError, match="2 levels in one table and 3"):
        linear_bounds(EFFECT, INSTRUMENT, {**tables, EXPERIMENT: other}, at=AT)


def test_many_types_are_counted_and_not_laid_out() -> None:
    names = [f"P{number}" for number in range(9)]
    graph = ADMG.of(directed=[(name, "Y") for name in names], bidirected=[("P0", "Y")])
    array = np.full([2] * 10, 2.0**-10)
    table = {OBSERVED_TABLE: Table((*names, "Y"), array)}
    query = Effect((Y,), (symbol("P0"),))
    with pytest.raises(ParameterError, match=r"about 10\^154 response types"):
        linear_bounds(query, graph, table, at={Y: 1, symbol("P0"): 1})


def test_tables_that_no_model_has() -> None:
    # an instrument that sets both X and, past it, Y: Pearl's instrumental inequality fails
    joint = np.zeros((2, 2, 2))
    joint[0, 0, 0] = joint[1, 0, 1] = 0.5
    with pytest.raises(ParameterError, match="No model of the graph"):
        linear_bounds(EFFECT, INSTRUMENT, {OBSERVED_TABLE: Table(("Z", "X", "Y"), joint)}, at=AT)


def test_an_interval_prints() -> None:
    assert str(Interval(0.25, 0.5, True, "why")) == "[0.25, 0.5], sharp: why"
    assert "not known to be sharp" in str(Interval(0.25, 0.5, False, "why"))


# Types.


@settings(max_examples=40, deadline=None)
@given(admgs(2, 4), st.integers(0, 2**32))
def test_a_model_is_a_distribution_over_types(graph: ADMG, seed: int) -> None:
    """Types that answer as a model does, with its chances, have the model's tables."""
    sizes = dict.fromkeys(graph.nodes, 2)
    assume(count_types(graph, graph.nodes, sizes) <= 5000)
    types = ResponseTypes.of(graph, graph.nodes, sizes)
    chances = np.ones(len(types))
    # without bidirected edges the types of different variables are independent
    free = ADMG.of(directed=graph.directed, nodes=graph.nodes)
    model = RandomModel.of(free, seed)
    for name in graph.nodes:
        above = free.parents(name)
        table = evaluate_conditional(model, name)
        for place in np.ndindex(*(2 for _ in above)):
            answer = types.respond(name, place)
            chances *= table[(*place, answer)]
    for known in (OBSERVED_TABLE, Distribution((graph.nodes[0],))):
        found = constraints_of(types, {known: model.table(known)})
        assert found.violation(chances) < 1e-9
    assert chances.sum() == pytest.approx(1.0)


def evaluate_conditional(model: RandomModel, name: str) -> NDArray[np.float64]:
    mechanism = model.mechanism(name)
    return mechanism.conditional(model.levels[name])
