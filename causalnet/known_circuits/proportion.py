"""The share of a token so far, by hand: an indicator and a head that looks everywhere alike."""

from functools import partial

import torch
from torch import Generator

from causalnet.known_circuits.circuit import KnownCircuit, Row, pair_row, roles_of
from causalnet.known_circuits.junk import check_options, drawn, junk_heads
from causalnet.known_circuits.module import SmallTransformer
from causalnet.known_circuits.slots import Layer, Move, Slots, Units, WrittenHead, write_transformer

__all__ = ["proportion"]

_TOKENS, _LENGTH = 5, 10
_JUNK_UNITS = 3
_SLOTS = Slots({"token": _TOKENS, "position": _LENGTH, "is_x": 1, "out": 1, "junk": 6})


def proportion(name: str = "proportion", *, junk: int = 2, seed: int = 0) -> KnownCircuit:
    """Build the circuit that computes which share of the tokens so far is `x`.

    The logit of token 0 is that share, and every other logit is 0.  Base and source are drawn
    apart.

    Args:
        name: What it is called.
        junk: Distractors in each layer; the MLP has three junk units besides.
        seed: Of the distractors' weights.

    Raises:
        ParameterError: An option that no network can be built with.
    """
    check_options(junk, seed)
    layers = _layers(junk, seed)
    return KnownCircuit.computed(
        name,
        "The share of x among the tokens so far, as the logit of x.",
        corruption="drawn apart",
        roles=roles_of(layers),
        words=("x", "a", "b", "c", "d"),
        weights=partial(_weights, layers),
        sampler=_rows,
    )


def _layers(junk: int, seed: int) -> tuple[Layer, ...]:
    generator = Generator().manual_seed(seed)
    units = 1 + _JUNK_UNITS
    read = torch.zeros(_TOKENS, units, dtype=torch.float64)
    read[0, 0] = 1.0
    read[:, 1:] = drawn(generator, _TOKENS, _JUNK_UNITS)
    is_x = torch.eye(units, 1, dtype=torch.float64)
    rest = torch.zeros(units, _SLOTS.size("junk"), dtype=torch.float64)
    rest[1:] = drawn(generator, _JUNK_UNITS, _SLOTS.size("junk"))
    indicator = Units(
        "indicator: says whether the token is x (and three units of junk)",
        {"token": read},
        torch.zeros(units, dtype=torch.float64),
        {"is_x": is_x, "junk": rest},
    )
    one = torch.ones(1, 1, dtype=torch.float64)
    average = WrittenHead(
        "average: looks everywhere alike, so that it brings the share",
        (),
        (Move({"is_x": one}, {"out": one}),),
    )
    first = Layer(junk_heads(_SLOTS, junk, generator), indicator)
    return first, Layer((average, *junk_heads(_SLOTS, junk, generator)))


def _weights(layers: tuple[Layer, ...]) -> SmallTransformer:
    tokens, places = (torch.eye(size, dtype=torch.float64) for size in (_TOKENS, _LENGTH))
    out = torch.eye(1, dtype=torch.float64)
    return write_transformer(_SLOTS, {"token": tokens}, {"position": places}, layers, {"out": out})


def _rows(n: int, seed: int) -> tuple[Row, ...]:
    generator = Generator().manual_seed(seed)
    base, source = (
        torch.randint(0, _TOKENS, (n, _LENGTH), generator=generator).tolist() for _ in range(2)
    )
    return tuple(pair_row(*pair, answer=0, foil=1) for pair in zip(base, source, strict=True))
