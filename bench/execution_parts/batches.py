"""The two batches of prompts: base and source first differ at one known token, in every pair."""

from dataclasses import dataclass
from typing import Any

from causalnet.tasks import PromptPairs, ioi

__all__ = ["BATCHES", "Batch", "described", "first_difference", "pairs_of"]


@dataclass(frozen=True)
class Batch:
    """What a batch has to be: pairs of equal length that first differ at one token.

    Attributes:
        pairs: How many.
        tokens: Tokens of every prompt.
        first: The first token, counted from 0, at which base and source differ.
        template: The text that gives it.
    """

    pairs: int
    tokens: int
    first: int
    template: str


BATCHES = {
    8: Batch(8, 16, 11, "Then, {A} and {B} were working at the {P}. {S} gave a {O} to"),
    16: Batch(16, 14, 9, "When {A} and {B} went to the {P}, {S} gave a {O} to"),
}


def pairs_of(tokenizer: Any, batch: Batch, seed: int = 0) -> PromptPairs:
    """Return indirect-object pairs whose second subject is flipped, and check what they are."""
    pairs = ioi(
        tokenizer,
        n=batch.pairs,
        seed=seed,
        corruption="flip",
        templates=[batch.template],
    )
    found = (len(pairs), set(pairs.base.lengths + pairs.source.lengths), first_difference(pairs))
    wanted = (batch.pairs, {batch.tokens}, {batch.first})
    if found != wanted:
        raise SystemExit(f"The pairs are {found}, and should be {wanted}.")
    return pairs


def first_difference(pairs: PromptPairs) -> set[int]:
    """Return the tokens at which pairs first differ."""
    return {
        next(at for at, (x, y) in enumerate(zip(base, source, strict=True)) if x != y)
        for base, source in zip(pairs.base.ids, pairs.source.ids, strict=True)
    }


def described(pairs: PromptPairs) -> str:
    """Return what was checked, in a line."""
    lengths = sorted(set(pairs.base.lengths))
    firsts = sorted(first_difference(pairs))
    live = sorted({length - first for length in lengths for first in firsts})
    shown = [", ".join(map(str, numbers)) for numbers in (lengths, firsts, live)]
    return (
        f"{len(pairs)} pairs of {shown[0]} tokens that first differ at token {shown[1]}: "
        f"{shown[2]} live positions; {pairs.base.texts[0]!r} / {pairs.source.texts[0]!r}"
    )
