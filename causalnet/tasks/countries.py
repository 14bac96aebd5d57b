"""Facts about countries: "The capital of France is" -> " Paris"."""

from random import Random
from typing import Any

from causalnet.tasks.drawing import chosen_option, draw_pairs, filled_pair
from causalnet.tasks.pairs import PromptPairs
from causalnet.tasks.record import TaskRecord
from causalnet.tasks.rows import PairRow
from causalnet.tasks.templates import Template

__all__ = ["KINDS", "capitals"]

CAPITALS = dict(
    pair.split(":")
    for pair in (
        "France:Paris Germany:Berlin Italy:Rome Spain:Madrid Japan:Tokyo China:Beijing "
        "Russia:Moscow England:London Greece:Athens Egypt:Cairo Ireland:Dublin Portugal:Lisbon "
        "Austria:Vienna Poland:Warsaw Turkey:Ankara Cuba:Havana Kenya:Nairobi India:Delhi "
        "Sweden:Stockholm Norway:Oslo Denmark:Copenhagen Hungary:Budapest Belgium:Brussels "
        "Canada:Ottawa Iran:Tehran Iraq:Baghdad Syria:Damascus Finland:Helsinki Thailand:Bangkok "
        "Vietnam:Hanoi Peru:Lima Chile:Santiago Lebanon:Beirut Israel:Jerusalem Afghanistan:Kabul "
        "Scotland:Edinburgh Wales:Cardiff Colombia:Bogota Ukraine:Kiev Romania:Bucharest "
        "Bulgaria:Sofia Serbia:Belgrade Netherlands:Amsterdam Switzerland:Bern Indonesia:Jakarta "
        "Philippines:Manila Taiwan:Taipei Nepal:Kathmandu Pakistan:Islamabad"
    ).split()
)
LANGUAGES = dict(
    pair.split(":")
    for pair in (
        "France:French Germany:German Italy:Italian Spain:Spanish Japan:Japanese China:Chinese "
        "Russia:Russian England:English Greece:Greek Portugal:Portuguese Poland:Polish "
        "Turkey:Turkish Sweden:Swedish Norway:Norwegian Denmark:Danish Hungary:Hungarian "
        "Finland:Finnish Thailand:Thai Vietnam:Vietnamese Brazil:Portuguese Mexico:Spanish "
        "Egypt:Arabic Netherlands:Dutch Israel:Hebrew"
    ).split()
)
KINDS = {
    "capital": CAPITALS,
    "country_of_capital": {capital: country for country, capital in CAPITALS.items()},
    "language": LANGUAGES,
}
TEMPLATES = {
    "capital": (
        "The capital of {subject} is",
        "The capital city of {subject} is",
        "{subject}'s capital city is",
        "Q: What is the capital of {subject}?\nA:",
        "The capital and largest city of {subject} is called",
    ),
    "country_of_capital": (
        "{subject} is the capital of",
        "The city of {subject} is the capital of",
        "{subject} is the capital city of",
    ),
    "language": (
        "The official language of {subject} is",
        "People in {subject} speak",
        "In {subject}, the main language is",
        "The national language of {subject} is",
        "Most people in {subject} speak",
    ),
}


def capitals(
    tokenizer: Any,
    n: int = 64,
    seed: int = 0,
    *,
    kind: str = "capital",
    bos: bool = False,
    chat_template: bool = False,
) -> PromptPairs:
    """Return prompts that ask for a fact about a country or city.

    The source asks about another one, and its answer is the foil.  Pairs whose subjects have
    different numbers of tokens are dropped and counted.  Positions: `subject` (its last token)
    and `end`.

    Args:
        tokenizer: A Hugging Face tokenizer.
        n: How many aligned pairs.
        seed: Seed of the draw.
        kind: `capital` of a country, `country_of_capital`, or a country's `language`.
        bos: Put the beginning-of-sequence token in front.
        chat_template: Wrap each prompt as a user's message.

    Raises:
        PromptError: For an unknown kind, or if too few pairs can be used with this tokenizer.
    """
    facts = KINDS[chosen_option("kind", kind, KINDS)]
    templates = tuple(Template(text) for text in TEMPLATES[kind])

    def draw(random: Random, row: int) -> PairRow:
        template, subject = random.choice(templates), random.choice(list(facts))
        other = random.choice([name for name in facts if facts[name] != facts[subject]])
        return filled_pair(
            template,
            {"subject": subject},
            {"subject": other},
            answers=(f" {facts[subject]}",),
            foils=(f" {facts[other]}",),
        )

    record = TaskRecord(
        name="capitals",
        n=n,
        seed=seed,
        corruption="another subject",
        templates=tuple(template.text for template in templates),
        bos=bos,
        chat_template=chat_template,
        options={"kind": kind},
    )
    return draw_pairs(tokenizer, draw, record=record)
