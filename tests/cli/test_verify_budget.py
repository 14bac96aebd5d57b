"""Budgets: what may be run, and what is said when it is spent."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from causalnet.claims import verify
from causalnet.claims.budget import Budget, OutOfBudget, Spending
from causalnet.cli.door import run_command_line
from causalnet.errors import ParameterError
from causalnet.lift import LiftedNetwork
from causalnet.statistics import Reason, Verdict
from causalnet.store import Ledger
from tests.claims.small_case import claim_file, small_net, write_pairs
from tests.cli.small_folder import CLAIMS, exists, make_folder, write_claims

Output = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def net() -> LiftedNetwork:
    return small_net()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_folder(tmp_path_factory.mktemp("budget"))


@pytest.fixture(autouse=True)
def saved_quietly(folder: Path, capsys: Output) -> Iterator[None]:
    """Forget what saving the model printed."""
    capsys.readouterr()
    yield


UNITS = {" forward": 1, " forwards": 1, "k forwards": 1000, "M forwards": 10**6}
TIMES = {"s": 1, " sec": 1, "min": 60, "h": 3600}


@given(
    st.integers(1, 999),
    st.sampled_from(sorted(UNITS)),
    st.integers(1, 99),
    st.sampled_from(sorted(TIMES)),
)
def test_a_budget_is_what_was_written(count: int, unit: str, long: int, each: str) -> None:
    forwards, seconds = count * UNITS[unit], long * TIMES[each]
    assert Budget.of(f"{count}{unit}") == Budget(forwards=forwards)
    assert Budget.of(f"{long}{each}") == Budget(cpu_seconds=seconds)
    assert Budget.of(f"{long}{each}, {count}{unit}") == Budget(forwards, seconds)
    assert Budget.of(Budget(forwards)) == Budget(forwards)
    assert Budget.of(f"{count}fe, {long}{each}") == Budget(None, seconds, float(count))


BAD = (
    "",
    "300",
    "0fe",
    "-3fe",
    "1e3fe",
    "10m",
    "3 days",
    "nanfe",
    "fe",
    "1fe,2fe",
    "1fe;2s",
    "5ks",
    "9" * 40 + "fe",
    "1.5.2fe",
    "٣fe",
)


@pytest.mark.parametrize("text", BAD)
def test_what_is_no_budget_is_refused(text: str) -> None:
    with pytest.raises(
        ParameterError, match=r"The budget .* is none\. .*Write for example --budget"
    ):
        Budget.of(text)


def test_the_command_refuses_a_budget_before_it_loads(folder: Path, capsys: Output) -> None:
    assert run_command_line(["verify", str(write_claims(folder)), "--budget", "0fe"]) == 3
    error = capsys.readouterr().err
    assert "The budget '0fe' is none" in error and "load the model" not in error


def test_spending_is_counted_and_refused() -> None:
    spending = Spending(Budget(forwards=2))
    for _ in range(2):
        spending.check()
        spending.count()
    with pytest.raises(OutOfBudget):
        spending.check()
    assert spending.is_out and str(spending.budget) == "2 forwards"
    spent = Spending(Budget(cpu_seconds=0.01))
    until = time.process_time() + 0.02
    while time.process_time() < until:
        pass
    with pytest.raises(OutOfBudget):
        spent.check()


@pytest.fixture
def prompts(net: LiftedNetwork, tmp_path: Path) -> Path:
    write_pairs(tmp_path / "pairs.jsonl", net, 48)
    return tmp_path


def test_a_claim_that_is_settled_in_time_keeps_its_verdict(
    net: LiftedNetwork, prompts: Path
) -> None:
    mean = verify(claim_file(prompts, claims=[exists(-1e6)]), net=net)["task"]
    claims = [exists(-1e6, "easy"), exists(mean.decision.estimate, "hard"), CLAIMS[3]]
    file = claim_file(prompts, claims=claims)
    whole = verify(file, net=net)
    report = verify(file, net=net, budget="12 forwards")
    assert report["easy"].decision.verdict is Verdict.SUPPORTED
    for name in ("hard", "special"):
        decision = report[name].decision
        assert (decision.verdict, decision.reason) == (Verdict.INCONCLUSIVE, Reason.BUDGET)
        assert "The budget of 12 forwards ran out after" in decision.sentence
    assert "take at most" in report["hard"].decision.sentence
    assert "So far: " in report["hard"].decision.sentence
    assert 12 <= report.cost.forwards < whole.cost.forwards
    assert report.exit_status == 2


def test_equivalents_are_forwards_over_all_prompts(net: LiftedNetwork, prompts: Path) -> None:
    """Oracle: 48 prompts in batches of 8 make a plain forward of 6 passes."""
    file = claim_file(prompts, claims=[exists(-1e6, "easy"), CLAIMS[3]], batch=8)
    whole = verify(file, net=net)
    report = verify(file, net=net, budget="2fe")
    assert report["special"].decision.reason is Reason.BUDGET
    assert "2 forward-equivalents ran out" in report["special"].decision.sentence
    assert 12 <= report.cost.forwards < whole.cost.forwards


def test_nothing_is_lost_with_a_ledger(net: LiftedNetwork, prompts: Path, tmp_path: Path) -> None:
    """Runs with the same small budget come to the end, each a little further."""
    file = claim_file(prompts, claims=CLAIMS)
    whole = verify(file, net=net)
    seen: list[int] = []
    for _ in range(200):
        with Ledger(tmp_path / "a") as ledger:
            report = verify(file, net=net, ledger=ledger, budget="12 forwards")
            status = ledger.run(report.run_id).status
        seen.append(report.cost.reused)
        if status == "finished":
            break
    assert len(seen) > 2 and seen == sorted(set(seen))
    assert report.to_json(run=False) == whole.to_json(run=False)


def test_what_comes_after_the_prompts_may_be_cut_too(net: LiftedNetwork, prompts: Path) -> None:
    file = claim_file(prompts, claims=[CLAIMS[3]])
    whole = verify(file, net=net)
    report = verify(file, net=net, budget=Budget(whole.cost.forwards // 2))
    decision = report["special"].decision
    if decision.reason is not Reason.BUDGET:  # settled by the last call that was begun
        report = verify(file, net=net, budget=Budget(whole.cost.forwards // 2))
        decision = report["special"].decision
    assert decision.reason is Reason.BUDGET
    assert "What comes after the prompts was not run to its end" in decision.sentence


def test_the_budget_is_of_all_files_together(folder: Path, tmp_path: Path, capsys: Output) -> None:
    files = [
        str(write_claims(folder, name, title=name, claims=[exists(-1e6), *CLAIMS[1:3]]))
        for name in ("a.json", "b.json")
    ]
    assert (
        run_command_line(
            ["verify", *files, "--budget", "10 forwards", "--resume", str(tmp_path / "l")]
        )
        == 2
    )
    told = capsys.readouterr().out
    assert " budget   10 forwards ran out; go on with --resume" in told
    assert " ".join(told.split()).count("The budget of 10 forwards ran out") > 3  # of both files
    for _ in range(40):
        status = run_command_line(
            ["verify", *files, "--budget", "10 forwards", "--resume", str(tmp_path / "l")]
        )
        told = capsys.readouterr().out
        if "ran out" not in told:
            break
    assert run_command_line(["verify", *files, "--quiet"]) == status
