"""Distractors: heads that attend softly and at random, and write what nobody reads."""

import torch
from torch import Generator, Tensor

from causalnet.errors import ParameterError
from causalnet.known_circuits.slots import Match, Move, Slots, WrittenHead

__all__ = ["JUNK", "check_options", "drawn", "junk_heads"]

JUNK = "junk: random soft attention, writes what nothing reads"

_WIDTH = 4  # of a junk head
_READ = ("token", "position")  # what it looks by


def junk_heads(slots: Slots, count: int, generator: Generator) -> tuple[WrittenHead, ...]:
    """Draw heads that read the slots `token` and `position` and write the slot `junk`.

    Args:
        slots: The residual stream.
        count: How many.
        generator: Where their weights are drawn from, one head after the other: query and key
            (tokens, then positions), value, output.
    """
    return tuple(_junk_head(slots, generator) for _ in range(count))


def _junk_head(slots: Slots, generator: Generator) -> WrittenHead:
    scores = [0.7 * drawn(generator, slots.size(name), _WIDTH) for name in _READ * 2]
    query = dict(zip(_READ, scores[:2], strict=True))
    key = dict(zip(_READ, scores[2:], strict=True))
    read = {"token": drawn(generator, slots.size("token"), _WIDTH)}
    write = {"junk": drawn(generator, _WIDTH, slots.size("junk"))}
    return WrittenHead(JUNK, (Match(query, key),), (Move(read, write),))


def drawn(generator: Generator, *shape: int) -> Tensor:
    """Draw standard normal numbers, in float64."""
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def check_options(junk: int, seed: int, *factors: tuple[str, float]) -> None:
    """Refuse options that no network can be built with.

    Args:
        junk: Number of junk heads in a layer.
        seed: Of their weights.
        factors: Name and value of what multiplies scores, each above 0.

    Raises:
        ParameterError: One that is none.
    """
    for name, count in (("junk", junk), ("seed", seed)):
        if isinstance(count, bool) or not isinstance(count, int) or not 0 <= count < 2**63:
            raise ParameterError(
                came=f"{name}={count!r}.",
                possible="A whole number from 0 on.",
                write=f"Write for example {name}=2.",
            )
    for name, factor in factors:
        is_number = isinstance(factor, int | float) and not isinstance(factor, bool)
        if not is_number or not 0 < factor < float("inf"):
            raise ParameterError(
                came=f"{name}={factor!r}.",
                possible="A number above 0: 20 and more is hard attention, 2 to 6 soft.",
                write=f"Write for example {name}=6.0.",
            )
