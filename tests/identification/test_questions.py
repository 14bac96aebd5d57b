"""Every function that takes a question takes its text, and refuses what is none."""

from collections.abc import Callable
from typing import Any

import pytest

from causalnet.errors import ParameterError, TermError
from causalnet.graphs import ADMG
from causalnet.identification import (
    certify_not_identified,
    derive,
    identify,
    linear_bounds,
    natural_bounds,
    parse_question,
    search_derivation,
    simplify,
)
from causalnet.identification.evaluation import Table
from causalnet.identification.oracle import RandomModel
from causalnet.identification.sources import Distribution
from causalnet.identification.values import symbol

BOW = ADMG.of([("X", "Y")], [("X", "Y")])
TABLES: dict[Distribution, Table] = {Distribution(): RandomModel.of(BOW, 0).table(Distribution())}


def bounded(question: Any, graph: ADMG) -> object:
    return linear_bounds(question, graph, TABLES, at={symbol("X"): 1, symbol("Y"): 1})


ASKED: list[Callable[[Any, ADMG], object]] = [
    identify,
    derive,
    search_derivation,
    natural_bounds,
    certify_not_identified,
    bounded,
]


@pytest.mark.parametrize("ask", ASKED)
def test_text_is_read(ask: Callable[[Any, ADMG], object]) -> None:
    text = "P(y | do(x))"
    assert str(ask(text, BOW)) == str(ask(parse_question(text, BOW), BOW))
    with pytest.raises(TermError, match="column 3"):
        ask("P(|", BOW)
    with pytest.raises(ParameterError, match="42 is no question"):
        ask(42, BOW)


@pytest.mark.parametrize("ask", [derive, search_derivation, natural_bounds])
def test_only_effects_are_effects(ask: Callable[[Any, ADMG], object]) -> None:
    with pytest.raises(ParameterError, match="is no effect of an intervention"):
        ask("pns(X -> Y)", BOW)


def test_text_is_no_formula() -> None:
    with pytest.raises(ParameterError, match="parse_expression"):
        simplify("P(y)", BOW)  # type: ignore[arg-type]  # a wrong type on purpose
