import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from causalnet.claims import explain_claims, verify
from causalnet.errors import ClaimFileError, ModelNotFoundError
from causalnet.lift import LiftedNetwork
from tests.claims.small_case import CLAIMS, claim_file, small_net, write_pairs
from tests.claims.test_verification import RANDOM


@pytest.fixture(scope="module")
def net() -> LiftedNetwork:
    return small_net()


@pytest.fixture(scope="module")
def folder(net: LiftedNetwork, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("claims")
    write_pairs(path / "pairs.jsonl", net, 40)
    return path


UNDECIDED = [
    {**CLAIMS[0], "at_least": 0.0001},
    {**CLAIMS[1], "at_most": 2.0},
    {**CLAIMS[2]},
    {**CLAIMS[1], "id": "other", "circuit": ["L0.H1", "L1.H1"]},
    {**RANDOM, "fraction": 0.8, "max_circuits": 10},
]
UNDECIDED[1].pop("at_least")


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"ablation": {"kind": "zero"}},
        {"direction": "denoising"},
        {"readout": "loss"},
        {"ablation": {"kind": "resample", "draws": 2, "reference": {"file": "pairs.jsonl"}}},
    ],
)
def test_forwards_are_those_that_are_run(
    changes: dict[str, Any], net: LiftedNetwork, folder: Path
) -> None:
    """Oracle: the count of a verification, at most and (with 20 prompts) exactly."""
    short = {"file": "pairs.jsonl", "n": 20}  # too few for any verdict on a mean
    claims = UNDECIDED[1:4]
    file = claim_file(folder, task=short, claims=claims, **changes)
    report, plan = verify(file, net=net), explain_claims(file, net=net)
    assert report.cost.forwards == plan.most == plan.fewest
    file = claim_file(folder, claims=UNDECIDED, **changes)
    report, plan = verify(file, net=net), explain_claims(file, net=net)
    assert report.cost.forwards <= plan.most
    assert plan.fewest <= plan.most
    assert all(one.fewest <= one.most for one in plan.claims)


def test_it_says_what_is_run(net: LiftedNetwork, folder: Path) -> None:
    plan = explain_claims(claim_file(folder, claims=UNDECIDED), net=net)
    text = str(plan)
    for claim in UNDECIDED:
        assert f"CLAIM     {claim['id']}" in text
    assert "8 mediators" in text and "measured on one forward over 8 prompts" in text
    assert plan.claims[1].worlds == (
        "base",
        "source",
        "everything ablated",
        "only the circuit of enough",
    )
    json.dumps(plan.to_json(), allow_nan=False)


def test_a_model_and_prompts_that_are_not_there(folder: Path) -> None:
    with pytest.raises(ModelNotFoundError):
        explain_claims(claim_file(folder, model={"source": "./no/such.gguf"}))
    file = claim_file(folder, task={"file": "absent.jsonl"})
    with pytest.raises(ClaimFileError, match=r"absent\.jsonl"):
        explain_claims(file, net=small_net())


def test_the_example_is_explained_without_torch() -> None:
    path = Path(__file__).parents[2] / "examples" / "ioi.yaml"
    code = (
        "import sys; from causalnet.claims import explain_claims; "
        f"print(explain_claims({str(path)!r})); sys.exit('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "30 layers x 9 heads" in done.stdout and "270 mediators" in done.stdout
