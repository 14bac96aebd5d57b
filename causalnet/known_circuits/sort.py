"""Sorting by hand: a histogram, ranks by comparison, and a head that picks by rank."""

from functools import partial

import torch
from torch import Generator, Tensor

from causalnet.known_circuits.circuit import KnownCircuit, Row, pair_row, roles_of
from causalnet.known_circuits.junk import check_options, junk_heads
from causalnet.known_circuits.module import SmallTransformer
from causalnet.known_circuits.slots import (
    Layer,
    Match,
    Move,
    Slots,
    Units,
    WrittenHead,
    write_transformer,
)

__all__ = ["sort"]

_TOKENS, _LENGTH = 9, 6  # fewer positions than tokens: otherwise all prompts have one output
_SLOTS = Slots(
    {"token": _TOKENS, "position": _LENGTH, "histogram": _TOKENS, "rank": 1}
    | {"rank_is": _LENGTH, "out": _TOKENS, "junk": 6}
)


def sort(
    name: str = "sort", *, sharpness: float = 40.0, junk: int = 2, seed: int = 0
) -> KnownCircuit:
    """Build the circuit that writes six different tokens in order, position by position.

    It looks both ways.  All positions are read by the same edges; the answer is read at the last
    one, where the largest token belongs, and the foil is the second largest.  Base and source are
    drawn apart.

    Args:
        name: What it is called.
        sharpness: Multiplies the scores of the head that picks; soft attention below about 6.
        junk: Distractors in each layer.
        seed: Of the distractors' weights.

    Raises:
        ParameterError: An option that no network can be built with.
    """
    check_options(junk, seed, ("sharpness", sharpness))
    layers = _layers(sharpness, junk, seed)
    return KnownCircuit.computed(
        name,
        "Sorts six different tokens of nine.",
        corruption="drawn apart",
        roles=roles_of(layers),
        words=tuple("012345678"),
        weights=partial(_weights, layers),
        sampler=_rows,
    )


def _layers(sharpness: float, junk: int, seed: int) -> tuple[Layer, ...]:
    generator = Generator().manual_seed(seed)
    tokens = _eye(_TOKENS)
    histogram = WrittenHead(
        "histogram: looks everywhere alike, so that it brings which tokens are there",
        (),
        (Move({"token": tokens}, {"histogram": tokens}),),
    )
    pick = WrittenHead(
        "pick: position n looks where the rank is n, brings the token",
        (Match({"position": _eye(_LENGTH)}, {"rank_is": _eye(_LENGTH)}),),
        (Move({"token": tokens}, {"out": tokens}),),
        sharpness,
    )
    layers = []
    for heads, mlp in (((histogram,), _rank()), ((), _rank_is()), ((pick,), None)):
        layers.append(Layer((*heads, *junk_heads(_SLOTS, junk, generator)), mlp))
    return tuple(layers)


def _rank() -> Units:
    """Count the tokens that are there and less than this one: a unit for each such token.

    The histogram has 1 / length for a token that is there, so that a unit is
    relu(1 + bound - bound) = 1 if both hold, and relu of 1 - bound or less otherwise.
    """
    bound = float(_LENGTH + 1)
    above = bound * torch.ones(_TOKENS, _TOKENS, dtype=torch.float64).tril(-1)
    return Units(
        "rank: counts the smaller tokens that are there",
        {"histogram": _LENGTH * _eye(_TOKENS), "token": above},
        torch.full((_TOKENS,), -bound, dtype=torch.float64),
        {"rank": torch.ones(_TOKENS, 1, dtype=torch.float64)},
    )


def _rank_is() -> Units:
    """Spell a rank out: relu(r-k+1) - 2 relu(r-k) + relu(r-k-1) is 1 where r is k, else 0."""
    units = _LENGTH + 2
    bump = torch.zeros(units, _LENGTH, dtype=torch.float64)
    for rank in range(_LENGTH):
        bump[rank : rank + 3, rank] = torch.tensor([1.0, -2.0, 1.0], dtype=torch.float64)
    return Units(
        "spelled rank: one slot for each rank",
        {"rank": torch.ones(1, units, dtype=torch.float64)},
        1.0 - torch.arange(units, dtype=torch.float64),
        {"rank_is": bump},
    )


def _weights(layers: tuple[Layer, ...]) -> SmallTransformer:
    return write_transformer(
        _SLOTS,
        {"token": _eye(_TOKENS)},
        {"position": _eye(_LENGTH)},
        layers,
        {"out": 10 * _eye(_TOKENS)},
        causal=False,
    )


def _rows(n: int, seed: int) -> tuple[Row, ...]:
    generator = Generator().manual_seed(seed)
    base, source = (
        [torch.randperm(_TOKENS, generator=generator)[:_LENGTH].tolist() for _ in range(n)]
        for _ in range(2)
    )
    return tuple(
        pair_row(one, other, answer=max(one), foil=sorted(one)[-2])
        for one, other in zip(base, source, strict=True)
    )


def _eye(size: int) -> Tensor:
    return torch.eye(size, dtype=torch.float64)
