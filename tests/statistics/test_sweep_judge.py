import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from causalnet.errors import NumericalError, ParameterError
from causalnet.statistics import BoundedSequence, SweepJudge, e_benjamini_hochberg, holm
from causalnet.statistics.columns import BoundedColumns, MeanColumns
from causalnet.statistics.evidence import log_e_above, without_skewness
from causalnet.statistics.moments import moments_of
from causalnet.statistics.samples import Array
from causalnet.statistics.sweep_judge import Control, Tail

G = 0.03


@settings(max_examples=40)
@given(st.integers(0, 10**6), st.lists(st.integers(1, 40), min_size=1, max_size=5))
def test_law_columns_agree_with_the_moments_of_each(seed: int, sizes: list[int]) -> None:
    """Oracle: `Moments` of every column by itself; columns skip batches, so that n differs."""
    rng = np.random.default_rng(seed)
    columns, seen = MeanColumns(3, 0.2, G), [np.empty((0, 1)) for _ in range(3)]
    for size in sizes:
        places = np.flatnonzero(rng.random(3) < 0.7)
        if not places.size:
            continue
        batch = rng.exponential(size=(size, places.size)) - 0.6
        columns.add(places, batch)
        for at, place in enumerate(places.tolist()):
            seen[place] = np.concatenate([seen[place], batch[:, at : at + 1]])
    above, below = columns.log_e(above=True), columns.log_e(above=False)
    for place, values in enumerate(seen):
        n = len(values)
        assert columns.n[place] == n
        if n < 32:
            assert above[place] == below[place] == -math.inf
            continue
        moments = moments_of(values)
        error = math.sqrt(float(moments.covariance()[0, 0]) / n)
        t = (float(moments.mean[0]) - 0.2) / error
        skewness = float(moments.skewness(np.ones(1)))
        expected = log_e_above(n, without_skewness(n, t, skewness), G)
        assert above[place] == pytest.approx(float(expected), rel=1e-6, abs=1e-6)
        mirrored = log_e_above(n, without_skewness(n, -t, -skewness), G)
        assert below[place] == pytest.approx(float(mirrored), rel=1e-6, abs=1e-6)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.floats(1.5, 8), st.booleans())
def test_law_ends_are_where_the_evidence_reaches_the_bar(
    seed: int, bar: float, above: bool
) -> None:
    values = np.random.default_rng(seed).gamma(2.0, size=(60, 1)) - 2
    columns = MeanColumns(1, 0.0, G)
    columns.add(np.array([0]), values)
    end = float(columns.ends(bar, above=above)[0])
    at_the_end = MeanColumns(1, end, G)
    at_the_end.add(np.array([0]), values)
    assert float(at_the_end.log_e(above=above)[0]) == pytest.approx(bar, abs=1e-6)


def test_bounded_columns_are_bounded_sequences() -> None:
    values = np.random.default_rng(0).uniform(-1, 2, size=(40, 2))
    columns = BoundedColumns(2, 0.1, -1.0, 1.0)
    columns.add(np.array([0, 1]), values[:25])
    columns.add(np.array([1]), values[25:, 1:])
    for place, n in ((0, 25), (1, 40)):
        sequence = BoundedSequence(0.05, -1.0, 1.0)
        sequence.add(values[:n, place])
        assert columns.n[place] == n
        assert columns.clipped[place] == sequence.clipped
        assert columns.estimate[place] == pytest.approx(sequence.estimate)
        for above in (True, False):
            evidence = sequence.log_evidence(0.1, above=above)
            assert columns.log_e(above=above)[place] == pytest.approx(evidence)
        assert sequence.interval is not None
        low = columns.ends(-math.log(0.05), above=True)[place]
        assert low == pytest.approx(sequence.interval.low, abs=1e-6)


def names(count: int) -> list[str]:
    return [f"L{index}" for index in range(count)]


def noise(rng: np.random.Generator, n: int, count: int) -> Array:
    """Heavy tails, skewness either way and a shared factor, of mean 0."""
    own = rng.standard_t(4, size=(n, count))
    own[:, ::3] = rng.exponential(size=own[:, ::3].shape) - 1
    own[:, 1::3] = 1 - rng.exponential(size=own[:, 1::3].shape)
    return np.asarray(own + rng.normal(size=(n, 1)))


@pytest.mark.parametrize("control", ["fwer", "fdr"])
def test_false_discoveries_are_as_few_as_said(control: Control) -> None:
    """60 mediators, 6 with an effect, sampled adaptively, looked at after every 16 prompts."""
    false_ever, shares, found, runs = 0, [], [], 80
    for seed in range(runs):
        rng = np.random.default_rng(seed)
        judge = SweepJudge(names(60), control=control, budget=320)
        effects = np.where(np.arange(60) < 6, 1.0, 0.0)
        is_false = False
        for _ in range(20):
            active = judge.active
            if not active:
                break
            batch = effects + noise(rng, 16, 60)
            judge.add({name: batch[:, int(name[1:])] for name in active})
            is_false |= any(int(name[1:]) >= 6 for name in judge.discoveries())
        last = [int(name[1:]) for name in judge.discoveries()]
        false_ever += is_false
        shares.append(sum(at >= 6 for at in last) / max(len(last), 1))
        found.append(sum(at < 6 for at in last) / 6)
    slack = 2 * math.sqrt(0.05 * 0.95 / runs)
    if control == "fwer":
        assert false_ever / runs <= 0.05 + slack
    assert np.mean(shares) <= 0.05 + slack
    assert np.mean(found) > 0.9


def test_a_discovery_under_fwer_stays_one_and_one_under_fdr_is_this_moment_s() -> None:
    rng = np.random.default_rng(0)
    family, false = SweepJudge(names(3)), SweepJudge(names(3), control="fdr")
    strong = np.array([1.0, 0.0, 0.0]) + rng.normal(size=(64, 3))
    against = np.array([-3.0, 0.0, 0.0]) + rng.normal(size=(200, 3))
    for judge in (family, false):
        judge.add(strong)
        assert judge.discoveries() == ("L0",)
        judge.add(against)
    assert family.discoveries() == ("L0",)
    assert false.discoveries() == ()
    assert "L0" not in false.active  # it is shown to lie on the other side


@pytest.mark.parametrize("direction", ["at_least", "at_most", "differs"])
def test_directions_are_nulls(direction: Tail) -> None:
    rng, judge = np.random.default_rng(0), SweepJudge(names(3), 0.5, direction)
    judge.add(np.array([1.5, 0.5, -0.5]) + rng.normal(size=(100, 3)))
    expected = {"at_least": ("L0",), "at_most": ("L2",), "differs": ("L0", "L2")}[direction]
    assert judge.discoveries() == expected


def test_findings_are_what_the_procedures_say() -> None:
    rng, judge = np.random.default_rng(0), SweepJudge(names(5), control="fdr", alpha=0.1)
    judge.add(np.array([0.8, 0.5, 0.3, 0.0, 0.0]) + rng.normal(size=(60, 5)))
    findings = judge.findings()
    e = [finding.e_value for finding in findings]
    assert [f.is_discovery for f in findings] == e_benjamini_hochberg(e, 0.1).tolist()
    raw = [1 / max(value, 1.0) for value in e]  # one look: the smallest p-value is this one
    assert [f.p_value <= 0.1 for f in findings] == holm(raw, 0.1).tolist()
    for finding in findings:
        assert finding.interval.low <= finding.estimate <= finding.interval.high
        assert finding.interval.level == pytest.approx(1 - 2 * 0.1 / 5)
        record = json.loads(json.dumps(finding.to_json(), allow_nan=False))
        assert record["name"] == finding.name
    assert judge.n == (60,) * 5


def test_what_is_not_worth_its_budget_is_set_aside() -> None:
    rng = np.random.default_rng(0)
    judge = SweepJudge(names(2), budget=100)
    judge.add(np.array([0.6, -0.3]) + rng.normal(size=(64, 2)))
    stops = {finding.name: finding.stopped for finding in judge.findings()}
    assert stops["L1"] in ("unpromising", "shown_otherwise")
    patient = SweepJudge(names(2))
    patient.add(rng.normal(0.0, 1.0, size=(64, 2)))
    assert set(patient.active) == {"L0", "L1"}
    while not judge.is_settled:
        judge.add({name: rng.normal(0.6, 1.0, 8) for name in judge.active})
    assert max(judge.n) <= 104


def test_exact_sweeps_need_no_spread() -> None:
    judge = SweepJudge(names(2), 0.5, bounds=(0.0, 1.0))
    judge.add(np.tile([1.0, 0.4], (40, 1)))
    assert judge.discoveries() == ("L0",)
    assert SweepJudge(names(2), 0.5).findings()[0].e_value == 0.0
    equal = SweepJudge(names(1), 0.5)
    equal.add(np.ones((40, 1)))
    assert equal.discoveries() == ()


def test_bad_sweeps_are_refused() -> None:
    with pytest.raises(ParameterError, match="L0 twice"):
        SweepJudge(["L0", "L0"])
    with pytest.raises(ParameterError, match="no names"):
        SweepJudge([])
    with pytest.raises(ParameterError, match="fwer, fdr"):
        SweepJudge(["L0"], control="none")  # type: ignore[arg-type]  # what a reader may write
    judge = SweepJudge(["L0", "L1"])
    with pytest.raises(ParameterError, match="No mediator is called L7"):
        judge.add({"L7": [1.0]})
    with pytest.raises(ParameterError, match="2 columns"):
        judge.add(np.zeros((3, 4)))
    with pytest.raises(NumericalError, match="effects of L1"):
        judge.add({"L1": [math.nan]})
