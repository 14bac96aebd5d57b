"""Probabilities of causation: textbook values, identities, and whose noise is shared."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from causalnet.errors import TermError
from causalnet.graphs import plain_graph
from causalnet.interventions import (
    Apply,
    Base,
    Query,
    Read,
    Scalar,
    Twins,
    event,
    joint,
    pn,
    pns,
    ps,
    value_of,
)
from causalnet.interventions.interpreter import SCM

BASE, SOURCE = Base("base"), Base("source")
Y = value_of("Y")
GRAPH = plain_graph({"X": (), "U": (), "M": ("X",), "Y": ("X", "U", "M")})


def population(table: list[int], units: list[int]) -> SCM:
    """Many units at once: Y is a table of X, the unit's type and M; X is 1 in the base."""

    def outcome(slots: Mapping[str, Any]) -> Any:
        return np.array(table)[slots["X"] * 8 + slots["M"] * 4 + slots["U"]]

    types = np.array(units)
    inputs = {
        "base": {"X": np.ones_like(types), "U": types},
        "source": {"X": np.zeros_like(types), "U": types},
    }
    return SCM(GRAPH, {"M": lambda slots: slots["X"], "Y": outcome}, inputs)


POPULATIONS = st.builds(
    population,
    st.lists(st.integers(0, 1), min_size=16, max_size=16),
    st.lists(st.integers(0, 3), min_size=1, max_size=12),
)


def means(query: Query, model: SCM) -> list[float]:
    """The mean of every row over the prompts on which the query is conditioned."""
    given = np.ones(1) if query.given is None else model.scalar(query.given)
    found = []
    for _, row in query.contrasts:
        values, weights = np.broadcast_arrays(model.scalar(row), given)
        found.append(float(np.sum(values * weights) / np.sum(weights)))
    return found


def probability(scalar: Scalar, model: SCM) -> float:
    return float(np.mean(model.scalar(scalar)))


@given(POPULATIONS)
def test_both_is_necessity_times_how_often_it_applies(model: SCM) -> None:
    """PNS = PN P(E) in the treated, and PS P(not E) in the controls (deterministic units)."""
    mediator = GRAPH.find("M")
    for treated in ((), mediator):
        factual = probability(event(Y, BASE), model)
        if factual > 0:
            [necessary] = means(pn(treated, outcome=Y), model)
            [both] = means(pns(treated, outcome=Y), model)
            np.testing.assert_allclose(both, necessary * factual)
        absent = 1 - probability(event(Y, SOURCE), model)
        if absent > 0:
            [sufficient] = means(ps(treated, outcome=Y), model)
            [both] = means(pns(treated, outcome=Y, direction="denoising"), model)
            np.testing.assert_allclose(both, sufficient * absent)


@given(POPULATIONS)
def test_both_is_bounded_by_the_experiments(model: SCM) -> None:
    """max(0, P(y_x) - P(y_x')) <= PNS <= min(P(y_x), P(y'_x')) (Tian and Pearl 2000)."""
    treated, control = (probability(event(Y, world), model) for world in (BASE, SOURCE))
    [both] = means(pns(outcome=Y), model)
    assert max(0.0, treated - control) - 1e-12 <= both <= min(treated, 1 - control) + 1e-12
    both_ways = means(pns(outcome=Y), model) + means(pns(outcome=Y, direction="denoising"), model)
    assert both_ways[0] == both_ways[1]  # the whole input leaves nothing to stay behind


def test_textbook_units() -> None:
    """Four types: always, only if treated, only if not, never; twice as many of the second."""
    responds = {0: (1, 1), 1: (0, 1), 2: (1, 0), 3: (0, 0)}  # (untreated, treated)
    table = [responds[unit][x] for x in (0, 1) for _ in (0, 1) for unit in range(4)]
    model = population(table, [0, 1, 1, 2, 3])
    assert means(pn(outcome=Y), model) == [2 / 3]  # of the types 0, 1, 1 that show it
    assert means(ps(outcome=Y), model) == [2 / 3]  # of the types 1, 1, 3 that do not
    assert means(pns(outcome=Y), model) == [2 / 5]
    m = GRAPH.find("M")
    assert means(pn(m, outcome=Y), model) == [0]  # M does nothing here
    assert means(pns([m, joint("again", m)], outcome=Y), model) == [0, 0]


COIN = plain_graph({"X": (), "C": (), "Y": ("X", "C")}, noise=("C",))


def coin_toss() -> SCM:
    """Y = X xor C with a fair coin C, whose tosses are decided by the world's noise key."""

    def toss(key: str, like: Any) -> Any:
        seed = int.from_bytes(f"{key}|{like}".encode(), "big") % 2**32
        return np.random.default_rng(seed).integers(0, 2, size=20_000)

    inputs = {"base": {"X": 1}, "source": {"X": 0}}
    return SCM(COIN, {"Y": lambda slots: slots["X"] ^ slots["C"]}, inputs, noise=toss)


def test_independent_noise_is_not_a_counterfactual() -> None:
    """The coin that fell is kept by a shared key: PN is 1; another coin makes it 0.5."""
    model = coin_toss()
    shared = Twins(Base("base", "u"), Base("source", "u"))
    apart = Twins(Base("base", "u"), Base("source", "v"))
    assert means(pn(outcome=Y, twins=shared), model) == [1.0]
    [independent] = means(pn(outcome=Y, twins=apart), model)
    assert independent == pytest.approx(0.5, abs=0.02)
    assert means(ps(outcome=Y, twins=shared), model) == [1.0]
    assert means(pns(outcome=Y, twins=shared), model)[0] == pytest.approx(0.5, abs=0.02)
    assert means(pns(outcome=Y, twins=apart), model)[0] == pytest.approx(0.25, abs=0.02)
    assert pn(outcome=Y, twins=shared) != pn(outcome=Y, twins=apart)


def test_what_they_condition_on_is_part_of_the_term() -> None:
    query = pn(GRAPH.find("M"), outcome=Y)
    assert query.given == event(Y, BASE)
    assert Read(Y, BASE) in query.leaves
    assert "given positive(value{Y}(<base>))" in str(query)
    assert ps(outcome=Y).given == Apply("not", (event(Y, SOURCE),))
    assert pns(outcome=Y).given is None
    assert [label for label, _ in pn(outcome=Y).contrasts] == ["input"]
    with pytest.raises(TermError, match="Positions without mediators"):
        pn(at="end", outcome=Y)
