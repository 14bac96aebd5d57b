"""Files that are damaged, or say what cannot be."""

import json
from pathlib import Path
from typing import Any

from causalnet.claims import read_claim_file
from causalnet.errors import ClaimFileError, ModelFileError, PromptError
from causalnet.models import load
from causalnet.tasks import read_pairs
from tests.claims.claim_text import VALID
from tests.faults.table import Work, fault
from tests.models import tiny_gguf
from tests.toys import words


def with_files(folder: Path) -> Work:
    """Work with a model, prompts and claims in files."""
    work = Work(folder)
    tiny_gguf.write_folder(folder / "model", tiny_gguf.network())
    rows = "".join(f"{json.dumps(row)}\n" for row in work.rows)
    (folder / "pairs.jsonl").write_text(rows)
    (folder / "claims.yaml").write_text(VALID)
    return work


def reading_claims(work: Work) -> object:
    """Read the claim file."""
    return read_claim_file(work.folder / "claims.yaml")


def reading_pairs(work: Work) -> object:
    """Read the prompts."""
    return read_pairs(work.folder / "pairs.jsonl", words())


def reading_the_model(work: Work) -> object:
    """Load the model from its folder."""
    return load(work.folder / "model", tokenizer=words())


def rewritten(work: Work, name: str, old: str, new: str) -> None:
    path = work.folder / name
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))


@fault(reading_claims, ClaimFileError, "claims.yaml:29:9", "'task'", start=with_files)
def two_claims_with_one_id(work: Work) -> None:
    rewritten(work, "claims.yaml", "id: enough", "id: task")


@fault(reading_claims, ClaimFileError, "claims.yaml:22:1", "'alpha'", start=with_files)
def a_key_that_is_misspelt(work: Work) -> None:
    rewritten(work, "claims.yaml", "alpha: 0.05", "alhpa: 0.05")


@fault(reading_claims, ClaimFileError, "claims.yaml:32:15", "at_least: 0.8", start=with_files)
def a_share_given_in_percent(work: Work) -> None:
    rewritten(work, "claims.yaml", "at_least: 0.8", "at_least: 80")


@fault(reading_pairs, PromptError, "pairs.jsonl:2", "'foil'", start=with_files)
def a_row_without_a_foil(work: Work) -> None:
    path = work.folder / "pairs.jsonl"
    lines = path.read_text().splitlines()
    row: dict[str, Any] = json.loads(lines[1])
    del row["foil"]
    path.write_text("\n".join((lines[0], json.dumps(row), *lines[2:])))


@fault(reading_the_model, ModelFileError, "model.safetensors", "1,000 bytes", start=with_files)
def weights_that_were_cut_off(work: Work) -> None:
    path = work.folder / "model" / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1000])
