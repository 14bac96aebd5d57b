"""Successor: "Monday, Tuesday, Wednesday," -> " Thursday"."""

from random import Random
from typing import Any

from causalnet.tasks.drawing import chosen_option, draw_pairs, filled_pair
from causalnet.tasks.encoding import Encoder
from causalnet.tasks.pairs import PromptPairs
from causalnet.tasks.record import TaskRecord
from causalnet.tasks.rows import PairRow
from causalnet.tasks.templates import Template

__all__ = ["KINDS", "successor"]

KINDS = {
    "days": tuple("Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()),
    "months": tuple(
        "January February March April May June July August September October November "
        "December".split()
    ),
    "numbers": tuple("one two three four five six seven eight nine ten eleven twelve".split()),
    "letters": tuple("ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
    "digits": tuple("123456789"),
}
CYCLIC = ("days", "months")
TEMPLATES = tuple(
    Template(text)
    for text in (
        "{A}, {B}, {C},",
        "{A} {B} {C}",
        "The list goes: {A}, {B}, {C},",
        "In order: {A}, {B}, {C},",
        "Count with me: {A}, {B}, {C},",
    )
)


def successor(
    tokenizer: Any,
    n: int = 64,
    seed: int = 0,
    *,
    kind: str = "days",
    bos: bool = False,
    chat_template: bool = False,
) -> PromptPairs:
    """Return three items of a sequence whose answer is the fourth.

    The source starts the same sequence elsewhere, and its answer is the foil.  Positions: `A`,
    `B`, `C` (the three items) and `end`.

    Args:
        tokenizer: A Hugging Face tokenizer.
        n: How many aligned pairs.
        seed: Seed of the draw.
        kind: `days`, `months` (both go round), `numbers` (in words), `letters` or `digits`.
        bos: Put the beginning-of-sequence token in front.
        chat_template: Wrap each prompt as a user's message.

    Raises:
        PromptError: For an unknown kind, or if too few pairs can be used with this tokenizer.
    """
    items = KINDS[chosen_option("kind", kind, KINDS)]
    spaced = kind == "digits" and _splits_the_space(Encoder(tokenizer))

    def draw(random: Random, row: int) -> PairRow:
        return _draw(random, items, kind in CYCLIC, spaced)

    record = TaskRecord(
        name="successor",
        n=n,
        seed=seed,
        corruption="the sequence starts elsewhere",
        templates=tuple(template.text for template in TEMPLATES),
        bos=bos,
        chat_template=chat_template,
        options={"kind": kind},
    )
    return draw_pairs(tokenizer, draw, record=record)


def _draw(random: Random, items: tuple[str, ...], cyclic: bool, spaced: bool) -> PairRow:
    starts = range(len(items) if cyclic else len(items) - 3)
    template = random.choice(TEMPLATES)
    (*base, answer), (*source, foil) = (
        [items[(start + step) % len(items)] for step in range(4)]
        for start in random.sample(starts, 2)
    )
    space = "" if spaced else " "
    return filled_pair(
        template,
        dict(zip("ABC", base, strict=True)),
        dict(zip("ABC", source, strict=True)),
        answers=(space + answer,),
        foils=(space + foil,),
        ending=" " if spaced else "",
    )


def _splits_the_space(encoder: Encoder) -> bool:
    """Say whether " 4" is two tokens: then the space belongs to the prompt."""
    return len(encoder.continuation(encoder.encode("1, 2, 3,"), " 4") or ()) == 2
