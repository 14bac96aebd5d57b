"""Answers and foils as sets of single tokens that follow a prompt."""

from collections.abc import Sequence
from dataclasses import dataclass

from causalnet.errors import AnswerError
from causalnet.tasks.encoding import Encoder, Encoding

__all__ = ["TokenChoice", "check_disjoint", "token_set"]


@dataclass(frozen=True, slots=True)
class TokenChoice:
    """An answer as it was given: its text, its id, or both.

    Args:
        text: The text behind the prompt, with its space: ` Mary`.
        index: The token id.
    """

    text: str | None = None
    index: int | None = None


def token_set(
    encoder: Encoder, prompt: Encoding, choices: Sequence[TokenChoice], what: str, where: str
) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """Return ids and texts of the tokens that are answers to a prompt.

    Args:
        encoder: The tokenizer and its policies.
        prompt: The prompt that the answers follow.
        choices: The answers as given.
        what: `answer` or `foil`, for messages.
        where: The row, for messages.

    Raises:
        AnswerError: If the set is empty, or one of them is not one token behind this prompt, or
            stands there twice.
    """
    if not choices:
        raise AnswerError(
            came=f"{where}: no {what} is given.",
            possible="One token, or a set of them.",
            write="Give at least one token.",
        )
    ids, texts = [], []
    for choice in choices:
        index = _single_token(encoder, prompt, choice, what, where)
        if index in ids:
            raise AnswerError(
                came=f"{where}: the {what} {_said(choice)} is there twice.",
                possible="Sets of different tokens.",
                write="Write it once: a set counts each token once.",
            )
        ids.append(index)
        texts.append(choice.text if choice.text is not None else encoder.token_texts((index,))[0])
    return tuple(ids), tuple(texts)


def check_disjoint(
    encoder: Encoder, answers: Sequence[int], foils: Sequence[int], where: str
) -> None:
    """Refuse a token that is both an answer and a foil.

    Raises:
        AnswerError: If there is one.
    """
    both = [index for index in answers if index in foils]
    if both:
        raise AnswerError(
            came=f"{where}: {encoder.token_texts((both[0],))[0]!r} is an answer and a foil.",
            possible="Each token is one of the two.",
            write="Give sets without a common token: their difference would say nothing.",
        )


def _single_token(
    encoder: Encoder, prompt: Encoding, choice: TokenChoice, what: str, where: str
) -> int:
    if choice.index is not None:
        return _known_index(encoder, choice, choice.index, what, where)
    text = choice.text or ""
    added = encoder.continuation(prompt, text) if text else ()
    # One token, but hardly the one that is meant: "to" + "Mary", or "to " + " Mary".
    glued = prompt.text[-1:].isalnum() and text[:1].isalpha()
    doubled = prompt.text[-1:] == text[:1] == " "
    if added is None or len(added) != 1 or glued or doubled:
        raise AnswerError(
            came=f"{where}: the {what} {text!r} {_shape(encoder, text, added)}.",
            possible=f"One token behind {prompt.text[-24:]!r}.",
            write=_advice(encoder, prompt, text, added),
        )
    if encoder.is_unknown(added[0]):
        raise AnswerError(
            came=f"{where}: the tokenizer does not know the {what} {text!r}.",
            possible="Texts that its tokens can spell.",
            write="Choose a word of its vocabulary.",
        )
    return added[0]


def _shape(encoder: Encoder, text: str, added: tuple[int, ...] | None) -> str:
    if added is None:
        return "changes the prompt's own last token"
    if len(added) == 1:
        return "adds a second space" if text[:1] == " " else "continues the prompt's last word"
    pieces = " ".join(repr(piece) for piece in encoder.token_texts(added))
    return f"is {len(added)} tokens" + (f": {pieces}" if pieces else "")


def _advice(encoder: Encoder, prompt: Encoding, text: str, added: tuple[int, ...] | None) -> str:
    """Say what to write in place of an answer that is not one token."""
    if prompt.text[-1:] == " " and text:
        return f"Take the space at the prompt's end out and write {' ' + text.lstrip()!r}."
    spaced = encoder.continuation(prompt, " " + text.lstrip())
    fits = spaced is not None and len(spaced) == 1 and not encoder.is_unknown(spaced[0])
    if text and not text.startswith(" ") and fits:
        return f"Write {' ' + text!r}, with its space."
    if added is not None and len(added) > 1:
        first, *others = encoder.token_texts(added)
        if not first.strip():
            return f"Put {first!r} at the prompt's end and write {others[0]!r}."
        return f"Write its first token, {first!r}, if that decides; or another word."
    return "Give another word, or the token's id."


def _known_index(encoder: Encoder, choice: TokenChoice, index: int, what: str, where: str) -> int:
    if not 0 <= index < encoder.vocabulary:
        raise AnswerError(
            came=f"{where}: the {what} {index} is not a token.",
            possible=f"The tokenizer has tokens 0..{encoder.vocabulary - 1}.",
            write="Give one of these, or the token's text.",
        )
    says = encoder.token_texts((index,))[0]
    if choice.text is not None and choice.text.strip() != says.strip():
        raise AnswerError(
            came=f"{where}: the {what} {choice.text!r} has id {index}, which reads {says!r}.",
            possible="A text and the id of that text, or one of the two.",
            write="Leave one of them out, or use the tokenizer that wrote them.",
        )
    return index


def _said(choice: TokenChoice) -> str:
    return repr(choice.text if choice.text is not None else choice.index)
