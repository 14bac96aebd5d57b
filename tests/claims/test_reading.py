import json
from pathlib import Path

import pytest

from causalnet.claims import circuit_of, json_schema, read_claim_file
from causalnet.claims.kinds import BetterThanRandomClaim, ExistsClaim, FaithfulClaim
from causalnet.errors import ClaimFileError
from tests.claims.claim_text import VALID, read, replaced


def test_every_key_is_read() -> None:
    claim_file = read(VALID)
    assert claim_file.schema_version == 1 and claim_file.alpha == 0.05
    assert claim_file.task.generator_options == {"corruption": "abc"}
    assert claim_file.ablation.positions == ("end",)
    exists, faithful, _, random = claim_file.claims
    assert isinstance(exists, ExistsClaim) and exists.threshold == 1.5
    assert isinstance(faithful, FaithfulClaim) and faithful.direction == "at_least"
    assert isinstance(random, BetterThanRandomClaim) and random.max_circuits == 200
    assert circuit_of(claim_file) == ("L1.H0", "L1.H2", "L0.H3")
    assert circuit_of(claim_file, claim_file.claims[2]) == ("L1.H0",)


def test_json_says_the_same_as_yaml(tmp_path: Path) -> None:
    claim_file = read(VALID)
    path = tmp_path / "claims.json"
    path.write_text(claim_file.model_dump_json(by_alias=True, exclude_none=True))
    assert read_claim_file(path).model_dump() == claim_file.model_dump()


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        (replaced("alpha: 0.05", "alhpa: 0.05"), (22, 1), "Did you mean 'alpha'?"),
        (replaced("at_least: 1.5", "treshold: 1.5"), (28, 5), "Did you mean 'at_least'?"),
        (replaced("  n: 96", "  n: 96\n  n: 97"), (10, 3), "given twice, first in line 9"),
        (replaced("alpha: 0.05", "alpha: 0.5"), (22, 8), "above 0 and at most 0.2. Write for"),
        (replaced("alpha: 0.05", "alpha: high"), (22, 8), "Write for example 'alpha: 0.05'."),
        (replaced("batch: 16", "batch: 0"), (23, 8), "of at least 1 and at most 4096. Write for"),
        (replaced("n: 96", "n: 0"), (9, 6), "Write for example 'n: 64'."),
        (replaced("abc\nread", "7\nread"), (11, 15), "It is a text. Put it in quotes."),
        (replaced("bos: false", "bos: 2"), (6, 8), "true or false. Write for example 'bos: false'"),
        (replaced("alpha: 0.05", "alpha: .nan"), (22, 8), "not a number that is read"),
        (replaced("alpha: 0.05", "alpha: 1e999"), (22, 8), "not a number that is read"),
        (replaced("alpha: 0.05", "alpha: 1_0"), (22, 8), "not a number that is read"),
        (replaced("n: 96", "n: 096"), (9, 6), "not a number that is read"),
        (replaced("n: 96", "n: 9.5"), (9, 6), "It is a whole number of at least 1"),
        (replaced("n: 96", "n: true"), (9, 6), "at most 1000000. Write for example 'n: 64'."),
        (replaced("bos: false", "bos: no"), (6, 8), "true or false"),
        (replaced("at_least: 0.8", "at_least: 7.5"), (32, 15), "between 0 and 2. The nearest"),
        (replaced("at_least: 0.8", "at_least: 80"), (32, 15), "'at_least: 0.8' if you mean 80 %."),
        (replaced("at_least: 0.8", "at_most: -1"), (32, 14), "between 0 and 2"),
        (replaced("fraction: 0.8", "fraction: 1.0"), (42, 15), "below 1"),
        (
            replaced("at_least: 0.8", "at_least: 0.8\n    at_most: 0.9"),
            (33, 14),
            "Both 'at_least' and 'at_most'",
        ),
        (replaced("    at_least: 0.8\n", ""), (29, 5), "Missing key 'at_least' or 'at_most'"),
        (replaced("  source: some/model\n", "  dtype: float32\n"), (3, 1), "Missing key 'source'"),
        (replaced("readout: logit_difference", "readout: logit_diff"), (12, 10), "Did you mean"),
        (replaced("kind: faithful", "kind: faithfull"), (30, 11), "Did you mean 'faithful'?"),
        (replaced("    kind: faithful\n", ""), (29, 5), "Missing key 'kind'"),
        (replaced("[L1.H0, L1.H2, L0.H3]", "[]"), (13, 10), "The circuit is empty."),
        (
            replaced("[L1.H0, L1.H2, L0.H3]", "[L1.H0, 7]"),
            (13, 18),
            "It is a text. Put it in quotes.",
        ),
        (
            replaced("[L1.H0, L1.H2, L0.H3]", "7"),
            (13, 10),
            "Write for example 'circuit: [L20.H0, L19.H2]'",
        ),
        (replaced("L1.H2, L0.H3", "L1.H2, L1H2"), (13, 25), "in the circuit twice"),
        (replaced("L1.H2, L0.H3", "L1.H2, 'L0.H3[S2]'"), (13, 25), "has a position, and the first"),
        (replaced("L1.H2, L0.H3", "L1.H2, L0.mlp"), (13, 25), "only heads are ablated"),
        (replaced("[L1.H0, L1.H2, L0.H3]", "heads.json"), (13, 10), "no circuit file 'heads.json'"),
        (replaced("    circuit: [L1.H0]", "    circuit: []"), (38, 14), "The circuit is empty."),
        (replaced("id: needed", "id: task"), (34, 9), "The id 'task' is given twice."),
        (replaced("kind: counterfactual", "kind: mean"), (18, 9), "without 'reference'"),
        (replaced("ablate: heads\n", "ablate: heads\n  draws: 3\n"), (20, 10), "draws nothing"),
        (replaced("  name: ioi\n", "  name: oi\n"), (8, 9), "Did you mean 'ioi'?"),
        (replaced("  corruption: abc\n", "  options: {words: 5}\n"), (11, 20), "no 'words'"),
        (replaced("  seed: 2\n", ""), (7, 1), "Missing key 'seed'"),
        (replaced("  seed: 2\n", "  file: a.jsonl\n"), (10, 9), "Both 'name' and 'file'"),
        (replaced("schema: 1", "schema: 2"), (1, 9), "reads schema 1"),
        (replaced("schema: 1", "schema: true"), (1, 9), "reads schema 1"),
        (
            replaced("readout: logit_difference", "readout: kl"),
            (26, 11),
            "The claim 'exists' with the read-out 'kl'",
        ),
        (
            replaced("readout: logit_difference", "readout: accuracy"),
            (28, 15),
            "between 0 and 1. The nearest that can be claimed is 'at_least: 1'.",
        ),
        (
            replaced("at: end", "at: S2"),
            (20, 7),
            "It is 'end' or 'all' or a list.",
        ),
        (
            replaced("direction: noising", "direction: denoising").replace(
                "kind: counterfactual", "kind: zero"
            ),
            (21, 12),
            "Denoising with the ablation 'zero'",
        ),
        (replaced("  method: largest effects of single heads\n", ""), (14, 1), "key 'method'"),
        (
            replaced("  task: {name: ioi, n: 24, seed: 1, corruption: abc}\n", ""),
            (14, 1),
            "Neither 'task' nor 'note'",
        ),
        ("claims\n", (1, 1), "It is a mapping of keys."),
        (VALID[: VALID.index("claims:")] + "claims: []\n", (24, 9), "at least 1 entry"),
        (VALID[: VALID.index("claims:")] + "claims: 3\n", (24, 9), "It is a list."),
    ],
)
def test_a_mistake_is_shown_with_its_place(text: str, place: tuple[int, int], words: str) -> None:
    with pytest.raises(ClaimFileError) as caught:
        read(text)
    error = caught.value
    assert words in str(error)
    assert error.came and error.possible and error.write
    assert (error.line, error.column) == place
    assert str(error).startswith(f"claims.yaml:{place[0]}:{place[1]}: ")
    shown, carets = str(error).splitlines()[-2:]
    assert shown.endswith(text.splitlines()[place[0] - 1])
    assert carets.index("^") - shown.index("|") - 2 == place[1] - 1


def test_the_circuit_may_be_a_file(tmp_path: Path) -> None:
    path = tmp_path / "claims.yaml"
    path.write_text(replaced("[L1.H0, L1.H2, L0.H3]", "heads.json"))
    (tmp_path / "heads.json").write_text('{"circuit": ["L1.H0", "blocks.3.hook_mlp_out"]}')
    with pytest.raises(ClaimFileError, match=r"heads\.json:1:23.*only heads are ablated"):
        read_claim_file(path)
    (tmp_path / "heads.json").write_text('["L1.H0", "a0.h3"]')
    assert circuit_of(read_claim_file(path)) == ("L1.H0", "L0.H3")
    (tmp_path / "heads.json").write_text("[]")
    with pytest.raises(ClaimFileError, match="The circuit is empty"):
        read_claim_file(path)
    (tmp_path / "heads.json").write_text('{"heads": ["L1.H0"]}')
    with pytest.raises(ClaimFileError, match="holds no list"):
        read_claim_file(path)


def test_the_schema_describes_every_key() -> None:
    schema = json_schema()
    for definition in (schema, *schema["$defs"].values()):
        assert definition["additionalProperties"] is False
        for name, key in definition["properties"].items():
            assert "description" in key, name
    json.dumps(schema)


def test_reading_is_free_of_torch() -> None:
    import subprocess
    import sys

    code = "import causalnet.claims, sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
