"""From pairs as given to tokens: encode, find positions, check that the two prompts align."""

from collections.abc import Mapping
from dataclasses import dataclass

from causalnet.errors import AlignmentError, PromptError
from causalnet.tasks.answers import check_disjoint, token_set
from causalnet.tasks.encoding import Encoder, Encoding
from causalnet.tasks.rows import PairRow, Place, PromptChoice

__all__ = ["BuiltRow", "build_row"]


@dataclass(frozen=True, slots=True)
class BuiltRow:
    """A pair in tokens.

    Args:
        base: The base prompt.
        source: The source prompt.
        base_positions: Named position -> token index; always has `end`.
        source_positions: The same in the source.
        answers: Token ids.
        foils: Token ids.
        answer_texts: Their texts.
        foil_texts: Their texts.
        template: The template's text or key.
    """

    base: Encoding
    source: Encoding
    base_positions: Mapping[str, int]
    source_positions: Mapping[str, int]
    answers: tuple[int, ...]
    foils: tuple[int, ...]
    answer_texts: tuple[str, ...]
    foil_texts: tuple[str, ...]
    template: str


def build_row(encoder: Encoder, row: PairRow, where: str, *, align: bool = True) -> BuiltRow:
    """Encode one pair.

    Args:
        encoder: The tokenizer and its policies.
        row: The pair.
        where: The row, for messages.
        align: Ask for equal lengths and equal positions.

    Raises:
        PromptError: If a prompt or position cannot be read.
        AnswerError: If an answer or foil is not one token, or is both.
        AlignmentError: If the prompts do not align and have to.
    """
    base = _encode(encoder, row.base, f"{where}, field 'base'")
    source = _encode(encoder, row.source, f"{where}, field 'source'")
    base_positions = {
        name: _find(base, places[0], f"{where}, position {name!r} in the base")
        for name, places in row.positions.items()
    } | {"end": len(base.ids) - 1}
    source_positions = {
        name: _find(source, places[1], f"{where}, position {name!r} in the source")
        for name, places in row.positions.items()
    } | {"end": len(source.ids) - 1}
    _check_end(row, base_positions, base, where)
    if align:
        _check_alignment(base, source, base_positions, source_positions, where)
    answers, answer_texts = token_set(encoder, base, row.answers, "answer", where)
    foils, foil_texts = token_set(encoder, base, row.foils, "foil", where)
    check_disjoint(encoder, answers, foils, where)
    return BuiltRow(
        base=base,
        source=source,
        base_positions=base_positions,
        source_positions=source_positions,
        answers=answers,
        foils=foils,
        answer_texts=answer_texts,
        foil_texts=foil_texts,
        template=row.template,
    )


def _encode(encoder: Encoder, choice: PromptChoice, where: str) -> Encoding:
    try:
        if choice.ids is not None:
            return encoder.encode_ids(choice.ids, choice.text)
        encoding = encoder.encode(choice.text or "")
    except PromptError as error:
        raise PromptError(f"{where}: {error.came}", error.possible, error.write) from None
    if not encoding.ids:
        raise PromptError(
            came=f"{where}: {choice.text!r} has no token.",
            possible="A prompt has at least one token.",
            write="Write some text, or take the row out.",
        )
    return encoding


def _find(prompt: Encoding, place: Place, where: str) -> int:
    """Return the token index of a place."""
    if isinstance(place, int):
        if not -len(prompt.ids) <= place < len(prompt.ids):
            raise PromptError(
                came=f"{where}: there is no token {place}.",
                possible=f"The prompt has tokens 0..{len(prompt.ids) - 1}.",
                write="Give one of these, or a negative number from the end.",
            )
        return place % len(prompt.ids)
    if isinstance(place, str):
        return prompt.last_token(_stop_of(prompt.given, place, where))
    if place[1] > len(prompt.given):
        raise PromptError(
            came=f"{where}: the span {list(place)} ends behind the text.",
            possible=f"The text has {len(prompt.given)} characters.",
            write="Give a span inside the text, as [start, stop].",
        )
    return prompt.last_token(place[1])


def _stop_of(text: str, marker: str, where: str) -> int:
    """Return where a marker ends, which must stand in the text once."""
    times = sum(text.startswith(marker, at) for at in range(len(text)))
    if times != 1:
        raise PromptError(
            came=f"{where}: {marker!r} stands {times} times in {text!r}.",
            possible="A text that stands there once.",
            write="Give a span of characters [start, stop] or a token index.",
        )
    return text.index(marker) + len(marker)


def _check_end(row: PairRow, positions: Mapping[str, int], base: Encoding, where: str) -> None:
    """Refuse a position `end` that is not the last token: every room relies on it."""
    if "end" in row.positions and _find(base, row.positions["end"][0], where) != positions["end"]:
        raise PromptError(
            came=f"{where}: the position 'end' is not the prompt's last token.",
            possible="'end' is always the last token.",
            write="Give the position another name.",
        )


def _check_alignment(
    base: Encoding,
    source: Encoding,
    base_positions: Mapping[str, int],
    source_positions: Mapping[str, int],
    where: str,
) -> None:
    if len(base.ids) != len(source.ids):
        raise AlignmentError(
            came=f"{where}: the base {base.text!r} has {len(base.ids)} tokens and the source "
            f"{source.text!r} has {len(source.ids)}.",
            possible="Prompts of equal length, so that a token of one has its place in the other.",
            write="Change a word, or write align=False if no position but 'end' is compared.",
        )
    for name, place in base_positions.items():
        if source_positions[name] != place:
            raise AlignmentError(
                came=f"{where}: position {name!r} is token {place} of the base {base.text!r} and "
                f"token {source_positions[name]} of the source {source.text!r}.",
                possible="The same token in both.",
                write="Change a word so that they line up, or write align=False.",
            )
