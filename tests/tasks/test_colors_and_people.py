"""Colored Objects and surnames: what the prompts say is what answers, foils and positions say."""

import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from causalnet.tasks import PromptPairs, colored_objects, surnames
from causalnet.tasks.colors import COLORS
from tests.tasks.tokenizers_of_words import task_tokenizer

TOKENIZER = task_tokenizer()
SEEDS = st.integers(0, 10**6)
EXAMPLE = (
    "Q: On the desk, you see a black notebook, a green textbook, and a yellow lighter. "
    "What color is the textbook?\nA: Green\n"
    "Q: On the desk, I see a yellow mug, a brown plate, and a red lighter. "
    "What color is the lighter?\nA:"
)


def at(pairs: PromptPairs, name: str, row: int, side: str = "base") -> str:
    prompts = pairs.base if side == "base" else pairs.source
    return prompts.tokens[row][prompts.positions[name][row]].strip()


def read_scene(text: str) -> tuple[dict[str, str], str]:
    """Colours by object and the object asked for, in the last question of a prompt, as it reads."""
    question = text[text.rindex("Q:") :]
    items = re.findall(r"\b(an?) (\w+) (\w+)[,.]", question)
    assert len(items) == 3
    assert all((article == "an") == (color[0] in "aeiou") for article, color, _ in items)
    asked = re.search(r"is the (\w+)\?", question)
    assert asked is not None
    return {thing: color for _, color, thing in items}, asked[1]


@pytest.mark.parametrize("corruption", ["object", "swap"])
@settings(max_examples=8, deadline=None)
@given(seed=SEEDS)
def test_answers_are_what_a_reader_of_the_scene_says(corruption: str, seed: int) -> None:
    pairs = colored_objects(TOKENIZER, n=8, seed=seed, corruption=corruption)
    for row in range(8):
        colors, asked = read_scene(pairs.base.texts[row])
        right = colors.pop(asked)
        assert pairs.answer_texts[row] == (f" {right.title()}",)
        assert {text[1:].lower() for text in pairs.foil_texts[row]} == set(colors.values())
        others, other_asked = read_scene(pairs.source.texts[row])
        assert pairs.foil_texts[row][0] == f" {others[other_asked].title()}"
        assert (asked == other_asked) == (corruption == "swap")
        named = [at(pairs, name, row) for name in ("right", "wrong_1", "wrong_2", "asked")]
        foils = [text[1:].lower() for text in pairs.foil_texts[row]]
        assert named == [right, *foils, asked]
        # The last mentions: nothing behind them is that word.
        for name, word in zip(("right", "wrong_1", "wrong_2"), named, strict=False):
            behind = pairs.base.tokens[row][pairs.base.positions[name][row] + 1 :]
            assert word in COLORS
            assert word not in [token.strip() for token in behind]


@settings(max_examples=8, deadline=None)
@given(seed=SEEDS)
def test_the_scenes_depend_on_the_seed_alone(seed: int) -> None:
    first, second = (
        colored_objects(TOKENIZER, n=6, seed=seed, corruption=name) for name in ("object", "swap")
    )
    assert first.base == second.base
    assert first.answers == second.answers and first.foils == second.foils


def test_the_first_scene_on_the_real_tokenizer(smollm2_tokenizer: Any) -> None:
    """The first prompt of the set behind the figures known for this model."""
    pairs = colored_objects(smollm2_tokenizer, n=40, seed=0, corruption="swap")
    assert pairs.dropped == 0
    assert pairs.base.texts[0] == EXAMPLE
    assert pairs.answer_texts[0] == (" Red",)
    assert pairs.foil_texts[0] == (" Brown", " Yellow")


def test_objects_of_other_lengths_are_dropped_and_counted(smollm2_tokenizer: Any) -> None:
    """Oracle: the tokenizer itself, on the two words that differ."""
    pairs = colored_objects(smollm2_tokenizer, n=30, seed=0)
    assert set(pairs.drop_reasons) == {"base and source do not align"}
    for base, source in zip(pairs.base.texts, pairs.source.texts, strict=True):
        asked = [read_scene(text)[1] for text in (base, source)]
        one, other = (len(smollm2_tokenizer(f" {thing}")["input_ids"]) for thing in asked)
        assert one == other


@pytest.mark.parametrize("corruption", ["abc", "names", "flip"])
@settings(max_examples=8, deadline=None)
@given(seed=SEEDS)
def test_surnames_are_those_that_stood_behind_the_name(corruption: str, seed: int) -> None:
    pairs = surnames(TOKENIZER, n=8, seed=seed, corruption=corruption)
    for row in range(8):
        met = dict(re.findall(r"(\w+) (\w+)(?= met| and|\.)", pairs.base.texts[row]))
        asked, places = at(pairs, "second", row), pairs.base.positions
        assert len(met) == 3
        assert pairs.answer_texts[row] == (f" {met[asked]}",)
        assert at(pairs, "first", row) == asked and at(pairs, "copied", row) == met[asked]
        assert places["copied"][row] == places["first"][row] + 1
        assert places["second"][row] == places["end"][row]
        for number, foil in enumerate(pairs.foil_texts[row], start=1):
            assert at(pairs, f"wrong_{number}", row) == foil[1:]
            assert met[at(pairs, f"other_{number}", row)] == foil[1:]
        other = dict(re.findall(r"(\w+) (\w+)(?= met| and|\.)", pairs.source.texts[row]))
        instead = at(pairs, "end", row, "source")
        if corruption == "names":
            assert not {*other, *other.values()} & {*met, *met.values()}
            assert instead == at(pairs, "first", row, "source")
        else:
            assert other == met
            assert instead == (at(pairs, "other_1", row) if corruption == "flip" else instead)
            assert (instead in met) == (corruption == "flip")


def test_the_people_who_are_met_depend_on_the_seed_alone() -> None:
    made = [surnames(TOKENIZER, n=8, seed=4, corruption=name) for name in ("abc", "names", "flip")]
    assert made[0].base == made[1].base == made[2].base
    fixed = surnames(TOKENIZER, n=8, seed=4, asked="second")
    sentence = [text.partition(".")[0] for text in fixed.base.texts]
    assert sentence == [text.partition(".")[0] for text in made[0].base.texts]
    assert len(set(fixed.base.positions["first"])) == 1
    assert len(set(made[0].base.positions["first"])) > 1
