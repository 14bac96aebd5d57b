"""Numbers of 64 bits that stand for values: random functions of names and of other numbers."""

import hashlib
from functools import lru_cache
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["MASK", "Numbers", "joined", "number_of", "scrambled", "scrambled_all"]

Numbers: TypeAlias = NDArray[np.uint64]
MASK = (1 << 64) - 1
_STEPS = ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB))  # splitmix64 (Steele et al. 2014)


@lru_cache(maxsize=1 << 16)
def number_of(*names: object) -> int:
    """Return an odd number for some names, the same in every process."""
    digest = hashlib.blake2b(repr(names).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") | 1


def scrambled(x: int) -> int:
    """Return a number that looks independent of `x`; no two are given the same one."""
    for shift, factor in _STEPS:
        x = ((x ^ (x >> shift)) * factor) & MASK
    return x ^ (x >> 31)


def scrambled_all(x: Numbers) -> Numbers:
    """Return the scrambled numbers of an array."""
    for shift, factor in _STEPS:
        x = (x ^ (x >> np.uint64(shift))) * np.uint64(factor)
    return x ^ (x >> np.uint64(31))


def joined(*parts: int) -> int:
    """Return a number for some numbers in their order.

    >>> joined(1, 2) == joined(2, 1)
    False
    """
    total = 0
    for part in parts:
        total = scrambled((total * 3 + part) & MASK)
    return total
