"""The claim library: valid files, other prompts than those that found, written networks verified.

The claims about SmolLM2 are verified by `bench/claim_library.py`, which takes minutes.
"""

from pathlib import Path
from typing import Any

import pytest

from causalnet.claims import circuit_of, prompts, read_claim_file, verify
from causalnet.known_circuits import KNOWN, known_circuit
from causalnet.statistics import Verdict

LIBRARY = Path(__file__).parents[2] / "examples" / "claims"
FILES = {
    path.stem: path
    for path in sorted(LIBRARY.glob("*.yaml"))
    if not path.name.endswith(".heads.yaml")
}
WRITTEN = {f"known_{name}": name for name in KNOWN}
FOUND = tuple(sorted(set(FILES) - set(WRITTEN)))


def test_every_written_network_has_a_file() -> None:
    assert set(WRITTEN) <= set(FILES)
    assert FOUND  # and the others are about the language model


@pytest.mark.parametrize("name", FILES)
def test_a_file_says_everything_before_it_is_run(name: str) -> None:
    file = read_claim_file(FILES[name])
    assert file.model.weights_sha256 is not None
    assert all(claim.expected is not None for claim in file.claims)
    # A library in which nothing fails would show nothing.
    assert {claim.expected for claim in file.claims} >= {"SUPPORTED", "REFUTED"}
    assert len(circuit_of(file)) >= 3


@pytest.mark.parametrize("name", FILES)
def test_the_readme_names_the_file_and_its_claims(name: str) -> None:
    text = (LIBRARY / "README.md").read_text(encoding="utf-8")
    assert f"`{name}.yaml`" in text
    for claim in read_claim_file(FILES[name]).claims:
        assert f"`{claim.id}`" in text


@pytest.mark.parametrize("name", FOUND)
def test_no_prompt_that_found_a_circuit_tests_it(name: str, smollm2_tokenizer: Any) -> None:
    file = read_claim_file(FILES[name])
    tested = prompts.testing_pairs(file, smollm2_tokenizer)
    assert prompts.found_on(file, smollm2_tokenizer, tested) == 0


@pytest.mark.parametrize("name", WRITTEN)
def test_the_circuit_is_what_the_weights_connect(name: str) -> None:
    written = {f"{sender} -> {receiver}" for sender, receiver in known_circuit(WRITTEN[name]).truth}
    assert set(circuit_of(read_claim_file(FILES[name]))) == written


@pytest.mark.parametrize("name", WRITTEN)
def test_claims_about_written_networks_come_out_as_expected(name: str) -> None:
    report = verify(read_claim_file(FILES[name]))
    assert {one.claim.id: one.decision.verdict for one in report.results} == {
        one.claim.id: one.expected for one in report.results
    }
    assert Verdict.REFUTED in {one.decision.verdict for one in report.results}
