"""The tasks by name."""

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from causalnet.errors import PromptError
from causalnet.known_circuits import KNOWN, TRAINED
from causalnet.tasks import (
    colors,
    copying,
    countries,
    indirect_object,
    people,
    sequences,
    years,
)
from causalnet.tasks.known import PREFIX, known
from causalnet.tasks.pairs import PromptPairs
from causalnet.tasks.record import TaskRecord

__all__ = ["TASKS", "Task", "make", "remake"]


@dataclass(frozen=True, slots=True)
class Task:
    """A generator of prompt pairs.

    Args:
        generate: Called as `generate(tokenizer, n, seed, **options)`.
        description: One line.
        options: Each option and what it may be, beyond `bos` and `chat_template`.
    """

    generate: Callable[..., PromptPairs]
    description: str
    options: Mapping[str, str]


POLICIES: Mapping[str, str] = {
    "bos": "true or false: put the beginning-of-sequence token in front",
    "chat_template": "true or false: wrap each prompt as a user's message",
}

TASKS: Mapping[str, Task] = {
    "ioi": Task(
        indirect_object.ioi,
        "Indirect object: the name that gets something, not the one that gives it.",
        {
            "corruption": " | ".join(indirect_object.CORRUPTIONS),
            "templates": "acceptance, or a list of texts with {A}, {B}, {S}, {P}, {O}",
            "order": " | ".join(indirect_object.ORDERS),
            "names": "a list of at least five names",
            "places": "a list of places",
            "objects": "a list of objects",
        },
    ),
    "greater_than": Task(
        years.greater_than, "A later year: a tens digit above that of the start year.", {}
    ),
    "successor": Task(
        sequences.successor,
        "The next item of a sequence.",
        {"kind": " | ".join(sequences.KINDS)},
    ),
    "induction": Task(
        copying.induction,
        "The word that came after this one before.",
        {"kind": " | ".join(copying.KINDS), "words": "a number from 5 to 30"},
    ),
    "capitals": Task(
        countries.capitals, "A fact about a country.", {"kind": " | ".join(countries.KINDS)}
    ),
    "surnames": Task(
        people.surnames,
        "The surname that stood behind a first name before.",
        {
            "corruption": " | ".join(people.CORRUPTIONS),
            "asked": " | ".join(people.ASKED),
        },
    ),
    "colored_objects": Task(
        colors.colored_objects,
        "The colour of an object in a scene, after one example.",
        {"corruption": " | ".join(colors.CORRUPTIONS)},
    ),
    **{
        f"{PREFIX}{name}": Task(partial(known, name), description, {})
        for name, description in (*KNOWN.items(), *TRAINED.items())
    },
}


def make(name: str, tokenizer: Any, n: int = 64, seed: int = 0, **options: object) -> PromptPairs:
    """Draw prompt pairs of a task by its name.

    Args:
        name: A key of `TASKS`.
        tokenizer: A Hugging Face tokenizer.
        n: How many aligned pairs.
        seed: Seed of the draw.
        options: The task's own options, `bos` and `chat_template`.

    Raises:
        PromptError: For an unknown task or option, with the nearest names, or a wrong value.
    """
    if name not in TASKS:
        raise _unknown("task", name, TASKS)
    task = TASKS[name]
    known = {**task.options, **POLICIES}
    for option, value in options.items():
        if option not in known:
            raise _unknown(f"option of {name!r}", option, known)
        if option in POLICIES and not isinstance(value, bool):
            raise PromptError(
                came=f"{option}={value!r}.",
                possible="True or False.",
                write=f"Write {option}=False.",
            )
    return task.generate(tokenizer, n, seed, **options)


def remake(record: TaskRecord, tokenizer: Any) -> PromptPairs:
    """Draw the pairs that a record describes once more.

    Raises:
        PromptError: If the pairs came from no generator, or the record does not fit it.
    """
    policies = {"bos": record.bos, "chat_template": record.chat_template}
    if record.seed is None:
        raise PromptError(
            came=f"The pairs {record.name!r} were given, not drawn.",
            possible="Pairs of a generator can be drawn again.",
            write="Keep them with pairs.to_jsonl(path) and read them with read_pairs.",
        )
    pairs = make(record.name, tokenizer, record.n, record.seed, **record.options, **policies)
    return pairs if record.rows is None else pairs.rows(record.rows)


def _unknown(what: str, name: object, known: Mapping[str, object]) -> PromptError:
    near = difflib.get_close_matches(str(name), known, n=2, cutoff=0.4)
    return PromptError(
        came=f"Unknown {what}: {name!r}.",
        possible=f"There are {', '.join(known)}." if known else "",
        write=f"Did you mean {' or '.join(map(repr, near))}?" if near else "",
    )
