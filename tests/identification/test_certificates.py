"""Two models with the same tables and different answers, and what is never certified."""

import random
from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from causalnet.errors import ParameterError
from causalnet.graphs.admg import ADMG
from causalnet.identification.answering import answered
from causalnet.identification.answers import Identified
from causalnet.identification.bounding.certificates import (
    Certificate,
    NotCertified,
    certify_not_identified,
)
from causalnet.identification.oracle import RandomModel
from causalnet.identification.queries import (
    Causation,
    Counterfactual,
    Effect,
    Fact,
    Mediation,
    PathSpecific,
    Potential,
    Question,
)
from causalnet.identification.reading.parsing import parse_question
from causalnet.identification.sources import Sources
from causalnet.identification.values import Value, symbol
from tests.graphs.random_admgs import admgs
from tests.identification.bounded_questions import (
    BOW,
    EFFECT,
    INSTRUMENT,
    X2,
    Y2,
    X,
    Y,
    Z,
    question_of,
)


@pytest.mark.parametrize(
    ("question", "graph"),
    [
        (EFFECT, BOW),
        (EFFECT, INSTRUMENT),
        (EFFECT, ADMG.of(directed=[("X", "M"), ("M", "Y")], bidirected=[("X", "M")])),
        (
            EFFECT,  # the district X, Z, Y lacks Z <-> Y
            ADMG.of(directed=[("X", "Y"), ("Z", "X")], bidirected=[("X", "Y"), ("X", "Z")]),
        ),
        (Causation("PNS", Y, X, Y2, X2), ADMG.of(directed=[("X", "Y")])),
        (Causation("PN", Y, X, Y2, X2), BOW),
        (
            EFFECT,  # front-door with a confounded mediator
            ADMG.of(directed=[("X", "Z"), ("Z", "Y")], bidirected=[("X", "Y"), ("Z", "Y")]),
        ),
        (
            Effect((Y,), (X,), (Z,)),
            ADMG.of(directed=[("X", "Y"), ("X", "Z")], bidirected=[("X", "Y"), ("X", "Z")]),
        ),
        (
            Causation("PNS", Y, X, Y2, X2),
            ADMG.of(directed=[("X", "Z"), ("Z", "Y")]),
        ),
    ],
)
def test_certificates(question: Question, graph: ADMG) -> None:
    found = certify_not_identified(question, graph)
    assert isinstance(found, Certificate)
    assert found.faults() == ()
    assert found.answers[1] - found.answers[0] > 1e-4
    low, high = (told_by(found, chances) for chances in (found.lower, found.upper))
    assert low[0] == pytest.approx(found.answers[0], abs=1e-7)
    assert high[0] == pytest.approx(found.answers[1], abs=1e-7)
    assert np.abs(low[1] - high[1]).max() < 1e-7


def told_by(found: Certificate, chances: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
    """The answer and P(V) in a model of a certificate, all units gone through one by one."""
    model, types = found.model, found.types
    nodes = model.graph.topological_order()
    drawn = [name for name in nodes if name not in types.variables]
    joint = np.zeros([2] * len(found.graph))
    both = below = 0.0
    for noise in np.ndindex(*(len(model.mechanisms[name].noise) for name in drawn)):
        weight = np.prod([model.mechanisms[v].noise[n] for v, n in zip(drawn, noise, strict=True)])
        unit = dict(zip(drawn, noise, strict=True))
        for number in np.flatnonzero(chances > 0):
            mass = float(weight * chances[number])

            def run(
                do: Mapping[str, int],
                unit: Mapping[str, int] = unit,
                number: np.int64 = number,
            ) -> dict[str, int]:
                level: dict[str, int] = {}
                for name in nodes:
                    above = [level[parent] for parent in model.graph.parents(name)]
                    if name in do:
                        level[name] = do[name]
                    elif name in unit:
                        level[name] = int(model.mechanisms[name].table[(*above, unit[name])])
                    else:
                        level[name] = int(types.respond(name, above)[number])
                return level

            seen = run({})
            joint[tuple(seen.get(name, 0) for name in found.graph.nodes)] += mass
            query = found.question
            if isinstance(query, Causation):
                query = query.counterfactual()
            if isinstance(query, Effect):
                world = run({v.variable: found.at[v] for v in query.treatments})
                among = all(world[v.variable] == found.at[v] for v in query.given)
                happens = all(world[v.variable] == found.at[v] for v in query.outcomes)
            else:
                assert isinstance(query, Counterfactual)
                among = all(holds(fact, found.at, run) for fact in query.given)
                happens = all(holds(fact, found.at, run) for fact in query.facts)
            both += mass * (among and happens)
            below += mass * among
    return both / below, joint


def holds(
    fact: Fact, at: Mapping[Value, int], run: Callable[[Mapping[str, int]], dict[str, int]]
) -> bool:
    do = {name: at[value] for name, value in fact.potential.do if isinstance(value, Value)}
    return run(do)[fact.potential.variable] == at[fact.value]


@settings(max_examples=60, deadline=None)
@given(admgs(3, 3), st.integers(0, 2**32))
def test_nothing_that_is_identified_is_certified(graph: ADMG, seed: int) -> None:
    question = question_of(random.Random(seed), graph)
    if isinstance(question, Causation):
        question = question.counterfactual()
    found = certify_not_identified(question, graph, seeds=range(1))
    if isinstance(answered(question, graph, verify=0), Identified):
        assert isinstance(found, NotCertified)
    elif isinstance(found, Certificate):
        assert found.faults() == ()


def test_certificates_that_were_tampered_with() -> None:
    found = certify_not_identified(EFFECT, BOW)
    assert isinstance(found, Certificate)
    uniform = np.full(len(found.types), 1 / len(found.types))
    assert "does not have these tables" in replace(found, lower=uniform).faults()[0]
    assert "the same answer" in replace(found, lower=found.upper).faults()[0]
    smaller = ADMG.of(directed=[("X", "Y")])
    assert "an edge that the graph does not have" in replace(found, graph=smaller).faults()[0]
    alone = replace(found, model=RandomModel.of(smaller, 0))
    assert "do not share a bidirected edge" in alone.faults()[0]
    assert "the answers are" in replace(found, answers=(0.0, 1.0)).faults()[0]


def test_contrasts_and_path_specific_effects_are_certified() -> None:
    graph = ADMG.of(directed=[("X", "M"), ("M", "Y"), ("X", "Y")], bidirected=[("M", "Y")])
    direct = Mediation("NDE", (Y,), (X,), (X2,), ("M",))
    along = PathSpecific((Y,), (X,), (X2,), (("X", "Y"),))
    for question in (direct, along):
        found = certify_not_identified(question, graph)
        assert isinstance(found, Certificate) and found.faults() == ()


def test_certificates_are_for_few_variables() -> None:
    names = "ABCDEFGHI"
    chain = ADMG.of(directed=list(pairwise(names)))
    with pytest.raises(ParameterError, match="9 variables"):
        certify_not_identified(Effect((symbol("I"),), (symbol("A"),)), chain)
    many = ADMG.of(directed=[(a, "Y") for a in "ABC"], bidirected=[("A", "Y")])
    found = certify_not_identified(Effect((Y,), (symbol("A"),)), many, most_types=100)
    assert isinstance(found, NotCertified) and "response types" in found.reason


def test_certificates_take_experiments_into_account() -> None:
    both = Sources.of([[], ["X"]])
    assert isinstance(certify_not_identified(EFFECT, BOW, both), NotCertified)
    joint = certify_not_identified(Causation("PNS", Y, X, Y2, X2), BOW, both)
    assert isinstance(joint, Certificate) and joint.faults() == ()
    third = Counterfactual(
        tuple(Fact(Potential.of("Y", {"X": symbol("X", k)}), Y) for k in range(3))
    )
    with pytest.raises(ParameterError, match="third value"):
        certify_not_identified(third, BOW)


def test_a_condition_that_does_not_happen_in_some_models_blames_no_tables() -> None:
    graph = ADMG.of(directed=[("Z", "Y")], nodes=list("XYZ"))
    question = parse_question("P(x | y{z'}, y{z})", graph)
    assert isinstance(certify_not_identified(question, graph), NotCertified)
