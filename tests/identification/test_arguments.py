"""Arguments of another kind, odd names and empty sources are refused or understood at once."""

from collections.abc import Callable
from itertools import pairwise

import pytest

from causalnet.errors import CausalNetError, ParameterError
from causalnet.graphs import ADMG
from causalnet.identification import (
    Causation,
    Counterfactual,
    Distribution,
    Effect,
    Fact,
    Identified,
    Sources,
    Value,
    identify,
    symbol,
)

BOW = ADMG.of([("X", "Y")], [("X", "Y")])
MADE: list[Callable[[], object]] = [
    lambda: Sources.of(None),  # type: ignore[arg-type]  # wrong types on purpose, here and below
    lambda: Sources.of([[1]]),  # type: ignore[list-item]
    lambda: Sources.of([]),
    lambda: Sources(("X",)),  # type: ignore[arg-type]
    lambda: Sources.of([], {1: [["X"]]}),  # type: ignore[dict-item]
    lambda: Distribution(("X",), 1),  # type: ignore[arg-type]
    lambda: Counterfactual(5),  # type: ignore[arg-type]
    lambda: Counterfactual((symbol("Y"),)),  # type: ignore[arg-type]
    lambda: Effect(symbol("Y")),  # type: ignore[arg-type]
    lambda: Effect((Value(1, "y"),)),  # type: ignore[arg-type]
    lambda: Fact(1, 1),  # type: ignore[arg-type]
    lambda: Causation("PN", 1, 2, 3, 4),  # type: ignore[arg-type]
    lambda: identify("P(y)", BOW, sources="P(V)"),  # type: ignore[call-overload]
]


@pytest.mark.parametrize("made", MADE)
def test_other_kinds_are_refused(made: Callable[[], object]) -> None:
    with pytest.raises(CausalNetError) as error:
        made()
    assert error.value.came and error.value.write


def test_a_domain_that_is_not_known_does_not_differ() -> None:
    with pytest.raises(ParameterError, match="Nothing is known of the domain 'b'"):
        Sources.of([[]], {"a": [["X"]]}, {"b": ["Y"]})
    with pytest.raises(ParameterError, match="Nothing is known of the domain ''"):
        Sources.of([["X"]], None, {"": ["Y"]})


def test_experiments_are_sets_of_names() -> None:
    assert Distribution(("Z", "X", "Z")) == Distribution(("X", "Z"))
    assert Sources.of(["Z1"]) == Sources.of([["Z1"]])
    known = Sources((Distribution(("Z", "X")),))
    found = identify("P(y | do(x))", ADMG.of(BOW.directed, BOW.bidirected, ["Z"]), sources=known)
    assert isinstance(found, Identified) and str(found.estimand) == "P[x,z](y)"


def test_variables_may_be_named_by_numbers() -> None:
    graph = ADMG.of([("0", "2"), ("2", "1")], [("0", "1")])
    found = identify(Effect((symbol("1"),), (symbol("0"),)), graph)
    assert isinstance(found, Identified) and found.check.models
    assert found.estimand.free == {symbol("0"), symbol("1")}


def test_a_number_of_many_digits_is_a_symbol() -> None:
    assert Value("Y", "9" * 5000).level is None and Value("Y", "٣").level is None
    assert Value("Y", "12").level == 12


def test_a_check_that_takes_long_is_not_begun() -> None:
    nodes = [f"V{at}" for at in range(300)]
    chain = list(pairwise(nodes))
    graph = ADMG.of(chain, list(zip(nodes, nodes[2:], strict=False)))
    found = identify("P(v299 | do(v0))", graph)
    assert isinstance(found, Identified) and "operations" in found.check.reason
