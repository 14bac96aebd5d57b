"""A small random model, prompts on which it does something, and claim files about it."""

import json
from pathlib import Path
from typing import Any

import torch

from causalnet.claims import ClaimFile, read_claim_file
from causalnet.lift import LiftedNetwork, lift
from causalnet.models import load
from tests.small_models import random_ids, tiny_llama, word_tokenizer

WORDS = [f"w{index}" for index in range(61)]


def small_net(**options: Any) -> LiftedNetwork:
    """A random model of 2 layers with 4 heads and 2 K/V groups, in float64."""
    return lift(load(tiny_llama(**options), tokenizer=word_tokenizer(WORDS)))


def write_pairs(path: Path, net: LiftedNetwork, count: int, seed: int = 0) -> None:
    """Write pairs that differ in one token and in the model's first choice, which is the answer.

    The answer is the first choice on the base prompt and the foil that on the source prompt, so
    that the logit difference is above 0 on every base prompt and below 0 on every source prompt.
    """
    base = random_ids(6 * count, 6, seed=seed)
    source = base.clone()
    source[:, 3] = random_ids(6 * count, 1, seed=seed + 1)[:, 0]
    answers, foils = (net.run(ids)[:, -1].argmax(-1) for ids in (base, source))
    rows = [row for row in range(len(base)) if answers[row] != foils[row]][:count]
    assert len(rows) == count
    lines = (
        {
            "base_ids": base[row].tolist(),
            "source_ids": source[row].tolist(),
            "answer_ids": [int(answers[row])],
            "foil_ids": [int(foils[row])],
        }
        for row in rows
    )
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines))


CLAIMS: list[dict[str, Any]] = [
    {"id": "task", "kind": "exists", "statement": "It does it.", "at_least": 0.5},
    {"id": "enough", "kind": "faithful", "statement": "It is enough.", "at_least": 0.2},
    {"id": "needed", "kind": "necessary", "statement": "It is needed.", "at_least": 0.2},
]


def claim_file(folder: Path, **changes: Any) -> ClaimFile:
    """Write a claim file about `pairs.jsonl` in a folder, as JSON, and read it."""
    content: dict[str, Any] = {
        "schema": 1,
        "model": {"source": "given"},
        "task": {"file": "pairs.jsonl"},
        "circuit": ["L0.H0", "L0.H1", "L1.H0", "L1.H2", "L1.H3"],
        "found": {"method": "given", "note": "chosen by hand"},
        "ablation": {"kind": "counterfactual"},
        "batch": 8,
        "robustness": {"skip": True, "reason": "tested by itself"},
        "claims": CLAIMS,
    }
    path = folder / "claims.json"
    path.write_text(json.dumps({**content, **changes}, indent=1))
    return read_claim_file(path)


def batches_above(net: LiftedNetwork, most: int) -> Any:
    """Let the model run out of memory on more than `most` prompts; returns the hook's handle."""

    def refuse(module: Any, args: Any, named: Any) -> None:
        ids = args[0] if args else named["input_ids"]
        if len(ids) > most:
            raise torch.OutOfMemoryError("Tried to allocate 1 TiB.")

    return net.model.module.register_forward_pre_hook(refuse, with_kwargs=True)
