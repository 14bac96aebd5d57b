"""Indirect object: "When Mary and John went to the store, John gave a drink to" -> " Mary".

Wang et al. 2022 ("Interpretability in the Wild").
"""

from collections.abc import Sequence
from random import Random
from typing import Any

from causalnet.errors import PromptError
from causalnet.tasks.drawing import chosen_option, draw_pairs, filled_pair
from causalnet.tasks.pairs import PromptPairs
from causalnet.tasks.record import TaskRecord
from causalnet.tasks.rows import PairRow
from causalnet.tasks.templates import Template

__all__ = ["ACCEPTANCE_TEMPLATE", "CORRUPTIONS", "TEMPLATES", "ioi"]

NAMES = tuple(
    "Mary John Tom James Dan Martin Amy Michael Sarah David Paul Mark Kate Anna Laura Emma Peter "
    "Adam Alice Jack Henry Robert Jason Kevin Brian Rachel Lisa Karen Susan Andrew Simon Matthew "
    "Daniel Thomas George Steven Eric Jessica Emily Julia Alex Ben Sam Max Chris Scott".split()
)
PLACES = tuple("store school park station hospital office house restaurant garden library".split())
OBJECTS = tuple("drink book ring ball basketball bone computer necklace kiss snack".split())
TEMPLATES = (
    "When {A} and {B} went to the {P}, {S} gave a {O} to",
    "Then, {A} and {B} went to the {P}. {S} gave a {O} to",
    "Then, {A} and {B} had a lot of fun at the {P}. {S} gave a {O} to",
    "After {A} and {B} went to the {P}, {S} gave a {O} to",
    "While {A} and {B} were working at the {P}, {S} gave a {O} to",
    "Friends {A} and {B} found a {O} at the {P}. {S} gave it to",
    "Then, {A} and {B} were thinking about going to the {P}. {S} wanted to give a {O} to",
    "The {P} {A} and {B} went to had a {O}. {S} gave it to",
)

# One template with its own words, 14 tokens for most tokenizers: small, well-studied prompts.
ACCEPTANCE_TEMPLATE = TEMPLATES[0]
ACCEPTANCE_NAMES = tuple(
    "Mary John Tom James Dan Martin Amy Sarah Anna David Paul Laura Kevin Emma Peter Alice Mark "
    "Lisa Jack Kate Scott Sean Ryan Adam Rachel Kelly Ben Simon Helen Jane".split()
)
ACCEPTANCE_PLACES = tuple("store school park office hospital station garden house".split())
ACCEPTANCE_OBJECTS = tuple("drink book ring ball computer snack bone necklace".split())

CORRUPTIONS = {
    "abc": "S2 replaced by a third name",
    "names": "all three names replaced",
    "flip": "S2 replaced by the indirect object",
}
ORDERS = {"alternate": "ABBA, BABA in turn", "ABBA": "IO first", "BABA": "subject first"}


def ioi(
    tokenizer: Any,
    n: int = 64,
    seed: int = 0,
    *,
    corruption: str = "abc",
    templates: str | Sequence[str] | None = None,
    order: str = "alternate",
    names: Sequence[str] | None = None,
    places: Sequence[str] | None = None,
    objects: Sequence[str] | None = None,
    bos: bool = False,
    chat_template: bool = False,
) -> PromptPairs:
    """Return prompts whose answer is the indirect object and whose foil is the subject.

    Positions: `IO`, `S1`, `S2`, `P` (place), `O` (object) and `end`, as far as every template
    has them.  The same seed gives the same base prompts under every corruption.

    Args:
        tokenizer: A Hugging Face tokenizer.
        n: How many aligned pairs.
        seed: Seed of the draw.
        corruption: `abc`, S2 replaced by a third name; `names`, all three replaced; `flip`, S2
            replaced by the indirect object, so that the source's answer is the foil.
        templates: Templates with the slots {A}, {B}, {S} and, if wanted, {P}, {O}; `None` for
            the eight of `TEMPLATES`; `acceptance` for the first of them alone, with 30 names, 8
            places and 8 objects.
        order: `ABBA` (indirect object first), `BABA`, or `alternate`.
        names: At least five names in place of the built-in ones.
        places: Places in place of the built-in ones.
        objects: Objects in place of the built-in ones.
        bos: Put the beginning-of-sequence token in front.
        chat_template: Wrap each prompt as a user's message.

    Raises:
        PromptError: For an unknown option, or if too few pairs can be used.
    """
    chosen_option("corruption", corruption, CORRUPTIONS)
    chosen_option("order", order, ORDERS)
    small = _is_acceptance(templates)
    forms = _templates(templates)
    chosen = {"names": names, "places": places, "objects": objects}
    built_in = (
        (ACCEPTANCE_NAMES, ACCEPTANCE_PLACES, ACCEPTANCE_OBJECTS)
        if small
        else (NAMES, PLACES, OBJECTS)
    )
    words = tuple(
        _words(what, given, ours, least=5 if what == "names" else 1)
        for (what, given), ours in zip(chosen.items(), built_in, strict=True)
    )
    options: dict[str, object] = {"corruption": corruption, "order": order}
    for name, value in {"templates": templates, **chosen}.items():
        if value is not None:
            options[name] = value if isinstance(value, str) else list(value)

    def draw(random: Random, row: int) -> PairRow:
        return _draw(random, row, forms, words, corruption, order)

    record = TaskRecord(
        name="ioi",
        n=n,
        seed=seed,
        corruption=f"{corruption}: {CORRUPTIONS[corruption]}",
        templates=tuple(form.text for form in forms),
        bos=bos,
        chat_template=chat_template,
        options=options,
    )
    return draw_pairs(tokenizer, draw, record=record)


def _draw(
    random: Random,
    row: int,
    templates: tuple[Template, ...],
    words: tuple[tuple[str, ...], ...],
    corruption: str,
    order: str,
) -> PairRow:
    names, places, objects = words
    # Five names whatever the corruption, so that the base prompts depend on the seed alone.
    indirect, subject, *others = random.sample(names, 5)
    template = templates[random.randrange(len(templates))] if len(templates) > 1 else templates[0]
    common = {"P": random.choice(places), "O": random.choice(objects)}
    indirect_first = order == "ABBA" or (order == "alternate" and row % 2 == 0)
    first, second = (indirect, subject) if indirect_first else (subject, indirect)
    base = {"A": first, "B": second, "S": subject}
    changed = {
        "abc": {"S": others[0]},
        "names": dict(zip("ABS", others, strict=True)),
        "flip": {"S": indirect},
    }
    return filled_pair(
        template,
        base | common,
        base | changed[corruption] | common,
        answers=(f" {indirect}",),
        foils=(f" {subject}",),
        names={
            "A": "IO" if indirect_first else "S1",
            "B": "S1" if indirect_first else "IO",
            "S": "S2",
        },
    )


def _is_acceptance(templates: str | Sequence[str] | None) -> bool:
    if isinstance(templates, str) and templates != "acceptance":
        raise PromptError(
            came=f"Unknown templates {templates!r}.",
            possible="acceptance, or a list of templates.",
            write=f"Write templates=[{templates!r}] for one template of your own.",
        )
    return templates == "acceptance"


def _templates(templates: str | Sequence[str] | None) -> tuple[Template, ...]:
    if templates is None:
        texts: Sequence[str] = TEMPLATES
    elif isinstance(templates, str):
        texts = (ACCEPTANCE_TEMPLATE,)
    else:
        texts = _words("templates", templates, ())
    forms = tuple(Template(text) for text in texts)
    for form in forms:
        form.check_slots(("A", "B", "S"), ("P", "O"))
    return forms


def _words(
    what: str, given: Sequence[str] | None, built_in: tuple[str, ...], least: int = 1
) -> tuple[str, ...]:
    """Return the built-in words, or those given if they are enough different texts."""
    if given is None:
        return built_in
    is_list = isinstance(given, Sequence) and not isinstance(given, str)
    if not is_list or not all(isinstance(word, str) and word.strip() for word in given):
        raise PromptError(
            came=f"{what}={given!r}.",
            possible="A list of texts.",
            write=f"Write for example {what}={list(built_in[:2])!r}.",
        )
    if len(set(given)) < least:
        raise PromptError(
            came=f"{what}={given!r}.",
            possible=f"At least {least} different ones.",
            write="Add some, or leave the option out for the built-in ones.",
        )
    return tuple(given)
