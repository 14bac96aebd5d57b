"""A folder with a small model, prompts on which it does something, and claims about them."""

import json
from pathlib import Path
from typing import Any

from tests.claims.small_case import WORDS, claim_file, small_net, write_pairs
from tests.small_models import word_tokenizer

CLAIMS: list[dict[str, Any]] = [
    {"id": "task", "kind": "exists", "statement": "It does it.", "at_least": 0.01},
    {"id": "enough", "kind": "faithful", "statement": "It is enough.", "at_least": 0.5},
    {"id": "needed", "kind": "necessary", "statement": "It is needed.", "at_least": 0.5},
    {
        "id": "special",
        "kind": "better_than_random",
        "statement": "Others do not do it.",
        "fraction": 0.5,
        "prompts": 16,
        "max_circuits": 32,
    },
]


def make_folder(place: Path, prompts: int = 48) -> Path:
    """Write `model` and `pairs.jsonl`, and return the folder."""
    net = small_net()
    module: Any = net.model.module
    module.save_pretrained(place / "model")
    word_tokenizer(WORDS).save_pretrained(place / "model")
    write_pairs(place / "pairs.jsonl", net, prompts)
    return place


def write_claims(folder: Path, name: str = "claims.json", **changes: Any) -> Path:
    """Write a claim file under a name, and return its path."""
    content = {"model": {"source": "model", "dtype": "float64"}, "claims": CLAIMS, **changes}
    written = claim_file(folder, **content)
    assert written.source is not None
    path = Path(written.source.path)
    return path if path.name == name else path.rename(folder / name)


def exists(threshold: float, name: str = "task") -> dict[str, Any]:
    """A claim that the mean logit difference is at least so large."""
    return {"id": name, "kind": "exists", "statement": "It does it.", "at_least": threshold}


def without_run(text: str | bytes) -> dict[str, Any]:
    """A report less what differs from run to run."""
    plain: dict[str, Any] = json.loads(text)
    plain.pop("run", None)
    return plain
