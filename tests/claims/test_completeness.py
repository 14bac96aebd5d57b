from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from causalnet.claims import explain_claims, verify
from causalnet.claims.prompts import finding_pairs
from causalnet.claims.prompts import testing_pairs as pairs_of
from causalnet.claims.trials.several import Several
from causalnet.effects import counterfactual
from causalnet.errors import ClaimFileError
from causalnet.faithfulness import CircuitScorer, Regime
from causalnet.interventions import logit_diff
from causalnet.lift import LiftedNetwork
from causalnet.statistics import MeanSequence, Reason, Verdict, holm
from tests.claims.small_case import claim_file, small_net, write_pairs
from tests.claims.written import about, known

CIRCUIT = ["L0.H0", "L0.H1", "L1.H0", "L1.H2", "L1.H3"]
FOUND = {"method": "by hand", "task": {"file": "found.jsonl", "n": 12}}
MOVER, BACKUP, NEGATIVE = "L2.H0", "L3.H0", "L3.H1"
EARLY = ["L0.H0", "L1.H0"]
NAME = "indirect_object_backup_negative"


@pytest.fixture(scope="module")
def net() -> LiftedNetwork:
    return small_net()


@pytest.fixture(scope="module")
def folder(net: LiftedNetwork, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("complete")
    write_pairs(path / "pairs.jsonl", net, 64)
    write_pairs(path / "found.jsonl", net, 12, seed=9)
    return path


def complete(by: str, **options: Any) -> dict[str, Any]:
    name = f"{by}-{len(options)}"
    return {"id": name, "kind": "complete", "statement": "Complete.", "by": by, **options}


@settings(max_examples=30, deadline=None)
@given(
    centres=st.lists(st.floats(-2.0, 2.0), min_size=1, max_size=5),
    seed=st.integers(0, 1000),
)
def test_those_beyond_are_holms(centres: list[float], seed: int) -> None:
    """Oracle: Holm on p-values, each the smallest level whose sequence is beyond the bound."""
    rng = np.random.default_rng(seed)
    columns = {f"s{i}": centre + rng.normal(size=64) for i, centre in enumerate(centres)}
    several = Several(tuple(columns), MeanSequence, 0.05, 1.0, both_sides=True)
    for name, column in columns.items():
        several.add(name, column[:40])
        several.add(name, column[40:])

    def is_beyond(column: Any, alpha: float) -> bool:
        sequence = MeanSequence(alpha)
        sequence.add(column)
        found = sequence.interval
        return found is not None and (found.low > 1.0 or found.high < -1.0)

    grid = [0.05 / left for left in range(len(columns), 0, -1)]
    p = [next((a for a in grid if is_beyond(one, a)), 1.0) for one in columns.values()]
    expected = {name for name, is_out in zip(columns, holm(p, 0.05), strict=True) if is_out}
    assert set(several.beyond()) == expected
    inside = [MeanSequence(0.05) for _ in columns]
    for sequence, column in zip(inside, columns.values(), strict=True):
        sequence.add(column)
    intervals = [one.interval for one in inside]
    assert several.are_within() == all(
        one is not None and -1.0 < one.low and one.high < 1.0 for one in intervals
    )


def test_the_remainder_is_what_is_left_of_the_behaviour(net: LiftedNetwork, folder: Path) -> None:
    """Oracle: one less the scorer's drop."""
    file = claim_file(folder, claims=[complete("remainder", at_most=0.9)])
    (result,) = verify(file, net=net).results
    pairs = pairs_of(file, net.model.tokenizer).rows(range(result.decision.n))
    scorer = CircuitScorer(net, logit_diff, counterfactual(), net.heads())
    scores = scorer.score(pairs, tuple(map(net.graph.find, CIRCUIT)))
    assert result.decision.estimate == pytest.approx(1 - scores.drop, abs=1e-9)


def test_sets_are_judged_by_the_difference_of_two_runs(net: LiftedNetwork, folder: Path) -> None:
    """Oracle: the scorer, for each class and for the best of the sets that greed comes to."""
    classes = {"first": ["L0.H0", "L0.H1"], "last": ["L1.H3"]}
    claims = [
        complete("classes", classes=classes, tolerance=1.0),
        complete("adversarial", tolerance=1.0, budget=9),
    ]
    file = claim_file(folder, claims=claims, found=FOUND)
    report = verify(file, net=net)
    tokenizer = net.model.tokenizer
    tested = pairs_of(file, tokenizer)
    found = finding_pairs(file, tokenizer, tested)
    scorer = CircuitScorer(net, logit_diff, counterfactual(), net.heads())

    def gap(members: Any, pairs: Any) -> float:
        rest = tuple(net.graph.find(one) for one in CIRCUIT if one not in members)
        kept = (Regime.KEPT, rest)
        gone = (Regime.KNOCKED_OUT, tuple(map(net.graph.find, members)))
        scores = scorer.read(pairs, (kept, gone)).values
        return float((scores[kept] - scores[gone]).mean())

    first, second = report.results
    for row in first.evidence["sets"]:
        used = tested.rows(range(first.decision.n))
        assert row["estimate"] == pytest.approx(gap(row["members"], used), abs=1e-9)
    # Five sets of one, then four of two with the worst of them.
    ones: dict[tuple[str, ...], float] = {(name,): gap((name,), found) for name in CIRCUIT}
    worst = max(ones, key=lambda one: abs(ones[one]))
    twos = {(*worst, name): gap((*worst, name), found) for name in CIRCUIT if name not in worst}
    every = {**ones, **twos}
    expected = max(every, key=lambda one: abs(every[one]))
    assert second.evidence["sets_tried"] == 9
    assert set(second.evidence["sets"][0]["members"]) == set(expected)
    assert second.evidence["on_finding_prompts"] == pytest.approx(every[expected], abs=1e-9)
    used = tested.rows(range(second.decision.n))
    assert second.decision.estimate == pytest.approx(abs(gap(expected, used)), abs=1e-9)


def test_random_sets_are_tried_on_prompts_of_their_own(net: LiftedNetwork, folder: Path) -> None:
    """Oracle: the scorer on the consecutive rows of each set."""
    claim = complete("random", size=2, prompts=4, tolerance=0.5, at_least=0.5)
    file = claim_file(folder, claims=[claim])
    (result,) = verify(file, net=net).results
    tried = result.evidence["sets"]
    assert 0 < tried == result.decision.n <= 16
    assert all(len(one["members"]) == 2 for one in result.evidence["largest"])
    assert result.conventions["alpha"].endswith("exact")
    near = round(result.decision.estimate * tried)
    far = [one for one in result.evidence["largest"] if abs(one["gap"]) > 0.5]
    assert tried - near == len(far) or len(far) == 10


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"direction": "denoising"},
        {"ablation": {"kind": "zero"}},
        {"readout": "kl"},
        {"ablation": {"kind": "resample", "draws": 2, "reference": {"file": "found.jsonl"}}},
    ],
)
def test_forwards_are_counted_before(
    changes: dict[str, Any], net: LiftedNetwork, folder: Path
) -> None:
    """Oracle: what a verification on too few prompts to settle runs."""
    claims = [
        complete("remainder", at_most=0.9),
        complete("classes", classes={"first": ["L0.H0", "L0.H1"]}, tolerance=1.0),
        complete("adversarial", epsilon=0.2, budget=7),
    ]
    short = {"task": {"file": "pairs.jsonl", "n": 20}, "found": FOUND}
    for claim in claims:
        file = claim_file(folder, claims=[claim], **short, **changes)
        plan, report = explain_claims(file, net=net), verify(file, net=net)
        assert report.cost.forwards == plan.most
    sets = complete("random", size=2, prompts=4, tolerance=0.5, at_least=0.5)
    file = claim_file(folder, claims=[sets], **short, **changes)
    plan, report = explain_claims(file, net=net), verify(file, net=net)
    assert plan.fewest <= report.cost.forwards <= plan.most


def test_the_whole_circuit_is_complete_and_one_without_the_backup_is_not(tmp_path: Path) -> None:
    """In this network the backup does the mover's work as soon as the mover is gone."""
    whole, lacking = [*EARLY, MOVER, BACKUP, NEGATIVE], [*EARLY, MOVER]
    classes = {"movers": [MOVER], "early": EARLY}
    ways: list[dict[str, Any]] = [
        complete("random", size=1, prompts=2, epsilon=0.2, at_least=0.9),
        complete("classes", classes=classes, epsilon=0.2),
        complete("adversarial", epsilon=0.2),
    ]
    claims = [{**way, "circuit": one} for one in (whole, lacking) for way in ways]
    claims += [
        complete("remainder", at_most=0.3, circuit=[MOVER, BACKUP, NEGATIVE]),
        complete("remainder", at_most=0.3, circuit=[MOVER, NEGATIVE]),
        complete("remainder", within=[-0.2, 0.2], circuit=[MOVER, BACKUP]),
    ]
    file = known(tmp_path, NAME, whole, claims, n=160, range=[-5, 15])
    results = verify(file).results
    verdicts = [one.decision.verdict for one in results]
    assert verdicts[:3] == [Verdict.SUPPORTED] * 3
    assert verdicts[3:6] == [Verdict.REFUTED] * 3
    # The negative mover alone pushes the answer below nothing: at most 0.3, but not within 0.2.
    assert verdicts[6:] == [Verdict.SUPPORTED, Verdict.REFUTED, Verdict.REFUTED]
    assert "K = movers" in results[4].decision.sentence
    assert MOVER in results[5].evidence["sets"][0]["members"]
    assert results[2].decision.sentence.startswith("No set K was found")
    assert "complete" not in results[2].decision.sentence


def test_equal_prompts_without_a_range_decide_nothing(tmp_path: Path) -> None:
    claims = [complete("classes", classes={"movers": [MOVER]}, tolerance=1.0)]
    (result,) = verify(known(tmp_path, NAME, [*EARLY, MOVER], claims, n=48)).results
    assert result.decision.verdict is Verdict.INCONCLUSIVE
    assert result.decision.reason is Reason.NO_SPREAD
    assert "'range'" in result.decision.sentence


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"by": "remainder", "at_least": 0.5}, "says at_most or within"),
        ({"by": "remainder", "at_most": 0.5, "within": [0.0, 0.1]}, "Both 'at_most' and 'within'"),
        ({"by": "remainder", "at_most": 0.5, "epsilon": 0.1}, "threshold of its own"),
        ({"by": "remainder"}, "There is no threshold"),
        ({"by": "random", "at_least": 0.5, "epsilon": 0.1}, "There is no 'size'"),
        ({"by": "random", "at_least": 1.0, "epsilon": 0.1, "size": 2}, "no number of sets"),
        ({"by": "classes", "epsilon": 0.1}, "There is no 'classes'"),
        ({"by": "classes", "epsilon": 0.1, "at_most": 1.0}, "is judged by its tolerance"),
        ({"by": "adversarial", "epsilon": 0.1, "size": 2}, "It is for 'by: random'"),
        ({"by": "adversarial"}, "Neither 'tolerance' nor 'epsilon'"),
        ({"by": "remainder", "within": [0.2, 0.1]}, "contradicts itself"),
    ],
)
def test_contradictions_are_refused(options: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(ClaimFileError, match=message):
        about(tmp_path, [{"id": "a", "kind": "complete", "statement": "It is.", **options}])


@pytest.mark.parametrize(
    ("claim", "message"),
    [
        (complete("classes", classes={"a": ["L1.H1"]}, epsilon=0.1), "not in the circuit"),
        (complete("classes", classes={"a": ["L0.H0"] * 2}, epsilon=0.1), "a member twice"),
        (complete("random", size=5, epsilon=0.1, at_least=0.5), "all of it is what"),
    ],
)
def test_sets_are_parts_of_the_circuit(
    claim: dict[str, Any], message: str, net: LiftedNetwork, folder: Path
) -> None:
    with pytest.raises(ClaimFileError, match=message):
        verify(claim_file(folder, claims=[claim], found=FOUND), net=net)
