"""Surname induction: "At the park, Mary Smith met John Jones … Later that day, John" -> " Jones".

A second task for the heads that move names: what is copied stands behind an earlier mention, as in
induction, and is a name, as in the indirect-object task (after Merullo et al. 2024, who ask whether
tasks share components).
"""

from random import Random
from typing import Any

from causalnet.tasks.drawing import chosen_option, draw_pairs, filled_pair
from causalnet.tasks.indirect_object import ACCEPTANCE_NAMES, ACCEPTANCE_PLACES
from causalnet.tasks.pairs import PromptPairs
from causalnet.tasks.record import TaskRecord
from causalnet.tasks.rows import PairRow
from causalnet.tasks.templates import Template

__all__ = ["ASKED", "CORRUPTIONS", "SURNAMES", "TEMPLATE", "surnames"]

TEMPLATE = "At the {P}, {A} {a} met {B} {b} and {C} {c}. Later that day, {asked}"
SURNAMES = tuple(
    "Smith Jones Wilson Davis Clark Walker Wright Adams Roberts Phillips Evans Turner Collins "
    "Edwards Stewart Murphy Rogers Peterson Richardson Watson Brooks Bennett Hughes Myers Sanders "
    "Powell Sullivan Hamilton Fisher Miller Moore Thompson Harris Robinson Anderson Johnson "
    "Williams Garcia Rodriguez Martinez".split()
)
CORRUPTIONS = {
    "abc": "the name that is asked for replaced by one that was not met",
    "names": "all names and surnames replaced",
    "flip": "the name that is asked for replaced by another one of the three",
}
ASKED = {
    "any": "one of the three people, drawn",
    "first": "always the first",
    "second": "always the second",
    "third": "always the third",
}


def surnames(
    tokenizer: Any,
    n: int = 64,
    seed: int = 0,
    *,
    corruption: str = "abc",
    asked: str = "any",
    bos: bool = False,
    chat_template: bool = False,
) -> PromptPairs:
    """Return prompts whose answer is the surname that stood behind the last first name.

    The foils are the surnames of the two others; the first of them is what the source of `flip`
    asks for.  Positions: `first` (the earlier mention of the name that the prompt ends with),
    `copied` (the surname behind it, which is the answer), `other_1`, `other_2` and their surnames
    `wrong_1`, `wrong_2` in the order of the foils, `second` (the later mention), `P` (place) and
    `end`.  The same seed gives the same base prompts under every corruption.

    Args:
        tokenizer: A Hugging Face tokenizer.
        n: How many aligned pairs.
        seed: Seed of the draw.
        corruption: `abc`, the last name replaced by one that was not met; `names`, all six
            replaced; `flip`, the last name replaced by another one of the three.
        asked: `any` of the three people, or always the `first`, `second` or `third`.
        bos: Put the beginning-of-sequence token in front.
        chat_template: Wrap each prompt as a user's message.

    Raises:
        PromptError: For an unknown option, or if too few pairs can be used with this tokenizer.
    """
    chosen_option("corruption", corruption, CORRUPTIONS)
    chosen_option("asked", asked, ASKED)

    def draw(random: Random, _row: int) -> PairRow:
        return _draw(random, corruption, asked)

    record = TaskRecord(
        name="surnames",
        n=n,
        seed=seed,
        corruption=f"{corruption}: {CORRUPTIONS[corruption]}",
        templates=(TEMPLATE,),
        bos=bos,
        chat_template=chat_template,
        options={"corruption": corruption, "asked": asked},
    )
    return draw_pairs(tokenizer, draw, record=record)


def _draw(random: Random, corruption: str, asked: str) -> PairRow:
    # As many names whatever the options, so that the people who are met depend on the seed alone.
    names, family = random.sample(ACCEPTANCE_NAMES, 6), random.sample(SURNAMES, 6)
    place, order = random.choice(ACCEPTANCE_PLACES), random.sample(range(3), 3)
    if asked != "any":
        wanted = ("first", "second", "third").index(asked)
        order = [wanted, *(at for at in order if at != wanted)]
    right, *wrong = order
    base = _people(names[:3], family[:3]) | {"P": place, "asked": names[right]}
    changed = {
        "abc": {"asked": names[3]},
        "names": _people(names[3:], family[3:]) | {"asked": names[3 + right]},
        "flip": {"asked": names[wrong[0]]},
    }
    roles = {"ABC"[right]: "first", "abc"[right]: "copied", "asked": "second"}
    for number, at in enumerate(wrong, start=1):
        roles |= {"ABC"[at]: f"other_{number}", "abc"[at]: f"wrong_{number}"}
    return filled_pair(
        Template(TEMPLATE),
        base,
        base | changed[corruption],
        answers=(f" {family[right]}",),
        foils=tuple(f" {family[at]}" for at in wrong),
        names=roles,
    )


def _people(names: list[str], family: list[str]) -> dict[str, str]:
    return dict(zip("ABCabc", [*names, *family], strict=True))
