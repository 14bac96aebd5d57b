"""Induction: what came after a word before comes after it again."""

from random import Random
from typing import Any

from causalnet.errors import PromptError
from causalnet.tasks.drawing import chosen_option, draw_pairs, filled_pair
from causalnet.tasks.pairs import PromptPairs
from causalnet.tasks.record import TaskRecord
from causalnet.tasks.rows import PairRow
from causalnet.tasks.templates import Template

__all__ = ["KINDS", "induction"]

WORDS = tuple(
    "apple river stone cloud music table light night party paper power price plant phone photo "
    "field force glass horse house money month mouth north ocean radio scale score shape smile "
    "sound south space speed sport stage steel story sugar teeth theme title topic total tower "
    "track trade train trust truth uncle union video virus visit voice waste watch water wheel "
    "woman world youth".split()
)
KINDS = {
    "repeat": "random words, then the same words up to some place",
    "list": "lines 'key: value', then one of the keys again",
}


def induction(
    tokenizer: Any,
    n: int = 64,
    seed: int = 0,
    *,
    kind: str = "repeat",
    words: int = 10,
    bos: bool = False,
    chat_template: bool = False,
) -> PromptPairs:
    """Return prompts whose answer stood in them behind the same word.

    The source has another word at the answer's earlier place, and that word is the foil.
    Positions: `first` (the earlier mention of the word that the prompt ends with), `copied` (the
    word behind it, which is the answer), `second` (the later mention) and `end`.

    Args:
        tokenizer: A Hugging Face tokenizer.
        n: How many aligned pairs.
        seed: Seed of the draw.
        kind: `repeat`, " a b c d a b c" -> " d"; `list`, "a: b", "c: d", "a:" -> " b".
        words: How many words, from 5 to 30; the list has half as many lines.
        bos: Put the beginning-of-sequence token in front.
        chat_template: Wrap each prompt as a user's message.

    Raises:
        PromptError: For an unknown option, or if too few pairs can be used with this tokenizer.
    """
    chosen_option("kind", kind, KINDS)
    if isinstance(words, bool) or not isinstance(words, int) or not 5 <= words <= 30:
        raise PromptError(
            came=f"words={words!r}.",
            possible="A whole number from 5 to 30.",
            write="Write for example words=12.",
        )

    def draw(random: Random, row: int) -> PairRow:
        chosen = random.sample(WORDS, words)
        other = random.choice([word for word in WORDS if word not in chosen])
        write = _repeat if kind == "repeat" else _list
        return write(random, chosen, other)

    record = TaskRecord(
        name="induction",
        n=n,
        seed=seed,
        corruption="another word at the place to copy from",
        bos=bos,
        chat_template=chat_template,
        options={"kind": kind, "words": words},
    )
    return draw_pairs(tokenizer, draw, record=record)


def _repeat(random: Random, words: list[str], other: str) -> PairRow:
    at = random.randrange(3, len(words) - 1)
    slots = [*words[: at - 1], "{first}", "{copied}", *words[at + 1 :]]
    text = "".join(f" {word}" for word in [*slots, *words[: at - 1], "{second}"])
    again = {"first": words[at - 1], "second": words[at - 1]}
    return _copy(Template(text), again, words[at], other)


def _list(random: Random, words: list[str], other: str) -> PairRow:
    half = len(words) // 2
    keys, values = words[:half], words[half : 2 * half]
    at = random.randrange(half)
    lines = [f"{key}: {value}" for key, value in zip(keys, values, strict=True)]
    lines[at] = "{first}: {copied}"
    again = {"first": keys[at], "second": keys[at]}
    return _copy(Template("\n".join([*lines, "{second}:"])), again, values[at], other)


def _copy(template: Template, again: dict[str, str], word: str, other: str) -> PairRow:
    return filled_pair(
        template,
        again | {"copied": word},
        again | {"copied": other},
        answers=(f" {word}",),
        foils=(f" {other}",),
    )
