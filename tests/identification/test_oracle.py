"""Random models, held to answers that are counted with fractions, unit by unit."""

import random
from collections.abc import Mapping, Sequence

import numpy as np
import pytest
from hypothesis import given, settings

from causalnet.errors import ParameterError, TermError, UnknownMediatorError
from causalnet.graphs import ADMG
from causalnet.identification.evaluation import evaluate
from causalnet.identification.expressions import Prob, Sum
from causalnet.identification.oracle import RandomModel, distinct, table_cost
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
from causalnet.identification.sources import Distribution
from causalnet.identification.values import Value, symbol
from tests.graphs.random_admgs import SEEDS, admgs
from tests.identification.counted_models import CountedModel, assignments

X, Y, M = map(symbol, "XYM")
X1 = symbol("X", 1)
BOW = ADMG.of(directed=[("X", "M"), ("M", "Y"), ("X", "Y")], bidirected=[("X", "Y")])


def some_value(draw: random.Random, variable: str) -> Value:
    return Value(variable, draw.choice([variable.lower(), f"{variable.lower()}'", "1"]))


def potential(draw: random.Random, nodes: Sequence[str], depth: int) -> Potential:
    """A variable in some world; half of the values it takes there come from yet another one."""
    variable = draw.choice(nodes)
    do: dict[str, Value | Potential] = {}
    for name in draw.sample(list(nodes), draw.randint(0, 2)):
        if depth and draw.random() < 0.5:
            do[name] = Potential(name, potential(draw, nodes, depth - 1).do)
        else:
            do[name] = some_value(draw, name)
    return Potential.of(variable, do)


def facts(draw: random.Random, nodes: Sequence[str], number: int) -> tuple[Fact, ...]:
    drawn = [potential(draw, nodes, 2) for _ in range(number)]
    return tuple(Fact(each, some_value(draw, each.variable)) for each in drawn)


def question(draw: random.Random, graph: ADMG) -> Question:
    nodes = list(graph.nodes)
    y, *others = draw.sample(nodes, len(nodes))
    some = others[: draw.randint(1, min(2, len(others)))]
    rest = others[len(some) :]
    active = tuple(symbol(v) for v in some)
    baseline = tuple(some_value(draw, v) for v in some)
    outcomes = (some_value(draw, y),)
    match draw.choice(["effect", "counterfactual", "path", "mediation", "causation"]):
        case "effect":
            return Effect(outcomes, active, tuple(some_value(draw, v) for v in rest[:1]))
        case "path":
            edges = [edge for edge in graph.directed if draw.random() < 0.6]
            return PathSpecific(outcomes, active, baseline, tuple(edges))
        case "mediation" if rest:
            kind = draw.choice(["TE", "CDE", "NDE", "NIE"])
            mediators = tuple(rest[:1]) if kind != "TE" else ()
            held = tuple(some_value(draw, v) for v in mediators) if kind == "CDE" else ()
            return Mediation(kind, outcomes, active, baseline, mediators, held)  # type: ignore[arg-type]  # drawn
        case "causation":
            x = some[0]
            kind = draw.choice(["PN", "PS", "PNS"])
            return Causation(kind, symbol(y), symbol(x), symbol(y, 1), symbol(x, 1))  # type: ignore[arg-type]  # drawn
    return Counterfactual(
        facts(draw, nodes, draw.randint(1, 2)), facts(draw, nodes, draw.randint(0, 1))
    )


def cardinalities(draw: random.Random, graph: ADMG) -> dict[str, int]:
    return {name: 3 for name in graph.nodes if draw.random() < 0.2}


@settings(max_examples=60)
@given(admgs(2, 4), SEEDS)
def test_the_truth_is_what_units_do(graph: ADMG, seed: int) -> None:
    draw = random.Random(seed)
    model = RandomModel.of(graph, seed, cardinalities=cardinalities(draw, graph))
    if model.exogenous_states > 1500:
        return
    asked, counted = question(draw, graph), CountedModel(model)
    told = model.truth(asked)
    every = list(assignments(told.axes, model.levels))
    for free in draw.sample(every, min(len(every), 4)):
        expected, found = counted.answer(asked, free), told.at(free)
        assert np.isnan(found) if expected is None else abs(found - expected) < 1e-12


@settings(max_examples=40)
@given(admgs(2, 4), SEEDS)
def test_tables_are_what_units_do(graph: ADMG, seed: int) -> None:
    draw = random.Random(seed)
    differs = {"elsewhere": draw.sample(graph.nodes, 1)}
    model = RandomModel.of(graph, seed, cardinalities=cardinalities(draw, graph), differs=differs)
    if model.exogenous_states > 1500:
        return
    do = tuple(sorted(draw.sample(graph.nodes, draw.randint(0, 2))))
    domain = draw.choice(["", "elsewhere"])
    table, counted = model.table(Distribution(do, domain)), CountedModel(model, domain)
    assert table.variables == graph.nodes
    symbols = {v: symbol(v) for v in graph.nodes}
    every = list(assignments(tuple(symbols.values()), model.levels))
    for free in draw.sample(every, min(len(every), 6)):
        held = {v: free[symbols[v]] for v in do}
        wanted = {v: free[symbols[v]] for v in graph.nodes}
        expected = counted.share(
            lambda u, held=held, wanted=wanted: counted.world(u, held) == wanted
        )
        assert abs(table.array[tuple(wanted.values())] - expected) < 1e-12


@settings(max_examples=40)
@given(admgs(2, 6), SEEDS)
def test_observed_probabilities_are_positive(graph: ADMG, seed: int) -> None:
    model = RandomModel.of(graph, seed)
    table = model.table(Distribution()).array
    assert table.min() > 0
    assert table.sum() == pytest.approx(1)


@given(admgs(2, 6), SEEDS)
@settings(max_examples=40)
def test_other_domains_differ_where_they_are_said_to(graph: ADMG, seed: int) -> None:
    chosen = random.Random(seed).choice(graph.nodes)
    model = RandomModel.of(graph, seed, differs={"a": [chosen], "b": []})
    for name in graph.nodes:
        assert (model.mechanism(name, "a") is model.mechanism(name)) == (name != chosen)
        assert model.mechanism(name, "b") is model.mechanism(name)
    rest = tuple(sorted({*graph.nodes} - {chosen}))
    here, there = model.table(Distribution(rest)), model.table(Distribution(rest, "a"))
    assert not np.allclose(here.array, there.array)


def test_the_same_seed_gives_the_same_model() -> None:
    query = Counterfactual((Fact(Potential.of("Y", {"X": X}), Y),), (Fact(Potential("X"), X1),))
    one, same, other = (RandomModel.of(BOW, seed).truth(query) for seed in (3, 3, 4))
    assert np.array_equal(one.array, same.array)
    assert not np.allclose(one.array, other.array)


def test_portions_add_up(monkeypatch: pytest.MonkeyPatch) -> None:
    query = PathSpecific((Y,), (X,), (X1,), (("X", "Y"),))
    model = RandomModel.of(BOW, 1)
    whole = model.truth(query)
    monkeypatch.setattr("causalnet.identification.counting._AT_ONCE", 50)
    assert np.allclose(model.truth(query).array, whole.array, atol=1e-14)


def test_equal_values_of_different_symbols_have_a_truth() -> None:
    query = Counterfactual((Fact(Potential.of("Y", {"X": X}), Y),), (Fact(Potential("X"), X1),))
    model = RandomModel.of(BOW, 0)
    told = model.truth(query)
    table = model.table(Distribution()).array
    for x in (0, 1):  # consistency: among those who took x, Y{x} is Y
        joint = table.sum(axis=BOW.nodes.index("M"))
        order = [v for v in BOW.nodes if v != "M"]
        at = {v: i for i, v in enumerate(order)}
        observed = np.moveaxis(joint, (at["X"], at["Y"]), (0, 1))
        assert told.at({X: x, X1: x, Y: 1}) == pytest.approx(observed[x, 1] / observed[x].sum())
    assert distinct(told).sum() == told.array.size / 2


def test_levels_differ_from_symbols() -> None:
    told = RandomModel.of(BOW, 0).truth(Effect((Y,), (X,)))
    assert distinct(told, [Value("X", "1")]).tolist() == [[True, True], [False, False]]
    assert distinct(told, [Value("X", "x"), Value("M", "0")]).all()


def test_impossible_conditions_have_no_answer() -> None:
    in_one_world = (Fact(Potential("X"), Value("X", "0")), Fact(Potential("X"), X1))
    told = RandomModel.of(BOW, 0).truth(Counterfactual((Fact(Potential("Y"), Y),), in_one_world))
    assert np.isnan(told.array[1]).all()
    assert np.isfinite(told.array[0]).all()


def test_contrasts_are_differences_of_counterfactuals() -> None:
    te = Mediation("TE", (Y,), (X,), (X1,))
    nde = Mediation("NDE", (Y,), (X,), (X1,), ("M",))
    nie = Mediation("NIE", (Y,), (X,), (X1,), ("M",))
    model = RandomModel.of(BOW, 2)
    total, direct, indirect = (model.truth(each).array for each in (te, nde, nie))
    # TE = NDE - NIE of the reverse comparison (Pearl 2001); exchanging x and x' is a transposition
    assert np.allclose(total, direct - indirect.swapaxes(0, 1))
    assert not np.allclose(total, direct)
    one, other = Mediation("CDE", (Y,), (X,), (X1,), ("M",), (M,)).terms()
    assert (str(one), str(other)) == ("P(y{m, x})", "P(y{m, x'})")


def test_samples_follow_the_tables() -> None:
    model = RandomModel.of(BOW, 5, cardinalities={"M": 3}, differs={"a": ["M"]})
    for held, domain in (({}, ""), ({"X": 1}, "a")):
        drawn = model.sample(200_000, 7, do=held, domain=domain)
        assert tuple(drawn) == BOW.nodes
        counts = np.zeros([model.levels[v] for v in BOW.nodes])
        np.add.at(counts, tuple(drawn.values()), 1 / 200_000)
        expected = model.table(Distribution(tuple(held), domain)).array
        if held:
            at = [slice(None)] * 3
            at[BOW.nodes.index("X")] = slice(0, 1)
            expected = expected.copy()
            expected[tuple(at)] = 0
        assert np.abs(counts - expected).max() < 5e-3
    assert np.array_equal(model.sample(9, 1)["Y"], model.sample(9, 1)["Y"])


def test_tables_of_a_dozen_nodes_are_made() -> None:
    names = [f"V{k}" for k in range(12)]
    edges = [(a, b) for at, a in enumerate(names) for b in names[at + 1 :: 3]]
    arcs = [(a, b) for at, a in enumerate(names) for b in names[at + 1 :: 5]]
    model = RandomModel.of(ADMG.of(edges, arcs, names), 0)
    assert model.table(Distribution(("V3",))).array.sum() == pytest.approx(2)


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda m: m.truth(Effect((symbol("Q"),))), UnknownMediatorError, "Q"),
        (lambda m: m.table(Distribution(("Q",))), UnknownMediatorError, "Q"),
        (lambda m: m.table(Distribution((), "a")), ParameterError, "no domain 'a'. It has: ''"),
        (lambda m: m.sample(3, do={"Q": 1}), UnknownMediatorError, "Q"),
        (lambda m: m.sample(3, do={"X": 2}), ParameterError, "X=2 is at level 2"),
        (
            lambda m: m.truth(Counterfactual((Fact(Potential("Q"), symbol("Q")),))),
            UnknownMediatorError,
            "Q",
        ),
        (
            lambda m: m.truth(Counterfactual((Fact(Potential("Y"), Value("Y", "2")),))),
            ParameterError,
            "level 2, and 'Y' has 2 levels",
        ),
        (
            lambda m: m.truth(PathSpecific((Y,), (X,), (X1,), ()), at_most=10),
            ParameterError,
            "have 54 states. At most 10",
        ),
    ],
)
def test_what_cannot_be_is_refused(call: object, error: type[Exception], match: str) -> None:
    assert callable(call)
    with pytest.raises(error, match=match):
        call(RandomModel.of(BOW, 0))


def test_models_need_two_levels_and_known_names() -> None:
    with pytest.raises(ParameterError, match="'M' has 1 levels"):
        RandomModel.of(BOW, 0, cardinalities={"M": 1})
    with pytest.raises(UnknownMediatorError, match="Q"):
        RandomModel.of(BOW, 0, cardinalities={"Q": 2})
    with pytest.raises(UnknownMediatorError, match="Q"):
        RandomModel.of(BOW, 0, differs={"a": ["Q"]})


def test_deep_nesting_is_refused() -> None:
    nested: Value | Potential = X
    for k in range(60):
        nested = Potential.of("MX"[k % 2 == 1], {"XM"[k % 2 == 1]: nested})
    asked = Fact(Potential.of("Y", {nested.variable: nested}), Y)
    with pytest.raises(TermError, match="more than 50 deep"):
        RandomModel.of(BOW, 0).truth(Counterfactual((asked,)))


def test_a_mapping_of_cardinalities_is_kept() -> None:
    levels: Mapping[str, int] = RandomModel.of(BOW, 0, cardinalities={"M": 4}).levels
    assert dict(levels) == {"X": 2, "M": 4, "Y": 2}


@settings(max_examples=40)
@given(admgs(2, 6), SEEDS)
def test_margins_are_sums_of_tables(graph: ADMG, seed: int) -> None:
    draw = random.Random(seed)
    model = RandomModel.of(graph, seed, cardinalities=cardinalities(draw, graph))
    do = tuple(sorted(draw.sample(graph.nodes, draw.randint(0, 2))))
    some = draw.sample(graph.nodes, draw.randint(1, len(graph)))
    margin = model.margin(Distribution(do), some)
    whole = model.table(Distribution(do))
    assert margin.variables == tuple(v for v in graph.nodes if v in {*some, *do})
    left = tuple(at for at, v in enumerate(graph.nodes) if v not in margin.variables)
    assert np.allclose(margin.array, whole.array.sum(axis=left), atol=1e-12)


def test_margins_of_long_chains_are_made() -> None:
    chain = ADMG.of(directed=[(f"V{k}", f"V{k + 1}") for k in range(60)])
    model = RandomModel.of(chain, 0)
    first, last = symbol("V0"), symbol("V60")
    seen = evaluate(Sum((symbol("V30"),), Prob((last,), (first,))), model.tables)
    assert np.allclose(seen.array, 2 * model.truth(Effect((last,), (first,))).array)
    with pytest.raises(UnknownMediatorError, match="Q"):
        evaluate(Sum((symbol("Q"),), Prob((last,))), model.tables)
    cost = table_cost(chain, model.levels, Distribution(), ["V0", "V60"])
    assert cost < 1000 < table_cost(chain, model.levels, Distribution(), chain.nodes[:20])


def test_effects_do_not_fade_in_long_chains() -> None:
    chain = ADMG.of(directed=[(f"V{k}", f"V{k + 1}") for k in range(40)])
    asked = Effect((symbol("V40"),), (symbol("V0"),))
    for seed in range(4):
        told = RandomModel.of(chain, seed).truth(asked).array
        assert abs(told[0, 1] - told[1, 1]) > 1e-6
