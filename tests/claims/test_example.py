"""The claim file of the demo, on the real model."""

from pathlib import Path
from typing import TYPE_CHECKING

from causalnet.claims import circuit_of, read_claim_file, verify
from causalnet.statistics import Verdict

if TYPE_CHECKING:
    from causalnet.lift import LiftedNetwork

EXAMPLE = Path(__file__).parents[2] / "examples" / "ioi.yaml"


def test_the_example_comes_out_as_it_says(smollm2_net: "LiftedNetwork") -> None:
    file = read_claim_file(EXAMPLE)
    report = verify(file, net=smollm2_net)
    assert [one.decision.verdict for one in report.results] == [
        one.expected for one in report.results
    ]
    assert Verdict.REFUTED in {one.decision.verdict for one in report.results}
    assert report.exit_status == 1 and report.is_expected
    assert report.provenance["overlap"] == 0
    assert report.cost.forwards < 120
    assert len(circuit_of(file)) == 20
