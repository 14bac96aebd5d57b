import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from causalnet.claims import explain_claims, verify
from causalnet.errors import ClaimFileError, DeviceError, ModelNotFoundError, ParameterError
from causalnet.interventions.techniques.measured import on_trial
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


EXAMPLE = Path(__file__).parents[2] / "examples" / "ioi.yaml"
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
        "only the circuit",
    )
    assert plan.claims[-1].worlds == (
        "base",
        "source",
        "everything ablated",  # whether there is a behaviour at all
        "only the circuit",
        "only random circuits",
    )
    assert "runs base, source, everything ablated, only the circuit: " in text
    json.dumps(plan.to_json(), allow_nan=False)


def test_runs_are_shared_where_circuits_are_equal(net: LiftedNetwork, folder: Path) -> None:
    """Oracle: with 20 prompts in batches of 8, no claim settles before its third batch."""
    other = {**CLAIMS[1], "id": "b", "circuit": ["L0.H1"]}
    claims = [CLAIMS[1], {**CLAIMS[1], "id": "again"}, other]
    file = claim_file(folder, task={"file": "pairs.jsonl", "n": 20}, claims=claims)
    plan = explain_claims(file, net=net)
    assert [one.most for one in plan.claims] == [12, 12, 12]
    assert plan.most == 15  # base, source, everything ablated, two circuits
    assert verify(file, net=net).cost.forwards == 15


def test_seed_device_and_number_type_are_part_of_the_plan() -> None:
    plan = explain_claims(EXAMPLE)
    assert (plan.device, plan.dtype) == ("cpu", "float32")
    wide = explain_claims(EXAMPLE, dtype="float64", seed=9)
    assert wide.seconds[1] == pytest.approx(2 * plan.seconds[1])
    assert "float64 on cpu (1.1 GB)" in str(wide) and "seed 9" in str(wide)
    far = explain_claims(EXAMPLE, device="cuda:1", dtype="bfloat16")
    assert far.seconds[1] < plan.seconds[1]
    assert "bfloat16 on cuda:1 (0.3 GB)" in str(far) and "processor time" not in str(far)
    with pytest.raises(DeviceError, match="no device 'gpu'"):
        explain_claims(EXAMPLE, device="gpu")
    with pytest.raises(ParameterError, match="no number type 'float31'"):
        explain_claims(EXAMPLE, dtype="float31")


def test_a_seed_for_prompts_of_a_file_is_refused(net: LiftedNetwork, folder: Path) -> None:
    with pytest.raises(ClaimFileError, match="A seed is for prompts of a generator"):
        explain_claims(claim_file(folder), net=net, seed=3)


def test_a_model_and_prompts_that_are_not_there(folder: Path) -> None:
    with pytest.raises(ModelNotFoundError):
        explain_claims(claim_file(folder, model={"source": "./no/such.gguf"}))
    file = claim_file(folder, task={"file": "absent.jsonl"})
    with pytest.raises(ClaimFileError, match=r"absent\.jsonl"):
        explain_claims(file, net=small_net())


def test_the_example_is_explained_without_torch() -> None:
    code = (
        "import sys; from causalnet.claims import explain_claims; "
        f"print(explain_claims({str(EXAMPLE)!r})); sys.exit('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "30 layers x 9 heads" in done.stdout and "270 mediators" in done.stdout


@pytest.mark.parametrize(("method", "is_tried"), [("ACDC/v1 of edges", True), ("by hand", False)])
def test_the_method_that_found_the_circuit_is_quoted_on_trial(
    net: LiftedNetwork, folder: Path, method: str, is_tried: bool
) -> None:
    found = {"method": method, "task": {"file": "pairs.jsonl", "n": 8}}
    file = claim_file(folder, found=found, task={"file": "pairs.jsonl", "n": 20})
    text = " ".join(str(explain_claims(file, net=net)).split())
    assert (on_trial("acdc") in text) is is_tried
