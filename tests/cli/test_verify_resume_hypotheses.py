"""Claims that run the model in ways of their own: stopped and resumed, and under a budget."""

import json
from pathlib import Path
from typing import Any

import pytest

from causalnet.claims import VerificationReport, verify
from causalnet.statistics import Reason
from causalnet.store import Ledger, Record, RecordKey
from tests.claims.known_case import MOVER, known_file, known_net
from tests.claims.test_hypothesis_claims import claim, hypothesis, scrubbed

LAST = {
    **hypothesis(MOVER, {"choose": [0, "third"]}, "the mover writes the subject"),
    "inputs": {"third": {"token": "S2"}},
}
CLAIMS: dict[str, dict[str, Any]] = {
    "abstracts": claim("abstracts", hypothesis=hypothesis(MOVER), at_least=0.8),
    "prefers": claim("prefers", hypothesis=hypothesis(MOVER), rival=LAST),
    "scrubbed": scrubbed(MOVER),
    "simulates": {"kind": "simulates", "at_least": 0.0, "interventions": 6},
}


def results(report: VerificationReport) -> str:
    return json.dumps(report.to_json(run=False), sort_keys=True)


class Stopped(Exception):
    """Takes the place of a kill."""


@pytest.mark.parametrize("kind", CLAIMS)
def test_nothing_is_run_twice_and_the_bytes_are_the_same(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, net = known_file(CLAIMS[kind], n=24), known_net()
    plain = verify(file, net=net)
    assert plain.cost.forwards > 0
    fetch = Ledger.fetch

    def stopping(self: Ledger, key: RecordKey, compute: Any) -> Record:
        is_new = key not in self
        record = fetch(self, key, compute)
        if is_new:
            raise Stopped
        return record

    with Ledger(tmp_path / "a") as ledger:
        monkeypatch.setattr(Ledger, "fetch", stopping)
        stops = 0
        while True:
            try:
                report = verify(file, net=net, ledger=ledger)
            except Stopped:
                stops += 1
                assert len(ledger) == stops < 200
                continue
            break
    assert stops > 0 and results(report) == results(plain)
    assert report.cost.reused == report.cost.forwards == plain.cost.forwards


@pytest.mark.parametrize("kind", CLAIMS)
def test_a_spent_budget_stops_before_the_first_call(kind: str) -> None:
    file = known_file(CLAIMS[kind], n=24)
    [result] = verify(file, net=known_net(), budget="0.000001s").results
    assert result.decision.reason is Reason.BUDGET
