"""The indirect object by hand (after Wang et al. 2022), with a backup and a negative mover."""

from collections.abc import Sequence
from functools import partial

import torch
from torch import Generator, Tensor

from causalnet.errors import ParameterError
from causalnet.known_circuits.circuit import KnownCircuit, Row, pair_row, roles_of
from causalnet.known_circuits.junk import check_options, junk_heads
from causalnet.known_circuits.module import SmallTransformer
from causalnet.known_circuits.slots import (
    Blocks,
    Layer,
    Match,
    Move,
    Slots,
    WrittenHead,
    write_transformer,
)

__all__ = ["indirect_object"]

_NAMES = ("Mary", "John", "Anna", "Tom", "Lucy", "Paul", "Emma", "Jack")
_FILLERS = ("and", "then", "saw", "met")
_WORDS = (*_NAMES, *_FILLERS, "BEGIN", "END")
_BEGIN, _END = _WORDS.index("BEGIN"), _WORDS.index("END")
_COUNT, _TOKENS, _LENGTH = len(_NAMES), len(_WORDS), 8
_SLOTS = Slots(
    {"token": _TOKENS, "position": _LENGTH, "is_name": 1, "is_begin": 1, "is_end": 1, "one": 1}
    | {"duplicate": _COUNT, "is_duplicate": 1, "inhibited": _COUNT, "out": _COUNT, "moved": 1}
    | {"junk": 6}
)


def indirect_object(
    name: str = "indirect_object",
    *,
    sharpness: float = 20.0,
    backup: bool = False,
    negative: float = 0.0,
    junk: int = 2,
    seed: int = 0,
) -> KnownCircuit:
    """Build the circuit that finds the name that is there once.

    Prompts are BEGIN name filler name filler name filler END, where the third name is one of the
    first two; the answer is the other one.  In the source the third name is the answer.
    Positions: `IO`, `S1`, `S2` and `end`, by the base's names.

    A backup mover waits until the mover is gone: it reads a flag that the mover writes.  A
    negative mover writes against the answer.

    Args:
        name: What it is called.
        sharpness: Multiplies the scores of all these heads; soft attention below about 6.
        backup: Whether there is a backup mover.
        negative: How much the negative mover writes against what the mover writes; 0 for none.
        junk: Distractors in each layer.
        seed: Of the distractors' weights.

    Raises:
        ParameterError: An option that no network can be built with.
    """
    check_options(junk, seed, ("sharpness", sharpness))
    is_number = isinstance(negative, int | float) and not isinstance(negative, bool)
    if not is_number or not 0 <= negative < float("inf"):
        raise ParameterError(
            came=f"negative={negative!r}.",
            possible="A share of what the mover writes, 0 for no negative mover.",
            write="Write for example negative=0.25.",
        )
    layers = _layers(sharpness, backup, negative, junk, seed)
    return KnownCircuit.computed(
        name,
        "The name that is there once, among three names of which two are the same.",
        corruption="the third name is the answer",
        roles=roles_of(layers),
        words=_WORDS,
        weights=partial(_weights, layers),
        sampler=_rows,
    )


def _layers(
    sharpness: float, backup: bool, negative: float, junk: int, seed: int
) -> tuple[Layer, ...]:
    generator = Generator().manual_seed(seed)
    movers: list[WrittenHead] = []
    if backup:
        role = "backup mover: moves the name if the mover has not"
        movers.append(_mover(role, 1.0, sharpness, asks={"moved": _number(-2)}))
    if negative:
        role = "negative mover: writes against the name"
        movers.append(_mover(role, -negative, sharpness))
    mover = _mover("mover: brings the name that is not inhibited", 1.0, sharpness, "moved")
    stages = [[_duplicates(sharpness)], [_inhibits(sharpness)], [mover], movers]
    return tuple(Layer((*stage, *junk_heads(_SLOTS, junk, generator))) for stage in stages if stage)


def _duplicates(sharpness: float) -> WrittenHead:
    """Look at an earlier mention of this name, or else rest at BEGIN."""
    later = -4.0 * torch.ones(_LENGTH, _LENGTH, dtype=torch.float64).triu()
    return WrittenHead(
        "duplicate name: finds an earlier mention of this name",
        (
            Match({"token": 2 * _names()}, {"token": _names()}),
            Match({"position": later}, {"position": torch.eye(_LENGTH, dtype=torch.float64)}),
            _rest(),
        ),
        (
            Move({"token": _names()}, {"duplicate": _eye()}),
            Move({"is_name": _number(1)}, {"is_duplicate": _number(1)}),
        ),
        sharpness,
    )


def _inhibits(sharpness: float) -> WrittenHead:
    return WrittenHead(
        "inhibition: END finds the duplicate and brings its name",
        (Match({"is_end": _number(2)}, {"is_duplicate": _number(1)}), _rest()),
        (Move({"duplicate": _eye()}, {"inhibited": _eye()}),),
        sharpness,
    )


def _mover(
    role: str, weight: float, sharpness: float, flag: str = "", asks: Blocks | None = None
) -> WrittenHead:
    """Look, from END, at a name that is not inhibited.

    Args:
        role: What it is for.
        weight: How much of the name it writes.
        sharpness: Multiplies its scores.
        flag: The slot where it leaves a mark, if any.
        asks: What else makes it look at names, or keeps it from it.
    """
    marks = (Move({"is_name": _number(1)}, {flag: _number(1)}),) if flag else ()
    return WrittenHead(
        role,
        (
            Match({"is_end": _number(2), **(asks or {})}, {"is_name": _number(1)}),
            Match({"inhibited": -3 * _eye()}, {"token": _names()}),
            _rest(),
        ),
        (Move({"token": _names()}, {"out": weight * _eye()}), *marks),
        sharpness,
    )


def _rest() -> Match:
    """Look at BEGIN where nothing draws more: nothing is brought from there."""
    return Match({"one": _number(1)}, {"is_begin": _number(1)})


def _weights(layers: tuple[Layer, ...]) -> SmallTransformer:
    tokens = torch.eye(_TOKENS, dtype=torch.float64)
    marks: dict[str, Sequence[int]] = {
        "is_name": range(_COUNT),
        "is_begin": [_BEGIN],
        "is_end": [_END],
        "one": range(_TOKENS),
    }
    flags = {slot: tokens[list(ids)].sum(0)[:, None] for slot, ids in marks.items()}
    return write_transformer(
        _SLOTS,
        {"token": tokens, **flags},
        {"position": torch.eye(_LENGTH, dtype=torch.float64)},
        layers,
        {"out": 10 * _eye()},
    )


def _rows(n: int, seed: int) -> tuple[Row, ...]:
    generator = Generator().manual_seed(seed)
    return tuple(_row(generator, subject_first=at % 2 == 1) for at in range(n))


def _row(generator: Generator, subject_first: bool) -> Row:
    subject, other = torch.randperm(_COUNT, generator=generator)[:2].tolist()
    fillers = torch.randint(_COUNT, _COUNT + len(_FILLERS), (3,), generator=generator).tolist()
    first, second = (subject, other) if subject_first else (other, subject)

    def prompt(third: int) -> list[int]:
        return [_BEGIN, first, fillers[0], second, fillers[1], third, fillers[2], _END]

    places = {"S1": 1, "IO": 3} if subject_first else {"IO": 1, "S1": 3}
    return pair_row(prompt(subject), prompt(other), other, subject, {**places, "S2": 5})


def _names() -> Tensor:
    """Return the map from tokens to names [tokens, names]; other tokens are none."""
    return torch.eye(_TOKENS, _COUNT, dtype=torch.float64)


def _eye() -> Tensor:
    return torch.eye(_COUNT, dtype=torch.float64)


def _number(value: float) -> Tensor:
    return torch.full((1, 1), float(value), dtype=torch.float64)
