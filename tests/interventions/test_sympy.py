"""Scalars as sympy expressions: the same numbers, and the identities of effects as algebra."""

import sys
from subprocess import run
from typing import Any

import numpy as np
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

from causalnet.errors import TermError
from causalnet.interventions import (
    Apply,
    Base,
    Contrast,
    Query,
    Read,
    Scalar,
    evaluate_scalar,
    leaves_of,
    mi,
    nde,
    nie,
    tde,
    te,
    tie,
    value_of,
)
from causalnet.interventions.algebra import from_sympy, symbols_of, to_sympy
from tests.interventions.terms import GRAPH

MEDIATOR = GRAPH.find("L1.H2")
READS = [Read(value_of(name), Base(world)) for name in "YZ" for world in ("base", "source")]
WEIGHTS = st.sampled_from((1.0, -1.0, 0.5, 1 / 3, 0.1, 3.0, 0.0)) | st.floats(-100, 100)


def combined(inside: st.SearchStrategy[Scalar]) -> st.SearchStrategy[Scalar]:
    sums: st.SearchStrategy[Scalar] = st.builds(
        Contrast, st.lists(st.tuples(WEIGHTS, inside), max_size=3).map(tuple)
    )
    functions = st.sampled_from((("ratio", 2), ("positive", 1), ("not", 1), ("and", 2)))
    applied = functions.flatmap(
        lambda function: st.tuples(*[inside] * function[1]).map(
            lambda arguments: Apply(function[0], arguments)
        )
    )
    return sums | applied


LEAVES: st.SearchStrategy[Scalar] = st.sampled_from(READS)
LINEAR: st.SearchStrategy[Scalar] = st.recursive(
    LEAVES,
    lambda inside: st.builds(Contrast, st.lists(st.tuples(WEIGHTS, inside), max_size=3).map(tuple)),
    max_leaves=5,
)
SCALARS: st.SearchStrategy[Scalar] = st.recursive(LEAVES, combined, max_leaves=4)


def numbers(scalar: Scalar, values: dict[Any, Any]) -> float:
    with np.errstate(all="ignore"):
        return float(evaluate_scalar(scalar, values)[0])


@settings(max_examples=60, deadline=None)
@given(SCALARS, st.lists(st.integers(-3, 3).filter(bool), min_size=4, max_size=4))
def test_expressions_have_the_values_of_scalars(scalar: Scalar, drawn: list[int]) -> None:
    """Oracle: `evaluate_scalar`, to 1e-9 relative; ratios by 0 are left out."""
    values = {read: np.array([float(each)]) for read, each in zip(READS, drawn, strict=True)}
    expected = numbers(scalar, values)
    if not np.isfinite(expected):
        return
    symbols = symbols_of(scalar)
    try:
        expression = to_sympy(scalar)
    except TermError:
        pytest.fail("shallow scalars have an expression")
    given_values = {symbol: drawn[READS.index(leaf)] for symbol, leaf in symbols.items()}  # type: ignore[arg-type]  # leaves are READS
    assert float(expression.subs(given_values)) == pytest.approx(expected, rel=1e-9, abs=1e-9)


@settings(max_examples=60, deadline=None)
@given(LINEAR)
def test_linear_expressions_are_contrasts(scalar: Scalar) -> None:
    symbols = symbols_of(scalar)
    again = from_sympy(to_sympy(scalar), symbols)
    values = {leaf: np.array([float(3**i)]) for i, leaf in enumerate(READS)}
    if leaves_of(again):
        assert numbers(again, values) == pytest.approx(numbers(scalar, values), rel=1e-9, abs=1e-9)
    assert set(leaves_of(again)) <= set(leaves_of(scalar))
    assert all(weight for weight, _ in again.terms)


def test_weights_too_small_for_a_float_are_left_out() -> None:
    tiny = Contrast(((1e-200, READS[0]), (1.0, READS[1])))
    product = Contrast(((1e-200, tiny),))
    again = from_sympy(to_sympy(product), symbols_of(product))
    assert again.terms == ((1e-200, READS[1]),)


def row(query: Query) -> Scalar:
    [(_, scalar)] = query.contrasts
    return scalar


def test_effects_add_up_as_algebra() -> None:
    total = to_sympy(row(te()))
    direct, indirect, whole_indirect, whole_direct, mediated = (
        to_sympy(row(made(MEDIATOR))) for made in (nde, nie, tie, tde, mi)
    )
    assert total - direct - whole_indirect == 0
    assert total - indirect - whole_direct == 0
    assert total - direct - indirect - mediated == 0
    assert total - direct - indirect != 0


def test_expressions_can_be_solved_and_substituted() -> None:
    symbols = symbols_of(row(te()), row(nie(MEDIATOR)))
    base = next(
        symbol for symbol, leaf in symbols.items() if leaf == Read(te().readout, Base("base"))
    )
    at_zero = to_sympy(row(nie(MEDIATOR))).subs({base: 0})
    assert len(at_zero.free_symbols) == 1
    back = from_sympy(to_sympy(row(te())) - to_sympy(row(nie(MEDIATOR))), symbols)
    assert to_sympy(back) == to_sympy(row(tde(MEDIATOR)))


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda y, z: y * z, "is no linear combination"),
        (lambda y, z: y + 1, "is no linear combination"),
        (lambda y, z: y / z, "is no linear combination"),
        (lambda y, z: y**2, "is no linear combination"),
        (lambda y, z: y + sympy.Symbol("other"), "The symbol 'other' stands for no read-out"),
    ],
)
def test_what_is_not_linear_is_refused(make: Any, told: str) -> None:
    symbols = symbols_of(Apply("and", (READS[0], READS[2])))
    with pytest.raises(TermError, match=told):
        from_sympy(make(*symbols), symbols)


def test_deep_sums_are_flat_and_deep_functions_refused() -> None:
    total: Scalar = READS[0]
    for _ in range(10_000):
        total = Contrast(((1.0, total), (0.5, READS[1])))
    assert len(from_sympy(to_sympy(total), symbols_of(total)).terms) == 2
    nested: Scalar = READS[0]
    for _ in range(10_000):
        nested = Apply("ratio", (READS[1], nested))
    with pytest.raises(TermError, match="More than 100 functions inside one another"):
        to_sympy(nested)


def test_sympy_is_loaded_on_request_only() -> None:
    code = "import causalnet.interventions, sys; print('sympy' in sys.modules)"
    done = run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
