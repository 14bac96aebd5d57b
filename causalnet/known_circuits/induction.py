"""Induction by hand: A B ... A -> B (Olsson et al. 2022)."""

from functools import partial

import torch
from torch import Generator

from causalnet.known_circuits.circuit import KnownCircuit, Row, pair_row, roles_of
from causalnet.known_circuits.junk import check_options, junk_heads
from causalnet.known_circuits.module import SmallTransformer
from causalnet.known_circuits.slots import (
    Layer,
    Match,
    Move,
    Slots,
    WrittenHead,
    write_transformer,
)

__all__ = ["induction"]

_TOKENS, _LENGTH = 10, 12
_DRAWN = (_LENGTH - 1) // 2  # different tokens in a prompt
_SLOTS = Slots(
    {"token": _TOKENS, "position": _LENGTH, "previous": _TOKENS, "out": _TOKENS, "junk": 8}
)


def induction(
    name: str = "induction", *, sharpness: float = 30.0, junk: int = 3, seed: int = 0
) -> KnownCircuit:
    """Build the circuit of a previous-token head and an induction head.

    Prompts are up to five different tokens, then the same ones up to some place, padded in front
    with the first token; the source has another token where the answer is copied from.
    Positions: `first`, `copied`, `second` (which is `end`).

    Args:
        name: What it is called.
        sharpness: Multiplies the scores of both heads; soft attention below about 6.
        junk: Distractors in each layer.
        seed: Of the distractors' weights.

    Raises:
        ParameterError: An option that no network can be built with.
    """
    check_options(junk, seed, ("sharpness", sharpness))
    layers = _layers(sharpness, junk, seed)
    return KnownCircuit.computed(
        name,
        "Copies the token that came after this one before.",
        corruption="another token where the answer is copied from",
        roles=roles_of(layers),
        words=tuple("abcdefghij"),
        weights=partial(_weights, layers),
        sampler=_rows,
    )


def _layers(sharpness: float, junk: int, seed: int) -> tuple[Layer, ...]:
    generator = Generator().manual_seed(seed)
    tokens, places = _eye(_TOKENS), _eye(_LENGTH)
    before = torch.diag(torch.ones(_LENGTH - 1, dtype=torch.float64), -1)
    before[0, 0] = 1.0  # the first position has none before it, and looks at itself
    previous = WrittenHead(
        "previous token: brings the token before",
        (Match({"position": before}, {"position": places}),),
        (Move({"token": tokens}, {"previous": tokens}),),
        sharpness,
    )
    copy = WrittenHead(
        "induction: looks behind an earlier mention of this token, brings what stands there",
        (Match({"token": tokens}, {"previous": tokens}),),
        (Move({"token": tokens}, {"out": tokens}),),
        sharpness,
    )
    return tuple(Layer((head, *junk_heads(_SLOTS, junk, generator))) for head in (previous, copy))


def _weights(layers: tuple[Layer, ...]) -> SmallTransformer:
    return write_transformer(
        _SLOTS,
        {"token": _eye(_TOKENS)},
        {"position": _eye(_LENGTH)},
        layers,
        {"out": 10 * _eye(_TOKENS)},
    )


def _rows(n: int, seed: int) -> tuple[Row, ...]:
    generator = Generator().manual_seed(seed)
    return tuple(_row(generator) for _ in range(n))


def _row(generator: Generator) -> Row:
    drawn: list[int] = torch.randperm(_TOKENS, generator=generator)[:_DRAWN].tolist()
    at = int(torch.randint(1, _DRAWN - 1, (1,), generator=generator))
    base = [*drawn, *drawn[: at + 1]]
    while (other := int(torch.randint(0, _TOKENS, (1,), generator=generator))) in drawn:
        pass
    source = [*base[: at + 1], other, *base[at + 2 :]]
    padding = [drawn[0]] * (_LENGTH - len(base))
    positions = {
        "first": len(padding) + at,
        "copied": len(padding) + at + 1,
        "second": _LENGTH - 1,
    }
    return pair_row(padding + base, padding + source, drawn[at + 1], other, positions)


def _eye(size: int) -> torch.Tensor:
    return torch.eye(size, dtype=torch.float64)
