"""One pair as it is given, by hand, in a file or by a generator, before any tokenizer."""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from causalnet.errors import PromptError
from causalnet.tasks.answers import TokenChoice

__all__ = ["FIELDS", "PairRow", "Place", "PromptChoice", "parse_row"]

_PLACE = "a token index, a span [start, stop] of characters, or a piece of the text"

Place = int | tuple[int, int] | str
"""Where a named position is: a token index (from the end when negative), a span of characters
whose last token is meant, or a text that stands in the prompt once, whose last token is meant."""

FIELDS: Mapping[str, str] = {
    "base": "the prompt whose answer is `answer`",
    "source": "the alternative prompt",
    "base_ids": "its token ids, taken as they are",
    "source_ids": "its token ids, taken as they are",
    "answer": "the text of one answer, or a list",
    "answers": "the same, for more than one",
    "answer_ids": "token ids in place of, or besides, the texts",
    "foil": "what the answer is compared with, or a list",
    "foils": "the same, for more than one",
    "foil_ids": "token ids in place of, or besides, the texts",
    "positions": f"a mapping from a name to {_PLACE}; or to base and source, each one of them",
    "template": "the template's text or key",
    "label": "a name for the pair, given once",
}


@dataclass(frozen=True, slots=True)
class PromptChoice:
    """A prompt as it was given: its text, its ids, or both."""

    text: str | None = None
    ids: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class PairRow:
    """A pair of prompts before it meets a tokenizer.

    Args:
        base: The prompt whose answer is `answers`.
        source: The alternative prompt.
        answers: The answers.
        foils: What they are compared with.
        positions: Named position -> its place in the base and in the source.
        template: The template's text or key.
        label: A name for the pair; `None` for its number.
    """

    base: PromptChoice
    source: PromptChoice
    answers: tuple[TokenChoice, ...]
    foils: tuple[TokenChoice, ...]
    positions: Mapping[str, tuple[Place, Place]] = field(default_factory=dict)
    template: str = ""
    label: str | None = None


def parse_row(plain: Mapping[str, object], where: str) -> PairRow:
    """Read one pair from a mapping with the fields of `FIELDS`.

    Positions may also be given one by one, as `positions.NAME`.

    Args:
        plain: The fields.
        where: The row, for messages.

    Raises:
        PromptError: For an unknown, missing, doubled or wrongly typed field, or an empty prompt.
    """
    _refuse_unknown_fields(plain, where)
    template, label = plain.get("template"), plain.get("label")
    return PairRow(
        base=_prompt(plain, "base", where),
        source=_prompt(plain, "source", where),
        answers=_choices(plain, "answer", where),
        foils=_choices(plain, "foil", where),
        positions=_positions(plain, where),
        template="" if template is None else _text(template, "template", where),
        label=None if label is None else _label(label, where),
    )


def _refuse_unknown_fields(plain: Mapping[str, object], where: str) -> None:
    for name in plain:
        if not isinstance(name, str) or (name not in FIELDS and not _is_position(name)):
            near = difflib.get_close_matches(str(name), (*FIELDS, "positions.NAME"), n=1)
            raise PromptError(
                came=f"{where}: unknown field {str(name)[:60]!r}.",
                possible=f"A pair has {', '.join((*FIELDS, 'positions.NAME'))}.",
                write=f"Did you mean {near[0]!r}?" if near else "Take it out.",
            )


def _is_position(name: str) -> bool:
    return name.startswith("positions.") and len(name) > len("positions.")


def _prompt(plain: Mapping[str, object], name: str, where: str) -> PromptChoice:
    text, ids = plain.get(name), plain.get(f"{name}_ids")
    if isinstance(text, Sequence) and not isinstance(text, str) and ids is None:
        text, ids = None, text  # PromptPairs.build takes ids under `base` itself
    if text is None and ids is None:
        raise PromptError(
            came=f"{where}: the field {name!r} is missing.",
            possible="Every row has base, source, answer and foil, as texts or as ids.",
            write=f"Give {name!r}, {FIELDS[name]}.",
        )
    choice = PromptChoice(
        None if text is None else _text(text, name, where),
        None if ids is None else _indices(ids, f"{name}_ids", where),
    )
    if choice.ids == () or (choice.text is not None and not choice.text.strip()):
        raise PromptError(
            came=f"{where}, field {name!r}: the prompt is empty.",
            possible="A prompt has at least one token.",
            write="Write some text, or take the row out.",
        )
    return choice


def _choices(plain: Mapping[str, object], name: str, where: str) -> tuple[TokenChoice, ...]:
    given = [key for key in (name, f"{name}s") if plain.get(key) is not None]
    if len(given) == 2:
        raise PromptError(
            came=f"{where}: both {name!r} and '{name}s'.",
            possible="One of the two fields.",
            write="Give one of them.",
        )
    indices = plain.get(f"{name}_ids")
    if not given and indices is None:
        raise PromptError(
            came=f"{where}: the field {name!r} is missing.",
            possible="Every row has base, source, answer and foil, as texts or as ids.",
            write=f"Give {name!r}, {FIELDS[name]}.",
        )
    texts = _listed(plain[given[0]]) if given else []
    if indices is None:
        return tuple(_choice(one, given[0], where) for one in texts)
    ids = _indices(indices, f"{name}_ids", where)
    if not given:
        return tuple(TokenChoice(index=index) for index in ids)
    if len(texts) != len(ids):
        raise PromptError(
            came=f"{where}: {len(texts)} texts in {given[0]!r} and {len(ids)} in '{name}_ids'.",
            possible="As many ids as texts.",
            write="Give one id per text, or one of the two fields.",
        )
    return tuple(
        TokenChoice(_text(text, given[0], where), index)
        for text, index in zip(texts, ids, strict=True)
    )


def _choice(value: object, name: str, where: str) -> TokenChoice:
    if isinstance(value, int) and not isinstance(value, bool):
        return TokenChoice(index=value)
    return TokenChoice(text=_text(value, name, where))


def _positions(plain: Mapping[str, object], where: str) -> dict[str, tuple[Place, Place]]:
    together = plain.get("positions")
    if together is not None and not isinstance(together, Mapping):
        raise PromptError(
            came=f"{where}, field 'positions': {together!r}.",
            possible=FIELDS["positions"] + ".",
            write='Write for example {"S2": [27, 31]}.',
        )
    given: dict[str, object] = dict(together or {})
    for name, value in plain.items():
        if _is_position(name) and value is not None:
            short = name.removeprefix("positions.")
            if short in given:
                raise PromptError(
                    came=f"{where}: position {short!r} is given twice.",
                    possible="Each position once, in 'positions' or as 'positions.NAME'.",
                    write="Delete one of the two.",
                )
            given[short] = value
    return {name: _places(value, name, where) for name, value in given.items()}


def _places(value: object, name: str, where: str) -> tuple[Place, Place]:
    """Read one position, which holds for both prompts or says it for each."""
    if not isinstance(value, Mapping):
        place = _place(value, name, where)
        return place, place
    if set(value) != {"base", "source"}:
        raise PromptError(
            came=f"{where}, position {name!r}: fields {', '.join(map(str, value))}.",
            possible="base and source.",
            write='Write for example {"base": 3, "source": 4}.',
        )
    return _place(value["base"], name, where), _place(value["source"], name, where)


def _place(value: object, name: str, where: str) -> Place:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and value.strip():
        return value
    if isinstance(value, Sequence) and not isinstance(value, str) and len(value) == 2:
        start, stop = value
        if _is_count(start) and _is_count(stop) and start < stop:
            return start, stop
    raise PromptError(
        came=f"{where}, position {name!r}: {value!r}.",
        possible=f"{_PLACE[0].upper()}{_PLACE[1:]}.",
        write="Write for example [27, 31], or -1 for the last token.",
    )


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _text(value: object, name: str, where: str) -> str:
    if not isinstance(value, str):
        raise PromptError(
            came=f"{where}, field {name!r}: {value!r} is not a text.",
            possible="A text.",
            write=f"Give {FIELDS.get(name, 'a text')}.",
        )
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise PromptError(
            came=f"{where}, field {name!r}: half a character at {error.start}.",
            possible="Text that UTF-8 can hold.",
            write="Write the whole character.",
        ) from None
    return value


def _label(value: object, where: str) -> str:
    label = _text(value, "label", where)
    if not label.strip():
        raise PromptError(
            came=f"{where}: the label is empty.",
            possible="A text that names the row.",
            write="Write one, or leave the field out.",
        )
    return label


def _indices(value: object, name: str, where: str) -> tuple[int, ...]:
    listed: Iterable[object] = _listed(value)
    ids = tuple(one for one in listed if isinstance(one, int) and not isinstance(one, bool))
    if len(ids) != len(list(listed)):
        raise PromptError(
            came=f"{where}, field {name!r}: {value!r}.",
            possible="A list of token ids.",
            write="Write for example [464, 318].",
        )
    return ids


def _listed(value: object) -> list[object]:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return list(value)
    return [value]
