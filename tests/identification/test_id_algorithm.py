"""ID, IDC, gID and transport against enumeration, on random graphs and on known cases."""

import random
from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest

from causalnet.errors import TermError, UnknownMediatorError
from causalnet.graphs import ADMG
from causalnet.identification.algorithms.id_algorithm import identify_effect
from causalnet.identification.algorithms.witnesses import hedge_faults, thicket_faults
from causalnet.identification.answers import Hedge, Identified, NotIdentified, Thicket
from causalnet.identification.evaluation import evaluate
from causalnet.identification.expressions import Expression, Prob, fold
from causalnet.identification.oracle import RandomModel
from causalnet.identification.queries import Effect
from causalnet.identification.sources import OBSERVED, Sources
from causalnet.identification.values import Value, symbol
from tests.identification.cases import Case, cases

KINDS = ("ID", "IDC", "gID", "transport")


def worst(found: Identified, seeds: Sequence[int]) -> float:
    """The largest difference from the truth, over models and all values of all free symbols."""
    differences = [0.0]
    for seed in seeds:
        model = RandomModel.of(found.graph, seed, differs=dict(found.sources.differs))
        told, truth = evaluate(found.estimand, model.table), model.truth(found.query)
        axes = tuple(sorted({*told.axes, *truth.axes}))
        differences.append(float(np.max(np.abs(told.aligned(axes) - truth.aligned(axes)))))
    return max(differences)


def drawn(draw: random.Random) -> ADMG:
    """A graph of 4 to 7 nodes, sparse or dense."""
    names = [f"V{at}" for at in range(draw.randint(4, 7))]
    order = draw.sample(names, len(names))
    pairs = [(a, b) for at, a in enumerate(order) for b in order[at + 1 :]]
    arrows, arcs = draw.choice([0.2, 0.45, 0.7]), draw.choice([0.1, 0.3, 0.5])
    return ADMG.of(
        [pair for pair in pairs if draw.random() < arrows],
        [pair for pair in pairs if draw.random() < arcs],
        names,
    )


def asked(draw: random.Random, graph: ADMG, conditions: int) -> Effect:
    names = draw.sample(graph.nodes, len(graph))
    x, y = draw.randint(1, 2), draw.randint(1, 2)
    given = names[x + y : x + y + conditions]
    return Effect(*(tuple(map(symbol, each)) for each in (names[x : x + y], names[:x], given)))


def sources(draw: random.Random, graph: ADMG, kind: str) -> Sources:
    def some(chance: float) -> list[str]:
        return [name for name in graph.nodes if draw.random() < chance]

    match kind:
        case "gID":
            experiments = [some(0.35) for _ in range(draw.randint(1, 3))]
            return Sources.of(experiments + [[]] * (draw.random() < 0.6))
        case "transport":
            here: list[list[str]] = [[]] * (draw.random() < 0.5)
            return Sources.of(here, {"a": [some(0.3), []]}, {"a": some(0.3)})
        case _:
            return OBSERVED


@pytest.mark.parametrize("kind", KINDS)
def test_formulas_are_the_truth_and_witnesses_hold(kind: str) -> None:
    draw, verdicts = random.Random(kind), Counter[type]()
    for _ in range(800):
        graph = drawn(draw)
        query = asked(draw, graph, draw.randint(1, 2) if kind == "IDC" else 0)
        found = identify_effect(query, graph, sources(draw, graph, kind))  # validates witnesses
        verdicts[type(found)] += 1
        if isinstance(found, Identified):
            assert worst(found, [0, 1]) < 1e-9, (graph, query, found)
    assert min(verdicts[Identified], verdicts[NotIdentified]) >= 60


@pytest.mark.parametrize("case", cases(*KINDS), ids=repr)
def test_known_answers(case: Case) -> None:
    assert isinstance(case.question, Effect)
    found = identify_effect(case.question, case.graph, case.sources)
    assert isinstance(found, Identified) == case.identified
    if isinstance(found, Identified):
        assert worst(found, range(4)) < 1e-9


def effect(text: str, graph: ADMG) -> Identified | NotIdentified:
    outcomes, treatments = (tuple(map(symbol, part.split())) for part in text.split("|"))
    return identify_effect(Effect(outcomes, treatments), graph)


NAPKIN = ADMG.of([("W", "Z"), ("Z", "X"), ("X", "Y")], [("W", "X"), ("W", "Y")])


def test_the_napkin_keeps_its_ratio() -> None:
    found = effect("Y | X", NAPKIN)
    assert isinstance(found, Identified)
    assert worst(found, range(4)) < 1e-9
    wrong = Identified(found.query, NAPKIN, _conditional("Y", "X"), found.derivation)
    assert worst(wrong, range(2)) > 1e-3  # what is returned where the current factor is forgotten


def _conditional(of: str, given: str) -> Prob:
    return Prob((symbol(of),), (symbol(given),))


def test_symbols_of_the_query_are_kept_apart_from_bound_ones() -> None:
    graph = ADMG.of([("X", "Z"), ("Z", "Y")], [("X", "Y")])
    for x in (Value("X", "x'"), Value("X", "1"), Value("X", "treated")):
        found = identify_effect(Effect((symbol("Y"),), (x,)), graph)
        assert isinstance(found, Identified)
        assert found.estimand.free == {v for v in (symbol("Y"), x) if v.level is None}
        assert worst(found, [0]) < 1e-9


def test_variables_that_are_not_needed_are_left_out() -> None:
    chain = [("A", "B"), ("B", "C"), ("C", "X"), ("X", "Y"), ("A", "Y")]
    found = effect("Y | X", ADMG.of(chain))
    assert isinstance(found, Identified)
    assert {value.variable for value in _atoms(found)} <= {"X", "Y", "A", "B", "C"}
    assert len({value.variable for value in _atoms(found)}) == 3
    assert "latent projection" in str(found.derivation)


def _atoms(found: Identified) -> set[Value]:
    seen: set[Value] = set()

    def visit(node: Expression, below: tuple[None, ...]) -> None:
        if isinstance(node, Prob):
            seen.update((*node.of, *node.given, *node.do))

    fold(found.estimand, visit)
    return seen


def test_altered_witnesses_are_refused() -> None:
    bow = ADMG.of([("X", "Y"), ("Z", "X")], [("X", "Y")])
    found = effect("Y | X", bow)
    assert isinstance(found, NotIdentified) and isinstance(found.witness, Hedge)
    hedge = found.witness
    x, y, z = (frozenset(each) for each in "XYZ")
    assert not hedge_faults(hedge, bow, ["X"], ["Y"])
    altered = [
        Hedge(hedge.inner, hedge.inner, hedge.roots),
        Hedge(hedge.outer | z, hedge.inner, hedge.roots),
        Hedge(hedge.outer, hedge.outer, hedge.roots),
        Hedge(hedge.outer, hedge.inner, x),
        Hedge(hedge.outer, hedge.inner, frozenset()),
        Hedge(x | z, x, x),
    ]
    assert all(hedge_faults(each, bow, ["X"], ["Y"]) for each in altered)
    assert hedge_faults(hedge, bow, ["Z"], ["Y"])
    assert hedge_faults(hedge, bow.cut_in("Y"), ["X"], ["Y"])
    assert y == hedge.roots


def test_thickets_look_at_every_distribution() -> None:
    graph = ADMG.of([("Z", "X"), ("X", "Y")], [("X", "Y")])
    known = Sources.of([[], ["Z"]])
    found = identify_effect(Effect((symbol("Y"),), (symbol("X"),)), graph, known)
    assert isinstance(found, NotIdentified) and isinstance(found.witness, Thicket)
    assert not thicket_faults(found.witness, graph, ["X"], ["Y"], known)
    part = Thicket(found.witness.factor, found.witness.hedges[:1])
    assert thicket_faults(part, graph, ["X"], ["Y"], known)
    assert "P(V given do(Z))" in str(found)


def test_a_domain_that_differs_is_not_used_where_it_does() -> None:
    graph = ADMG.of([("X", "Y")], [("X", "Y")])
    query = Effect((symbol("Y"),), (symbol("X"),))
    same = identify_effect(query, graph, Sources.of([[]], {"a": [["X"]]}, {"a": ["X"]}))
    other = identify_effect(query, graph, Sources.of([[]], {"a": [["X"]]}, {"a": ["Y"]}))
    assert isinstance(same, Identified) and str(same.estimand) == "P{a}[x](y)"
    assert isinstance(other, NotIdentified) and "set or differs" in str(other)


def test_what_is_not_there_is_told_with_the_nearest() -> None:
    with pytest.raises(UnknownMediatorError, match="Nearest: 'Alpha'"):
        identify_effect(Effect((symbol("Alpja"),)), ADMG.of(nodes=["Alpha"]))
    with pytest.raises(UnknownMediatorError, match="Unknown node 'Q'"):
        identify_effect(Effect((symbol("Y"),)), ADMG.of(nodes=["Y"]), Sources.of([["Q"]]))
    with pytest.raises(TermError, match="an outcome and a treatment at once"):
        Effect((symbol("X"),), (symbol("X"),))
    with pytest.raises(TermError, match="no outcome"):
        Effect(())
