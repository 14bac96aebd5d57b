"""Formulas in sympy and back: equal in value, and the same expression again."""

import random
from typing import Any

import numpy as np
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

from causalnet.errors import TermError
from causalnet.identification.evaluation import Evaluated, Table, evaluate
from causalnet.identification.expressions import ONE, Const, Expression, Product, Ratio, Sum, fold
from causalnet.identification.formulas.algebra import from_sympy, to_sympy
from causalnet.identification.reading.parsing import parse_expression
from causalnet.identification.sources import Distribution
from causalnet.identification.values import symbol
from tests.identification.random_terms import expression, of_seeds


def table(distribution: Distribution) -> Table:
    """Numbers between 1/2 and 3/2, the same for the same distribution."""
    seed = [len(distribution.domain), *map(ord, "".join(distribution.do))]
    numbers = np.random.default_rng(seed).uniform(0.5, 1.5, (2, 3, 2))
    return Table(("X", "Y", "Z"), numbers)


def held_to(one: Evaluated, other: Evaluated) -> None:
    """Check that numbers agree to 1e-6 wherever the first has one."""
    axes = sorted({*one.axes, *other.axes})
    first, second = np.broadcast_arrays(one.aligned(axes), other.aligned(axes))
    there = np.isfinite(first)
    scale = np.maximum(1.0, np.abs(first))
    assert (np.abs(first - second)[there] <= 1e-6 * scale[there]).all()


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32))
def test_what_comes_back_has_the_same_value(seed: int) -> None:
    formula = expression(random.Random(seed), 3, ("X", "Y", "Z"), odd=False)
    try:
        whole = to_sympy(formula)
    except TermError as error:  # such as P(x) / (P(y) - P(y))
        assert "divides by 0" in str(error)
        return
    back = from_sympy(whole)
    assert sympy.expand(to_sympy(back) - whole) == 0
    with np.errstate(all="ignore"):
        held_to(evaluate(formula, table), evaluate(back, table))


@settings(max_examples=150, deadline=None)
@given(of_seeds(expression))
def test_odd_names_come_back(formula: Expression) -> None:
    try:
        whole = to_sympy(formula)
    except TermError as error:
        assert "divides by 0" in str(error)
    else:
        assert sympy.expand(to_sympy(from_sympy(whole)) - whole) == 0


def test_contrasts_add_up() -> None:
    total, direct, indirect = (
        to_sympy(parse_expression(text))
        for text in (
            "P(y|x) - P(y|x')",
            "sum[m](P(y|m,x) * P(m|x')) - P(y|x')",
            "sum[m](P(y|m,x') * P(m|x)) - P(y|x')",
        )
    )
    assert sympy.simplify(total - direct - indirect) != 0
    reverse = to_sympy(parse_expression("P(y|x) - sum[m](P(y|m,x) * P(m|x'))"))
    assert total - direct - reverse == 0


def test_a_sum_is_a_function_of_its_body_and_what_it_binds() -> None:
    whole = to_sympy(parse_expression("sum[x,z](P(y|x,z) * P(z))"))
    assert str(whole.func) == "sum"
    assert [str(each) for each in whole.args[1:]] == ["x", "z"]
    assert str(from_sympy(whole)) in (
        "sum[x,z](P(y|x,z) * P(z))",
        "sum[x,z](P(z) * P(y|x,z))",
    )


@pytest.mark.parametrize(
    ("whole", "text"),
    [
        (sympy.Rational(1, 2), "1 / 2"),
        (-sympy.Symbol("P(y)", real=True), "-1 * P(y)"),
        (sympy.Symbol("P(y)", real=True) ** -2, "1 / (P(y) * P(y))"),
        (2 * sympy.Symbol("P(y)", real=True) - 3, "2 * P(y) - 3"),
        (sympy.Symbol("P(x)", real=True) + sympy.Symbol("P(y)", real=True), "P(x) - (0 - P(y))"),
    ],
)
def test_algebra_is_written_with_what_formulas_have(whole: Any, text: str) -> None:
    assert str(from_sympy(whole)) == text


@pytest.mark.parametrize(
    ("whole", "told"),
    [
        (sympy.Symbol("alpha"), "alpha"),
        (sympy.Symbol("P(x) * P(y)"), "is no probability"),
        (sympy.sin(sympy.Symbol("P(y)")), "is no formula of probabilities"),
        (sympy.pi, "is no formula of probabilities"),
        (sympy.Float(0.5), "is no formula of probabilities"),
        (sympy.sqrt(sympy.Symbol("P(y)")), "is no formula of probabilities"),
        (sympy.Symbol("P(y)") ** 101, "is no formula of probabilities"),
        (sympy.nan, "is no formula of probabilities"),
    ],
)
def test_other_things_are_refused(whole: Any, told: str) -> None:
    with pytest.raises(TermError, match=told):
        from_sympy(whole)


def test_deep_formulas_are_refused() -> None:
    formula: Expression = parse_expression("P(y|z)")
    for _ in range(200):
        formula = Sum((symbol("Z"),), Product((formula, parse_expression("P(z)"))))
    with pytest.raises(TermError, match="more than 100 levels"):
        to_sympy(formula)


def test_dividing_by_nothing_is_refused() -> None:
    nothing = Ratio(ONE, parse_expression("P(y) - P(y)"))
    with pytest.raises(TermError, match="divides by 0"):
        to_sympy(nothing)


def test_shared_parts_are_made_once() -> None:
    formula: Expression = parse_expression("P(y)")
    for _ in range(60):
        formula = Ratio(Product((formula, formula)), Product((Const(2), formula)))
    assert fold(formula, lambda node, below: 1 + max(below, default=0)) == 121
    with pytest.raises(TermError, match="more than 100 levels"):
        to_sympy(formula)
