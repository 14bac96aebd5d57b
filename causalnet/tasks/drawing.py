"""Draw pairs until enough of them align; count what was left out and why."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from random import Random
from typing import Any

from causalnet.errors import AlignmentError, AnswerError, PromptError
from causalnet.tasks.answers import TokenChoice
from causalnet.tasks.build import BuiltRow, build_row
from causalnet.tasks.encoding import Encoder
from causalnet.tasks.pairs import PromptPairs, Reduction, assemble
from causalnet.tasks.record import TaskRecord
from causalnet.tasks.rows import PairRow, Place, PromptChoice
from causalnet.tasks.templates import Template

__all__ = ["Draw", "check_counts", "chosen_option", "draw_pairs", "filled_pair"]

Draw = Callable[[Random, int], PairRow]
"""Draws the next pair; the number counts the pairs that were kept before it."""

_DROPPED = {
    AlignmentError: "base and source do not align",
    AnswerError: "an answer or foil is not one token",
    PromptError: "the tokenizer cannot read a word or prompt",
}


def draw_pairs(
    tokenizer: Any,
    draw: Draw,
    *,
    record: TaskRecord,
    reduction: Reduction = "mean",
) -> PromptPairs:
    """Draw until the record's `n` aligned pairs are found.

    Rows are drawn independently, with replacement, so that a mean over them estimates the mean
    over all that the generator can write.

    Args:
        tokenizer: A Hugging Face tokenizer.
        draw: Draws one pair.
        record: Says how many, from which seed and under which policies.
        reduction: How the logits of a token set become one number.

    Raises:
        PromptError: If n or seed is no count, or too few of the drawn pairs can be used with
            this tokenizer; the message says why they were dropped.
    """
    check_counts(record)
    encoder = Encoder(tokenizer, record.bos, record.chat_template)
    random, dropped = Random(record.seed), Counter[str]()
    built: list[BuiltRow] = []
    kept: list[PairRow] = []
    bound = 50 * record.n + 500
    last = ""
    while len(built) < record.n:
        if sum(dropped.values()) >= (bound if built else 500):
            raise _too_few(record, len(built), dropped, last)
        row = draw(random, len(built))
        try:
            built.append(build_row(encoder, row, f"Pair {len(built)}"))
            kept.append(row)
        except (AlignmentError, AnswerError, PromptError) as refused:
            dropped[_DROPPED[type(refused)]] += 1
            last = str(refused)
    return assemble(
        _with_common_positions(built),
        kept,
        reduction=reduction,
        record=record,
        drop_reasons=dropped,
    )


def _with_common_positions(built: list[BuiltRow]) -> list[BuiltRow]:
    """Keep the positions that every row has: templates may differ in their slots."""
    common = frozenset.intersection(*(frozenset(row.base_positions) for row in built))
    return [
        replace(
            row,
            base_positions={name: row.base_positions[name] for name in sorted(common)},
            source_positions={name: row.source_positions[name] for name in sorted(common)},
        )
        for row in built
    ]


def filled_pair(
    template: Template,
    base: Mapping[str, str],
    source: Mapping[str, str],
    *,
    answers: tuple[str, ...],
    foils: tuple[str, ...],
    names: Mapping[str, str] | None = None,
    ending: str = "",
) -> PairRow:
    """Fill one template twice; every slot becomes a named position.

    Args:
        template: The template.
        base: What fills its slots in the base prompt.
        source: What fills them in the source prompt.
        answers: The answers behind the base prompt.
        foils: What they are compared with.
        names: Slot -> name of its position, where that is another.
        ending: Text behind both prompts.
    """
    base_text, base_spans = template.fill(base)
    source_text, source_spans = template.fill(source)
    places: dict[str, tuple[Place, Place]] = {
        (names or {}).get(slot, slot): (base_spans[slot], source_spans[slot])
        for slot in template.slots
    }
    return PairRow(
        base=PromptChoice(base_text + ending),
        source=PromptChoice(source_text + ending),
        answers=tuple(TokenChoice(answer) for answer in answers),
        foils=tuple(TokenChoice(foil) for foil in foils),
        positions=places,
        template=template.text,
    )


def chosen_option(name: str, value: str, possible: Mapping[str, object]) -> str:
    """Return a generator's option if it is one of those that exist.

    Raises:
        PromptError: If it is not.
    """
    if not isinstance(value, str) or value not in possible:
        raise PromptError(
            came=f"Unknown {name} {value!r}.",
            possible=f"One of {', '.join(possible)}.",
            write=f"Write for example {name}={next(iter(possible))!r}.",
        )
    return value


def check_counts(record: TaskRecord) -> None:
    """Refuse a number of pairs below 1, a seed below 0, and what is no whole number.

    Raises:
        PromptError: If one of them is.
    """
    for name, value, least in (("n", record.n, 1), ("seed", record.seed, 0)):
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise PromptError(
                came=f"{name}={value!r}.",
                possible=f"A whole number from {least} on.",
                write=f"Write for example {name}={64 * least}.",
            )


def _too_few(record: TaskRecord, kept: int, dropped: Counter[str], last: str) -> PromptError:
    why = ", ".join(f"{times} times: {reason}" for reason, times in dropped.most_common())
    return PromptError(
        came=f"Only {kept} of {record.n} pairs of {record.name!r} can be used with this "
        f"tokenizer after {kept + sum(dropped.values())} draws ({why}).",
        possible=f"The last one: {last}",
        write="Choose another task, other words or templates, or another tokenizer.",
    )
