"""Balanced brackets by hand: depths, and whether one is below 0 or the last one above."""

from functools import partial

import torch
from torch import Generator, Tensor

from causalnet.known_circuits.circuit import KnownCircuit, Row, pair_row, roles_of
from causalnet.known_circuits.junk import check_options, junk_heads
from causalnet.known_circuits.module import SmallTransformer
from causalnet.known_circuits.slots import Layer, Move, Slots, Units, WrittenHead, write_transformer

__all__ = ["brackets"]

_TOKENS, _LENGTH = 2, 10
_SLOTS = Slots(
    # `one` is written and never read; it keeps the slots as the published figures have them.
    {"token": _TOKENS, "position": _LENGTH, "one": 1, "depth": 1, "below": 1, "open": 1}
    | {"violated": 1, "out": 1, "junk": 6}
)


def brackets(name: str = "brackets", *, junk: int = 2, seed: int = 0) -> KnownCircuit:
    """Build the circuit that tells balanced brackets from others.

    At the last position the logit of `(` is 0 for balanced brackets and negative for others; the
    logit of `)` is always 0.  Half of the prompts are balanced; sources are drawn apart.

    Args:
        name: What it is called.
        junk: Distractors in each layer.
        seed: Of the distractors' weights.

    Raises:
        ParameterError: An option that no network can be built with.
    """
    check_options(junk, seed)
    layers = _layers(junk, seed)
    return KnownCircuit.computed(
        name,
        "Whether brackets are balanced: the logit of ( is 0 if so, else below.",
        corruption="drawn apart",
        roles=roles_of(layers),
        words=("(", ")"),
        weights=partial(_weights, layers),
        sampler=_rows,
    )


def _layers(junk: int, seed: int) -> tuple[Layer, ...]:
    generator = Generator().manual_seed(seed)
    depth = WrittenHead(
        "depth: averages +1 for ( and -1 for ) so far, the depth over the position",
        (),
        (Move({"token": _tensor([[1.0], [-1.0]])}, {"depth": _ONE}),),
    )
    sign = Units(
        "sign: how far the depth is below 0, and how far above",
        {"depth": _tensor([[-_LENGTH, _LENGTH]])},
        torch.zeros(2, dtype=torch.float64),
        {"below": _tensor([[1.0], [0.0]]), "open": _tensor([[0.0], [1.0]])},
    )
    violated = WrittenHead(
        "any: averages how far the depth was below 0 so far",
        (),
        (Move({"below": _ONE}, {"violated": _ONE}),),
    )
    both = Units(
        "verdict: minus the violations, minus what is open",
        {"violated": _tensor([[_LENGTH, 0.0]]), "open": _tensor([[0.0, 1.0]])},
        torch.zeros(2, dtype=torch.float64),
        {"out": _tensor([[-1.0], [-1.0]])},
    )
    return tuple(
        Layer((head, *junk_heads(_SLOTS, junk, generator)), mlp)
        for head, mlp in ((depth, sign), (violated, both))
    )


def _weights(layers: tuple[Layer, ...]) -> SmallTransformer:
    tokens, places = (torch.eye(size, dtype=torch.float64) for size in (_TOKENS, _LENGTH))
    ones = torch.ones(_TOKENS, 1, dtype=torch.float64)
    return write_transformer(
        _SLOTS, {"token": tokens, "one": ones}, {"position": places}, layers, {"out": _ONE}
    )


def _rows(n: int, seed: int) -> tuple[Row, ...]:
    generator = Generator().manual_seed(seed)
    base, source = _strings(n, generator), _strings(n, generator)
    order: list[int] = torch.randperm(n, generator=generator).tolist()
    return tuple(
        pair_row(one, source[at], answer=0, foil=1) for one, at in zip(base, order, strict=True)
    )


def _strings(n: int, generator: Generator) -> list[list[int]]:
    """Draw strings, every other one balanced."""
    strings: list[list[int]] = torch.randint(0, 2, (n, _LENGTH), generator=generator).tolist()
    for at in range(0, n, 2):
        strings[at] = _balanced(generator)
    return strings


def _balanced(generator: Generator) -> list[int]:
    tokens: list[int] = []
    depth = 0
    for left in range(_LENGTH, 0, -1):
        opens = depth < left and (depth == 0 or _coin(generator))
        tokens.append(0 if opens else 1)
        depth += 1 if opens else -1
    return tokens


def _coin(generator: Generator) -> bool:
    return torch.rand(1, generator=generator, dtype=torch.float64).item() < 0.5


def _tensor(rows: list[list[float]]) -> Tensor:
    return torch.tensor(rows, dtype=torch.float64)


_ONE = torch.ones(1, 1, dtype=torch.float64)
