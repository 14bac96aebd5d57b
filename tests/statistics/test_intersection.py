import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from causalnet.errors import ParameterError
from causalnet.statistics import IntersectionJudge, Reason, Verdict, verdict_of
from causalnet.statistics.samples import Array

NAMES = ("L9.H6", "L9.H9", "L10.H0")


def judged(
    judge: IntersectionJudge, means: tuple[float, ...], seed: int = 0, budget: int = 400
) -> IntersectionJudge:
    rng = np.random.default_rng(seed)
    for _ in range(budget // 16):
        judge.add(np.array(means) + rng.normal(size=(16, len(means))))
        if judge.is_settled:
            break
    return judge


def test_every_member_must_be_shown() -> None:
    judge = judged(IntersectionJudge(NAMES, 0.1), (1.0, 0.8, 0.6))
    decision = judge.decision()
    assert (decision.verdict, decision.reason) == (
        Verdict.SUPPORTED,
        Reason.SUPPORTED_BY_INTERVAL,
    )
    assert judge.shown() == NAMES
    assert judge.active == ()
    assert "all 3 are shown to be at least 0.1, as claimed" in decision.sentence


def test_one_member_on_the_other_side_refutes_and_is_named() -> None:
    judge = judged(IntersectionJudge(NAMES, 0.1), (1.0, -0.9, 1.0))
    decision = judge.decision()
    assert decision.verdict is Verdict.REFUTED
    assert "L9.H9 is shown not to be at least 0.1" in decision.sentence
    assert judge.contradicted() == ("L9.H9",) == judge.listed()
    stops = {finding.name: finding.stopped for finding in judge.findings()}
    assert stops["L9.H9"] == "discovered"
    before = judge.decision()
    judge.add(np.ones((500, 3)) + np.random.default_rng(5).normal(size=(500, 3)))
    assert judge.decision() is before


def test_at_most_is_the_mirror() -> None:
    judge = judged(IntersectionJudge(NAMES, 0.1, "at_most"), (-1.0, -0.8, -0.9))
    assert judge.decision().verdict is Verdict.SUPPORTED
    refuted = judged(IntersectionJudge(NAMES, 0.1, "at_most"), (-1.0, 0.9, -0.9))
    assert refuted.contradicted() == ("L9.H9",)


@settings(max_examples=30, deadline=None)
@given(
    st.integers(0, 10**6),
    st.tuples(st.floats(-1, 1), st.floats(-1, 1), st.floats(-1, 1)),
    st.booleans(),
)
def test_law_verdict_and_interval_are_one(
    seed: int, means: tuple[float, ...], bounded: bool
) -> None:
    rng = np.random.default_rng(seed)
    judge = IntersectionJudge(NAMES, 0.0, bounds=(-1.0, 1.0) if bounded else None)
    for _ in range(4):
        judge.add(np.clip(np.array(means) + 0.4 * rng.normal(size=(16, 3)), -1, 1))
        decision = judge.decision()
        if decision.interval is None:
            assert decision.verdict is Verdict.INCONCLUSIVE
            continue
        if min(abs(decision.interval.low), abs(decision.interval.high)) > 1e-6:
            assert decision.verdict is verdict_of(decision.interval, 0.0, "at_least")
        assert decision.interval.level == pytest.approx(1 - 0.05 - 0.05 / 3)


@pytest.mark.parametrize("means", [(0.8, 0.0, 0.8), (0.0, 0.0, 0.0)])
def test_a_member_at_the_threshold_is_seldom_misjudged(means: tuple[float, ...]) -> None:
    runs = 150
    verdicts = [
        judged(IntersectionJudge(NAMES, 0.0), means, seed, 160).decision().verdict
        for seed in range(runs)
    ]
    at_most = 0.05 + 2 * math.sqrt(0.05 * 0.95 / runs)
    assert verdicts.count(Verdict.SUPPORTED) / runs <= at_most
    assert verdicts.count(Verdict.REFUTED) / runs <= at_most


def test_members_may_have_unequal_numbers_of_prompts() -> None:
    rng, judge = np.random.default_rng(0), IntersectionJudge(NAMES, 0.1)
    batches: dict[str, Array] = {name: rng.normal(0.5, 1.0, size=16) for name in NAMES}
    assert judge.decision().verdict is Verdict.INCONCLUSIVE
    judge.add(batches)
    assert math.isnan(IntersectionJudge(NAMES, 0.1).decision().estimate)
    while not judge.is_settled:
        judge.add({name: rng.normal(0.5, 1.0, size=16) for name in judge.active})
    assert len(set(judge.n)) > 1
    assert judge.decision().n == max(judge.n)


def test_a_member_without_a_name_of_its_own_is_refused() -> None:
    with pytest.raises(ParameterError, match="twice"):
        IntersectionJudge(["L9.H6", "L9.H6"], 0.1)
