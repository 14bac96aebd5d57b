"""Small lifted networks in float64, and word prompts for them."""

import random
from dataclasses import replace
from functools import cache, partial
from typing import Any

from causalnet.lift import LiftedNetwork, lift, state_of
from causalnet.models import load
from causalnet.tasks import PromptPairs
from tests.small_models import (
    linear_network,
    small_transformer,
    tiny_gpt2,
    tiny_llama,
    word_tokenizer,
)

ENCODER_SILENT = ("L0.H0", "L0.H1", "L0.H2", "L0.H3", "L1.H3", "L1.mlp")
WORDS = tuple(f"w{number}" for number in range(60))


@cache
def words() -> Any:
    return word_tokenizer(WORDS)


@cache
def net(kind: str = "llama", seed: int = 0, layers: int = 2) -> LiftedNetwork:
    build: Any = {
        "llama": tiny_llama,
        "gpt2": tiny_gpt2,
        "linear": linear_network,
        "small": partial(small_transformer, silent=("L0.H2", "L0.mlp", "L1.H0")),
        "encoder": partial(small_transformer, causal=False, silent=ENCODER_SILENT),
    }[kind]
    module = build(seed=seed, layers=layers)
    return lift(load(module, tokenizer=words(), dtype="float64"))


def fresh_net(kind: str = "llama", seed: int = 0) -> LiftedNetwork:
    """A network that a test may break."""
    return net.__wrapped__(kind, seed)


def taken_as_it_is(network: LiftedNetwork) -> LiftedNetwork:
    """A network whose model was changed after it was checked, as if it had been so then."""
    return replace(network, state=state_of(network.model.module))


def sentence(rng: random.Random, length: int) -> str:
    return " ".join(rng.choice(WORDS) for _ in range(length))


def word_pairs(
    n: int = 5, seed: int = 0, lengths: tuple[int, ...] = (6,), align: bool = True, extra: int = 0
) -> PromptPairs:
    """Random pairs; `lengths` are cycled through, sources are `extra` words longer."""
    rng = random.Random(seed)
    rows = []
    for row in range(n):
        length = lengths[row % len(lengths)]
        answer, foil = rng.sample(WORDS, 2)
        rows.append(
            {
                "base": sentence(rng, length),
                "source": sentence(rng, length + extra),
                "answer": f" {answer}",
                "foil": f" {foil}",
                "template": f"length {length}",
            }
        )
    return PromptPairs.build(words(), rows, align=align)
