"""Estimates come near the truth, their intervals hold it, and bad data are refused."""

from itertools import pairwise, product
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.linear_model import LinearRegression
from sklearn.linear_model import LogisticRegression as TheirLogisticRegression

from causalnet.errors import ParameterError, TermError, UnknownMediatorError
from causalnet.graphs import ADMG
from causalnet.graphs.gallery import example
from causalnet.identification.answers import Derivation, Identified
from causalnet.identification.estimating.bootstrap import (
    Clusters,
    Interval,
    IntervalKind,
    Resamples,
)
from causalnet.identification.estimating.columns import discretise
from causalnet.identification.estimating.estimation import AIPW, Estimate, Regression, estimate
from causalnet.identification.estimating.regressors import LeastSquares, LogisticRegression
from causalnet.identification.oracle import RandomModel
from causalnet.identification.reading.parsing import parse_expression, parse_question
from causalnet.identification.sources import OBSERVED, Distribution, Sources
from causalnet.identification.values import symbol

BACK_DOOR = ADMG.of(directed=[("Z", "X"), ("Z", "Y"), ("X", "Y")])
ADJUSTED = "sum[z](P(y|x,z) * P(z))"


def known(question: str, graph: ADMG, formula: str, sources: Sources = OBSERVED) -> Identified:
    asked, told = parse_question(question, graph), parse_expression(formula, graph.nodes)
    return Identified(asked, graph, told, Derivation(), sources)


EFFECT = known("P(y | do(x))", BACK_DOOR, ADJUSTED)

FORMULAS = [
    ("back-door", "P(y | do(x))", ADJUSTED),
    ("front-door", "P(y | do(x))", "sum[z](P(z|x) * sum[x'](P(y|x',z) * P(x')))"),
    ("napkin", "P(y | do(x))", "sum[w](P(x,y|w,z) * P(w)) / sum[w](P(x|w,z) * P(w))"),
    ("mediation", "nde(x, x' -> y; via M)",
     "sum[c,m](P(y|c,m,x) * P(m|c,x') * P(c)) - sum[c,m](P(y|c,m,x') * P(m|c,x') * P(c))"),
    ("effect of treatment on the treated, front-door", "P(y{x} | x')",
     "sum[z](P(z|x) * P(y|x',z))"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "question", "formula"), FORMULAS, ids=lambda each: each[:12])
def test_estimates_come_near_the_truth(name: str, question: str, formula: str) -> None:
    graph = example(name).graph
    model = RandomModel.of(graph, 3)
    identified = known(question, graph, formula)
    truth = model.truth(identified.query)
    off = []
    for number in (2_000, 100_000):
        found = estimate(identified, model.sample(number, 1), bootstrap=0)
        at = [
            dict(zip(map(str, found.value.axes), levels, strict=True))
            for levels in product(range(2), repeat=len(found.value.axes))
        ]
        different = [each for each in at if each.get("x") != each.get("x'")]
        off.append(max(abs(found.at(each).value - truth.at(each)) for each in different))
    assert off[1] < 0.015
    assert off[1] < off[0] + 0.005


def test_levels_above_two_are_estimated() -> None:
    model = RandomModel.of(BACK_DOOR, 1, cardinalities={"X": 3, "Y": 4, "Z": 3})
    found = estimate(EFFECT, model.sample(200_000, 0), bootstrap=0)
    assert np.abs(found.value.array - model.truth(EFFECT.query).array).max() < 0.02


@pytest.mark.parametrize("interval", ["percentile", "bca"])
def test_intervals_hold_the_truth_as_often_as_they_say(interval: Any) -> None:
    model = RandomModel.of(BACK_DOOR, 2)
    truth = model.truth(EFFECT.query)
    hits = np.zeros(2)
    trials = 120
    for seed in range(trials):
        found = estimate(
            EFFECT, model.sample(400, seed), bootstrap=300, level=0.9, interval=interval
        )
        for x in (0, 1):
            at = {"x": x, "y": 1}
            told = found.at(at)
            hits[x] += told.low <= truth.at(at) <= told.high
    # 0.9 less three standard errors of 120 trials, and a little for 400 samples
    assert (hits / trials > 0.82).all()
    assert (hits / trials < 0.98).all()


def test_clusters_make_intervals_wider() -> None:
    draw = np.random.default_rng(0)
    prompts = np.repeat(np.arange(40), 25)
    tendency = draw.random(40)[prompts]
    data = {
        "Z": (draw.random(1000) < 0.5).astype(int),
        "X": (draw.random(1000) < 0.5).astype(int),
        "Y": (draw.random(1000) < tendency).astype(int),
        "prompt": prompts,
    }
    at = {"x": 1, "y": 1}
    for method in ("plugin", "regression", "aipw"):
        told = at if method == "plugin" else {"x": 1}
        alone = estimate(EFFECT, data, method=method, bootstrap=200).at(told)
        for clusters in ("prompt", prompts):
            whole = estimate(EFFECT, data, method=method, bootstrap=200, clusters=clusters)
            together = whole.at(told)
            assert together.value == pytest.approx(alone.value, abs=0.05)
            assert together.high - together.low > 1.5 * (alone.high - alone.low)


def test_clusters_of_one_are_samples() -> None:
    data = RandomModel.of(BACK_DOOR, 0).sample(300, 0)
    at = {"x": 1, "y": 1}
    alone = estimate(EFFECT, data, bootstrap=4000).at(at)
    own = estimate(EFFECT, data, bootstrap=4000, clusters=np.arange(300)).at(at)
    assert alone.value == own.value
    assert (alone.low, alone.high) == pytest.approx((own.low, own.high), abs=0.02)
    bca, same = (
        estimate(EFFECT, data, bootstrap=4000, interval="bca", clusters=clusters).resamples
        for clusters in (None, np.arange(300))
    )
    # leaving out one of several samples that are alike is the same as leaving out each of them
    assert bca.counts.sum() == 300
    spread = np.repeat(bca.left_out, bca.counts.astype(int), axis=0)
    assert np.allclose(np.sort(spread, axis=0), np.sort(same.left_out, axis=0))


def test_experiments_and_other_domains_are_estimated() -> None:
    graph = example("bow arc").graph
    sources = Sources.of([[], ["X"]])
    identified = known("P(y | do(x))", graph, "P[x](y)", sources)
    model = RandomModel.of(graph, 4)
    parts = [model.sample(50_000, seed, do={"X": seed}) for seed in (0, 1)]
    data = {name: np.concatenate([part[name] for part in parts]) for name in graph.nodes}
    found = estimate(identified, {Distribution(("X",)): data}, bootstrap=100)
    assert np.abs(found.value.array - model.truth(identified.query).array).max() < 0.01
    assert found.samples == 100_000
    with pytest.raises(TermError, match=r"no samples of P\(V given do\(X\)\)"):
        estimate(identified, data)


def test_several_distributions_are_drawn_again_each() -> None:
    graph = ADMG.of(directed=[("X", "Y"), ("Z", "Y"), ("Z", "X")])
    sources = Sources.of([[]], {"a": [["X"]]}, {"a": ["Z"]})
    identified = known("P(y | do(x))", graph, "sum[z](P{a}[x](y|z) * P(z))", sources)
    model = RandomModel.of(graph, 1, differs={"a": ["Z"]})
    parts = [model.sample(30_000, seed, do={"X": seed}, domain="a") for seed in (0, 1)]
    there = {name: np.concatenate([part[name] for part in parts]) for name in graph.nodes}
    data = {Distribution(): model.sample(30_000, 2), Distribution(("X",), "a"): there}
    found = estimate(identified, data, bootstrap=50, interval="bca")
    truth = model.truth(identified.query)
    for x, y in product((0, 1), repeat=2):
        told = found.at({"x": x, "y": y})
        assert told.value == pytest.approx(truth.at({"x": x, "y": y}), abs=0.015)
        assert told.low < told.value < told.high


def test_empty_strata_are_named() -> None:
    data = {"Z": [0, 0, 0, 1, 1], "X": [0, 1, 1, 0, 0], "Y": [0, 1, 0, 1, 0]}
    found = estimate(EFFECT, data, bootstrap=20)
    assert np.isnan(found.at({"x": 1, "y": 1}).value)
    assert np.isnan(found.at({"x": 1, "y": 1}).low)
    assert not np.isnan(found.at({"x": 0, "y": 1}).value)
    notes = "\n".join(found.notes)
    assert "2 of 4 numbers cannot be estimated" in notes
    assert "P(y|x,z) has no support: no sample with X = 1, Z = 1" in notes
    assert "resamples lack support" in notes
    smooth = estimate(EFFECT, data, bootstrap=20, smoothing=0.5)
    assert not np.isnan(smooth.value.array).any()


def test_formulas_of_many_variables_are_estimated() -> None:
    names = [f"V{k}" for k in range(70)]
    draw = np.random.default_rng(0)
    data = {name: draw.integers(2, size=400) for name in names}
    factors = " * ".join(f"P(v{k + 1}|v{k})" for k in range(69))
    bound = ",".join(f"v{k}" for k in range(1, 69))
    chain = known("P(v69 | do(v0))", ADMG.of(list(pairwise(names))), f"sum[{bound}]({factors})")
    steps = np.eye(2)
    for one, other in pairwise(names):
        counts = np.zeros((2, 2))
        np.add.at(counts, (data[one], data[other]), 1)
        steps = steps @ (counts / counts.sum(axis=1, keepdims=True))
    found = estimate(chain, data, bootstrap=20, clusters=np.arange(400) // 4)
    assert found.value.axes == (symbol("V0"), symbol("V69"))
    assert np.allclose(found.value.array, steps)


def test_results_can_be_read() -> None:
    frame = pd.DataFrame(
        {"Z": [0, 1] * 20, "X": ["no", "yes", "yes", "no"] * 10, "Y": [0, 1, 1, 1, 0] * 8}
    )
    found = estimate(EFFECT, frame, bootstrap=50)
    told = found.at({"x": "yes", "y": 1})
    assert isinstance(told, Interval)
    assert told == found.at({"x": 1, "y": 1})
    difference = found.contrast({"x": "yes", "y": 1}, {"x": "no", "y": 1})
    assert difference.value == pytest.approx(told.value - found.at({"x": "no", "y": 1}).value)
    assert difference.low <= difference.value <= difference.high
    text = str(found)
    assert "P(y | do(x)): probability by plug-in from 40 samples, 95 % intervals" in text
    assert "x = yes, y = 1: " in text
    with pytest.raises(TermError, match="No level for y"):
        found.at({"x": "yes"})
    with pytest.raises(ParameterError, match="x is never 'maybe'"):
        found.at({"x": "maybe", "y": 1})
    with pytest.raises(ParameterError, match="x is at level 2"):
        found.at({"x": 2, "y": 1})
    with pytest.raises(ParameterError, match="y is never 2"):
        found.at({"x": 1, "y": 2})


def test_the_same_seed_gives_the_same_intervals() -> None:
    data = RandomModel.of(BACK_DOOR, 0).sample(200, 0)
    for method in ("plugin", "regression", "aipw"):
        one, same, other = (
            estimate(EFFECT, data, method=method, bootstrap=50, seed=seed) for seed in (0, 0, 1)
        )
        assert np.array_equal(one.low.array, same.low.array)
        assert not np.array_equal(one.low.array, other.low.array)


BINARY = {"Z": [0, 1, 0, 1], "X": [0, 1, 1, 0], "Y": [0, 1, 1, 0]}


@pytest.mark.parametrize("method", ["plugin", "regression", "aipw"])
@pytest.mark.parametrize(
    ("change", "error", "match"),
    [
        ({"Z": None}, UnknownMediatorError, "no column 'Z'"),
        ({"Y": [0.0, np.nan, 1.0, 1.0]}, ParameterError, "nan in row 1"),
        ({"X": [1, 1, 1, 1]}, ParameterError, "'X' is 1 in all samples"),
        ({"Y": [1, 1, 1, 1]}, ParameterError, "'Y' is 1 in all samples"),
        ({"X": [1, 0]}, ParameterError, "differ in length"),
        ({"X": [[1], [0], [1], [0]]}, ParameterError, "one axis"),
    ],
)
def test_bad_samples_are_refused(
    method: Any, change: dict[str, Any], error: type[Exception], match: str
) -> None:
    data: dict[str, Any] = {**BINARY, **change}
    data = {name: each for name, each in data.items() if each is not None}
    with pytest.raises(error, match=match):
        estimate(EFFECT, data, method=method, bootstrap=0)


def test_levels_that_were_not_seen_are_refused() -> None:
    asked = known("P(Y=1 | do(X=3))", BACK_DOOR, "sum[z](P(Y=1|X=3,z) * P(z))")
    for method in ("plugin", "regression", "aipw"):
        with pytest.raises(ParameterError, match="X=3 is at level 3, and 'X' has 2 levels"):
            estimate(asked, BINARY, method=method, bootstrap=0)
    with pytest.raises(ParameterError, match="'X' is 1 in a sample"):
        estimate(EFFECT, BINARY, labels={"X": 1})


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"method": "magic"}, "method='magic'"),
        ({"bootstrap": -1}, "bootstrap"),
        ({"level": 1.0}, r"level=1.0"),
        ({"interval": "wald"}, "interval='wald'"),
        ({"smoothing": -1.0}, "smoothing=-1"),
        ({"method": "aipw", "smoothing": 1.0}, "They are for 'plugin'"),
        ({"method": "aipw", "clusters": [0, 0, 0, 0]}, "All samples are in one cluster"),
        ({"clusters": [0, 1]}, "2,"),
        ({"clusters": "prompt"}, "no column 'prompt'"),
    ],
)
def test_bad_options_are_refused(options: dict[str, Any], match: str) -> None:
    with pytest.raises((ParameterError, UnknownMediatorError), match=match):
        estimate(EFFECT, BINARY, **options)


def continuous(number: int, seed: int, curved: bool = False) -> dict[str, Any]:
    """Samples in which the effect of X on Y is 2, and the naive difference is not."""
    draw = np.random.default_rng(seed)
    z = draw.uniform(-2, 2, size=number)
    told = z**2 - 4 / 3 if curved else z
    x = (draw.random(number) < 1 / (1 + np.exp(-told))).astype(int)
    return {"Z": z, "X": x, "Y": 2 * x + 3 * told + draw.normal(size=number)}


def effect_of(found: Estimate) -> Interval:
    return found.contrast({"x": 1}, {"x": 0})


@pytest.mark.parametrize("method", ["regression", "aipw"])
def test_means_are_adjusted(method: Any) -> None:
    data = continuous(4000, 0)
    naive = data["Y"][data["X"] == 1].mean() - data["Y"][data["X"] == 0].mean()
    told = effect_of(estimate(EFFECT, data, method=method, bootstrap=200))
    assert naive > 3
    assert told.value == pytest.approx(2, abs=0.15)
    assert told.low < 2 < told.high
    assert told.high - told.low < 0.4


class Squares:
    """Least squares on the square of the covariate as well."""

    def __init__(self) -> None:
        self.model = LeastSquares()

    def fit(self, features: Any, numbers: Any) -> None:
        self.model.fit(np.concatenate([features, features**2], axis=1), numbers)

    def predict(self, features: Any) -> Any:
        return self.model.predict(np.concatenate([features, features**2], axis=1))


class SquaredLogits:
    """Logistic regression on the square of the covariate."""

    def __init__(self) -> None:
        self.model = LogisticRegression()

    def fit(self, features: Any, classes: Any) -> None:
        self.model.fit(features**2, classes)

    def predict_proba(self, features: Any) -> Any:
        return self.model.predict_proba(features**2)


@pytest.mark.parametrize(
    ("outcome", "treatment", "near"),
    [
        (LeastSquares(), LogisticRegression(), False),  # neither is right
        (Squares(), LogisticRegression(), True),
        (LeastSquares(), SquaredLogits(), True),
        (Squares(), SquaredLogits(), True),
    ],
)
def test_one_right_model_is_enough(outcome: Any, treatment: Any, near: bool) -> None:
    data = continuous(20_000, 1, curved=True)
    found = estimate(EFFECT, data, method=AIPW(outcome, treatment), bootstrap=50)
    off = abs(effect_of(found).value - 2)
    assert off < 0.1 if near else off > 0.5


def test_regression_needs_the_right_model() -> None:
    data = continuous(20_000, 1, curved=True)
    wrong = estimate(EFFECT, data, method="regression", bootstrap=0)
    right = estimate(EFFECT, data, method=Regression(Squares()), bootstrap=0)
    assert abs(effect_of(wrong).value - 2) > 0.5
    assert abs(effect_of(right).value - 2) < 0.1


def test_models_of_others_are_taken() -> None:
    data = continuous(1500, 2)
    ours = estimate(EFFECT, data, method=AIPW(), bootstrap=0)
    theirs = estimate(
        EFFECT,
        data,
        method=AIPW(LinearRegression(), TheirLogisticRegression(C=1e6)),
        bootstrap=0,
    )
    assert ours.value.array == pytest.approx(theirs.value.array, abs=1e-3)
    forest = GradientBoostingRegressor(n_estimators=30, random_state=0)
    found = estimate(EFFECT, data, method=Regression(forest), bootstrap=0)
    assert abs(effect_of(found).value - 2) < 0.5
    assert not hasattr(forest, "estimators_")  # a copy was fitted


@pytest.mark.parametrize("method", ["regression", "aipw"])
def test_intervals_of_means_hold_the_truth(method: Any) -> None:
    trials, hits, told = 100, 0, []
    for seed in range(1000, 1000 + trials):
        found = estimate(EFFECT, continuous(300, seed), method=method, bootstrap=120, level=0.9)
        told.append(effect_of(found))
        hits += told[-1].low <= 2 <= told[-1].high
    # 0.9 give or take three standard errors of 100 trials
    assert 0.81 < hits / trials < 0.99
    spread = float(np.std([each.value for each in told]))
    width = float(np.mean([each.high - each.low for each in told]))
    assert width / (2 * 1.645) == pytest.approx(spread, rel=0.25)


def test_levels_of_the_outcome_and_of_treatments() -> None:
    model = RandomModel.of(BACK_DOOR, 5, cardinalities={"X": 3})
    data = model.sample(20_000, 0)
    asked = known("P(Y=1 | do(X=2))", BACK_DOOR, "sum[z](P(Y=1|X=2,z) * P(z))")
    truth = model.truth(asked.query).at({})
    found = estimate(asked, data, method="aipw", bootstrap=20)
    assert found.quantity == "probability"
    assert found.at({}).value == pytest.approx(truth, abs=0.02)
    labelled = {**data, "X": np.array(["low", "mid", "top"])[data["X"]]}
    for method in ("regression", "aipw"):
        told = estimate(EFFECT, labelled, method=method, bootstrap=0)
        assert told.labels["X"] == ("low", "mid", "top")
        truths = model.truth(EFFECT.query).array[:, 1]
        # least squares has no term for X and Z together
        near = 0.02 if method == "aipw" else 0.1
        assert told.value.array == pytest.approx(truths, abs=near)


def test_continuous_treatments_are_asked_at_values() -> None:
    draw = np.random.default_rng(0)
    z = draw.normal(size=3000)
    x = z + draw.normal(size=3000)
    data = {"Z": z, "X": x, "Y": 1.5 * x - z + 0.1 * draw.normal(size=3000)}
    method = Regression(at={"X": [0.0, 1.0, 2.0]})
    found = estimate(EFFECT, data, method=method, bootstrap=50)
    told = found.contrast({"x": 2.0}, {"x": 0.0})
    assert told.value == pytest.approx(3, abs=0.05)
    for other in ("regression", "aipw"):
        with pytest.raises(ParameterError, match="'X' has 3000 values"):
            estimate(EFFECT, data, method=other)
    cut = discretise(data, {"X": 3}).columns
    assert estimate(EFFECT, cut, method="aipw", bootstrap=0).value.array.shape == (3,)


def test_adjustment_sets_are_held_to_the_graph() -> None:
    graph = ADMG.of(directed=[("Z", "X"), ("Z", "Y"), ("X", "M"), ("M", "Y"), ("A", "Y")])
    asked = known("P(y | do(x))", graph, "sum[z](P(y|x,z) * P(z))")
    model = RandomModel.of(graph, 0)
    data = model.sample(20_000, 0)
    truth = model.truth(asked.query).array[:, 1]
    for zs in (None, ["Z"], ["A", "Z"]):
        found = estimate(asked, data, method=AIPW(adjustment=zs), bootstrap=0)
        assert found.value.array == pytest.approx(truth, abs=0.03)
        assert found.notes[0] == f"adjusted for {', '.join(zs or ['Z'])}"
    for zs in ([], ["M"], ["Z", "M"]):
        with pytest.raises(TermError, match="not valid for adjustment"):
            estimate(asked, data, method=Regression(adjustment=zs))
    fd = example("front-door").graph
    front = known("P(y | do(x))", fd, FORMULAS[1][2])
    with pytest.raises(TermError, match="No set is valid"):
        estimate(front, RandomModel.of(fd, 0).sample(50, 0), method="aipw")


def test_methods_are_for_their_queries() -> None:
    among = known("P(y | do(x), z)", BACK_DOOR, "P(y|x,z)")
    with pytest.raises(TermError, match="not the effect of treatments on one outcome"):
        estimate(among, BINARY, method="regression")
    seen = known("P(y)", BACK_DOOR, "P(y)")
    with pytest.raises(TermError, match="no treatment"):
        estimate(seen, BINARY, method="aipw")
    with pytest.raises(TermError, match="Adjustment is for samples of"):
        estimate(EFFECT, {Distribution(("X",)): BINARY}, method="aipw")


def test_rare_treatments_are_noted() -> None:
    draw = np.random.default_rng(0)
    z = draw.normal(size=2000)
    x = (draw.random(2000) < 1 / (1 + np.exp(-4 * z))).astype(int)
    data = {"Z": z, "X": x, "Y": x + draw.normal(size=2000)}
    found = estimate(EFFECT, data, method="aipw", bootstrap=0)
    assert "treatment probabilities were below 0.01" in found.notes[1]
    few = {"Z": z[:20], "X": np.arange(20) == 3, "Y": z[:20]}
    with pytest.raises(ParameterError, match="Treatment True has 1 samples"):
        estimate(EFFECT, few, method="aipw")
    with pytest.raises(ParameterError, match="4 samples or clusters for 5 folds"):
        estimate(EFFECT, BINARY, method="aipw")


def test_bca_is_scipys() -> None:
    from scipy.stats import bootstrap

    draw = np.random.default_rng(0)
    sample = draw.exponential(size=60)
    times = Clusters.by(None, 60).drawn(20_000, draw)
    draws = (times @ sample / 60)[:, None]
    left = ((sample.sum() - sample) / 59)[:, None]
    found = Resamples(draws, left, np.ones(60))
    value = np.array([sample.mean()])
    kinds: list[tuple[IntervalKind, str]] = [("percentile", "percentile"), ("bca", "BCa")]
    for kind, theirs in kinds:
        low, high = found.interval(value, 0.9, kind)
        expected = bootstrap(
            (sample,), np.mean, confidence_level=0.9, n_resamples=20_000, method=theirs,
            random_state=1,
        ).confidence_interval  # fmt: skip
        assert (low[0], high[0]) == pytest.approx(tuple(expected), rel=0.01)


def test_logistic_regression_finds_its_weights() -> None:
    draw = np.random.default_rng(0)
    features = draw.normal(size=(20_000, 2)) * [1, 50] + [3, 0]
    scores = np.stack([np.zeros(20_000), features @ [1, 0.02] - 3, features @ [-1, 0] + 2], axis=1)
    chances = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    classes = (draw.random((20_000, 1)) > chances.cumsum(axis=1)).sum(axis=1)
    found = LogisticRegression().fit(features, classes)
    assert np.abs(found.predict_proba(features) - chances).max() < 0.05
    assert np.abs(found.weights - [[-3, 1, 0.02], [2, -1, 0]]).max() < 0.2
