from itertools import chain
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from causalnet.errors import PromptError
from causalnet.tasks.encoding import Encoder
from tests.tasks.tokenizers_of_words import byte_tokenizer, task_tokenizer

TEXTS = st.text(st.sampled_from("ab Mary,.é🙂ß中\n1"), min_size=1, max_size=24)


@settings(max_examples=60, deadline=None)
@given(text=TEXTS)
def test_offsets_lead_from_a_character_to_its_token(smollm2_tokenizer: Any, text: str) -> None:
    """Oracle: a token is the last one of a character when the tokens up to it spell the text."""
    encoding = Encoder(smollm2_tokenizer).encode(text)
    for stop in range(1, len(text) + 1):
        token = encoding.last_token(stop)
        before, until = (smollm2_tokenizer.decode(encoding.ids[:n]) for n in (token, token + 1))
        assert until[:stop] == text[:stop]
        assert before[:stop] != text[:stop]


@settings(max_examples=60, deadline=None)
@given(text=TEXTS)
def test_ids_that_the_tokenizer_would_not_write(smollm2_tokenizer: Any, text: str) -> None:
    """Oracle: each letter written by itself, one after the other."""
    letters = [smollm2_tokenizer(letter)["input_ids"] for letter in text]
    encoding = Encoder(smollm2_tokenizer).encode_ids(tuple(chain.from_iterable(letters)))
    assert encoding.text == text
    last = -1
    for stop, letter in enumerate(letters, start=1):
        last += len(letter)
        assert encoding.last_token(stop) == last


@settings(max_examples=60, deadline=None)
@given(text=TEXTS)
def test_bytes_hold_their_characters(text: str) -> None:
    """Oracle: the token of a character is its last byte in UTF-8."""
    encoding = Encoder(byte_tokenizer()).encode(text)
    for stop in range(1, len(text) + 1):
        assert encoding.last_token(stop) == len(text[:stop].encode()) - 1


def test_no_special_token_unless_asked_for() -> None:
    from tests.small_models import word_tokenizer

    tokenizer = word_tokenizer(["Mary", "left"], bos=True)
    assert len(tokenizer("Mary left")["input_ids"]) == 3  # its own default adds one
    assert Encoder(tokenizer).encode("Mary left").tokens == ("Mary", "left")
    encoding = Encoder(tokenizer, bos=True).encode("Mary left")
    assert encoding.tokens == ("[BOS]", "Mary", "left")
    assert encoding.last_token(4) == 1
    assert encoding.text == "Mary left"


def test_chat_template_moves_positions_and_writes_one_bos(smollm2_tokenizer: Any) -> None:
    encoding = Encoder(smollm2_tokenizer, bos=True, chat_template=True).encode("Mary left")
    assert encoding.tokens[encoding.last_token(4)] == "Mary"
    assert encoding.text.endswith("<|im_start|>assistant\n")
    assert encoding.ids[0] == smollm2_tokenizer.bos_token_id != encoding.ids[1]


@pytest.mark.parametrize("text", ["assistant", "user", "You are a helpful AI", "\n"])
def test_a_text_that_the_chat_template_writes_too(smollm2_tokenizer: Any, text: str) -> None:
    encoding = Encoder(smollm2_tokenizer, chat_template=True).encode(text)
    last = encoding.last_token(len(text))
    behind = smollm2_tokenizer.decode(encoding.ids[last + 1 :])
    assert behind == "<|im_end|>\n<|im_start|>assistant\n"


def test_ids_that_say_something_else_are_refused(smollm2_tokenizer: Any) -> None:
    encoder = Encoder(smollm2_tokenizer)
    ids = encoder.encode("Mary left").ids
    assert encoder.encode_ids(ids, "Mary left").ids == ids
    with pytest.raises(PromptError, match="The ids read 'Mary left' and the text is 'Anna left'"):
        encoder.encode_ids(ids, "Anna left")
    with pytest.raises(PromptError, match=r"There is no token 49152\. .* 0\.\.49151"):
        encoder.encode_ids((49152,))
    with pytest.raises(PromptError, match="There is no token -1"):
        encoder.encode_ids((-1,))


def test_a_word_that_the_tokenizer_does_not_know_is_refused() -> None:
    with pytest.raises(PromptError, match="does not know 'Xanthippe'"):
        Encoder(task_tokenizer()).encode("Mary and Xanthippe went to the store")


def test_policies_that_the_tokenizer_cannot_follow_are_refused() -> None:
    with pytest.raises(PromptError, match="no chat template"):
        Encoder(byte_tokenizer(), chat_template=True)
    with pytest.raises(PromptError, match="no beginning-of-sequence token"):
        Encoder(byte_tokenizer(), bos=True)


def test_a_model_is_not_a_tokenizer() -> None:
    with pytest.raises(PromptError, match=r"A dict was given .* model\.tokenizer"):
        Encoder({})


def test_a_chat_template_that_changes_the_text_is_refused() -> None:
    tokenizer = task_tokenizer()
    tokenizer.chat_template = "{{ messages[0]['content'] | upper }}"
    with pytest.raises(PromptError, match="The chat template changes the text 'Mary'"):
        Encoder(tokenizer, chat_template=True).encode("Mary")
