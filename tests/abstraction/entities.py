"""A network written by hand that answers for an entity what is asked of it, and examples for it.

A prompt is `e4 colour` or `e4 shape`; entity e4 has colour 4 mod 3 and shape 4 div 3.  Head L0.H0
brings the colour to the end, L0.H1 the shape, L0.H2 nothing that is read; the MLP answers the one
that is asked for.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import torch

from causalnet.abstraction import Examples, HighLevelModel
from causalnet.known_circuits.slots import (
    Layer,
    Match,
    Move,
    Slots,
    Units,
    WrittenHead,
    write_transformer,
)
from causalnet.known_circuits.words import word_tokenizer
from causalnet.lift import LiftedNetwork, lift
from causalnet.models import load

Functions = dict[str, Callable[..., Any]]
ENTITIES = tuple(f"e{number}" for number in range(9))
QUESTIONS = ("colour", "shape")
ANSWERS = ("c0", "c1", "c2", "s0", "s1", "s2")
WORDS = (*ENTITIES, *QUESTIONS, *ANSWERS)
SLOTS = Slots({"token": len(WORDS), "place": 2, "colour": 3, "shape": 3, "junk": 3, "out": 6})
TRUE = {"colour": "L0.H0", "shape": "L0.H1"}


def colour_of(entity: str) -> str:
    return f"c{int(entity[1:]) % 3}"


def shape_of(entity: str) -> str:
    return f"s{int(entity[1:]) // 3}"


def model() -> HighLevelModel:
    def answer(question: str, colour: str, shape: str) -> str:
        return colour if question == "colour" else shape

    variables: Functions = {"colour": colour_of, "shape": shape_of, "answer": answer}
    return HighLevelModel.of(
        "entities", inputs=["entity", "question"], variables=variables, output="answer"
    )


@cache
def examples() -> Examples:
    rows = [
        {"prompt": f"{entity} {question}", "entity": entity, "question": question}
        for entity in ENTITIES
        for question in QUESTIONS
    ]
    return Examples.from_rows(word_tokenizer(WORDS), rows)


def slot_basis(name: str) -> torch.Tensor:
    """Return the directions of a slot of the residual stream, [slot, width]."""
    return SLOTS.reads({name: torch.eye(SLOTS.size(name), dtype=torch.float64)}).T


@cache
def network() -> LiftedNetwork:
    eye, tokens = torch.eye(3, dtype=torch.float64), len(WORDS)
    attributes = {
        name: torch.zeros(tokens, 3, dtype=torch.float64) for name in ("colour", "shape", "junk")
    }
    for at, entity in enumerate(ENTITIES):
        attributes["colour"][at, int(colour_of(entity)[1:])] = 1
        attributes["shape"][at, int(shape_of(entity)[1:])] = 1
        attributes["junk"][at, (at * 5 + 1) % 3] = 1
    before = Match(
        {"place": torch.tensor([[0.0], [1.0]], dtype=torch.float64)},
        {"place": torch.tensor([[1.0], [0.0]], dtype=torch.float64)},
    )
    heads = tuple(
        WrittenHead(name, (before,), (Move({"token": table}, {name: eye}),), 30.0)
        for name, table in attributes.items()
    )
    asks = torch.zeros(tokens, 6, dtype=torch.float64)
    asks[WORDS.index("colour"), :3] = 1
    asks[WORDS.index("shape"), 3:] = 1
    both = Units(
        "answer: the attribute that is asked for",
        {
            "token": asks,
            "colour": torch.cat([eye, 0 * eye], 1),
            "shape": torch.cat([0 * eye, eye], 1),
        },
        torch.full((6,), -1.0, dtype=torch.float64),
        {"out": 5 * torch.eye(6, dtype=torch.float64)},
    )
    unembedding = torch.zeros(6, tokens, dtype=torch.float64)
    unembedding[:, -6:] = torch.eye(6, dtype=torch.float64)
    module = write_transformer(
        SLOTS,
        {"token": torch.eye(tokens, dtype=torch.float64)},
        {"place": torch.eye(2, dtype=torch.float64)},
        [Layer(heads, both)],
        {"out": unembedding},
    )
    return lift(load(module, tokenizer=word_tokenizer(WORDS), dtype="float64"))
