"""Specifications of mechanistic-validity, read as claims."""

import json
from pathlib import Path

import pytest

from causalnet.claims import circuit_of, read_claim_file
from causalnet.errors import ClaimFileError

EXAMPLE = Path("examples/claims/validity")


def test_predictions_and_controls_become_claims() -> None:
    file = read_claim_file(EXAMPLE / "claims.yaml")
    said = [(claim.id, claim.kind, claim.bound, circuit_of(file, claim)) for claim in file.claims]
    assert said == [
        (
            "ablate_s_inhibition_reduces_output", "necessary", "at least 0.3",
            ("L19.H2", "L20.H0"),
        ),
        ("ablate_s_suppression_reduces_output", "necessary", "at least 0.3", ("L23.H3",)),
        ("ablate_negative_movers_increases_output", "necessary", "at most 0", ("L24.H4", "L29.H0")),
    ]  # fmt: skip
    assert circuit_of(file) == ("L19.H2", "L20.H0", "L23.H3", "L24.H4", "L29.H0")
    [told] = file.left_out
    assert "'s_inhibition', and claims are about the model's output" in told


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"steps": [{"name": "a", "maps_to_heads": [[1]]}]}, "pairs of layer and head"),
        ({"predictions": [], "negative_controls": []}, "Nothing in the specification"),
        ({"task_id": None, "predictions": None}, "no specification|Nothing"),
    ],
)
def test_malformed_specifications_are_refused(
    tmp_path: Path, changes: dict[str, object], message: str
) -> None:
    spec = json.loads((EXAMPLE / "spec.json").read_text()) | changes
    plain = {key: value for key, value in spec.items() if value is not None}
    (tmp_path / "spec.json").write_text(json.dumps(plain))
    (tmp_path / "claims.yaml").write_text((EXAMPLE / "claims.yaml").read_text())
    with pytest.raises(ClaimFileError, match=message):
        read_claim_file(tmp_path / "claims.yaml")


def test_a_specification_that_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "claims.yaml").write_text((EXAMPLE / "claims.yaml").read_text())
    with pytest.raises(ClaimFileError, match=r"There is no file 'spec.json'"):
        read_claim_file(tmp_path / "claims.yaml")
