"""From text to token ids, and from characters to tokens."""

from dataclasses import dataclass
from itertools import takewhile
from typing import Any, Protocol, runtime_checkable

from causalnet.errors import PromptError

__all__ = ["Encoder", "Encoding", "Tokenizer"]


_MARK = "\ue000"  # a character for private use, which no template writes


@runtime_checkable
class Tokenizer(Protocol):
    """What is used of a Hugging Face tokenizer, fast or slow."""

    def __call__(self, text: str, **options: Any) -> Any:
        """Return `input_ids` and, where the tokenizer can, `offset_mapping`."""

    def decode(self, token_ids: Any, **options: Any) -> Any:
        """Return the text of token ids."""

    def convert_ids_to_tokens(self, ids: Any) -> Any:
        """Return the vocabulary's own spelling of token ids."""


@dataclass(frozen=True, slots=True)
class Encoding:
    """A prompt as text and as tokens.

    Args:
        text: The text that was encoded, chat template applied.
        ids: The token ids that the model reads.
        tokens: The text of each token.
        ends: For each token, the number of characters of `text` that are complete after it.
        start: Where the text that was given begins in `text` (above 0 with a chat template).
        given: The text that was given.
    """

    text: str
    ids: tuple[int, ...]
    tokens: tuple[str, ...]
    ends: tuple[int, ...]
    start: int
    given: str

    def last_token(self, stop: int) -> int:
        """Return the token that holds the character before `stop`, counted in the given text."""
        wanted = self.start + stop
        for token, end in enumerate(self.ends):
            if end >= wanted:
                return token
        raise PromptError(
            came=f"No token holds character {stop - 1} of {self.given!r}.",
            possible="Places that a token of the prompt covers.",
            write="Leave white space at the end out of the position.",
        )


@dataclass(frozen=True, slots=True, eq=False)
class Encoder:
    """A tokenizer with its policies: beginning-of-sequence token and chat template.

    No special token is added unless it is asked for here, whatever the tokenizer's default.

    Args:
        tokenizer: A Hugging Face tokenizer, fast or slow.
        bos: Put the beginning-of-sequence token in front (once: a chat template may write it).
        chat_template: Wrap each text as a user's message, ready for the assistant's answer.

    Raises:
        PromptError: If this is no tokenizer, or it lacks what the policies need.
    """

    tokenizer: Any
    bos: bool = False
    chat_template: bool = False

    def __post_init__(self) -> None:
        """Refuse at once what could only fail later."""
        tokenizer: object = self.tokenizer
        if not isinstance(tokenizer, Tokenizer):
            raise PromptError(
                came=f"A {type(tokenizer).__name__} was given as the tokenizer.",
                possible="A Hugging Face tokenizer, as model.tokenizer.",
                write="Write for example cn.tasks.ioi(model.tokenizer).",
            )
        if self.bos and self.tokenizer.bos_token_id is None:
            raise PromptError(
                came="bos=True, but the tokenizer has no beginning-of-sequence token.",
                possible="Prompts without one.",
                write="Write bos=False, in a claim file 'prompts: {bos: false}'.",
            )
        if self.chat_template and not self.tokenizer.chat_template:
            raise PromptError(
                came="chat_template=True, but the tokenizer has no chat template.",
                possible="Prompts as plain text.",
                write="Write chat_template=False, "
                "in a claim file 'prompts: {chat_template: false}'.",
            )

    @property
    def vocabulary(self) -> int:
        """The number of token ids."""
        return len(self.tokenizer)

    def encode(self, given: str) -> Encoding:
        """Return the tokens of a text under the policies.

        Raises:
            PromptError: If a word is unknown to the tokenizer, or its characters cannot be
                followed through to tokens.
        """
        text, start = self._rendered(given)
        ids, ends = self._ids_and_ends(text)
        self._refuse_unknown_words(text, ids, ends)
        if self.bos and (not ids or ids[0] != self.tokenizer.bos_token_id):
            ids, ends = (self.tokenizer.bos_token_id, *ids), (0, *ends)
        return Encoding(text, ids, self.token_texts(ids), ends, start, given)

    def encode_ids(self, ids: tuple[int, ...], text: str | None = None) -> Encoding:
        """Return the encoding of token ids, taken as they are.

        Args:
            ids: Exactly what the model reads; no policy is applied.
            text: What the ids say, where that is known.

        Raises:
            PromptError: If an id is outside the vocabulary, or text and ids do not agree.
        """
        wrong = [index for index in ids if not 0 <= index < self.vocabulary]
        if wrong:
            raise PromptError(
                came=f"There is no token {wrong[0]}.",
                possible=f"The tokenizer has tokens 0..{self.vocabulary - 1}.",
                write="Give ids of this tokenizer, or texts.",
            )
        # A chat template may have written the first token as text; bos=True never did.
        front = 1 if self.bos and ids[:1] == (self.tokenizer.bos_token_id,) else 0
        if front and text is not None and self._says(ids, text):
            front = 0
        text, ends = self._text_and_ends(ids[front:], text)
        return Encoding(text, ids, self.token_texts(ids), (0,) * front + ends, 0, text)

    def continuation(self, encoding: Encoding, text: str) -> tuple[int, ...] | None:
        """Return the tokens that `text` adds behind a prompt.

        `None` when the text changes the prompt's own tokens: then it does not follow them.
        """
        before = self._ids(encoding.text)
        if encoding.ids[len(encoding.ids) - len(before) :] != before:
            return self._ids(text)  # ids given by hand that no text yields
        both = self._ids(encoding.text + text)
        return both[len(before) :] if both[: len(before)] == before else None

    def is_unknown(self, index: int) -> bool:
        """Say whether this is the tokenizer's stand-in for words that it does not know."""
        return bool(index == self.tokenizer.unk_token_id)

    def token_texts(self, ids: tuple[int, ...]) -> tuple[str, ...]:
        """Return the text of each token."""
        return tuple(self._decode((index,)) for index in ids)

    def _rendered(self, given: str) -> tuple[str, int]:
        """Apply the chat template and say where the given text begins."""
        if not self.chat_template:
            return given, 0
        # What stands before any message: searching for the text itself could find it elsewhere.
        start = self._as_message(_MARK).find(_MARK)
        text = self._as_message(given)
        if start < 0 or not text.startswith(given, start):
            raise PromptError(
                came=f"The chat template changes the text {given!r}.",
                possible="Texts that stand in the message as they are.",
                write="Take out spaces at its ends, or write chat_template=False.",
            )
        return text, start

    def _as_message(self, content: str) -> str:
        text: str = self.tokenizer.apply_chat_template(
            [{"role": "user", "content": content}], tokenize=False, add_generation_prompt=True
        )
        return text

    def _ids(self, text: str) -> tuple[int, ...]:
        return tuple(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def _decode(self, ids: tuple[int, ...]) -> str:
        decoded: str = self.tokenizer.decode(
            list(ids), skip_special_tokens=False, clean_up_tokenization_spaces=False
        )
        return decoded

    def _ids_and_ends(self, text: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
        if not self.tokenizer.is_fast:
            ids = self._ids(text)
            return ids, self._checked_ends(ids, text)
        found = self.tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
        offsets = found["offset_mapping"]
        # Tokens that share a character (bytes of one letter) complete it with the last of them.
        following = [start for start, _ in offsets[1:]] + [len(text)]
        ends = tuple(min(stop, after) for (_, stop), after in zip(offsets, following, strict=True))
        return tuple(found["input_ids"]), ends

    def _says(self, ids: tuple[int, ...], text: str) -> bool:
        return self._decode(ids) == text or self._ids(text) == ids

    def _text_and_ends(self, ids: tuple[int, ...], text: str | None) -> tuple[str, tuple[int, ...]]:
        """Return what ids say and where each of them ends, checking a text against them."""
        decoded = self._decode(ids)
        said = decoded if text is None else text
        if self._ids(said) == ids:
            return said, self._ids_and_ends(said)[1]
        if text is None or text == decoded:  # ids that the tokenizer would not write itself
            return decoded, self._ends_by_decoding(ids, decoded)
        raise PromptError(
            came=f"The ids read {decoded!r} and the text is {text!r}.",
            possible="Ids and text that say the same with this tokenizer.",
            write="Leave one of them out, or use the tokenizer that wrote them.",
        )

    def _checked_ends(self, ids: tuple[int, ...], text: str) -> tuple[int, ...]:
        """Follow characters through a tokenizer without offsets, exactly or not at all."""
        if self._decode(ids) != text:
            raise PromptError(
                came=f"The tokenizer does not give {text!r} back, and it has no offsets.",
                possible="Positions as token indices.",
                write="Use a fast tokenizer, or give the prompt as ids.",
            )
        return self._ends_by_decoding(ids, text)

    def _ends_by_decoding(self, ids: tuple[int, ...], text: str) -> tuple[int, ...]:
        # Bytes of a letter that is not complete yet decode to something else than the letter.
        prefixes = (self._decode(ids[: n + 1]) for n in range(len(ids)))
        return tuple(_shared_length(prefix, text) for prefix in prefixes)

    def _refuse_unknown_words(self, text: str, ids: tuple[int, ...], ends: tuple[int, ...]) -> None:
        unknown = self.tokenizer.unk_token
        if unknown is None or unknown in text:
            return
        for token, index in enumerate(ids):
            if self.is_unknown(index):
                start = ends[token - 1] if token else 0
                raise PromptError(
                    came=f"The tokenizer does not know {text[start : ends[token]].strip()!r}.",
                    possible="Words of its vocabulary.",
                    write=f"Write the prompt in other words: {text!r}.",
                )


def _shared_length(one: str, other: str) -> int:
    """Return how many characters two texts have in common from their start."""
    same = takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False))
    return sum(1 for _ in same)
