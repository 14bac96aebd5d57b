"""Estimands in numbers, held to sums that are spelled out with fractions."""

import random
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from causalnet.errors import ParameterError, TermError, UnknownMediatorError
from causalnet.identification.evaluation import Table, evaluate, evaluation_cost
from causalnet.identification.expressions import (
    ONE,
    Difference,
    Expression,
    Prob,
    Product,
    Ratio,
    Sum,
)
from causalnet.identification.sources import Distribution
from causalnet.identification.values import Value, symbol
from tests.identification.counted_models import assignments, random_difference, value_of

A, B, C = map(symbol, "ABC")
LEVELS = {"A": 2, "B": 3, "C": 2}


def tables(seed: int, zeros: float = 0.0) -> dict[Distribution, Table]:
    draw = np.random.default_rng(seed)
    array = draw.random((2, 3, 2)) * (draw.random((2, 3, 2)) >= zeros)
    under = draw.random((2, 3, 2))
    return {
        Distribution(): Table(("A", "B", "C"), array / max(array.sum(), 1e-9)),
        Distribution(("A",)): Table(("A", "B", "C"), under / under.sum((1, 2), keepdims=True)),
    }


@settings(max_examples=150)
@given(st.integers(0, 2**32), st.sampled_from([0.0, 0.3]))
def test_it_is_what_the_sums_say(seed: int, zeros: float) -> None:
    draw = random.Random(seed)
    expression = random_difference(draw, "ABC", draw.randint(1, 4))
    known = tables(seed, zeros)
    told = evaluate(expression, known)
    assert told.axes == tuple(sorted(expression.free))
    every = list(assignments(sorted(expression.free), LEVELS))
    for free in draw.sample(every, min(len(every), 12)):
        expected = value_of(expression, known, free)
        found = told.at(free)
        if expected is None:
            assert np.isnan(found)
        else:
            assert found == pytest.approx(float(expected), rel=1e-9, abs=1e-12)


def test_sums_bind_their_own_symbols() -> None:
    inner = Sum((A,), Prob((B,), (A,)))
    told = evaluate(Sum((A,), Product((Prob((A,)), inner))), tables(0))
    expected = evaluate(inner, tables(0))
    assert np.allclose(told.array, expected.array)
    assert told.axes == expected.axes == (B,)


def test_primes_tell_values_apart() -> None:
    told = evaluate(Product((Prob((A,)), Prob((symbol("A", 1),)))), tables(1))
    margin = evaluate(Prob((A,)), tables(1)).array
    assert told.axes == (A, symbol("A", 1))
    assert np.allclose(told.array, np.outer(margin, margin))


def test_a_sum_over_a_symbol_that_is_not_free_counts_its_values() -> None:
    assert evaluate(Sum((B,), Prob((A,))), tables(2)).array.sum() == pytest.approx(3)
    assert evaluate(Sum((B,), ONE), tables(2)).at({}) == 3
    assert evaluate(Sum((B,), ONE), lambda each: tables(2)[each]).at({}) == 3


def test_experiments_have_tables_of_their_own() -> None:
    under = tables(3)[Distribution(("A",))].array
    told = evaluate(Prob((B,), do=(A,)), tables(3))
    assert told.axes == (A, B)
    assert np.allclose(told.array, under.sum(2))
    given = evaluate(Prob((B,), (C,), (Value("A", "1"),)), tables(3))
    assert np.allclose(given.array, (under[1] / under[1].sum(0)))


def test_levels_index_the_table() -> None:
    array = tables(4)[Distribution()].array
    told = evaluate(Prob((Value("A", "1"), B), (Value("C", "0"),)), tables(4))
    assert told.axes == (B,)
    assert np.allclose(told.array, array[1, :, 0] / array[:, :, 0].sum())


def test_nothing_over_nothing_has_no_value() -> None:
    array = np.zeros((2, 2))
    array[0] = 0.5
    known = {Distribution(): Table(("A", "C"), array)}
    told = evaluate(Prob((C,), (A,)), known)
    assert np.isnan(told.array[1]).all()
    assert told.array[0].tolist() == [0.5, 0.5]
    assert np.isnan(evaluate(Ratio(Prob((C,)), Prob((A,))), known).at({"a": 1, "c": 0}))


def test_impossible_strata_do_not_matter() -> None:
    array = np.zeros((2, 2))
    array[0] = 0.5
    known = {Distribution(): Table(("A", "C"), array)}
    adjusted = Sum((A,), Product((Prob((C,), (A,)), Prob((A,)))))
    assert evaluate(adjusted, known).array.tolist() == [0.5, 0.5]


def test_shared_parts_are_asked_for_once() -> None:
    expression: Expression = Prob((B,), (A,))
    for _ in range(200):
        expression = Product((expression, Difference(ONE, expression)))
    asked: list[Distribution] = []

    def table(distribution: Distribution) -> Table:
        asked.append(distribution)
        return tables(5)[distribution]

    assert evaluate(expression, table).array.shape == (2, 3)
    assert asked == [Distribution()]


def test_long_sums_of_products_are_contracted() -> None:
    names = [f"V{k}" for k in range(40)]
    pairs = {
        Distribution(domain=f"d{k}"): Table((a, b), np.full((2, 2), 0.25))
        for k, (a, b) in enumerate(pairwise(names))
    }
    values = [symbol(name) for name in names]
    factors = [Prob((b,), (a,), domain=f"d{k}") for k, (a, b) in enumerate(pairwise(values))]
    told = evaluate(Sum(tuple(values[1:-1]), Product(tuple(factors))), pairs)
    assert np.allclose(told.array, 0.5)


def test_numbers_can_be_read() -> None:
    told = evaluate(Prob((B,), (A,)), tables(6))
    assert told.at({A: 1, B: 2}) == told.at({"a": 1, "b": 2}) == told.array[1, 2]
    assert told.at({A: 1, B: 2, C: 7}) == told.array[1, 2]
    assert np.array_equal(told.aligned((B, C, A))[:, 0, :], told.array.T)
    assert str(told) == "numbers over a (2), b (3)"
    with pytest.raises(TermError, match=r"No level for b. .* a, b"):
        told.at({"a": 0})
    with pytest.raises(ParameterError, match="b is at level 3, and 'B' has 3 levels"):
        told.at({"a": 0, "b": 3})
    with pytest.raises(TermError, match="depend on a, b"):
        told.aligned((A,))


def test_what_is_not_there_is_named() -> None:
    with pytest.raises(TermError, match=r"no table of P\{d\}\(V\)"):
        evaluate(Prob((A,), domain="d"), tables(0))
    with pytest.raises(UnknownMediatorError, match="no variable 'D'"):
        evaluate(Prob((symbol("D"),)), tables(0))
    with pytest.raises(UnknownMediatorError, match="no variable 'D'"):
        evaluate(Sum((symbol("D"),), Prob((A,))), tables(0))
    with pytest.raises(ParameterError, match="A=2 is at level 2, and 'A' has 2 levels"):
        evaluate(Prob((Value("A", "2"),)), tables(0))
    with pytest.raises(ParameterError, match="one axis for each variable"):
        Table(("A", "A"), np.ones((2, 2)))
    with pytest.raises(ParameterError, match="A table of A with 2 axes"):
        Table(("A",), np.ones((2, 2)))


def test_too_many_free_symbols_are_refused() -> None:
    many = [Prob((symbol("B", k),)) for k in range(20)]
    with pytest.raises(ParameterError, match=r"3,486,784,401 entries. At most 16,777,216"):
        evaluate(Product(tuple(many)), tables(0))


def test_tables_must_agree_on_levels() -> None:
    known = {
        Distribution(): Table(("A",), np.full(2, 0.5)),
        Distribution(domain="d"): Table(("A",), np.full(3, 1 / 3)),
    }
    with pytest.raises(ParameterError, match="'A' has 2 levels in one table and 3 in another"):
        evaluate(Product((Prob((A,)), Prob((A,), domain="d"))), known)


def test_repeats_are_evaluated_at_once() -> None:
    parts = [tables(seed)[Distribution()].array for seed in range(3)]
    many = {Distribution(): Table(("", "A", "B", "C"), np.stack(parts), ("",))}
    expression = Sum((A,), Product((Prob((B,), (A, C)), Prob((A,)))))
    told = evaluate(expression, many)
    assert told.axes == (Value("", ""), B, C)
    for array, part in zip(told.array, parts, strict=True):
        one = {Distribution(): Table(("A", "B", "C"), part)}
        assert np.allclose(array, evaluate(expression, one).array)


def test_what_it_costs_is_counted() -> None:
    levels = {f"V{k}": 2 for k in range(41)}
    values = [symbol(name) for name in levels]
    chain = Product(tuple(Prob((b,), (a,)) for a, b in pairwise(values)))
    summed = Sum(tuple(values[1:-1]), chain)
    # 40 conditionals of 4, 39 sums over 8, and the result twice
    assert evaluation_cost(summed, levels) == 40 * 4 + 39 * 8 + 4
    assert evaluation_cost(chain, levels) > 2**41
