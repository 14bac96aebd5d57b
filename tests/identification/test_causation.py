"""Probabilities of causation and natural bounds: never wrong, and exact where they claim to be."""

import random
from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from causalnet.errors import ParameterError, UnknownMediatorError
from causalnet.graphs.admg import ADMG
from causalnet.identification.answers import Bounds, Identified
from causalnet.identification.bounding.causation import identify_causation
from causalnet.identification.bounding.natural_bounds import natural_bounds
from causalnet.identification.evaluation import Evaluated, Table, Tables, evaluate
from causalnet.identification.expressions import Expression
from causalnet.identification.oracle import RandomModel
from causalnet.identification.queries import Causation, Effect, Probability
from causalnet.identification.sources import OBSERVED, Distribution, Sources
from causalnet.identification.values import Value, symbol
from tests.graphs.random_admgs import admgs, causal_pairs

KINDS: tuple[Probability, ...] = ("PN", "PS", "PNS")
SOURCES = (
    OBSERVED,
    Sources.of([[], ["X"]]),
    Sources.of([["X"]]),
)
BOW = ADMG.of(directed=[("X", "Y")], bidirected=[("X", "Y")])
X, X2, Y, Y2 = symbol("X"), symbol("X", 1), symbol("Y"), symbol("Y", 1)
AT = {X: 1, X2: 0, Y: 1, Y2: 0}


def causation(kind: Probability, x: str = "X", y: str = "Y") -> Causation:
    return Causation(kind, symbol(y), symbol(x), symbol(y, 1), symbol(x, 1))


def number(expression: Expression, tables: Tables, at: Mapping[Value, int]) -> float:
    told = evaluate(expression, tables)
    return float(told.array[tuple(at[axis] for axis in told.axes)])


def renamed_sources(sources: Sources, x: str) -> Sources:
    return Sources.of([[x] if known.do else [] for known in sources.distributions])


@settings(max_examples=150, deadline=None)
@given(
    causal_pairs(5, bidirected=True),
    st.sampled_from(KINDS),
    st.sampled_from(SOURCES),
    st.integers(0, 999),
)
def test_the_truth_is_within_the_bounds(
    pair: tuple[ADMG, str, str], kind: Probability, sources: Sources, seed: int
) -> None:
    graph, x, y = pair
    query = causation(kind, x, y)
    found = identify_causation(query, graph, renamed_sources(sources, x))
    model = RandomModel.of(graph, seed)
    truth = model.truth(query)
    for levels in ((0, 1), (1, 0)):
        at = dict(zip((query.treatment, query.baseline), levels, strict=True))
        at |= dict(zip((query.outcome, query.contrary), levels, strict=True))
        exact = float(truth.array[tuple(at[axis] for axis in truth.axes)])
        match found:
            case Identified():
                told = evaluate(found.estimand, model.table)
                index = tuple(at.get(axis, 0) for axis in told.axes)
                assert told.array[index] == pytest.approx(exact, abs=1e-9)
            case Bounds():
                low, high = interval(found, model.table, at)
                assert low - 1e-9 <= exact <= high + 1e-9
                assert -1e-9 <= low <= high + 1e-9 <= 1 + 2e-9


def interval(found: Bounds, tables: Tables, at: Mapping[Value, int]) -> tuple[float, float]:
    default = {axis: at.get(axis, 0) for each in (*found.lower, *found.upper) for axis in each.free}
    low = max(number(each, tables, default) for each in found.lower)
    return low, min(number(each, tables, default) for each in found.upper)


def two_variables(
    generator: np.random.Generator, monotone: bool
) -> tuple[dict[Distribution, Table], dict[Probability, float]]:
    """P(X, Y), P(Y | do X) and the truth, from a distribution of X, Y{x'} and Y{x}."""
    joint = generator.dirichlet(np.full(8, 0.5)).reshape(2, 2, 2)  # x, y under x', y under x
    if monotone:
        joint[:, 1, 0] = 0.0
        joint /= joint.sum()
    seen = np.array([joint[0].sum(axis=1), joint[1].sum(axis=0)])
    under = np.array([joint.sum(axis=(0, 2)), joint.sum(axis=(0, 1))])
    tables = {
        Distribution(): Table(("X", "Y"), seen),
        Distribution(("X",)): Table(("X", "Y"), under),
    }
    both: float = joint[:, 0, 1].sum()
    truth: dict[Probability, float] = {
        "PNS": both,
        "PN": joint[1, 0, 1] / seen[1, 1],
        "PS": joint[0, 0, 1] / seen[0, 0],
    }
    return tables, truth


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from(KINDS))
def test_monotone_models_attain_the_formula(seed: int, kind: Probability) -> None:
    tables, truth = two_variables(np.random.default_rng(seed), monotone=True)
    both = Sources.of([[], ["X"]])
    found = identify_causation(causation(kind), BOW, both, monotone=True)
    assert isinstance(found, Identified)
    assert number(found.estimand, tables, AT) == pytest.approx(truth[kind], abs=1e-9)
    bounded = identify_causation(causation(kind), BOW, both)
    assert isinstance(bounded, Bounds)
    low, high = interval(bounded, tables, AT)
    assert low == pytest.approx(truth[kind], abs=1e-9)  # monotone models attain the lower bound
    assert high >= truth[kind] - 1e-9
    seen_only = identify_causation(causation(kind), BOW, OBSERVED, monotone=True)
    assert isinstance(seen_only, Bounds)
    low, high = interval(seen_only, tables, AT)
    assert low - 1e-9 <= truth[kind] <= high + 1e-9


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from(KINDS))
def test_experiments_make_bounds_narrower(seed: int, kind: Probability) -> None:
    tables, truth = two_variables(np.random.default_rng(seed), monotone=False)
    intervals = []
    for sources in (OBSERVED, Sources.of([[], ["X"]])):
        found = identify_causation(causation(kind), BOW, sources)
        assert isinstance(found, Bounds)
        intervals.append(interval(found, tables, AT))
    (wide_low, wide_high), (low, high) = intervals
    assert wide_low - 1e-9 <= low <= truth[kind] + 1e-9
    assert truth[kind] - 1e-9 <= high <= wide_high + 1e-9


def test_formulas_of_tian_and_pearl() -> None:
    both = identify_causation(causation("PNS"), BOW, Sources.of([[], ["X"]]))
    assert isinstance(both, Bounds)
    assert list(map(str, both.lower)) == [
        "0",
        "P[x](y) - P[x'](y)",
        "P(y) - P[x'](y)",
        "P[x](y) - P(y)",
    ]
    assert list(map(str, both.upper)) == [
        "P[x](y)",
        "P[x'](y')",
        "1 - P(x,y') - P(x',y)",
        "P[x](y) - P(x,y) - (P(x',y') - P[x'](y'))",
    ]
    needed = identify_causation(causation("PN"), BOW, Sources.of([[], ["X"]]))
    assert isinstance(needed, Bounds)
    assert str(needed.lower[1]) == "(P(y) - P[x'](y)) / P(x,y)"
    assert str(needed.upper[1]) == "(P[x'](y') - P(x',y')) / P(x,y)"
    assert "two levels" in str(needed) and "is not identified" in str(needed)


def test_without_confounding_experiments_are_read_off_the_data() -> None:
    found = identify_causation(causation("PNS"), ADMG.of(directed=[("X", "Y")]))
    assert isinstance(found, Bounds)
    assert str(found.upper[0]) == "P(y|x)"


def test_only_experiments_say_nothing_of_those_who_chose() -> None:
    only = Sources.of([["X"]])
    found = identify_causation(causation("PN"), BOW, only)
    assert isinstance(found, Bounds)
    assert [str(each) for each in (*found.lower, *found.upper)] == ["0", "1"]
    joint = identify_causation(causation("PNS"), BOW, only)
    assert isinstance(joint, Bounds)
    assert list(map(str, joint.upper)) == ["P[x](y)", "P[x'](y')"]


def test_no_effect_is_identified() -> None:
    found = identify_causation(causation("PNS"), ADMG.of(directed=[("Y", "X")]))
    assert isinstance(found, Identified)
    assert str(found.estimand) == "0"


def test_more_than_two_levels_are_refused() -> None:
    with pytest.raises(ParameterError, match="'Y' has 3 levels"):
        identify_causation(causation("PN"), BOW, levels={"Y": 3})
    with pytest.raises(ParameterError, match="'X' has 3 levels"):
        identify_causation(Causation("PN", Y, Value("X", "2"), Y2, Value("X", "0")), BOW)
    with pytest.raises(UnknownMediatorError):
        identify_causation(causation("PN", "Q"), BOW)


# Natural bounds.


@settings(max_examples=150, deadline=None)
@given(admgs(2, 5), st.integers(0, 2**32))
def test_effects_are_within_natural_bounds(graph: ADMG, seed: int) -> None:
    generator = random.Random(seed)
    values = list(map(symbol, generator.sample(graph.nodes, len(graph))))
    outcomes, treatments = generator.choice([1, 1, 2]), generator.choice([1, 1, 2])
    query = Effect(
        tuple(values[:outcomes]),
        tuple(values[outcomes : outcomes + treatments]),
        tuple(values[outcomes + treatments :][: generator.choice([0, 0, 1, 2])]),
    )
    levels = {name: generator.choice([2, 3]) for name in graph.nodes}
    model = RandomModel.of(graph, seed, cardinalities=levels)
    found = natural_bounds(query, graph)
    axes = model.truth(query).axes
    truth = model.truth(query).array
    (low,), (high,) = found.lower, found.upper
    at_least, at_most = (_aligned(evaluate(each, model.table), axes) for each in (low, high))
    assert (at_least <= truth + 1e-9).all() and (truth <= at_most + 1e-9).all()


def _aligned(told: Evaluated, axes: tuple[Value, ...]) -> NDArray[np.float64]:
    assert set(told.axes) <= set(axes)
    return told.aligned(axes)


def test_natural_bounds_are_attained_in_the_bow() -> None:
    # X = 0 always shows Y{x} = y, or never: the two extremes, with one P(X, Y)
    seen = np.array([[0.1, 0.3], [0.4, 0.2]])
    found = natural_bounds(Effect((Y,), (X,)), BOW)
    tables = {Distribution(): Table(("X", "Y"), seen)}
    low, high = interval(found, tables, AT)
    assert (low, high) == pytest.approx((0.2, 0.2 + 0.4))


def test_natural_bounds_of_conditions_that_are_affected() -> None:
    graph = ADMG.of(directed=[("X", "Z"), ("Z", "Y")], bidirected=[("X", "Z"), ("X", "Y")])
    found = natural_bounds(Effect((Y,), (X,), (symbol("Z"),)), graph)
    assert str(found.lower[0]) == "P(x,y,z) / (1 - (P(x) - P(x,z)))"
    assert str(found.upper[0]) == "(1 - (P(x) - P(x,y,z))) / (1 - (P(x) - P(x,z)))"


def test_treatments_that_do_nothing_are_left_out() -> None:
    graph = ADMG.of(directed=[("X", "Y"), ("Y", "Z")], bidirected=[("X", "Y"), ("Y", "Z")])
    found = natural_bounds(Effect((Y,), (X, symbol("Z"))), graph)
    assert str(found.lower[0]) == "P(x,y)"
    none = natural_bounds(Effect((Y,), (symbol("Z"),)), graph)
    assert none.lower == none.upper and str(none.lower[0]) == "P(y)"
