"""Colored Objects: which colour has the object that is asked for, after one example.

Merullo et al. 2024 ("Circuit Component Reuse Across Tasks"), after a task of BIG-bench.
"""

from dataclasses import dataclass, replace
from random import Random
from typing import Any

from causalnet.tasks.drawing import chosen_option, draw_pairs, filled_pair
from causalnet.tasks.pairs import PromptPairs
from causalnet.tasks.record import TaskRecord
from causalnet.tasks.rows import PairRow
from causalnet.tasks.templates import Template

__all__ = ["COLORS", "CORRUPTIONS", "OBJECTS", "TEMPLATE", "colored_objects"]

OBJECTS = tuple(
    "pencil notebook pen cup plate jug mug puzzle textbook leash necklace bracelet bottle ball "
    "envelope lighter bowl".split()
)
COLORS = tuple("red orange yellow green blue purple brown black".split())
SURFACES = ("table", "desk", "floor")
OPENINGS = ("there is", "you see", "I see")
CORRUPTIONS = {
    "object": "another object of the same scene is asked for",
    "swap": "the object that is asked for and another one exchange their colours",
}


def _scene(number: int) -> str:
    """Return a question about three objects with slots that end in this number."""
    things = [
        f"{{article_{at}{number}}} {{color_{at}{number}}} {{object_{at}{number}}}" for at in "abc"
    ]
    listed = f"{things[0]}, {things[1]}, and {things[2]}"
    place = f"{{surface_{number}}}, {{opening_{number}}}"
    return f"Q: On the {place} {listed}. What color is the {{asked_{number}}}?\nA:"


TEMPLATE = f"{_scene(1)} {{example}}\n{_scene(2)}"


def colored_objects(
    tokenizer: Any,
    n: int = 64,
    seed: int = 0,
    *,
    corruption: str = "object",
    bos: bool = False,
    chat_template: bool = False,
) -> PromptPairs:
    """Return one-shot questions whose answer is the colour of the object that is asked for.

    The foils are the two other colours of the scene, the first of them that of the object which
    the source asks for.  Answers are written with a capital, colours in scenes without.

    Positions: `right`, `wrong_1`, `wrong_2` (the last mentions of the right colour and of the
    foils, in the order of the foils), `asked` (the object in the question), `example` (the answer
    of the example) and `end`.  The same seed gives the same base prompts under both corruptions,
    unless pairs are dropped: with `object` they are where the two objects have different numbers
    of tokens, with `swap` only where colours have.

    Args:
        tokenizer: A Hugging Face tokenizer.
        n: How many aligned pairs.
        seed: Seed of the draw.
        corruption: `object`, another object of the scene is asked for; `swap`, the colours of these
            two objects are exchanged.
        bos: Put the beginning-of-sequence token in front.
        chat_template: Wrap each prompt as a user's message.

    Raises:
        PromptError: For an unknown option, or if too few pairs can be used with this tokenizer.
    """
    chosen_option("corruption", corruption, CORRUPTIONS)

    def draw(random: Random, _row: int) -> PairRow:
        return _draw(random, corruption)

    record = TaskRecord(
        name="colored_objects",
        n=n,
        seed=seed,
        corruption=f"{corruption}: {CORRUPTIONS[corruption]}",
        templates=(TEMPLATE,),
        bos=bos,
        chat_template=chat_template,
        options={"corruption": corruption},
    )
    return draw_pairs(tokenizer, draw, record=record)


@dataclass(frozen=True, slots=True)
class _Scene:
    """Three objects with their colours, and which of them is asked for."""

    surface: str
    opening: str
    objects: tuple[str, ...]
    colors: tuple[str, ...]
    asked: int

    def slots(self, number: int) -> dict[str, str]:
        """Return what fills the slots of the scene with this number."""
        filled = {
            f"surface_{number}": self.surface,
            f"opening_{number}": self.opening,
            f"asked_{number}": self.objects[self.asked],
        }
        for at, thing, color in zip("abc", self.objects, self.colors, strict=True):
            filled[f"article_{at}{number}"] = "an" if color[0] in "aeiou" else "a"
            filled[f"color_{at}{number}"] = color
            filled[f"object_{at}{number}"] = thing
        return filled

    def swapped(self, other: int) -> "_Scene":
        """Return the scene in which the asked object and another one exchange their colours."""
        order = {self.asked: other, other: self.asked}
        return replace(self, colors=tuple(self.colors[order.get(at, at)] for at in range(3)))


def _draw_scene(random: Random) -> _Scene:
    return _Scene(
        surface=random.choice(SURFACES),
        opening=random.choice(OPENINGS),
        objects=tuple(random.sample(OBJECTS, 3)),
        colors=tuple(random.sample(COLORS, 3)),
        asked=random.randrange(3),
    )


def _draw(random: Random, corruption: str) -> PairRow:
    example, scene = _draw_scene(random), _draw_scene(random)
    right, wrong = scene.asked, [at for at in range(3) if at != scene.asked]
    other = random.choice(wrong)
    wrong.sort(key=lambda at: at != other)
    changed = scene.swapped(other) if corruption == "swap" else replace(scene, asked=other)
    shown = example.slots(1) | {"example": example.colors[example.asked].title()}
    roles = {"asked_2": "asked", "example": "example", f"color_{'abc'[right]}2": "right"}
    roles |= {f"color_{'abc'[at]}2": f"wrong_{number}" for number, at in enumerate(wrong, start=1)}
    row = filled_pair(
        Template(TEMPLATE),
        shown | scene.slots(2),
        shown | changed.slots(2),
        answers=(f" {scene.colors[right].title()}",),
        foils=tuple(f" {scene.colors[at].title()}" for at in wrong),
    )
    return replace(row, positions={name: row.positions[slot] for slot, name in roles.items()})
